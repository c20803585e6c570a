// Tracing: run a function once on symbolic Values and write down what it does. One builder is current at a time
// (a stack, since a gradient may be traced inside a trace); `emit` appends to it.

import { internal, MyelinError } from "../core/errors.ts";
import { formatShape, sameType, type TensorType } from "../core/shape.ts";
import { type Attrs, type Graph, inferTypes, makeNode, type Node, type Op, Value } from "./graph.ts";
import type { Variable } from "./variable.ts";

/** A graph and the variables behind its trailing inputs: graph.inputs = [...arguments, ...variables]. */
export interface Traced {
  readonly graph: Graph;
  readonly argumentCount: number;
  /** How many leading outputs are results; the rest are updates of variables. */
  readonly resultCount: number;
  readonly variables: readonly Variable[];
}

class Builder {
  readonly nodes: Node[] = [];
  readonly variableInputs = new Map<Variable, Value>();
  /** The value a variable has at this point of the trace. */
  readonly current = new Map<Variable, Value>();
  readonly scopes: string[] = [];
  streams = 0;
}

const stack: Builder[] = [];

function builder(what: string): Builder {
  const top = stack.at(-1);
  if (!top)
    throw new MyelinError(
      "OUTSIDE_TRACE",
      `${what}: ops build graphs and work only inside compile(...), grad(...) or a layer's call`,
    );
  return top;
}

export function isTracing(): boolean {
  return stack.length > 0;
}

/** Appends one node to the graph being traced and returns its outputs. */
export function emit(op: Op, inputs: readonly Value[], attrs: Attrs = {}): readonly Value[] {
  const b = builder(op.name);
  const where = b.scopes.join("/");
  const node = makeNode(op, inputs, attrs, inferTypes(op, inputs, attrs, where), where);
  b.nodes.push(node);
  return node.outputs;
}

/** Runs `fn` with `name` added to the layer path that nodes and errors carry. */
export function withScope<T>(name: string, fn: () => T): T {
  const b = builder(`scope ${name}`);
  b.scopes.push(name);
  try {
    return fn();
  } finally {
    b.scopes.pop();
  }
}

/** The current layer path, for error messages. */
export function currentScope(): string {
  return stack.at(-1)?.scopes.join("/") ?? "";
}

/** A number that no other random op of this graph has; part of its Philox counter. */
export function nextStream(): number {
  return builder("random").streams++;
}

/** The value of a variable at this point: its input, or what was last assigned. */
export function readVariable(variable: Variable): Value {
  const b = builder(`variable ${variable.name}`);
  const now = b.current.get(variable);
  if (now) return now;
  const input = new Value(variable, null, -1);
  b.variableInputs.set(variable, input);
  b.current.set(variable, input);
  return input;
}

/** Gives a variable a new value, effective for later reads in this trace and, after the run, for everyone. */
export function assignVariable(variable: Variable, value: Value): void {
  const b = builder(`assign ${variable.name}`);
  if (!sameType(variable, value)) {
    throw new MyelinError(
      "SHAPE_MISMATCH",
      `assign to ${variable.name}: expected ${variable.dtype}${formatShape(variable.shape)}, got ${value.dtype}${formatShape(value.shape)}`,
    );
  }
  readVariable(variable);
  b.current.set(variable, value);
}

/** Traces `fn` on fresh inputs of these types. */
export function trace(fn: (...inputs: Value[]) => readonly Value[], types: readonly TensorType[]): Traced {
  const b = new Builder();
  stack.push(b);
  try {
    const args = types.map((t, i) => new Value(t, null, i));
    const results = fn(...args);
    const variables = [...b.variableInputs.keys()];
    const inputs = [...args, ...b.variableInputs.values()];
    const changed = variables.filter((v) => b.current.get(v) !== b.variableInputs.get(v));
    const graph: Graph = {
      inputs,
      nodes: b.nodes,
      outputs: [...results, ...changed.map((v) => b.current.get(v)!)],
      updates: [...results.map(() => undefined), ...changed.map((v) => types.length + variables.indexOf(v))],
    };
    return { graph, argumentCount: types.length, resultCount: results.length, variables };
  } finally {
    stack.pop();
  }
}

/** Replays a graph's nodes into the current trace with other inputs; returns the new outputs. */
export function inline(graph: Graph, inputs: readonly Value[]): readonly Value[] {
  const b = builder("inline");
  const map = new Map<Value, Value>(graph.inputs.map((v, i) => [v, inputs[i]!]));
  const at = (v: Value): Value => {
    const found = map.get(v);
    if (!found) throw internal("inline: value is not of this graph");
    return found;
  };
  for (const node of graph.nodes) {
    const copy = makeNode(node.op, node.inputs.map(at), node.attrs, node.outputs, node.where);
    b.nodes.push(copy);
    node.outputs.forEach((v, i) => {
      map.set(v, copy.outputs[i]!);
    });
  }
  return graph.outputs.map(at);
}
