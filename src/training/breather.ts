// Keeps host work from holding the event loop: long loops ask now and then whether it is time to let others run.

import { nextTurn } from "../core/next-turn.ts";

/** Milliseconds of work between two breaths; timers then run at most that late. */
const SLICE = 2;

export class Breather {
  private since = performance.now();

  isDue(): boolean {
    return performance.now() - this.since > SLICE;
  }

  /** Lets the event loop go round once. */
  async breathe(): Promise<void> {
    await new Promise<void>(nextTurn);
    this.since = performance.now();
  }

  /** Forgets the time so far: what came since was not spent on this thread. */
  reset(): void {
    this.since = performance.now();
  }
}
