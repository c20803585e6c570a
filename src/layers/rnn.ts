// Rnn: a cell repeated over the steps of a sequence. Cells with an op of their own for all steps run as that; others are
// traced step by step, so that a sequence of T steps puts T copies of the cell into the graph: compiling a training step of
// 100 steps takes 0.3 to 0.6 s then instead of 0.03 to 0.07 s, and running it two to three times as long.

import { describe, MyelinError } from "../core/errors.ts";
import { checkBoolean, checkOptions } from "../core/options.ts";
import { formatShape, sameShape, sizeOf } from "../core/shape.ts";
import { Tensor } from "../core/tensor.ts";
import type { Value } from "../graph/graph.ts";
import { Variable } from "../graph/variable.ts";
import * as ops from "../ops/index.ts";
import type { GivesList } from "./gives-list.ts";
import { type CallContext, LAYER_OPTIONS, Layer, type LayerOptions } from "./layer.ts";
import type { Mask } from "./mask.ts";
import type { Layout, Nest } from "./nest.ts";
import { labelOf } from "./options.ts";
import type { LayerConfig, LayerReader } from "./registry.ts";
import { RnnCell } from "./rnn-cell.ts";
import { StackedRnnCells } from "./stacked-rnn-cells.ts";
import { type BatchShape, isBatchShape } from "./symbolic.ts";
import type { ActivityRule } from "./weight-rules.ts";

export interface RecurrentOptions extends LayerOptions, ActivityRule {
  /** Give the output of every step [batch, steps, width] instead of the last one's. Default false. */
  returnSequences?: boolean;
  /** Give the final states besides: a list of the output and each state [batch, size]. Default false. */
  returnState?: boolean;
  /** From the last step to the first; outputs of all steps come in that order too. Default false. */
  goBackwards?: boolean;
  /** Begin each batch with the final states of the one before, row by row. Needs a fixed batch size. Default false. */
  stateful?: boolean;
  /** Taken for Keras's sake: a sequence is one op where it can be, and unrolled where it cannot. Default false. */
  unroll?: boolean;
  /** Where a step is masked its output is 0; otherwise that of the step before is repeated. Default false. */
  zeroOutputForMask?: boolean;
}

export interface RnnOptions extends RecurrentOptions {
  /** One step; a list makes a `stackedRnnCells`. */
  cell: RnnCell | readonly RnnCell[];
}

export const RECURRENT_OPTIONS = [
  ...LAYER_OPTIONS,
  "returnSequences",
  "returnState",
  "goBackwards",
  "stateful",
  "unroll",
  "zeroOutputForMask",
  "activityRegularizer",
] as const;

const FLAGS = [
  "returnSequences",
  "returnState",
  "goBackwards",
  "stateful",
  "unroll",
  "zeroOutputForMask",
] as const;

/** What working through a sequence gives: outputs in the order of the work, or none of them; the last; the states. */
interface Worked {
  readonly outputs: Value | undefined;
  readonly last: Value;
  readonly states: readonly Value[];
}

export class Rnn extends Layer {
  static readonly className: string = "Rnn";
  override supportsMasking = true;
  readonly cell: RnnCell;
  readonly returnSequences: boolean;
  readonly returnState: boolean;
  readonly goBackwards: boolean;
  readonly stateful: boolean;
  readonly unroll: boolean;
  zeroOutputForMask: boolean;
  #states: readonly Variable[] | undefined;

  constructor(options: RnnOptions, where = labelOf("rnn", options)) {
    super(options);
    this.cell = asCell(where, options.cell);
    const flag = (name: (typeof FLAGS)[number]) => checkBoolean(where, name, options[name] ?? false);
    this.returnSequences = flag("returnSequences");
    this.returnState = flag("returnState");
    this.goBackwards = flag("goBackwards");
    this.stateful = flag("stateful");
    this.unroll = flag("unroll");
    this.zeroOutputForMask = flag("zeroOutputForMask");
  }

  override build(shape: Nest<BatchShape>): void {
    const inputShape = isBatchShape(shape) ? shape : (shape as readonly BatchShape[])[0]!;
    this.checkRank(inputShape.length);
    const [batch, , ...features] = inputShape;
    if (!this.cell.built) this.cell.build([batch ?? null, ...features]);
    if (!this.stateful) return;
    if (batch == null) {
      throw this.error(
        "SHAPE_MISMATCH",
        "expected a fixed batch size for stateful: true, e.g. batchInputShape: [32, 10, 8] of the first layer, or build([32, 10, 8])",
      );
    }
    this.#states = this.cell.stateShapes.map(
      (shape, i) =>
        new Variable([batch, ...shape], "float32", { name: `${this.name}/state_${i}`, trainable: false }),
    );
  }

  private get stateCount(): number {
    return [this.cell.stateSize].flat().length;
  }

  /** What a stateful layer carries from batch to batch; undefined before it is built, and for others. */
  get states(): readonly Variable[] | undefined {
    return this.#states;
  }

  /**
   * Sets the states of a stateful layer.
   * @param states one tensor [batch, ...its shape] for each; zeros by default
   */
  resetState(states?: readonly Tensor[]): void {
    if (!this.stateful)
      throw this.error("INVALID_ARGUMENT", "resetState: expected a layer with stateful: true");
    this.checkBuilt("resetState");
    const own = this.#states!;
    if (states && states.length !== own.length) {
      throw this.error(
        "INVALID_ARGUMENT",
        `resetState: expected ${own.length} tensors, got ${states.length}`,
      );
    }
    own.forEach((v, i) => {
      v.write(states?.[i] ?? new Tensor(new Float32Array(sizeOf(v.shape)), v.shape, "float32"));
    });
  }

  override carriedState(): { name: string; variable: Variable }[] {
    const states = (this.#states ?? []).map((variable, i) => ({ name: `state_${i}`, variable }));
    return [...super.carriedState(), ...states];
  }

  /** @param x the sequence [batch, steps, ...], or a list of it and each initial state [batch, size] */
  override call(x: Value | readonly Value[], context: CallContext, mask: Mask): Nest<Value> {
    const [sequence, ...given] = [x].flat() as [Value, ...Value[]];
    this.checkRank(sequence.rank);
    const steps = [mask].flat()[0] as Value | null;
    this.checkMask(sequence, steps);
    const states = this.initialStates(sequence.shape[0]!, given);
    const hasStates = given.length > 0 || this.stateful;
    this.cell.beginSequence(sequence.shape[0]!, sequence.shape.at(-1)!, context);
    let worked: Worked;
    try {
      worked =
        this.whole(sequence, states, steps, hasStates, context) ??
        this.stepwise(sequence, states, steps, context);
    } finally {
      this.cell.endSequence();
    }
    this.#states?.forEach((v, i) => {
      ops.assign(v, worked.states[i]!);
    });
    const output = worked.outputs ?? worked.last;
    return this.returnState ? [output, ...worked.states] : output;
  }

  override computeMask(_x: Nest<Value>, mask: Mask): Mask {
    const steps = this.returnSequences ? ([mask].flat()[0] as Value | null) : null;
    return this.returnState ? [steps, ...Array<null>(this.stateCount).fill(null)] : steps;
  }

  private initialStates(batch: number, given: readonly Value[]): Value[] {
    const own = this.#states;
    if (own && own[0]!.shape[0] !== batch) {
      throw this.error(
        "SHAPE_MISMATCH",
        `expected the batch of ${own[0]!.shape[0]} that its states have, got ${batch}`,
      );
    }
    const shapes = this.cell.stateShapes;
    const states =
      given.length > 0 ? given : (own?.map((v) => ops.toValue(v)) ?? this.cell.getInitialState(batch));
    states.forEach((s, i) => {
      const shape = [batch, ...shapes[i]!];
      if (sameShape(s.shape, shape)) return;
      throw this.error(
        "SHAPE_MISMATCH",
        `expected initial state ${i} of shape ${formatShape(shape)}, got ${formatShape(s.shape)}`,
      );
    });
    return [...states];
  }

  /** All steps as one op of the cell. */
  private whole(
    x: Value,
    initial: readonly Value[],
    mask: Value | null,
    hasStates: boolean,
    context: CallContext,
  ): Worked | undefined {
    const { goBackwards, returnSequences, zeroOutputForMask } = this;
    const run = { mask: mask ?? undefined, goBackwards };
    const result = this.cell.sequence(x, initial, run, context);
    if (!result) return undefined;
    const { outputs, last, states } = result;
    if (!returnSequences)
      return { outputs: undefined, last: mask ? this.maskLast(last, mask, hasStates) : last, states };
    let shown = outputs;
    if (mask && zeroOutputForMask) {
      shown = ops.where(ops.expandDims(mask, -1), outputs, 0);
    } else if (mask && hasStates) {
      // Until a step counts there is no output to repeat, though there is a state.
      const counted = ops.cumsum(ops.cast(mask, "int32"), { axis: 1, reverse: goBackwards });
      shown = ops.where(ops.expandDims(ops.greater(counted, 0), -1), outputs, 0);
    }
    return { outputs: goBackwards ? ops.reverse(shown, { axis: 1 }) : shown, last, states };
  }

  private maskLast(last: Value, mask: Value, hasStates: boolean): Value {
    if (!this.zeroOutputForMask && !hasStates) return last;
    const at = this.goBackwards ? 0 : mask.shape[1]! - 1;
    const counts = this.zeroOutputForMask
      ? ops.sliceAxis(mask, 1, at, at + 1)
      : ops.any(mask, { axis: 1, keepDims: true });
    return ops.where(counts, last, 0);
  }

  private stepwise(x: Value, initial: readonly Value[], mask: Value | null, context: CallContext): Worked {
    const xs = ops.unstack(this.cell.prepareSteps(x), { axis: 1 });
    const masks = mask && ops.unstack(mask, { axis: 1 });
    if (this.goBackwards) {
      xs.reverse();
      masks?.reverse();
    }
    let states = [...initial];
    let output: Value | undefined;
    const outputs: Value[] = [];
    xs.forEach((step, t) => {
      const result = this.cell.apply<readonly Value[]>([step, ...states], context);
      const [next, ...after] = this.checkStep(result, states);
      if (masks) {
        const counts = ops.reshape(masks[t]!, [next!.shape[0]!, ...Array<number>(next!.rank - 1).fill(1)]);
        const before = this.zeroOutputForMask ? 0 : (output ?? 0);
        output = ops.where(counts, next!, before);
        states = states.map((s, i) => ops.where(counts, after[i]!, s));
      } else {
        [output, states] = [next, after];
      }
      outputs.push(output!);
    });
    return {
      outputs: this.returnSequences ? ops.stack(outputs, { axis: 1 }) : undefined,
      last: output!,
      states,
    };
  }

  private checkStep(result: unknown, states: readonly Value[]): Value[] {
    const list = Array.isArray(result) ? (result as Value[]) : [];
    const fits =
      list.length === 1 + states.length && states.every((s, i) => sameShape(s.shape, list[i + 1]!.shape));
    if (fits) return list;
    const came = list.length === 0 ? describe(result) : list.map((v) => formatShape(v.shape)).join(", ");
    const wanted = states.map((s) => formatShape(s.shape)).join(", ");
    throw this.error(
      "SHAPE_MISMATCH",
      `expected the cell to return a list of its output and its new states ${wanted}, got ${came}`,
    );
  }

  private checkMask(x: Value, mask: Value | null): void {
    if (!mask || sameShape(mask.shape, x.shape.slice(0, 2))) return;
    throw this.error(
      "SHAPE_MISMATCH",
      `expected a mask [batch, steps] ${formatShape(x.shape.slice(0, 2))}, got ${formatShape(mask.shape)}`,
    );
  }

  private checkRank(rank: number): void {
    if (rank >= 3) return;
    throw this.error("SHAPE_MISMATCH", `expected inputs [batch, steps, ...], got rank ${rank}`);
  }

  protected override checkInputs(inputs: readonly unknown[], layout: Layout): void {
    const states = this.stateCount;
    if (
      layout === null ||
      (typeof layout === "number" && (inputs.length === 1 || inputs.length === 1 + states))
    )
      return;
    const came = typeof layout === "number" ? `a list of ${inputs.length}` : "a record";
    throw this.error(
      "INVALID_ARGUMENT",
      `expected one input, or a list of it and ${states} initial state${states > 1 ? "s" : ""}, got ${came}`,
    );
  }

  override getConfig(): Record<string, unknown> {
    const flags = Object.fromEntries(FLAGS.map((name) => [name, this[name]]));
    const cell = { className: this.cell.className, config: this.cell.getConfig() };
    return { ...super.getConfig(), ...flags, cell };
  }

  static override fromConfig(config: Readonly<Record<string, unknown>>, read: LayerReader): Layer {
    const { cell, ...options } = config;
    return rnn({ ...options, cell: read(cell as LayerConfig) as RnnCell });
  }
}

function asCell(where: string, cell: unknown): RnnCell {
  if (Array.isArray(cell)) return new StackedRnnCells({ cells: cell });
  if (cell instanceof RnnCell) return cell;
  throw new MyelinError(
    "INVALID_OPTION",
    `${where}: expected cell to be a cell (a subclass of layers.RnnCell) or a list of them, got ${describe(cell)}`,
  );
}

/**
 * A cell repeated over the steps of a sequence: [batch, steps, ...] -> [batch, width], or [batch, steps, width] with
 * `returnSequences`. Initial states come as a list: `layer.apply([x, state])`. A mask leaves states as they are where it is
 * false.
 * @example layers.rnn({ cell: [layers.lstmCell({ units: 32 }), layers.lstmCell({ units: 32 })], returnSequences: true })
 */
export function rnn(options: RnnOptions & { returnState: true }): GivesList & Rnn;
export function rnn(options: RnnOptions): Rnn;
export function rnn(options: RnnOptions): Rnn {
  return new Rnn(checkOptions(labelOf("rnn", options), options, [...RECURRENT_OPTIONS, "cell"]));
}
