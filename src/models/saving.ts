// Saving models, and reading weights into a model that exists. Loading whole models is in loading.ts.

import { describe, MyelinError } from "../core/errors.ts";
import { join, stat } from "../core/node.ts";
import { checkBoolean, checkOptions } from "../core/options.ts";
import { readWeights, WEIGHTS_FILE, writeModelFolder } from "../formats/model-folder.ts";
import { readSafetensors, writeSafetensors } from "../formats/safetensors.ts";
import { isPlainObject } from "../layers/nest.ts";
import type { Model } from "./model.ts";
import { fitTensors, randomTensors, splitTensors, trainingTensors, weightTensors } from "./tensors.ts";

/** See `Model.save`. */
export async function saveModel(
  model: Model,
  path: string,
  options?: { includeOptimizer?: boolean },
): Promise<void> {
  const where = `${model.name}.save`;
  const { includeOptimizer = true } = checkOptions(where, options, ["includeOptimizer"]);
  checkBoolean(where, "includeOptimizer", includeOptimizer);
  checkPath(where, path);
  model.countParams(); // throws while there are no weights
  const architecture = model.toJSON();
  const state = includeOptimizer ? (model.getTrainingState?.() ?? null) : null;
  const { metadata } = model;
  const config = {
    model: architecture,
    training: state?.config ?? null,
    ...(Object.keys(metadata).length > 0 && { metadata }),
  };
  checkPlain(where, config);
  const tensors = new Map([
    ...weightTensors(model),
    ...randomTensors(model),
    ...trainingTensors(state?.tensors ?? {}),
  ]);
  await writeModelFolder(path, { config, tensors });
}

/** See `Model.saveWeights`. */
export async function saveWeights(model: Model, path: string): Promise<void> {
  const where = `${model.name}.saveWeights`;
  checkPath(where, path);
  model.countParams(); // throws while there are no weights
  try {
    await writeSafetensors(path, weightTensors(model));
  } catch (cause) {
    if (cause instanceof MyelinError) throw cause;
    throw new MyelinError("INVALID_FILE", `${path}: cannot be written (${(cause as Error).message})`, {
      cause,
    });
  }
}

/** See `Model.loadWeights`. `path` is a safetensors file or the folder of a saved model. */
export async function loadWeights(model: Model, path: string): Promise<void> {
  checkPath(`${model.name}.loadWeights`, path);
  model.countParams();
  const isFolder = await stat(path).then(
    (info) => info.isDirectory(),
    () => false,
  );
  const file = isFolder ? join(path, WEIGHTS_FILE) : path;
  const tensors = isFolder ? await readWeights(path) : (await readSafetensors(path)).tensors;
  const { weights } = splitTensors(tensors);
  fitTensors(file, model.namedWeights(), weights)();
}

export function checkPath(where: string, path: unknown): void {
  if (typeof path === "string" && path.length > 0 && !path.includes("\0")) return;
  throw new MyelinError("INVALID_ARGUMENT", `${where}: expected a path, got ${describe(path)}`);
}

/** Throws on what JSON would drop or change without a word: functions, NaN, typed arrays, class instances. */
function checkPlain(where: string, value: unknown, at = "", open: readonly unknown[] = []): void {
  if (value === null || typeof value === "string" || typeof value === "boolean" || value === undefined)
    return;
  if (typeof value === "number" && Number.isFinite(value)) return;
  const isPlain = (Array.isArray(value) || isPlainObject(value)) && !open.includes(value);
  if (!isPlain) {
    throw new MyelinError(
      "INVALID_ARGUMENT",
      `${where}: expected plain data, got ${describe(value)} at ${at}`,
    );
  }
  for (const [key, v] of Object.entries(value))
    checkPlain(where, v, at ? `${at}.${key}` : key, [...open, value]);
}
