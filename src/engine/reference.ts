// The reference engine: plain TypeScript, a loop over `op.evaluate`. It is the definition of what a Program means, the
// oracle of the tests, and a fallback where no native build runs. Single-threaded: runs take turns between steps, and a
// step that is under way is finished on the spot when somebody needs its results synchronously.

import { allocateHost, BYTES, type DType, type HostArray } from "../core/dtype.ts";
import { aborted, MyelinError } from "../core/errors.ts";
import { nextTurn } from "../core/next-turn.ts";
import { checkBoolean, checkInteger, checkOneOf, checkOptions } from "../core/options.ts";
import { formatType, sizeOf, type TensorType } from "../core/shape.ts";
import { VERSION } from "../core/version.ts";
import type { Program } from "../program/program.ts";
import type { DeviceBuffer, Engine, EngineInfo, Executable, RunOptions } from "./engine.ts";
import { type Operand, type Plan, type PlannedCall, planCalls } from "./reference-plan.ts";

export interface ReferenceOptions {
  /** What float32 tensors are stored and computed in. Default "float32". */
  precision?: "float32" | "float64";
  /** Stop at the first op that makes NaN or infinity out of finite inputs, and name it. Slow; default false. */
  checkNaN?: boolean;
}

/** Milliseconds a run may hold the event loop at a time; half a frame. */
const SLICE = 8;
/** Milliseconds between two reports of a run. */
const REPORT_EVERY = 16;
/** Elements processed between two looks at the clock: some microseconds. */
const CLOCK_EVERY = 8192;

class ReferenceBuffer implements DeviceBuffer {
  readonly type: TensorType;
  readonly engine: ReferenceEngine;
  /** Undefined after dispose. */
  data: HostArray | undefined;
  constructor(type: TensorType, engine: ReferenceEngine, data: HostArray) {
    this.type = type;
    this.engine = engine;
    this.data = data;
  }
}

interface Call extends PlannedCall {
  /** The arrays behind the operands, filled in by `bind`. */
  readonly reads: HostArray[];
  readonly writes: HostArray[];
}

class ReferenceExecutable implements Executable {
  readonly program: Program;
  readonly engine: ReferenceEngine;
  readonly calls: readonly Call[];
  readonly arenaBytes: number;
  /** The Program's preparation is run with every step: its results lie here. */
  readonly prepared: ArrayBuffer;
  disposed = false;
  /** What the calls' arrays point at now. */
  arena: ArrayBuffer | undefined;
  readonly bound: (ReferenceBuffer | undefined)[];

  constructor(program: Program, engine: ReferenceEngine, plan: Plan) {
    this.program = program;
    this.engine = engine;
    this.calls = plan.calls.map((c) => ({
      ...c,
      reads: new Array(c.inputs.length),
      writes: new Array(c.outputs.length),
    }));
    this.arenaBytes = plan.arenaBytes;
    this.prepared = new ArrayBuffer(program.preparedBytes * (engine.precision === "float64" ? 2 : 1));
    this.bound = new Array(program.slots.length).fill(undefined);
  }
}

/** A run in the queue. `position` is the next call of the step under way; 0 between steps. */
interface Run {
  readonly executable: ReferenceExecutable;
  readonly bound: readonly ReferenceBuffer[];
  readonly steps: number;
  readonly options: RunOptions;
  readonly resolve: (done: number) => void;
  readonly reject: (error: unknown) => void;
  position: number;
  done: number;
  reported: number;
}

/**
 * Runs Programs in plain TypeScript.
 * @example const engine = new ReferenceEngine({ precision: "float64" });
 */
export class ReferenceEngine implements Engine {
  readonly name = "reference";
  /** checkLabels means something only where it runs. */
  readonly composites: ReadonlySet<string> = new Set(["checkLabels"]);
  readonly precision: "float32" | "float64";
  private readonly checkNaN: boolean;
  /** Scratch of the step under way; one for all Programs, as large as the largest needs. */
  private arena = new ArrayBuffer(0);
  private readonly queue: Run[] = [];
  private pumping = false;
  private bufferBytes = 0;
  private readonly collected = new FinalizationRegistry<number>((bytes) => {
    this.bufferBytes -= bytes;
  });

  constructor(options: ReferenceOptions = {}) {
    const { precision = "float32", checkNaN = false } = checkOptions("ReferenceEngine", options, [
      "precision",
      "checkNaN",
    ]);
    this.precision = checkOneOf("ReferenceEngine", "precision", precision, ["float32", "float64"]);
    this.checkNaN = checkBoolean("ReferenceEngine", "checkNaN", checkNaN);
  }

  info(): EngineInfo {
    const arenaBytes = this.arena.byteLength;
    return {
      name: "reference",
      level: "typescript",
      threads: 1,
      version: VERSION,
      bufferBytes: this.bufferBytes,
      arenaBytes,
    };
  }

  allocate(type: TensorType): DeviceBuffer {
    const length = sizeOf(type.shape);
    const data = this.isDouble(type.dtype) ? new Float64Array(length) : allocateHost(type.dtype, length);
    const buffer = new ReferenceBuffer({ shape: type.shape, dtype: type.dtype }, this, data);
    this.bufferBytes += data.byteLength;
    this.collected.register(buffer, data.byteLength, buffer);
    return buffer;
  }

  write(buffer: DeviceBuffer, from: HostArray, at = 0): void {
    const data = this.dataOf("write", buffer);
    checkRange("write", data.length, at, from.length);
    this.finishStepOf(buffer);
    data.set(from, at);
  }

  read(buffer: DeviceBuffer, into: HostArray, at = 0): void {
    const data = this.dataOf("read", buffer);
    checkRange("read", data.length, at, into.length);
    this.finishStepOf(buffer);
    if (at === 0 && into.length === data.length) into.set(data);
    else into.set(data.subarray(at, at + into.length));
  }

  load(program: Program): Executable {
    return new ReferenceExecutable(program, this, planCalls(program));
  }

  run(executable: Executable, bound: readonly DeviceBuffer[], options: RunOptions = {}): Promise<number> {
    return new Promise((resolve, reject) => {
      const exec = this.checkRun("run", executable, bound);
      const steps = checkInteger("run", "steps", options.steps ?? 1);
      for (const b of options.watch ?? []) this.dataOf("run", b);
      const buffers = bound as readonly ReferenceBuffer[];
      this.queue.push({
        executable: exec,
        bound: buffers,
        steps,
        options,
        resolve,
        reject,
        position: 0,
        done: 0,
        reported: now(),
      });
      if (!this.pumping) nextTurn(this.pump);
      this.pumping = true;
    });
  }

  runSync(executable: Executable, bound: readonly DeviceBuffer[], steps = 1): void {
    const exec = this.checkRun("runSync", executable, bound);
    this.finishStep();
    for (let step = 0; step < steps; step++) {
      this.bind(exec, bound as readonly ReferenceBuffer[]);
      for (const call of exec.calls) this.evaluate(call);
    }
  }

  dispose(what: DeviceBuffer | Executable): void {
    if (what instanceof ReferenceBuffer && what.engine === this) {
      if (what.data === undefined) return;
      this.finishStepOf(what);
      this.bufferBytes -= what.data.byteLength;
      this.collected.unregister(what);
      what.data = undefined;
    } else if (what instanceof ReferenceExecutable && what.engine === this) {
      what.disposed = true;
    } else {
      throw new MyelinError("INVALID_ARGUMENT", "dispose: expected a buffer or executable of this engine");
    }
  }

  /** Works off the queue for one slice; runs take turns after every step. */
  private readonly pump = (): void => {
    const until = now() + SLICE;
    for (let run = this.queue[0]; run !== undefined; run = this.queue[0]) {
      const finished = this.advance(run, until);
      if (now() >= until) {
        nextTurn(this.pump);
        return;
      }
      if (finished && this.queue.length > 1 && this.queue[0] === run) this.queue.push(this.queue.shift()!);
    }
    this.pumping = false;
  };

  /** Takes the head of the queue up to the end of its step, or to the end of the slice. True at the end of a step. */
  private advance(run: Run, until: number): boolean {
    try {
      if (run.position === 0) {
        if (run.options.signal?.aborted) throw aborted("run", run.options.signal.reason);
        if (run.steps > 0) this.bind(run.executable, run.bound);
      }
      const { calls } = run.executable;
      let work = 0;
      while (run.done < run.steps && run.position < calls.length) {
        const call = calls[run.position++]!;
        this.evaluate(call);
        work += call.cost;
        if (work >= CLOCK_EVERY && run.position < calls.length) {
          work = 0;
          if (now() >= until) return false;
        }
      }
      if (run.steps > 0) this.stepDone(run);
      if (run.done === run.steps) {
        this.leave(run);
        run.resolve(run.done);
      }
    } catch (error) {
      this.leave(run);
      run.reject(error);
    }
    return true;
  }

  private stepDone(run: Run): void {
    run.position = 0;
    run.done++;
    const { onReport, watch = [] } = run.options;
    if (onReport === undefined || run.done === run.steps) return;
    const time = now();
    if (time - run.reported < REPORT_EVERY) return;
    run.reported = time;
    onReport({ done: run.done, watched: watch.map((b) => this.dataOf("run", b).slice()) });
  }

  private leave(run: Run): void {
    run.position = 0;
    this.queue.splice(this.queue.indexOf(run), 1);
  }

  /** Finishes the step under way, if any, on the spot: its scratch and its buffers are then at rest. */
  private finishStep(): void {
    const run = this.queue[0];
    if (run !== undefined && run.position > 0) this.advance(run, Infinity);
  }

  private finishStepOf(buffer: DeviceBuffer): void {
    const run = this.queue[0];
    if (run !== undefined && run.position > 0 && run.bound.includes(buffer as ReferenceBuffer))
      this.advance(run, Infinity);
  }

  /** Points the arrays of all calls at this arena and these buffers. Does nothing when they already are. */
  private bind(exec: ReferenceExecutable, bound: readonly ReferenceBuffer[]): void {
    const scale = this.precision === "float64" ? 2 : 1;
    if (this.arena.byteLength < exec.arenaBytes * scale)
      this.arena = new ArrayBuffer(exec.arenaBytes * scale);
    for (const b of bound) if (b.data === undefined) throw disposed("run", "buffer");
    const fresh = exec.arena !== this.arena;
    if (!fresh && exec.bound.every((b, i) => b === bound[i])) return;
    const viewOf = (o: Operand): HostArray | undefined => {
      if (o.space === "bound") return exec.bound[o.at] !== bound[o.at] ? bound[o.at]!.data : undefined;
      if (!fresh) return undefined;
      if (o.space === "constant") return this.constant(exec.program.constants, o);
      return this.view(o.space === "arena" ? this.arena : exec.prepared, o.at * scale, o);
    };
    for (const call of exec.calls) {
      call.inputs.forEach((o, i) => {
        call.reads[i] = viewOf(o) ?? call.reads[i]!;
      });
      call.outputs.forEach((o, i) => {
        call.writes[i] = viewOf(o) ?? call.writes[i]!;
      });
    }
    exec.arena = this.arena;
    for (let i = 0; i < bound.length; i++) exec.bound[i] = bound[i];
  }

  private isDouble(dtype: DType): boolean {
    return dtype === "float32" && this.precision === "float64";
  }

  private view(memory: ArrayBuffer, offset: number, { dtype, length }: Operand): HostArray {
    if (this.isDouble(dtype)) return new Float64Array(memory, offset, length);
    if (dtype === "float32") return new Float32Array(memory, offset, length);
    return dtype === "int32"
      ? new Int32Array(memory, offset, length)
      : new Uint8Array(memory, offset, length);
  }

  private constant(blob: Uint8Array, o: Operand): HostArray {
    const bytes = blob.slice(o.at, o.at + o.length * BYTES[o.dtype]).buffer;
    if (this.isDouble(o.dtype)) return Float64Array.from(new Float32Array(bytes));
    return this.view(bytes, 0, o);
  }

  private evaluate(call: Call): void {
    try {
      call.op.evaluate!(call.reads, call.writes, call.context);
    } catch (error) {
      throw located(error, call);
    }
    if (this.checkNaN) checkFinite(call);
  }

  private dataOf(what: string, buffer: DeviceBuffer): HostArray {
    if (!(buffer instanceof ReferenceBuffer) || buffer.engine !== this) {
      throw new MyelinError("INVALID_ARGUMENT", `${what}: expected a buffer of this engine`);
    }
    if (buffer.data === undefined) throw disposed(what, "buffer");
    return buffer.data;
  }

  private checkRun(what: string, exec: Executable, bound: readonly DeviceBuffer[]): ReferenceExecutable {
    if (!(exec instanceof ReferenceExecutable) || exec.engine !== this) {
      throw new MyelinError("INVALID_ARGUMENT", `${what}: expected an executable of this engine`);
    }
    if (exec.disposed) throw disposed(what, "executable");
    const { slots } = exec.program;
    if (bound.length !== slots.length) {
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `${what}: expected ${slots.length} buffers, got ${bound.length}`,
      );
    }
    for (let i = 0; i < bound.length; i++) {
      this.dataOf(what, bound[i]!);
      const { type } = bound[i]!;
      if (type.dtype !== slots[i]!.type.dtype || sizeOf(type.shape) !== sizeOf(slots[i]!.type.shape)) {
        throw new MyelinError(
          "SHAPE_MISMATCH",
          `${what}: expected ${formatType(slots[i]!.type)} for slot ${i}, got ${formatType(type)}`,
        );
      }
    }
    return exec;
  }
}

const now = (): number => performance.now();

function disposed(what: string, kind: string): MyelinError {
  return new MyelinError("DISPOSED", `${what}: expected a live ${kind}, got one that was disposed`);
}

function checkRange(what: string, size: number, at: number, length: number): void {
  if (!Number.isInteger(at) || at < 0 || at + length > size) {
    throw new MyelinError(
      "INVALID_ARGUMENT",
      `${what}: expected elements within a buffer of ${size}, got ${length} from element ${at} on`,
    );
  }
}

/** Bad data met by an op, with the layer path the op came from. */
function located(error: unknown, { op, where }: Call): unknown {
  if (!(error instanceof MyelinError) || where === "" || !error.message.startsWith(`${op.name}:`))
    return error;
  const message = `${op.name} at ${where}${error.message.slice(op.name.length)}`;
  return new MyelinError(error.code, message, { cause: error });
}

/** Blames a call that made a number that is none, or infinite, out of finite ones. */
function checkFinite(call: Call): void {
  for (let o = 0; o < call.writes.length; o++) {
    const type = call.context.outputTypes[o]!;
    if (type.dtype !== "float32") continue;
    const bad = firstNotFinite(call.writes[o]!);
    if (bad < 0) continue;
    const clean = call.reads.every(
      (r, i) => call.context.inputTypes[i]!.dtype !== "float32" || firstNotFinite(r) < 0,
    );
    if (!clean) continue;
    const where = call.where ? `${call.op.name} at ${call.where}` : call.op.name;
    const value = call.writes[o]![bad];
    throw new MyelinError(
      "NOT_A_NUMBER",
      `${where}: expected finite numbers, got ${value} in element ${bad} of ${formatType(type)}`,
    );
  }
}

function firstNotFinite(data: HostArray): number {
  for (let i = 0; i < data.length; i++) if (!Number.isFinite(data[i]!)) return i;
  return -1;
}
