// The tensors of a model by name: which a file must hold, and how they get into the variables.

import { describe, MyelinError, nearest } from "../core/errors.ts";
import { formatShape, sameShape } from "../core/shape.ts";
import type { Tensor } from "../core/tensor.ts";
import type { NamedVariable } from "../layers/layer.ts";
import type { Model } from "./model.ts";

/** Prefixes of tensors that are no weights. Layer names cannot start with "$". */
const RANDOM = "$random/";
const TRAINING = "$training/";

/** Current values: weights under their paths. */
export function weightTensors(model: Model): Map<string, Tensor> {
  return new Map(model.namedWeights().map(({ path, variable }) => [path, variable.read()]));
}

/** Current values of the model's random generators. */
export function randomTensors(model: Model): Map<string, Tensor> {
  return new Map(model.namedRandomState().map(({ path, variable }) => [RANDOM + path, variable.read()]));
}

export function trainingTensors(tensors: Readonly<Record<string, Tensor>>): Map<string, Tensor> {
  return new Map(Object.entries(tensors).map(([name, t]) => [TRAINING + name, t]));
}

/** The three kinds a file holds, apart again. */
export function splitTensors(tensors: ReadonlyMap<string, Tensor>): {
  weights: Map<string, Tensor>;
  random: Map<string, Tensor>;
  training: Record<string, Tensor>;
} {
  const weights = new Map<string, Tensor>();
  const random = new Map<string, Tensor>();
  const training = new Map<string, Tensor>();
  for (const [name, t] of tensors) {
    if (name.startsWith(RANDOM)) random.set(name.slice(RANDOM.length), t);
    else if (name.startsWith(TRAINING)) training.set(name.slice(TRAINING.length), t);
    else weights.set(name, t);
  }
  return { weights, random, training: Object.fromEntries(training) };
}

/**
 * Checks that `tensors` fit the variables one to one.
 * @returns a function that writes the values: nothing has changed before it is called
 * @throws INVALID_FILE naming what is missing, unexpected or of another type
 */
export function fitTensors(
  where: string,
  variables: readonly NamedVariable[],
  tensors: ReadonlyMap<string, Tensor>,
): () => void {
  const expected = new Set(variables.map((v) => v.path));
  const unexpected = [...tensors.keys()].filter((name) => !expected.has(name));
  for (const { path, variable } of variables) {
    const t = tensors.get(path);
    if (!t) {
      const near = nearest(path, unexpected);
      const hint = near
        ? `; the file has ${describe(near)}`
        : unexpected.length > 0
          ? `; the file has ${listed(unexpected)}`
          : "";
      throw new MyelinError("INVALID_FILE", `${where}: tensor ${describe(path)} is missing${hint}`);
    }
    if (t.dtype !== variable.dtype || !sameShape(t.shape, variable.shape)) {
      throw new MyelinError(
        "INVALID_FILE",
        `${where}: tensor ${describe(path)}: expected ${variable.dtype}${formatShape(variable.shape)}, got ${t.dtype}${formatShape(t.shape)}`,
      );
    }
  }
  if (unexpected.length > 0) {
    throw new MyelinError(
      "INVALID_FILE",
      `${where}: unexpected tensors, the model has no ${listed(unexpected)}`,
    );
  }
  return () => {
    for (const { path, variable } of variables) variable.write(tensors.get(path)!);
  };
}

function listed(names: readonly string[]): string {
  const head = names.slice(0, 5).map((n) => describe(n));
  return names.length > 5 ? `${head.join(", ")} and ${names.length - 5} more` : head.join(", ");
}
