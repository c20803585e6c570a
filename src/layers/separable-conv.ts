// y = activation(conv1x1(depthwiseConv(x)) + b): every channel is convolved by itself, then the channels are mixed:
// [batch, *spatial, channels] -> [batch, *spatial', filters].

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

export interface SeparableConvOptions extends ConvLayerOptions, WeightRules<"depthwise" | "pointwise"> {
  /** Channels of the output. */
  filters: number;
  /** Channels between the two convolutions for each input channel. Default 1. */
  depthMultiplier?: number;
  /** Default "glorotUniform". */
  depthwiseInitializer?: InitializerLike;
  /** Default "glorotUniform". */
  pointwiseInitializer?: InitializerLike;
}

/**
 * Weights: depthwise_kernel [*kernelSize, channels, depthMultiplier], pointwise_kernel [1, .., channels * depthMultiplier,
 * filters], bias [filters].
 */
abstract class SeparableConv extends ConvBase {
  readonly filters: number;
  readonly depthMultiplier: number;
  depthwiseKernel!: Variable;
  pointwiseKernel!: Variable;
  private readonly depthwiseInitializer: Initializer;
  private readonly pointwiseInitializer: Initializer;

  constructor(factory: string, axes: number, options: SeparableConvOptions) {
    const where = labelOf(factory, options);
    const given = checkOptions(where, options, [
      ...CONV_OPTIONS,
      "filters",
      "depthMultiplier",
      "depthwiseInitializer",
      "pointwiseInitializer",
      ...weightRules("depthwise", "pointwise"),
    ]);
    super(where, axes, given, ["valid", "same"]);
    this.filters = checkInteger(where, "filters", given.filters, 1);
    this.depthMultiplier = checkInteger(where, "depthMultiplier", given.depthMultiplier ?? 1, 1);
    const initializer = (name: "depthwiseInitializer" | "pointwiseInitializer") =>
      this.initializer(name, given[name] ?? "glorotUniform");
    this.depthwiseInitializer = initializer("depthwiseInitializer");
    this.pointwiseInitializer = initializer("pointwiseInitializer");
  }

  override build(inputShape: BatchShape): void {
    const channels = this.readChannels(inputShape);
    this.depthwiseKernel = this.addWeight({
      name: "depthwise_kernel",
      shape: [...this.kernelSize, channels, this.depthMultiplier],
      initializer: this.depthwiseInitializer,
    });
    this.pointwiseKernel = this.addWeight({
      name: "pointwise_kernel",
      shape: [...this.kernelSize.map(() => 1), channels * this.depthMultiplier, this.filters],
      initializer: this.pointwiseInitializer,
    });
    this.addBias(this.filters);
  }

  override call(x: Value): Value {
    this.checkImage(x);
    const { strides, dilationRate } = this;
    const padding = this.padding as "valid" | "same";
    const options = { strides, padding, dilations: dilationRate };
    return this.finish(ops.separableConv(x, this.depthwiseKernel, this.pointwiseKernel, options));
  }

  override getConfig(): Record<string, unknown> {
    return {
      ...super.getConfig(),
      filters: this.filters,
      depthMultiplier: this.depthMultiplier,
      depthwiseInitializer: serializeInitializer(this.depthwiseInitializer),
      pointwiseInitializer: serializeInitializer(this.pointwiseInitializer),
    };
  }
}

export class SeparableConv1D extends SeparableConv {
  static readonly className = "SeparableConv1D";
  constructor(options: SeparableConvOptions) {
    super("separableConv1d", 1, options);
  }
}

export class SeparableConv2D extends SeparableConv {
  static readonly className = "SeparableConv2D";
  constructor(options: SeparableConvOptions) {
    super("separableConv2d", 2, options);
  }
}

/** Separable convolution over a sequence: [batch, steps, channels] -> [batch, steps', filters]. */
export function separableConv1d(options: SeparableConvOptions): SeparableConv1D {
  return new SeparableConv1D(options);
}

/**
 * Separable convolution over images: [batch, height, width, channels] -> [batch, height', width', filters].
 * @example layers.separableConv2d({ filters: 64, kernelSize: 3, padding: "same" })
 */
export function separableConv2d(options: SeparableConvOptions): SeparableConv2D {
  return new SeparableConv2D(options);
}
