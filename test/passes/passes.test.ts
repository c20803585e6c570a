// Each pass on a graph small enough to read, before and after.

import { describe, expect, it } from "vitest";
import { backward } from "../../src/autodiff/backward.ts";
import { tensor } from "../../src/core/tensor.ts";
import { check } from "../../src/graph/check.ts";
import type { Graph, Op, Value } from "../../src/graph/graph.ts";
import { print } from "../../src/graph/print.ts";
import { assignVariable, emit, readVariable, trace, withScope } from "../../src/graph/trace.ts";
import { Variable } from "../../src/graph/variable.ts";
import * as ops from "../../src/ops/index.ts";
import { dedupe, expand, fold, fuse, optimize, pair, prune } from "../../src/passes/index.ts";

const f32 = (...shape: number[]) => ({ shape, dtype: "float32" as const });

function graphOf(fn: (...args: Value[]) => readonly Value[], ...types: ReturnType<typeof f32>[]): Graph {
  const { graph } = trace(fn, types);
  check(graph);
  return graph;
}

/** The printed result of a pass, after checking it. */
function printed(pass: (graph: Graph) => Graph, graph: Graph): string {
  const result = pass(graph);
  check(result, pass.name);
  return `\n${print(result)}\n`;
}

describe("expand", () => {
  it("replaces composites by their definition, under their layer path", () => {
    const graph = graphOf((x) => [withScope("head", () => ops.softmax(x))], f32(2, 3));
    expect(printed((g) => g, graph)).toMatchInlineSnapshot(`
      "
      (%0 f32[2,3])
      %1 f32[2,3] = softmax %0  @ head
      return %1
      "
    `);
    expect(printed(expand, graph)).toMatchInlineSnapshot(`
      "
      (%0 f32[2,3])
      %1 f32[2] = max %0 {begin: 1, end: 2}  @ head
      %2 f32[2,1] = reshape %1 {shape: [2,1]}  @ head
      %3 f32[2,3] = subtract %0 %2  @ head
      %4 f32[2,3] = exp %3  @ head
      %5 f32[2] = sum %4 {begin: 1, end: 2}  @ head
      %6 f32[2,1] = reshape %5 {shape: [2,1]}  @ head
      %7 f32[2,3] = divide %4 %6  @ head
      return %7
      "
    `);
  });

  it("leaves composites the engine runs whole", () => {
    const graph = graphOf((x) => [ops.softmax(x), ops.logSoftmax(x)], f32(2));
    const names = expand(graph, new Set(["softmax"])).nodes.map((n) => n.op.name);
    expect(names).toContain("softmax");
    expect(names).not.toContain("logSoftmax");
  });

  it("goes into composites made of composites, and drops markers", () => {
    const twice: Op = {
      name: "twice",
      kind: "composite",
      infer: (inputs) => [inputs[0]!],
      expand: ([x]) => [ops.stopGradient(emit(thrice, [x!])[0]!)],
    };
    const thrice: Op = {
      name: "thrice",
      kind: "composite",
      infer: (inputs) => [inputs[0]!],
      expand: ([x]) => [ops.multiply(x!, 3)],
    };
    const marked = ops.customGradient(
      (x) => ops.negative(x),
      ({ grads }) => [grads[0]!],
    );
    const graph = graphOf((x) => [marked(emit(twice, [x])[0]!)], f32(2));
    expect(printed(expand, graph)).toMatchInlineSnapshot(`
      "
      (%0 f32[2])
      %1 f32[] = constant {value: [3]}
      %2 f32[2] = multiply %0 %1
      %3 f32[2] = negative %2
      return %3
      "
    `);
  });
});

describe("fold", () => {
  it("computes what is known", () => {
    const graph = graphOf((x) => [ops.add(x, ops.exp(ops.subtract(1, 1))), ops.arange(3)], f32(3));
    expect(printed(fold, graph)).toMatchInlineSnapshot(`
      "
      (%0 f32[3])
      %1 f32[] = constant {value: [1]}
      %2 f32[] = constant {value: [1]}
      %3 f32[] = constant {value: [0]}
      %4 f32[] = constant {value: [1]}
      %5 f32[3] = add %0 %4
      %6 i32[3] = constant {value: [0, 1, 2]}
      return %5, %6
      "
    `);
  });

  it("keeps large constants out of the Program", () => {
    const graph = graphOf(() => [ops.reverse(ops.arange(2000))]);
    expect(fold(graph).nodes.map((n) => n.op.name)).toEqual(["iota", "reverse"]);
  });

  it("leaves errors in constant data to the run", () => {
    const graph = graphOf(() => [ops.gather(ops.constant([1, 2]), ops.cast(ops.constant([5]), "int32"))]);
    expect(fold(graph).nodes.at(-1)!.op.name).toBe("gather");
  });

  it("removes nodes that change nothing, and only those", () => {
    const graph = graphOf(
      (x) => {
        const same = ops.divide(ops.multiply(ops.subtract(x, 0), ops.ones([2, 3])), 1);
        return [same, ops.add(x, 0), ops.multiply(x, ops.ones([4, 1, 1])), ops.negative(ops.negative(x))];
      },
      f32(2, 3),
    );
    expect(printed(fold, graph)).toMatchInlineSnapshot(`
      "
      (%0 f32[2,3])
      %1 f32[] = constant {value: [0]}
      %2 f32[] = constant {value: [1]}
      %3 f32[2,3] = constant {value: tensor f32[2,3]}
      %4 f32[] = constant {value: [1]}
      %5 f32[] = constant {value: [0]}
      %6 f32[2,3] = add %0 %5
      %7 f32[] = constant {value: [1]}
      %8 f32[4,1,1] = constant {value: [1, 1, 1, 1]}
      %9 f32[4,2,3] = broadcastTo %0 {shape: [4,2,3]}
      %10 f32[2,3] = negative %0
      return %0, %6, %9, %0
      "
    `);
  });

  it("joins moves", () => {
    const graph = graphOf(
      (x) => [
        ops.reshape(ops.reshape(x, [6, 4]), [24]),
        ops.transpose(ops.transpose(x, [1, 2, 0]), [2, 0, 1]),
        ops.transpose(ops.transpose(x, [1, 0, 2]), [0, 2, 1]),
        ops.transpose(ops.reshape(x, [24, 1])),
        ops.broadcastTo(ops.broadcastTo(ops.reshape(x, [1, 24]), [3, 24]), [2, 3, 24]),
      ],
      f32(2, 3, 4),
    );
    expect(printed(fold, graph)).toMatchInlineSnapshot(`
      "
      (%0 f32[2,3,4])
      %1 f32[6,4] = reshape %0 {shape: [6,4]}
      %2 f32[24] = reshape %0 {shape: [24]}
      %3 f32[3,4,2] = transpose %0 {perm: [1,2,0]}
      %4 f32[3,2,4] = transpose %0 {perm: [1,0,2]}
      %5 f32[3,4,2] = transpose %0 {perm: [1,2,0]}
      %6 f32[24,1] = reshape %0 {shape: [24,1]}
      %7 f32[1,24] = reshape %0 {shape: [1,24]}
      %8 f32[1,24] = reshape %0 {shape: [1,24]}
      %9 f32[3,24] = broadcastTo %8 {shape: [3,24]}
      %10 f32[2,3,24] = broadcastTo %8 {shape: [2,3,24]}
      return %2, %0, %5, %7, %10
      "
    `);
  });

  it("turns transposes of a product's operands into flags", () => {
    const graph = graphOf(
      (a, b) => [
        ops.matmul(ops.transpose(a, [0, 2, 1]), ops.transpose(b, [0, 2, 1])),
        ops.matmul(a, ops.transpose(a, [0, 2, 1]), { transposeB: true, transposeA: true }),
        ops.matmul(ops.transpose(b, [1, 0, 2]), ops.ones([5, 4, 1])),
      ],
      f32(2, 4, 3),
      f32(2, 5, 4),
    );
    expect(printed(fold, graph)).toMatchInlineSnapshot(`
      "
      (%0 f32[2,4,3], %1 f32[2,5,4])
      %2 f32[2,3,4] = transpose %0 {perm: [0,2,1]}
      %3 f32[2,4,5] = transpose %1 {perm: [0,2,1]}
      %4 f32[2,3,5] = matmul %0 %1 {transA: true, transB: true}
      %5 f32[2,3,4] = transpose %0 {perm: [0,2,1]}
      %6 f32[2,3,3] = matmul %0 %0 {transA: true, transB: false}
      %7 f32[5,2,4] = transpose %1 {perm: [1,0,2]}
      %8 f32[] = constant {value: [1]}
      %9 f32[5,4,1] = constant {value: tensor f32[5,4,1]}
      %10 f32[5,2,1] = matmul %7 %9 {transA: false, transB: false}
      return %4, %6, %10
      "
    `);
  });

  it("broadcasts late: elementwise ops read the small tensor", () => {
    const graph = graphOf(
      (x, s) => [
        ops.add(x, ops.broadcastTo(ops.reshape(s, [1, 1]), [4, 3])),
        ops.exp(ops.multiply(ops.broadcastTo(s, [5]), 2)),
      ],
      f32(4, 3),
      f32(),
    );
    expect(printed(fold, graph)).toMatchInlineSnapshot(`
      "
      (%0 f32[4,3], %1 f32[])
      %2 f32[1,1] = reshape %1 {shape: [1,1]}
      %3 f32[4,3] = broadcastTo %1 {shape: [4,3]}
      %4 f32[4,3] = add %0 %1
      %5 f32[5] = broadcastTo %1 {shape: [5]}
      %6 f32[] = constant {value: [2]}
      %7 f32[] = multiply %1 %6
      %8 f32[5] = broadcastTo %7 {shape: [5]}
      %9 f32[] = exp %7
      %10 f32[5] = broadcastTo %9 {shape: [5]}
      return %4, %10
      "
    `);
  });

  it("reshapes late beside whole tensors, biases of several axes and reductions", () => {
    const graph = graphOf(
      (product, skip, bias) => {
        const heads = ops.add(ops.reshape(product, [2, 5, 2, 2]), bias);
        const sum = ops.add(skip, ops.reshape(product, [2, 5, 4]));
        return [heads, ops.sum(sum, { axis: -1 }), ops.max(ops.negative(sum))];
      },
      f32(10, 4),
      f32(2, 5, 4),
      f32(2, 2),
    );
    expect(printed((g) => prune(fold(g)), graph)).toMatchInlineSnapshot(`
      "
      (%0 f32[10,4], %1 f32[2,5,4], %2 f32[2,2])
      %3 f32[4] = reshape %2 {shape: [4]}
      %4 f32[10,4] = add %0 %3
      %5 f32[2,5,2,2] = reshape %4 {shape: [2,5,2,2]}
      %6 f32[10,4] = reshape %1 {shape: [10,4]}
      %7 f32[10,4] = add %6 %0
      %8 f32[10] = sum %7 {begin: 1, end: 2}
      %9 f32[2,5] = reshape %8 {shape: [2,5]}
      %10 f32[10,4] = negative %7
      %11 f32[] = max %10 {begin: 0, end: 2}
      return %5, %9, %11
      "
    `);
  });

  it("reshapes late: a chain on a flattened product stays with the product", () => {
    const graph = graphOf(
      (x, w, b) => [ops.relu(ops.add(ops.matmul(x, w), b))],
      f32(2, 5, 3),
      f32(3, 4),
      f32(4),
    );
    expect(printed((g) => fuse(prune(fold(g))), graph)).toMatchInlineSnapshot(`
      "
      (%0 f32[2,5,3], %1 f32[3,4], %2 f32[4])
      %3 f32[10,3] = reshape %0 {shape: [10,3]}
      %4 f32[10,4] = matmul %3 %1 %2 {transA: false, transB: false, body: ...}
          (%0 f32[10,4], %1 f32[4])
          %2 f32[10,4] = add %0 %1
          %3 f32[10,4] = relu %2
          return %3
      %5 f32[2,5,4] = reshape %4 {shape: [2,5,4]}
      return %5
      "
    `);
  });

  it("chooses a branch whose condition is known", () => {
    const graph = graphOf(
      (x, y) => [ops.where(true, x, y), ops.where(ops.zeros([3], "bool"), 1, y)],
      f32(3),
      f32(3),
    );
    expect(printed((g) => prune(fold(g)), graph)).toMatchInlineSnapshot(`
      "
      (%0 f32[3], %1 f32[3])
      return %0, %1
      "
    `);
  });

  it("looks through lossless casts alone", () => {
    const graph = graphOf(
      (x) => [
        ops.cast(ops.cast(ops.greater(x, 0), "int32"), "float32"),
        ops.cast(ops.cast(x, "int32"), "float32"),
      ],
      f32(3),
    );
    expect(printed((g) => prune(fold(g)), graph)).toMatchInlineSnapshot(`
      "
      (%0 f32[3])
      %1 f32[] = constant {value: [0]}
      %2 bool[3] = greater %0 %1
      %3 f32[3] = cast %2 {dtype: float32}
      %4 i32[3] = cast %0 {dtype: int32}
      %5 f32[3] = cast %4 {dtype: float32}
      return %3, %5
      "
    `);
  });
});

describe("dedupe", () => {
  it("computes the same thing once", () => {
    const graph = graphOf((x) => [ops.add(ops.exp(x), 1), ops.subtract(ops.exp(x), 1)], f32(2));
    expect(printed((g) => g, graph)).toMatchInlineSnapshot(`
      "
      (%0 f32[2])
      %1 f32[2] = exp %0
      %2 f32[] = constant {value: [1]}
      %3 f32[2] = add %1 %2
      %4 f32[2] = exp %0
      %5 f32[] = constant {value: [1]}
      %6 f32[2] = subtract %4 %5
      return %3, %6
      "
    `);
    expect(printed(dedupe, graph)).toMatchInlineSnapshot(`
      "
      (%0 f32[2])
      %1 f32[2] = exp %0
      %2 f32[] = constant {value: [1]}
      %3 f32[2] = add %1 %2
      %4 f32[2] = subtract %1 %2
      return %3, %4
      "
    `);
  });

  it("tells attributes and constants apart to the bit", () => {
    const graph = graphOf(
      (x) => [
        ops.sum(x, { axis: 0 }),
        ops.sum(x, { axis: 1 }),
        ops.add(x, 0),
        ops.add(x, -0),
        ops.add(x, ops.constant([0, 0])),
      ],
      f32(2, 2),
    );
    expect(dedupe(graph).nodes).toHaveLength(graph.nodes.length);
  });

  it("keeps random draws apart", () => {
    const graph = graphOf(() => [ops.random.uniform([4]), ops.random.uniform([4])]);
    const draws = dedupe(expand(graph)).nodes.filter((n) => n.op.name === "randomBits");
    expect(draws).toHaveLength(2);
  });
});

describe("prune", () => {
  it("drops what nobody reads", () => {
    const graph = graphOf((x) => {
      ops.exp(ops.negative(x));
      return [ops.square(x)];
    }, f32(2));
    expect(printed(prune, graph)).toMatchInlineSnapshot(`
      "
      (%0 f32[2])
      %1 f32[2] = square %0
      return %1
      "
    `);
  });

  it("keeps what only an update reads", () => {
    const v = new Variable([2]);
    const graph = graphOf((x) => {
      assignVariable(v, ops.add(v, x));
      return [];
    }, f32(2));
    expect(printed(prune, graph)).toMatchInlineSnapshot(`
      "
      (%0 f32[2], %1 f32[2])
      %2 f32[2] = add %1 %0
      return %2 -> %1
      "
    `);
  });
});

describe("pair", () => {
  const whole = new Set([
    "sparseSoftmaxCrossEntropy",
    "sparseSoftmaxCrossEntropyGrad",
    "sparseSoftmaxCrossEntropyWithGrad",
  ]);
  const labels = { shape: [4], dtype: "int32" as const };
  /** Mean loss and its gradient, where the gradient of the loss is `weight` of it. */
  const training = (weight: (loss: Value, weights: Value) => Value) => {
    const { graph } = trace(
      (x, y, w) => {
        const losses = ops.sparseSoftmaxCrossEntropy(x!, y!);
        const loss = ops.sum(losses);
        return [loss, ...backward([losses], [weight(losses, w!)], [x!])];
      },
      [f32(4, 3), labels, f32(4)],
    );
    check(graph);
    return graph;
  };

  it("makes one node of a loss and its gradient, after what weighs the loss", () => {
    const graph = training((_, w) => ops.square(w));
    expect(printed((g) => pair(g, whole), graph)).toMatchInlineSnapshot(`
      "
      (%0 f32[4,3], %1 i32[4], %2 f32[4])
      %3 f32[4] = square %2
      %4 f32[4], %5 f32[4], %6 f32[4,3] = sparseSoftmaxCrossEntropyWithGrad %0 %1 %3
      %7 f32[] = sum %4 {begin: 0, end: 1}
      return %7, %6
      "
    `);
  });
  it("leaves them apart where the engine has no kernel for both, or the weight comes of the loss", () => {
    const graph = training((_, w) => ops.square(w));
    expect(pair(graph, new Set())).toBe(graph);
    const waiting = training((losses) => ops.square(losses));
    expect(pair(waiting, whole)).toBe(waiting);
  });
});

describe("fuse", () => {
  it("joins a chain with its broadcasts and its trailing reduction", () => {
    const graph = graphOf((x, b) => [ops.sum(ops.square(ops.add(x, b)), { axis: 1 })], f32(4, 100), f32(100));
    expect(printed(fuse, graph)).toMatchInlineSnapshot(`
      "
      (%0 f32[4,100], %1 f32[100])
      %2 f32[4] = fused %0 %1 {shape: [4,100], body: ...}
          (%0 f32[4,100], %1 f32[100])
          %2 f32[4,100] = add %0 %1
          %3 f32[4,100] = square %2
          %4 f32[4] = sum %3 {begin: 1, end: 2}
          return %4
      return %2
      "
    `);
  });

  it("writes out what others need too", () => {
    const graph = graphOf(
      (x) => {
        const y = ops.tanh(x);
        return [ops.multiply(ops.square(y), 2), ops.sum(y, { axis: 0 })];
      },
      f32(50, 2),
    );
    expect(printed(fuse, graph)).toMatchInlineSnapshot(`
      "
      (%0 f32[50,2])
      %1 f32[] = constant {value: [2]}
      %2 f32[50,2], %3 f32[50,2] = fused %0 %1 {shape: [50,2], body: ...}
          (%0 f32[50,2], %1 f32[])
          %2 f32[50,2] = tanh %0
          %3 f32[50,2] = square %2
          %4 f32[50,2] = multiply %3 %1
          return %2, %4
      %4 f32[2] = sum %2 {begin: 0, end: 1}
      return %3, %4
      "
    `);
  });

  it("never closes a cycle: a chain does not take what comes after a detour", () => {
    const graph = graphOf(
      (x) => {
        const y = ops.exp(x);
        const total = ops.reshape(ops.sum(y, { axis: 0 }), [1, 2]);
        return [ops.divide(y, total)];
      },
      f32(50, 2),
    );
    expect(printed(fuse, graph)).toMatchInlineSnapshot(`
      "
      (%0 f32[50,2])
      %1 f32[50,2] = exp %0
      %2 f32[2] = sum %1 {begin: 0, end: 1}
      %3 f32[1,2] = reshape %2 {shape: [1,2]}
      %4 f32[50,2] = divide %1 %3
      return %4
      "
    `);
  });

  it("takes bias and activation into the product", () => {
    const graph = graphOf(
      (x, w, b) => [withScope("dense", () => ops.relu(ops.add(ops.matmul(x, w), b)))],
      f32(8, 16),
      f32(16, 32),
      f32(32),
    );
    expect(printed(fuse, graph)).toMatchInlineSnapshot(`
      "
      (%0 f32[8,16], %1 f32[16,32], %2 f32[32])
      %3 f32[8,32] = matmul %0 %1 %2 {transA: false, transB: false, body: ...}  @ dense
          (%0 f32[8,32], %1 f32[32])
          %2 f32[8,32] = add %0 %1  @ dense
          %3 f32[8,32] = relu %2  @ dense
          return %3
      return %3
      "
    `);
  });

  it("takes bias, scale and activation into a convolution, and what follows its gradient", () => {
    const graph = graphOf(
      (x, w, b, s) => {
        const y = ops.relu(ops.multiply(ops.add(ops.conv(x, w, { padding: "same" }), b), s));
        const dx = ops.convTranspose(y, w, { padding: "same" });
        return [ops.multiply(dx, ops.cast(ops.greater(x, 0), "float32"))];
      },
      f32(2, 5, 5, 3),
      f32(3, 3, 3, 4),
      f32(4),
      f32(4),
    );
    const steps = fuse(graph).nodes.filter((n) => n.op.name !== "constant");
    expect(steps.map((n) => n.op.name)).toEqual(["conv", "convInputGrad"]);
  });

  it("hands out the product itself where it is needed elsewhere", () => {
    const graph = graphOf(
      (x, w) => {
        const z = ops.matmul(x, w);
        return [ops.greater(z, 0), ops.transpose(z)];
      },
      f32(8, 16),
      f32(16, 32),
    );
    expect(printed(fuse, graph)).toMatchInlineSnapshot(`
      "
      (%0 f32[8,16], %1 f32[16,32])
      %2 f32[] = constant {value: [0]}
      %3 f32[8,32], %4 bool[8,32] = matmul %0 %1 %2 {transA: false, transB: false, body: ...}
          (%0 f32[8,32], %1 f32[])
          %2 bool[8,32] = greater %0 %1
          return %0, %2
      %5 f32[32,8] = transpose %3 {perm: [1,0]}
      return %4, %5
      "
    `);
  });

  it("leaves state updates out of products, so that they can be made in place", () => {
    const w = new Variable([16, 32]);
    const graph = graphOf(
      (x, g) => {
        assignVariable(w, ops.subtract(w, ops.multiply(ops.matmul(x, g, { transposeA: true }), 0.1)));
        return [];
      },
      f32(8, 16),
      f32(8, 32),
    );
    expect(fuse(graph).nodes.map((n) => n.op.name)).toEqual(["matmul", "constant", "fused"]);
  });

  it("runs scalars together whatever they are about", () => {
    const [count, total] = [new Variable([], "int32"), new Variable([])];
    const graph = graphOf((x) => {
      assignVariable(count, ops.add(count, 1));
      assignVariable(total, ops.add(total, ops.multiply(x, 4)));
      return [ops.divide(readVariable(total), count)];
    }, f32());
    expect(printed((g) => fuse(dedupe(g)), graph)).toMatchInlineSnapshot(`
      "
      (%0 f32[], %1 i32[], %2 f32[])
      %3 i32[] = constant {value: [1]}
      %4 f32[] = constant {value: [4]}
      %5 i32[], %6 f32[], %7 f32[] = fused %1 %3 %0 %4 %2 {shape: [], body: ...}
          (%0 i32[], %1 i32[], %2 f32[], %3 f32[], %4 f32[])
          %5 i32[] = add %0 %1
          %6 f32[] = multiply %2 %3
          %7 f32[] = add %4 %6
          %8 f32[] = cast %5 {dtype: float32}
          %9 f32[] = divide %7 %8
          return %5, %7, %9
      return %7, %5 -> %1, %6 -> %2
      "
    `);
  });

  it("keeps chains short", () => {
    const graph = graphOf((x) => {
      let y = x;
      for (let i = 0; i < 100; i++) y = ops.add(ops.sin(y), x);
      return [y];
    }, f32(1000));
    const bodies = fuse(graph).nodes.map((n) => (n.attrs.body as Graph).nodes.length);
    expect(Math.max(...bodies)).toBeLessThanOrEqual(32);
    expect(bodies.reduce((a, b) => a + b)).toBe(200);
    expect(bodies.length).toBeLessThan(10);
  });
});

describe("fuse at length", () => {
  it("takes time in proportion to the graph", () => {
    const graph = graphOf((x) => {
      let y = x;
      for (let i = 0; i < 4000; i++) y = ops.add(ops.sin(y), x);
      return [y];
    }, f32(1000));
    const begin = performance.now();
    expect(fuse(graph).nodes.length).toBeLessThan(300);
    // A fraction of a second; minutes when every pair of chains is tried.
    expect(performance.now() - begin).toBeLessThan(10_000);
  });
});

describe("optimize", () => {
  it("makes a training step of a dense layer few steps", () => {
    const w = new Variable([16, 4]);
    const graph = graphOf(
      (x, y) => {
        const error = ops.subtract(ops.matmul(x, w), y);
        const g = ops.matmul(x, ops.multiply(error, 2 / 32), { transposeA: true });
        assignVariable(w, ops.subtract(w, ops.multiply(g, 0.1)));
        return [ops.mean(ops.square(error))];
      },
      f32(8, 16),
      f32(8, 4),
    );
    expect(printed((g) => optimize(g, new Set(), {}, true), graph)).toMatchInlineSnapshot(`
      "
      (%0 f32[8,16], %1 f32[8,4], %2 f32[16,4])
      %3 f32[] = constant {value: [0.0625]}
      %4 f32[] = constant {value: [0.10000000149011612]}
      %5 f32[8,4], %6 f32[] = matmul %0 %2 %1 %3 {transA: false, transB: false, body: ...}
          (%0 f32[8,4], %1 f32[8,4], %2 f32[])
          %3 f32[8,4] = subtract %0 %1
          %4 f32[8,4] = multiply %3 %2
          %5 f32[8,4] = square %3
          %6 f32[] = sum %5 {begin: 0, end: 2}
          return %4, %6
      %7 f32[16,4] = matmul %0 %5 {transA: true, transB: false}
      %8 f32[16,4] = fused %7 %4 %2 {shape: [16,4], body: ...}
          (%0 f32[16,4], %1 f32[], %2 f32[16,4])
          %3 f32[16,4] = multiply %0 %1
          %4 f32[16,4] = subtract %2 %3
          return %4
      %9 f32[] = constant {value: [32]}
      %10 f32[] = divide %6 %9
      return %10, %8 -> %2
      "
    `);
  });

  it("leaves out the passes that are switched off", () => {
    const graph = graphOf(
      (x) => [ops.exp(ops.multiply(x, ops.constant(tensor([1, 1])))), ops.exp(x)],
      f32(2),
    );
    const off = { fold: false, dedupe: false, prune: false, fuse: false };
    expect(optimize(graph, new Set(), off)).toEqual(graph);
    expect(optimize(graph, new Set(), { ...off, fold: true }).nodes).toHaveLength(3);
    expect(optimize(graph, new Set(), { ...off, fold: true, prune: true }).nodes).toHaveLength(2);
    expect(optimize(graph, new Set(), { ...off, fold: true, prune: true, dedupe: true }).nodes).toHaveLength(
      1,
    );
  });
});
