// The identities of the fold pass: for each op, what a node of it can be replaced by. All are exact to the bit, for NaN,
// infinities and signed zeros too; that is why x + 0 is not among them (-0 + 0 is 0) but x - 0 is.

import { type Shape, sameShape, sizeOf } from "../core/shape.ts";
import type { Attrs, Node, Op, Value } from "../graph/graph.ts";
import { broadcastToOp, reshapeOp, transposeOp } from "../ops/move.ts";
import { isFull } from "./constants.ts";

/** Makes a node of one output, in simplest form. */
export interface Maker {
  make(op: Op, inputs: readonly Value[], attrs?: Attrs): Value;
}

/** What a node can be replaced by; undefined when the rule does not apply. */
export type Rule = (node: Node, fold: Maker) => Value | undefined;

/** A Value made by this op, or undefined. */
function madeBy(name: string, value: Value): Node | undefined {
  return value.node?.op.name === name ? value.node : undefined;
}

/** The operand that stays when the other, at `at`, changes nothing. */
function neutral(at: number, x: number): Rule {
  return (node) => {
    const kept = node.inputs[1 - at]!;
    return isFull(node.inputs[at]!, x) && sameShape(kept.shape, node.outputs[0]!.shape) ? kept : undefined;
  };
}

/** The input itself when the node does nothing to its shape and `when` holds. */
function unchanged(when: (node: Node) => boolean): Rule {
  return (node) =>
    sameShape(node.inputs[0]!.shape, node.outputs[0]!.shape) && when(node) ? node.inputs[0]! : undefined;
}

/** What a broadcast operand reads: past broadcasts, and reshapes that only add axes of size 1 in front. */
function beforeBroadcast(value: Value): Value {
  let v = value;
  for (;;) {
    const wider = madeBy("broadcastTo", v) ?? madeBy("reshape", v);
    const from = wider?.inputs[0];
    if (!wider || !from) return v;
    const addsOnes = from.rank <= v.rank && sameShape(v.shape, [...ones(v.rank - from.rank), ...from.shape]);
    if (wider.op.name === "reshape" && !addsOnes && (sizeOf(v.shape) !== 1 || from.rank > v.rank)) return v;
    v = from;
  }
}

const ones = (n: number): number[] => new Array<number>(n).fill(1);

/** op(broadcast(a), b): elementwise ops broadcast by themselves; where all operands are small, the result is broadcast instead. */
const broadcastLater: Rule = (node, fold) => {
  const inputs = node.inputs.map(beforeBroadcast);
  if (inputs.every((v, i) => v === node.inputs[i])) return undefined;
  const small = fold.make(node.op, inputs, node.attrs);
  return broadcast(small, node.outputs[0]!.shape, fold);
};

function broadcast(value: Value, shape: Shape, fold: Maker): Value {
  return sameShape(value.shape, shape) ? value : fold.make(broadcastToOp, [value], { shape });
}

/**
 * op(reshape(x), b) = reshape(op(x, b)) when every other operand can follow: one of the whole shape (also reshaped; only
 * towards fewer axes, so that this comes to an end), a scalar, or one that repeats along leading axes and covers whole
 * axes on both sides. So a chain on a flattened product stays with the product.
 */
const reshapeLater: Rule = (node, fold) => {
  const { shape } = node.outputs[0]!;
  const full = node.inputs.map((v) =>
    sameShape(v.shape, shape) ? madeBy("reshape", v)?.inputs[0] : undefined,
  );
  const first = full.find((v) => v !== undefined);
  if (!first || first.rank === 0) return undefined;
  const inputs: Value[] = [];
  for (let i = 0; i < node.inputs.length; i++) {
    const v = node.inputs[i]!;
    const follows =
      first.rank < shape.length && first.shape.at(-1) === shape.at(-1) && sameShape(v.shape, shape);
    const to = follows ? first.shape : repeatedIn(v.shape, shape, first.shape);
    if (full[i] && sameShape(full[i]!.shape, first.shape)) inputs.push(full[i]!);
    else if (to) inputs.push(sameShape(to, v.shape) ? v : fold.make(reshapeOp, [v], { shape: to }));
    else return undefined;
  }
  return fold.make(reshapeOp, [fold.make(node.op, inputs, node.attrs)], { shape });
};

/** The shape that repeats in `other` as `own`, the end of `shape`, does there; undefined where it covers no whole axes. */
function repeatedIn(own: Shape, shape: Shape, other: Shape): Shape | undefined {
  if (own.length >= shape.length || !sameShape(shape.slice(shape.length - own.length), own)) return undefined;
  for (let axis = other.length; axis > 0; axis--) {
    const end = other.slice(axis);
    if (sizeOf(end) >= sizeOf(own)) return sizeOf(end) === sizeOf(own) ? end : undefined;
  }
  return undefined;
}

/** Over trailing axes that the reshape leaves alone, or over all: so that a chain and its reduction stay together. */
const reduceBeforeReshape: Rule = (node, fold) => {
  const { begin, end } = node.attrs as { begin: number; end: number };
  const input = node.inputs[0]!;
  const from = madeBy("reshape", input)?.inputs[0];
  if (!from || from.rank === 0 || from.rank >= input.rank || end !== input.rank) return undefined;
  const axes = begin === 0 ? from.rank : end - begin;
  const kept = from.shape.slice(from.rank - axes);
  if (axes > from.rank || (begin > 0 && !sameShape(kept, input.shape.slice(begin)))) return undefined;
  const reduced = fold.make(node.op, [from], { ...node.attrs, begin: from.rank - axes, end: from.rank });
  const { shape } = node.outputs[0]!;
  return sameShape(reduced.shape, shape) ? reduced : fold.make(reshapeOp, [reduced], { shape });
};

/** Casts from bool and uint8 to a wider type lose nothing, so a second cast may look through the first. */
const castThrough: Rule = (node, fold) => {
  const first = madeBy("cast", node.inputs[0]!);
  const from = first?.inputs[0];
  const lossless =
    (from?.dtype === "bool" || from?.dtype === "uint8") &&
    ["int32", "float32"].includes(node.inputs[0]!.dtype);
  return lossless ? fold.make(node.op, [from], node.attrs) : undefined;
};

const transposeTwice: Rule = (node, fold) => {
  const first = madeBy("transpose", node.inputs[0]!);
  if (!first) return undefined;
  const perm = (node.attrs.perm as number[]).map((a) => (first.attrs.perm as number[])[a]!);
  return fold.make(transposeOp, [first.inputs[0]!], { perm });
};

/** Axes of size 1 move for free. */
const transposeByReshape: Rule = (node, fold) => {
  const { shape } = node.inputs[0]!;
  const moved = (node.attrs.perm as number[]).filter((a) => shape[a] !== 1);
  if (sizeOf(shape) > 1 && moved.some((a, i) => i > 0 && a < moved[i - 1]!)) return undefined;
  return fold.make(reshapeOp, [node.inputs[0]!], { shape: node.outputs[0]!.shape });
};

/** One element, however it was repeated, moves and reshapes as itself. */
const sameElement: Rule = (node, fold) => {
  const source = madeBy("broadcastTo", node.inputs[0]!)?.inputs[0];
  if (!source || sizeOf(source.shape) !== 1) return undefined;
  const scalar = fold.make(reshapeOp, [source], { shape: [] });
  return broadcast(scalar, node.outputs[0]!.shape, fold);
};

const broadcastTwice: Rule = (node, fold) => {
  const from = beforeBroadcast(node.inputs[0]!);
  return from === node.inputs[0] ? undefined : broadcast(from, node.outputs[0]!.shape, fold);
};

/** A broadcast that only adds axes of size 1. */
const broadcastByReshape: Rule = (node, fold) => {
  const { shape } = node.outputs[0]!;
  const from = node.inputs[0]!;
  const grows = !sameShape(shape, [...ones(shape.length - from.rank), ...from.shape]);
  return grows ? undefined : fold.make(reshapeOp, [from], { shape });
};

/** A product reads its operands turned round at no cost, so a transpose of the last two axes becomes a flag. */
const transposeFlags: Rule = (node, fold) => {
  if (node.attrs.body) return undefined;
  const flips = (v: Value): Node | undefined => {
    const t = madeBy("transpose", v);
    const n = v.rank;
    const swapped = t && (t.attrs.perm as number[]).every((a, i) => a === (i < n - 2 ? i : 2 * n - 3 - i));
    return swapped ? t : undefined;
  };
  const [a, b] = [flips(node.inputs[0]!), flips(node.inputs[1]!)];
  if (!a && !b) return undefined;
  const attrs = {
    ...node.attrs,
    transA: node.attrs.transA !== (a !== undefined),
    transB: node.attrs.transB !== (b !== undefined),
  };
  return fold.make(node.op, [a?.inputs[0] ?? node.inputs[0]!, b?.inputs[0] ?? node.inputs[1]!], attrs);
};

const chosenBranch: Rule = (node, fold) => {
  const condition = node.inputs[0]!;
  const branch = isFull(condition, 1) ? node.inputs[1]! : isFull(condition, 0) ? node.inputs[2]! : undefined;
  return branch && broadcast(branch, node.outputs[0]!.shape, fold);
};

/** There and back, as in a bidirectional layer, whose second direction gives its outputs from the last to the first. */
const reverseTwice: Rule = (node) => {
  const first = madeBy("reverse", node.inputs[0]!);
  return first && sameShape(first.attrs.axes, node.attrs.axes) ? first.inputs[0] : undefined;
};

const zero = (list: readonly number[]): boolean => list.every((n) => n === 0);
const elementwise: readonly Rule[] = [broadcastLater, reshapeLater];

/** By op name; elementwise ops without an entry of their own have that of their kind. */
export const RULES: Readonly<Record<string, readonly Rule[]>> = {
  elementwise,
  multiply: [neutral(1, 1), neutral(0, 1), ...elementwise],
  divide: [neutral(1, 1), ...elementwise],
  subtract: [neutral(1, 0), ...elementwise],
  negative: [(node) => madeBy("negative", node.inputs[0]!)?.inputs[0], ...elementwise],
  where: [chosenBranch, ...elementwise],
  cast: [unchanged((n) => n.inputs[0]!.dtype === n.outputs[0]!.dtype), castThrough, ...elementwise],
  broadcastTo: [unchanged(() => true), broadcastTwice, broadcastByReshape],
  reshape: [
    unchanged(() => true),
    (node, fold) => {
      const first = madeBy("reshape", node.inputs[0]!);
      return first && fold.make(reshapeOp, [first.inputs[0]!], node.attrs);
    },
    sameElement,
  ],
  transpose: [
    unchanged((n) => (n.attrs.perm as number[]).every((a, i) => a === i)),
    transposeTwice,
    transposeByReshape,
    sameElement,
  ],
  slice: [unchanged(() => true), sameElement],
  pad: [unchanged((n) => zero(n.attrs.before) && zero(n.attrs.after))],
  concatenate: [(node) => (node.inputs.length === 1 ? node.inputs[0] : undefined)],
  reverse: [unchanged((n) => (n.attrs.axes as number[]).length === 0), reverseTwice, sameElement],
  matmul: [transposeFlags],
  sum: [reduceBeforeReshape],
  max: [reduceBeforeReshape],
  min: [reduceBeforeReshape],
  prod: [reduceBeforeReshape],
};
