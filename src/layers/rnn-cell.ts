// What a recurrent layer repeats: one step. RnnCell is the base of cells; GatedCell that of the built-in ones, which have
// an input kernel, a recurrent kernel and a bias, and drop parts of inputs and states; RecurrentActivationCell adds the
// activation of the gates.

import { checkBoolean, checkInteger, checkNumber } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import type { Variable } from "../graph/variable.ts";
import type { Initializer, InitializerLike } from "../initializers/initializer.ts";
import { resolveInitializer, serializeInitializer } from "../initializers/resolve.ts";
import {
  concatenate,
  expandDims,
  matmul,
  multiply,
  ones,
  random,
  SeedGenerator,
  split,
  zeros,
} from "../ops/index.ts";
import {
  type ActivationFunction,
  type ActivationLike,
  isActivation,
  resolveActivation,
  serializeActivation,
} from "./activation-option.ts";
import { type CallContext, LAYER_OPTIONS, Layer, type LayerOptions } from "./layer.ts";
import type { Layout, Nest } from "./nest.ts";
import { type BatchShape, isBatchShape } from "./symbolic.ts";
import { type WeightRules, weightRules } from "./weight-rules.ts";

/** How a sequence is worked through. */
export interface SequenceRun {
  readonly mask: Value | undefined;
  readonly goBackwards: boolean;
}

/** All steps at once: outputs [batch, steps, width] at the place of their step, the last one, and the final states. */
export interface SequenceResult {
  readonly outputs: Value;
  readonly last: Value;
  readonly states: readonly Value[];
}

/**
 * Base of cells: what `layers.rnn` repeats over the steps of a sequence. A subclass says how wide its states are and
 * computes one step; weights are made in `build`, which is given the shape of one step's inputs.
 * @example
 * class Leaky extends layers.RnnCell {
 *   readonly stateSize = 8;
 *   readonly inner = layers.dense({ units: 8 });
 *   override call([x, state]: readonly Value[]) {
 *     const next = ops.add(ops.multiply(state, 0.9), this.inner.apply(x));
 *     return [next, next];
 *   }
 * }
 */
export abstract class RnnCell extends Layer {
  /** The width of the state, or of each of several. */
  abstract readonly stateSize: number | readonly number[];

  /** The width of the output. Default: that of the first state. */
  get outputSize(): number {
    return [this.stateSize].flat()[0] as number;
  }

  /** The shape of each state without the batch: [width] unless a cell says otherwise. Known once it is built. */
  get stateShapes(): readonly (readonly number[])[] {
    return ([this.stateSize].flat() as number[]).map((size) => [size]);
  }

  /**
   * One step.
   * @param x the inputs [batch, ...], then the states [batch, size]
   * @returns the output, then the new states
   */
  abstract override call(x: readonly Value[], context: CallContext): readonly Value[];

  /** What a sequence begins with: zeros. */
  getInitialState(batch: number): Value[] {
    return this.stateShapes.map((shape) => zeros([batch, ...shape]));
  }

  /** @internal Draws what stays the same for all steps of a sequence; `endSequence` forgets it. */
  beginSequence(_batch: number, _features: number, _context: CallContext): void {}

  /** @internal */
  endSequence(): void {}

  /** @internal What of a step needs no state, worked out for all steps at once before `call` goes through them. */
  prepareSteps(x: Value): Value {
    return x;
  }

  /** @internal All steps as one op, where the cell has one; undefined: step by step. */
  sequence(
    _x: Value,
    _states: readonly Value[],
    _run: SequenceRun,
    _context: CallContext,
  ): SequenceResult | undefined {
    return undefined;
  }

  protected override checkInputs(inputs: readonly unknown[], layout: Layout): void {
    const states = [this.stateSize].flat().length;
    if (typeof layout === "number" && inputs.length === 1 + states) return;
    throw this.error(
      "INVALID_ARGUMENT",
      `expected a list of the inputs and ${states} state${states > 1 ? "s" : ""}, got ${typeof layout === "number" ? `a list of ${inputs.length}` : "one"}`,
    );
  }
}

export interface GatedCellOptions extends LayerOptions, WeightRules<"kernel" | "recurrent" | "bias"> {
  /** Width of the output and of each state. */
  units: number;
  /** Default "tanh". */
  activation?: ActivationLike;
  /** Default true. */
  useBias?: boolean;
  /** Default "glorotUniform". */
  kernelInitializer?: InitializerLike;
  /** Default "orthogonal". */
  recurrentInitializer?: InitializerLike;
  /** Default "zeros". */
  biasInitializer?: InitializerLike;
  /** Share of the inputs dropped in training, the same ones at every step. Default 0. */
  dropout?: number;
  /** The same for the states. Default 0; otherwise steps are traced one by one, which takes longer to compile and to run. */
  recurrentDropout?: number;
  /** A stream of its own for dropout; default: the model's. */
  seed?: number | null;
}

export const GATED_CELL_OPTIONS = [
  ...LAYER_OPTIONS,
  "units",
  "activation",
  "useBias",
  "kernelInitializer",
  "recurrentInitializer",
  "biasInitializer",
  ...weightRules("kernel", "recurrent", "bias"),
  "dropout",
  "recurrentDropout",
  "seed",
] as const;

const INITIALIZERS = {
  kernelInitializer: "glorotUniform",
  recurrentInitializer: "orthogonal",
  biasInitializer: "zeros",
} as const;

/** Weights: kernel [inputs, gates * units], recurrentKernel [units, gates * units], bias. */
export abstract class GatedCell extends RnnCell {
  readonly units: number;
  readonly activation: ActivationLike;
  readonly useBias: boolean;
  readonly dropout: number;
  readonly recurrentDropout: number;
  readonly seedGenerator: SeedGenerator | undefined;
  kernel!: Variable;
  recurrentKernel!: Variable;
  bias: Variable | undefined;
  protected readonly activate: ActivationFunction;
  protected readonly initializers: Readonly<Record<keyof typeof INITIALIZERS, Initializer>>;
  /** How many parts of `units` columns the kernels have. */
  protected abstract readonly gates: number;
  /** Drawn by `beginSequence`: factors of the inputs and of the states, one or one for each gate; undefined: none. */
  #kept: { inputs?: Value[]; states?: Value[] } | undefined;

  /** @param where names the cell or layer in errors */
  constructor(where: string, options: GatedCellOptions) {
    super(options);
    const share = (name: "dropout" | "recurrentDropout") =>
      checkNumber(where, name, options[name] ?? 0, "in [0, 1)", (r) => r >= 0 && r < 1);
    this.units = checkInteger(where, "units", options.units, 1);
    this.activation = options.activation ?? "tanh";
    this.activate = resolveActivation(where, this.activation);
    this.useBias = checkBoolean(where, "useBias", options.useBias ?? true);
    const made = Object.entries(INITIALIZERS).map(([name, byDefault]) => [
      name,
      resolveInitializer(where, name, options[name as keyof typeof INITIALIZERS] ?? byDefault),
    ]);
    this.initializers = Object.fromEntries(made);
    this.dropout = share("dropout");
    this.recurrentDropout = share("recurrentDropout");
    if (options.seed != null)
      this.seedGenerator = new SeedGenerator(checkInteger(where, "seed", options.seed));
  }

  override build(shape: Nest<BatchShape>): void {
    const inputShape = isBatchShape(shape) ? shape : (shape as readonly BatchShape[])[0]!;
    if (inputShape.length !== 2) {
      throw this.error(
        "SHAPE_MISMATCH",
        `expected inputs [batch, features] at each step, got rank ${inputShape.length}`,
      );
    }
    const { kernelInitializer, recurrentInitializer } = this.initializers;
    const columns = this.gates * this.units;
    this.kernel = this.addWeight({
      name: "kernel",
      shape: [inputShape[1]!, columns],
      initializer: kernelInitializer,
    });
    this.recurrentKernel = this.addWeight({
      name: "recurrentKernel",
      shape: [this.units, columns],
      initializer: recurrentInitializer,
    });
    if (this.useBias) {
      this.bias = this.addWeight({ name: "bias", shape: this.biasShape, initializer: this.biasInitializer });
    }
  }

  protected get biasShape(): number[] {
    return [this.gates * this.units];
  }

  protected get biasInitializer(): Initializer {
    return this.initializers.biasInitializer;
  }

  /** Whether steps have to be worked through one by one: states are dropped, or an activation is not the op's. */
  protected isStepwise(context: CallContext): boolean {
    return (context.training && this.recurrentDropout > 0) || !isActivation(this.activation, "tanh");
  }

  override beginSequence(batch: number, features: number, context: CallContext): void {
    if (!context.training) return;
    // With dropped states Keras drops for each gate by itself.
    const count = this.recurrentDropout > 0 && this.gates > 1 ? this.gates : 1;
    const draw = (width: number, rate: number): Value[] | undefined =>
      rate === 0
        ? undefined
        : Array.from({ length: count }, () =>
            random.dropout(ones([batch, width]), rate, { seed: this.seedGenerator }),
          );
    this.#kept = {
      inputs: draw(features, this.dropout),
      states: draw(this.units, this.recurrentDropout),
    };
  }

  override endSequence(): void {
    this.#kept = undefined;
  }

  /** Inputs of all steps [batch, steps, features] times the kernel, those dropped in training left out. */
  protected project(x: Value): Value {
    const kept = this.#kept?.inputs?.[0];
    return matmul(kept ? multiply(x, expandDims(kept, 1)) : x, this.kernel);
  }

  /** What a step makes of dropped inputs or states: one product with a whole kernel, or one for each gate. */
  protected product(x: Value, kernel: Variable, what: "inputs" | "states"): Value {
    const kept = this.#kept?.[what];
    if (!kept || kept.length === 1) return matmul(kept ? multiply(x, kept[0]!) : x, kernel);
    const parts = split(kernel, kept.length, { axis: 1 });
    return concatenate(
      parts.map((part, gate) => matmul(multiply(x, kept[gate]!), part)),
      { axis: -1 },
    );
  }

  /** States as each gate sees them. */
  protected dropped(state: Value): Value[] {
    const kept = this.#kept?.states;
    return Array.from({ length: this.gates }, (_, i) =>
      kept ? multiply(state, kept[i] ?? kept[0]!) : state,
    );
  }

  /** A step outside of a sequence draws for itself. */
  protected step(
    x: readonly Value[],
    context: CallContext,
    compute: () => readonly Value[],
  ): readonly Value[] {
    if (this.#kept || !context.training) return compute();
    this.beginSequence(x[0]!.shape[0]!, x[0]!.shape.at(-1)!, context);
    try {
      return compute();
    } finally {
      this.endSequence();
    }
  }

  override getConfig(): Record<string, unknown> {
    const initializers = Object.entries(this.initializers).map(([k, v]) => [k, serializeInitializer(v)]);
    return {
      ...super.getConfig(),
      units: this.units,
      activation: serializeActivation(this.name, this.activation),
      useBias: this.useBias,
      ...Object.fromEntries(initializers),
      dropout: this.dropout,
      recurrentDropout: this.recurrentDropout,
      seed: this.seedGenerator?.seed ?? null,
    };
  }
}

export interface RecurrentActivationOptions {
  /** Of the gates. Default "sigmoid". */
  recurrentActivation?: ActivationLike;
}

export const RECURRENT_ACTIVATION_OPTIONS = [...GATED_CELL_OPTIONS, "recurrentActivation"] as const;

/** The biases of an LSTM's gates i, f, c and o, where that of the forget gate begins at 1. */
export function forgetBias(others: Initializer, units: number): Initializer {
  return {
    className: others.className,
    getConfig: () => others.getConfig(),
    make: (shape, dtype, random) => others.make(shape, dtype, random).fill(1, units, 2 * units),
  };
}

/** A cell whose gates have an activation of their own: the base of LSTM and GRU. */
export abstract class RecurrentActivationCell extends GatedCell {
  readonly recurrentActivation: ActivationLike;
  protected readonly activateGate: ActivationFunction;

  constructor(where: string, options: GatedCellOptions & RecurrentActivationOptions) {
    super(where, options);
    this.recurrentActivation = options.recurrentActivation ?? "sigmoid";
    this.activateGate = resolveActivation(where, this.recurrentActivation);
  }

  protected override isStepwise(context: CallContext): boolean {
    return super.isStepwise(context) || !isActivation(this.recurrentActivation, "sigmoid");
  }

  override getConfig(): Record<string, unknown> {
    const recurrentActivation = serializeActivation(this.name, this.recurrentActivation);
    return { ...super.getConfig(), recurrentActivation };
  }
}
