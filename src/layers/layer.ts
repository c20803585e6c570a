// The base of everything a model is made of: named weights, made once by `build`; a `call` written with ops; and
// `apply`, which uses the layer on symbolic tensors (functional API) or on Values (inside another layer's call).

import type { DType } from "../core/dtype.ts";
import { describe } from "../core/errors.ts";
import { checkBoolean, checkOptions } from "../core/options.ts";
import { Value } from "../graph/graph.ts";
import { isTracing, withScope } from "../graph/trace.ts";
import { Variable } from "../graph/variable.ts";
import { divide } from "../ops/index.ts";
import type { Regularizer } from "../regularizers/regularizer.ts";
import { addLoss } from "./added-losses.ts";
import { LayerBase, type LayerOptions } from "./base.ts";
import { inferSpecs } from "./infer.ts";
import { checkInputSpec, type InputSpec } from "./input-spec.ts";
import { type Mask, maskOf, remasked, setMask } from "./mask.ts";
import { flatten, type Layout, type Nest, pack } from "./nest.ts";
import type { LayerClass, LayerReader } from "./registry.ts";
import {
  type BatchShape,
  checkBatchShape,
  isBatchShape,
  type LayerCall,
  SymbolicTensor,
  type TensorSpec,
} from "./symbolic.ts";

export { LAYER_OPTIONS, type LayerOptions, type NamedVariable, type WeightOptions } from "./base.ts";

/** What a call may depend on besides its inputs. */
export interface CallContext {
  /** True in a training step: dropout drops, batch statistics move. */
  readonly training: boolean;
}

/** What `apply` takes beside inputs; layers may know more (`callOptions`). Plain data: models save it with the call. */
export interface CallOptions {
  /** Instead of the mode of the enclosing call: false for a layer that is to stay as it is in training. */
  readonly training?: boolean;
}

const INFERENCE: CallContext = { training: false };

/** The context of the call being traced; calls of sub-layers take it over. */
let currentContext = INFERENCE;

/**
 * Base class of layers. A subclass makes weights in `build` and computes in `call`; gradients, shapes, saving and
 * training follow by themselves.
 * @example
 * class Scale extends Layer {
 *   factor!: Variable;
 *   override build(inputShape: BatchShape) {
 *     this.factor = this.addWeight({ name: "factor", shape: inputShape.slice(-1), initializer: "ones" });
 *   }
 *   override call(x: Value) {
 *     return ops.multiply(x, this.factor);
 *   }
 * }
 */
export abstract class Layer extends LayerBase {
  /**
   * Whether a mask that comes with an input goes on with the output, as `computeMask` has it. A layer that says no drops
   * it and warns. Default: whether the class has a `computeMask` of its own.
   */
  supportsMasking: boolean = this.computeMask !== Layer.prototype.computeMask;
  /**
   * What its inputs must be like, one for each; checked before every call. A subclass may set it, also in `build`.
   * @example override inputSpec = new layers.InputSpec({ ndim: 3 });
   */
  inputSpec: InputSpec | readonly InputSpec[] | { readonly [name: string]: InputSpec } | null = null;
  readonly #calls: LayerCall[] = [];
  #hasWarned = false;

  /** Reads the options all layers have and leaves others to the subclass. */
  constructor(options: LayerOptions = {}) {
    super(options);
    // Calling a subclass's build once, checking its shape and marking the layer as built happens here whoever calls it:
    // as in Keras, a layer's build may call its sub-layers' build.
    const build = this.build;
    Object.defineProperty(this, "build", {
      configurable: true,
      writable: true,
      value: (inputShape: Nest<BatchShape>, dtype?: Nest<DType>) => this.#buildOnce(inputShape, dtype, build),
    });
  }

  // ---- what subclasses write

  /**
   * Makes the weights with `addWeight`. Called once, before the first call.
   * @param inputShape with the batch axis (null) in front; for several inputs a list or record of shapes
   * @param dtype of the inputs, in the same layout; undefined means float32
   */
  build(_inputShape: Nest<BatchShape>, _dtype?: Nest<DType>): void {}

  /**
   * Computes the outputs with ops. Runs once per input shape and mode, on symbolic Values.
   * @param context the mode, and the options of this use of the layer (`callOptions`)
   * @param mask what came with the inputs, in their layout: bool [batch, steps], or null
   */
  abstract call(x: Nest<Value>, context: CallContext, mask: Mask): Nest<Value>;

  /**
   * The mask of the output, or one for each of several; here that of the input. Asked only where `supportsMasking`.
   * @param mask what came with the inputs, in their layout
   */
  computeMask(_x: Nest<Value>, mask: Mask): Mask {
    return mask;
  }

  /**
   * Inside `call`: a loss of the layer's own, a float32 scalar, added to what compile's losses come to, in training and in
   * evaluation.
   */
  addLoss(loss: Value): void {
    if (loss instanceof Value && loss.rank === 0 && loss.dtype === "float32") {
      addLoss(loss);
      return;
    }
    throw this.error("INVALID_ARGUMENT", `addLoss: expected a float32 scalar, got ${describe(loss)}`);
  }

  /** The options that make an equal layer: what the constructor takes, as plain data. */
  getConfig(): Record<string, unknown> {
    const rules = this.rules.getConfig(this.name);
    return { name: this.name, trainable: this.trainable, dtype: this.dtype, ...rules };
  }

  /** Makes a layer from `getConfig()`'s result. */
  static fromConfig(config: Readonly<Record<string, unknown>>, _read: LayerReader): Layer {
    // biome-ignore lint/complexity/noThisInStatic: `this` is the subclass that was asked.
    return new (this as unknown as LayerClass)(config);
  }

  // ---- using a layer

  /**
   * Uses the layer: on symbolic tensors it returns symbolic tensors (functional API); on Values, inside another
   * layer's `call` or a compiled function, it returns Values. Builds the layer when needed. A layer may be used many
   * times; its weights are shared.
   * @param options of this use; default: the mode of the enclosing call, or inference
   * @param mask instead of what came with the Values; null: none
   * @example const y = layers.dense({ units: 8 }).apply(input({ shape: [64] }));
   */
  apply<R extends Nest<SymbolicTensor> = SymbolicTensor>(x: Nest<SymbolicTensor>, options?: CallOptions): R;
  apply<R extends Nest<Value> = Value>(x: Nest<Value>, options?: CallOptions, mask?: Mask): R;
  apply(
    x: Nest<SymbolicTensor> | Nest<Value>,
    options?: CallOptions,
    mask?: Mask,
  ): Nest<SymbolicTensor> | Nest<Value> {
    const given = this.#checkCall(options);
    const isLeaf = (v: unknown) => v instanceof SymbolicTensor || v instanceof Value || v instanceof Variable;
    const { leaves, layout } = flatten<unknown>(x as Nest<unknown>, isLeaf);
    this.checkInputs(leaves, layout);
    if (this.inputSpec) checkInputSpec(this.path, this.inputSpec, leaves, layout);
    if (leaves.length > 0 && leaves.every((v) => v instanceof SymbolicTensor)) {
      return this.#applySymbolic(leaves as SymbolicTensor[], layout, given);
    }
    if (leaves.length > 0 && leaves.every((v) => v instanceof Value)) {
      const values = leaves as Value[];
      // Axis 0 is the batch: weights never depend on it.
      const specs = values.map((v) => ({
        dtype: v.dtype,
        shape: v.shape.map((d, axis) => (axis === 0 ? null : d)),
      }));
      this.#buildFor(specs, layout);
      return this.#invoke(values, layout, { ...currentContext, ...given }, mask);
    }
    const wrong = leaves.find((v) => !(v instanceof SymbolicTensor)) ?? x;
    throw this.error(
      "INVALID_ARGUMENT",
      `expected symbolic tensors (from input()) or, inside a layer's call, Values; got ${describe(wrong)}`,
    );
  }

  /**
   * The shape of the output for inputs of this shape (nulls: unknown), found by tracing `call`. Builds the layer.
   * @param inputShape with the batch axis; for several inputs a list or record of shapes
   */
  computeOutputShape(inputShape: Nest<BatchShape>): Nest<BatchShape> {
    this.build(inputShape);
    const { leaves, layout } = flatten(inputShape, isBatchShape);
    const specs = leaves.map((shape) => ({ shape, dtype: "float32" as const }));
    const { outputs, outputLayout } = this.#inferOutputs(specs, layout);
    return pack(
      outputs.map((o) => o.shape),
      outputLayout,
    );
  }

  /** The uses of this layer on symbolic tensors so far. */
  get calls(): readonly LayerCall[] {
    return this.#calls;
  }

  /** The symbolic input of its one use; for a layer used several times see `calls`. */
  get input(): Nest<SymbolicTensor> {
    const { inputs, inputLayout } = this.#onlyCall("input");
    return pack(inputs, inputLayout);
  }

  /** The symbolic output of its one use, e.g. to cut a model there: `model({ inputs: m.inputs, outputs: m.getLayer("code").output })`. */
  get output(): Nest<SymbolicTensor> {
    const { outputs, outputLayout } = this.#onlyCall("output");
    return pack(outputs, outputLayout);
  }

  /** @internal Removes the last recorded use; `Sequential.pop` undoes its `apply`. */
  forgetLastCall(): void {
    this.#calls.pop();
  }

  /** Names of what `apply` takes beside inputs, apart from `training`. They arrive in the context of `call`. */
  protected get callOptions(): readonly string[] {
    return [];
  }

  /** Refuses a list where one input is expected and the like; built-in layers say what they take. */
  protected checkInputs(_inputs: readonly unknown[], _layout: Layout): void {}

  /** Whether an input's mask is lost unless `supportsMasking`; in a model the layers inside decide. */
  protected get dropsMasks(): boolean {
    return true;
  }

  // ---- inside

  #buildOnce(
    inputShape: Nest<BatchShape>,
    dtype: Nest<DType> | undefined,
    build: (inputShape: Nest<BatchShape>, dtype?: Nest<DType>) => void,
  ): void {
    if (this.built) return;
    const { leaves } = flatten(inputShape, isBatchShape);
    for (const shape of leaves) checkBatchShape(`${this.name}, build`, shape);
    const before = this.weightCount;
    const run = () => build.call(this, inputShape, dtype);
    try {
      if (isTracing()) withScope(this.name, run);
      else run();
    } catch (error) {
      this.dropWeights(before);
      throw error;
    }
    this.built = true;
  }

  #buildFor(inputs: readonly TensorSpec[], layout: Layout): void {
    if (this.built) return;
    const shapes = inputs.map((t) => t.shape);
    const dtypes = inputs.map((t) => t.dtype);
    this.build(pack(shapes, layout), pack(dtypes, layout));
  }

  #checkCall(options: CallOptions = {}): Record<string, unknown> {
    const where = `${this.path}, apply`;
    const given = checkOptions<Record<string, unknown>>(where, { ...options }, [
      "training",
      ...this.callOptions,
    ]);
    if (given.training !== undefined) checkBoolean(where, "training", given.training);
    return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
  }

  #applySymbolic(
    inputs: readonly SymbolicTensor[],
    inputLayout: Layout,
    options: Record<string, unknown>,
  ): Nest<SymbolicTensor> {
    this.#buildFor(inputs, inputLayout);
    const { outputs: specs, outputLayout } = this.#inferOutputs(inputs, inputLayout, options);
    const outputs: SymbolicTensor[] = [];
    const call: LayerCall = { layer: this, inputs, inputLayout, options, outputs, outputLayout };
    specs.forEach((spec, i) => {
      outputs.push(new SymbolicTensor(spec, call, i));
    });
    this.#calls.push(call);
    return pack(outputs, outputLayout);
  }

  #inferOutputs(
    inputs: readonly TensorSpec[],
    layout: Layout,
    options: Record<string, unknown> = {},
  ): { outputs: TensorSpec[]; outputLayout: Layout } {
    let outputLayout: Layout = null;
    const outputs = inferSpecs((values) => {
      const result = flatten(
        this.#invoke(values, layout, { ...INFERENCE, ...options }),
        (v) => v instanceof Value,
      );
      outputLayout = result.layout;
      return result.leaves;
    }, inputs);
    return { outputs, outputLayout };
  }

  #invoke(values: readonly Value[], layout: Layout, context: CallContext, given?: Mask): Nest<Value> {
    const outer = currentContext;
    currentContext = { training: context.training };
    try {
      return withScope(this.name, () => {
        const x = pack(values, layout);
        const mask = given == null ? pack(values.map(given === null ? () => null : maskOf), layout) : given;
        const result = this.call(x, context, mask);
        const { leaves, layout: outputLayout } = flatten<unknown>(result, (v) => v instanceof Value);
        for (const leaf of leaves) {
          if (leaf instanceof Value) continue;
          throw this.error("INVALID_ARGUMENT", `expected call to return Values, got ${describe(leaf)}`);
        }
        const outputs = leaves as Value[];
        this.#regularize(outputs);
        if (this.supportsMasking) this.#passMask(x, mask, outputs);
        else if (this.dropsMasks) return pack(this.#dropMask(values, mask, outputs), outputLayout);
        return result;
      });
    } finally {
      currentContext = outer;
    }
  }

  /** The penalty for what comes out of the layer. */
  protected get activityRegularizer(): Regularizer | undefined {
    return this.rules.activityRegularizer;
  }

  #regularize(outputs: readonly Value[]): void {
    const { activityRegularizer } = this;
    if (!activityRegularizer) return;
    for (const y of outputs) {
      const penalty = activityRegularizer.call(y);
      // By the row, so that the strength does not depend on the size of the batch.
      this.addLoss(y.rank > 0 ? divide(penalty, Math.max(1, y.shape[0]!)) : penalty);
    }
  }

  /** Gives the outputs their masks, unless the call has already done so. */
  #passMask(x: Nest<Value>, mask: Mask, outputs: readonly Value[]): void {
    if (outputs.every(maskOf)) return;
    const { leaves } = flatten<Value | null>(this.computeMask(x, mask), (m) => m instanceof Value);
    outputs.forEach((y, i) => {
      if (!maskOf(y) && leaves[i]) setMask(y, leaves[i]);
    });
  }

  /** An input returned as it came would keep its mask: it becomes a Value of its own. */
  #dropMask(inputs: readonly Value[], mask: Mask, outputs: readonly Value[]): Value[] {
    const own = outputs.map((y) => (inputs.includes(y) && maskOf(y) ? remasked(y, null) : y));
    const isMasked = flatten(mask, (m) => m instanceof Value).leaves.some((m) => m !== null);
    if (isMasked && !own.every(maskOf) && !this.#hasWarned) {
      this.#hasWarned = true;
      console.warn(
        `myelin: ${this.path}: came with a mask, which ${this.className} does not support; layers after it will not see it`,
      );
    }
    return own;
  }

  #onlyCall(what: string): LayerCall {
    if (this.#calls.length === 1) return this.#calls[0]!;
    const came =
      this.#calls.length === 0
        ? "none; use it on input() with apply first"
        : `${this.#calls.length}; see calls`;
    throw this.error("INVALID_ARGUMENT", `expected one use of the layer to have one ${what}, got ${came}`);
  }
}
