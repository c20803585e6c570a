// Keeps host work from holding the event loop: long loops ask now and then whether it is time to let others run.

/** Milliseconds of work between two breaths; timers then run at most that late. */
const SLICE = 2;

const nextTurn: (fn: () => void) => void =
  typeof setImmediate === "function" ? (fn) => void setImmediate(fn) : (fn) => void setTimeout(fn, 0);

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
