// What a regularizer is: a penalty for large (or otherwise unwanted) values of a weight or of a layer's output, added to
// the loss. Written with ops; the gradient comes by itself.

import { MyelinError } from "../core/errors.ts";
import { checkNumber, checkOneOf, checkOptions } from "../core/options.ts";
import { type Kind, resolve, type Serialized } from "../core/serialized.ts";
import { tensor } from "../core/tensor.ts";
import type { Value } from "../graph/graph.ts";
import * as ops from "../ops/index.ts";

/** A penalty as a plain function of a weight or an output. */
export type RegularizerFunction = (x: Value) => Value;

/**
 * Base of regularizers.
 * @example class Fourth extends Regularizer { call(x) { return ops.multiply(1e-3, ops.sum(ops.power(x, 4))); } }
 */
export abstract class Regularizer {
  /** The penalty: a float32 scalar. */
  abstract call(x: Value): Value;
  /** The options that make it again; undefined where it only exists as code. */
  getConfig(): Record<string, unknown> | undefined {
    return undefined;
  }
}

/** A name ("l1", "l2", "l1l2" with their defaults), a regularizer, a function or a saved configuration. */
export type RegularizerLike = keyof typeof FACTORIES | Regularizer | RegularizerFunction | Serialized;

const isShare = (x: number) => x >= 0;

class L1L2 extends Regularizer {
  constructor(
    private readonly l1: number,
    private readonly l2: number,
  ) {
    super();
  }

  override call(x: Value): Value {
    const parts: Value[] = [];
    if (this.l1 !== 0) parts.push(ops.multiply(ops.sum(ops.abs(x)), this.l1));
    if (this.l2 !== 0) parts.push(ops.multiply(ops.sum(ops.square(x)), this.l2));
    return parts.length === 0 ? ops.zeros([]) : parts.reduce((a, b) => ops.add(a, b));
  }

  override getConfig(): Record<string, unknown> {
    return { l1: this.l1, l2: this.l2 };
  }
}

/** `l1 * sum(abs(x))`. @param options.l1 of at least 0. Default 0.01 */
export function l1(options: { l1?: number } = {}): Regularizer {
  const given = checkOptions("l1", options, ["l1"]).l1 ?? 0.01;
  return named("L1", { l1: checkNumber("l1", "l1", given, "of at least 0", isShare) }, (o) => l1l2(o));
}

/** `l2 * sum(square(x))`. @param options.l2 of at least 0. Default 0.01 */
export function l2(options: { l2?: number } = {}): Regularizer {
  const given = checkOptions("l2", options, ["l2"]).l2 ?? 0.01;
  return named("L2", { l2: checkNumber("l2", "l2", given, "of at least 0", isShare) }, (o) => l1l2(o));
}

/** `l1 * sum(abs(x)) + l2 * sum(square(x))`. Both default to 0. */
export function l1l2(options: { l1?: number; l2?: number } = {}): Regularizer {
  const o = checkOptions("l1l2", options, ["l1", "l2"]);
  const read = (name: "l1" | "l2") => checkNumber("l1l2", name, o[name] ?? 0, "of at least 0", isShare);
  return new L1L2(read("l1"), read("l2"));
}

export interface OrthogonalOptions {
  /** Default 0.01. */
  factor?: number;
  /** Whether rows or columns of a matrix are to be orthogonal. Default "rows". */
  mode?: "rows" | "columns";
}

/** `factor * mean(abs(cosine of the angle))` over all pairs of different rows (or columns) of a matrix. */
export function orthogonalRegularizer(options: OrthogonalOptions = {}): Regularizer {
  const where = "orthogonalRegularizer";
  const o = checkOptions(where, options, ["factor", "mode"]);
  const factor = checkNumber(where, "factor", o.factor ?? 0.01);
  const mode = checkOneOf(where, "mode", o.mode ?? "rows", ["rows", "columns"]);
  return named("OrthogonalRegularizer", { factor, mode }, () => ({
    call(x: Value) {
      if (x.rank !== 2) {
        throw new MyelinError("SHAPE_MISMATCH", `${where}: expected a matrix, got shape [${x.shape}]`);
      }
      const axis = mode === "rows" ? 1 : 0;
      const size = x.shape[1 - axis]!;
      const squared = ops.sum(ops.square(x), { axis, keepDims: true });
      const unit = ops.multiply(x, ops.rsqrt(ops.maximum(squared, 1e-12)));
      const cosines =
        mode === "rows"
          ? ops.matmul(unit, unit, { transposeB: true })
          : ops.matmul(unit, unit, { transposeA: true });
      const isPair = Float32Array.from({ length: size * size }, (_, i) => Number(i % (size + 1) !== 0));
      const others = ops.abs(ops.multiply(cosines, ops.constant(tensor(isPair, [size, size]))));
      const pairs = (size * (size - 1)) / 2;
      return ops.multiply(ops.sum(others), (factor * 0.5) / pairs);
    },
  }));
}

/** Gives a regularizer the class name its configuration is saved under. */
function named<C extends Record<string, unknown>>(
  className: string,
  config: C,
  make: (config: C) => { call(x: Value): Value },
): Regularizer {
  const inner = make(config);
  return new (class extends Regularizer {
    static readonly className = className;
    override call(x: Value): Value {
      return inner.call(x);
    }
    override getConfig() {
      return { ...config };
    }
  })();
}

const FACTORIES = {
  l1,
  l2,
  l1l2,
  orthogonalRegularizer,
};

const KIND: Kind<Regularizer> = {
  what: "regularizer",
  factories: FACTORIES,
  is: (x): x is Regularizer => x instanceof Regularizer,
  ofFunction: (fn) =>
    new (class extends Regularizer {
      override call(x: Value): Value {
        return (fn as unknown as RegularizerFunction)(x);
      }
    })(),
};

/** Makes a Regularizer of anything that stands for one. @throws INVALID_OPTION */
export function get(like: RegularizerLike, where = "regularizers.get", option = "regularizer"): Regularizer {
  return resolve(KIND, where, option, like);
}
