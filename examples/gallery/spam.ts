// Spam: which text messages are unwanted? By runs of two to five letters, which see through odd spelling (SMS Spam Collection).

import { layers, sequential, tensor, utils } from "myelin";
import { readLines } from "myelin/text";
import { dataFile, report, SEED } from "./data.ts";

const lines = (await readLines(dataFile("sms-spam/SMSSpamCollection"))).map((line) => line.split("\t"));
const messages = lines.map(([, text]) => ` ${text} `);
const isSpam = tensor(
  Float32Array.from(lines, ([label]) => Number(label === "spam")),
  [lines.length, 1],
);
const split = utils.trainTestSplit([messages, isSpam], {
  testSize: 0.2,
  seed: SEED,
  stratify: lines.map(([label]) => label!),
});
const [train, test, trainY, testY] = split as [string[], string[], typeof isSpam, typeof isSpam];

const letters = layers.textVectorization({
  // Which number to call differs; that there is one does not.
  standardize: (text) => text.replace(/\d/g, "0"),
  split: "character",
  ngrams: [2, 3, 4, 5],
  maxTokens: 4000,
  outputMode: "multiHot",
});
letters.adapt(train);
const model = sequential(
  [
    layers.dropout({ rate: 0.3, inputShape: [letters.vocabularySize] }),
    layers.dense({ units: 32, activation: "relu" }),
    layers.dropout({ rate: 0.5 }),
    layers.dense({ units: 1, activation: "sigmoid" }),
  ],
  { seed: SEED },
);
model.compile({ optimizer: "adam", loss: "binaryCrossentropy", metrics: ["precision", "recall"] });
await model.fit(letters.encode(train), trainY, { epochs: 10, seed: SEED });

const { precision, recall } = await model.evaluate(letters.encode(test), testY, { verbose: 0 });
const f1 = (p: number, r: number) => (2 * p * r) / (p + r);
// What a rule says: a message with a run of five digits is spam.
const found = test.map((text) => /\d{5}/.test(text));
const hits = found.filter((yes, i) => yes && testY.at(i, 0) === 1).length;
const rule = f1(hits / found.filter(Boolean).length, hits / Array.from(testY.data).filter(Boolean).length);
report("SMS, F1 of spam on a fifth of the messages", f1(precision!, recall!).toFixed(3), `${rule.toFixed(3)} of a rule: spam has five digits in a row`); // biome-ignore format: one line
