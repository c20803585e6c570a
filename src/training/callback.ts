// Callbacks: what they are, and the list that calls them in Keras's order. The stock ones are in `callbacks/`.

import { describe, MyelinError, unknownName } from "../core/errors.ts";
import type { Tensor } from "../core/tensor.ts";
import type { Model } from "../models/model.ts";

/** What hooks are told: running or final values by log name, e.g. `{ loss: 0.1, accuracy: 0.98, valLoss: 0.2 }`. */
export type Logs = Record<string, number>;

/** Whether less or more of a logged value is better; undefined where nobody said. */
export type Direction = "min" | "max" | undefined;

/** What callbacks may know about the training they are in. */
export interface CallbackParams {
  /** Number of the last epoch, as given to fit. */
  readonly epochs: number;
  /** Batches per epoch; undefined where a source of batches does not say. */
  readonly steps: number | undefined;
  /** Training rows; undefined for a source of batches. */
  readonly samples: number | undefined;
  /** All callbacks of this training, in order. */
  readonly callbacks?: readonly CallbackLike[];
  /** Where the training stands at this moment, for those who save it. */
  readonly position?: () => Position;
  /** Every name that epoch logs will have, and which direction is better. */
  readonly metrics: ReadonlyMap<string, Direction>;
}

/** A place within a training. */
export interface Position {
  readonly epoch: number;
  /** Batches of this epoch that are done. */
  readonly batch: number;
  /** The sums behind the epoch's logs. */
  readonly sums: readonly Tensor[];
}

/** Where an interrupted training is to be taken up again. */
export interface ResumePoint extends Position {
  readonly epochs: readonly number[];
  readonly history: Readonly<Record<string, number[]>>;
  /** What `getState` of each callback gave, in order. */
  readonly states: readonly unknown[];
}

/**
 * All hooks; every one is optional, may be async (the training waits for it) and may change `logs`.
 * Hooks per batch make the training stop after every batch to tell them: they cost time only where they exist.
 */
export interface CallbackHooks {
  onTrainBegin?(logs: Logs): void | Promise<void>;
  onTrainEnd?(logs: Logs): void | Promise<void>;
  onEpochBegin?(epoch: number, logs: Logs): void | Promise<void>;
  onEpochEnd?(epoch: number, logs: Logs): void | Promise<void>;
  onTrainBatchBegin?(batch: number, logs: Logs): void | Promise<void>;
  onTrainBatchEnd?(batch: number, logs: Logs): void | Promise<void>;
  /** Another name of onTrainBatchBegin. */
  onBatchBegin?(batch: number, logs: Logs): void | Promise<void>;
  /** Another name of onTrainBatchEnd. */
  onBatchEnd?(batch: number, logs: Logs): void | Promise<void>;
  onTestBegin?(logs: Logs): void | Promise<void>;
  onTestEnd?(logs: Logs): void | Promise<void>;
  onTestBatchBegin?(batch: number, logs: Logs): void | Promise<void>;
  onTestBatchEnd?(batch: number, logs: Logs): void | Promise<void>;
  onPredictBegin?(logs: Logs): void | Promise<void>;
  onPredictEnd?(logs: Logs): void | Promise<void>;
  onPredictBatchBegin?(batch: number, logs: Logs): void | Promise<void>;
  onPredictBatchEnd?(batch: number, logs: Logs): void | Promise<void>;
}

/**
 * Base of callbacks that need the model they watch.
 * @example class Halve extends Callback { async onEpochEnd(epoch, logs) { this.model.optimizer!.learningRate /= 2; } }
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface adds the hooks without defining any.
export class Callback {
  /** The model in training; set before onTrainBegin. */
  declare model: Model;
  declare params: CallbackParams;
}
export interface Callback extends CallbackHooks {
  /** What it needs to go on after an interruption, as plain data; for `backupAndRestore`. */
  getState?(): unknown;
  /** Takes back what `getState` gave. */
  setState?(state: unknown): void | Promise<void>;
  /** Asked after onTrainBegin: where to go on instead of at the beginning. */
  resumePoint?(): ResumePoint | undefined;
}

/** What fit, evaluate and predict accept: an instance, or a plain object with some hooks. */
export type CallbackLike = Callback | CallbackHooks;

export const HOOK_NAMES = [
  "onTrainBegin",
  "onTrainEnd",
  "onEpochBegin",
  "onEpochEnd",
  "onTrainBatchBegin",
  "onTrainBatchEnd",
  "onBatchBegin",
  "onBatchEnd",
  "onTestBegin",
  "onTestEnd",
  "onTestBatchBegin",
  "onTestBatchEnd",
  "onPredictBegin",
  "onPredictEnd",
  "onPredictBatchBegin",
  "onPredictBatchEnd",
] as const satisfies readonly (keyof CallbackHooks)[];

export type HookName = (typeof HOOK_NAMES)[number];

/** A fixed set of callbacks with, per hook, the ones that have it. */
export class CallbackList {
  private readonly hooks = new Map<HookName, ((...args: never[]) => void | Promise<void>)[]>();

  constructor(where: string, callbacks: readonly CallbackLike[]) {
    for (const callback of callbacks) {
      checkCallback(where, callback);
      for (const name of HOOK_NAMES) {
        const method = callback[name];
        if (method === undefined) continue;
        if (typeof method !== "function") {
          throw new MyelinError(
            "INVALID_OPTION",
            `${where}: expected ${name} of a callback to be a function, got ${describe(method)}`,
          );
        }
        const list = this.hooks.get(canonical(name)) ?? [];
        list.push((method as () => void).bind(callback));
        this.hooks.set(canonical(name), list);
      }
    }
    this.all = callbacks;
  }

  readonly all: readonly CallbackLike[];

  /** Where one of them wants the training to go on. */
  resumePoint(): ResumePoint | undefined {
    for (const callback of this.all) {
      const point = callback instanceof Callback ? callback.resumePoint?.() : undefined;
      if (point) return point;
    }
    return undefined;
  }

  has(name: HookName): boolean {
    return this.hooks.has(name);
  }

  setModel(model: Model, params: CallbackParams): void {
    // Not enumerable: a History should print and serialise without the model behind it.
    const hidden = (value: unknown) => ({ value, writable: true, configurable: true, enumerable: false });
    for (const callback of this.all) {
      if (!(callback instanceof Callback)) continue;
      Object.defineProperties(callback, { model: hidden(model), params: hidden(params) });
    }
  }

  /**
   * Calls the hook of every callback that has it, in order, each after the one before has settled.
   * @returns a promise only when one of them did, so that the caller need not wait for nothing
   */
  call(name: HookName, first: number | Logs, logs?: Logs): void | Promise<void> {
    const list = this.hooks.get(name);
    if (!list) return;
    for (let i = 0; i < list.length; i++) {
      const pending = (list[i] as (first: number | Logs, logs?: Logs) => void | Promise<void>)(first, logs);
      if (isThenable(pending)) return pending.then(() => this.callFrom(list, i + 1, first, logs));
    }
  }

  private async callFrom(
    list: readonly ((...args: never[]) => void | Promise<void>)[],
    from: number,
    first: number | Logs,
    logs?: Logs,
  ): Promise<void> {
    for (const hook of list.slice(from)) {
      await (hook as (first: number | Logs, logs?: Logs) => void | Promise<void>)(first, logs);
    }
  }
}

function isThenable(x: unknown): x is Promise<void> {
  return typeof x === "object" && x !== null && typeof (x as Promise<void>).then === "function";
}

function canonical(name: HookName): HookName {
  if (name === "onBatchBegin") return "onTrainBatchBegin";
  return name === "onBatchEnd" ? "onTrainBatchEnd" : name;
}

function checkCallback(where: string, callback: unknown): asserts callback is CallbackLike {
  if (callback instanceof Callback) return;
  if (typeof callback !== "object" || callback === null || Array.isArray(callback)) {
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected a Callback or an object of hooks, got ${describe(callback)}`,
    );
  }
  for (const name of Object.keys(callback)) {
    const looksLikeHook = name.startsWith("on") && typeof (callback as Logs)[name] === "function";
    if (looksLikeHook && !(HOOK_NAMES as readonly string[]).includes(name)) {
      throw unknownName(where, "callback hook", name, HOOK_NAMES);
    }
  }
}

/** Accepts one callback or a list. */
export function listOf(
  where: string,
  callbacks: CallbackLike | readonly CallbackLike[] | undefined,
): CallbackLike[] {
  if (callbacks === undefined) return [];
  if (Array.isArray(callbacks)) return [...callbacks];
  checkCallback(where, callbacks);
  return [callbacks];
}

type BatchHook = "onTrainBatchBegin" | "onTrainBatchEnd" | "onTestBatchBegin" | "onTestBatchEnd";

/** The hook as a function, or undefined when no callback has it. */
export function hook(
  callbacks: CallbackList,
  name: BatchHook,
): ((batch: number, logs?: Logs) => void | Promise<void>) | undefined {
  return callbacks.has(name) ? (batch, logs = {}) => callbacks.call(name, batch, logs) : undefined;
}
