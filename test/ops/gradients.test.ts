// Judge: gradients against central differences, in float64 on the plain evaluation. Second derivatives by checking the
// gradient function itself the same way.

import { describe, expect, test } from "vitest";
import { Random } from "../../src/core/random.ts";
import { customGradient, multiply, square, stopGradient } from "../../src/ops/index.ts";
import { derivatives, type Fn, gradientOf } from "../helpers/finite-differences.ts";
import { fill, type InputSpec } from "../helpers/random-shapes.ts";
import { cases, type OpCase } from "../ops.cases.ts";

function problem(fn: Fn, specs: readonly InputSpec[], tolerance: number, seed: number): string | undefined {
  const random = new Random(seed);
  const args = specs.map((s) => fill(s, random));
  const { analytic, numeric, scale } = derivatives(fn, args, seed);
  const error = Math.abs(analytic - numeric) / scale;
  return error <= tolerance
    ? undefined
    : `seed ${seed}: analytic ${analytic}, numeric ${numeric}, error ${error}`;
}

const title = (c: OpCase): string => `${c.op} ${c.note}`.trim();
const differentiable = cases.filter((c) => c.gradient !== false);

describe("first derivatives", () => {
  test.each(differentiable.map((c) => [title(c), c] as const))("%s", (_title, c) => {
    c.inputs.forEach((specs, i) => {
      expect(problem(c.run, specs, c.gradient as number, 100 + i), `inputs ${i}`).toBeUndefined();
    });
  });
});

describe("second derivatives", () => {
  const twice = differentiable.filter((c) => c.second);
  test.each(twice.map((c) => [title(c), c] as const))("%s", (_title, c) => {
    c.inputs.forEach((specs, i) => {
      const gradient = gradientOf(c.run, 300 + i);
      expect(problem(gradient, specs, 10 * (c.gradient as number), 200 + i), `inputs ${i}`).toBeUndefined();
    });
  });
});

describe("the judge itself", () => {
  const specs: InputSpec[] = [{ shape: [5], away: [0] }];
  const wrong = customGradient(
    (x) => square(x),
    ({ grads: [g], inputs: [x] }) => multiply(g!, multiply(x!, 2.001)),
  );
  test("finds a rule that is off by a thousandth", () => {
    expect(problem((x) => wrong(x!), specs, 1e-6, 1)).toMatch(/analytic/);
  });
  test("finds one that is right by itself but not once more", () => {
    const blocked = customGradient(
      (x) => square(x),
      ({ grads: [g], inputs: [x] }) => multiply(g!, stopGradient(multiply(x!, 2))),
    );
    expect(problem((x) => blocked(x!), specs, 1e-6, 1)).toBeUndefined();
    expect(
      problem(
        gradientOf((x) => blocked(x!)),
        specs,
        1e-6,
        1,
      ),
    ).toMatch(/analytic/);
  });
});
