// Random traced functions over many ops, for properties of passes, lowering and engines: deterministic in a seed, with
// arguments, state that is updated and traded, constants, broadcasting, reductions, moves, products and composites.

import { Random } from "../../src/core/random.ts";
import { broadcastShapes, type Shape, sameShape, sizeOf, type TensorType } from "../../src/core/shape.ts";
import type { Tensor } from "../../src/core/tensor.ts";
import type { Value } from "../../src/graph/graph.ts";
import { assignVariable, readVariable, withScope } from "../../src/graph/trace.ts";
import { Variable } from "../../src/graph/variable.ts";
import * as ops from "../../src/ops/index.ts";
import { fill } from "./random-shapes.ts";

export interface RandomProgram {
  readonly fn: (...args: Value[]) => Value[];
  readonly types: readonly TensorType[];
  readonly args: readonly Tensor[];
  /** Fresh with every call of randomProgram: they start from the same values. */
  readonly variables: readonly Variable[];
}

const SHAPES: readonly Shape[] = [[], [1], [3], [4], [2, 3], [3, 1], [4, 3], [1, 3], [2, 3, 4], [0], [2, 0]];

/** About `size` ops on a few inputs. Equal arguments give the same function on equal state. */
export function randomProgram(seed: number, size: number): RandomProgram {
  const random = new Random(seed);
  const pick = <T>(list: readonly T[]): T => list[random.integer(list.length)]!;
  const types: TensorType[] = [0, 1, 2].map((i) => ({
    shape: pick(SHAPES),
    dtype: i === 2 ? "int32" : "float32",
  }));
  const data = (t: TensorType): Tensor =>
    fill({ ...t, range: t.dtype === "int32" ? [0, 2] : [-2, 2] }, random);
  const args = types.map(data);
  const states: TensorType[] = [0, 1, 2, 3].map((i) => ({
    shape: i < 2 ? [3] : pick(SHAPES),
    dtype: "float32",
  }));
  states.push({ shape: [], dtype: "int32" });
  const variables = states.map((t) => {
    const initial = data(t);
    return new Variable(t.shape, t.dtype, { initial: () => initial.data.slice() });
  });
  const from = random.bits();

  const fn = (...inputs: Value[]): Value[] => {
    // Its own stream, so that tracing twice makes the same choices.
    const choose = new Random(from);
    const pool: Value[] = [...inputs, ...variables.map(readVariable)];
    const step = new Step(choose, pool);
    for (let i = 0; i < size; i++) {
      const made = withScope(`part_${i % 3}`, () => step.next());
      if (made && sizeOf(made.shape) <= 256 && made.rank <= 4) pool.push(made);
      if (choose.integer(6) === 0) {
        const v = variables[choose.integer(variables.length)]!;
        const fits = pool.filter((x) => x.dtype === v.dtype && sameShape(x.shape, v.shape));
        if (fits.length > 0) assignVariable(v, fits[choose.integer(fits.length)]!);
        const now = readVariable(v);
        if (!pool.includes(now)) pool.push(now);
      }
    }
    const results = Array.from({ length: 1 + choose.integer(3) }, () => pool[choose.integer(pool.length)]!);
    return [...results, pool.at(-1)!];
  };
  return { fn, types, args, variables };
}

/** Makes one more Value out of those there are; undefined when the choice does not fit. */
class Step {
  private readonly random: Random;
  private readonly pool: Value[];

  constructor(random: Random, pool: Value[]) {
    this.random = random;
    this.pool = pool;
  }

  next(): Value | undefined {
    const makers = [this.unary, this.unary, this.binary, this.binary, this.binary, this.select, this.reduce];
    makers.push(this.product, this.move, this.move, this.index, this.composite, this.constants);
    return this.pick(makers).call(this);
  }

  private pick<T>(list: readonly T[]): T {
    return list[this.random.integer(list.length)]!;
  }

  private any(): Value {
    // Recent Values more often: chains grow.
    const n = this.pool.length;
    return this.pool[
      this.random.integer(2) === 0 ? this.random.integer(n) : n - 1 - this.random.integer(Math.min(4, n))
    ]!;
  }

  private float(): Value {
    return ops.cast(this.any(), "float32");
  }

  private unary(): Value {
    const x = this.float();
    const fns = [
      ops.negative,
      ops.abs,
      ops.sign,
      ops.floor,
      ops.round,
      ops.tanh,
      ops.sigmoid,
      ops.relu,
      ops.square,
      ops.sin,
    ];
    if (this.random.integer(8) === 0) return ops.cast(x, this.pick(["int32", "bool", "float32"] as const));
    return this.pick([...fns, ops.erf, ops.silu, ops.softplus, (v: Value) => ops.clip(v, -1, 1)])(x);
  }

  private binary(): Value | undefined {
    const x = this.any();
    const partners = this.pool.filter((y) => broadcastShapes(x.shape, y.shape));
    const y = this.pick(partners);
    const fns = [ops.add, ops.subtract, ops.multiply, ops.minimum, ops.maximum, ops.less, ops.equal];
    return this.pick(fns)(x, this.random.integer(5) === 0 ? this.pick([0, 1, 2, -0.5]) : y);
  }

  private select(): Value | undefined {
    const x = this.any();
    const y = this.pick(this.pool.filter((v) => broadcastShapes(x.shape, v.shape)));
    const condition = ops.greater(x, this.pick([-1, 0, 0.5]));
    return this.pick([() => ops.where(condition, x, y), () => ops.where(ops.logicalNot(condition), y, 1)])();
  }

  private reduce(): Value | undefined {
    const x = this.float();
    const axis = x.rank === 0 ? undefined : this.random.integer(x.rank);
    const options = {
      axis: this.random.integer(3) === 0 ? undefined : axis,
      keepDims: this.random.integer(2) === 0,
    };
    return this.pick([ops.sum, ops.mean, ops.max, ops.min, ops.prod])(x, options);
  }

  private product(): Value | undefined {
    const [a, b] = [this.float(), this.float()];
    if (a.rank < 2 || b.rank < 2) return undefined;
    const last = (v: Value, flip: boolean): [number, number] => [
      v.shape.at(flip ? -1 : -2)!,
      v.shape.at(flip ? -2 : -1)!,
    ];
    for (const transposeA of [false, true]) {
      for (const transposeB of [false, true]) {
        const batches = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
        if (batches && last(a, transposeA)[1] === last(b, transposeB)[0])
          return ops.matmul(a, b, { transposeA, transposeB });
      }
    }
    return ops.matmul(a, ops.transpose(a, [...a.shape.keys()].slice(0, -2).concat([a.rank - 1, a.rank - 2])));
  }

  private move(): Value | undefined {
    const x = this.any();
    const axis = x.rank === 0 ? 0 : this.random.integer(x.rank);
    const moves: (() => Value)[] = [
      () => ops.reshape(x, [sizeOf(x.shape)]),
      () => ops.expandDims(x, this.pick([0, -1])),
      () => ops.broadcastTo(x, [2, ...x.shape]),
    ];
    if (x.rank > 0) {
      moves.push(
        () => ops.transpose(x),
        () =>
          ops.transpose(
            x,
            [...x.shape.keys()].sort(() => this.random.integer(3) - 1),
          ),
        () => ops.sliceAxis(x, axis, 0, Math.ceil(x.shape[axis]! / 2)),
        () => ops.pad(x, x.shape.map((_, i): [number, number] => (i === axis ? [1, 0] : [0, 0])), { value: 1 }), // biome-ignore format: one move
        () => ops.concatenate([x, x], { axis }),
        () => ops.reverse(x, { axis }),
        () => ops.tile(x, [2]),
      );
    }
    return this.pick(moves)();
  }

  private index(): Value | undefined {
    const x = this.any();
    if (x.rank === 0 || x.shape.includes(0)) return undefined;
    const axis = this.random.integer(x.rank);
    return this.pick([
      () => ops.argmax(x.dtype === "bool" ? ops.cast(x, "int32") : x, { axis }),
      () => ops.gather(x, ops.arange(x.shape[axis]!), { axis }),
      () => ops.cumsum(ops.cast(x, "float32"), { axis }),
      () => ops.sort(ops.cast(x, "float32"), { axis }),
      () => ops.oneHot(ops.argmax(ops.cast(x, "float32"), { axis }), 3),
    ])();
  }

  private composite(): Value | undefined {
    const x = this.float();
    if (x.rank === 0 || x.shape.at(-1) === 0) return undefined;
    return this.pick([() => ops.softmax(x), () => ops.logSoftmax(x), () => ops.stopGradient(x)])();
  }

  private constants(): Value | undefined {
    return this.pick([
      () => ops.zeros([3]),
      () => ops.ones([4, 3]),
      () => ops.arange(3),
      () => ops.full([2, 3], 0.5),
    ])();
  }
}
