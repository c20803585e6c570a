import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { loadModel, Table } from "../../src/index.ts";
import { isTabular, loadTabular, type TabularTraining, trainTabular } from "../../src/tabular/index.ts";
import { scoreClasses, scoreNumbers } from "../../src/tabular/scores.ts";
import { rejected, thrown } from "../helpers/thrown.ts";

/** Deterministic noise in [0, 1). */
const noise = (i: number, salt: number) => Math.abs(Math.sin(i * 12.9898 + salt * 78.233) * 43758.5453) % 1;

const WORDS = ["red", "green", "blue", "sour", "sweet", "ripe"];

/** Whether fruit is liked: by weight, colour and a word of its note; the rest says nothing. */
function fruit(rows = 400): Table {
  const index = Array.from({ length: rows }, (_, i) => i);
  const weight = index.map((i) => (noise(i, 1) < 0.1 ? null : 50 + 100 * noise(i, 2)));
  const colour = index.map((i) => ["red", "green", ""][Math.floor(noise(i, 3) * 3)]!);
  const isRipe = index.map((i) => noise(i, 4) < 0.5);
  const note = index.map((i) => `fruit ${WORDS[i % 5]} number${i} ${isRipe[i] ? "ripe" : "hard"} thing`);
  const liked = index.map((i) => (isRipe[i] !== (colour[i] === "green") ? "yes" : "no"));
  return Table.fromColumns({
    id: Int32Array.from(index),
    weight,
    colour,
    note,
    price: Float64Array.from(index, (i) => Math.exp(8 * noise(i, 5))),
    picked: index.map((i) => new Date(Date.UTC(2026, i % 12, 1 + (i % 28))).toISOString().slice(0, 10)),
    organic: index.map((i) => noise(i, 6) < 0.5),
    country: index.map(() => "Chile"),
    code: index.map((i) => `x${noise(i, 7)}`),
    liked,
  });
}

let folder: string;
let training: TabularTraining;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "myelin-tabular-"));
  training = await trainTabular(fruit(), { target: "liked", seed: 1, verbose: 0, epochs: 40 });
});
afterAll(() => rm(folder, { recursive: true }));

describe("trainTabular", () => {
  it("finds out what columns are", () => {
    const { columns, leftOut } = training.tabular;
    expect(Object.fromEntries(columns.map((c) => [c.name, c.kind]))).toEqual({
      weight: "number",
      colour: "category",
      note: "text",
      price: "number",
      picked: "date",
      organic: "category",
    });
    expect(columns.find((c) => c.name === "weight")).toMatchObject({
      hasMissing: true,
      isLogarithmic: false,
    });
    expect(columns.find((c) => c.name === "price")).toMatchObject({ hasMissing: false, isLogarithmic: true });
    expect(Object.fromEntries(leftOut.map((l) => [l.name, l.reason]))).toEqual({
      id: "it numbers the rows",
      country: "it is the same in every row",
      code: "nearly every row has a text of its own",
    });
  });

  it("learns what decides", async () => {
    const { scores, tabular, validation, history, bestEpoch } = training;
    expect(scores).toMatchObject({ task: "classification", rows: 80 });
    expect(scores.task === "classification" && scores.accuracy).toBeGreaterThan(0.95);
    expect(history.valLoss![bestEpoch]).toBe(Math.min(...history.valLoss!));
    const importance = await tabular.importance(validation, { seed: 1 });
    expect(
      importance
        .slice(0, 2)
        .map((i) => i.column)
        .sort(),
    ).toEqual(["colour", "note"]);
    expect(importance[0]!.loss).toBeGreaterThan(0.2);
    expect(importance.at(-1)!.loss).toBeLessThan(0.03);
  });

  it("gives the same model for the same seed", async () => {
    const again = await trainTabular(fruit(), { target: "liked", seed: 1, verbose: 0, epochs: 40 });
    expect(again.history).toEqual(training.history);
    expect(again.scores).toEqual(training.scores);
  });

  it("learns numbers, in their own units", async () => {
    const table = Table.fromColumns({
      size: Float64Array.from({ length: 600 }, (_, i) => 10 * noise(i, 8)),
      kind: Array.from({ length: 600 }, (_, i) => (i % 3 === 0 ? "a" : "b")),
      cost: Float64Array.from({ length: 600 }, (_, i) => 5000 + 1000 * noise(i, 8) + (i % 3 === 0 ? 500 : 0)),
    });
    const { tabular, scores } = await trainTabular(table, { target: "cost", verbose: 0 });
    expect(scores.task === "regression" && scores.r2).toBeGreaterThan(0.98);
    const [row] = [...(await tabular.predict([{ size: 5, kind: "a" }]))];
    expect(Math.abs((row!.cost as number) - 6000)).toBeLessThan(60);
  });

  it("learns magnitudes by their logarithm", async () => {
    const values = Float64Array.from({ length: 300 }, (_, i) => Math.exp(9 * noise(i, 9)));
    const size = Float64Array.from({ length: 300 }, (_, i) => noise(i, 9));
    const { tabular } = await trainTabular(Table.fromColumns({ size, values }), {
      target: "values",
      verbose: 0,
    });
    expect(tabular.target).toMatchObject({ task: "regression", isLogarithmic: true });
    const [row] = [...(await tabular.predict([{ size: 0.5 }]))];
    expect(Math.abs(Math.log(row!.values as number) - 4.5)).toBeLessThan(0.3);
  });

  it("leaves out rows without a target", async () => {
    const table = fruit(200).withColumn("liked", (row, i) => (i < 20 ? "" : row.liked!));
    const { droppedRows, train, validation } = await trainTabular(table, { target: "liked", verbose: 0, epochs: 1 }); // biome-ignore format: one line
    expect([droppedRows, train.numRows + validation.numRows]).toEqual([20, 180]);
  });

  it("lets kinds, features and columns to ignore be told", async () => {
    const options = { target: "liked", verbose: 0, epochs: 1 } as const;
    const { tabular } = await trainTabular(fruit(), {
      ...options,
      features: ["organic", "colour", "weight"],
      ignore: ["weight"],
      kinds: { organic: "number" },
    });
    expect(tabular.columns.map((c) => [c.name, c.kind])).toEqual([
      ["organic", "number"],
      ["colour", "category"],
    ]);
  });

  it.each([
    [{ target: "likd" }, "INVALID_OPTION", /did you mean "liked"/],
    [{ target: "liked", epoch: 3 }, "INVALID_OPTION", /epochs/],
    [
      { target: "liked", kinds: { colour: "number" } },
      "DTYPE_MISMATCH",
      /expected numbers for kind "number"/,
    ],
    [{ target: "liked", kinds: { colour: "colour" } }, "INVALID_OPTION", /kind/],
    [{ target: "liked", kinds: { note: "date" } }, "INVALID_DATA", /row 1: expected a date/],
    [{ target: "liked", task: "regression" }, "INVALID_DATA", /expected numbers for a regression/],
    [{ target: "country" }, "INVALID_DATA", /at least two values/],
    [{ target: "code" }, "INVALID_DATA", /labels that many rows share/],
    [{ target: "liked", features: ["id", "country"] }, "INVALID_DATA", /expected a column to learn from/],
    [{ target: "liked", validationSplit: 1 }, "INVALID_OPTION", /validationSplit/],
  ] as const)("refuses %j", async (options, code, message) => {
    const error = await rejected(trainTabular(fruit(), { verbose: 0, ...options } as never));
    expect(error).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it("wants rows enough", async () => {
    expect(await rejected(trainTabular(fruit(12), { target: "liked" }))).toMatchObject({
      code: "INVALID_DATA",
    });
  });
});

describe("TabularModel", () => {
  it("predicts labels with their probabilities", async () => {
    const { tabular, validation } = training;
    const table = await tabular.predict(validation, { probabilities: true });
    expect(table.names).toEqual(["liked", "liked=no", "liked=yes"]);
    const sums = [...table].map((row) => (row["liked=no"] as number) + (row["liked=yes"] as number));
    for (const sum of sums) expect(sum).toBeCloseTo(1, 5);
    expect((await tabular.predict(validation)).names).toEqual(["liked", "probability"]);
  });

  it("takes gaps and what it has never seen", async () => {
    const rows = [
      { weight: null, colour: null, note: null, price: null, picked: null, organic: null },
      {
        weight: 1e9,
        colour: "mauve",
        note: "unheard of words",
        price: -5,
        picked: "1900-01-01",
        organic: true,
      },
    ];
    const y = training.tabular.encode(rows);
    expect(Array.from(y.data).every(Number.isFinite)).toBe(true);
    expect((await training.tabular.predict(rows)).numRows).toBe(2);
  });

  it("says which columns are missing or wrong", () => {
    const row = { weight: 1, colour: "red", note: "n", price: 2, picked: "2026-01-01", organic: true };
    const { colour: _, ...without } = row;
    expect(thrown(() => training.tabular.encode([without]))).toMatchObject({
      code: "INVALID_DATA",
      message: expect.stringMatching(/none of "colour"/),
    });
    expect(thrown(() => training.tabular.encode([{ ...row, weight: "much" }]))).toMatchObject({
      message: 'column "weight": expected numbers, got text such as "much"',
    });
    expect(thrown(() => training.tabular.encode([{ ...row, picked: "soon" }]))).toMatchObject({
      message: expect.stringMatching(/"picked", row 1: expected a date/),
    });
    expect(thrown(() => training.tabular.encode([]))).toMatchObject({ code: "INVALID_DATA" });
  });

  it("is the same model after saving and loading", async () => {
    const path = join(folder, "fruit.myelin");
    await training.tabular.save(path);
    const again = await loadTabular(path);
    expect([...(await again.predict(training.validation))]).toEqual([
      ...(await training.tabular.predict(training.validation)),
    ]);
    expect(await again.evaluate(training.validation)).toEqual(training.scores);
    expect(again.leftOut).toEqual(training.tabular.leftOut);
    expect(again.types).toEqual({ weight: "number", colour: "string", note: "string", price: "number", picked: "string" }); // biome-ignore format: one line
    expect(isTabular(await loadModel(path))).toBe(true);
  });

  it.each([
    ["version", 99],
    ["version", undefined],
    ["target", { task: "classification", name: "liked", labels: ["yes"] }],
    ["target", { task: "classification", name: "liked", labels: ["a", "b", "c"] }],
    ["target", null],
    ["columns", []],
    ["columns", [{ name: "weight", kind: "telepathy" }]],
    ["columns", [{ name: "weight", kind: "number", cells: "number", hasMissing: false, fill: "x" }]],
    ["known", 7],
    ["known", {}],
  ])("refuses a file whose %s is %j", async (key, value) => {
    const path = join(folder, `wrong-${key}.myelin`);
    await training.tabular.save(path);
    const file = join(path, "model.json");
    const json = JSON.parse(await readFile(file, "utf8"));
    json.metadata.tabular[key] = value;
    await writeFile(file, JSON.stringify(json));
    expect(await rejected(loadTabular(path))).toMatchObject({ name: "MyelinError", code: "INVALID_FILE" });
  });
});

describe("scores", () => {
  it("of classes", () => {
    const p = [0.9, 0.1, 0.2, 0.8, 0.6, 0.4, 0.7, 0.3];
    const s = scoreClasses(["a", "b"], Int32Array.of(0, 1, 1, 0), p);
    expect(s).toMatchObject({ accuracy: 0.75, baseline: 0.5, auc: 1, confusion: [[2, 0], [1, 1]] }); // biome-ignore format: a matrix
    expect(s.labels[0]).toMatchObject({ precision: 2 / 3, recall: 1 });
    expect(s.labels[1]).toMatchObject({ precision: 1, recall: 0.5 });
    expect(s.crossentropy).toBeCloseTo(
      -(Math.log(0.9) + Math.log(0.8) + Math.log(0.4) + Math.log(0.7)) / 4,
      12,
    );
    // Equal scores count half.
    expect(scoreClasses(["a", "b"], Int32Array.of(0, 1), [0.5, 0.5, 0.5, 0.5]).auc).toBe(0.5);
    expect(scoreClasses(["a", "b", "c"], Int32Array.of(0, 1, 2), new Float32Array(9)).auc).toBeUndefined();
  });

  it("of numbers", () => {
    const s = scoreNumbers([1, 2, 3, 4], [1, 2, 3, 6]);
    expect(s).toMatchObject({ rootMeanSquaredError: 1, meanAbsoluteError: 0.5, baseline: Math.sqrt(1.25) });
    expect(s.r2).toBeCloseTo(1 - 1 / 1.25, 12);
  });
});
