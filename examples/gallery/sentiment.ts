// Sentiment: is a sentence of a film review kind or not? The mean of what its words and pairs of words mean, learnt from
// the sentences alone (rt-polarity).

import { layers, optimizers, sequential, tensor, utils } from "myelin";
import { readLines } from "myelin/text";
import { dataFile, percent, report, SEED } from "./data.ts";

const kind = await readLines(dataFile("rt-polarity/rt-polarity.pos"), { encoding: "latin1" });
const unkind = await readLines(dataFile("rt-polarity/rt-polarity.neg"), { encoding: "latin1" });
const sentences = [...kind, ...unkind];
const labels = tensor(Float32Array.from(sentences, (_, i) => Number(i < kind.length)), [sentences.length, 1]); // biome-ignore format: one line
const split = utils.trainTestSplit([sentences, labels], { testSize: 0.2, seed: SEED });
const [train, test, trainY, testY] = split as [string[], string[], typeof labels, typeof labels];

const words = layers.textVectorization({ ngrams: 2, maxTokens: 20_000, outputSequenceLength: 64 });
words.adapt(train);
const model = sequential(
  [
    layers.embedding({ inputDim: words.vocabularySize, outputDim: 64, maskZero: true, inputShape: [64] }),
    layers.dropout({ rate: 0.5 }),
    layers.globalAveragePooling1d(),
    layers.dropout({ rate: 0.3 }),
    layers.dense({ units: 1, activation: "sigmoid" }),
  ],
  { seed: SEED },
);
model.compile({
  optimizer: optimizers.adam({ learningRate: 0.003 }),
  loss: "binaryCrossentropy",
  metrics: ["accuracy"],
});
await model.fit(words.encode(train), trainY, { epochs: 4, seed: SEED });

const opinion = async (text: string) => (await model.predict(words.encode([text]))).item();
for (const text of [
  "a warm and funny film with a great heart",
  "tedious and far too long , without a single idea",
])
  console.log(`${percent(await opinion(text))} kind: ${text}`);
const { accuracy } = await model.evaluate(words.encode(test), testY, { verbose: 0 });
report("rt-polarity, accuracy on a fifth of the sentences", percent(accuracy), "76.1 % of a convolutional network without pretrained words (Kim 2014), 50 % of guessing"); // biome-ignore format: one line
