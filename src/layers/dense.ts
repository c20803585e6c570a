// y = activation(x W + b), over the last axis of x: [batch, ..., inputs] -> [batch, ..., units].

import { checkBoolean, checkInteger, checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import type { Variable } from "../graph/variable.ts";
import type { Initializer, InitializerLike } from "../initializers/initializer.ts";
import { resolveInitializer, serializeInitializer } from "../initializers/resolve.ts";
import { add, matmul } from "../ops/index.ts";
import {
  type ActivationFunction,
  type ActivationLike,
  resolveActivation,
  serializeActivation,
} from "./activation-option.ts";
import { LAYER_OPTIONS, type LayerOptions } from "./layer.ts";
import { labelOf } from "./options.ts";
import type { BatchShape } from "./symbolic.ts";
import { UnaryLayer } from "./unary.ts";

import { type ActivityRule, type WeightRules, weightRules } from "./weight-rules.ts";

export interface DenseOptions extends LayerOptions, WeightRules<"kernel" | "bias">, ActivityRule {
  /** Width of the output. */
  units: number;
  /** Default "linear". */
  activation?: ActivationLike;
  /** Default true. */
  useBias?: boolean;
  /** Default "glorotUniform". */
  kernelInitializer?: InitializerLike;
  /** Default "zeros". */
  biasInitializer?: InitializerLike;
}

const DENSE_OPTIONS = [
  ...LAYER_OPTIONS,
  "units",
  "activation",
  "useBias",
  "kernelInitializer",
  "biasInitializer",
  ...weightRules("kernel", "bias"),
  "activityRegularizer",
] as const;

/** Weights: kernel [inputs, units], bias [units]. */
export class Dense extends UnaryLayer {
  static readonly className = "Dense";
  override supportsMasking = true;
  readonly units: number;
  readonly useBias: boolean;
  readonly activation: ActivationLike;
  kernel!: Variable;
  bias: Variable | undefined;
  private readonly activate: ActivationFunction;
  private readonly kernelInitializer: Initializer;
  private readonly biasInitializer: Initializer;

  constructor(options: DenseOptions) {
    const where = labelOf("dense", options);
    const given = checkOptions(where, options, DENSE_OPTIONS);
    super(given);
    this.units = checkInteger(where, "units", given.units, 1);
    this.useBias = checkBoolean(where, "useBias", given.useBias ?? true);
    this.activation = given.activation ?? "linear";
    this.activate = resolveActivation(where, this.activation);
    const initializer = (name: "kernelInitializer" | "biasInitializer", byDefault: string) =>
      resolveInitializer(where, name, given[name] ?? byDefault);
    this.kernelInitializer = initializer("kernelInitializer", "glorotUniform");
    this.biasInitializer = initializer("biasInitializer", "zeros");
  }

  override build(inputShape: BatchShape): void {
    this.checkRank(inputShape, 2);
    const inputs = inputShape.at(-1)!;
    const { units } = this;
    this.kernel = this.addWeight({
      name: "kernel",
      shape: [inputs, units],
      initializer: this.kernelInitializer,
    });
    if (this.useBias)
      this.bias = this.addWeight({ name: "bias", shape: [units], initializer: this.biasInitializer });
  }

  override call(x: Value): Value {
    const inputs = this.kernel.shape[0];
    if (x.shape.at(-1) !== inputs) {
      throw this.error(
        "SHAPE_MISMATCH",
        `expected a last axis of ${inputs}, got shape [${x.shape.join(", ")}]`,
      );
    }
    const y = matmul(x, this.kernel);
    return this.activate(this.bias ? add(y, this.bias) : y);
  }

  override getConfig(): Record<string, unknown> {
    return {
      ...super.getConfig(),
      units: this.units,
      activation: serializeActivation(this.name, this.activation),
      useBias: this.useBias,
      kernelInitializer: serializeInitializer(this.kernelInitializer),
      biasInitializer: serializeInitializer(this.biasInitializer),
    };
  }
}

/**
 * Every output connected to every input: activation(x kernel + bias), over the last axis.
 * [batch, ..., inputs] -> [batch, ..., units].
 * @example layers.dense({ units: 10, activation: "softmax" })
 */
export function dense(options: DenseOptions): Dense {
  return new Dense(options);
}
