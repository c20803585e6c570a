// Predictions in onnxruntime-node, driven over stdin/stdout (see bench/peers.ts).
//   {"workload", "model": path, "input": path of raw data, "shape", "dtype"}: makes a session, answers {"output": [...]}
//   {"workload", "seconds"}: predicts for that long on the one input array, answers {"steps", "seconds"}

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import * as ort from "onnxruntime-node";

const threads = Number(process.argv[2]);
const sessions = new Map();

async function open({ workload, model, input, shape, dtype }) {
  const bytes = readFileSync(input);
  const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  const data =
    dtype === "float32" ? new Float32Array(buffer) : BigInt64Array.from(new Int32Array(buffer), BigInt);
  const x = new ort.Tensor(dtype === "float32" ? "float32" : "int64", data, shape);
  const session = await ort.InferenceSession.create(model, { intraOpNumThreads: threads });
  sessions.set(workload, { session, x });
  const { y } = await session.run({ x });
  return { output: Array.from(y.data) };
}

async function window({ workload, seconds }) {
  const { session, x } = sessions.get(workload);
  const start = performance.now();
  let steps = 0;
  let elapsed = 0;
  while (elapsed < seconds) {
    await session.run({ x });
    steps++;
    elapsed = (performance.now() - start) / 1000;
  }
  return { steps, seconds: elapsed };
}

for await (const line of createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  console.log(JSON.stringify(await ("model" in request ? open(request) : window(request))));
}
