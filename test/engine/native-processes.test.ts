// The addon in processes of their own: worker threads that are ended in the middle of runs, memory over 100,000 runs,
// and a process that ends by itself when its runs have ended, and not before.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { loadBinding } from "../../src/engine/binding.ts";

const scripts = new URL("./scripts/", import.meta.url);

function available(): boolean {
  try {
    loadBinding();
    return true;
  } catch {
    return false;
  }
}

function run(script: string, ...flags: string[]): { status: number | null; output: string } {
  const path = fileURLToPath(new URL(script, scripts));
  const args = ["--import", "tsx", ...flags, path];
  const done = spawnSync(process.execPath, args, { encoding: "utf8", timeout: 55_000 });
  return { status: done.status, output: `${done.stdout}${done.stderr}` };
}

describe.skipIf(!available())("native engine in processes", () => {
  it("serves eight workers at once, and survives their end in the middle of runs", () => {
    const { status, output } = run("workers.mts");
    expect(output).toMatch(/rounds 6, workers 48\n$/);
    expect(status).toBe(0);
  });

  // A sanitizer keeps what is freed for a while.
  it.skipIf(/san\.so/.test(process.env.LD_PRELOAD ?? ""))(
    "holds no more memory after 100,000 runs, nor after 20,000 buffers that nobody disposed of",
    () => {
      const { status, output } = run("memory.mts", "--expose-gc", "--max-semi-space-size=1");
      expect(status, output).toBe(0);
      const { runs, grown, left } = JSON.parse(output.trim().split("\n").at(-1)!);
      expect(runs).toBe(100_000);
      expect(grown).toBeLessThan(4); // MB; a leak of 100 bytes a run would be 10
      expect(left).toBeLessThan(1000); // buffers, of 20,000
    },
  );

  it("keeps the process alive while something runs, and no longer", () => {
    const { status, output } = run("alive.mts");
    expect(output).toBe("done 300\n");
    expect(status).toBe(0);
  });

  it("ends with process.exit in the middle of runs", () => {
    const { status, output } = run("exit.mts");
    expect(output).toBe("leaving\n");
    expect(status).toBe(7);
  });
});
