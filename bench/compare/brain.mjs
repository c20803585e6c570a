// XOR in brain.js, driven over stdin/stdout (see bench/peers.ts). One of its iterations is one pass over the four cases.

import { createInterface } from "node:readline";
import brain from "brain.js";

const cases = [[0, 0], [0, 1], [1, 0], [1, 1]]; // biome-ignore format: one row a sample
const data = cases.map(([a, b]) => ({ input: [a, b], output: [a ^ b] }));
const net = new brain.NeuralNetwork({ hiddenLayers: [8], activation: "tanh" });

for await (const line of createInterface({ input: process.stdin })) {
  const { seconds } = JSON.parse(line);
  const start = performance.now();
  let steps = 0;
  let elapsed = 0;
  while (elapsed < seconds) {
    net.train(data, { iterations: 2000, errorThresh: 1e-12, log: false });
    steps += 2000;
    elapsed = (performance.now() - start) / 1000;
  }
  console.log(JSON.stringify({ steps, seconds: elapsed }));
}
