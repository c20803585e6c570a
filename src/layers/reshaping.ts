// Layers that rearrange one sample and keep the batch axis: Flatten, Reshape, Permute, RepeatVector.

import { MyelinError } from "../core/errors.ts";
import { checkInteger, checkOptions } from "../core/options.ts";
import { sizeOf } from "../core/shape.ts";
import { inferShape } from "../core/tensor.ts";
import type { Value } from "../graph/graph.ts";
import * as ops from "../ops/index.ts";
import { checkDataFormat } from "./conv-base.ts";
import { LAYER_OPTIONS, type LayerOptions } from "./layer.ts";
import { checkIntegers, labelOf } from "./options.ts";
import { UnaryLayer } from "./unary.ts";

export interface FlattenOptions extends LayerOptions {
  /** Only "channelsLast": elements stay in the order they are in. */
  dataFormat?: "channelsLast";
}

export class Flatten extends UnaryLayer {
  static readonly className = "Flatten";
  constructor(options: FlattenOptions = {}) {
    const where = labelOf("flatten", options);
    super(checkOptions(where, options, [...LAYER_OPTIONS, "dataFormat"]));
    checkDataFormat(where, options.dataFormat ?? "channelsLast");
  }
  override call(x: Value): Value {
    this.checkRank(x.shape, 1);
    return ops.reshape(x, [x.shape[0]!, sizeOf(x.shape.slice(1))]);
  }
}

/** Each sample as one row: [batch, ...] -> [batch, product]. */
export function flatten(options?: FlattenOptions): Flatten {
  return new Flatten(options);
}

export interface ReshapeOptions extends LayerOptions {
  /** Shape of one sample; one -1 is inferred. */
  targetShape: readonly number[];
}

export class Reshape extends UnaryLayer {
  static readonly className = "Reshape";
  readonly targetShape: readonly number[];
  constructor(options: ReshapeOptions) {
    const where = labelOf("reshape", options);
    const given = checkOptions(where, options, [...LAYER_OPTIONS, "targetShape"]);
    super(given);
    this.targetShape = checkIntegers(
      where,
      "targetShape",
      given.targetShape,
      "of at least -1",
      (x) => x >= -1,
    );
    if (this.targetShape.filter((d) => d === -1).length > 1) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected at most one -1 in targetShape, got [${this.targetShape}]`,
      );
    }
  }
  override call(x: Value): Value {
    this.checkRank(x.shape, 1);
    const sample = inferShape(this.path, this.targetShape, sizeOf(x.shape.slice(1)));
    return ops.reshape(x, [x.shape[0]!, ...sample]);
  }
  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), targetShape: this.targetShape };
  }
}

/** Each sample in another shape. @example layers.reshape({ targetShape: [28, 28, 1] }) */
export function reshape(options: ReshapeOptions): Reshape {
  return new Reshape(options);
}

export interface PermuteOptions extends LayerOptions {
  /** New order of the axes of one sample, counted from 1: [2, 1] swaps the first two. */
  dims: readonly number[];
}

export class Permute extends UnaryLayer {
  static readonly className = "Permute";
  readonly dims: readonly number[];
  constructor(options: PermuteOptions) {
    const where = labelOf("permute", options);
    const given = checkOptions(where, options, [...LAYER_OPTIONS, "dims"]);
    super(given);
    this.dims = checkIntegers(where, "dims", given.dims, "of at least 1", (x) => x >= 1);
    if ([...this.dims].sort((a, b) => a - b).some((d, i) => d !== i + 1)) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected dims to hold each of 1 to ${this.dims.length} once, got [${this.dims}]`,
      );
    }
  }
  override call(x: Value): Value {
    this.checkRank(x.shape, this.dims.length + 1, this.dims.length + 1);
    return ops.transpose(x, [0, ...this.dims]);
  }
  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), dims: this.dims };
  }
}

/** The axes of each sample in another order. @example layers.permute({ dims: [2, 1] }) // [batch, a, b] -> [batch, b, a] */
export function permute(options: PermuteOptions): Permute {
  return new Permute(options);
}

export interface RepeatVectorOptions extends LayerOptions {
  n: number;
}

export class RepeatVector extends UnaryLayer {
  static readonly className = "RepeatVector";
  readonly n: number;
  constructor(options: RepeatVectorOptions) {
    const where = labelOf("repeatVector", options);
    const given = checkOptions(where, options, [...LAYER_OPTIONS, "n"]);
    super(given);
    this.n = checkInteger(where, "n", given.n, 0);
  }
  override call(x: Value): Value {
    this.checkRank(x.shape, 2, 2);
    const [batch, size] = x.shape as [number, number];
    return ops.broadcastTo(ops.expandDims(x, 1), [batch, this.n, size]);
  }
  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), n: this.n };
  }
}

/** Each row n times: [batch, size] -> [batch, n, size]. */
export function repeatVector(options: RepeatVectorOptions): RepeatVector {
  return new RepeatVector(options);
}
