// The arc tangent, which is written with other ops, against Math on both engines; its gradient.

import { describe, expect, it } from "vitest";
import { build } from "../../src/compile.ts";
import { tensor } from "../../src/core/tensor.ts";
import type { Value } from "../../src/graph/graph.ts";
import { checkGradients, ops } from "../../src/index.ts";
import { availableEngines } from "../helpers/engines.ts";
import { thrown } from "../helpers/thrown.ts";

describe.each(availableEngines().map((e) => [e.name, e] as const))("on the %s engine", (_, engine) => {
  const run = (fn: (...x: Value[]) => Value, ...x: ReturnType<typeof tensor>[]) =>
    build((...v: Value[]) => [fn(...v)], x, { engine }).runSync(x)[0]!;

  it("arctan2 is right in every direction and at every size", () => {
    const points: [number, number][] = [];
    for (let i = 0; i < 4000; i++) points.push([Math.sin(i) * 10 ** (i % 17 - 8), Math.cos(i) * 10 ** (i % 13 - 6)]); // biome-ignore format: one line
    points.push([0, 1], [0, -1], [1, 0], [-1, 0], [0, 0], [1, 1], [-1, -1], [3e38, 3e38]);
    const [y, x] = [0, 1].map((k) => tensor(Float32Array.from(points, (p) => p[k]!))) as [never, never];
    const found = run(ops.arctan2, y, x).data;
    points.forEach(([a, b], i) => {
      const wanted = Math.atan2(Math.fround(a), Math.fround(b));
      // Three units in the last place of a float32.
      expect(Math.abs(found[i]! - wanted), `${a}, ${b}`).toBeLessThanOrEqual(Math.abs(wanted) * 3.6e-7);
    });
  });

  it("arctan is, too, and both broadcast", () => {
    const x = tensor([-1e9, -2, -0.3, 0, 1e-8, 0.5, 40]);
    run(ops.arctan, x).data.forEach((v: number, i: number) => {
      expect(v).toBeCloseTo(Math.atan(x.data[i]!), 6);
    });
    const both = run((y, x) => ops.arctan2(y, x), tensor([[1], [-1]]), tensor([1, -1]));
    expect(both.shape).toEqual([2, 2]);
    expect(both.data[3]).toBeCloseTo(-0.75 * Math.PI, 6);
  });
});

it("has its gradient, also through broadcasting", async () => {
  const fn = (y: Value, x: Value) => ops.sum(ops.square(ops.arctan2(y, x)));
  await checkGradients(fn, [tensor([[0.5], [-2]]), tensor([1.5, -0.7, -3])]);
});

it("refuses shapes that do not go together", () => {
  const x = [tensor([1, 2]), tensor([1, 2, 3])];
  expect(thrown(() => build((a: Value, b: Value) => [ops.arctan2(a, b)], x)).message).toContain(
    "arctan2: expected shapes that broadcast",
  );
});
