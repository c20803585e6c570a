// The line that shows how a training goes: redrawn in place in a terminal, at most ten times a second and in one write,
// one finished line per epoch that stays. Elsewhere only the finished lines, if asked for.

import type { Logs } from "./callback.ts";

/** The part of a writable stream that progress needs; `process.stdout` is one. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** 0: silence. 1: a bar that moves. 2: one line per epoch. "auto": a bar in a terminal, silence elsewhere. */
export type Verbose = 0 | 1 | 2 | "auto";

/** Milliseconds between two drawings. */
const REDRAW_EVERY = 100;
const BAR_WIDTH = 24;

/** Draws one run over a number of steps at a time: an epoch, an evaluation, a prediction. */
export class Progress {
  /** False when nothing will ever be drawn: callers can save themselves the numbers. */
  readonly active: boolean;
  /** Whether `update` draws. */
  readonly live: boolean;
  private readonly stream: ProgressStream | undefined;
  private readonly now: () => number;
  private title = "";
  private steps: number | undefined = 0;
  private samplesPerStep = 0;
  private startedAt = 0;
  private drawnAt = 0;
  private drawn = "";

  constructor(
    verbose: Verbose,
    stream: ProgressStream | undefined = standardOutput(),
    now: () => number = () => performance.now(),
  ) {
    const level = verbose === "auto" ? (stream?.isTTY ? 1 : 0) : verbose;
    this.stream = stream;
    this.now = now;
    this.active = level !== 0 && stream !== undefined;
    this.live = level === 1 && stream?.isTTY === true;
  }

  /**
   * @param steps undefined while nobody knows how many there will be
   * @param samples rows that all steps together handle
   */
  begin(title: string, steps: number | undefined, samples: number | undefined): void {
    if (!this.active) return;
    this.title = title;
    this.steps = steps;
    this.samplesPerStep = (samples ?? 0) / Math.max(1, steps ?? 1);
    this.startedAt = this.now();
    this.drawnAt = this.startedAt;
  }

  /** Whether a drawing is due; asking is cheap. */
  isDue(): boolean {
    return this.live && this.now() - this.drawnAt >= REDRAW_EVERY;
  }

  /** Redraws the line. Call it when `isDue`. */
  update(done: number, logs: Logs): void {
    if (!this.live) return;
    this.drawnAt = this.now();
    this.draw(this.compose(done, logs, true));
  }

  /** Draws the final line and leaves it. */
  end(logs: Logs, done = this.steps ?? 0): void {
    if (!this.active) return;
    const line = this.compose(done, logs, false);
    if (this.live) this.draw(line, "\n");
    else this.stream!.write(`${line}\n`);
    this.drawn = "";
  }

  /** Leaves a half-finished line as it stands, when a run ends by an error. */
  interrupt(): void {
    if (this.drawn) this.stream!.write("\n");
    this.drawn = "";
  }

  private draw(line: string, after = ""): void {
    if (line === this.drawn && !after) return;
    this.drawn = line;
    this.stream!.write(`\r${line}\x1b[K${after}`);
  }

  /** The parts in order of reading; when they do not fit, the least important go first, metrics last. */
  private compose(done: number, logs: Logs, isRunning: boolean): string {
    const seconds = (this.now() - this.startedAt) / 1000;
    const rate = seconds > 0 ? (done * this.samplesPerStep) / seconds : 0;
    const parts: { text: string; rank: number }[] = [{ text: this.title, rank: 9 }];
    const { steps } = this;
    if (isRunning && steps) parts.push({ text: bar(done / Math.max(1, steps)), rank: 2 });
    parts.push({ text: isRunning && !steps ? `${done}` : `${done}/${steps ?? done}`, rank: 5 });
    parts.push({ text: duration(seconds), rank: isRunning ? 1 : 3 });
    if (isRunning && done > 0 && steps)
      parts.push({ text: `ETA ${duration((seconds / done) * Math.max(0, steps - done))}`, rank: 4 });
    if (rate > 0) parts.push({ text: `${short(rate)} samples/s`, rank: 1.5 });
    for (const name in logs)
      parts.push({ text: `${name} ${value(logs[name]!)}`, rank: name === "loss" ? 8 : 6 });
    return fitWidth(parts, this.live ? (this.stream!.columns ?? 80) - 1 : Number.POSITIVE_INFINITY);
  }
}

function standardOutput(): ProgressStream | undefined {
  return globalThis.process?.stdout;
}

/** Drops the parts of lowest rank (of equals, the last) until the line fits. */
function fitWidth(parts: readonly { text: string; rank: number }[], width: number): string {
  const kept = [...parts];
  const join = () => kept.map((p) => p.text).join("  ");
  while (kept.length > 1 && join().length > width) {
    let drop = 0;
    kept.forEach((p, i) => {
      if (p.rank <= kept[drop]!.rank) drop = i;
    });
    kept.splice(drop, 1);
  }
  return join().slice(0, width);
}

function bar(share: number): string {
  const full = Math.max(0, Math.min(BAR_WIDTH, Math.floor(share * BAR_WIDTH)));
  return "━".repeat(full) + "─".repeat(BAR_WIDTH - full);
}

/** 0.0s, 59s, 2:05, 1:02:03. */
function duration(seconds: number): string {
  if (seconds < 10) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole}s`;
  const two = (n: number) => String(n).padStart(2, "0");
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes}:${two(whole % 60)}`;
  return `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}

/** 950, 12.3k, 4.5M. */
function short(n: number): string {
  if (n < 1000) return n.toFixed(0);
  return n < 1e6 ? `${(n / 1e3).toFixed(1)}k` : `${(n / 1e6).toFixed(1)}M`;
}

/** Four decimals where they say something, an exponent where they do not. */
function value(x: number): string {
  const size = Math.abs(x);
  return size !== 0 && (size < 1e-3 || size >= 1e6) ? x.toExponential(3) : x.toFixed(4);
}
