// Leaves with runs under way.

import { NativeEngine } from "../../../src/engine/native.ts";
import { counter, countingProgram } from "../counting.ts";

const engine = new NativeEngine({ threads: 2 });
const count = engine.load(countingProgram(1, 100_000));
for (let i = 0; i < 4; i++) void engine.run(count, [counter(engine)], { steps: 2 ** 40, onReport() {} });
setTimeout(() => {
  console.log("leaving");
  process.exit(7);
}, 50);
