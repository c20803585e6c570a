// What a workload is: a model, made data of the right shape (speed does not depend on the values), and how big a step is.

import { sizeOf } from "../../src/core/shape.ts";
import { type Model, type Tensor, tensor } from "../../src/index.ts";

export interface BuildOptions {
  /** False: without dropout, for comparing losses with a peer that draws other numbers. Default true. */
  dropout?: boolean;
}

export interface Data {
  readonly x: Tensor | Tensor[];
  readonly y: Tensor;
}

export interface Workload {
  readonly name: string;
  readonly batchSize: number;
  /** Steps of one epoch over the data below. */
  readonly stepsPerEpoch: number;
  /** Floating-point operations of one training step's products (multiply and add count as two), for the share of peak. */
  readonly flops: number;
  build(options?: BuildOptions): Model;
  /** @param rows how many samples */
  data(rows: number): Data;
}

function floats(shape: readonly number[], draw: () => number): Tensor {
  return tensor(Float32Array.from({ length: sizeOf(shape) }, draw), shape);
}

export function uniform(...shape: number[]): Tensor {
  return floats(shape, Math.random);
}

/** Zeros and ones as floats. */
export function coins(...shape: number[]): Tensor {
  return floats(shape, () => Math.round(Math.random()));
}

/** Whole numbers below `count`. */
export function labels(count: number, ...shape: number[]): Tensor {
  const draw = () => Math.floor(Math.random() * count);
  return tensor(Int32Array.from({ length: sizeOf(shape) }, draw), shape);
}
