// Which engine the process uses. Decided at the first need, from setEngine or MYELIN_ENGINE, MYELIN_TARGET and
// MYELIN_THREADS; "auto" takes the native engine where it can run and says once when it cannot.

import { describe, MyelinError } from "../core/errors.ts";
import { checkOneOf } from "../core/options.ts";
import { loadBinding } from "./binding.ts";
import type { Engine, EngineInfo } from "./engine.ts";
import { NativeEngine } from "./native.ts";
import { ReferenceEngine } from "./reference.ts";

export type EngineName = "auto" | "native" | "reference";

const NAMES: readonly EngineName[] = ["auto", "native", "reference"];
const LEVELS = ["portable", "avx2", "avx512", "neon"];

let current: Engine | undefined;
/** One of each, so that switching to and fro keeps buffers and compiled Programs usable. */
const engines: { native?: NativeEngine; reference?: ReferenceEngine } = {};
let warned = false;

/**
 * Chooses the engine of everything that runs from now on. Models that have run on another one move over by themselves.
 * @param name "auto" (the default: native where it can run), "native", "reference", or an engine of one's own making
 * @throws MyelinError INVALID_OPTION for another name; ENGINE_UNAVAILABLE for "native" where it cannot run. The engine
 * then stays what it was.
 * @example setEngine("reference");
 */
export function setEngine(name: EngineName | Engine): void {
  current = engineNamed(name, "setEngine");
}

/** The engine of this name, for those who are told one by option; an engine stands for itself. `where` is for errors. */
export function engineNamed(name: EngineName | Engine, where: string): Engine {
  return typeof name === "object" && name !== null ? name : make(checkOneOf(where, "engine", name, NAMES));
}

/** The engine in use; chosen now if nothing has asked for it yet. */
export function currentEngine(): Engine {
  current ??= make(fromEnvironment());
  return current;
}

/**
 * Name, CPU level, threads and version of the engine in use, and the bytes it holds.
 * @example engineInfo().level   // "avx2"
 */
export function engineInfo(): EngineInfo {
  return currentEngine().info();
}

function make(name: EngineName): Engine {
  if (name === "reference") return reference();
  // Settings are checked first: a wrong one is an error, not a reason to fall back.
  const settings = nativeSettings();
  if (name === "native") return native(settings);
  try {
    loadBinding();
  } catch (error) {
    if (settings.level !== undefined) throw error; // somebody asked for a CPU level by name
    warnOnce(error);
    return reference();
  }
  return native(settings);
}

function reference(): ReferenceEngine {
  engines.reference ??= new ReferenceEngine();
  return engines.reference;
}

function native(settings: { level?: string; threads?: number }): NativeEngine {
  engines.native ??= new NativeEngine(settings);
  return engines.native;
}

function warnOnce(error: unknown): void {
  if (warned) return;
  warned = true;
  const text = `${(error as Error).message}; running on "reference", which is much slower`;
  const { process } = globalThis as { process?: NodeJS.Process };
  if (process?.emitWarning) process.emitWarning(text, { type: "MyelinWarning", code: "MYELIN_REFERENCE" });
  else console.warn(text);
}

/** An environment variable; undefined when unset, empty, or where there is no environment to read. */
function variable(name: string): string | undefined {
  const { process } = globalThis as { process?: NodeJS.Process };
  return process?.env?.[name] || undefined;
}

function fromEnvironment(): EngineName {
  const name = variable("MYELIN_ENGINE");
  return name === undefined ? "auto" : checkOneOf("MYELIN_ENGINE", "engine", name, NAMES);
}

function nativeSettings(): { level?: string; threads?: number } {
  const level = variable("MYELIN_TARGET");
  if (level !== undefined && !LEVELS.includes(level)) {
    throw new MyelinError(
      "ENGINE_UNAVAILABLE",
      `MYELIN_TARGET: expected one of ${LEVELS.join(", ")}, got ${describe(level)}`,
    );
  }
  const text = variable("MYELIN_THREADS");
  const threads = text === undefined ? undefined : Number(text);
  if (threads !== undefined && !(Number.isInteger(threads) && threads >= 1 && threads <= 1024)) {
    throw new MyelinError(
      "INVALID_OPTION",
      `MYELIN_THREADS: expected an integer from 1 to 1024, got ${describe(text)}`,
    );
  }
  return { ...(level !== undefined && { level }), ...(threads !== undefined && { threads }) };
}
