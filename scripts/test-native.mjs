// Builds native/CMakeLists.txt through cmake-js and runs the native unit tests.
//   npm run test:native [-- --sanitize=address | undefined | thread] [--debug] [--target=myelin_tests] [--level=portable] [--no-run]
//   --addon: runs the suite in Node as well, over an addon built the same way, with the tests that are named behind `--`, else all
// Exit code 0 with a note when there is no cmake: the suite runs without it.

import { execFileSync, spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import { buildEnvironment } from "./build-native.mjs";

const root = fileURLToPath(new URL("..", import.meta.url));
const [own, tests] = splitAt(process.argv.slice(2), "--");
const flags = Object.fromEntries(own.map((a) => a.replace(/^--/, "").split("=")));
const sanitize = flags.sanitize ?? "";
const isDebug = "debug" in flags;
const target = flags.target ?? "myelin_tests";
const flavour = [sanitize.replace(",", "-"), isDebug ? "debug" : ""].filter(Boolean).join("-");
const out = `${root}build/native${flavour && `-${flavour}`}`;

function splitAt(list, mark) {
  const at = list.indexOf(mark);
  return at < 0 ? [list, []] : [list.slice(0, at), list.slice(at + 1)];
}

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

function build(target) {
  const args = ["build", "--directory", `${root}native`, "--out", out, "--target", target, "--parallel", "2"];
  run(process.execPath, [
    cmakeJs,
    ...args,
    ...(isDebug ? ["--debug"] : []),
    `--CDMYELIN_SANITIZE=${sanitize}`,
  ]);
}

build(target);
// Tests of running out of memory want a null pointer, not the sanitizer's own abort.
process.env.ASAN_OPTIONS ??= "allocator_may_return_null=1";
process.env.TSAN_OPTIONS ??= "allocator_may_return_null=1";
if (!("no-run" in flags)) run(`${out}/${target}`, [], flags.level ? { MYELIN_TARGET: flags.level } : {});

if ("addon" in flags) {
  build("myelin");
  // Node is not built for sanitizers: their run time has to come first. It keeps memory until its end, which is no leak.
  const runtime = { address: "libasan.so", thread: "libtsan.so", undefined: "libubsan.so" }[sanitize];
  const library =
    runtime && execFileSync("g++", [`-print-file-name=${runtime}`], { encoding: "utf8" }).trim();
  run(process.execPath, [`${root}node_modules/vitest/vitest.mjs`, "run", ...tests], {
    MYELIN_BINARY: `${out}/${isDebug ? "Debug" : "Release"}/myelin.node`,
    ASAN_OPTIONS: "detect_leaks=0:allocator_may_return_null=1",
    UBSAN_OPTIONS: "print_stacktrace=1:halt_on_error=1",
    TSAN_OPTIONS: `allocator_may_return_null=1:halt_on_error=1:suppressions=${root}scripts/suppressions/tsan.txt`,
    ...(library && { LD_PRELOAD: library }),
  });
}
