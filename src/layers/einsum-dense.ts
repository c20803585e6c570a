// EinsumDense: a dense layer over any axes, told in Einstein's notation. The sizes of its kernel follow from the equation,
// the input and the output shape.

import { describe, MyelinError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import type { Variable } from "../graph/variable.ts";
import type { Initializer, InitializerLike } from "../initializers/initializer.ts";
import { resolveInitializer, serializeInitializer } from "../initializers/resolve.ts";
import { add, einsum } from "../ops/index.ts";
import {
  type ActivationFunction,
  type ActivationLike,
  resolveActivation,
  serializeActivation,
} from "./activation-option.ts";
import { LAYER_OPTIONS, type LayerOptions } from "./layer.ts";
import { labelOf } from "./options.ts";
import { type BatchShape, formatBatchShape, isBatchShape } from "./symbolic.ts";
import { UnaryLayer } from "./unary.ts";

import { type ActivityRule, type WeightRules, weightRules } from "./weight-rules.ts";

export interface EinsumDenseOptions extends LayerOptions, WeightRules<"kernel" | "bias">, ActivityRule {
  /** Of input, kernel and output: "ab,bc->ac", "...ab,bc->...ac" or "ab...,bc->ac...". */
  equation: string;
  /** Of the output, without the batch axis and without the axes of an ellipsis; null for sizes the input says. */
  outputShape: number | BatchShape;
  /** Default "linear". */
  activation?: ActivationLike;
  /** Letters of the output that have a bias of their own, e.g. "c". Default: no bias. */
  biasAxes?: string | null;
  /** Default "glorotUniform". */
  kernelInitializer?: InitializerLike;
  /** Default "zeros". */
  biasInitializer?: InitializerLike;
}

const EINSUM_DENSE_OPTIONS = [
  ...LAYER_OPTIONS,
  "equation",
  "outputShape",
  "activation",
  "biasAxes",
  "kernelInitializer",
  "biasInitializer",
  ...weightRules("kernel", "bias"),
  "activityRegularizer",
] as const;

const FORM =
  /^(?:([a-zA-Z]+),([a-zA-Z]+)->([a-zA-Z]+)|\.\.\.([a-zA-Z]+),([a-zA-Z]+)->\.\.\.([a-zA-Z]+)|([a-zA-Z]+)\.\.\.,([a-zA-Z]+)->([a-zA-Z]+)\.\.\.)$/;

interface Equation {
  readonly input: string;
  readonly kernel: string;
  readonly output: string;
  readonly ellipsis: "none" | "left" | "right";
}

function parse(where: string, equation: unknown): Equation {
  const parts = typeof equation === "string" ? FORM.exec(equation.replaceAll(" ", "")) : null;
  if (!parts) {
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected equation to be like "ab,bc->ac", "...ab,bc->...ac" or "ab...,bc->ac...", got ${describe(equation)}`,
    );
  }
  const at = parts[1] ? 1 : parts[4] ? 4 : 7;
  const [input, kernel, output] = parts.slice(at, at + 3) as [string, string, string];
  for (const letter of output) {
    if (!input.includes(letter) && !kernel.includes(letter)) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: "${equation}" has output axis "${letter}" from nowhere`,
      );
    }
  }
  for (const letter of kernel) {
    if (!input.includes(letter) && !output.includes(letter)) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: "${equation}" has kernel axis "${letter}" in neither input nor output`,
      );
    }
  }
  return { input, kernel, output, ellipsis: at === 1 ? "none" : at === 4 ? "left" : "right" };
}

/** Weights: kernel, of the sizes of its letters; bias, of those of biasAxes and 1 for other axes after the first of them. */
export class EinsumDense extends UnaryLayer {
  static readonly className = "EinsumDense";
  override supportsMasking = true;
  readonly equation: string;
  readonly outputShape: BatchShape;
  readonly biasAxes: string | null;
  readonly activation: ActivationLike;
  kernel!: Variable;
  bias: Variable | undefined;
  private readonly parsed: Equation;
  private readonly activate: ActivationFunction;
  private readonly kernelInitializer: Initializer;
  private readonly biasInitializer: Initializer;

  constructor(options: EinsumDenseOptions) {
    const where = labelOf("einsumDense", options);
    const given = checkOptions(where, options, EINSUM_DENSE_OPTIONS);
    super(given);
    this.parsed = parse(where, given.equation);
    this.equation = given.equation;
    const shape = typeof given.outputShape === "number" ? [given.outputShape] : given.outputShape;
    if (!isBatchShape(shape)) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected outputShape to be a size or a list of sizes and nulls, got ${describe(given.outputShape)}`,
      );
    }
    this.outputShape = shape;
    const { output, ellipsis } = this.parsed;
    const expected = output.length - (ellipsis === "left" ? 0 : 1);
    if (shape.length !== expected) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected an outputShape of ${expected} sizes for "${given.equation}", got ${formatBatchShape(shape)}`,
      );
    }
    this.biasAxes = given.biasAxes ?? null;
    const isLetters = typeof this.biasAxes === "string" && this.biasAxes !== "";
    if (this.biasAxes !== null && !(isLetters && [...this.biasAxes].every((c) => output.includes(c)))) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected biasAxes to be letters of the output "${output}", got ${describe(this.biasAxes)}`,
      );
    }
    this.activation = given.activation ?? "linear";
    this.activate = resolveActivation(where, this.activation);
    const initializer = (name: "kernelInitializer" | "biasInitializer", byDefault: string) =>
      resolveInitializer(where, name, given[name] ?? byDefault);
    this.kernelInitializer = initializer("kernelInitializer", "glorotUniform");
    this.biasInitializer = initializer("biasInitializer", "zeros");
  }

  override build(inputShape: BatchShape): void {
    const { kernel, output, ellipsis } = this.parsed;
    const elided = this.checkInput(inputShape);
    const sizes = this.sizesOf(inputShape, elided);
    const total = (isOutput: boolean) =>
      [...kernel].filter((c) => output.includes(c) === isOutput).reduce((n, c) => n * (sizes.get(c) ?? 1), 1);
    const fans = { fanIn: total(false), fanOut: total(true) };
    const { kernelInitializer: rule } = this;
    this.kernel = this.addWeight({
      name: "kernel",
      shape: [...kernel].map((c) => sizes.get(c)!),
      initializer: {
        className: rule.className,
        getConfig: () => rule.getConfig(),
        make: (shape, dtype, random) => rule.make(shape, dtype, random, fans),
      },
    });
    if (this.biasAxes === null) return;
    const axes = this.biasAxes;
    const first = Math.min(...[...axes].map((c) => output.indexOf(c)));
    const shape = [...output.slice(first)].map((c) => (axes.includes(c) ? sizes.get(c)! : 1));
    if (ellipsis === "right") shape.push(...new Array<number>(elided).fill(1));
    this.bias = this.addWeight({ name: "bias", shape, initializer: this.biasInitializer });
  }

  /** Of every letter; null where nobody says. */
  private sizesOf(inputShape: BatchShape, elided: number): Map<string, number | null> {
    const { input, output, ellipsis } = this.parsed;
    const from = ellipsis === "left" ? elided : 0;
    const sizes = new Map([...input].map((c, i) => [c, inputShape[from + i]!]));
    const batch = ellipsis === "left" ? [] : [inputShape[0]!];
    const outputSizes = [...batch, ...this.outputShape];
    [...output].forEach((c, i) => {
      const [own, given] = [sizes.get(c) ?? null, outputSizes[i]!];
      if (own !== null && given !== null && own !== given) {
        throw this.error(
          "SHAPE_MISMATCH",
          `expected ${given} for axis "${c}" of ${this.equation}, got ${own}`,
        );
      }
      sizes.set(c, given ?? own);
    });
    return sizes;
  }

  /** @returns how many axes the ellipsis stands for */
  private checkInput(shape: BatchShape): number {
    const { input, ellipsis } = this.parsed;
    this.checkRank(
      shape,
      input.length + (ellipsis === "left" ? 1 : 0),
      ellipsis === "none" ? input.length : 8,
    );
    return shape.length - input.length;
  }

  override call(x: Value): Value {
    const y = einsum(this.equation, x, this.kernel);
    return this.activate(this.bias ? add(y, this.bias) : y);
  }

  override getConfig(): Record<string, unknown> {
    return {
      ...super.getConfig(),
      equation: this.equation,
      outputShape: this.outputShape,
      activation: serializeActivation(this.name, this.activation),
      biasAxes: this.biasAxes,
      kernelInitializer: serializeInitializer(this.kernelInitializer),
      biasInitializer: serializeInitializer(this.biasInitializer),
    };
  }
}

/**
 * activation(einsum(equation, x, kernel) + bias): a dense layer over axes of one's choice.
 * @example layers.einsumDense({ equation: "abc,cd->abd", outputShape: [null, 64], biasAxes: "d" })   // [32, 10, 16] -> [32, 10, 64]
 */
export function einsumDense(options: EinsumDenseOptions): EinsumDense {
  return new EinsumDense(options);
}
