// npm run bench -- data [csv batches] [--rows=500000] [--json]: rows a second from CSV files, and through Datasets.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Random } from "../src/core/random.ts";
import { Dataset, Tensor } from "../src/index.ts";
import { csvDataset, readCsv } from "../src/loaders/csv.ts";
import { median, parseArguments, Report, spread } from "./measure.ts";

type Work = () => Promise<number>;

const WINDOWS = 5;

export async function data(words: readonly string[]): Promise<void> {
  const { names, flags } = parseArguments(words);
  const rows = Number(flags.get("rows") ?? 500_000);
  const report = new Report(flags.has("json"));
  const groups: Record<string, () => Promise<void>> = {
    csv: () => csv(rows, report),
    batches: () => batches(rows, report),
  };
  for (const name of names.length > 0 ? names : Object.keys(groups)) await groups[name]!();
}

/** Rows per second, over some windows. */
async function measure(report: Report, workload: string, work: Work): Promise<void> {
  const rates: number[] = [];
  for (let i = 0; i < WINDOWS; i++) {
    const begin = performance.now();
    const rows = await work();
    rates.push(rows / ((performance.now() - begin) / 1000));
  }
  report.figure({
    peer: "myelin",
    workload,
    metric: "rate",
    value: median(rates),
    unit: "rows/s",
    threads: 1,
    spread: spread(rates),
  });
}

/** Six columns: a number, two integers, text of few values, a boolean and quoted text. */
async function csv(rows: number, report: Report): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "myelin-bench-"));
  const path = join(folder, "rows.csv");
  const random = new Random(1);
  const cities = ["Oslo", "Rome", "Lima"];
  const lines = ["id,value,count,city,flag,note"];
  for (let i = 0; i < rows; i++)
    lines.push(
      `${i},${random.normal().toFixed(6)},${random.integer(100)},${cities[i % 3]},${i % 2 === 0},"x, ${i % 50}"`,
    );
  writeFileSync(path, `${lines.join("\n")}\n`);
  try {
    await measure(report, "readCsv", async () => (await readCsv(path)).numRows);
    await measure(report, "csv batches", () => count(csvDataset(path, { batchSize: 256 }), (t) => t.numRows));
    await measure(report, "csv rows", () => count(csvDataset(path), () => 1));
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** 32 numbers and a label per row. */
async function batches(rows: number, report: Report): Promise<void> {
  const x = new Tensor(new Float32Array(rows * 32), [rows, 32], "float32");
  const y = new Int32Array(rows);
  const size = (batch: unknown): number => (batch as { y: Tensor }).y.size;
  const whole = Dataset.fromTensorSlices({ x, y });
  await measure(report, "shuffled", () => count(whole.shuffle(rows, { seed: 1 }).batch(64), size));
  await measure(report, "prefetched", () => count(whole.batch(64).prefetch(2), size));
  await measure(report, "mapped", () => count(whole.map((row) => row).batch(64), size));
}

async function count<T>(dataset: Dataset<T>, sizeOf: (element: T) => number): Promise<number> {
  let total = 0;
  for await (const element of dataset) total += sizeOf(element);
  return total;
}
