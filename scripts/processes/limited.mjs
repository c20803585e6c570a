// Asks for more memory than the process may have, and says what came of it and whether it goes on.

import { layers, sequential, tensor } from "../../dist/index.js";

const units = 2 ** 18;
const model = sequential([
  layers.dense({ units, inputShape: [4] }),
  layers.reshape({ targetShape: [units, 1] }),
  layers.globalAveragePooling1d(),
]);
const rows = (count) => tensor(new Float32Array(4 * count).fill(0.5), [count, 4]);
const [before] = (await model.predict(rows(1))).data;
let code = "none";
try {
  await model.predict(rows(8192), { batchSize: 8192 });
} catch (error) {
  code = error.code;
}
const [after] = (await model.predict(rows(1))).data;
console.log(JSON.stringify({ code, same: before === after }));
