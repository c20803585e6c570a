// Trains and predicts with the installed package; prints what ran it. Fails by throwing.
import { engineInfo, layers, optimizers, sequential, tensor } from "myelin";

const model = sequential([
  layers.dense({ units: 8, activation: "tanh", inputShape: [2] }),
  layers.dense({ units: 1, activation: "sigmoid" }),
]);
model.compile({ optimizer: optimizers.adam({ learningRate: 0.1 }), loss: "binaryCrossentropy" });
const x = tensor([0, 0, 0, 1, 1, 0, 1, 1], [4, 2]);
const { history } = await model.fit(x, tensor([0, 1, 1, 0], [4, 1]), { epochs: 200, seed: 1, verbose: 0 });
const answers = Array.from((await model.predict(x)).data, (v) => Math.round(v)).join("");
if (answers !== "0110") throw new Error(`expected 0110, got ${answers} at loss ${history.loss.at(-1)}`);
const { name: engine, level, threads } = engineInfo();
console.log(JSON.stringify({ engine, level, threads, runtime: process.version }));
