// fold: what is known before the run is not computed in it. Small nodes on constants become constants, and nodes that
// change nothing, bit for bit, give way to what they were applied to. The identities themselves are in fold-rules.ts.

import { allocateHost } from "../core/dtype.ts";
import { sizeOf } from "../core/shape.ts";
import { Tensor } from "../core/tensor.ts";
import {
  type Attrs,
  type Graph,
  inferTypes,
  makeNode,
  type Node,
  type Op,
  type Value,
} from "../graph/graph.ts";
import { type Rewriter, rewrite } from "../graph/rewrite.ts";
import { constantOp } from "../ops/constant.ts";
import { constantOf } from "./constants.ts";
import { type Maker, RULES } from "./fold-rules.ts";

/** Constants made here stay below this many elements: a Program should not carry what a step makes in a microsecond. */
const MAX_ELEMENTS = 1024;

export function fold(graph: Graph): Graph {
  const simpler = rewrite(graph, (node, to) => {
    if (node.outputs.length === 1) to.replace(node.outputs[0]!, new Folder(to, node.where).build(node));
    else to.copy(node);
  });
  // Broadcasts of constants come last: elementwise readers have taken the small tensor by now, the others want the large one.
  return rewrite(simpler, (node, to) => {
    const value = node.op.name === "broadcastTo" ? evaluate(node, node.inputs.map(to.of)) : undefined;
    if (value) to.replace(node.outputs[0]!, to.append(constant(value)).outputs[0]!);
    else to.copy(node);
  });
}

/** Appends nodes in simplest form; rules use it to build what they put in a node's place. */
class Folder implements Maker {
  private readonly to: Rewriter;
  private readonly where: string;

  constructor(to: Rewriter, where: string) {
    this.to = to;
    this.where = where;
  }

  /** The new Value for an old node. */
  build(node: Node): Value {
    const inputs = node.inputs.map(this.to.of);
    const same = inputs.every((v, i) => v === node.inputs[i]);
    return this.simplest(same ? node : makeNode(node.op, inputs, node.attrs, node.outputs, node.where));
  }

  /** A new node of one output. */
  make(op: Op, inputs: readonly Value[], attrs: Attrs = {}): Value {
    return this.simplest(makeNode(op, inputs, attrs, inferTypes(op, inputs, attrs, this.where), this.where));
  }

  private simplest(node: Node): Value {
    for (const rule of RULES[node.op.name] ?? RULES[node.op.kind] ?? []) {
      const value = rule(node, this);
      if (value) return value;
    }
    const known = node.op.name === "broadcastTo" ? undefined : evaluate(node, node.inputs);
    return this.to.append(known ? constant(known) : node).outputs[0]!;
  }
}

function constant(value: Tensor): Node {
  return makeNode(constantOp, [], { value }, [value], "");
}

/** What a node on constants gives, by its plain evaluation. */
function evaluate(node: Node, inputs: readonly Value[]): Tensor | undefined {
  const { op, attrs } = node;
  const type = node.outputs[0]!;
  if (!op.evaluate || op.kind === "composite" || op.pure === false || op === constantOp) return undefined;
  const known = inputs.map(constantOf);
  if (!known.every((t): t is Tensor => t !== undefined) || sizeOf(type.shape) > MAX_ELEMENTS)
    return undefined;
  if (known.some((t) => t.size > MAX_ELEMENTS)) return undefined;
  const data = allocateHost(type.dtype, sizeOf(type.shape));
  const inputData = known.map((t) => (t.data instanceof Float64Array ? Float32Array.from(t.data) : t.data));
  try {
    op.evaluate(inputData, [data], { attrs, inputTypes: inputs, outputTypes: node.outputs });
  } catch {
    return undefined; // bad data, such as an index out of range, is for the run to report
  }
  return new Tensor(data, type.shape, type.dtype);
}
