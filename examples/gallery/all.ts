// Runs the whole gallery, one example after another (npm run gallery -- spam speech: only some), and prints what each reports
// and how long it took.

import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { basename } from "node:path";

const NOT_EXAMPLES = ["all", "data", "connections"];
const wanted = process.argv.slice(2);
const names = readdirSync(import.meta.dirname)
  .filter((file) => file.endsWith(".ts"))
  .map((file) => basename(file, ".ts"))
  .filter((name) => (wanted.length > 0 ? wanted.includes(name) : !NOT_EXAMPLES.includes(name)));

let failed = 0;
for (const name of names) {
  const begin = performance.now();
  const { status, stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", `${import.meta.dirname}/${name}.ts`], { encoding: "utf8" }); // biome-ignore format: one line
  console.log(`${name} (${((performance.now() - begin) / 1000).toFixed(0)} s)`);
  const reported = stdout.split("\n").filter((line) => line.includes(" (compare: "));
  for (const line of status === 0 ? reported : [stderr.trim()]) console.log(`  ${line}`);
  if (status !== 0) failed++;
}
process.exitCode = failed > 0 ? 1 : 0;
