// Other libraries as child processes that speak one line protocol, so that all are driven the same way, alternating in
// one run: we write a request as one line of JSON, the child works and answers with one line.

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** What a peer did in its turn: training steps or predictions. */
export interface Window {
  readonly steps: number;
  readonly seconds: number;
  /** Peak resident memory of its process so far, where it says so. */
  readonly peakMiB?: number;
}

/** Something that can work on a workload for a while. */
export interface Peer {
  readonly name: string;
  readonly threads: number;
  /** Whether it knows the workload. */
  knows(workload: string): boolean;
  window(workload: string, seconds: number): Promise<Window>;
  close(): void;
}

export class ChildPeer implements Peer {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly lines: AsyncIterator<string>;
  private errors = "";

  constructor(
    readonly name: string,
    readonly threads: number,
    command: string,
    args: readonly string[],
    private readonly workloads?: readonly string[],
    env: Readonly<Record<string, string>> = { OMP_NUM_THREADS: String(threads) },
  ) {
    this.child = spawn(command, args, { env: { ...process.env, ...env } });
    this.child.stderr.on("data", (chunk) => {
      this.errors += chunk;
    });
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  knows(workload: string): boolean {
    return this.workloads?.includes(workload) ?? true;
  }

  /** Sends one request and waits for its answer; lines that are not JSON objects are the library's own chatter. */
  async ask<Answer>(request: object): Promise<Answer> {
    this.child.stdin.write(`${JSON.stringify(request)}\n`);
    for (;;) {
      const { value, done } = await this.lines.next();
      if (done) throw new Error(`${this.name} ended: ${this.errors.slice(-2000)}`);
      if (value.startsWith("{")) return JSON.parse(value) as Answer;
    }
  }

  window(workload: string, seconds: number): Promise<Window> {
    return this.ask({ workload, seconds });
  }

  close(): void {
    this.child.stdin.end();
    this.child.kill();
  }
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** The Python that has PyTorch, if one was named. */
export const torchPython = process.env.MYELIN_TORCH_PYTHON;

/** PyTorch, where MYELIN_TORCH_PYTHON names a Python that has it. */
export function torchPeer(threads: number): ChildPeer | undefined {
  if (!torchPython) return undefined;
  return new ChildPeer("torch", threads, torchPython, ["-u", here("torch/steps.py"), String(threads)]);
}

/** A program of bench/compare, once `npm run bench -- install-peers` has put its package into node_modules there. */
function comparePeer(
  name: string,
  threads: number,
  needs: string,
  program: string,
  args: readonly string[] = [],
  workloads?: readonly string[],
): ChildPeer | undefined {
  if (!existsSync(here(`compare/node_modules/${needs}`))) return undefined;
  return new ChildPeer(name, threads, process.execPath, [here(`compare/${program}`), ...args], workloads);
}

export function tfjsPeer(backend: "cpu" | "wasm"): ChildPeer | undefined {
  const known = ["mlp", "autoencoder", "xor"];
  return comparePeer(`tfjs-${backend}`, 1, "@tensorflow/tfjs", "tfjs.mjs", [backend], known);
}

export function brainPeer(): ChildPeer | undefined {
  return comparePeer("brain.js", 1, "brain.js", "brain.mjs", [], ["xor"]);
}

export function onnxruntimePeer(threads: number): ChildPeer | undefined {
  return comparePeer("onnxruntime", threads, "onnxruntime-node", "onnxruntime.mjs", [String(threads)]);
}
