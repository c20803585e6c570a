// Activations as layers: any by name or function, and those of Keras 3 with options of their own.

import { MyelinError } from "../core/errors.ts";
import { checkInteger, checkNumber, checkOptions } from "../core/options.ts";
import { broadcastShapes, formatShape, sameShape } from "../core/shape.ts";
import type { Value } from "../graph/graph.ts";
import type { Variable } from "../graph/variable.ts";
import type { Initializer, InitializerLike } from "../initializers/initializer.ts";
import { resolveInitializer, serializeInitializer } from "../initializers/resolve.ts";
import * as ops from "../ops/index.ts";
import {
  type ActivationFunction,
  type ActivationLike,
  resolveActivation,
  serializeActivation,
} from "./activation-option.ts";
import { type CallContext, LAYER_OPTIONS, type LayerOptions } from "./layer.ts";
import { checkIntegers, labelOf } from "./options.ts";
import { type BatchShape, formatBatchShape } from "./symbolic.ts";
import { UnaryLayer } from "./unary.ts";
import { type WeightRules, weightRules } from "./weight-rules.ts";

export interface ActivationOptions extends LayerOptions {
  activation: ActivationLike;
}

export class Activation extends UnaryLayer {
  static readonly className = "Activation";
  override supportsMasking = true;
  readonly activation: ActivationLike;
  private readonly activate: ActivationFunction;
  constructor(options: ActivationOptions) {
    const where = labelOf("activation", options);
    const given = checkOptions(where, options, [...LAYER_OPTIONS, "activation"]);
    super(given);
    this.activation = given.activation;
    this.activate = resolveActivation(where, given.activation);
  }
  override call(x: Value): Value {
    return this.activate(x);
  }
  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), activation: serializeActivation(this.name, this.activation) };
  }
}

/** An activation function as a layer. @example layers.activation({ activation: "tanh" }) */
export function activation(options: ActivationOptions): Activation {
  return new Activation(options);
}

export interface ReluOptions extends LayerOptions {
  /** Upper bound; default none. */
  maxValue?: number | null;
  /** Slope below the threshold. Default 0. */
  negativeSlope?: number;
  /** Where the unit starts. Default 0. */
  threshold?: number;
}

export class Relu extends UnaryLayer {
  static readonly className = "Relu";
  override supportsMasking = true;
  readonly maxValue: number | null;
  readonly negativeSlope: number;
  readonly threshold: number;
  constructor(options: ReluOptions = {}) {
    const where = labelOf("relu", options);
    const known = [...LAYER_OPTIONS, "maxValue", "negativeSlope", "threshold"] as const;
    const given = checkOptions(where, options, known);
    super(given);
    const atLeast0 = (name: "negativeSlope" | "threshold") =>
      checkNumber(where, name, given[name] ?? 0, "of at least 0", (x) => x >= 0);
    this.maxValue =
      given.maxValue == null
        ? null
        : checkNumber(where, "maxValue", given.maxValue, "of at least 0", (x) => x >= 0);
    this.negativeSlope = atLeast0("negativeSlope");
    this.threshold = atLeast0("threshold");
  }

  override call(x: Value): Value {
    const { maxValue, negativeSlope, threshold } = this;
    if (threshold === 0 && negativeSlope === 0 && maxValue === null) return ops.relu(x);
    // As Keras: x from the threshold on, slope * (x - threshold) below it, cut at maxValue.
    const above = ops.where(ops.greater(x, threshold), x, 0);
    const capped = maxValue === null ? above : ops.minimum(above, maxValue);
    if (negativeSlope === 0) return capped;
    return ops.subtract(capped, ops.multiply(ops.relu(ops.subtract(threshold, x)), negativeSlope));
  }

  override getConfig(): Record<string, unknown> {
    const { maxValue, negativeSlope, threshold } = this;
    return { ...super.getConfig(), maxValue, negativeSlope, threshold };
  }
}

/** max(x, 0), with an upper bound, a slope below and a threshold as options. */
export function relu(options?: ReluOptions): Relu {
  return new Relu(options);
}

export interface LeakyReluOptions extends LayerOptions {
  /** Default 0.3 (the function's default is 0.2, as in Keras). */
  negativeSlope?: number;
}

export class LeakyRelu extends UnaryLayer {
  static readonly className = "LeakyRelu";
  override supportsMasking = true;
  readonly negativeSlope: number;
  constructor(options: LeakyReluOptions = {}) {
    const where = labelOf("leakyRelu", options);
    const given = checkOptions(where, options, [...LAYER_OPTIONS, "negativeSlope"]);
    super(given);
    const slope = given.negativeSlope ?? 0.3;
    this.negativeSlope = checkNumber(where, "negativeSlope", slope, "of at least 0", (x) => x >= 0);
  }
  override call(x: Value): Value {
    return ops.leakyRelu(x, { negativeSlope: this.negativeSlope });
  }
  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), negativeSlope: this.negativeSlope };
  }
}

/** x where positive, slope * x elsewhere. */
export function leakyRelu(options?: LeakyReluOptions): LeakyRelu {
  return new LeakyRelu(options);
}

export interface EluOptions extends LayerOptions {
  /** Default 1. */
  alpha?: number;
}

export class Elu extends UnaryLayer {
  static readonly className = "Elu";
  override supportsMasking = true;
  readonly alpha: number;
  constructor(options: EluOptions = {}) {
    const where = labelOf("elu", options);
    const given = checkOptions(where, options, [...LAYER_OPTIONS, "alpha"]);
    super(given);
    this.alpha = checkNumber(where, "alpha", given.alpha ?? 1);
  }
  override call(x: Value): Value {
    return ops.elu(x, { alpha: this.alpha });
  }
  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), alpha: this.alpha };
  }
}

/** x where positive, alpha * (exp(x) - 1) elsewhere. */
export function elu(options?: EluOptions): Elu {
  return new Elu(options);
}

export interface SoftmaxOptions extends LayerOptions {
  /** Axis that sums to 1. Default -1. */
  axis?: number;
}

export class Softmax extends UnaryLayer {
  static readonly className = "Softmax";
  override supportsMasking = true;
  readonly axis: number;
  constructor(options: SoftmaxOptions = {}) {
    const where = labelOf("softmax", options);
    const given = checkOptions(where, options, [...LAYER_OPTIONS, "axis"]);
    super(given);
    this.axis = checkInteger(where, "axis", given.axis ?? -1, -8, 7);
  }
  override call(x: Value, _: CallContext, mask: Value | null): Value {
    return ops.softmax(mask ? this.hide(x, mask) : x, { axis: this.axis });
  }
  /** Keras's rule: a mask is one of the elements, not of steps, and has to broadcast to the input. */
  private hide(x: Value, mask: Value): Value {
    const shape = broadcastShapes(x.shape, mask.shape);
    if (mask.rank > x.rank || !shape || !sameShape(shape, x.shape)) {
      throw this.error(
        "SHAPE_MISMATCH",
        `expected a mask that broadcasts to the input ${formatShape(x.shape)}, got ${formatShape(mask.shape)}; for a softmax over features use activation({ activation: "softmax" })`,
      );
    }
    return ops.where(mask, x, -1e9);
  }
  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), axis: this.axis };
  }
}

/** exp(x) scaled to sum 1 along an axis. */
export function softmax(options?: SoftmaxOptions): Softmax {
  return new Softmax(options);
}

export interface PreluOptions extends LayerOptions, WeightRules<"alpha"> {
  /** Default "zeros". */
  alphaInitializer?: InitializerLike;
  /** Axes along which one slope is shared (1 is the first after the batch), e.g. [1, 2] for images. */
  sharedAxes?: readonly number[];
}

/** Weight: alpha, of the input's shape without the batch, 1 along shared axes. */
export class Prelu extends UnaryLayer {
  static readonly className = "Prelu";
  override supportsMasking = true;
  readonly sharedAxes: readonly number[];
  alpha!: Variable;
  private readonly alphaInitializer: Initializer;
  constructor(options: PreluOptions = {}) {
    const where = labelOf("prelu", options);
    const given = checkOptions(where, options, [
      ...LAYER_OPTIONS,
      "alphaInitializer",
      "sharedAxes",
      ...weightRules("alpha"),
    ]);
    super(given);
    this.alphaInitializer = resolveInitializer(where, "alphaInitializer", given.alphaInitializer ?? "zeros");
    this.sharedAxes = checkIntegers(
      where,
      "sharedAxes",
      given.sharedAxes ?? [],
      "of at least 1",
      (x) => x >= 1,
    );
  }

  override build(inputShape: BatchShape): void {
    this.checkRank(inputShape, 2);
    for (const axis of this.sharedAxes) {
      if (axis < inputShape.length) continue;
      throw new MyelinError(
        "SHAPE_MISMATCH",
        `${this.path}: expected sharedAxes below the input's rank, got ${axis} for shape ${formatBatchShape(inputShape)}`,
      );
    }
    const shape = inputShape.map((d, axis) => (this.sharedAxes.includes(axis) ? 1 : d)).slice(1);
    this.alpha = this.addWeight({ name: "alpha", shape, initializer: this.alphaInitializer });
  }

  override call(x: Value): Value {
    return ops.subtract(ops.relu(x), ops.multiply(this.alpha, ops.relu(ops.negative(x))));
  }

  override getConfig(): Record<string, unknown> {
    return {
      ...super.getConfig(),
      alphaInitializer: serializeInitializer(this.alphaInitializer),
      sharedAxes: this.sharedAxes,
    };
  }
}

/** x where positive, alpha * x elsewhere, with a learned alpha for each element. */
export function prelu(options?: PreluOptions): Prelu {
  return new Prelu(options);
}
