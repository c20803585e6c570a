// Speech: which digit was spoken? Sounds become pictures of their pitch over time (mel spectrograms) inside the model, and a
// convolutional network reads them (Free Spoken Digit Dataset).

import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import { layers, optimizers, sequential, type Tensor, tensor } from "myelin";
import { readWav } from "myelin/audio";
import { dataFile, percent, report, SEED } from "./data.ts";

/** Four fifths of a second; hardly a recording is longer. */
const FRAMES = 6400;

/** The recordings of the archive, which are named {digit}_{speaker}_{index}.wav: cut or padded to one length. */
async function recordings() {
  const tar = gunzipSync(readFileSync(dataFile("fsdd/recordings.tar.gz")));
  const found: { digit: number; index: number; samples: Float32Array }[] = [];
  for (let at = 0; tar[at]; ) {
    // A tar file: a block of 512 bytes with name and size (octal), then the file itself in whole blocks.
    const name = tar.toString("latin1", at, at + 100).replace(/\0.*/, "");
    const size = Number.parseInt(tar.toString("latin1", at + 124, at + 136), 8);
    const parts = name.match(/(\d)_\w+_(\d+)\.wav$/);
    if (parts) {
      const sound = await readWav(tar.subarray(at + 512, at + 512 + size));
      const samples = new Float32Array(FRAMES);
      samples.set((sound.samples.data as Float32Array).subarray(0, FRAMES));
      found.push({ digit: Number(parts[1]), index: Number(parts[2]), samples });
    }
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return found;
}

type Recordings = Awaited<ReturnType<typeof recordings>>;
function stack(list: Recordings): [Tensor, Tensor] {
  const x = new Float32Array(list.length * FRAMES);
  list.forEach(({ samples }, i) => {
    x.set(samples, i * FRAMES);
  });
  return [tensor(x, [list.length, FRAMES]), tensor(Int32Array.from(list, (r) => r.digit))];
}

const all = await recordings();
// The split of the data set: the first five recordings of every digit by every speaker are for testing.
const [x, y] = stack(all.filter((r) => r.index >= 5));
const [testX, testY] = stack(all.filter((r) => r.index < 5));

const block = (filters: number) => [
  layers.conv2d({ filters, kernelSize: 3, padding: "same", activation: "relu" }),
  layers.batchNormalization({ momentum: 0.9 }),
  layers.maxPooling2d({ poolSize: 2 }),
];
const model = sequential(
  [
    layers.melSpectrogram({ fftLength: 256, sequenceStride: 128, samplingRate: 8000, numMelBins: 40, inputShape: [FRAMES] }), // biome-ignore format: one line
    layers.rescaling({ scale: 1 / 40, offset: 1 }),
    layers.reshape({ targetShape: [40, -1, 1] }),
    layers.gaussianNoise({ stddev: 0.1 }),
    ...[16, 32, 64].flatMap(block),
    layers.flatten(),
    layers.dropout({ rate: 0.5 }),
    layers.dense({ units: 64, activation: "relu" }),
    layers.dropout({ rate: 0.3 }),
    layers.dense({ units: 10, activation: "softmax" }),
  ],
  { seed: SEED },
);
model.compile({
  optimizer: optimizers.adam({ learningRate: 0.002 }),
  loss: "sparseCategoricalCrossentropy",
  metrics: ["accuracy"],
});
await model.fit(x, y, { epochs: 25, validationData: [testX, testY], seed: SEED });
const { accuracy } = await model.evaluate(testX, testY, { verbose: 0 });
report("spoken digits, accuracy on held-out recordings", percent(accuracy), "97 to 99 % of published convolutional networks, 10 % of guessing"); // biome-ignore format: one line
