// Rounds of eight workers, each with an engine, runs in flight, reports and runs that wait; the main thread ends them at
// different moments, and works on its own engine meanwhile.

import { Worker } from "node:worker_threads";
import { loadBinding, loadedFrom } from "../../../src/engine/binding.ts";
import { NativeEngine } from "../../../src/engine/native.ts";
import { encode } from "../../../src/program/encode.ts";
import { counter, countingProgram, countOf } from "../counting.ts";

// Workers speak to the addon itself: TypeScript in workers is the loader's business, not ours.
const body = `
const { workerData, parentPort } = require("node:worker_threads");
const native = require(workerData.path);
const ends = [];
const engine = native.createEngine("", 2, (run, kind) => kind !== "report" && ends.push(kind));
const program = engine.load(workerData.words, new Uint8Array(0));
const states = Array.from({ length: 3 }, () => engine.allocate(1, 2));
for (const id of states) engine.write(id, Int32Array.of(1, 0), 0);
for (const id of states) {
  engine.run(program, Uint32Array.of(id, id), 1, 1, 2 ** 40, true);
  engine.run(program, Uint32Array.of(id), 1, 0, 5, false);
}
const next = () => {
  engine.run(program, Uint32Array.of(states[0]), 1, 0, 3, false);
  const out = new Int32Array(2);
  engine.read(states[1], out, 0);
  setImmediate(next);
};
next();
parentPort.postMessage("up");
`;

loadBinding();
const path = loadedFrom()!;
const words = encode(countingProgram(1, 200));

const engine = new NativeEngine({ threads: 2 });
const executable = engine.load(countingProgram());
const state = counter(engine);

let ended = 0;
let runs = 0;
for (let round = 0; round < 6; round++) {
  const workers = Array.from(
    { length: 8 },
    () => new Worker(body, { eval: true, workerData: { path, words }, execArgv: [] }),
  );
  await Promise.all(
    workers.map(async (worker, i) => {
      await new Promise((resolve, reject) => {
        worker.on("error", reject);
        worker.once("message", resolve);
      });
      await new Promise((resolve) => setTimeout(resolve, (i * (round + 1)) % 23));
      const done = await engine.run(executable, [state], { steps: 100 });
      runs += done;
      await worker.terminate();
      ended++;
    }),
  );
}
if (countOf(engine, state) !== runs) throw new Error("the main thread's engine was disturbed");
console.log(`rounds 6, workers ${ended}`);
