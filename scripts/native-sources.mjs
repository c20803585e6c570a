// Lists sources of one of binding.gyp's targets, one a line; `sources()` and `inputs()` are for the build scripts.

import { readdirSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { argv } from "node:process";
import { fileURLToPath } from "node:url";

export const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");

function files(folder, matches) {
  const names = readdirSync(join(root, folder)).filter((name) => matches(name));
  return names.sort().map((name) => `${folder}/${name}`);
}

/** By what is asked of the compiler, from the repository's root, with forward slashes, as gyp wants them everywhere. */
export function sources() {
  const isSource = (name) => name.endsWith(".cc");
  const targets = files("native/kernels", (name) => name.startsWith("target_") && isSource(name));
  const isPortable = (path) => path.endsWith("target_portable.cc");
  return {
    kernels: targets.filter((path) => !isPortable(path)),
    portable: targets.filter(isPortable),
    addon: [...files("native", isSource), ...files("native/ops", isSource)],
  };
}

/** Everything that the addon is made of: a change to any of them asks for a build. */
export function inputs() {
  const isHeader = (name) => name.endsWith(".h") || name.endsWith(".inc");
  const folders = ["native", "native/ops", "native/kernels", "native/kernels/simd"];
  return [
    ...Object.values(sources()).flat(),
    ...folders.flatMap((folder) => files(folder, isHeader)),
    "binding.gyp",
  ];
}

if (argv[1] && fileURLToPath(import.meta.url) === resolve(argv[1])) {
  console.log(sources()[argv[2]].join("\n"));
}
