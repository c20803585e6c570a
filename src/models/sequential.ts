// Sequential: layers one after another. Shapes may be left open until the first data.

import type { DType } from "../core/dtype.ts";
import { describe, MyelinError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { Value } from "../graph/graph.ts";
import { InputLayer } from "../layers/core.ts";
import { type CallContext, Layer } from "../layers/layer.ts";
import type { Mask } from "../layers/mask.ts";
import type { Layout, Nest } from "../layers/nest.ts";
import type { LayerConfig, LayerReader } from "../layers/registry.ts";
import { type BatchShape, isBatchShape, SymbolicTensor } from "../layers/symbolic.ts";
import { MODEL_BASE_OPTIONS, Model, type ModelBaseOptions } from "./model.ts";

export class Sequential extends Model {
  static override readonly className: string = "Sequential";
  readonly #layers: Layer[] = [];
  /** The input and what each layer makes of it; empty until the input shape is known. */
  #tensors: SymbolicTensor[] = [];

  constructor(layers: readonly Layer[] = [], options: ModelBaseOptions = {}) {
    super(checkOptions("sequential", options, MODEL_BASE_OPTIONS));
    if (!Array.isArray(layers)) {
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `${this.name}: expected a list of layers, got ${describe(layers)}`,
      );
    }
    // Named, built and connected once, however many there are.
    for (const layer of layers) this.#append(layer);
    this.adopt();
    this.#extend();
    this.#update();
  }

  /** The layers in order, without the input. */
  override get layers(): readonly Layer[] {
    return this.#layers;
  }

  /** Appends a layer. Nothing changes when it does not fit. */
  add(layer: Layer): void {
    const before = this.#tensors;
    const count = this.#layers.length;
    try {
      this.#append(layer);
      this.adopt();
      this.#extend();
    } catch (error) {
      this.#layers.length = count;
      this.#tensors = before;
      throw error;
    }
    this.#update();
  }

  /** Takes a layer, which may say the input, without building it. */
  #append(layer: Layer): void {
    if (!(layer instanceof Layer)) {
      throw this.error("INVALID_ARGUMENT", `expected a layer, got ${describe(layer)}`);
    }
    if (layer instanceof InputLayer) {
      if (this.#layers.length > 0 || this.#tensors.length > 0) {
        throw this.error("INVALID_ARGUMENT", "expected an input layer only as the first");
      }
      this.#tensors = [layer.output];
      return;
    }
    if (contains(layer, this)) throw this.error("INVALID_ARGUMENT", "a model cannot contain itself");
    if (this.#layers.includes(layer)) {
      throw this.error(
        "INVALID_ARGUMENT",
        `${layer.name} is in it already; to use a layer twice, use the functional API`,
      );
    }
    this.#layers.push(layer);
    if (this.#tensors.length === 0) this.#tensors = openingOf(layer);
  }

  /** Removes the last layer and returns it; undefined when there is none. */
  pop(): Layer | undefined {
    const layer = this.#layers.pop();
    if (layer && this.#tensors.length > this.#layers.length + 1) {
      this.#tensors.pop();
      layer.forgetLastCall();
    }
    this.#update();
    return layer;
  }

  /** Fixes the shape of the input (batch axis in front) and builds all layers. */
  override build(inputShape: BatchShape, dtype: DType = "float32"): void {
    if (!isBatchShape(inputShape)) {
      throw this.error("INVALID_ARGUMENT", `expected one input shape, got ${describe(inputShape)}`);
    }
    if (this.#layers.length === 0) throw this.error("NOT_BUILT", "expected at least one layer, got none");
    this.#tensors = [new InputLayer({ batchShape: [null, ...inputShape.slice(1)], dtype }).output];
    try {
      this.#extend();
    } catch (error) {
      while (this.#tensors.length > 1) {
        this.#tensors.pop();
        this.#layers[this.#tensors.length - 1]!.forgetLastCall();
      }
      this.#tensors = [];
      throw error;
    }
    this.#update();
  }

  override call(x: Value, context: CallContext, mask?: Mask): Nest<Value> {
    this.checkInputs([x], x instanceof Value ? null : 0);
    this.build(x.shape, x.dtype);
    return super.call(x, context, mask);
  }

  protected override checkInputs(_inputs: readonly unknown[], layout: Layout): void {
    if (layout !== null) throw this.error("INVALID_ARGUMENT", "expected one input, got a list or record");
  }

  /** Applies layers that have no tensor yet. */
  #extend(): void {
    if (this.#tensors.length === 0) return;
    for (let i = this.#tensors.length - 1; i < this.#layers.length; i++) {
      const layer = this.#layers[i]!;
      const output = layer.apply<SymbolicTensor>(this.#tensors[i]!);
      if (!(output instanceof SymbolicTensor)) {
        layer.forgetLastCall();
        throw this.error(
          "INVALID_ARGUMENT",
          `expected layers with one output, got several from ${layer.name}`,
        );
      }
      this.#tensors.push(output);
    }
  }

  #update(): void {
    if (this.#layers.length > 0 && this.#tensors.length > 0)
      this.connect(this.#tensors[0]!, this.#tensors.at(-1)!);
    else this.disconnect();
  }

  override children(): readonly Layer[] {
    return this.#layers;
  }

  override getConfig(): Record<string, unknown> {
    const { name, trainable, seed } = this;
    const layers = this.#layers.map((l) => ({ className: l.className, config: l.getConfig() }));
    const input = this.#tensors[0]?.call.layer.getConfig() ?? null;
    return { name, trainable, seed, input, layers };
  }

  static override fromConfig(config: Readonly<Record<string, unknown>>, read: LayerReader): Layer {
    const { layers, input, ...options } = config as ModelBaseOptions & Record<string, unknown>;
    if (!Array.isArray(layers)) {
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `sequential configuration: expected layers to be a list, got ${describe(layers)}`,
      );
    }
    const first =
      input == null ? [] : [read({ className: "InputLayer", config: input as LayerConfig["config"] })];
    // A subclass with the same constructor is made again as what it is.
    return new this([...first, ...layers.map((l) => read(l as LayerConfig))], options);
  }
}

/** The input that a first layer asks for by its options, or that it has as a model of its own. */
function openingOf(layer: Layer): SymbolicTensor[] {
  if (layer.batchInputShape) return [new InputLayer({ batchShape: layer.batchInputShape }).output];
  if (layer instanceof Model && layer.built) {
    const { inputSpecs } = layer;
    if (inputSpecs.length === 1) {
      const { shape, dtype } = inputSpecs[0]!;
      return [new InputLayer({ batchShape: shape, dtype }).output];
    }
  }
  return [];
}

function contains(layer: Layer, searched: Layer, seen = new Set<Layer>()): boolean {
  if (layer === searched) return true;
  if (seen.has(layer)) return false;
  seen.add(layer);
  return layer.children().some((child) => contains(child, searched, seen));
}

/**
 * A model of layers one after another.
 * @param layers the first may say its `inputShape`; otherwise the first data decide
 * @example sequential([layers.dense({ units: 8, activation: "tanh", inputShape: [2] }), layers.dense({ units: 1 })])
 */
export function sequential(layers?: readonly Layer[], options?: ModelBaseOptions): Sequential {
  return new Sequential(layers, options);
}
