// What a layer has, apart from what it does: a name, weights and their values, the layers inside it, a seed. Layer
// (layer.ts) adds building, calling and applying.

import { type ConstraintLike, get as getConstraint } from "../constraints/constraint.ts";
import type { DType } from "../core/dtype.ts";
import { describe, type ErrorCode, MyelinError } from "../core/errors.ts";
import { checkBoolean, checkOneOf, checkOptions } from "../core/options.ts";
import { deriveSeed, Random } from "../core/random.ts";
import { checkShape, formatShape, sameShape, sizeOf } from "../core/shape.ts";
import { Tensor, type TensorLike, tensor } from "../core/tensor.ts";
import { currentScope, isTracing } from "../graph/trace.ts";
import { Variable } from "../graph/variable.ts";
import type { InitializerLike } from "../initializers/initializer.ts";
import { resolveInitializer } from "../initializers/resolve.ts";
import { currentSeedGenerator } from "../ops/random.ts";
import { get as getRegularizer, type RegularizerLike } from "../regularizers/regularizer.ts";
import type { Layer } from "./layer.ts";
import { labelOf } from "./options.ts";
import { classNameOf, type LayerClass } from "./registry.ts";
import { type BatchShape, checkBatchShape, isBatchShape } from "./symbolic.ts";
import { findHeld, type Held } from "./tracking.ts";
import { RuleSet } from "./weight-rules.ts";

/** Options every layer takes. */
export interface LayerOptions {
  /** Unique within a model; default: the class's name with a number. */
  name?: string;
  /** Whether its weights take part in training. Default true. */
  trainable?: boolean;
  /** Dtype of its weights; float32 is the working type. */
  dtype?: "float32";
  /** Shape of one sample, for the first layer of a sequential model. */
  inputShape?: BatchShape;
  /** The same with the batch axis in front (null: any). */
  batchInputShape?: BatchShape;
}

export const LAYER_OPTIONS = ["name", "trainable", "dtype", "inputShape", "batchInputShape"] as const;

export interface WeightOptions {
  /** Unique within the layer. */
  name: string;
  /** All sizes known; [] for a scalar. */
  shape: BatchShape;
  /** Default "glorotUniform" for float32, "zeros" otherwise. */
  initializer?: InitializerLike;
  /** Default true for float32, false otherwise. */
  trainable?: boolean;
  /** Default float32. */
  dtype?: DType;
  /** A penalty added to the loss. Default: what the layer's options say for a weight of this name. */
  regularizer?: RegularizerLike | null;
  /** What the weight is brought back to after every step. Default: what the layer's options say. */
  constraint?: ConstraintLike | null;
}

/** A variable and its place below a layer or model, e.g. "encoder/dense/kernel". */
export interface NamedVariable {
  readonly path: string;
  readonly variable: Variable;
}

/** See Layer; nothing else extends it. */
export abstract class LayerBase {
  /** True once its weights exist. */
  built = false;

  readonly #options: LayerOptions;
  readonly #rules: RuleSet;
  #name: string;
  #isAutoNamed: boolean;
  #trainable: boolean;
  #owner: LayerBase | null = null;
  #seed: number | undefined;
  readonly #weights: { readonly name: string; readonly variable: Variable }[] = [];

  /** Reads the options all layers have and leaves others to the subclass. */
  constructor(options: LayerOptions = {}) {
    const { name, trainable = true, dtype = "float32", inputShape, batchInputShape } = options;
    const where = labelOf(this.baseName(), options);
    if (name !== undefined) checkName(where, name);
    checkOneOf(where, "dtype", dtype, ["float32"]);
    if (inputShape !== undefined) checkBatchShape(`${where}, inputShape`, inputShape);
    if (batchInputShape !== undefined) checkBatchShape(`${where}, batchInputShape`, batchInputShape);
    if (inputShape && batchInputShape) {
      throw new MyelinError("INVALID_OPTION", `${where}: expected inputShape or batchInputShape, got both`);
    }
    this.#rules = new RuleSet(where, options);
    this.#options = { dtype, inputShape, batchInputShape };
    this.#isAutoNamed = name === undefined;
    this.#name = name ?? this.baseName();
    this.#trainable = checkBoolean(where, "trainable", trainable);
  }

  get name(): string {
    return this.#name;
  }

  /** Name of the class, as files and summaries show it. */
  get className(): string {
    return classNameOf(this.constructor as unknown as LayerClass);
  }

  get dtype(): DType {
    return this.#options.dtype!;
  }

  /** What `inputShape` or `batchInputShape` said, with the batch axis; undefined when neither was given. */
  get batchInputShape(): BatchShape | undefined {
    const { inputShape, batchInputShape } = this.#options;
    return batchInputShape ?? (inputShape ? [null, ...inputShape] : undefined);
  }

  /** Whether its weights take part in training. Setting it sets all layers inside, too. Takes effect with the next `compile`. */
  get trainable(): boolean {
    return this.#trainable;
  }
  set trainable(trainable: boolean) {
    this.#trainable = checkBoolean(this.name, "trainable", trainable);
    for (const layer of this.#everyLayer()) layer.#trainable = trainable;
  }

  /** @internal Which layers from here down are trainable. */
  trainableState(): ReadonlyMap<LayerBase, boolean> {
    return new Map([this, ...this.#everyLayer()].map((layer) => [layer, layer.#trainable]));
  }

  /** @internal Runs `fn` while the layers are trainable as `state` has it, whatever they have been set to since. */
  withTrainableState<T>(state: ReadonlyMap<LayerBase, boolean>, fn: () => T): T {
    const now = this.trainableState();
    for (const layer of now.keys()) layer.#trainable = state.get(layer) ?? layer.#trainable;
    try {
      return fn();
    } finally {
      for (const [layer, trainable] of now) layer.#trainable = trainable;
    }
  }

  /** Makes a weight. Only before the layer is built, that is in `build` or the constructor. */
  addWeight(options: WeightOptions): Variable {
    const where = `${this.path}, addWeight`;
    const { name, shape, dtype = "float32", ...rest } = checkOptions(where, options, WEIGHT_OPTIONS);
    checkName(where, name);
    if (this.built)
      throw this.error("INVALID_ARGUMENT", `weight ${name} comes after build; make all weights there`);
    if (this.#weights.some((w) => w.name === name)) {
      throw this.error("INVALID_ARGUMENT", `expected distinct weight names, got ${describe(name)} twice`);
    }
    if (isBatchShape(shape) && shape.includes(null)) {
      throw this.error(
        "SHAPE_MISMATCH",
        `weight ${name}: expected a known shape, got ${formatShape(shape)}; that size of the input must be given`,
      );
    }
    const fixed = checkShape(`${where}: ${name}`, shape) as number[];
    const trainable = checkBoolean(where, "trainable", rest.trainable ?? dtype === "float32");
    if (trainable && dtype !== "float32") {
      throw this.error(
        "DTYPE_MISMATCH",
        `weight ${name}: expected float32 for a trainable weight, got ${dtype}`,
      );
    }
    const like = rest.initializer ?? (dtype === "float32" ? "glorotUniform" : "zeros");
    const initializer = resolveInitializer(`${this.path}, ${name}`, "initializer", like);
    const stream = this.#weights.length;
    const { regularizer, constraint } = rest;
    const variable = new Variable(fixed, dtype, {
      name: `${this.name}/${name}`,
      trainable,
      regularizer: regularizer
        ? getRegularizer(regularizer, where, "regularizer")
        : this.#rules.regularizerOf(name),
      constraint: constraint
        ? getConstraint(constraint, where, "constraint")
        : this.#rules.constraintOf(name),
      // Drawn when first needed, from the seed of the model the layer is in by then.
      initial: () => initializer.make(fixed, dtype, new Random(this.resolveSeed(), stream)),
    });
    this.#weights.push({ name, variable });
    return variable;
  }

  /** Regularizers and constraints it was given. */
  protected get rules(): RuleSet {
    return this.#rules;
  }

  // ---- weights

  /** All weights: its own (trainable ones first), then those of layers inside. Each once. */
  get weights(): Variable[] {
    return this.namedWeights().map((w) => w.variable);
  }

  get trainableWeights(): Variable[] {
    const trained = new Set<Variable>();
    for (const layer of [this, ...this.#everyLayer((l) => l.#trainable)]) {
      if (!layer.#trainable) continue;
      for (const { variable } of layer.#ownWeights()) if (variable.trainable) trained.add(variable);
    }
    return this.weights.filter((v) => trained.has(v));
  }

  get nonTrainableWeights(): Variable[] {
    const trained = new Set(this.trainableWeights);
    return this.weights.filter((v) => !trained.has(v));
  }

  /** The weights with their paths below this layer, in the order of `weights`. */
  namedWeights(): NamedVariable[] {
    return this.#collect((layer) => layer.#ownWeights());
  }

  /**
   * What this layer and those inside carry from one step to the next besides weights: random generators (dropout with its
   * own seed), the states of stateful layers. Not weights, but saved.
   */
  namedRandomState(): NamedVariable[] {
    return this.#collect((layer) => layer.carriedState());
  }

  /** @internal This layer's own share of `namedRandomState`. */
  carriedState(): { name: string; variable: Variable }[] {
    return this.#held().generators.flatMap(({ name, generator }) => [
      { name: `${name}/key`, variable: generator.key },
      { name: `${name}/counter`, variable: generator.counter },
    ]);
  }

  /** How many numbers its weights hold. @throws NOT_BUILT */
  countParams(): number {
    this.checkBuilt("countParams");
    return this.weights.reduce((sum, w) => sum + sizeOf(w.shape), 0);
  }

  /** The values of `weights`, in that order. @throws NOT_BUILT */
  getWeights(): Tensor[] {
    this.checkBuilt("getWeights");
    return this.weights.map((w) => w.read());
  }

  /**
   * Sets all weights, in the order of `weights`; shapes and dtypes must match. Nothing changes when one does not.
   * @param values Tensors, or nested arrays of numbers
   */
  setWeights(values: readonly TensorLike[]): void {
    this.checkBuilt("setWeights");
    const weights = this.namedWeights();
    if (!Array.isArray(values) || values.length !== weights.length) {
      const came = Array.isArray(values) ? values.length : describe(values);
      throw this.error("INVALID_ARGUMENT", `setWeights: expected ${weights.length} tensors, got ${came}`);
    }
    const checked = weights.map(({ path, variable }, i) => {
      const given = values[i] as TensorLike;
      const value =
        given instanceof Tensor || ArrayBuffer.isView(given)
          ? tensor(given)
          : tensor(given, undefined, variable.dtype);
      if (value.dtype !== variable.dtype || !sameShape(value.shape, variable.shape)) {
        throw this.error(
          value.dtype === variable.dtype ? "SHAPE_MISMATCH" : "DTYPE_MISMATCH",
          `setWeights, ${path}: expected ${variable.dtype}${formatShape(variable.shape)}, got ${value.dtype}${formatShape(value.shape)}`,
        );
      }
      return value;
    });
    weights.forEach(({ variable }, i) => {
      variable.write(checked[i]!);
    });
  }

  // ---- for containers

  /** @internal The layers directly inside: here those held as properties; containers say their own. */
  children(): readonly Layer[] {
    return this.#held().layers.filter((l) => !this.#isBelow(l));
  }

  /** @internal Becomes the owner of the layers inside (their seeds and names follow from it) and makes names unique. */
  adopt(): void {
    this.#adopt(new Set());
  }

  /** @internal The seed its weights are drawn from: fixed on first need, derived from the owner's when there is one. */
  resolveSeed(): number {
    this.#seed ??= this.#owner
      ? deriveSeed(this.#owner.resolveSeed(), this.#owner.positionOf(this) + 1)
      : this.fallbackSeed();
    return this.#seed;
  }

  private positionOf(child: LayerBase): number {
    return (this.children() as readonly LayerBase[]).indexOf(child);
  }

  protected fixSeed(seed: number): void {
    this.#seed = seed;
  }

  /** Whether its seed is settled: given, or asked for. */
  protected get hasSeed(): boolean {
    return this.#seed !== undefined;
  }

  protected fallbackSeed(): number {
    return currentSeedGenerator().nextSeed();
  }

  /** The automatic name before numbers: the class's name as its factory has it, `dense`, `conv2dTranspose`. */
  protected baseName(): string {
    const name = this.className.replace(/(?<=\d)D(?![a-z])/, "d");
    return name.charAt(0).toLowerCase() + name.slice(1);
  }

  /** Where we are for error messages: the path of layers being traced, or this layer's name. */
  protected get path(): string {
    return (isTracing() && currentScope()) || this.name;
  }

  protected error(code: ErrorCode, message: string): MyelinError {
    return new MyelinError(code, `${this.path}: ${message}`);
  }

  protected checkBuilt(what: string): void {
    if (this.built) return;
    throw new MyelinError(
      "NOT_BUILT",
      `${this.name}: ${what} needs weights, which exist once the input shape is known: give the first layer an inputShape, call build, or use the layer on data`,
    );
  }

  /** How many weights it has made itself; `dropWeights` goes back to such a number when a build fails. */
  protected get weightCount(): number {
    return this.#weights.length;
  }

  protected dropWeights(count: number): void {
    this.#weights.length = count;
  }

  #held(): Held<Layer> {
    return findHeld<Layer>(this, (x): x is Layer => x instanceof LayerBase);
  }

  #ownWeights(): { name: string; variable: Variable }[] {
    const added = new Set(this.#weights.map((w) => w.variable));
    const assigned = this.#held().variables.filter((v) => !added.has(v.variable));
    const all = [...this.#weights, ...assigned];
    return [...all.filter((w) => w.variable.trainable), ...all.filter((w) => !w.variable.trainable)];
  }

  #isBelow(other: LayerBase): boolean {
    for (let l: LayerBase | null = this; l; l = l.#owner) if (l === other) return true;
    return false;
  }

  /** Every layer below this one, each once, parents first; `into` limits which are entered and returned. */
  #everyLayer(
    into: (layer: LayerBase) => boolean = () => true,
    seen = new Set<LayerBase>([this]),
  ): LayerBase[] {
    const fresh: LayerBase[] = [];
    for (const child of this.children()) {
      if (seen.has(child) || !into(child)) continue;
      seen.add(child);
      fresh.push(child, ...child.#everyLayer(into, seen));
    }
    return fresh;
  }

  /** Variables of this layer and those below with their paths, each variable once. */
  #collect(own: (layer: LayerBase) => readonly { name: string; variable: Variable }[]): NamedVariable[] {
    const found = new Map<Variable, string>();
    const seen = new Set<LayerBase>();
    const visit = (layer: LayerBase, prefix: string): void => {
      if (seen.has(layer)) return;
      seen.add(layer);
      for (const { name, variable } of own(layer))
        if (!found.has(variable)) found.set(variable, prefix + name);
      for (const child of layer.children()) visit(child, `${prefix}${child.name}/`);
    };
    visit(this, "");
    return [...found].map(([variable, path]) => ({ path, variable }));
  }

  #adopt(seen: Set<LayerBase>): void {
    if (seen.has(this)) return;
    seen.add(this);
    const children = this.children();
    const taken = new Map<string, LayerBase>();
    const isFirst = (child: LayerBase) => {
      if (taken.has(child.#name)) return false;
      taken.set(child.#name, child);
      return true;
    };
    for (const child of children) {
      if (child.#isAutoNamed || isFirst(child)) continue;
      throw this.error(
        "INVALID_ARGUMENT",
        `expected distinct layer names, got two layers called ${describe(child.#name)}`,
      );
    }
    // Layers that already are in a model keep the names they have there if they can.
    const auto = children.filter((c) => c.#isAutoNamed);
    for (const child of [...auto.filter((c) => c.#owner), ...auto.filter((c) => !c.#owner)]) {
      const base = child.baseName();
      for (let n = 0; !isFirst(child); n++) child.#rename(n === 0 ? base : `${base}_${n}`);
      child.#owner ??= this;
    }
    for (const child of children) {
      child.#owner ??= this;
      child.#adopt(seen);
    }
  }

  #rename(name: string): void {
    this.#name = name;
    for (const w of this.#weights) w.variable.name = `${name}/${w.name}`;
  }
}

const WEIGHT_OPTIONS = [
  "name",
  "shape",
  "initializer",
  "trainable",
  "dtype",
  "regularizer",
  "constraint",
] as const;

/** Names become paths and file keys: no slash, no control characters, not reserved. */
function checkName(where: string, name: unknown): string {
  const ok = typeof name === "string" && /^[^/$\p{Cc}][^/\p{Cc}]{0,199}$/u.test(name) && name !== "__proto__";
  if (!ok) {
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected name to be 1 to 200 characters without "/" and not starting with "$", got ${describe(name)}`,
    );
  }
  return name as string;
}
