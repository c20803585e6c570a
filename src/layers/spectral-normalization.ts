// SpectralNormalization: a wrapper that divides a layer's kernel by its largest singular value at each training call.

import { checkInteger, checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import { Variable } from "../graph/variable.ts";
import { truncatedNormal } from "../initializers/initializers.ts";
import * as ops from "../ops/index.ts";
import { type CallContext, LAYER_OPTIONS, type Layer, type LayerOptions } from "./layer.ts";
import { labelOf } from "./options.ts";
import type { BatchShape } from "./symbolic.ts";
import { Wrapper } from "./wrapper.ts";

export interface SpectralNormalizationOptions extends LayerOptions {
  /** A layer with a `kernel` or `embeddings`. */
  layer: Layer;
  /** Steps of the power method at each training call, which goes on from the last one. Default 1. */
  powerIterations?: number;
}

/** Weights: the layer's kernel; vector_u [1, outputs], not trained, where the power method stands; the layer's others. */
export class SpectralNormalization extends Wrapper {
  static readonly className = "SpectralNormalization";
  readonly powerIterations: number;
  /** The layer's kernel or embeddings. Held here as well, which gives it the first place among the weights, as in Keras. */
  kernel!: Variable;
  vectorU!: Variable;

  constructor(options: SpectralNormalizationOptions) {
    const where = labelOf("spectralNormalization", options);
    const given = checkOptions(where, options, [...LAYER_OPTIONS, "layer", "powerIterations"]);
    super(given, where);
    this.powerIterations = checkInteger(where, "powerIterations", given.powerIterations ?? 1, 1);
  }

  override build(inputShape: BatchShape): void {
    super.build(inputShape);
    this.kernel = this.findKernel();
    this.vectorU = this.addWeight({
      name: "vector_u",
      shape: [1, this.kernel.shape.at(-1)!],
      initializer: truncatedNormal({ stddev: 0.02 }),
      trainable: false,
    });
  }

  private findKernel(): Variable {
    const { kernel, embeddings } = this.layer as { kernel?: unknown; embeddings?: unknown };
    for (const weight of [kernel, embeddings]) if (weight instanceof Variable) return weight;
    throw this.error(
      "INVALID_ARGUMENT",
      `expected a layer with a kernel or embeddings, got ${this.layer.className}`,
    );
  }

  override call(x: Value, { training }: CallContext): Value {
    if (training) this.normalize();
    return this.layer.apply<Value>(x);
  }

  /** A kernel of zeros stays, and the vector with it. */
  private normalize(): void {
    const { kernel, vectorU } = this;
    const before = ops.toValue(kernel);
    const weights = ops.reshape(before, [-1, kernel.shape.at(-1)!]);
    let u = ops.toValue(vectorU);
    let v = u;
    for (let i = 0; i < this.powerIterations; i++) {
      v = unit(ops.matmul(u, weights, { transposeB: true }));
      u = unit(ops.matmul(v, weights));
    }
    const sigma = ops.sum(ops.multiply(ops.matmul(v, weights), u));
    const isZero = ops.logicalNot(ops.any(before));
    ops.assign(vectorU, ops.where(isZero, vectorU, u));
    ops.assign(kernel, divided(before, ops.where(isZero, 1, sigma)));
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), powerIterations: this.powerIterations };
  }
}

/** The kernel by sigma. What trains is the result, which is the new kernel, so its gradient is the kernel's as it is. */
const divided = ops.customGradient(
  (kernel, sigma) => ops.divide(kernel!, sigma!),
  ({ grads: [g] }) => [g!, null],
);

/** x / |x|, or x times 1e7 where |x| is smaller than Keras's epsilon. */
function unit(x: Value): Value {
  return ops.multiply(x, ops.minimum(ops.rsqrt(ops.sum(ops.square(x))), 1e7));
}

/**
 * Keeps the largest singular value of a layer's kernel near 1, by dividing the kernel by it in training (Miyato et al., 2018).
 * @example layers.spectralNormalization({ layer: layers.dense({ units: 64 }) })
 */
export function spectralNormalization(options: SpectralNormalizationOptions): SpectralNormalization {
  return new SpectralNormalization(options);
}
