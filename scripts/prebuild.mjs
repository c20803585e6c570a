// npm run binaries [-- linux-arm64]: the addon as it is published, into prebuilds/, for this machine or one that a cross
// compiler is installed for; checked for size and for the oldest C library it runs on.

import { execFileSync, spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process, { argv } from "node:process";
import { buildEnvironment } from "./build-native.mjs";
import { root } from "./native-sources.mjs";

/** RHEL 8 and Debian 10. */
const OLDEST_GLIBC = "2.28";
/** What the kernels of three CPU levels come to; 1.5 MB is the aim. */
const MOST_BYTES = 2_300_000;

const CROSS = {
  "linux-arm64": {
    CC: "aarch64-linux-gnu-gcc",
    CXX: "aarch64-linux-gnu-g++",
    AR: "aarch64-linux-gnu-ar",
    PREBUILD_STRIP_BIN: "aarch64-linux-gnu-strip",
  },
};

const target = argv[2] ?? `${process.platform}-${process.arch}`;
const [platform, arch] = target.split("-");
const isHost = target === `${process.platform}-${process.arch}`;
if (!isHost && !CROSS[target]) {
  console.error(
    `prebuild: expected this machine's platform or ${Object.keys(CROSS).join(", ")}, got ${target}`,
  );
  process.exit(2);
}

const prebuildify = createRequire(import.meta.url).resolve("prebuildify/bin.js");
const flags = ["--napi", "--strip", ...(platform === "linux" ? ["--tag-libc"] : []), `--arch=${arch}`];
const cross = isHost ? {} : CROSS[target];
const isGlibc = platform === "linux" && (!isHost || isGlibcHost());
// prebuildify empties build/, which holds what this checkout runs on.
const [build, aside] = [join(root, "build"), join(root, `build-aside-${process.pid}`)];
if (existsSync(build)) renameSync(build, aside);
const made = spawnSync(process.execPath, [prebuildify, ...flags], {
  cwd: root,
  env: {
    ...buildEnvironment(),
    ...cross,
    ...(isGlibc && { GYP_DEFINES: `myelin_old_glibc=${standIns()}` }),
  },
  stdio: ["ignore", "ignore", "inherit"],
});
rmSync(build, { recursive: true, force: true });
if (existsSync(aside)) renameSync(aside, build);
if (made.status !== 0) process.exit(1);

const folder = join(root, "prebuilds", target);
for (const name of readdirSync(folder)) {
  const path = join(folder, name);
  const { size } = statSync(path);
  const glibc = platform === "linux" && name.includes("glibc") ? newestGlibc(path) : undefined;
  console.log(`prebuilds/${target}/${name}: ${size} bytes${glibc ? `, needs glibc ${glibc}` : ""}`);
  if (size > MOST_BYTES) fail(`expected at most ${MOST_BYTES} bytes`);
  if (glibc && newer(glibc, OLDEST_GLIBC)) fail(`expected to need no glibc newer than ${OLDEST_GLIBC}`);
  writeEntry(name);
}

/** For bundlers: `import "myelin/binaries/linux-x64-glibc"` is a file that names the binary. */
function writeEntry(file) {
  const libc = file.split(".").slice(1, -1).join("");
  const entry = `module.exports = globalThis[Symbol.for("myelin.binary")] = require("./${target}/${file}");\n`;
  mkdirSync(join(root, "prebuilds"), { recursive: true });
  writeFileSync(join(root, "prebuilds", `${target}${libc && `-${libc}`}.cjs`), entry);
}

/**
 * Functions that the linker would bind to versions newer than OLDEST_GLIBC: shared libraries that claim to be the old
 * ones and offer the old versions. They are linked with, never shipped; what is there at run time is the real library.
 */
function standIns() {
  const folder = mkdtempSync(join(tmpdir(), "old-glibc-"));
  const version = arch === "arm64" ? "GLIBC_2.17" : "GLIBC_2.2.5";
  const threads =
    "__pthread_key_create pthread_create pthread_detach pthread_getspecific pthread_join pthread_key_create";
  const more = "pthread_key_delete pthread_mutex_trylock pthread_once pthread_setspecific pthread_sigmask";
  const libraries = {
    "libpthread.so.0": `${threads} ${more}`.split(" "),
    "libm.so.6": ["exp", "log", "pow"],
  };
  for (const [library, names] of Object.entries(libraries)) {
    const [code, script] = ["c", "map"].map((kind) => join(folder, `${library}.${kind}`));
    writeFileSync(code, names.map((name) => `void ${name}(void) {}\n`).join(""));
    writeFileSync(script, `${version} { global: ${names.join("; ")}; };\n`);
    const options = [
      "-shared",
      "-fPIC",
      "-fno-builtin",
      "-nostdlib",
      `-Wl,-soname,${library}`,
      `-Wl,--version-script,${script}`,
    ];
    execFileSync(cross.CC ?? "gcc", [...options, "-o", join(folder, library), code]);
  }
  return folder;
}

function isGlibcHost() {
  return process.report.getReport().header.glibcVersionRuntime !== undefined;
}

function newestGlibc(path) {
  const objdump = (cross.CC ?? "gcc").replace(/gcc$/, "objdump");
  const text = execFileSync(objdump, ["-T", path], { encoding: "utf8", maxBuffer: 1e8 });
  const versions = [...text.matchAll(/GLIBC_([\d.]+)/g)].map((m) => m[1]);
  return versions.reduce((a, b) => (newer(b, a) ? b : a), "2.0");
}

function newer(a, b) {
  const [x, y] = [a, b].map((v) => v.split(".").map(Number));
  return x[0] - y[0] > 0 || (x[0] === y[0] && x[1] - y[1] > 0);
}

function fail(what) {
  console.error(`prebuild: ${what}`);
  process.exitCode = 1;
}
