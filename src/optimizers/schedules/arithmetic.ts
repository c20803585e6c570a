// A schedule is one formula read twice: by the Program, on Values, in every step; and on the host, on numbers, for
// whoever asks what the learning rate is. This is the arithmetic both share.

import type { Value } from "../../graph/graph.ts";
import * as ops from "../../ops/index.ts";

/** Numbers, or float32 scalars in a Program. */
export interface Arithmetic<T> {
  add(a: T, b: T | number): T;
  subtract(a: T | number, b: T | number): T;
  multiply(a: T, b: T | number): T;
  divide(a: T | number, b: T | number): T;
  /** base ** exponent for a base above 0. */
  power(base: T | number, exponent: T | number): T;
  minimum(a: T, b: T | number): T;
  maximum(a: T, b: T | number): T;
  floor(a: T): T;
  ceil(a: T): T;
  cos(a: T): T;
  /** `yes` where a < bound. */
  whereLess(a: T, bound: number, yes: T | number, no: T | number): T;
}

export const onNumbers: Arithmetic<number> = {
  add: (a, b) => a + b,
  subtract: (a, b) => a - b,
  multiply: (a, b) => a * b,
  divide: (a, b) => a / b,
  power: (a, b) => a ** b,
  minimum: Math.min,
  maximum: Math.max,
  floor: Math.floor,
  ceil: Math.ceil,
  cos: Math.cos,
  whereLess: (a, bound, yes, no) => (a < bound ? yes : no),
};

export const onValues: Arithmetic<Value> = {
  add: ops.add,
  subtract: ops.subtract,
  multiply: ops.multiply,
  divide: ops.divide,
  power: ops.power,
  minimum: ops.minimum,
  maximum: ops.maximum,
  floor: ops.floor,
  ceil: ops.ceil,
  cos: ops.cos,
  whereLess: (a, bound, yes, no) => ops.where(ops.less(a, bound), yes, no),
};
