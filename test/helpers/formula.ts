// Numbers that follow from a name by a formula, the same as in scripts/record-applications-fixtures.py: weights and inputs too
// large for a fixture.

import { sizeOf } from "../../src/core/shape.ts";
import { tensor } from "../../src/core/tensor.ts";
import type { Model } from "../../src/models/index.ts";

/** Numbers in [-0.5, 0.5): FNV-1a of the name seeds a mix of the index. */
export function numbers(name: string, size: number): Float64Array {
  let seed = 2166136261;
  for (const byte of new TextEncoder().encode(name)) seed = Math.imul(seed ^ byte, 16777619);
  const out = new Float64Array(size);
  for (let i = 0; i < size; i++) {
    let x = (Math.imul(i, 2654435761) + seed) >>> 0;
    x = Math.imul(x ^ (x >>> 15), 2246822519);
    x = (x ^ (x >>> 13)) >>> 0;
    out[i] = x / 2 ** 32 - 0.5;
  }
  return out;
}

/** Gives every weight of a model its numbers: kernels scaled as He et al. 2015 do, norms near 1, others near 0. */
export function fillWeights(model: Model): void {
  for (const layer of model.layers) {
    layer.weights.forEach((w, index) => {
      const u = numbers(`${layer.name}/${index}`, sizeOf(w.shape));
      w.write(tensor(Float32Array.from(scaled(layer.name, index, w.shape, u)), w.shape));
    });
  }
}

function scaled(layer: string, index: number, shape: readonly number[], u: Float64Array): Float64Array {
  if (shape.length > 1) {
    const fan = layer.endsWith("depthwise") ? shape[0]! * shape[1]! : sizeOf(shape.slice(0, -1));
    return u.map((x) => x * Math.sqrt(24 / fan));
  }
  const isNorm = layer.toLowerCase().endsWith("bn") || layer.includes("bn_");
  const isScale = isNorm && (index === 0 || index === 3);
  return u.map((x) => x * 0.2 + (isScale ? 1 : 0));
}
