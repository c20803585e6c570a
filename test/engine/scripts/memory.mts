// Resident memory over 100,000 runs of every kind, after a warm-up (the collector's young space,
// kept small by a flag, grows to its full size first); then buffers that are dropped and not disposed of.

import { NativeEngine } from "../../../src/engine/native.ts";
import { copyProgram, counter, countingProgram } from "../counting.ts";

const engine = new NativeEngine({ threads: 2 });
const count = engine.load(countingProgram());
const copy = engine.load(copyProgram());
const [a, b] = [counter(engine), counter(engine)];
const settle = async () => {
  for (let i = 0; i < 3; i++) {
    globalThis.gc!();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};

async function runMany(times: number): Promise<number> {
  let done = 0;
  while (done < times) {
    for (let i = 0; i < 400; i++) engine.runSync(count, [a]);
    await Promise.all([
      ...Array.from({ length: 20 }, () => engine.run(copy, [a, b])),
      ...Array.from({ length: 20 }, () => engine.run(count, [a], { steps: 2, watch: [a], onReport() {} })),
    ]);
    const stop = new AbortController();
    const aborted = engine.run(count, [b], { signal: stop.signal }).catch(() => {});
    stop.abort();
    await aborted;
    const scratch = engine.allocate({ dtype: "float32", shape: [1000] });
    engine.dispose(scratch);
    engine.dispose(engine.load(countingProgram()));
    done += 400 + 40 + 1;
  }
  return done;
}

await runMany(50_000);
await settle();
const before = process.memoryUsage().rss;
await runMany(100_000);
await settle();
const grown = (process.memoryUsage().rss - before) / 2 ** 20;

const live = engine.info().buffers;
for (let i = 0; i < 20_000; i++) {
  engine.allocate({ dtype: "float32", shape: [4096] });
  if (i % 1000 === 999) await new Promise((resolve) => setTimeout(resolve, 0));
}
await settle();
const left = engine.info().buffers - live;
console.log(JSON.stringify({ runs: 100_000, grown, left }));
