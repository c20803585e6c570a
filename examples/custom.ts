// The functional API, a layer of your own, and functions with gradients. Run it with: npx tsx examples/custom.ts

import {
  type BatchShape,
  compile,
  grad,
  input,
  Layer,
  layers,
  model,
  ops,
  tensor,
  type Value,
  type Variable,
} from "myelin";

/** Multiplies each feature by a learned factor. Its gradient comes by itself. */
class Scale extends Layer {
  factor!: Variable;

  override build(inputShape: BatchShape): void {
    this.factor = this.addWeight({ name: "factor", shape: [inputShape.at(-1)!], initializer: "ones" });
  }

  override call(x: Value): Value {
    return ops.multiply(x, this.factor);
  }
}

// Two inputs, one shared layer, one output: are both points on the same side of the line through zero?
const a = input({ shape: [2], name: "a" });
const b = input({ shape: [2], name: "b" });
const encode = layers.dense({ units: 8, activation: "tanh" });
const pair = layers.multiply().apply([encode.apply(a), encode.apply(b)]);
const answer = layers.dense({ units: 1, activation: "sigmoid" }).apply(new Scale().apply(pair));
const twin = model({ inputs: [a, b], outputs: answer, seed: 1 });
twin.compile({ optimizer: "adam", loss: "binaryCrossentropy", metrics: ["accuracy"] });

const points = (shift: number) =>
  tensor(
    Float32Array.from({ length: 4000 }, (_, i) => Math.sin(shift + i * 12.9898) * 1.5),
    [2000, 2],
  );
const [left, right] = [points(1), points(2)];
const side = (p: typeof left, row: number) => p.at(row, 0) + p.at(row, 1) > 0;
const same = tensor(Array.from({ length: 2000 }, (_, row) => [side(left, row) === side(right, row) ? 1 : 0]));
await twin.fit([left, right], same, { epochs: 60, batchSize: 50, seed: 1, verbose: 0 });
console.log("same side:", await twin.evaluate([left, right], same, { verbose: 0 }));

// Functions are traced once and run as one Program; gradients compose.
const energy = (x: Value) => ops.sum(ops.power(x, 3));
const slope = grad(energy);
const curvature = grad((x: Value) => ops.sum(slope(x)));
const at = tensor([1, 2]);
console.log("energy", (await compile(energy)(at)).item());
console.log("slope", (await slope(at)).toArray(), "curvature", (await curvature(at)).toArray());
