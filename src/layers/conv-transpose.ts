// y = activation(convTranspose(x, kernel) + b): the gradient of a convolution by its image, which makes images larger:
// [batch, *spatial, channels] -> [batch, *spatial', filters]. "valid" gives (size - 1) * stride + max(kernel, stride), "same"
// size * stride.

import { MyelinError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import { type Sizes, sizesOption } from "../ops/conv-shape.ts";
import * as ops from "../ops/index.ts";
import { CONV_OPTIONS, type ConvLayerOptions, KernelConv, type KernelOptions } from "./conv-base.ts";
import { labelOf } from "./options.ts";
import type { BatchShape } from "./symbolic.ts";
import { weightRules } from "./weight-rules.ts";

export interface ConvTransposeOptions extends ConvLayerOptions, KernelOptions {
  /** Elements added at the end of each axis, less than its stride. Without it sizes are as above. */
  outputPadding?: Sizes | null;
}

/** Weights: kernel [*kernelSize, filters, channels], bias [filters]. */
abstract class ConvTranspose extends KernelConv {
  readonly outputPadding: readonly number[] | null;

  constructor(factory: string, axes: number, options: ConvTransposeOptions) {
    const where = labelOf(factory, options);
    const known = [
      ...CONV_OPTIONS,
      "filters",
      "outputPadding",
      "kernelInitializer",
      ...weightRules("kernel"),
    ] as const;
    const given = checkOptions(where, options, known);
    super(where, axes, given, ["valid", "same"]);
    const { outputPadding = null } = given;
    this.outputPadding =
      outputPadding === null ? null : sizesOption(where, "outputPadding", outputPadding, axes, 0);
    if (this.outputPadding?.some((p, axis) => p >= this.strides[axis]!)) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected outputPadding below strides, got outputPadding [${this.outputPadding}] and strides [${this.strides}]`,
      );
    }
    this.checkStridesAndDilation();
  }

  override build(inputShape: BatchShape): void {
    this.addKernel(this.filters, this.readChannels(inputShape));
  }

  override call(x: Value): Value {
    this.checkImage(x, true);
    const y = ops.convTranspose(x, this.kernel, {
      strides: this.strides,
      padding: this.padding as "valid" | "same",
      ...(this.outputPadding && { outputPadding: this.outputPadding }),
      dilations: this.dilationRate,
    });
    return this.finish(y);
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), outputPadding: this.outputPadding };
  }
}

export class Conv1DTranspose extends ConvTranspose {
  static readonly className = "Conv1DTranspose";
  constructor(options: ConvTransposeOptions) {
    super("conv1dTranspose", 1, options);
  }
}

export class Conv2DTranspose extends ConvTranspose {
  static readonly className = "Conv2DTranspose";
  constructor(options: ConvTransposeOptions) {
    super("conv2dTranspose", 2, options);
  }
}

export class Conv3DTranspose extends ConvTranspose {
  static readonly className = "Conv3DTranspose";
  constructor(options: ConvTransposeOptions) {
    super("conv3dTranspose", 3, options);
  }
}

/** Transposed convolution over a sequence: [batch, steps, channels] -> [batch, steps', filters]. */
export function conv1dTranspose(options: ConvTransposeOptions): Conv1DTranspose {
  return new Conv1DTranspose(options);
}

/**
 * Transposed convolution over images: [batch, height, width, channels] -> [batch, height', width', filters].
 * @example layers.conv2dTranspose({ filters: 16, kernelSize: 3, strides: 2, padding: "same" })   // twice as large
 */
export function conv2dTranspose(options: ConvTransposeOptions): Conv2DTranspose {
  return new Conv2DTranspose(options);
}

/** Transposed convolution over volumes: [batch, depth, height, width, channels] -> [batch, ..., filters]. */
export function conv3dTranspose(options: ConvTransposeOptions): Conv3DTranspose {
  return new Conv3DTranspose(options);
}
