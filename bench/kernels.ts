// npm run bench -- kernels matmul|elementwise|reduce [--json] [--level=avx2] [--threads=1] [--trans=nn]
// The native micro-benchmarks of native/bench, built through cmake-js and run as they are: each measures the machine's own
// limit (multiply-add peak, copy bandwidth) in turns with the kernels and prints the share reached.

import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArguments } from "./measure.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** One line of matmul_bench --json. Figures are GFLOP/s; `peak` is that of all its threads together. */
interface MatmulLine {
  level: string;
  threads: number;
  m: number;
  n: number;
  k: number;
  transA: boolean;
  transB: boolean;
  gflops: number;
  median: number;
  peak: number;
}

function asFigures(line: string): string {
  const r = JSON.parse(line) as MatmulLine;
  const workload = `matmul ${r.m}x${r.n}x${r.k} ${r.transA ? "t" : "n"}${r.transB ? "t" : "n"}`;
  const shared = {
    peer: `myelin ${r.level}`,
    workload,
    threads: r.threads,
    spread: (r.gflops - r.median) / r.median,
  };
  const figure = (metric: string, value: number, unit: string) =>
    JSON.stringify({ ...shared, metric, value, unit });
  return `${figure("throughput", r.gflops, "GFLOP/s")}\n${figure("share", (100 * r.gflops) / r.peak, "% of peak")}`;
}

export function kernels(words: readonly string[]): void {
  const { names, flags } = parseArguments(words);
  const [family = "matmul"] = names;
  const name = `${family}_bench`;
  if (!existsSync(`${root}native/bench/${name}.cc`)) {
    throw new Error(`bench kernels: no native/bench/${name}.cc; known: matmul, elementwise, reduce, norm`);
  }
  const json = flags.has("json");
  const build = spawnSync(process.execPath, ["scripts/test-native.mjs", `--target=${name}`, "--no-run"], {
    cwd: root,
    stdio: ["ignore", json ? "ignore" : "inherit", "inherit"],
  });
  const program = `${root}build/native/${name}`;
  if (build.status !== 0 || !existsSync(program))
    throw new Error("bench kernels: building needs cmake and a C++20 compiler");
  const options = [...flags].flatMap(([flag, value]) => (value ? [`--${flag}`, value] : [`--${flag}`]));
  const run = spawnSync(program, options, {
    stdio: ["ignore", json ? "pipe" : "inherit", "inherit"],
    encoding: "utf8",
  });
  if (json)
    for (const line of run.stdout.trim().split("\n"))
      console.log(family === "matmul" ? asFigures(line) : line);
  process.exitCode = run.status ?? 1;
}
