// Steps of a model's own: what a subclass of Model may write instead of, or beside, what compile says. They run in a
// trace, so that what they do becomes part of the one Program of a step.

import { describe, MyelinError } from "../core/errors.ts";
import { Value } from "../graph/graph.ts";
import { type Layout, pack } from "../layers/nest.ts";
import type { Model } from "../models/model.ts";
import * as ops from "../ops/index.ts";
import { withSeedGenerator } from "../ops/random.ts";
import type { Batch } from "./data.ts";
import type { Tracked } from "./totals.ts";

/** A batch, in the layouts of the model's inputs and outputs. Parts that fit was not given are undefined. */
export interface StepData<X = Value, Y = X> {
  readonly x: X;
  readonly y: Y;
  readonly sampleWeight: Y | undefined;
}

export interface LossData<X = Value, Y = X> extends StepData<X, Y> {
  /** What the model made of x. */
  readonly yPred: Y;
  /** What compile's losses, regularizers and losses of layers' own come to; undefined where there are none. */
  readonly loss: Value | undefined;
  readonly training: boolean;
}

// biome-ignore lint/suspicious/noExplicitAny: a subclass says what its own batches look like.
type Any = any;

declare module "../models/model.ts" {
  interface Model {
    /**
     * To be written by a subclass: the number to be made smaller, a float32 scalar, logged as `loss`. Compiled losses and
     * metrics go on being logged.
     * @example
     * class Sparse extends Model {
     *   override computeLoss({ yPred, loss }: LossData) { return ops.add(loss!, ops.mean(ops.abs(yPred))); }
     * }
     */
    computeLoss?(data: LossData<Any, Any>): Value;
    /**
     * To be written by a subclass: a whole step of training, with `valueAndGrad` and `optimizer.apply`. Traced once per
     * shape of batch: numbers that change belong in Variables.
     * @returns scalars to be logged, each as the mean over rows
     * @example
     * class Own extends Model {
     *   override trainStep({ x, y }: StepData) {
     *     const loss = (x: Value) => ops.mean(ops.square(ops.subtract(y, this.apply(x, { training: true }))));
     *     const { value, gradient } = valueAndGrad(loss, { wrt: this.trainableWeights })(x);
     *     this.optimizer!.apply(gradient, this.trainableWeights);
     *     return { loss: value };
     *   }
     * }
     */
    trainStep?(data: StepData<Any, Any>): Readonly<Record<string, Value>>;
    /** The same for `evaluate`, `testOnBatch` and validation. */
    testStep?(data: StepData<Any, Any>): Readonly<Record<string, Value>>;
  }
}

/** Inside a trace: a step of the model's own, and what it logs. */
export function ownStep(
  model: Model,
  name: "trainStep" | "testStep",
  batch: Batch<Value>,
  rows: number,
): Tracked[] {
  const logs = withSeedGenerator(model.seedGenerator, () => model[name]!(stepData(model, batch)));
  const isRecord = typeof logs === "object" && logs !== null && !(logs instanceof Value);
  if (!isRecord || Object.keys(logs).length === 0) {
    throw new MyelinError(
      "INVALID_ARGUMENT",
      `${model.name}.${name}: expected a record of scalars to be logged, got ${describe(logs)}`,
    );
  }
  return Object.entries(logs).map(([key, value]) =>
    meanOverRows(key, scalar(`${model.name}.${name}: ${key}`, value), rows),
  );
}

/** Inside a trace: the loss of a batch as the model's `computeLoss` has it. */
export function ownLoss(
  model: Model,
  batch: Batch<Value>,
  predictions: readonly Value[],
  loss: Value | undefined,
  training: boolean,
): Value {
  const yPred = pack(predictions, model.outputLayout);
  const total = model.computeLoss!({ ...stepData(model, batch), yPred, loss, training });
  return scalar(`${model.name}.computeLoss`, total);
}

/** The mean over samples of something known per batch, as Keras logs it: a smaller last batch counts for less. */
export function meanOverRows(name: string, value: Value, rows: number): Tracked {
  return {
    name,
    direction: "min",
    amounts: [ops.multiply(value, rows), rows],
    result: (sums) => sums[0]! / sums[1]!,
  };
}

function stepData(model: Model, { inputs, targets, weights }: Batch<Value>): StepData<unknown, unknown> {
  const perOutput = (list: readonly (Value | undefined)[], layout: Layout) =>
    list.every((v) => v === undefined) ? undefined : pack(list, layout);
  return {
    x: pack(inputs, model.inputLayout),
    y: perOutput(targets, model.outputLayout),
    sampleWeight: perOutput(weights, model.outputLayout),
  };
}

function scalar(where: string, value: unknown): Value {
  if (value instanceof Value && value.rank === 0) return ops.cast(value, "float32");
  const came = value instanceof Value ? `${value.dtype}[${value.shape}]` : describe(value);
  throw new MyelinError("SHAPE_MISMATCH", `${where}: expected a scalar made with ops, got ${came}`);
}
