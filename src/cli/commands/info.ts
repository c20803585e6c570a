// npx myelin info: what runs here, whether it computes rightly, and about how fast.

import { availableParallelism, cpus, release } from "node:os";
import { Tensor } from "../../core/tensor.ts";
import { VERSION } from "../../core/version.ts";
import { loadedFrom } from "../../engine/binding.ts";
import type { EngineName } from "../../engine/select.ts";
import { engineInfo } from "../../engine/select.ts";
import { compile } from "../../functions.ts";
import type { Value } from "../../graph/graph.ts";
import { dense } from "../../layers/dense.ts";
import { type Model, sequential } from "../../models/index.ts";
import { matmul } from "../../ops/index.ts";
import "../../training/attach.ts";
import type { Command } from "../command.ts";
import { twoColumns } from "../text.ts";

/** Engines must agree on weights of the size of 1 after a few steps by as much. */
const TOLERANCE = 1e-4;

export const info: Command = {
  name: "info",
  summary: "Shows the engine, CPU level and threads, tests the engine, and measures it for a moment",
  positionals: [],
  options: {},
  examples: [
    ["info", "what runs here"],
    ["info --json", "the same for programs; exit code 1 where the self-test fails"],
  ],
  async run(given, { out }) {
    const engine = engineInfo();
    const difference = engine.name === "native" ? await selfTest() : 0;
    const speed = { matmulGflops: measureMatmul(engine.name), mlpStepsPerSecond: await measureSteps() };
    const result = {
      version: VERSION,
      engine: engine.name,
      level: engine.level,
      threads: engine.threads,
      binary: engine.name === "native" ? loadedFrom() : null,
      runtime: runtimeName(),
      platform: `${process.platform}-${process.arch} ${release()}`,
      cpu: cpus()[0]?.model.trim() ?? "unknown",
      cores: availableParallelism(),
      selfTest: { passed: difference <= TOLERANCE, difference },
      speed,
    };
    if (given.json) out.write(`${JSON.stringify(result, null, 2)}\n`);
    else {
      const native = engine.name === "native";
      const rows: [string, string][] = [
        ["myelin", result.version],
        ["engine", native ? `native, ${result.binary}` : "reference (TypeScript)"],
        ["CPU level", result.level],
        ["threads", `${result.threads} of ${result.cores} cores that this process may use`],
        ["runtime", result.runtime],
        ["platform", result.platform],
        ["CPU", result.cpu],
        ["self-test", native ? `${result.selfTest.passed ? "passed" : "FAILED"}: a training on both engines ends ${difference.toExponential(1)} apart` : "not needed"], // biome-ignore format: one line
        ["matrix product", `${speed.matmulGflops.toFixed(1)} GFLOP/s`],
        ["training", `${speed.mlpStepsPerSecond.toFixed(0)} steps/s of 784-512-256-10 on batches of 128`],
      ];
      out.write(`${twoColumns(rows).join("\n")}\n`);
    }
    if (!result.selfTest.passed) throw new Error("the self-test failed: the native engine does not compute what the reference engine does"); // biome-ignore format: one line
  },
};

function runtimeName(): string {
  const { bun, deno, node } = process.versions;
  return bun ? `Bun ${bun}` : deno ? `Deno ${deno}` : `Node.js ${node}`;
}

/** The largest difference between the weights of two engines after the same training. */
async function selfTest(): Promise<number> {
  const [a, b] = [await trained("native"), await trained("reference")];
  return Math.max(...a.map((v, i) => Math.abs(v - b[i]!)));
}

async function trained(engine: EngineName): Promise<number[]> {
  const model = mlp([12, 32, 3]);
  model.compile({ optimizer: "adam", loss: "sparseCategoricalCrossentropy", engine });
  const rows = 64;
  await model.fit(numbers([rows, 12]), classes(rows, 3), { epochs: 3, seed: 1, verbose: 0 });
  return model.getWeights().flatMap((w) => Array.from(w.data));
}

/** GFLOP/s of products of square matrices, the best of what fits into a third of a second. */
function measureMatmul(engine: string): number {
  const n = engine === "native" ? 1024 : 128;
  const [a, b] = [numbers([n, n]), numbers([n, n])];
  // Eight products in one run: copying in and out does not count much.
  const product = compile((x: Value, y: Value) => {
    let z = x;
    for (let i = 0; i < 8; i++) z = matmul(z, y);
    return z;
  });
  product.sync(a, b);
  let best = Infinity;
  for (const until = performance.now() + 350; performance.now() < until; ) {
    const from = performance.now();
    product.sync(a, b);
    best = Math.min(best, performance.now() - from);
  }
  return (8 * 2 * n ** 3) / best / 1e6;
}

async function measureSteps(): Promise<number> {
  const model = mlp([784, 512, 256, 10]);
  model.compile({ optimizer: "adam", loss: "sparseCategoricalCrossentropy" });
  const steps = engineInfo().name === "native" ? 60 : 2;
  const rows = 128 * steps;
  const [x, y] = [numbers([rows, 784]), classes(rows, 10)];
  const options = { batchSize: 128, verbose: 0, shuffle: false } as const;
  await model.fit(x, y, options);
  const from = performance.now();
  await model.fit(x, y, options);
  return (1000 * steps) / (performance.now() - from);
}

function mlp([inputs, ...units]: number[]): Model {
  const last = units.length - 1;
  return sequential(
    units.map((n, i) =>
      dense({
        units: n,
        activation: i === last ? "softmax" : "relu",
        ...(i === 0 && { inputShape: [inputs!] }),
      }),
    ),
    { seed: 1 },
  );
}

/** Like random numbers from -1 to 1, the same each time. */
function numbers(shape: readonly number[]): Tensor {
  const size = shape.reduce((a, b) => a * b, 1);
  return new Tensor(
    Float32Array.from({ length: size }, (_, i) => Math.sin(i * 12.9898)),
    shape,
    "float32",
  );
}

function classes(rows: number, count: number): Tensor {
  return new Tensor(
    Int32Array.from({ length: rows }, (_, i) => (i * 7 + (i >> 3)) % count),
    [rows],
    "int32",
  );
}
