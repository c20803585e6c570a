// Drug discovery: does a molecule pass the blood-brain barrier (BBBP), how well does it dissolve (ESOL)? From the text of
// its formula alone (SMILES): pieces of one to five symbols, hashed into a vector, with a few counts.

import { layers, MetricState, metrics, sequential, type Tensor, tensor, utils } from "myelin";
import { readCsv } from "myelin/csv";
import { dataFile, report, SEED } from "./data.ts";

const PLACES = 2048;
const COUNTS = [/[Cc]/g, /c/g, /[NnOoSs]/g, /Cl|Br|F|I/g, /\d/g, /O/g, /=/g, /\(/g];

/** Pieces of the formula: symbols are atoms, bonds, brackets and ring numbers. */
function fingerprint(smiles: string, longest: number): Float32Array {
  const symbols = smiles.match(/Cl|Br|\[[^\]]*\]|%\d\d|./g)!;
  const vector = new Float32Array(PLACES + COUNTS.length + 1);
  for (let n = 1; n <= longest; n++)
    for (let i = 0; i + n <= symbols.length; i++) {
      let hash = 2166136261;
      for (const c of symbols.slice(i, i + n).join(" "))
        hash = Math.imul(hash ^ c.charCodeAt(0), 16777619) >>> 0;
      vector[(hash ^ (hash >>> 15)) & (PLACES - 1)]!++;
    }
  const logs = vector.map(Math.log1p);
  logs.set(
    [symbols.length, ...COUNTS.map((kind) => (smiles.match(kind) ?? []).length)].map((n) => n / 10),
    PLACES,
  );
  return logs;
}

function stack(smiles: readonly string[], longest: number): Tensor {
  const rows = smiles.map((s) => fingerprint(s, longest));
  const out = new Float32Array(rows.length * rows[0]!.length);
  rows.forEach((row, i) => {
    out.set(row, i * row.length);
  });
  return tensor(out, [rows.length, rows[0]!.length]);
}

/** Trains on four fifths of the molecules; predictions and truth for the rest. */
async function study(smiles: readonly string[], y: Tensor, kind: "class" | "amount") {
  const split = utils.trainTestSplit([smiles, y], { testSize: 0.2, seed: SEED });
  const [train, test, trainY, testY] = split as [string[], string[], Tensor, Tensor];
  const longest = kind === "class" ? 5 : 3;
  // Amounts are learnt as distances from their mean, in units of two.
  const mean = kind === "class" ? 0 : Array.from(trainY.data).reduce((a, b) => a + b, 0) / trainY.size;
  const x = stack(train, longest);
  const model = sequential(
    [
      layers.dropout({ rate: 0.2, inputShape: x.shape.slice(1) }),
      layers.dense({ units: 256, activation: "relu" }),
      layers.dropout({ rate: 0.5 }),
      layers.dense({ units: 64, activation: "relu" }),
      layers.dropout({ rate: 0.3 }),
      ...(kind === "class"
        ? [layers.dense({ units: 1, activation: "sigmoid" })]
        : [layers.dense({ units: 1 }), layers.rescaling({ scale: 2, offset: mean })]),
    ],
    { seed: SEED },
  );
  model.compile({ optimizer: "adam", loss: kind === "class" ? "binaryCrossentropy" : "meanSquaredError" });
  await model.fit(x, trainY, { epochs: kind === "class" ? 25 : 80, batchSize: 32, seed: SEED, verbose: 0 });
  return { guess: await model.predict(stack(test, longest)), truth: testY, trainY };
}

function score(metric: ConstructorParameters<typeof MetricState>[0], truth: Tensor, guess: Tensor): number {
  const state = new MetricState(metric);
  state.updateState(truth, guess);
  return state.result();
}

const bbbp = await readCsv(dataFile("moleculenet/BBBP.csv"));
const passes = await study(bbbp.strings("smiles"), bbbp.toTensor(["BBBP"]), "class");
const auc = score(metrics.auc({ numThresholds: 2000 }), passes.truth, passes.guess);
report("BBBP, ROC AUC on a fifth of the molecules", auc.toFixed(3), "0.5 of guessing; random split, seed 1");

const esol = await readCsv(dataFile("moleculenet/delaney-processed.csv"));
const solved = await study(esol.strings("smiles"), esol.toTensor(["measured log solubility in mols per litre"]), "amount"); // biome-ignore format: one line
const rmse = score("rootMeanSquaredError", solved.truth, solved.guess);
report("ESOL, error in log mol/l on a fifth of the molecules", rmse.toFixed(2), "1.07 of a random forest (MoleculeNet), 2.1 of the mean"); // biome-ignore format: one line
