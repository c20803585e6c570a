// Layers that make one tensor of several: Add, Subtract, Multiply, Average, Maximum, Minimum, Concatenate, Dot.

import { MyelinError } from "../core/errors.ts";
import { checkBoolean, checkInteger, checkOptions } from "../core/options.ts";
import { broadcastShapes, formatShape, normalizeAxis, type Shape } from "../core/shape.ts";
import type { Value } from "../graph/graph.ts";
import * as ops from "../ops/index.ts";
import { LAYER_OPTIONS, Layer, type LayerOptions } from "./layer.ts";
import type { Layout } from "./nest.ts";
import { checkIntegers, labelOf } from "./options.ts";

/** A layer that takes a list of inputs. */
abstract class Merge extends Layer {
  /** How many inputs it takes at least, and at most. */
  protected readonly counts: readonly [min: number, max: number] = [1, Number.POSITIVE_INFINITY];

  abstract override call(x: readonly Value[]): Value;

  /** A step counts where it counts in any input; none is masked where an input has no mask. */
  override computeMask(_x: readonly Value[], mask: readonly (Value | null)[]): Value | null {
    const all = mask.filter((m) => m !== null);
    return all.length === mask.length ? all.reduce((a, b) => ops.logicalOr(a, b)) : null;
  }

  protected override checkInputs(inputs: readonly unknown[], layout: Layout): void {
    const [min, max] = this.counts;
    if (typeof layout === "number" && inputs.length >= min && inputs.length <= max) return;
    const expected =
      min === max ? `a list of ${min} inputs` : `a list of at least ${min} input${min > 1 ? "s" : ""}`;
    const came =
      layout === null ? "one input" : `a ${Array.isArray(layout) ? "record" : "list"} of ${inputs.length}`;
    throw this.error("INVALID_ARGUMENT", `expected ${expected}, got ${came}`);
  }
}

/** Element by element, broadcast. Inputs of lower rank get axes of size 1 after the batch axis, as in Keras. */
abstract class ElementwiseMerge extends Merge {
  override call(x: readonly Value[]): Value {
    return this.merge(this.align(x));
  }

  protected abstract merge(inputs: readonly Value[]): Value;

  private align(inputs: readonly Value[]): Value[] {
    const rank = Math.max(...inputs.map((v) => v.rank));
    const aligned = inputs.map((v) => {
      if (v.rank === rank) return v;
      const [batch = 1, ...sample] = v.shape;
      return ops.reshape(v, [batch, ...new Array<number>(rank - Math.max(1, v.rank)).fill(1), ...sample]);
    });
    let shape: Shape | undefined = aligned[0]!.shape;
    for (const v of aligned) shape = shape && broadcastShapes(shape, v.shape);
    if (!shape) {
      const shapes = inputs.map((v) => formatShape(v.shape)).join(", ");
      throw this.error("SHAPE_MISMATCH", `expected inputs whose shapes broadcast, got ${shapes}`);
    }
    return aligned;
  }
}

type BinaryOp = (a: Value, b: Value) => Value;
const fold = (inputs: readonly Value[], op: BinaryOp): Value =>
  inputs.slice(1).reduce(op, ops.identity(inputs[0]!));

export class Add extends ElementwiseMerge {
  static readonly className = "Add";
  constructor(options: LayerOptions = {}) {
    super(checkOptions(labelOf("add", options), options, LAYER_OPTIONS));
  }
  protected override merge(inputs: readonly Value[]): Value {
    return fold(inputs, ops.add);
  }
}

/** The sum of its inputs. @example const y = layers.add().apply([a, b]); */
export function add(options?: LayerOptions): Add {
  return new Add(options);
}

export class Subtract extends ElementwiseMerge {
  static readonly className = "Subtract";
  protected override readonly counts = [2, 2] as const;
  constructor(options: LayerOptions = {}) {
    super(checkOptions(labelOf("subtract", options), options, LAYER_OPTIONS));
  }
  protected override merge(inputs: readonly Value[]): Value {
    return fold(inputs, ops.subtract);
  }
}

/** The first of its two inputs less the second. */
export function subtract(options?: LayerOptions): Subtract {
  return new Subtract(options);
}

export class Multiply extends ElementwiseMerge {
  static readonly className = "Multiply";
  constructor(options: LayerOptions = {}) {
    super(checkOptions(labelOf("multiply", options), options, LAYER_OPTIONS));
  }
  protected override merge(inputs: readonly Value[]): Value {
    return fold(inputs, ops.multiply);
  }
}

/** The product of its inputs, element by element. */
export function multiply(options?: LayerOptions): Multiply {
  return new Multiply(options);
}

export class Average extends ElementwiseMerge {
  static readonly className = "Average";
  constructor(options: LayerOptions = {}) {
    super(checkOptions(labelOf("average", options), options, LAYER_OPTIONS));
  }
  protected override merge(inputs: readonly Value[]): Value {
    return ops.divide(fold(inputs, ops.add), inputs.length);
  }
}

/** The mean of its inputs, element by element. */
export function average(options?: LayerOptions): Average {
  return new Average(options);
}

export class Maximum extends ElementwiseMerge {
  static readonly className = "Maximum";
  constructor(options: LayerOptions = {}) {
    super(checkOptions(labelOf("maximum", options), options, LAYER_OPTIONS));
  }
  protected override merge(inputs: readonly Value[]): Value {
    return fold(inputs, ops.maximum);
  }
}

/** The largest of its inputs, element by element. */
export function maximum(options?: LayerOptions): Maximum {
  return new Maximum(options);
}

export class Minimum extends ElementwiseMerge {
  static readonly className = "Minimum";
  constructor(options: LayerOptions = {}) {
    super(checkOptions(labelOf("minimum", options), options, LAYER_OPTIONS));
  }
  protected override merge(inputs: readonly Value[]): Value {
    return fold(inputs, ops.minimum);
  }
}

/** The smallest of its inputs, element by element. */
export function minimum(options?: LayerOptions): Minimum {
  return new Minimum(options);
}

export interface ConcatenateOptions extends LayerOptions {
  /** Default -1. */
  axis?: number;
}

export class Concatenate extends Merge {
  static readonly className = "Concatenate";
  readonly axis: number;
  constructor(options: ConcatenateOptions = {}) {
    const where = labelOf("concatenate", options);
    const given = checkOptions(where, options, [...LAYER_OPTIONS, "axis"]);
    super(given);
    this.axis = checkInteger(where, "axis", given.axis ?? -1, -8, 7);
  }

  override call(inputs: readonly Value[]): Value {
    const first = inputs[0]!;
    const axis = normalizeAxis(this.path, this.axis, first.rank);
    const fits = (v: Value) =>
      v.rank === first.rank && v.shape.every((d, i) => i === axis || d === first.shape[i]);
    if (!inputs.every(fits)) {
      const shapes = inputs.map((v) => formatShape(v.shape)).join(", ");
      throw this.error(
        "SHAPE_MISMATCH",
        `expected inputs of equal shape except along axis ${axis}, got ${shapes}`,
      );
    }
    return ops.concatenate([...inputs], { axis });
  }

  /** As Keras has it: every element has the mask of its step, and a step counts where any element does. */
  override computeMask(x: readonly Value[], mask: readonly (Value | null)[]): Value | null {
    if (mask.every((m) => m === null)) return null;
    const spread = x.map((v, i) => {
      const own = mask[i] ?? ops.ones(v.shape, "bool");
      if (own.rank === v.rank) return own;
      const trailing = new Array<number>(v.rank - own.rank).fill(1);
      return ops.broadcastTo(ops.reshape(own, [...own.shape, ...trailing]), v.shape);
    });
    return ops.any(ops.concatenate(spread, { axis: this.axis }), { axis: -1 });
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), axis: this.axis };
  }
}

/** Its inputs side by side along an axis. @example layers.concatenate({ axis: -1 }).apply([a, b]) */
export function concatenate(options?: ConcatenateOptions): Concatenate {
  return new Concatenate(options);
}

export interface DotOptions extends LayerOptions {
  /** The axis to sum over, of both inputs or [of the first, of the second]. The batch axis (0) is none. */
  axes: number | readonly [number, number];
  /** Divides by the lengths first, which gives cosine similarity. Default false. */
  normalize?: boolean;
}

export class Dot extends Merge {
  static readonly className = "Dot";
  protected override readonly counts = [2, 2] as const;
  readonly axes: readonly [number, number];
  readonly normalize: boolean;
  constructor(options: DotOptions) {
    const where = labelOf("dot", options);
    const given = checkOptions(where, options, [...LAYER_OPTIONS, "axes", "normalize"]);
    super(given);
    const axes = typeof given.axes === "number" ? [given.axes, given.axes] : given.axes;
    checkIntegers(where, "axes", axes, "other than 0 (the batch)", (x) => x !== 0);
    if (axes.length !== 2) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected axes to be one or two integers, got [${axes}]`,
      );
    }
    this.axes = [axes[0]!, axes[1]!];
    this.normalize = checkBoolean(where, "normalize", given.normalize ?? false);
  }

  override call(inputs: readonly Value[]): Value {
    const [a, b] = inputs.map((v, i) => this.prepare(v, this.axes[i]!, i === 0)) as [Prepared, Prepared];
    if (a.size !== b.size || a.batch !== b.batch) {
      const shapes = inputs.map((v) => formatShape(v.shape)).join(" and ");
      throw this.error(
        "SHAPE_MISMATCH",
        `expected the same batch and the same size along axes [${this.axes}], got ${shapes}`,
      );
    }
    const product = ops.matmul(a.matrix, b.matrix);
    const rest = [...a.rest, ...b.rest];
    return ops.reshape(product, [a.batch, ...(rest.length > 0 ? rest : [1])]);
  }

  override computeMask(): null {
    return null;
  }

  /** One input as [batch, rest, size] (left) or [batch, size, rest] (right). */
  private prepare(x: Value, givenAxis: number, isLeft: boolean): Prepared {
    if (x.rank < 2)
      throw this.error("SHAPE_MISMATCH", `expected inputs of rank 2 or more, got ${formatShape(x.shape)}`);
    const axis = normalizeAxis(this.path, givenAxis, x.rank);
    if (axis === 0)
      throw this.error(
        "SHAPE_MISMATCH",
        `expected axes other than the batch, got ${givenAxis} for ${formatShape(x.shape)}`,
      );
    const length = this.normalize
      ? ops.sqrt(ops.maximum(ops.sum(ops.square(x), { axis, keepDims: true }), 1e-12))
      : 1;
    const scaled = this.normalize ? ops.divide(x, length) : x;
    const others = x.shape.map((_, i) => i).filter((i) => i !== 0 && i !== axis);
    const batch = x.shape[0]!;
    const size = x.shape[axis]!;
    const rest = others.map((i) => x.shape[i]!);
    const flat = rest.reduce((p, d) => p * d, 1);
    const matrix = isLeft
      ? ops.reshape(ops.transpose(scaled, [0, ...others, axis]), [batch, flat, size])
      : ops.reshape(ops.transpose(scaled, [0, axis, ...others]), [batch, size, flat]);
    return { matrix, batch, size, rest };
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), axes: this.axes, normalize: this.normalize };
  }
}

interface Prepared {
  matrix: Value;
  batch: number;
  size: number;
  rest: number[];
}

/** Products summed over one axis of each input, sample by sample: [batch, 5] and [batch, 5] with axes 1 -> [batch, 1]. */
export function dot(options: DotOptions): Dot {
  return new Dot(options);
}
