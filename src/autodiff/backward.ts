// The reverse sweep: appends to the current trace the nodes that compute gradients of outputs by earlier Values. It is
// written with op functions only, so it works on its own output. Fan-in is summed and broadcasting undone here alone.

import { describe, internal, MyelinError } from "../core/errors.ts";
import { formatType, type Shape, sameShape } from "../core/shape.ts";
import type { Node, Value } from "../graph/graph.ts";
import { withScope } from "../graph/trace.ts";
import { add } from "../ops/arithmetic.ts";
import { sum } from "../ops/reduce.ts";
import { broadcastTo, ones, reshape, zeros } from "../ops/shape.ts";

/** Ends the layer path of nodes that a sweep made. */
const SUFFIX = "gradient";

/**
 * Gradients of outputs, weighted by seeds, by each of `wrt`.
 * @param outputs float32 Values of the current trace
 * @param seeds gradient of the final result by each output, of its shape; ones where undefined
 * @param wrt float32 Values: inputs of the graph, read variables, or anything in between
 * @returns one Value per wrt, of its shape; zeros for one that the outputs do not depend on
 */
export function backward(
  outputs: readonly Value[],
  seeds: readonly (Value | undefined)[],
  wrt: readonly Value[],
): Value[] {
  return sweep(outputs, seeds, wrt, new Set());
}

/** `leaves` are taken as independent: the sweep does not look at what made them. */
function sweep(
  outputs: readonly Value[],
  seeds: readonly (Value | undefined)[],
  wrt: readonly Value[],
  leaves: ReadonlySet<Value>,
): Value[] {
  for (const v of [...outputs, ...wrt]) {
    if (v.dtype === "float32") continue;
    throw new MyelinError("NOT_DIFFERENTIABLE", `gradient: expected float32 values, got ${formatType(v)}`);
  }
  const grads = new Map<Value, Value>();
  outputs.forEach((y, i) => {
    const seed = seeds[i] ?? ones(y.shape);
    if (!sameShape(seed.shape, y.shape) || seed.dtype !== "float32") {
      const what = `a gradient like its output ${formatType(y)}`;
      throw new MyelinError("SHAPE_MISMATCH", `gradient: expected ${what}, got ${formatType(seed)}`);
    }
    accumulate(grads, y, seed);
  });
  const needed = new Set<Value>(wrt);
  for (const node of pathTo(outputs, needed, leaves).reverse()) {
    if (!node.outputs.some((y) => grads.has(y))) continue;
    const where = node.where.endsWith(SUFFIX) ? node.where : `${node.where}${node.where && "/"}${SUFFIX}`;
    withScope(where, () => step(node, grads, needed));
  }
  return wrt.map((x) => grads.get(x) ?? zeros(x.shape));
}

/**
 * The nodes between `needed` (extended by all float32 Values that depend on it) and the outputs, in execution order.
 * A loop with its own stack: graphs are thousands of nodes deep.
 */
function pathTo(outputs: readonly Value[], needed: Set<Value>, leaves: ReadonlySet<Value>): Node[] {
  const path: Node[] = [];
  const seen = new Set<Node>();
  const stack: { node: Node; next: number }[] = [];
  const enter = (v: Value): void => {
    if (!v.node || seen.has(v.node) || leaves.has(v)) return;
    seen.add(v.node);
    stack.push({ node: v.node, next: 0 });
  };
  for (const y of outputs) {
    enter(y);
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      if (top.next < top.node.inputs.length) {
        enter(top.node.inputs[top.next++]!);
        continue;
      }
      stack.pop();
      if (!top.node.inputs.some((x) => needed.has(x))) continue;
      path.push(top.node);
      for (const v of top.node.outputs) if (v.dtype === "float32") needed.add(v);
    }
  }
  return path;
}

/** Adds the gradients by one node's inputs. */
function step(node: Node, grads: Map<Value, Value>, needed: ReadonlySet<Value>): void {
  const { op, inputs, outputs, attrs } = node;
  const arrived = outputs.map((y) => grads.get(y) ?? null);
  const asked = inputs.map((x) => x.dtype === "float32" && needed.has(x));
  let given = op.gradient?.({ inputs, outputs, grads: arrived, attrs });
  if (!given && op.expand) given = throughExpansion(node, arrived, asked);
  if (!given) {
    const at = node.where ? ` at ${node.where}` : "";
    throw new MyelinError(
      "NOT_DIFFERENTIABLE",
      `${op.name}${at}: expected an op with a gradient, it has none`,
    );
  }
  if (given.length !== inputs.length) throw internal(`gradient of ${op.name} gave ${describe(given)}`);
  given.forEach((g, i) => {
    if (g && asked[i]) accumulate(grads, inputs[i]!, matchShape(g, inputs[i]!.shape));
  });
}

/** A composite without a rule of its own: its definition is appended and differentiated. */
function throughExpansion(
  { op, inputs, attrs }: Node,
  arrived: readonly (Value | null)[],
  asked: readonly boolean[],
): readonly (Value | null)[] {
  const all = op.expand!(inputs, attrs);
  const used = all.flatMap((y, i) => (arrived[i] && y.dtype === "float32" ? [i] : []));
  const wrt = [...new Set(inputs.filter((_, i) => asked[i]))];
  const found = sweep(
    used.map((i) => all[i]!),
    used.map((i) => arrived[i]!),
    wrt,
    new Set(inputs),
  );
  // An input listed twice gets its whole gradient once.
  return inputs.map((x, i) => (asked[i] && inputs.indexOf(x) === i ? found[wrt.indexOf(x)]! : null));
}

function accumulate(grads: Map<Value, Value>, x: Value, g: Value): void {
  const before = grads.get(x);
  grads.set(x, before ? add(before, g) : g);
}

/** Sums a gradient over the axes along which its Value was broadcast; repeats one that is constant along axes. */
function matchShape(g: Value, shape: Shape): Value {
  if (sameShape(g.shape, shape)) return g;
  const lead = g.rank - shape.length;
  const axes = g.shape.flatMap((d, i) => (i < lead || (shape[i - lead] === 1 && d !== 1) ? [i] : []));
  const summed =
    axes.length > 0 ? reshape(sum(g, { axis: axes, keepDims: true }), keptShape(g.shape, axes, lead)) : g;
  return broadcastTo(summed, shape);
}

function keptShape(shape: Shape, axes: readonly number[], lead: number): Shape {
  return shape.map((d, i) => (axes.includes(i) ? 1 : d)).slice(Math.max(0, lead));
}
