// A saved model: a folder with model.json and weights.safetensors, bound together by a checksum. This file moves plain data in
// and out; what the data mean is the models' business. File names are fixed: nothing in a file can point outside its folder.

import { describe, MyelinError } from "../core/errors.ts";
import { join, mkdir, open, readdir, rm, stat } from "../core/node.ts";
import type { Tensor } from "../core/tensor.ts";
import { renameLasting, writeAtomic } from "./atomic.ts";
import { checksum, readSafetensors, writeSafetensors } from "./safetensors.ts";

export interface ModelFolder {
  /** What model.json says besides format and version. */
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: ReadonlyMap<string, Tensor>;
}

export const MODEL_FILE = "model.json";
export const WEIGHTS_FILE = "weights.safetensors";

const FORMAT = "myelin";
/** Goes up when older readers can no longer understand what is written; newer ones read all versions before theirs. */
const VERSION = 1;
const MAX_MODEL_FILE = 100_000_000;

/** Weights on their way into a folder: what model.json names is used, whether or not it has its last name yet. */
const pendingFile = (sum: string) => `.weights-${sum.slice(0, 16)}.safetensors`;
const LEFTOVER = /^\.(weights-[0-9a-f]{16}\.safetensors|.*\.[0-9a-f]{12}\.tmp)$/;
/** What a killed process left is removed when it is older; a younger file may be another process's, which is at work. */
const LEFTOVER_AGE_MS = 3_600_000;

/**
 * Writes both files as one: the folder holds the old model until model.json, which names the checksum of its weights, is
 * renamed into its place, and the new one from then on. Makes the folder where there is none.
 */
export async function writeModelFolder(path: string, { config, tensors }: ModelFolder): Promise<void> {
  try {
    await mkdir(path, { recursive: true });
    const sha256 = await checksum(tensors);
    const pending = join(path, pendingFile(sha256));
    await writeSafetensors(pending, tensors, { format: FORMAT, sha256 });
    const text = JSON.stringify(
      { format: FORMAT, version: VERSION, weights: { sha256 }, ...config },
      null,
      2,
    );
    await writeAtomic(join(path, MODEL_FILE), [new TextEncoder().encode(`${text}\n`)]);
    await renameLasting(pending, join(path, WEIGHTS_FILE));
    await removeLeftovers(path);
  } catch (cause) {
    if (cause instanceof MyelinError) throw cause;
    throw new MyelinError("INVALID_FILE", `${path}: cannot be written (${(cause as Error).message})`, {
      cause,
    });
  }
}

/** @throws INVALID_FILE when a file is missing, damaged or of a newer version */
export async function readModelFolder(path: string): Promise<ModelFolder> {
  const { weights, ...config } = await readModelFile(join(path, MODEL_FILE));
  return { config, tensors: await readWeights(path, weights) };
}

/** The tensors of a model's folder. @param weights what model.json says of them; folders from before 0.1.0 say nothing */
export async function readWeights(path: string, weights?: unknown): Promise<ReadonlyMap<string, Tensor>> {
  const expected = (weights ?? (await readModelFile(join(path, MODEL_FILE))).weights) as
    | { sha256?: unknown }
    | null
    | undefined;
  const file = join(path, WEIGHTS_FILE);
  const sum = expected?.sha256;
  if (typeof sum !== "string" || !/^[0-9a-f]{64}$/.test(sum)) return (await readSafetensors(file)).tensors;
  const pending = join(path, pendingFile(sum));
  const isPending = await stat(pending).then(
    () => true,
    () => false,
  );
  const { tensors, metadata } = await readSafetensors(isPending ? pending : file);
  if (metadata.sha256 !== sum) {
    throw new MyelinError(
      "INVALID_FILE",
      `${file}: expected the weights that ${MODEL_FILE} was saved with (sha256 ${sum}), got others`,
    );
  }
  return tensors;
}

async function removeLeftovers(path: string): Promise<void> {
  for (const name of await readdir(path)) {
    if (!LEFTOVER.test(name)) continue;
    const file = join(path, name);
    const age = await stat(file).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    );
    if (age > LEFTOVER_AGE_MS) await rm(file, { force: true });
  }
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
