// Bidirectional: a recurrent layer from the first step to the last, and a second one the other way.

import { describe, MyelinError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import type { Value } from "../graph/graph.ts";
import { add, concatenate, divide, multiply, reverse } from "../ops/index.ts";
import type { GivesList } from "./gives-list.ts";
import { type CallContext, LAYER_OPTIONS, Layer, type LayerOptions } from "./layer.ts";
import type { Mask } from "./mask.ts";
import type { Layout, Nest } from "./nest.ts";
import { labelOf } from "./options.ts";
import type { LayerClass, LayerConfig, LayerReader } from "./registry.ts";
import { Rnn } from "./rnn.ts";
import { type BatchShape, isBatchShape } from "./symbolic.ts";

export type MergeMode = "concat" | "sum" | "mul" | "ave";

const MODES: readonly (MergeMode | null)[] = ["concat", "sum", "mul", "ave", null];

export interface BidirectionalOptions extends LayerOptions {
  /** From the first step to the last. What runs is made from its configuration, with weights of its own. */
  layer: Rnn;
  /** From the last step to the first: `goBackwards: true`. It is used itself. Default: one made from `layer`. */
  backwardLayer?: Rnn;
  /** How the outputs of both become one; null: they do not, but come as two. Default "concat". */
  mergeMode?: MergeMode | null;
}

const SAME = ["stateful", "returnSequences", "returnState"] as const;

export class Bidirectional extends Layer {
  static readonly className = "Bidirectional";
  override supportsMasking = true;
  readonly forwardLayer: Rnn;
  readonly backwardLayer: Rnn;
  readonly mergeMode: MergeMode | null;

  constructor(options: BidirectionalOptions) {
    const where = labelOf("bidirectional", options);
    const given = checkOptions(where, options, [...LAYER_OPTIONS, "layer", "backwardLayer", "mergeMode"]);
    super(given);
    const { layer, backwardLayer, mergeMode = "concat" } = given;
    checkRecurrent(where, "layer", layer);
    if (!MODES.includes(mergeMode)) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected mergeMode to be ${MODES.map(describe).join(", ")}, got ${describe(mergeMode)}`,
      );
    }
    this.mergeMode = mergeMode;
    if (backwardLayer !== undefined) checkRecurrent(where, "backwardLayer", backwardLayer);
    this.forwardLayer = directed(layer, "forward_", layer.goBackwards);
    this.backwardLayer = backwardLayer ?? directed(layer, "backward_", true);
    const [forward, backward] = [this.forwardLayer, this.backwardLayer];
    if (forward.goBackwards === backward.goBackwards) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected layers that go in different directions, got goBackwards: ${forward.goBackwards} for both`,
      );
    }
    const differing = SAME.find((name) => forward[name] !== backward[name]);
    if (differing) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected both directions to have the same ${differing}, got ${forward[differing]} and ${backward[differing]}`,
      );
    }
    // As Keras has it: the other direction has outputs at steps that are masked here, so none is repeated there.
    for (const l of [forward, backward]) l.zeroOutputForMask = l.returnSequences;
  }

  get returnSequences(): boolean {
    return this.forwardLayer.returnSequences;
  }

  get returnState(): boolean {
    return this.forwardLayer.returnState;
  }

  override build(shape: Nest<BatchShape>): void {
    const inputShape = isBatchShape(shape) ? shape : (shape as readonly BatchShape[])[0]!;
    this.forwardLayer.build(inputShape);
    this.backwardLayer.build(inputShape);
  }

  /** @param x the sequence, or a list of it, the initial states of the one direction and those of the other */
  override call(x: Value | readonly Value[], context: CallContext, mask: Mask): Nest<Value> {
    const [sequence, ...states] = [x].flat() as [Value, ...Value[]];
    const steps = [mask].flat()[0] as Value | null;
    const run = (layer: Rnn, own: readonly Value[]): [Value, ...Value[]] => {
      const input = own.length > 0 ? [sequence, ...own] : sequence;
      const masks = own.length > 0 ? [steps, ...own.map(() => null)] : steps;
      return [layer.apply<Nest<Value>>(input, context, masks)].flat() as [Value, ...Value[]];
    };
    const half = states.length / 2;
    const [forward, ...forwardStates] = run(this.forwardLayer, states.slice(0, half));
    const [turned, ...backwardStates] = run(this.backwardLayer, states.slice(half));
    const backward = this.returnSequences ? reverse(turned, { axis: 1 }) : turned;
    const merged = this.merge(forward, backward);
    const all = [...merged, ...forwardStates, ...backwardStates];
    return all.length === 1 ? all[0]! : all;
  }

  private merge(forward: Value, backward: Value): Value[] {
    switch (this.mergeMode) {
      case "concat":
        return [concatenate([forward, backward], { axis: -1 })];
      case "sum":
        return [add(forward, backward)];
      case "mul":
        return [multiply(forward, backward)];
      case "ave":
        return [divide(add(forward, backward), 2)];
      default:
        return [forward, backward];
    }
  }

  override computeMask(_x: Nest<Value>, mask: Mask): Mask {
    const steps = this.returnSequences ? ([mask].flat()[0] as Value | null) : null;
    return this.mergeMode === null ? [steps, steps] : steps;
  }

  /** Sets the states of both directions of a stateful layer to zeros. */
  resetState(): void {
    this.forwardLayer.resetState();
    this.backwardLayer.resetState();
  }

  protected override checkInputs(inputs: readonly unknown[], layout: Layout): void {
    const states = 2 * [this.forwardLayer.cell.stateSize].flat().length;
    if (
      layout === null ||
      (typeof layout === "number" && (inputs.length === 1 || inputs.length === 1 + states))
    )
      return;
    const came = typeof layout === "number" ? `a list of ${inputs.length}` : "a record";
    throw this.error(
      "INVALID_ARGUMENT",
      `expected one input, or a list of it and ${states} initial states, got ${came}`,
    );
  }

  override getConfig(): Record<string, unknown> {
    return {
      ...super.getConfig(),
      mergeMode: this.mergeMode,
      layer: configOf(this.forwardLayer),
      backwardLayer: configOf(this.backwardLayer),
    };
  }

  static override fromConfig(config: Readonly<Record<string, unknown>>, read: LayerReader): Layer {
    const { layer, backwardLayer, ...options } = config as Record<string, LayerConfig>;
    const backward = backwardLayer === undefined ? {} : { backwardLayer: read(backwardLayer) as Rnn };
    return new Bidirectional({ ...options, layer: read(layer!) as Rnn, ...backward });
  }
}

function configOf(layer: Layer): LayerConfig {
  return { className: layer.className, config: layer.getConfig() };
}

function checkRecurrent(where: string, option: string, layer: unknown): void {
  if (layer instanceof Rnn) return;
  throw new MyelinError(
    "INVALID_OPTION",
    `${where}: expected ${option} to be a recurrent layer (rnn, lstm, gru, simpleRnn), got ${describe(layer)}`,
  );
}

/** A layer like this one in one direction, with weights of its own. */
function directed(layer: Rnn, prefix: string, goBackwards: boolean): Rnn {
  const name = layer.name.startsWith(prefix) ? layer.name : prefix + layer.name;
  const config = { ...layer.getConfig(), name, goBackwards };
  const reader: LayerReader = ({ className, config: own }) => remade(layer, className, own);
  return (layer.constructor as unknown as LayerClass).fromConfig(config, reader) as Rnn;
}

/** The cells of a layer are made again by their own classes, which need not be registered. */
function remade(layer: Rnn, className: string, config: Readonly<Record<string, unknown>>): Layer {
  const found = everyCell(layer).find((cell) => cell.className === className)!;
  const read: LayerReader = (inner) => remade(layer, inner.className, inner.config);
  return (found.constructor as unknown as LayerClass).fromConfig(config, read);
}

function everyCell(layer: Layer): Layer[] {
  return layer.children().flatMap((child) => [child, ...everyCell(child)]);
}

/**
 * A recurrent layer in both directions: [batch, steps, features] -> [batch, 2 units], or [batch, steps, 2 units] when
 * `layer` returns sequences. Both begin with fresh weights, named forward_... and backward_...
 * @example layers.bidirectional({ layer: layers.lstm({ units: 32, returnSequences: true }), mergeMode: "sum" })
 */
export function bidirectional(options: BidirectionalOptions & { mergeMode: null }): GivesList & Bidirectional;
export function bidirectional(options: BidirectionalOptions): Bidirectional;
export function bidirectional(options: BidirectionalOptions): Bidirectional {
  return new Bidirectional(options);
}
