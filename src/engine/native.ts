// The engine over the addon. Checks come first and in TypeScript, so that messages name types and layers; the addon
// checks again what memory safety needs. Buffers and executables are freed when their handles are collected.

import type { HostArray } from "../core/dtype.ts";
import { aborted, describe, MyelinError } from "../core/errors.ts";
import { checkInteger, checkOptions } from "../core/options.ts";
import { formatType, sizeOf, type TensorType } from "../core/shape.ts";
import { VERSION } from "../core/version.ts";
import { encode } from "../program/encode.ts";
import { DTYPE_IDS, OPCODES } from "../program/opcodes.ts";
import type { Program } from "../program/program.ts";
import { loadBinding, type NativeError, type NativeFunctions, type RunListener } from "./binding.ts";
import type { DeviceBuffer, Engine, EngineInfo, Executable, RunOptions } from "./engine.ts";

export interface NativeOptions {
  /** CPU level of the kernels: "portable", "avx2", "avx512" or "neon". Default: the best this CPU has. */
  level?: string;
  /** Compute threads, the calling one included. Default: the cores this process may use. */
  threads?: number;
}

export interface NativeEngineInfo extends EngineInfo {
  /** Live handles, and runs that have not settled. */
  readonly buffers: number;
  readonly executables: number;
  readonly runs: number;
}

/** Every op with an opcode is one step here; for composites that saves their expansion, for the rest it says nothing. */
const WHOLE: ReadonlySet<string> = new Set(OPCODES.map((o) => o.name));

/** What is freed when a buffer or executable is collected, which must not be held by it. `id` is 0 once disposed. */
interface Handle {
  readonly native: NativeFunctions;
  readonly kind: "buffer" | "executable";
  id: number;
}

/** For all engines: a registry that is collected together with its engine would free nothing. */
const collected = new FinalizationRegistry<Handle>(free);

function free(handle: Handle): void {
  if (handle.kind === "buffer") handle.native.disposeBuffer(handle.id);
  else handle.native.disposeExecutable(handle.id);
  handle.id = 0;
}

class NativeBuffer implements DeviceBuffer {
  readonly type: TensorType;
  readonly engine: NativeEngine;
  readonly handle: Handle;
  readonly size: number;
  constructor(type: TensorType, engine: NativeEngine, handle: Handle, size: number) {
    this.type = type;
    this.engine = engine;
    this.handle = handle;
    this.size = size;
    collected.register(this, handle, handle);
  }
}

class NativeExecutable implements Executable {
  readonly program: Program;
  readonly engine: NativeEngine;
  readonly handle: Handle;
  /** Elements of each slot. */
  readonly sizes: readonly number[];
  readonly preparedBytes: number;
  constructor(program: Program, engine: NativeEngine, handle: Handle) {
    this.preparedBytes = handle.native.preparedBytes(handle.id);
    this.program = program;
    this.engine = engine;
    this.handle = handle;
    this.sizes = program.slots.map((s) => sizeOf(s.type.shape));
    collected.register(this, handle, handle);
  }
}

/** A run whose promise has not settled. It keeps its buffers and its executable from being collected. */
interface Run {
  readonly executable: NativeExecutable;
  readonly bound: readonly DeviceBuffer[];
  readonly watch: readonly DeviceBuffer[];
  readonly onReport: RunOptions["onReport"];
  readonly signal: AbortSignal | undefined;
  readonly onAbort: (() => void) | undefined;
  readonly resolve: (done: number) => void;
  readonly reject: (error: unknown) => void;
  /** Thrown by onReport; the run then rejects with it. */
  thrown: { error: unknown } | undefined;
}

/**
 * Runs Programs with the addon's kernels.
 * @throws MyelinError ENGINE_UNAVAILABLE when there is no addon, or the CPU lacks the level asked for
 * @example const engine = new NativeEngine({ level: "portable", threads: 1 });
 */
export class NativeEngine implements Engine {
  readonly name = "native";
  readonly composites: ReadonlySet<string> = WHOLE;
  private readonly native: NativeFunctions;
  private readonly runs = new Map<number, Run>();
  /** Ids on their way to the addon, used again for every run. */
  private ids = new Uint32Array(64);

  constructor(options: NativeOptions = {}) {
    const where = "NativeEngine";
    const { level = "", threads = 0 } = checkOptions(where, options, ["level", "threads"]);
    if (options.threads !== undefined) checkInteger(where, "threads", threads, 1, 1024);
    const binding = loadBinding();
    if (level !== "" && !binding.levels.includes(level)) {
      throw new MyelinError(
        "ENGINE_UNAVAILABLE",
        `native engine: expected a level that this CPU has (${binding.levels.join(", ")}), got ${describe(level)}`,
      );
    }
    this.native = call(() => binding.createEngine(level, threads, listener(this.runs)));
  }

  info(): NativeEngineInfo {
    return { name: "native", version: VERSION, ...this.native.info() };
  }

  allocate(type: TensorType): DeviceBuffer {
    const { shape, dtype } = type;
    const size = sizeOf(shape);
    const id = call(() => this.native.allocate(DTYPE_IDS[dtype], size));
    return new NativeBuffer({ shape, dtype }, this, { native: this.native, kind: "buffer", id }, size);
  }

  write(buffer: DeviceBuffer, from: HostArray, at = 0): void {
    const { handle, type } = this.checkCopy("write", buffer, from, at);
    const data = from instanceof Float64Array && type.dtype === "float32" ? Float32Array.from(from) : from;
    call(() => this.native.write(handle.id, data as Float32Array, at));
  }

  read(buffer: DeviceBuffer, into: HostArray, at = 0): void {
    const { handle, type } = this.checkCopy("read", buffer, into, at);
    if (into instanceof Float64Array && type.dtype === "float32") {
      const data = new Float32Array(into.length);
      call(() => this.native.read(handle.id, data, at));
      into.set(data);
      return;
    }
    call(() => this.native.read(handle.id, into as Float32Array, at));
  }

  load(program: Program): Executable {
    const words = encode(program);
    const id = call(() => this.native.load(words, program.constants), program);
    return new NativeExecutable(program, this, { native: this.native, kind: "executable", id });
  }

  run(executable: Executable, bound: readonly DeviceBuffer[], options: RunOptions = {}): Promise<number> {
    return new Promise((resolve, reject) => {
      const exec = this.checkRun("run", executable, bound);
      const steps = options.steps === undefined ? 1 : checkInteger("run", "steps", options.steps);
      const { signal, onReport } = options;
      const watch = onReport === undefined || options.watch === undefined ? [] : options.watch;
      for (let i = 0; i < watch.length; i++) this.put(bound.length + i, this.checkBuffer("run", watch[i]!));
      if (signal?.aborted) throw aborted("run", signal.reason);

      const reports = onReport !== undefined;
      const id = call(
        () => this.native.run(exec.handle.id, this.ids, bound.length, watch.length, steps, reports),
        exec.program,
      );
      const onAbort = signal === undefined ? undefined : () => this.native.cancel(id);
      if (onAbort !== undefined) signal!.addEventListener("abort", onAbort);
      // Copies, so that a caller who changes its arrays does not change what is kept alive.
      const kept = { executable: exec, bound: [...bound], watch: [...watch], onReport, signal, onAbort };
      this.runs.set(id, { ...kept, resolve, reject, thrown: undefined });
    });
  }

  runSync(executable: Executable, bound: readonly DeviceBuffer[], steps = 1): void {
    const exec = this.checkRun("runSync", executable, bound);
    checkInteger("runSync", "steps", steps);
    try {
      this.native.runSync(exec.handle.id, this.ids, bound.length, steps);
    } catch (error) {
      throw translated(error, exec.program);
    }
  }

  dispose(what: DeviceBuffer | Executable): void {
    if (!(what instanceof NativeBuffer || what instanceof NativeExecutable) || what.engine !== this) {
      throw new MyelinError("INVALID_ARGUMENT", "dispose: expected a buffer or executable of this engine");
    }
    if (what.handle.id === 0) return;
    collected.unregister(what.handle);
    free(what.handle);
  }

  private put(index: number, buffer: NativeBuffer): void {
    if (index >= this.ids.length) {
      const grown = new Uint32Array(index * 2);
      grown.set(this.ids);
      this.ids = grown;
    }
    this.ids[index] = buffer.handle.id;
  }

  private checkBuffer(what: string, buffer: DeviceBuffer): NativeBuffer {
    if (!(buffer instanceof NativeBuffer) || buffer.engine !== this) {
      throw new MyelinError("INVALID_ARGUMENT", `${what}: expected a buffer of this engine`);
    }
    if (buffer.handle.id === 0) throw disposed(what, "buffer");
    return buffer;
  }

  private checkCopy(what: string, buffer: DeviceBuffer, host: HostArray, at: number): NativeBuffer {
    const checked = this.checkBuffer(what, buffer);
    const { dtype } = checked.type;
    const fits =
      dtype === "float32"
        ? host instanceof Float32Array || host instanceof Float64Array
        : dtype === "int32"
          ? host instanceof Int32Array
          : host instanceof Uint8Array;
    if (!fits) {
      throw new MyelinError(
        "DTYPE_MISMATCH",
        `${what}: expected an array for ${formatType(checked.type)}, got ${describe(host)}`,
      );
    }
    if (!Number.isInteger(at) || at < 0 || at + host.length > checked.size) {
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `${what}: expected elements within a buffer of ${checked.size}, got ${host.length} from element ${at} on`,
      );
    }
    return checked;
  }

  /** Checks everything about a run's buffers and leaves their ids in `ids`. */
  private checkRun(what: string, exec: Executable, bound: readonly DeviceBuffer[]): NativeExecutable {
    if (!(exec instanceof NativeExecutable) || exec.engine !== this) {
      throw new MyelinError("INVALID_ARGUMENT", `${what}: expected an executable of this engine`);
    }
    if (exec.handle.id === 0) throw disposed(what, "executable");
    const { sizes } = exec;
    const { slots } = exec.program;
    if (bound.length !== slots.length) {
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `${what}: expected ${slots.length} buffers, got ${bound.length}`,
      );
    }
    for (let i = 0; i < bound.length; i++) {
      const buffer = this.checkBuffer(what, bound[i]!);
      if (buffer.type.dtype !== slots[i]!.type.dtype || buffer.size !== sizes[i]) {
        throw new MyelinError(
          "SHAPE_MISMATCH",
          `${what}: expected ${formatType(slots[i]!.type)} for slot ${i}, got ${formatType(buffer.type)}`,
        );
      }
      this.put(i, buffer);
    }
    return exec;
  }
}

/** What the addon calls on the event loop. It knows the runs alone: the addon keeps it as long as the process lives. */
function listener(runs: Map<number, Run>): RunListener {
  return (id, kind, done, payload) => {
    const run = runs.get(id);
    if (run === undefined) return;
    if (kind === "report") {
      if (run.thrown !== undefined || run.signal?.aborted) return;
      try {
        run.onReport?.({ done, watched: payload as readonly HostArray[] });
      } catch (error) {
        run.thrown = { error };
        run.executable.handle.native.cancel(id);
      }
      return;
    }
    runs.delete(id);
    if (run.onAbort !== undefined) run.signal?.removeEventListener("abort", run.onAbort);
    if (run.thrown !== undefined) run.reject(run.thrown.error);
    else if (kind === "done") run.resolve(done);
    else if (kind === "aborted") run.reject(aborted("run", run.signal?.reason));
    else run.reject(translated(payload, run.executable.program));
  };
}

function call<T>(fn: () => T, program?: Program): T {
  try {
    return fn();
  } catch (error) {
    throw translated(error, program);
  }
}

/** An error of the addon as ours; a step's one with the layer it came from. */
function translated(error: unknown, program?: Program): unknown {
  const { code, message, step } = error as NativeError;
  if (typeof code !== "string") return error;
  const culprit = step === undefined ? undefined : program?.steps[step];
  if (culprit === undefined) return new MyelinError(code, message, { cause: error });
  const { name } = culprit.op;
  const where = culprit.where ? `${name} at ${culprit.where}` : name;
  // The addon names the opcode; the layer says more.
  const rest = message.replace(/^step (\d+) \(\w+\): /, "step $1: ").replace(`${name}: `, "");
  const label = code === "INVALID_DATA" && name.startsWith("sparseSoftmaxCrossEntropy");
  return new MyelinError(label ? "LABEL_OUT_OF_RANGE" : code, `${where}: ${rest}`, { cause: error });
}

function disposed(what: string, kind: string): MyelinError {
  return new MyelinError("DISPOSED", `${what}: expected a live ${kind}, got one that was disposed`);
}
