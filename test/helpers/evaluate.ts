// Runs graphs node by node with op.evaluate, composites expanded: the plainest meaning there is, in float32 or float64
// storage, with no pass, lowering or engine in between.

import { allocateHost, type HostArray } from "../../src/core/dtype.ts";
import { sizeOf, type TensorType } from "../../src/core/shape.ts";
import { Tensor } from "../../src/core/tensor.ts";
import { check } from "../../src/graph/check.ts";
import type { Graph, Value } from "../../src/graph/graph.ts";
import { trace } from "../../src/graph/trace.ts";

export type Precision = "float32" | "float64";

export function allocate(type: TensorType, precision: Precision): HostArray {
  const size = sizeOf(type.shape);
  return type.dtype === "float32" && precision === "float64"
    ? new Float64Array(size)
    : allocateHost(type.dtype, size);
}

/** Values of the outputs. Inputs are taken as they are: Float64Array ones for float64. */
export function evaluateGraph(
  graph: Graph,
  inputs: readonly HostArray[],
  precision: Precision = "float32",
): HostArray[] {
  const data = new Map<Value, HostArray>(graph.inputs.map((v, i) => [v, inputs[i]!]));
  for (const node of graph.nodes) {
    const { op, attrs } = node;
    const from = node.inputs.map((v) => data.get(v)!);
    let to: HostArray[];
    if (op.evaluate) {
      to = node.outputs.map((v) => allocate(v, precision));
      op.evaluate(from, to, { attrs, inputTypes: node.inputs, outputTypes: node.outputs });
    } else {
      const { graph: body } = trace((...xs) => op.expand!(xs, attrs), node.inputs);
      check(body, `expansion of ${op.name}`);
      to = evaluateGraph(body, from, precision);
    }
    node.outputs.forEach((v, i) => {
      data.set(v, to[i]!);
    });
  }
  return graph.outputs.map((v) => data.get(v)!);
}

/** Traces a function on the types of its arguments and evaluates it. Variables start at their initial values. */
export function evaluate(
  fn: (...args: Value[]) => Value | readonly Value[],
  args: readonly Tensor[],
  precision: Precision = "float32",
): Tensor[] {
  const traced = trace((...xs) => [fn(...xs)].flat() as Value[], args);
  check(traced.graph);
  const state = traced.variables.map((v) => v.makeInitial());
  const inputs = [...args.map((t) => t.data), ...state].map((d, i) =>
    stored(d, traced.graph.inputs[i]!, precision),
  );
  const outputs = evaluateGraph(traced.graph, inputs, precision);
  return outputs
    .slice(0, traced.resultCount)
    .map((d, i) => new Tensor(d, traced.graph.outputs[i]!.shape, traced.graph.outputs[i]!.dtype));
}

function stored(data: HostArray, type: TensorType, precision: Precision): HostArray {
  return type.dtype === "float32" && precision === "float64" ? Float64Array.from(data) : data;
}
