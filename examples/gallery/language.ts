// Language: a small GPT reads a million letters of Shakespeare and writes on. Takes some minutes.

import { applications, Dataset, optimizers, type Tensor, tensor } from "myelin";
import { readText } from "myelin/text";
import { dataFile, report, SEED } from "./data.ts";

const LENGTH = 128;
const BATCH = 32;
const STEPS = 1200;

const text = await readText(dataFile("tinyshakespeare/input.txt"));
const letters = [...new Set(text)].sort();
const ids = Int32Array.from(text, (c) => letters.indexOf(c));
const cut = Math.floor(ids.length * 0.9);

/** Windows that begin at these places, and the same one letter later. */
function windows(starts: ArrayLike<number>): [x: Tensor, y: Tensor] {
  const part = (shift: number) => {
    const out = new Int32Array(starts.length * LENGTH);
    for (let i = 0; i < starts.length; i++) {
      out.set(ids.subarray(starts[i]! + shift, starts[i]! + shift + LENGTH), i * LENGTH);
    }
    return tensor(out, [starts.length, LENGTH]);
  };
  return [part(0), part(1)];
}

const gpt = applications.gpt({
  vocabularySize: letters.length,
  sequenceLength: LENGTH,
  blocks: 4,
  heads: 6,
  width: 192,
  seed: SEED,
});
const learningRate = optimizers.schedules.cosineDecay({
  initialLearningRate: 0,
  warmupTarget: 4e-3,
  warmupSteps: 50,
  decaySteps: STEPS - 50,
  alpha: 0.02,
});
gpt.compile({
  optimizer: optimizers.muon({ learningRate, weightDecay: 0.1, adamWeightDecay: 0.1 }),
  loss: "sparseCategoricalCrossentropy",
});

const begun = performance.now();
const train = Dataset.fromTensorSlices(Int32Array.from({ length: cut - LENGTH - 1 }, (_, i) => i))
  .shuffle(cut, { seed: SEED })
  .batch(BATCH)
  .map((starts) => windows((starts as Tensor).data));
await gpt.fit(train, { epochs: 4, stepsPerEpoch: STEPS / 4, verbose: 2 });
const minutes = (performance.now() - begun) / 60_000;

const places = Array.from(
  { length: Math.floor((ids.length - cut - 1) / LENGTH) },
  (_, i) => cut + i * LENGTH,
);
const { loss } = await gpt.evaluate(...windows(places), { verbose: 0 });

const prompt = tensor([Array.from("ROMEO:\n", (c) => letters.indexOf(c))], [1, 7], "int32");
const written = await gpt.generate(prompt, { maxNewTokens: 300, temperature: 0.8, seed: 7 });
console.log(Array.from(written.data, (id) => letters[id]).join(""));
report("Tiny Shakespeare, nats a letter on the last tenth", loss!.toFixed(3), `${minutes.toFixed(1)} minutes; 1.88 of nanoGPT's CPU setting, 4.17 of guessing`); // biome-ignore format: one line
