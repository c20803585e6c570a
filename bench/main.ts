// npm run bench -- <name> [arguments]: every benchmark is a module of this folder.

import { installPeers } from "./install.ts";
import { kernels } from "./kernels.ts";
import { steps } from "./steps.ts";

const benches: Record<string, (words: readonly string[]) => Promise<void> | void> = {
  steps,
  kernels,
  "install-peers": installPeers,
};

const [name = "", ...rest] = process.argv.slice(2);
const bench = benches[name];
if (bench) await bench(rest);
else {
  console.error(
    `usage: npm run bench -- <${Object.keys(benches).join(" | ")}> [arguments]; see the top of bench/<name>.ts`,
  );
  process.exitCode = 1;
}
