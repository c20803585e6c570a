// What all convolution layers share: options with Keras's defaults, checks, bias and activation. Images are channels last.

import { describe, MyelinError } from "../core/errors.ts";
import { checkBoolean, checkInteger, checkOneOf } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import type { Variable } from "../graph/variable.ts";
import type { Initializer, InitializerLike } from "../initializers/initializer.ts";
import { resolveInitializer, serializeInitializer } from "../initializers/resolve.ts";
import { reach, type Sizes, sizesOption } from "../ops/conv-shape.ts";
import { add } from "../ops/index.ts";
import {
  type ActivationFunction,
  type ActivationLike,
  resolveActivation,
  serializeActivation,
} from "./activation-option.ts";
import { LAYER_OPTIONS, type LayerOptions } from "./layer.ts";
import { type BatchShape, formatBatchShape } from "./symbolic.ts";
import { UnaryLayer } from "./unary.ts";

import { type ActivityRule, type WeightRules, weightRules } from "./weight-rules.ts";

/** Options of every convolution layer. Sizes are one number for all spatial axes or one for each. */
export interface ConvLayerOptions extends LayerOptions, WeightRules<"bias">, ActivityRule {
  /** Size of the window. */
  kernelSize: Sizes;
  /** Distance between windows. Default 1. */
  strides?: Sizes;
  /** "valid" (default): windows inside the image; "same": zeros around it, so that the output has size / stride elements. */
  padding?: "valid" | "same";
  /** Only "channelsLast": [batch, *spatial, channels]. */
  dataFormat?: "channelsLast";
  /** Distance between the elements of a window. Default 1. */
  dilationRate?: Sizes;
  /** Default "linear". */
  activation?: ActivationLike;
  /** Default true. */
  useBias?: boolean;
  /** Default "zeros". */
  biasInitializer?: InitializerLike;
}

export const CONV_OPTIONS = [
  ...LAYER_OPTIONS,
  "kernelSize",
  "strides",
  "padding",
  "dataFormat",
  "dilationRate",
  "activation",
  "useBias",
  "biasInitializer",
  ...weightRules("bias"),
  "activityRegularizer",
] as const;

/** Options of a KernelConv. */
export interface KernelOptions extends WeightRules<"kernel"> {
  /** Channels of the output. */
  filters: number;
  /** Default "glorotUniform". */
  kernelInitializer?: InitializerLike;
}

/** Throws unless images are channels last, the only layout there is. */
export function checkDataFormat(where: string, value: unknown): "channelsLast" {
  if (value === "channelsLast") return value;
  throw new MyelinError(
    "INVALID_OPTION",
    `${where}: expected dataFormat "channelsLast" (images are [batch, *spatial, channels]), got ${describe(value)}`,
  );
}

/** See the subclasses. `axes`: how many spatial axes. */
export abstract class ConvBase extends UnaryLayer {
  readonly kernelSize: readonly number[];
  readonly strides: readonly number[];
  readonly padding: string;
  readonly dilationRate: readonly number[];
  readonly activation: ActivationLike;
  readonly useBias: boolean;
  bias: Variable | undefined;
  protected readonly axes: number;
  protected readonly where: string;
  private readonly activate: ActivationFunction;
  private readonly biasInitializer: Initializer;
  private inputChannels = 0;

  constructor(where: string, axes: number, options: ConvLayerOptions, paddings: readonly string[]) {
    super(options);
    this.where = where;
    this.axes = axes;
    const sizes = (name: "kernelSize" | "strides" | "dilationRate", byDefault?: number) =>
      sizesOption(where, name, options[name] ?? (byDefault as number), axes, 1);
    this.kernelSize = sizes("kernelSize");
    this.strides = sizes("strides", 1);
    this.padding = checkOneOf(where, "padding", options.padding ?? "valid", paddings);
    checkDataFormat(where, options.dataFormat ?? "channelsLast");
    this.dilationRate = sizes("dilationRate", 1);
    this.activation = options.activation ?? "linear";
    this.activate = resolveActivation(where, this.activation);
    this.useBias = checkBoolean(where, "useBias", options.useBias ?? true);
    this.biasInitializer = this.initializer("biasInitializer", options.biasInitializer ?? "zeros");
  }

  protected initializer(name: string, like: InitializerLike): Initializer {
    return resolveInitializer(this.where, name, like);
  }

  /** As Keras: a convolution may skip outputs or inputs, not both. */
  protected checkStridesAndDilation(): void {
    if (Math.max(...this.strides) === 1 || Math.max(...this.dilationRate) === 1) return;
    throw new MyelinError(
      "INVALID_OPTION",
      `${this.where}: expected strides or dilationRate of 1, got strides [${this.strides}] and dilationRate [${this.dilationRate}]`,
    );
  }

  /** Checks the rank; the number of input channels. */
  protected readChannels(inputShape: BatchShape): number {
    this.checkRank(inputShape, this.axes + 2, this.axes + 2);
    const channels = inputShape.at(-1)!;
    if (channels === null) {
      throw this.error(
        "SHAPE_MISMATCH",
        `expected a known number of channels, got shape ${formatBatchShape(inputShape)}`,
      );
    }
    this.inputChannels = channels;
    return channels;
  }

  protected addBias(channels: number): void {
    if (!this.useBias) return;
    this.bias = this.addWeight({ name: "bias", shape: [channels], initializer: this.biasInitializer });
  }

  /** Throws unless x has the rank and channels the layer was built for, and holds at least one window. */
  protected checkImage(x: Value, isTransposed = false): void {
    this.checkRank(x.shape, this.axes + 2, this.axes + 2);
    if (x.shape.at(-1) !== this.inputChannels) {
      throw this.error(
        "SHAPE_MISMATCH",
        `expected ${this.inputChannels} channels in the last axis, got shape ${formatBatchShape(x.shape)}`,
      );
    }
    if (this.padding !== "valid" || isTransposed) return;
    const least = this.kernelSize.map((k, axis) => reach(k, this.dilationRate[axis]!));
    if (least.every((size, axis) => x.shape[axis + 1]! >= size)) return;
    throw this.error(
      "SHAPE_MISMATCH",
      `expected an image of at least [${least.join(", ")}], as far as the kernel reaches, got shape ${formatBatchShape(x.shape)}`,
    );
  }

  protected finish(y: Value): Value {
    return this.activate(this.bias ? add(y, this.bias) : y);
  }

  override getConfig(): Record<string, unknown> {
    return {
      ...super.getConfig(),
      kernelSize: this.kernelSize,
      strides: this.strides,
      padding: this.padding,
      dataFormat: "channelsLast",
      dilationRate: this.dilationRate,
      activation: serializeActivation(this.name, this.activation),
      useBias: this.useBias,
      biasInitializer: serializeInitializer(this.biasInitializer),
    };
  }
}

/** Convolutions with one kernel and as many filters as the output has channels: Conv and ConvTranspose. */
export abstract class KernelConv extends ConvBase {
  readonly filters: number;
  kernel!: Variable;
  private readonly kernelInitializer: Initializer;

  constructor(
    where: string,
    axes: number,
    options: ConvLayerOptions & KernelOptions,
    paddings: readonly string[],
  ) {
    super(where, axes, options, paddings);
    this.filters = checkInteger(where, "filters", options.filters, 1);
    const given = options.kernelInitializer ?? "glorotUniform";
    this.kernelInitializer = this.initializer("kernelInitializer", given);
  }

  /** Weights: the kernel [*kernelSize, ...channels] and the bias. */
  protected addKernel(...channels: number[]): void {
    const shape = [...this.kernelSize, ...channels];
    this.kernel = this.addWeight({ name: "kernel", shape, initializer: this.kernelInitializer });
    this.addBias(this.filters);
  }

  override getConfig(): Record<string, unknown> {
    const kernelInitializer = serializeInitializer(this.kernelInitializer);
    return { ...super.getConfig(), filters: this.filters, kernelInitializer };
  }
}
