// The step that passes make of a chain of elementwise ops: a body graph run as one. On engines without a fused kernel its
// nodes run one after the other, so that fused and unfused agree bit for bit.

import { allocateHost, type HostArray } from "../core/dtype.ts";
import { internal } from "../core/errors.ts";
import { formatType, type Shape, sameType, sizeOf, type TensorType } from "../core/shape.ts";
import type { Graph, Value } from "../graph/graph.ts";
import { checkArity, record } from "./record.ts";

/** Output types of a body on these inputs. The passes that make bodies keep them in step. */
export function inferBody(body: Graph, inputs: readonly TensorType[], where: string): readonly TensorType[] {
  const ok = body.inputs.length === inputs.length && body.inputs.every((v, i) => sameType(v, inputs[i]!));
  if (!ok) {
    const expected = body.inputs.map(formatType).join(", ");
    throw internal(`${where}: body takes (${expected}), got (${inputs.map(formatType).join(", ")})`);
  }
  return body.outputs.map(({ shape, dtype }) => ({ shape, dtype }));
}

/** Runs a body node by node on host arrays; float32 values are stored as the outputs store theirs. */
export function evaluateBody(body: Graph, inputs: readonly HostArray[], outputs: readonly HostArray[]): void {
  const double = [...inputs, ...outputs].some((a) => a instanceof Float64Array);
  const data = new Map<Value, HostArray>(body.inputs.map((v, i) => [v, inputs[i]!]));
  body.outputs.forEach((v, i) => {
    if (!data.has(v)) data.set(v, outputs[i]!);
  });
  for (const { op, attrs, inputs: ins, outputs: outs } of body.nodes) {
    for (const v of outs) if (!data.has(v)) data.set(v, allocate(v, double));
    const [from, to] = [ins, outs].map((list) => list.map((v) => data.get(v)!));
    op.evaluate!(from!, to!, { attrs, inputTypes: ins, outputTypes: outs });
  }
  body.outputs.forEach((v, i) => {
    if (data.get(v) !== outputs[i]) outputs[i]!.set(data.get(v)!); // an input passed through, or an output listed twice
  });
}

/** Types of an op that may carry a body: those of the body, or the op's own result. Checks the number of inputs too. */
export function inferWithBody(
  body: Graph | undefined,
  result: TensorType,
  inputs: readonly TensorType[],
  own: number,
  where: string,
): readonly TensorType[] {
  if (body) return inferBody(body, [result, ...inputs.slice(own)], where);
  checkArity(where, inputs, own);
  return [result];
}

/** Evaluates such an op: `evaluate` fills the result, which the body, if there is one, goes over. */
export function evaluateWithBody(
  body: Graph | undefined,
  inputs: readonly HostArray[],
  own: number,
  outputs: readonly HostArray[],
  evaluate: (result: HostArray) => void,
): void {
  if (!body) {
    evaluate(outputs[0]!);
    return;
  }
  const double = [...inputs, ...outputs].some((a) => a instanceof Float64Array);
  const result = allocate(body.inputs[0]!, double);
  evaluate(result);
  evaluateBody(body, [result, ...inputs.slice(own)], outputs);
}

function allocate(type: TensorType, double: boolean): HostArray {
  const size = sizeOf(type.shape);
  return double && type.dtype === "float32" ? new Float64Array(size) : allocateHost(type.dtype, size);
}

export const fusedOp = record<{ body: Graph; shape: Shape }>({
  name: "fused",
  kind: "primitive",
  infer: (inputs, { body }, where) => inferBody(body, inputs, where),
  evaluate: (inputs, outputs, { attrs }) => evaluateBody(attrs.body, inputs, outputs),
});
