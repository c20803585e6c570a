// Any saved model as a service: rows of numbers in the shape of its input, or one such list for each input by name.

import { describe, MyelinError } from "../../core/errors.ts";
import { tensor } from "../../core/tensor.ts";
import { isPlainObject } from "../../layers/nest.ts";
import type { Model } from "../../models/model.ts";
import "../../training/attach.ts";
import type { Service, ServiceOptions } from "./http.ts";

/** Characters that a number takes in JSON, with room. */
const BYTES_OF_NUMBER = 32;

export function rowsService(model: Model, options: ServiceOptions): Service {
  const batcher = model.batcher(options);
  const { inputSpecs, inputLayout } = model;
  // Open sizes, of sequences and pictures, are taken to be up to 1024.
  const sizes = inputSpecs.map((s) => s.shape.slice(1).reduce<number>((n, d) => n * (d ?? 1024), 1));
  const zeros = (shape: readonly (number | null)[]): unknown =>
    shape.length === 0 ? 0 : Array.from({ length: shape[0] ?? 1 }, () => zeros(shape.slice(1)));
  const rows =
    inputLayout === null
      ? zeros([1, ...inputSpecs[0]!.shape.slice(1)])
      : Object.fromEntries(inputSpecs.map((s) => [s.name, zeros([1, ...s.shape.slice(1)])]));
  return {
    batcher,
    example: { rows },
    maxBytes: 1024 + BYTES_OF_NUMBER * options.maxBatch * sizes.reduce((a, b) => a + b, 0),
    async predict(body) {
      const given = isPlainObject(body) ? body.rows : undefined;
      if (inputLayout === null ? !Array.isArray(given) : !isPlainObject(given)) {
        const expected = inputLayout === null ? "a list of rows" : "lists of rows by input";
        throw new MyelinError("INVALID_DATA", `expected {"rows": ${expected}}, got ${describe(body)}`);
      }
      const y = await batcher.predict(given as never);
      return { outputs: plain(y) };
    },
  };
}

/** Tensors as nested arrays, in the layout of the model's outputs. */
function plain(y: unknown): unknown {
  if (Array.isArray(y)) return y.map(plain);
  if (isPlainObject(y)) return Object.fromEntries(Object.entries(y).map(([name, t]) => [name, plain(t)]));
  return tensor(y as never).toArray();
}
