// Builds the addon into build/ with node-gyp.
//   npm run build:native [-- --debug | --sanitize[=address,undefined]]
// Exit code 1 when the compiler is missing or fails; scripts/prepare.mjs turns that into a warning.

import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { join, resolve } from "node:path";
import process, { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { inputs, root } from "./native-sources.mjs";

const flavourFile = join(root, "build", "flavour");

/** The C++ headers of Node: beside the running executable in every official layout. Undefined leaves node-gyp to fetch them. */
function headersBesideNode() {
  const prefix = resolve(realpathSync(process.execPath), "..", "..");
  const version = join(prefix, "include", "node", "node_version.h");
  if (!existsSync(version) || !existsSync(join(prefix, "include", "node", "common.gypi"))) return undefined;
  const major = /define NODE_MAJOR_VERSION (\d+)/.exec(readFileSync(version, "utf8"))?.[1];
  return major === process.versions.node.split(".")[0] ? prefix : undefined;
}

/** This process's environment, in which node-gyp and cmake-js find Node's headers without asking the network. */
export function buildEnvironment() {
  const env = { ...process.env };
  const told = env.npm_config_nodedir || env.npm_package_config_node_gyp_nodedir;
  const headers = told ? undefined : headersBesideNode();
  if (headers !== undefined) env.npm_config_nodedir = headers;
  return env;
}

/** Whether the binary is newer than everything it is made of, and built the same way. */
export function upToDate(flavour = "release") {
  const binary = join(root, "build", flavour === "debug" ? "Debug" : "Release", "myelin.node");
  if (!existsSync(binary) || !existsSync(flavourFile)) return false;
  // Node-API binaries outlive Node versions, so the version is no part of this.
  if (readFileSync(flavourFile, "utf8") !== flavour) return false;
  const built = statSync(binary).mtimeMs;
  // The version in package.json is compiled in; its other contents change too often to ask for a build.
  return inputs().every((path) => statSync(join(root, path)).mtimeMs <= built);
}

/** Where a quiet build leaves what the compiler had to say. */
export const logFile = join(root, "build", "native.log");

/** Builds unless up to date. Returns whether there is a binary now. `quiet` writes to the log file alone. */
export function build(flavour = "release", quiet = false) {
  if (upToDate(flavour)) return true;
  const env = buildEnvironment();

  let gyp;
  try {
    gyp = createRequire(import.meta.url).resolve("node-gyp/bin/node-gyp.js");
  } catch {
    console.error("build:native: node-gyp is not installed; run npm install first");
    return false;
  }
  const debug = flavour === "debug";
  // The loader looks at Release first: what was built last must be what runs.
  if (debug) rmSync(join(root, "build", "Release", "myelin.node"), { force: true });
  const common = [
    debug ? "--debug" : "--release",
    ...(env.npm_config_loglevel ? [] : ["--loglevel", "warn"]),
  ];
  mkdirSync(join(root, "build"), { recursive: true });
  const log = quiet ? openSync(logFile, "w") : "inherit";
  const stdio = ["ignore", log, log];
  const node = (...args) => spawnSync(process.execPath, [gyp, ...args], { cwd: root, env, stdio });
  // Not `rebuild`: it would empty build/, where the native tests live too. make sees changed flags by itself.
  const sanitize = flavour.startsWith("sanitize=") ? flavour.slice("sanitize=".length) : "";
  if (node("configure", ...common, "--", `-Dmyelin_sanitize=${sanitize}`).status !== 0) return false;
  if (node("build", ...common, "--jobs", String(availableParallelism())).status !== 0) return false;
  writeFileSync(flavourFile, flavour);
  return true;
}

function flavourOf(flags) {
  const flag = flags[0];
  if (flags.length === 0) return "release";
  if (flags.length === 1 && flag === "--debug") return "debug";
  if (flags.length === 1 && flag === "--sanitize") return "sanitize=address,undefined";
  if (flags.length === 1 && flag.startsWith("--sanitize=")) return flag.slice(2);
  console.error(`build:native: expected --debug or --sanitize[=kinds], got ${flags.join(" ")}`);
  process.exit(2);
}

if (argv[1] && fileURLToPath(import.meta.url) === resolve(argv[1])) {
  process.exit(build(flavourOf(argv.slice(2))) ? 0 : 1);
}
