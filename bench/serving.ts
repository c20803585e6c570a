// npm run bench -- serving [mlp cnn] [--json] [--windows=3] [--seconds=5] [--connections=32] [--fit]
// Requests a second and latency of the server of examples/serve with one row per request (raw float32): each call for itself,
// merged by model.batcher, and onnxruntime-node in the same server. autocannon loads them in turns; server and load share
// the machine's cores. --fit trains another model in the server meanwhile.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import type { Model } from "../src/index.ts";
import { machine, median, parseArguments, Report, spread } from "./measure.ts";
import { torchPython } from "./peers.ts";
import { exchangePath, exportOnnx } from "./weights.ts";
import { mlpModel } from "./workloads/dense.ts";
import { cnnModel } from "./workloads/vision.ts";
import { uniform } from "./workloads/workload.ts";

const MODELS: Record<string, () => Model> = { mlp: mlpModel, cnn: () => cnnModel() };
const BACKENDS = ["batcher", "predict", "onnxruntime"] as const;

interface Load {
  readonly requests: { readonly average: number };
  readonly latency: { readonly p50: number; readonly p99: number };
  readonly errors: number;
  readonly non2xx: number;
}

interface Server {
  readonly url: string;
  stop(): void;
}

async function start(backend: string, network: string, path: string, fit: boolean): Promise<Server> {
  const script = fileURLToPath(new URL("serving/server.ts", import.meta.url));
  const args = ["--import", "tsx", script, backend, network, path, fit ? "fit" : ""];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const [url] = (await once(createInterface({ input: child.stdout }), "line")) as [string];
  return { url, stop: () => void child.kill() };
}

async function exported(network: string): Promise<{ saved: string; onnx: string | undefined }> {
  const model = MODELS[network]!();
  const saved = await exchangePath(`${network}.myelin`);
  await model.save(saved);
  if (!torchPython || !existsSync(new URL("compare/node_modules/onnxruntime-node", import.meta.url))) {
    return { saved, onnx: undefined };
  }
  return { saved, onnx: await exportOnnx(network, network, model) };
}

export async function serving(words: readonly string[]): Promise<void> {
  const { names, flags } = parseArguments(words);
  const [windows, duration] = [Number(flags.get("windows") ?? 3), Number(flags.get("seconds") ?? 5)];
  const connections = Number(flags.get("connections") ?? 32);
  const fit = flags.has("fit");
  const report = new Report(flags.has("json"));
  const autocannon = createRequire(new URL("compare/package.json", import.meta.url))("autocannon") as (
    options: object,
  ) => Promise<Load>;
  report.note(
    `${machine()}; ${connections} connections, ${windows} windows of ${duration} s${fit ? ", a fit beside" : ""}`,
  );

  for (const network of names.length > 0 ? names : Object.keys(MODELS)) {
    const { saved, onnx } = await exported(network);
    const body = Buffer.from((uniform(1, 784).data as Float32Array).buffer);
    const servers: { backend: string; server: Server; loads: Load[]; delays: number[] }[] = [];
    for (const backend of BACKENDS) {
      const path = backend === "onnxruntime" ? onnx : saved;
      if (path === undefined) report.note("  onnxruntime: left out; see bench/predict.ts");
      else servers.push({ backend, server: await start(backend, network, path, fit), loads: [], delays: [] });
    }
    try {
      for (let window = -1; window < windows; window++) {
        for (const { server, loads, delays } of servers) {
          // Only the loaded server trains: the others wait.
          await fetch(`${server.url}/resume`, { method: "POST" });
          const request = { method: "POST", headers: { "content-type": "application/octet-stream" }, body };
          const load = await autocannon({
            url: `${server.url}/predict/raw`,
            connections,
            duration,
            ...request,
          });
          if (load.errors + load.non2xx > 0) throw new Error(`${load.errors + load.non2xx} requests failed`);
          const metrics = await (await fetch(`${server.url}/metrics`)).text();
          await fetch(`${server.url}/pause`, { method: "POST" });
          if (window < 0) continue;
          loads.push(load);
          delays.push(Number(/event_loop_delay_p99_ms (\S+)/.exec(metrics)![1]));
        }
      }
      const figure = (peer: string, metric: string, unit: string, values: number[]) =>
        report.figure({
          peer,
          workload: `${network} ${metric}`,
          metric,
          value: median(values),
          unit,
          threads: 2,
          spread: spread(values),
        });
      for (const { backend, loads, delays } of servers) {
        figure(
          backend,
          "throughput",
          "requests/s",
          loads.map((l) => l.requests.average),
        );
        figure(
          backend,
          "p50",
          "ms",
          loads.map((l) => l.latency.p50),
        );
        figure(
          backend,
          "p99",
          "ms",
          loads.map((l) => l.latency.p99),
        );
        figure(backend, "event loop p99", "ms", delays);
      }
      const rate = (of: string) =>
        median(servers.find((s) => s.backend === of)?.loads.map((l) => l.requests.average) ?? []);
      for (const { backend } of servers.slice(1)) {
        report.ratio({
          workload: network,
          metric: "ratio",
          peer: backend,
          value: rate("batcher") / rate(backend),
        });
      }
    } finally {
      for (const { server } of servers) server.stop();
    }
  }
}
