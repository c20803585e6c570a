// Nothing but a run keeps this process from ending.

import { NativeEngine } from "../../../src/engine/native.ts";
import { counter, countingProgram } from "../counting.ts";

const engine = new NativeEngine({ threads: 1 });
const run = engine.run(engine.load(countingProgram(1, 20_000)), [counter(engine)], { steps: 300 });
void run.then((done) => console.log(`done ${done}`));
