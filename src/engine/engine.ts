// What an engine is: memory, Programs, runs. Nothing per op. Everything above speaks to this interface alone.

import type { HostArray } from "../core/dtype.ts";
import type { TensorType } from "../core/shape.ts";
import type { Program } from "../program/program.ts";

/** Persistent memory of one engine: a weight, a slot, a data set, an argument, a result. */
export interface DeviceBuffer {
  readonly type: TensorType;
  readonly engine: Engine;
}

/** A Program an engine has checked and made ready. May be run many times, also at once on different buffers. */
export interface Executable {
  readonly program: Program;
  readonly engine: Engine;
  /** Bytes it keeps between runs of what it prepared from slots that seldom change; none when absent. */
  readonly preparedBytes?: number;
}

export interface RunOptions {
  /** How many times the Program runs, back to back. Default 1. */
  steps?: number;
  /** Stops between steps; the run then rejects with an AbortError. State stays as the last whole step left it. */
  signal?: AbortSignal;
  /** Buffers whose contents come with every report. */
  watch?: readonly DeviceBuffer[];
  /** Called between steps, at most every ~16 ms and never after the run has settled. Reports coalesce when the event loop is busy. */
  onReport?: (report: RunReport) => void;
}

export interface RunReport {
  /** Steps finished so far in this run. */
  readonly done: number;
  /** Contents of `watch` after exactly that many steps. */
  readonly watched: readonly HostArray[];
}

export interface EngineInfo {
  readonly name: "native" | "reference";
  /** CPU level of the kernels ("avx2", ...); "typescript" on the reference engine. */
  readonly level: string;
  readonly threads: number;
  readonly version: string;
  /** Bytes held: persistent buffers, scratch arenas. */
  readonly bufferBytes: number;
  readonly arenaBytes: number;
}

export interface Engine {
  readonly name: "native" | "reference";
  /** Names of composites and fused steps this engine runs whole; others are expanded before it sees them. */
  readonly composites: ReadonlySet<string>;
  /** "float64" when float32 tensors are stored and computed as doubles; "float32" when absent. */
  readonly precision?: "float32" | "float64";
  info(): EngineInfo;
  /** Zero-filled. Freed by dispose, or when the handle is collected. */
  allocate(type: TensorType): DeviceBuffer;
  /** Copies host data in, from element `at` on. Waits for a run that uses the buffer to finish its step. */
  write(buffer: DeviceBuffer, from: HostArray, at?: number): void;
  /** Copies out, from element `at` on. Waits for a run that uses the buffer to finish its step, so it sees whole steps. */
  read(buffer: DeviceBuffer, into: HostArray, at?: number): void;
  /** Checks everything about the Program, here and once. */
  load(program: Program): Executable;
  /**
   * Runs off the event loop. Runs that write a buffer another run uses wait for it between steps, first come first served.
   * @returns the number of steps done
   */
  run(executable: Executable, bound: readonly DeviceBuffer[], options?: RunOptions): Promise<number>;
  /** The same on the calling thread. */
  runSync(executable: Executable, bound: readonly DeviceBuffer[], steps?: number): void;
  dispose(what: DeviceBuffer | Executable): void;
}
