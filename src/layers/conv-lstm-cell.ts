// One step of an LSTM whose products are convolutions (Shi et al., "Convolutional LSTM Network", 2015, without peepholes, as
// Keras has it): inputs and states are images [batch, *spatial, channels] with one to three spatial axes.

import { MyelinError } from "../core/errors.ts";
import { checkBoolean, checkInteger, checkOneOf } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import type { Variable } from "../graph/variable.ts";
import type { Initializer } from "../initializers/initializer.ts";
import { convOutputShape, paddingOption, type Sizes, sizesOption } from "../ops/conv-shape.ts";
import * as ops from "../ops/index.ts";
import { checkDataFormat } from "./conv-base.ts";
import type { CallContext } from "./layer.ts";
import type { Nest } from "./nest.ts";
import {
  forgetBias,
  type GatedCellOptions,
  RECURRENT_ACTIVATION_OPTIONS,
  RecurrentActivationCell,
  type RecurrentActivationOptions,
} from "./rnn-cell.ts";
import { type BatchShape, formatBatchShape, isBatchShape } from "./symbolic.ts";

export interface ConvLstmCellOptions extends Omit<GatedCellOptions, "units">, RecurrentActivationOptions {
  /** Channels of the output and of each state. */
  filters: number;
  /** Size of the window, of inputs and of states. Sizes are one number for all spatial axes or one for each. */
  kernelSize: Sizes;
  /** Distance between windows over the inputs. Default 1. */
  strides?: Sizes;
  /** Of the inputs; states always keep their size. Default "valid". */
  padding?: "valid" | "same";
  /** Only "channelsLast": [batch, steps, *spatial, channels]. */
  dataFormat?: "channelsLast";
  /** Distance between the elements of a window over the inputs. Default 1. */
  dilationRate?: Sizes;
  /** Start the forget gate's bias at 1. Default true. */
  unitForgetBias?: boolean;
}

const OF_CONVOLUTION = [
  "filters",
  "kernelSize",
  "strides",
  "padding",
  "dataFormat",
  "dilationRate",
  "unitForgetBias",
] as const;

export const CONV_LSTM_CELL_OPTIONS = [
  ...RECURRENT_ACTIVATION_OPTIONS.filter((name) => name !== "units"),
  ...OF_CONVOLUTION,
] as const;

/**
 * Weights: kernel [*kernelSize, channels, 4 filters], recurrentKernel [*kernelSize, filters, 4 filters], bias [4 filters];
 * gates i, f, c, o. States: h, c. Made by the layers convLstm1d, 2d and 3d.
 */
export class ConvLstmCell extends RecurrentActivationCell {
  protected readonly gates = 4;
  readonly kernelSize: readonly number[];
  readonly strides: readonly number[];
  readonly padding: "valid" | "same";
  readonly dilationRate: readonly number[];
  readonly unitForgetBias: boolean;
  private readonly axes: number;
  /** Drawn for a sequence: factors of the inputs and of the states, one for each gate. */
  #kept: { inputs?: Value[]; states?: Value[] } | undefined;
  #isPrepared = false;
  #inputShape: readonly number[] = [];

  constructor(where: string, axes: number, options: ConvLstmCellOptions) {
    const others = Object.entries(options).filter(
      ([key]) => !(OF_CONVOLUTION as readonly string[]).includes(key),
    );
    const filters = checkInteger(where, "filters", options.filters, 1);
    super(where, { ...Object.fromEntries(others), units: filters });
    this.axes = axes;
    const sizes = (name: "kernelSize" | "strides" | "dilationRate", byDefault?: number) =>
      sizesOption(where, name, options[name] ?? (byDefault as number), axes, 1);
    this.kernelSize = sizes("kernelSize");
    this.strides = sizes("strides", 1);
    this.padding = checkOneOf(where, "padding", options.padding ?? "valid", ["valid", "same"]);
    checkDataFormat(where, options.dataFormat ?? "channelsLast");
    this.dilationRate = sizes("dilationRate", 1);
    this.unitForgetBias = checkBoolean(where, "unitForgetBias", options.unitForgetBias ?? true);
    if (Math.max(...this.strides) > 1 && Math.max(...this.dilationRate) > 1) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected strides or dilationRate of 1, got strides [${this.strides}] and dilationRate [${this.dilationRate}]`,
      );
    }
  }

  override get stateSize(): readonly number[] {
    return [this.units, this.units];
  }

  override get stateShapes(): readonly (readonly number[])[] {
    const kernel = [...this.kernelSize, this.#inputShape.at(-1)!, this.units];
    const image = [1, ...this.#inputShape];
    const { strides, padding, dilationRate: dilations, path } = this;
    const zeros = paddingOption(path, padding, image, kernel, strides, dilations);
    const attrs = { strides, dilations, groups: 1, ...zeros };
    const [, ...state] = convOutputShape(image, kernel, attrs, path);
    return [state, state];
  }

  override build(shape: Nest<BatchShape>): void {
    const [, ...inputs] = isBatchShape(shape) ? shape : (shape as readonly BatchShape[])[0]!;
    if (inputs.length !== this.axes + 1 || inputs.includes(null)) {
      throw this.error(
        "SHAPE_MISMATCH",
        `expected images with ${this.axes} spatial ax${this.axes > 1 ? "es" : "is"} of known size and channels at each step, got ${formatBatchShape([null, ...inputs])}`,
      );
    }
    this.#inputShape = inputs as number[];
    const { kernelInitializer, recurrentInitializer } = this.initializers;
    const kernel = (name: string, channels: number, initializer: Initializer) =>
      this.addWeight({ name, shape: [...this.kernelSize, channels, 4 * this.units], initializer });
    this.kernel = kernel("kernel", this.#inputShape.at(-1)!, kernelInitializer);
    this.recurrentKernel = kernel("recurrentKernel", this.units, recurrentInitializer);
    if (this.useBias) {
      this.bias = this.addWeight({ name: "bias", shape: this.biasShape, initializer: this.biasInitializer });
    }
  }

  protected override get biasInitializer(): Initializer {
    const others = this.initializers.biasInitializer;
    return this.unitForgetBias ? forgetBias(others, this.units) : others;
  }

  /** As Keras: each gate drops for itself, the same ones at every step. */
  override beginSequence(batch: number, _features: number, context: CallContext): void {
    if (!context.training) return;
    const draw = (shape: readonly number[], rate: number) =>
      rate === 0
        ? undefined
        : Array.from({ length: 4 }, () =>
            ops.random.dropout(ops.ones([batch, ...shape]), rate, { seed: this.seedGenerator }),
          );
    this.#kept = {
      inputs: draw(this.#inputShape, this.dropout),
      states: draw(this.stateShapes[0]!, this.recurrentDropout),
    };
  }

  override endSequence(): void {
    this.#kept = undefined;
    this.#isPrepared = false;
  }

  /** The inputs' part of the gates, for all steps at once: [batch, steps, *spatial, 4 filters]. */
  override prepareSteps(x: Value): Value {
    this.#isPrepared = true;
    const [batch, steps, ...image] = x.shape as [number, number, ...number[]];
    const rows = (v: Value) => ops.reshape(v, [batch * steps, ...image]);
    const kept = this.#kept?.inputs?.map((k) => ops.expandDims(k, 1));
    const z = this.inputPart(kept ? kept.map((k) => rows(ops.multiply(x, k))) : [rows(x)]);
    return ops.reshape(z, [batch, steps, ...z.shape.slice(1)]);
  }

  override call(x: readonly Value[], context: CallContext): readonly Value[] {
    if (this.#kept || !context.training) return this.advance(x);
    // A step outside of a sequence draws for itself.
    this.beginSequence(x[0]!.shape[0]!, 0, context);
    try {
      return this.advance(x);
    } finally {
      this.endSequence();
    }
  }

  private advance(x: readonly Value[]): readonly Value[] {
    const [inputs, h, c] = x as [Value, Value, Value];
    const dropped = (v: Value, factors: readonly Value[] | undefined) =>
      factors ? factors.map((k) => ops.multiply(v, k)) : [v];
    const own = this.#isPrepared ? inputs : this.inputPart(dropped(inputs, this.#kept?.inputs));
    const states = dropped(h, this.#kept?.states);
    const z = ops.add(own, this.convolve(states, this.recurrentKernel, { padding: "same" }));
    const [zi, zf, zc, zo] = ops.split(z, 4, { axis: -1 }) as [Value, Value, Value, Value];
    const update = ops.multiply(this.activateGate(zi), this.activate(zc));
    const nextC = ops.add(ops.multiply(this.activateGate(zf), c), update);
    const nextH = ops.multiply(this.activateGate(zo), this.activate(nextC));
    return [nextH, nextH, nextC];
  }

  private inputPart(inputs: readonly Value[]): Value {
    const { strides, padding, dilationRate: dilations } = this;
    const z = this.convolve(inputs, this.kernel, { strides, padding, dilations });
    return this.bias ? ops.add(z, this.bias) : z;
  }

  /** One convolution with a whole kernel, or one for each gate. */
  private convolve(images: readonly Value[], kernel: Variable, options: ops.ConvOptions): Value {
    if (images.length === 1) return ops.conv(images[0]!, kernel, options);
    const parts = ops.split(kernel, 4, { axis: -1 });
    return ops.concatenate(
      images.map((image, gate) => ops.conv(image, parts[gate]!, options)),
      { axis: -1 },
    );
  }

  override getConfig(): Record<string, unknown> {
    const { units: filters, ...own } = super.getConfig();
    const { kernelSize, strides, padding, dilationRate, unitForgetBias } = this;
    return {
      ...own,
      filters,
      kernelSize,
      strides,
      padding,
      dataFormat: "channelsLast",
      dilationRate,
      unitForgetBias,
    };
  }
}
