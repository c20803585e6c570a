// The graph: nodes in order, each an op record with inputs, attributes and typed outputs. It owns the
// interface of an op; the ops themselves live in src/ops. Nothing here computes.

import type { HostArray } from "../core/dtype.ts";
import type { Shape, TensorType } from "../core/shape.ts";
import type { Tensor } from "../core/tensor.ts";

/** What an op may carry besides its inputs. `Graph` is the body of a fused step, `Tensor` the data of a constant. */
export type AttrValue = number | boolean | string | readonly number[] | Tensor | Graph | undefined;
// biome-ignore lint/suspicious/noExplicitAny: each op knows its own attributes; the graph only carries them.
export type Attrs = Readonly<Record<string, any>>;

/**
 * elementwise: output element i depends on the inputs' elements at i (after broadcasting) alone.
 * primitive:   has a plain evaluation and a native kernel.
 * composite:   defined by `expand`; an engine that has a kernel of that name may run it whole.
 */
export type OpKind = "elementwise" | "primitive" | "composite";

export interface GradientContext<A extends Attrs = Attrs> {
  readonly inputs: readonly Value[];
  readonly outputs: readonly Value[];
  /** Gradient of the result by each output, null where none arrives. */
  readonly grads: readonly (Value | null)[];
  readonly attrs: A;
}

export interface EvaluateContext<A extends Attrs = Attrs> {
  readonly attrs: A;
  readonly inputTypes: readonly TensorType[];
  readonly outputTypes: readonly TensorType[];
}

/** Everything that is true of an op on any engine. */
export interface Op<A extends Attrs = Attrs> {
  readonly name: string;
  readonly kind: OpKind;
  /** Type rule. Throws a MyelinError whose message starts with `where`. */
  infer(inputs: readonly TensorType[], attrs: A, where: string): readonly TensorType[];
  /** One gradient per input, null where none exists. Broadcasting is undone by the caller. Absent: not differentiable (or, for a composite, differentiated through its expansion, as where it gives undefined). */
  gradient?(context: GradientContext<A>): readonly (Value | null)[] | undefined;
  /** The plain meaning, row-major host arrays in and out. Primitive and elementwise ops have it. Outputs never alias inputs here. */
  evaluate?(inputs: readonly HostArray[], outputs: readonly HostArray[], context: EvaluateContext<A>): void;
  /** The definition of a composite in terms of other ops. */
  expand?(inputs: readonly Value[], attrs: A): readonly Value[];
  /** Pairs [output, input]: the kernel may write that output over that input's memory. Elementwise ops need not say so. */
  readonly inPlace?: (
    inputs: readonly TensorType[],
    attrs: A,
  ) => readonly (readonly [output: number, input: number])[];
  /** True: takes an elementwise chain as attribute `body`, whose first input is the op's own result; the others follow the op's inputs. */
  readonly takesBody?: boolean;
  /** False: has no pure value (random draws still are pure; their counter is an input). Default true. */
  readonly pure?: boolean;
}

/** One tensor of a graph: static shape and dtype, and who makes it. */
export class Value implements TensorType {
  readonly shape: Shape;
  readonly dtype: TensorType["dtype"];
  /** null for graph inputs. */
  readonly node: Node | null;
  /** Which output of its node, or which input of its graph. */
  readonly index: number;

  constructor(type: TensorType, node: Node | null, index: number) {
    this.shape = type.shape;
    this.dtype = type.dtype;
    this.node = node;
    this.index = index;
  }

  get rank(): number {
    return this.shape.length;
  }
}

export interface Node {
  readonly op: Op;
  readonly inputs: readonly Value[];
  readonly attrs: Attrs;
  readonly outputs: readonly Value[];
  /** Layer path this node came from, e.g. "encoder/dense_1"; empty outside of layers. */
  readonly where: string;
}

/**
 * A pure function as data. Nodes are in execution order.
 * `updates[i]` names the input whose buffer output i is stored back into (state), or undefined for a plain result.
 */
export interface Graph {
  readonly inputs: readonly Value[];
  readonly nodes: readonly Node[];
  readonly outputs: readonly Value[];
  readonly updates: readonly (number | undefined)[];
}

/** Makes a node and its output Values. `types` must be what `op.infer` gives. */
export function makeNode(
  op: Op,
  inputs: readonly Value[],
  attrs: Attrs,
  types: readonly TensorType[],
  where: string,
): Node {
  const outputs: Value[] = [];
  const node: Node = { op, inputs, attrs, outputs, where };
  for (let i = 0; i < types.length; i++) outputs.push(new Value(types[i]!, node, i));
  return node;
}

/** Type rule applied with the op named in errors: "matmul at encoder/dense: ...". */
export function inferTypes(
  op: Op,
  inputs: readonly TensorType[],
  attrs: Attrs,
  where: string,
): readonly TensorType[] {
  return op.infer(inputs, attrs, where ? `${op.name} at ${where}` : op.name);
}
