// Angles, written with the ops that exist.

import type { Value } from "../graph/graph.ts";
import { add, divide, maximum, minimum, multiply, subtract } from "./arithmetic.ts";
import { equal, greater, less, where } from "./compare.ts";
import { customGradient } from "./custom.ts";
import { abs, cast, negative, square } from "./elementwise.ts";
import { type Operand, toValue } from "./operand.ts";
import { broadcastShapesOf, broadcastTo } from "./shape.ts";

/** tan(pi / 8): above it the angle to pi / 4 is taken, so that the series below is short. */
const EDGE = Math.tan(Math.PI / 8);
/**
 * Of the series x + x^3 (...) of the arc tangent up to EDGE, fitted for float32 (Moshier's Cephes library, atanf), from
 * the highest power of x^2 down; 2 ulp.
 */
const SERIES = [8.05374449538e-2, -1.38776856032e-1, 1.99777106478e-1, -3.33329491539e-1];

/** The angle whose tangent is in [0, 1]. */
function small(t: Value): Value {
  const isBig = greater(t, EDGE);
  const x = where(isBig, divide(subtract(t, 1), add(t, 1)), t);
  const z = square(x);
  const factor = SERIES.slice(1).reduce(
    (sum, c) => add(multiply(sum, z), c),
    toValue(SERIES[0]!, "float32") as Value,
  );
  const angle = add(x, multiply(multiply(x, z), factor));
  return add(angle, where(isBig, Math.PI / 4, 0));
}

const angle = customGradient(
  (y: Value, x: Value): Value => {
    const [ax, ay] = [abs(x), abs(y)];
    const [least, most] = [minimum(ax, ay), maximum(ax, ay)];
    const first = small(divide(least, where(equal(most, 0), 1, most)));
    const quadrant = where(greater(ay, ax), subtract(Math.PI / 2, first), first);
    const upper = where(less(x, 0), subtract(Math.PI, quadrant), quadrant);
    return where(less(y, 0), negative(upper), upper);
  },
  ({ inputs: [y, x], grads: [g] }) => {
    const scale = divide(g!, add(square(x!), square(y!)));
    return [multiply(scale, x!), negative(multiply(scale, y!))];
  },
);

/**
 * The angle of the point (x, y) from the positive x axis, in radians, in (-pi, pi]; 0 for (0, 0). Float32, within 3 ulp.
 * @example arctan2([1, -1], [0, -1])   // [pi / 2, -3 pi / 4]
 */
export function arctan2(y: Operand, x: Operand): Value {
  const [a, b] = [y, x].map((v) => cast(toValue(v, undefined, "arctan2"), "float32")) as [Value, Value];
  const shape = broadcastShapesOf("arctan2", [a.shape, b.shape]);
  return angle(broadcastTo(a, shape), broadcastTo(b, shape));
}

/** The angle whose tangent is x, in radians, in (-pi / 2, pi / 2). */
export function arctan(x: Operand): Value {
  return arctan2(x, 1);
}
