// The whole path on one page, and the only file that knows it: a function on symbolic Values is traced, optimised, lowered
// and loaded; what comes back runs. Variables are bound to wherever they live; argument and result buffers are pooled.

import { allocateHost, type HostArray } from "./core/dtype.ts";
import { describe, MyelinError } from "./core/errors.ts";
import { checkInteger } from "./core/options.ts";
import { formatType, sameShape, sizeOf, type TensorType } from "./core/shape.ts";
import { Tensor } from "./core/tensor.ts";
import type { DeviceBuffer, Engine, Executable, RunReport } from "./engine/engine.ts";
import { bufferOf, residenceVersion } from "./engine/residence.ts";
import { currentEngine } from "./engine/select.ts";
import type { Graph, Value } from "./graph/graph.ts";
import { type Traced, trace } from "./graph/trace.ts";
import type { Variable } from "./graph/variable.ts";
import { optimizeSteady, type PassOptions } from "./passes/index.ts";
import { type Lowered, lower, type MemoryReport } from "./program/lower.ts";
import type { Program } from "./program/program.ts";

export interface BuildOptions {
  /** Where it will run. Default: the current engine. */
  engine?: Engine;
  /** Which passes run; all by default. */
  passes?: PassOptions;
  /**
   * Variables that change more seldom than the function runs, such as the weights of a model that predicts. What depends on
   * them alone is worked out when they have changed, and not in every run.
   */
  steady?: readonly Variable[];
  /** Names the function in errors. Default "run". */
  name?: string;
}

export interface BuiltRunOptions {
  /** How many times the Program runs, back to back. Default 1. */
  steps?: number;
  /** Stops between steps; the promise then rejects with an AbortError. */
  signal?: AbortSignal;
  /** Variables whose values come with every report. */
  watch?: readonly Variable[];
  /** Called at most every ~16 ms while the run lasts. */
  onReport?: (report: RunReport) => void;
}

/**
 * Traces, optimises, lowers and loads a function.
 * @param fn from Values of `types` to a list of Values; it may read and assign Variables
 * @param types of the arguments
 * @example
 * const step = build((x) => [ops.square(x)], [{ shape: [3], dtype: "float32" }]);
 * const [y] = await step.run([tensor([1, 2, 3])]);
 */
export function build(
  fn: (...args: Value[]) => readonly Value[],
  types: readonly TensorType[] = [],
  options: BuildOptions = {},
): Built {
  const engine = options.engine ?? currentEngine();
  const { passes } = options;
  const traced = trace(fn, types);
  const steady = steadyInputs(traced, options.steady);
  const { graph, preparation } = optimizeSteady(traced.graph, steady, engine.composites, passes, debugging());
  const lowered = lower(graph, { inPlace: passes?.inPlace, preparation, steady });
  const executable = engine.load(lowered.program);
  return new Built(traced, graph, lowered, executable, options.name ?? "run");
}

function steadyInputs(
  { graph, argumentCount, variables }: Traced,
  steady: readonly Variable[] = [],
): Set<Value> {
  const wanted = new Set(steady);
  return new Set(
    graph.inputs.filter((_, i) => i >= argumentCount && wanted.has(variables[i - argumentCount]!)),
  );
}

/** Graphs are checked after every pass when MYELIN_DEBUG is set. */
function debugging(): boolean {
  return Boolean(globalThis.process?.env?.MYELIN_DEBUG);
}

/** One set of buffers for a run: arguments, variables, results, in the order of the Program's slots. */
interface Binding {
  readonly bound: DeviceBuffer[];
  /** The residence version its variables were looked up at. */
  version: number;
}

/** A function made ready on one engine for one set of types. Any number of runs may be under way at once. */
export class Built {
  readonly graph: Graph;
  readonly program: Program;
  readonly engine: Engine;
  readonly memory: MemoryReport;
  /** Bytes it keeps of what it made of its steady Variables. */
  readonly preparedBytes: number;
  /** The Variables it reads or assigns, in the order of their slots. */
  readonly variables: readonly Variable[];
  private readonly executable: Executable;
  private readonly traced: Traced;
  private readonly name: string;
  private readonly free: Binding[] = [];
  private isDisposed = false;

  constructor(traced: Traced, graph: Graph, lowered: Lowered, executable: Executable, name: string) {
    this.traced = traced;
    this.variables = traced.variables;
    this.graph = graph;
    this.program = lowered.program;
    this.memory = lowered.memory;
    this.executable = executable;
    this.preparedBytes = executable.preparedBytes ?? 0;
    this.engine = executable.engine;
    this.name = name;
  }

  /**
   * Runs off the event loop.
   * @param args one Tensor per argument, of exactly the types it was built for
   * @returns the results of the last step
   */
  async run(args: readonly Tensor[] = [], options: BuiltRunOptions = {}): Promise<Tensor[]> {
    const { steps = 1, signal, watch = [], onReport } = options;
    checkInteger(this.name, "steps", steps, 1);
    const binding = this.bind(args);
    try {
      const watched = watch.map((v) => bufferOf(this.engine, v));
      await this.engine.run(this.executable, binding.bound, { steps, signal, watch: watched, onReport });
      return this.results(binding);
    } finally {
      this.giveBack(binding);
    }
  }

  /** The same on the calling thread: for models of microseconds. */
  runSync(args: readonly Tensor[] = [], steps = 1): Tensor[] {
    const binding = this.bind(args);
    try {
      this.engine.runSync(this.executable, binding.bound, steps);
      return this.results(binding);
    } finally {
      this.giveBack(binding);
    }
  }

  /** Frees what it holds of the engine's memory, Variables aside. Runs under way end as they would; later ones throw DISPOSED. */
  dispose(): void {
    this.isDisposed = true;
    this.engine.dispose(this.executable);
    for (const binding of this.free.splice(0)) this.giveBack(binding);
  }

  private giveBack(binding: Binding): void {
    if (!this.isDisposed) {
      this.free.push(binding);
      return;
    }
    const { argumentCount, variables } = this.traced;
    const isOwn = (_: DeviceBuffer, i: number) => variables[i - argumentCount] === undefined;
    for (const buffer of binding.bound.filter(isOwn)) this.engine.dispose(buffer);
  }

  private bind(args: readonly Tensor[]): Binding {
    const { argumentCount, variables } = this.traced;
    if (args.length !== argumentCount) {
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `${this.name}: expected ${argumentCount} arguments, got ${args.length}`,
      );
    }
    args.forEach((arg, i) => {
      this.checkArgument(arg, i);
    });
    const binding = this.free.pop() ?? this.makeBinding();
    if (binding.version !== residenceVersion()) {
      // Placing the first may move the version on, so it is read last.
      variables.forEach((v, i) => {
        binding.bound[argumentCount + i] = bufferOf(this.engine, v);
      });
      binding.version = residenceVersion();
    }
    for (let i = 0; i < argumentCount; i++) this.engine.write(binding.bound[i]!, this.storable(args[i]!));
    return binding;
  }

  private makeBinding(): Binding {
    const { argumentCount, variables } = this.traced;
    const bound = this.program.slots.map((slot, i) => {
      const variable = variables[i - argumentCount];
      return variable ? bufferOf(this.engine, variable) : this.engine.allocate(slot.type);
    });
    return { bound, version: residenceVersion() };
  }

  private checkArgument(arg: Tensor, i: number): void {
    const { type } = this.program.slots[i]!;
    const where = `${this.name}: argument ${i}`;
    if (!(arg instanceof Tensor)) {
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `${where}: expected a Tensor ${formatType(type)}, got ${describe(arg)}`,
      );
    }
    if (arg.dtype === type.dtype && sameShape(arg.shape, type.shape)) return;
    const code = arg.dtype === type.dtype ? "SHAPE_MISMATCH" : "DTYPE_MISMATCH";
    throw new MyelinError(code, `${where}: expected ${formatType(type)}, got ${formatType(arg)}`);
  }

  /** Doubles pass only to an engine that stores doubles. */
  private storable(arg: Tensor): HostArray {
    return arg.data instanceof Float64Array && this.engine.precision !== "float64"
      ? Float32Array.from(arg.data)
      : arg.data;
  }

  private results(binding: Binding): Tensor[] {
    const { slots } = this.program;
    const results: Tensor[] = [];
    for (let i = slots.length - this.traced.resultCount; i < slots.length; i++) {
      const { shape, dtype } = slots[i]!.type;
      const double = dtype === "float32" && this.engine.precision === "float64";
      const data = double ? new Float64Array(sizeOf(shape)) : allocateHost(dtype, sizeOf(shape));
      this.engine.read(binding.bound[i]!, data);
      results.push(new Tensor(data, shape, dtype));
    }
    return results;
  }
}
