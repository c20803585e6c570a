// Builds native/CMakeLists.txt through cmake-js and runs the native unit tests.
//   npm run test:native [-- --sanitize=address,undefined | --sanitize=thread] [--target=myelin_tests] [--level=portable] [--no-run]
// Exit code 0 with a note when there is no cmake: the suite runs without it.

import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { buildEnvironment } from "./build-native.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const flags = Object.fromEntries(process.argv.slice(2).map((a) => a.replace(/^--/, "").split("=")));
const sanitize = flags.sanitize ?? "";
const target = flags.target ?? "myelin_tests";
const out = `${root}/build/native${sanitize && `-${sanitize.replace(",", "-")}`}`;

function run(command, args, env = {}) {
  const done = spawnSync(command, args, {
    cwd: root,
    stdio: "inherit",
    env: { ...buildEnvironment(), ...env },
  });
  if (done.status !== 0) process.exit(done.status ?? 1);
}

if (spawnSync("cmake", ["--version"]).status !== 0) {
  console.log("test:native: no cmake here, native unit tests skipped");
  process.exit(0);
}
const cmakeJs = createRequire(import.meta.url).resolve("cmake-js/bin/cmake-js");
const build = [
  cmakeJs,
  "build",
  "--directory",
  `${root}/native`,
  "--out",
  out,
  "--target",
  target,
  "--parallel",
  "2",
];
run(process.execPath, [...build, `--CDMYELIN_SANITIZE=${sanitize}`]);
// Tests of running out of memory want a null pointer, not the sanitizer's own abort.
process.env.ASAN_OPTIONS ??= "allocator_may_return_null=1";
if (!("no-run" in flags)) run(`${out}/${target}`, [], flags.level ? { MYELIN_TARGET: flags.level } : {});
