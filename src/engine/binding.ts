// Finds and loads the addon, and says what it exports (native/addon.cc). The only file that touches Node's module
// loader; it does so when asked, not at import, so that the library can be bundled for places without it.

import { type ErrorCode, MyelinError } from "../core/errors.ts";
import { VERSION } from "../core/version.ts";
import { opcodeHash } from "../program/opcodes.ts";

/** Handles are ids; 0 is none. Every function throws errors with a `code`, and a `step` where a step is to blame. */
export interface NativeBinding {
  readonly version: string;
  readonly opcodeHash: number;
  /** CPU levels that are compiled in and that this CPU has, from the least to the best. */
  readonly levels: readonly string[];
  /** Level "" is the best one; 0 threads are as many as this process may use. */
  createEngine(level: string, threads: number, listener: RunListener): NativeFunctions;
}

export type RunListener = (
  run: number,
  kind: "report" | "done" | "aborted" | "failed",
  done: number,
  payload: readonly (Float32Array | Int32Array | Uint8Array)[] | NativeError | undefined,
) => void;

export interface NativeFunctions {
  allocate(dtype: number, elements: number): number;
  write(buffer: number, from: Float32Array | Int32Array | Uint8Array, at: number): void;
  read(buffer: number, into: Float32Array | Int32Array | Uint8Array, at: number): void;
  disposeBuffer(buffer: number): void;
  load(words: Int32Array, constants: Uint8Array): number;
  /** Bytes it keeps between runs of what it prepared from steady slots. */
  preparedBytes(executable: number): number;
  disposeExecutable(executable: number): void;
  /** `ids` holds the bound buffers and then the watched ones. */
  run(
    executable: number,
    ids: Uint32Array,
    bound: number,
    watched: number,
    steps: number,
    reports: boolean,
  ): number;
  runSync(executable: number, ids: Uint32Array, bound: number, steps: number): void;
  cancel(run: number): void;
  info(): NativeInfo;
}

export interface NativeInfo {
  readonly level: string;
  readonly threads: number;
  readonly bufferBytes: number;
  readonly arenaBytes: number;
  readonly buffers: number;
  readonly executables: number;
  readonly runs: number;
}

/** What the addon throws. */
export interface NativeError extends Error {
  readonly code: ErrorCode;
  readonly step?: number;
}

const UNAVAILABLE = "native engine";

function unavailable(message: string, cause?: unknown): MyelinError {
  return new MyelinError("ENGINE_UNAVAILABLE", `${UNAVAILABLE}: ${message}`, { cause });
}

let loaded: { readonly binding: NativeBinding; readonly path: string } | undefined;

/** Where `import "myelin/binaries/linux-x64-glibc"` leaves the addon, for bundlers that follow imports to files. */
const REGISTERED: unique symbol = Symbol.for("myelin.binary") as never;

/**
 * Loads the addon of this checkout or package.
 * @throws MyelinError ENGINE_UNAVAILABLE, saying why: not Node, no build for this platform, addons not allowed, or a
 * build that belongs to another version of the library
 */
export function loadBinding(): NativeBinding {
  if (loaded === undefined) {
    const found = findBinding();
    checkBinding(found);
    loaded = found;
  }
  return loaded.binding;
}

/** The file that the addon came from; undefined before it is loaded. */
export const loadedFrom = (): string | undefined => loaded?.path;

/** The addon must have been built from the same version and from the same tables. */
export function checkBinding({ binding, path }: { binding: NativeBinding; path: string }): NativeBinding {
  const built = `${binding.version}, opcode table ${hex(binding.opcodeHash)}`;
  const expected = `${VERSION}, opcode table ${hex(opcodeHash())}`;
  if (built === expected) return binding;
  throw unavailable(`${path} was built for version ${built}, expected ${expected}; run npm run build:native`);
}

const hex = (hash: number): string => (hash >>> 0).toString(16).padStart(8, "0");

/** Node's built-in modules, without an import that a bundler would follow. */
function builtin<T>(name: string): T | undefined {
  return (globalThis.process as NodeJS.Process | undefined)?.getBuiltinModule?.(name) as T | undefined;
}

function findBinding(): { binding: NativeBinding; path: string } {
  const given = (globalThis as { [REGISTERED]?: NativeBinding })[REGISTERED];
  if (given !== undefined) return { binding: given, path: "the imported binary" };
  const { createRequire } = builtin<typeof import("node:module")>("node:module") ?? {};
  const fs = builtin<typeof import("node:fs")>("node:fs");
  const { join } = builtin<typeof import("node:path")>("node:path") ?? {};
  const url = builtin<typeof import("node:url")>("node:url");
  if (createRequire === undefined || fs === undefined || join === undefined || url === undefined) {
    throw unavailable("it needs Node.js, or a runtime that loads Node's addons");
  }
  // A bundler that writes CommonJS leaves no import.meta.url.
  const here = import.meta.url || url.pathToFileURL(join(process.cwd(), "bundle.js")).href;
  const require = createRequire(here);
  const open = (path: string) => {
    try {
      return { binding: require(path) as NativeBinding, path };
    } catch (error) {
      throw loadFailed(path, error);
    }
  };
  const told = process.env.MYELIN_BINARY;
  if (told) return open(told.startsWith(".") ? join(process.cwd(), told) : told);
  for (const root of packageRoots(here, require, url)) {
    const found = places().find((place) => fs.existsSync(join(root, place)));
    if (found !== undefined) return open(join(root, found));
  }
  throw unavailable(
    `no build for ${platformName()} (looked for ${places().join(", ")}); in a checkout, npm run build:native makes one`,
  );
}

/** Where the package may lie: around this file, or, where this file went into a bundle, where the bundle's imports are found. */
function* packageRoots(here: string, require: NodeJS.Require, url: typeof import("node:url")) {
  // Both src/engine and dist/engine lie two folders below the package.
  yield url.fileURLToPath(new URL("../../", here));
  try {
    yield url.fileURLToPath(new URL("./", url.pathToFileURL(require.resolve("myelin/package.json"))));
  } catch {
    // Not installed beside it.
  }
}

function loadFailed(path: string, error: unknown): MyelinError {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === "ERR_DLOPEN_DISABLED") {
    return unavailable(
      "this process may not load addons: it runs with --no-addons, or with --permission and without --allow-addons",
      error,
    );
  }
  return unavailable(`${path} could not be loaded: ${message}`, error);
}

/** In the order of preference: what was built here, then what came with the package. */
function places(): string[] {
  const folder = `prebuilds/${process.platform}-${process.arch}`;
  const libc = process.platform === "linux" ? [isMusl() ? "musl" : "glibc"] : [];
  return [
    "build/Release/myelin.node",
    "build/Debug/myelin.node",
    ...libc.map((name) => `${folder}/myelin.${name}.node`),
    `${folder}/myelin.node`,
  ];
}

function platformName(): string {
  return `${process.platform}-${process.arch}${process.platform === "linux" && isMusl() ? " (musl)" : ""}`;
}

let musl: boolean | undefined;

/** glibc says its version in the process report; musl says nothing. */
function isMusl(): boolean {
  if (musl !== undefined) return musl;
  const { report } = process as { report?: { excludeNetwork?: boolean; getReport(): object } };
  if (report === undefined) return false;
  const before = report.excludeNetwork;
  report.excludeNetwork = true; // looking up network names can take seconds
  try {
    const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } };
    musl = header !== undefined && header.glibcVersionRuntime === undefined;
  } finally {
    report.excludeNetwork = before;
  }
  return musl;
}
