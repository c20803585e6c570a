// Losses that layers add while they are called, such as penalties for their outputs: collected from the call of a whole
// model, for whoever trains it.

import type { Value } from "../graph/graph.ts";

let collected: Value[] | undefined;

/** Runs a call; whatever `addLoss` is told meanwhile comes back with its result. */
export function collectLosses<T>(call: () => T): { result: T; losses: readonly Value[] } {
  const outer = collected;
  const losses: Value[] = [];
  collected = losses;
  try {
    return { result: call(), losses };
  } finally {
    collected = outer;
  }
}

/** Adds a loss to the call under way; without anybody to collect it, it is dropped. */
export function addLoss(loss: Value): void {
  collected?.push(loss);
}
