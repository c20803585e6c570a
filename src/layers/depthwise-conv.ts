// y = activation(depthwiseConv(x, kernel) + b): every channel is convolved by itself with depthMultiplier kernels of its own:
// [batch, *spatial, channels] -> [batch, *spatial', channels * depthMultiplier].

import { checkInteger, checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import type { Variable } from "../graph/variable.ts";
import type { Initializer, InitializerLike } from "../initializers/initializer.ts";
import { serializeInitializer } from "../initializers/resolve.ts";
import * as ops from "../ops/index.ts";
import { CONV_OPTIONS, ConvBase, type ConvLayerOptions } from "./conv-base.ts";
import { labelOf } from "./options.ts";
import type { BatchShape } from "./symbolic.ts";
import { type WeightRules, weightRules } from "./weight-rules.ts";

export interface DepthwiseConvOptions extends ConvLayerOptions, WeightRules<"depthwise"> {
  /** Outputs for each input channel. Default 1. */
  depthMultiplier?: number;
  /** Default "glorotUniform". */
  depthwiseInitializer?: InitializerLike;
}

/** Weights: kernel [*kernelSize, channels, depthMultiplier], bias [channels * depthMultiplier]. */
abstract class DepthwiseConv extends ConvBase {
  readonly depthMultiplier: number;
  kernel!: Variable;
  private readonly depthwiseInitializer: Initializer;

  constructor(factory: string, axes: number, options: DepthwiseConvOptions) {
    const where = labelOf(factory, options);
    const known = [
      ...CONV_OPTIONS,
      "depthMultiplier",
      "depthwiseInitializer",
      ...weightRules("depthwise"),
    ] as const;
    const given = checkOptions(where, options, known);
    super(where, axes, given, ["valid", "same"]);
    this.depthMultiplier = checkInteger(where, "depthMultiplier", given.depthMultiplier ?? 1, 1);
    const like = given.depthwiseInitializer ?? "glorotUniform";
    this.depthwiseInitializer = this.initializer("depthwiseInitializer", like);
  }

  override build(inputShape: BatchShape): void {
    const channels = this.readChannels(inputShape);
    this.kernel = this.addWeight({
      name: "kernel",
      regularizer: this.rules.regularizerOf("depthwise"),
      constraint: this.rules.constraintOf("depthwise"),
      shape: [...this.kernelSize, channels, this.depthMultiplier],
      initializer: this.depthwiseInitializer,
    });
    this.addBias(channels * this.depthMultiplier);
  }

  override call(x: Value): Value {
    this.checkImage(x);
    const { strides, dilationRate } = this;
    const padding = this.padding as "valid" | "same";
    return this.finish(ops.depthwiseConv(x, this.kernel, { strides, padding, dilations: dilationRate }));
  }

  override getConfig(): Record<string, unknown> {
    return {
      ...super.getConfig(),
      depthMultiplier: this.depthMultiplier,
      depthwiseInitializer: serializeInitializer(this.depthwiseInitializer),
    };
  }
}

export class DepthwiseConv1D extends DepthwiseConv {
  static readonly className = "DepthwiseConv1D";
  constructor(options: DepthwiseConvOptions) {
    super("depthwiseConv1d", 1, options);
  }
}

export class DepthwiseConv2D extends DepthwiseConv {
  static readonly className = "DepthwiseConv2D";
  constructor(options: DepthwiseConvOptions) {
    super("depthwiseConv2d", 2, options);
  }
}

/** Depthwise convolution over a sequence: [batch, steps, channels] -> [batch, steps', channels * depthMultiplier]. */
export function depthwiseConv1d(options: DepthwiseConvOptions): DepthwiseConv1D {
  return new DepthwiseConv1D(options);
}

/**
 * Depthwise convolution over images: [batch, height, width, channels] -> [batch, height', width', channels * depthMultiplier].
 * @example layers.depthwiseConv2d({ kernelSize: 3, padding: "same", useBias: false })
 */
export function depthwiseConv2d(options: DepthwiseConvOptions): DepthwiseConv2D {
  return new DepthwiseConv2D(options);
}
