// The record of a training that `fit` returns.

import { Callback, type Logs } from "./callback.ts";

/** What `fit` returns: `history.history.loss[i]` belongs to epoch `history.epoch[i]`. */
export class History extends Callback {
  epoch: number[] = [];
  history: Record<string, number[]> = {};

  override onTrainBegin(): void {
    this.epoch = [];
    this.history = {};
  }

  override onEpochEnd(epoch: number, logs: Logs): void {
    this.epoch.push(epoch);
    for (const name in logs) {
      let values = this.history[name];
      if (!values) {
        values = [];
        this.history[name] = values;
      }
      values.push(logs[name]!);
    }
  }
}
