// The path for people who write their own loops: compile, grad and valueAndGrad turn functions on Values into functions on
// Tensors. They nest: inside a trace each simply adds its nodes, so grad(grad(f)) and compile(grad(f)) mean what they say.

import { backward } from "./autodiff/backward.ts";
import { type BuildOptions, type Built, build } from "./compile.ts";
import { describe, MyelinError } from "./core/errors.ts";
import { checkInteger, checkOptions } from "./core/options.ts";
import { formatType } from "./core/shape.ts";
import { Tensor, type TensorLike, tensor } from "./core/tensor.ts";
import { type Flat, flatten } from "./core/tree.ts";
import type { Engine } from "./engine/engine.ts";
import { currentEngine } from "./engine/select.ts";
import { type Op, Value } from "./graph/graph.ts";
import { emit, isTracing, readVariable } from "./graph/trace.ts";
import { Variable } from "./graph/variable.ts";
import { toValue } from "./ops/operand.ts";

/** A Value, or arrays and records of Values: what compiled functions take and return. */
export type ValueTree = Value | readonly ValueTree[] | { readonly [name: string]: ValueTree };

/** What is passed from outside for an argument: anything that can become a Tensor, in the same arrangement. */
export type Host<T> = T extends Value | Variable | Tensor | number | boolean
  ? TensorLike
  : T extends object
    ? { [K in keyof T]: Host<T[K]> }
    : T;

/** What comes back for a result: Tensors in the same arrangement. */
export type HostResult<T> = T extends Value | Variable | Tensor
  ? Tensor
  : T extends object
    ? { [K in keyof T]: HostResult<T[K]> }
    : T;

/** A function that runs as one Program. On Tensors it gives a promise; on Values, inside a trace, it is inlined. */
export interface Compiled<A extends readonly unknown[], R> {
  (...args: { [K in keyof A]: Host<A[K]> }): Promise<HostResult<R>>;
  (...args: A): R;
  /** Runs on the calling thread and blocks it: for functions of microseconds. */
  sync(...args: { [K in keyof A]: Host<A[K]> }): HostResult<R>;
}

/** Which engine, which passes, and the name errors use. */
export type CompileOptions = BuildOptions;

/** Different argument shapes a function may be called with before a warning; every one is compiled anew. */
const MANY_SHAPES = 8;

/**
 * Turns a function written with ops into one that runs as a single Program. It is traced once for each set of argument
 * shapes and dtypes; what it does to Variables happens at every call. Nested arrays of numbers passed for an argument are
 * one tensor; a list of tensors is written with `tensor(...)`.
 * @param fn from Values, or arrays and records of Values, to the same
 * @example
 * const norm = compile((x) => ops.sqrt(ops.sum(ops.square(x))));
 * (await norm([3, 4])).item();   // 5
 */
export function compile<A extends Value[], R>(
  fn: (...args: A) => R,
  options?: CompileOptions,
): Compiled<A, R>;
export function compile<A extends ValueTree[], R>(
  fn: (...args: A) => R,
  options?: CompileOptions,
): Compiled<A, R>;
export function compile<R>(fn: (...args: never[]) => R, options?: CompileOptions): Compiled<unknown[], R> {
  if (typeof fn !== "function") {
    throw new MyelinError("INVALID_ARGUMENT", `compile: expected a function, got ${describe(fn)}`);
  }
  checkOptions("compile", options, ["engine", "passes", "name"]);
  return makeCompiled(
    fn as (...args: unknown[]) => R,
    options?.name ?? (fn.name || "compiled function"),
    options,
  );
}

interface Entry {
  readonly built: Built;
  /** Structure of the result, known once traced. */
  readonly result: Flat<Value> | undefined;
}

function makeCompiled<R>(
  fn: (...args: unknown[]) => R,
  name: string,
  options: CompileOptions = {},
): Compiled<unknown[], R> {
  const entries = new WeakMap<Engine, Map<string, Entry>>();
  const shapes = new Set<string>();

  const prepare = (args: readonly unknown[]): { entry: Entry; leaves: Tensor[] } => {
    checkCount(name, fn, args);
    const simple = args.every((a) => a instanceof Tensor);
    const flat = simple
      ? undefined
      : flatten(`${name}: arguments`, args, (x, path) => (path === "" ? undefined : hostLeaf(x)));
    const leaves = flat?.leaves ?? (args as Tensor[]);
    const key = `${flat?.key ?? ""} ${leaves.map(formatType).join()}`;
    const engine = options.engine ?? currentEngine();
    const known = entries.get(engine) ?? new Map<string, Entry>();
    entries.set(engine, known);
    let entry = known.get(key);
    if (!entry) {
      warnOnMany(name, shapes, key);
      entry = traceEntry(fn, name, flat, leaves, { ...options, engine });
      known.set(key, entry);
    }
    return { entry, leaves };
  };
  const resultOf = ({ result }: Entry, tensors: Tensor[]) => result?.rebuild(tensors) as HostResult<R>;

  const call = (...args: unknown[]): unknown => {
    if (isTracing()) {
      checkCount(name, fn, args);
      return fn(...args.map((a, i) => toValues(`${name}: argument ${i}`, a)));
    }
    return (async () => {
      const { entry, leaves } = prepare(args);
      return resultOf(entry, await entry.built.run(leaves));
    })();
  };
  const sync = (...args: unknown[]): HostResult<R> => {
    if (isTracing())
      throw new MyelinError("INVALID_ARGUMENT", `${name}.sync: expected a call outside of a trace`);
    const { entry, leaves } = prepare(args);
    return resultOf(entry, entry.built.runSync(leaves));
  };
  return Object.assign(call, { sync }) as Compiled<unknown[], R>;
}

function traceEntry(
  fn: (...args: unknown[]) => unknown,
  name: string,
  flat: Flat<Tensor> | undefined,
  leaves: readonly Tensor[],
  options: BuildOptions,
): Entry {
  let result: Flat<Value> | undefined;
  const traced = (...values: Value[]): Value[] => {
    const out = fn(...((flat?.rebuild(values) ?? values) as unknown[]));
    if (out === undefined) return [];
    if (out instanceof Promise) {
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `${name}: expected a function that returns Values, got an async function`,
      );
    }
    result = flatten(`${name}: result`, out, (x) => valueLeaf(x));
    return result.leaves;
  };
  const types = leaves.map(({ shape, dtype }) => ({ shape, dtype }));
  const built = build(traced, types, { ...options, name });
  return { built, result };
}

function checkCount(name: string, fn: (...args: never[]) => unknown, args: readonly unknown[]): void {
  if (args.length >= fn.length) return;
  throw new MyelinError("INVALID_ARGUMENT", `${name}: expected ${fn.length} arguments, got ${args.length}`);
}

/** A tree's leaf as it comes from outside: a Tensor, a typed array, a number, or nested arrays of numbers. */
function hostLeaf(x: unknown): Tensor | undefined {
  if (x instanceof Tensor) return x;
  const isData = typeof x === "number" || typeof x === "boolean" || ArrayBuffer.isView(x) || isNumeric(x);
  return isData ? tensor(x as TensorLike) : undefined;
}

function isNumeric(x: unknown): boolean {
  let first = x;
  while (Array.isArray(first)) first = first[0];
  return Array.isArray(x) && (first === undefined || typeof first === "number" || typeof first === "boolean");
}

function valueLeaf(x: unknown): Value | undefined {
  const isOperand =
    x instanceof Value || x instanceof Variable || typeof x === "number" || typeof x === "boolean";
  if (isOperand) return toValue(x as Value | Variable | number | boolean);
  const data = hostLeaf(x);
  return data && toValue(data);
}

/** The same tree with a Value for every leaf. */
function toValues(where: string, tree: unknown): unknown {
  if (tree instanceof Value) return tree;
  const flat = flatten(where, tree, valueLeaf);
  return flat.rebuild(flat.leaves);
}

function warnOnMany(name: string, shapes: Set<string>, key: string): void {
  if (shapes.size > MANY_SHAPES) return;
  shapes.add(key);
  if (shapes.size <= MANY_SHAPES) return;
  console.warn(
    `myelin: ${name} was called with more than ${MANY_SHAPES} different argument shapes and is compiled anew for each; ` +
      "pad its arguments to fewer shapes.",
  );
}

export interface GradOptions {
  /** Positions of the arguments to differentiate by: a number for one, a list for several. Default 0. */
  argnums?: number | readonly number[];
  /** Differentiate by these Variables instead of by arguments; the gradients come in their order. */
  wrt?: readonly Variable[];
}

/** A gradient with the value it belongs to. */
export interface ValueAndGradient<G> {
  value: Value;
  gradient: G;
}

/**
 * The gradient of a function with a scalar result, as a function of the same arguments.
 * @param fn from Values (or trees of Values) to one float32 scalar
 * @returns gives the gradient by the first argument, in its arrangement; with a list of `argnums` or `wrt`, a list
 * @throws MyelinError NOT_DIFFERENTIABLE for integer arguments and ops without a gradient; SHAPE_MISMATCH for a result that
 * is no scalar
 * @example
 * const slope = grad((x) => ops.sum(ops.power(x, 3)));
 * await slope([1, 2]);                       // [3, 12]
 * const curvature = grad((x) => ops.sum(slope(x)));
 */
export function grad<A extends Value[]>(fn: (...args: A) => Value, options?: One): Compiled<A, A[0]>;
export function grad<A extends Value[]>(
  fn: (...args: A) => Value,
  options: GradOptions,
): Compiled<A, Value[]>;
export function grad<A extends ValueTree[]>(fn: (...args: A) => Value, options?: One): Compiled<A, A[0]>;
export function grad<A extends ValueTree[]>(
  fn: (...args: A) => Value,
  options: GradOptions,
): Compiled<A, A[number][]>;
export function grad(fn: (...args: never[]) => Value, options?: GradOptions): Compiled<unknown[], unknown> {
  const name = nameOf("grad", fn);
  const both = differentiate(name, fn as (...args: unknown[]) => unknown, options);
  return makeCompiled(
    withLength(fn, (...args) => both(...args).gradient),
    name,
  );
}

/**
 * As `grad`, with the function's value beside its gradient: `{ value, gradient }`, at little more than the gradient's cost.
 * @example const { value, gradient } = await valueAndGrad(loss)(weights, x, y);
 */
export function valueAndGrad<A extends Value[]>(
  fn: (...args: A) => Value,
  options?: One,
): Compiled<A, ValueAndGradient<A[0]>>;
export function valueAndGrad<A extends Value[]>(
  fn: (...args: A) => Value,
  options: GradOptions,
): Compiled<A, ValueAndGradient<Value[]>>;
export function valueAndGrad<A extends ValueTree[]>(
  fn: (...args: A) => Value,
  options?: One,
): Compiled<A, ValueAndGradient<A[0]>>;
export function valueAndGrad<A extends ValueTree[]>(
  fn: (...args: A) => Value,
  options: GradOptions,
): Compiled<A, ValueAndGradient<A[number][]>>;
export function valueAndGrad(
  fn: (...args: never[]) => Value,
  options?: GradOptions,
): Compiled<unknown[], unknown> {
  const name = nameOf("valueAndGrad", fn);
  return makeCompiled(
    withLength(fn, differentiate(name, fn as (...args: unknown[]) => unknown, options)),
    name,
  );
}

function nameOf(what: string, fn: unknown): string {
  if (typeof fn === "function") return fn.name ? `${what}(${fn.name})` : what;
  throw new MyelinError("INVALID_ARGUMENT", `${what}: expected a function, got ${describe(fn)}`);
}

/** Options that ask for one gradient, not a list. */
interface One {
  argnums?: number;
  wrt?: undefined;
}

/** The traced function behind both: runs `fn` on marked arguments and sweeps back. */
function differentiate(
  name: string,
  fn: (...args: unknown[]) => unknown,
  options?: GradOptions,
): (...args: unknown[]) => { value: Value; gradient: unknown } {
  const { argnums, wrt } = checkOptions(name, options, ["argnums", "wrt"]);
  if (argnums !== undefined && wrt !== undefined) {
    throw new MyelinError("INVALID_OPTION", `${name}: expected argnums or wrt, got both`);
  }
  for (const v of wrt ?? []) {
    if (!(v instanceof Variable))
      throw new MyelinError("INVALID_OPTION", `${name}: expected wrt to hold Variables, got ${describe(v)}`);
  }
  const positions = wrt ? [] : typeof argnums === "object" ? argnums : [argnums ?? 0];
  for (const p of positions) checkInteger(name, "argnums", p);

  return (...args) => {
    const missing = positions.find((p) => p >= args.length);
    if (missing !== undefined) {
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `${name}: expected an argument ${missing} to differentiate by, got ${args.length} arguments`,
      );
    }
    // Each argument gets a Value of its own: the same Value passed twice must not mix its two gradients.
    const own = new Map(
      positions.map((p) => [p, flatten(`${name}: argument ${p}`, args[p], (x) => markedLeaf(name, p, x))]),
    );
    const variables = (wrt ?? []).map(readVariable);
    const marked = args.map((a, i) => own.get(i)?.rebuild(own.get(i)!.leaves) ?? a);
    const value = scalarResult(name, fn(...marked));
    const flats = positions.map((p) => own.get(p)!);
    const grads = backward([value], [undefined], [...flats.flatMap((f) => f.leaves), ...variables]);
    if (wrt) return { value, gradient: grads };
    const trees = flats.map((f) => f.rebuild(grads.splice(0, f.leaves.length)));
    return { value, gradient: typeof argnums === "object" ? trees : trees[0] };
  };
}

function scalarResult(name: string, out: unknown): Value {
  if (!(out instanceof Value)) {
    throw new MyelinError(
      "INVALID_ARGUMENT",
      `${name}: expected a function that returns one scalar Value, got ${describe(out)}`,
    );
  }
  if (out.rank !== 0) {
    throw new MyelinError(
      "SHAPE_MISMATCH",
      `${name}: expected a scalar result, got ${formatType(out)}; reduce it with ops.sum or ops.mean`,
    );
  }
  if (out.dtype !== "float32") {
    throw new MyelinError("NOT_DIFFERENTIABLE", `${name}: expected a float32 result, got ${formatType(out)}`);
  }
  return out;
}

function markedLeaf(name: string, position: number, x: unknown): Value | undefined {
  if (!(x instanceof Value)) return undefined;
  if (x.dtype === "float32") return emit(argumentOp, [x])[0]!;
  throw new MyelinError(
    "NOT_DIFFERENTIABLE",
    `${name}: expected argument ${position} to be float32, got ${formatType(x)}`,
  );
}

/** Passes its input on under a new name. Gone after the expand pass. */
const argumentOp: Op = {
  name: "argument",
  kind: "composite",
  infer: (inputs) => [inputs[0]!],
  gradient: ({ grads }) => [grads[0]!],
  expand: (inputs) => inputs,
};

/** Keeps the number of parameters, by which calls with too few arguments are told. */
function withLength<R>(
  fn: (...args: never[]) => unknown,
  wrapper: (...args: unknown[]) => R,
): (...args: unknown[]) => R {
  return Object.defineProperty(wrapper, "length", { value: fn.length });
}
