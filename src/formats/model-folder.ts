// A saved model: a folder with model.json and weights.safetensors. This file moves plain data in and out; what the data
// mean is the models' business. File names are fixed: nothing in a file can point outside its folder.

import { describe, MyelinError } from "../core/errors.ts";
import { join, mkdir, open } from "../core/node.ts";
import type { Tensor } from "../core/tensor.ts";
import { writeAtomic } from "./atomic.ts";
import { readSafetensors, writeSafetensors } from "./safetensors.ts";

export interface ModelFolder {
  /** What model.json says besides format and version. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: ReadonlyMap<string, Tensor>;
}

export const MODEL_FILE = "model.json";
export const WEIGHTS_FILE = "weights.safetensors";

const FORMAT = "myelin";
/** Goes up when older readers can no longer understand what is written. */
const VERSION = 1;
const MAX_MODEL_FILE = 100_000_000;

/** Writes both files, each atomically, model.json last. Makes the folder where there is none. */
export async function writeModelFolder(path: string, { config, tensors }: ModelFolder): Promise<void> {
  const text = JSON.stringify({ format: FORMAT, version: VERSION, ...config }, null, 2);
  try {
    await mkdir(path, { recursive: true });
    await writeSafetensors(join(path, WEIGHTS_FILE), tensors, { format: FORMAT });
    await writeAtomic(join(path, MODEL_FILE), [new TextEncoder().encode(`${text}\n`)]);
  } catch (cause) {
    if (cause instanceof MyelinError) throw cause;
    throw new MyelinError("INVALID_FILE", `${path}: cannot be written (${(cause as Error).message})`, {
      cause,
    });
  }
}

/** @throws INVALID_FILE when a file is missing, damaged or of a newer version */
export async function readModelFolder(path: string): Promise<ModelFolder> {
  const config = await readModelFile(join(path, MODEL_FILE));
  const { tensors } = await readSafetensors(join(path, WEIGHTS_FILE));
  return { config, tensors };
}

async function readModelFile(path: string): Promise<Record<string, unknown>> {
  const fail = (what: string, cause?: unknown) =>
    new MyelinError("INVALID_FILE", `${path}: ${what}`, { cause });
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readText(path, fail));
  } catch (cause) {
    if (cause instanceof MyelinError) throw cause;
    if (cause instanceof SyntaxError || cause instanceof RangeError || cause instanceof TypeError) {
      throw fail("expected JSON", cause);
    }
    throw fail(`cannot be read (${(cause as Error).message})`, cause);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) {
    throw fail(`expected an object, got ${describe(parsed)}`);
  }
  const { format, version, ...config } = parsed as Record<string, unknown>;
  if (format !== FORMAT) throw fail(`expected format ${describe(FORMAT)}, got ${describe(format)}`);
  if (version !== VERSION) {
    const hint = typeof version === "number" && version > VERSION ? "; a newer myelin wrote it" : "";
    throw fail(`expected version ${VERSION}, got ${describe(version)}${hint}`);
  }
  return config;
}

async function readText(path: string, fail: (what: string) => MyelinError): Promise<string> {
  const file = await open(path, "r");
  try {
    const info = await file.stat();
    if (!info.isFile()) throw fail("expected a file");
    if (info.size > MAX_MODEL_FILE) throw fail(`expected at most ${MAX_MODEL_FILE} bytes, got ${info.size}`);
    return new TextDecoder("utf-8", { fatal: true }).decode(await file.readFile());
  } finally {
    await file.close();
  }
}
