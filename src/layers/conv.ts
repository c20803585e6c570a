// y = activation(conv(x, kernel) + b): [batch, *spatial, channels] -> [batch, *spatial', filters], with one to three spatial
// axes. As in all of deep learning the kernel is not turned round.

import { MyelinError } from "../core/errors.ts";
import { checkInteger, checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import type { Padding } from "../ops/conv-shape.ts";
import * as ops from "../ops/index.ts";
import { CONV_OPTIONS, type ConvLayerOptions, KernelConv, type KernelOptions } from "./conv-base.ts";
import { labelOf } from "./options.ts";
import type { BatchShape } from "./symbolic.ts";
import { weightRules } from "./weight-rules.ts";

export interface ConvOptions extends ConvLayerOptions, KernelOptions {
  /** Parts the channels are cut into, each convolved by itself. Default 1. */
  groups?: number;
}

export interface Conv1DOptions extends Omit<ConvOptions, "padding"> {
  /** As elsewhere, or "causal": zeros before the sequence, so that no output sees anything later than itself. */
  padding?: "valid" | "same" | "causal";
}

/** Weights: kernel [*kernelSize, channels / groups, filters], bias [filters]. */
abstract class Conv extends KernelConv {
  readonly groups: number;

  constructor(factory: string, axes: number, options: ConvOptions | Conv1DOptions) {
    const where = labelOf(factory, options);
    const known = [
      ...CONV_OPTIONS,
      "filters",
      "groups",
      "kernelInitializer",
      ...weightRules("kernel"),
    ] as const;
    const given = checkOptions(where, options as ConvOptions, known);
    super(where, axes, given, axes === 1 ? ["valid", "same", "causal"] : ["valid", "same"]);
    this.groups = checkInteger(where, "groups", given.groups ?? 1, 1);
    if (this.filters % this.groups !== 0) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected groups to divide filters, got groups ${this.groups} and filters ${this.filters}`,
      );
    }
    this.checkStridesAndDilation();
  }

  override build(inputShape: BatchShape): void {
    const channels = this.readChannels(inputShape);
    if (channels % this.groups !== 0) {
      throw this.error(
        "SHAPE_MISMATCH",
        `expected groups to divide the input's channels, got groups ${this.groups} and ${channels} channels`,
      );
    }
    this.addKernel(channels / this.groups, this.filters);
  }

  override call(x: Value): Value {
    this.checkImage(x);
    const { strides, dilationRate, groups } = this;
    const padding = this.padding as Padding;
    return this.finish(ops.conv(x, this.kernel, { strides, padding, dilations: dilationRate, groups }));
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), groups: this.groups };
  }
}

export class Conv1D extends Conv {
  static readonly className = "Conv1D";
  constructor(options: Conv1DOptions) {
    super("conv1d", 1, options);
  }
}

export class Conv2D extends Conv {
  static readonly className = "Conv2D";
  constructor(options: ConvOptions) {
    super("conv2d", 2, options);
  }
}

export class Conv3D extends Conv {
  static readonly className = "Conv3D";
  constructor(options: ConvOptions) {
    super("conv3d", 3, options);
  }
}

/**
 * Convolution over a sequence: [batch, steps, channels] -> [batch, steps', filters].
 * @example layers.conv1d({ filters: 32, kernelSize: 3, padding: "causal", dilationRate: 2 })
 */
export function conv1d(options: Conv1DOptions): Conv1D {
  return new Conv1D(options);
}

/**
 * Convolution over images: [batch, height, width, channels] -> [batch, height', width', filters].
 * @example layers.conv2d({ filters: 32, kernelSize: 3, activation: "relu", inputShape: [28, 28, 1] })
 */
export function conv2d(options: ConvOptions): Conv2D {
  return new Conv2D(options);
}

/** Convolution over volumes: [batch, depth, height, width, channels] -> [batch, depth', height', width', filters]. */
export function conv3d(options: ConvOptions): Conv3D {
  return new Conv3D(options);
}
