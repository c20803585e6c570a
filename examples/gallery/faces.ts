// Faces: whose picture is this? A convolutional network knows forty people after five pictures of each (Olivetti).

import { compile, layers, ops, sequential, utils, type Value } from "myelin";
import { readIdx } from "myelin/idx";
import { dataFile, percent, report, SEED } from "./data.ts";

const PEOPLE = 40;

const pixels = await readIdx(dataFile("olivetti-faces/faces-images-idx3-ubyte.gz"));
const people = await readIdx(dataFile("olivetti-faces/faces-labels-idx1-ubyte.gz"));
const pictures = pixels.reshape([-1, 64, 64, 1]);

// Five of each person's ten pictures to learn from, five to be asked about.
const half = { testSize: 0.5, seed: SEED, stratify: people.data };
const [trainX, testX, trainY, testY] = utils.trainTestSplit([pictures, people], half);

const conv = (filters: number) => [
  layers.conv2d({ filters, kernelSize: 3, padding: "same", activation: "relu" }),
  layers.batchNormalization({ momentum: 0.9 }),
  layers.maxPooling2d({ poolSize: 2 }),
];
const model = sequential(
  [
    layers.inputLayer({ shape: [64, 64, 1], dtype: "uint8" }),
    layers.rescaling({ scale: 1 / 255, offset: -0.5 }),
    layers.averagePooling2d({ poolSize: 2 }),
    // Two hundred pictures are few: in training each is moved, turned and mirrored anew every time.
    layers.randomFlip({ mode: "horizontal" }),
    layers.randomTranslation({ heightFactor: 0.08, widthFactor: 0.08, fillMode: "nearest" }),
    layers.randomRotation({ factor: 0.03, fillMode: "nearest" }),
    ...conv(32),
    ...conv(64),
    ...conv(64),
    layers.flatten(),
    layers.dropout({ rate: 0.5 }),
    layers.dense({ units: 128 }),
    layers.batchNormalization({ momentum: 0.9 }),
    layers.dropout({ rate: 0.3 }),
    layers.dense({ units: PEOPLE, activation: "softmax" }),
  ],
  { seed: SEED },
);
model.compile({ optimizer: "adam", loss: "sparseCategoricalCrossentropy", metrics: ["accuracy"] });
await model.fit(trainX, trainY, { epochs: 200, batchSize: 40, seed: SEED, verbose: 0 });
const { accuracy } = await model.evaluate(testX, testY, { verbose: 0 });

// To compare with: the person of the most similar picture, pixel by pixel.
const nearest = compile((asked: Value, known: Value) => {
  const [a, b] = [asked, known].map((x) => ops.reshape(ops.divide(x, 255), [x.shape[0]!, 64 * 64])) as [
    Value,
    Value,
  ];
  const squares = ops.sum(ops.square(b), { axis: 1 });
  const products = ops.matmul(a, b, { transposeB: true });
  return ops.argmin(ops.subtract(squares, ops.multiply(products, 2)));
});
const found = await nearest(testX, trainX);
const right = found.data.filter((row, i) => trainY.at(row) === testY.at(i)).length;

report(
  "Olivetti faces, accuracy on 200 new pictures",
  percent(accuracy),
  `${percent(right / testY.size)} of the nearest picture, 93 to 97 % of principal components and an SVM`,
);
