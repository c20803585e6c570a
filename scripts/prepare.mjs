// npm's `prepare`, in a checkout: the addon, then the library. It does not run for people who install the package.
// Without a compiler the library works on its reference engine, so a failed native build is a warning here.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import process from "node:process";
import { build } from "./build-native.mjs";
import { root } from "./native-sources.mjs";

if (!existsSync(join(root, "binding.gyp"))) process.exit(0);

if (!build()) {
  console.warn(
    "myelin: the native engine could not be built (see above); going on with the reference engine, which is much slower",
  );
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
