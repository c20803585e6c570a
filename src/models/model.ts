// Model: layers connected from inputs to outputs, used as one layer. Everything but training, which src/training adds.

import { type DType, promote } from "../core/dtype.ts";
import { describe, MyelinError, nearest } from "../core/errors.ts";
import { checkInteger, checkOptions } from "../core/options.ts";
import { deriveSeed } from "../core/random.ts";
import { formatShape } from "../core/shape.ts";
import type { Tensor } from "../core/tensor.ts";
import { Value } from "../graph/graph.ts";
import type { Variable } from "../graph/variable.ts";
import { type CallContext, Layer, type NamedVariable } from "../layers/layer.ts";
import { type Mask, maskOf, remasked, setMask } from "../layers/mask.ts";
import { flatten, type Layout, type Nest, pack } from "../layers/nest.ts";
import type { LayerReader } from "../layers/registry.ts";
import { type BatchShape, formatBatchShape, type LayerCall, SymbolicTensor } from "../layers/symbolic.ts";
import { cast, SeedGenerator, withSeedGenerator } from "../ops/index.ts";
import { connectionsConfig, readConnections } from "./connections.ts";
import { type SummaryOptions, summarize } from "./summary.ts";
import { Topology } from "./topology.ts";

/** Options of every model. */
export interface ModelBaseOptions {
  /** Default "model" or "sequential". */
  name?: string;
  /** Rules the starting weights, dropout and the like. Default: follows from `setRandomSeed`, else arbitrary. */
  seed?: number;
  /** Whether its weights take part in training. Default true. */
  trainable?: boolean;
}

export interface ModelOptions extends ModelBaseOptions {
  /** From `input()`: one, a list, or a record by name. */
  inputs: Nest<SymbolicTensor>;
  /** What layers made of them: one, a list, or a record by name. */
  outputs: Nest<SymbolicTensor>;
}

export const MODEL_BASE_OPTIONS = ["name", "seed", "trainable"] as const;

/** One input or output: its name, shape (with nulls) and dtype. */
export interface PortSpec {
  readonly name: string;
  readonly shape: BatchShape;
  readonly dtype: DType;
}

/** What training adds to a saved model; see `Model.getTrainingState`. */
export interface TrainingState {
  readonly config: Readonly<Record<string, unknown>>;
  readonly tensors: Readonly<Record<string, Tensor>>;
}

/** Filled in by src/training: how the optimizer and its state get into and out of files. */
export interface Model {
  /** Null before `compile`. */
  getTrainingState?(): TrainingState | null;
  setTrainingState?(state: TrainingState): void;
  /** @internal The optimizer's state, empty before the first step. */
  getOptimizerVariables?(): readonly Variable[];
  /** @internal Bytes of scratch that predicting one sample needs; undefined where input sizes are open. */
  measurePeakMemory?(): number | undefined;
}

/** True while a model's layers are being traced: models inside it draw from its random source. */
let isInsideModel = false;

// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: training adds its methods, so that models need not import it.
export class Model extends Layer {
  static readonly className: string = "Model";
  /** @internal The state of training, held by src/training. Not enumerable, so that no variables are looked for in it. */
  declare protected trainer: unknown;
  /**
   * What whoever uses the model needs to know beside it: names of classes, how data are prepared. Plain data, saved and
   * loaded with the model. Not enumerable.
   */
  declare metadata: Record<string, unknown>;
  readonly #drawnSeed: number;
  #topology: Topology | undefined;
  #inputLayout: Layout = null;
  #outputLayout: Layout = null;
  #seedGenerator: SeedGenerator | undefined;

  constructor(options: ModelBaseOptions & Partial<ModelOptions>) {
    super({ name: options.name, trainable: options.trainable });
    Object.defineProperty(this, "trainer", { value: undefined, writable: true, enumerable: false });
    Object.defineProperty(this, "metadata", { value: {}, writable: true, enumerable: false });
    if (options.seed !== undefined) this.fixSeed(checkInteger(this.name, "seed", options.seed));
    // Drawn now, so that what a model starts from depends on when it was made and not on when it is first used.
    this.#drawnSeed = super.fallbackSeed();
    if (options.inputs !== undefined || options.outputs !== undefined) {
      this.connect(options.inputs as Nest<SymbolicTensor>, options.outputs as Nest<SymbolicTensor>);
    }
  }

  /** Takes the layers between inputs and outputs as its own. */
  protected connect(inputs: Nest<SymbolicTensor>, outputs: Nest<SymbolicTensor>): void {
    const from = this.#symbolic("inputs", inputs);
    const to = this.#symbolic("outputs", outputs);
    this.#topology = new Topology(this.name, from.leaves, to.leaves);
    this.#inputLayout = from.layout;
    this.#outputLayout = to.layout;
    this.adopt();
    this.built = true;
  }

  protected disconnect(): void {
    this.#topology = undefined;
    this.built = false;
  }

  // ---- what it is made of

  /** The layers, in Keras's order (inputs first). */
  get layers(): readonly Layer[] {
    return this.topology("layers").layers;
  }

  /** A layer by name, or by its index in `layers` (negative counts from the end). @throws INVALID_ARGUMENT */
  getLayer(which: string | number): Layer {
    const { layers } = this;
    const found = typeof which === "number" ? layers.at(which) : layers.find((l) => l.name === which);
    if (found) return found;
    const names = layers.map((l) => l.name);
    const near = typeof which === "string" ? nearest(which, names) : undefined;
    const hint = near ? `; did you mean ${describe(near)}?` : `; it has ${names.join(", ")}`;
    throw this.error("INVALID_ARGUMENT", `getLayer: no layer ${describe(which)}${hint}`);
  }

  /** The symbolic tensors it starts from, in the layout they were given. */
  get inputs(): Nest<SymbolicTensor> {
    return pack(this.topology("inputs").inputs, this.#inputLayout);
  }

  get outputs(): Nest<SymbolicTensor> {
    return pack(this.topology("outputs").outputs, this.#outputLayout);
  }

  /** The inputs in order: the names data may be given by, shapes with nulls, dtypes. */
  get inputSpecs(): PortSpec[] {
    return portSpecs(this.topology("inputSpecs").inputs, this.#inputLayout);
  }

  get outputSpecs(): PortSpec[] {
    return portSpecs(this.topology("outputSpecs").outputs, this.#outputLayout);
  }

  get inputNames(): string[] {
    return this.inputSpecs.map((s) => s.name);
  }

  /** The names of its outputs: of the layers that make them, or the keys when `outputs` was a record. */
  get outputNames(): string[] {
    return this.outputSpecs.map((s) => s.name);
  }

  /** How data and results are laid out: null for one tensor, a count for a list, names for a record. */
  get inputLayout(): Layout {
    this.topology("inputLayout");
    return this.#inputLayout;
  }

  get outputLayout(): Layout {
    this.topology("outputLayout");
    return this.#outputLayout;
  }

  /** The number everything random in the model follows from. */
  get seed(): number {
    return this.resolveSeed();
  }

  /** @internal The seed given to `fit`: rules the starting weights as well while none has been drawn and none was given. */
  offerSeed(seed: number): void {
    if (!this.hasSeed) this.fixSeed(seed);
  }

  /** The source of dropout and other random draws; its state is saved with the model. */
  get seedGenerator(): SeedGenerator {
    this.#seedGenerator ??= new SeedGenerator(deriveSeed(this.seed, 0), `${this.name}/seedGenerator`);
    return this.#seedGenerator;
  }

  // ---- using it

  /**
   * Traces all its layers. Training and prediction go through here.
   * @param x one Value, a list or a record, as the model's inputs
   */
  override call(x: Nest<Value>, context: CallContext, mask?: Mask): Nest<Value> {
    const { leaves, layout } = flatten<Value>(x, (v) => v instanceof Value);
    this.checkInputs(leaves, layout);
    const masks = mask === undefined ? [] : flatten<Value | null>(mask, (m) => m instanceof Value).leaves;
    const masked = leaves.map((v, i) => {
      const own = masks[i];
      return own === undefined || own === maskOf(v) ? v : remasked(v, own);
    });
    return pack(this.callFlat(this.#ordered(pack(masked, layout), masked), context), this.#outputLayout);
  }

  /** The same with flat lists: values in the order of `inputSpecs`, results in that of `outputSpecs`. */
  callFlat(values: readonly Value[], context: CallContext): Value[] {
    const topology = this.topology("call");
    const given = this.inputSpecs.map((spec, i) => this.#fit(spec, values[i]!));
    if (isInsideModel) return topology.run(given, context);
    isInsideModel = true;
    try {
      return withSeedGenerator(this.seedGenerator, () => topology.run(given, context));
    } finally {
      isInsideModel = false;
    }
  }

  /**
   * A table of the layers, their output shapes and numbers of weights, and what a forward pass costs.
   * @returns the table; printed as well unless `print` is false
   */
  summary(options?: SummaryOptions): string {
    return summarize(this, options);
  }

  /** Class and configuration without weights, as plain data; `modelFromJSON` reads it. */
  toJSON(): { className: string; config: Record<string, unknown> } {
    return { className: this.className, config: this.getConfig() };
  }

  /**
   * Writes a folder: model.json (architecture, training configuration) and weights.safetensors (weights, random state
   * and, unless `includeOptimizer` is false, the optimizer's state). Replaces what an earlier save left there.
   * @example await model.save("digits.myelin");
   */
  async save(path: string, options?: { includeOptimizer?: boolean }): Promise<void> {
    const { saveModel } = await import("./saving.ts");
    await saveModel(this, path, options);
  }

  /** Writes the weights alone, as one safetensors file. */
  async saveWeights(path: string): Promise<void> {
    const { saveWeights } = await import("./saving.ts");
    await saveWeights(this, path);
  }

  /** Reads weights that `saveWeights` or `save` wrote. Names, shapes and dtypes must match; nothing changes when they do not. */
  async loadWeights(path: string): Promise<void> {
    const { loadWeights } = await import("./saving.ts");
    await loadWeights(this, path);
  }

  override getConfig(): Record<string, unknown> {
    const { name, trainable, seed } = this;
    const connections = connectionsConfig(this.topology("getConfig"), this.#inputLayout, this.#outputLayout);
    return { name, trainable, seed, ...connections };
  }

  static override fromConfig(config: Readonly<Record<string, unknown>>, read: LayerReader): Layer {
    const { name, trainable, seed, ...connections } = config as ModelBaseOptions & Record<string, unknown>;
    // A subclass that takes the same options is made again as what it is.
    return new this({ name, trainable, seed, ...readConnections(connections, read) });
  }

  // ---- inside

  /** @internal The uses of its layers, in execution order. */
  get layerCalls(): readonly LayerCall[] {
    return this.topology("layerCalls").calls;
  }

  /** @internal What stands in this model for a tensor that a layer was applied to. */
  resolve(t: SymbolicTensor): SymbolicTensor {
    return this.topology("resolve").resolve(t);
  }

  override children(): readonly Layer[] {
    return this.#topology?.layers ?? [];
  }

  override namedRandomState(): NamedVariable[] {
    const { key, counter } = this.seedGenerator;
    const own = [
      { path: "seedGenerator/key", variable: key },
      { path: "seedGenerator/counter", variable: counter },
    ];
    return [...own, ...super.namedRandomState()];
  }

  protected override fallbackSeed(): number {
    return this.#drawnSeed;
  }

  /** The connections. @throws NOT_BUILT for a sequential model that has seen no input shape */
  protected topology(what: string): Topology {
    if (!this.#topology) this.checkBuilt(what);
    return this.#topology!;
  }

  /** What its last layers say of masks holds. */
  protected override get dropsMasks(): boolean {
    return false;
  }

  protected override checkInputs(inputs: readonly unknown[], layout: Layout): void {
    if (!this.built) return;
    const expected = this.#inputLayout;
    const fits = Array.isArray(expected)
      ? Array.isArray(layout) &&
        layout.length === expected.length &&
        expected.every((n) => layout.includes(n))
      : layout === expected;
    if (fits) return;
    const came = Array.isArray(layout)
      ? `a record of ${layout.join(", ")}`
      : layout === null
        ? "one"
        : `a list of ${inputs.length}`;
    throw this.error("INVALID_ARGUMENT", `expected ${this.#describeInputs()}, got ${came}`);
  }

  #describeInputs(): string {
    const { inputNames } = this;
    if (this.#inputLayout === null) return "one input";
    const kind = typeof this.#inputLayout === "number" ? "a list" : "a record";
    return `${kind} of ${inputNames.length} inputs (${inputNames.join(", ")})`;
  }

  #ordered(x: Nest<Value>, leaves: readonly Value[]): readonly Value[] {
    if (!Array.isArray(this.#inputLayout)) return leaves;
    return this.#inputLayout.map((name: string) => (x as { readonly [name: string]: Value })[name]!);
  }

  #fit(spec: PortSpec, value: Value): Value {
    const fits =
      value.rank === spec.shape.length &&
      spec.shape.every((d, axis) => d === null || d === value.shape[axis]);
    if (!fits) {
      throw this.error(
        "SHAPE_MISMATCH",
        `input ${spec.name}: expected shape ${formatBatchShape(spec.shape)}, got ${formatShape(value.shape)}`,
      );
    }
    if (promote(value.dtype, spec.dtype) !== spec.dtype) {
      throw this.error("DTYPE_MISMATCH", `input ${spec.name}: expected ${spec.dtype}, got ${value.dtype}`);
    }
    return value.dtype === spec.dtype ? value : setMask(cast(value, spec.dtype), maskOf(value));
  }

  #symbolic(what: string, nest: Nest<SymbolicTensor>): { leaves: SymbolicTensor[]; layout: Layout } {
    const { leaves, layout } = flatten<SymbolicTensor>(nest, (x) => x instanceof SymbolicTensor);
    const wrong = leaves.find((t) => !(t instanceof SymbolicTensor));
    if (leaves.length > 0 && wrong === undefined && !leaves.includes(undefined as never))
      return { leaves, layout };
    throw new MyelinError(
      "INVALID_ARGUMENT",
      `${this.name}: expected ${what} to be symbolic tensors (from input() and apply), got ${leaves.length === 0 ? "none" : describe(wrong)}`,
    );
  }
}

function portSpecs(tensors: readonly SymbolicTensor[], layout: Layout): PortSpec[] {
  const taken = new Set<string>();
  return tensors.map((t, i) => {
    const base = Array.isArray(layout) ? (layout[i] as string) : t.name;
    let name = base;
    for (let n = 1; taken.has(name); n++) name = `${base}_${n}`;
    taken.add(name);
    return { name, shape: t.shape, dtype: t.dtype };
  });
}

/**
 * A model from its inputs and outputs (functional API). Layers between them become its own; layers may be shared, and
 * models may be used as layers.
 * @example
 * const x = input({ shape: [64] });
 * const hidden = layers.dense({ units: 32, activation: "relu" }).apply(x);
 * const m = model({ inputs: x, outputs: layers.dense({ units: 1 }).apply(hidden) });
 */
export function model(options: ModelOptions): Model {
  const given = checkOptions("model", options, [...MODEL_BASE_OPTIONS, "inputs", "outputs"]);
  for (const name of ["inputs", "outputs"] as const) {
    if (given[name] === undefined)
      throw new MyelinError("INVALID_OPTION", `model: expected ${name}, got none`);
  }
  return new Model(given);
}
