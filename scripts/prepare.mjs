// npm's `prepare`, in a checkout: the addon, then the library. It does not run for people who install the package.
// Without a compiler the library works on its reference engine, so a failed native build is a warning here.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { build, logFile, upToDate } from "./build-native.mjs";
import { root } from "./native-sources.mjs";

if (!existsSync(join(root, "binding.gyp"))) process.exit(0);

if (!upToDate()) console.log("myelin: building the native engine");
if (!build("release", true)) {
  console.warn(`myelin: no native engine, only the much slower reference engine: ${reason()}`);
}

/** The first line that says what was wrong, and where the rest is. */
function reason() {
  if (!existsSync(logFile)) return "node-gyp did not run";
  const lines = readFileSync(logFile, "utf8").split("\n");
  const wrong =
    lines.find((line) => /not found|No such file|: (fatal )?error:|stack Error:/.test(line)) ??
    "the build failed";
  const text = wrong
    .replace(/^gyp ERR! stack /, "")
    .trim()
    .slice(0, 160);
  return `${text} (all of it is in build/native.log; npm run build:native tries again)`;
}

let compiler;
try {
  const require = createRequire(import.meta.url);
  compiler = join(dirname(require.resolve("typescript/package.json")), "bin", "tsc");
} catch {
  console.warn("myelin: TypeScript is not installed (no devDependencies); dist/ was not built");
  process.exit(0);
}
const done = spawnSync(process.execPath, [compiler, "-p", "tsconfig.build.json"], {
  cwd: root,
  stdio: "inherit",
});
process.exit(done.status ?? 1);
