// Other libraries as child processes that speak one line protocol, so that all are driven the same way, alternating in
// one run: we write {"workload", "seconds"}, the child trains for about that long and answers {"steps", "seconds"}.

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface Window {
  readonly steps: number;
  readonly seconds: number;
}

/** Something that can run training steps of a workload for a while. */
export interface Peer {
  readonly name: string;
  readonly threads: number;
  window(workload: string, seconds: number): Promise<Window>;
  close(): void;
}

class ChildPeer implements Peer {
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly lines: AsyncIterator<string>;
  private errors = "";

  constructor(
    readonly name: string,
    readonly threads: number,
    command: string,
    args: readonly string[],
    cwd?: string,
  ) {
    this.child = spawn(command, args, { cwd, env: { ...process.env, OMP_NUM_THREADS: String(threads) } });
    this.child.stderr.on("data", (chunk) => {
      this.errors += chunk;
    });
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  async window(workload: string, seconds: number): Promise<Window> {
    this.child.stdin.write(`${JSON.stringify({ workload, seconds })}\n`);
    for (;;) {
      const { value, done } = await this.lines.next();
      if (done) throw new Error(`${this.name} ended: ${this.errors.slice(-2000)}`);
      if (value.startsWith("{")) return JSON.parse(value) as Window;
    }
  }

  close(): void {
    this.child.stdin.end();
    this.child.kill();
  }
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

/** PyTorch, where MYELIN_TORCH_PYTHON names a Python that has it. */
export function torchPeer(threads: number): Peer | undefined {
  const python = process.env.MYELIN_TORCH_PYTHON;
  return python
    ? new ChildPeer("torch", threads, python, ["-u", here("torch/steps.py"), String(threads)])
    : undefined;
}

/** tfjs backends, once `npm run bench -- install-peers` has put them into bench/compare/node_modules. */
export function tfjsPeer(backend: "cpu" | "wasm"): Peer | undefined {
  if (!existsSync(here("compare/node_modules/@tensorflow/tfjs"))) return undefined;
  return new ChildPeer(
    `tfjs-${backend}`,
    1,
    process.execPath,
    [here("compare/tfjs.mjs"), backend],
    here("compare"),
  );
}
