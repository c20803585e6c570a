// A training that is killed at any moment and run again ends with the bits of one that never was.

import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { tensor } from "../../src/core/tensor.ts";
import { callbacks, layers, type Model, optimizers, sequential } from "../../src/index.ts";
import { rejected, thrown } from "../helpers/thrown.ts";

const folder = () => mkdtempSync(join(tmpdir(), "callbacks-"));
const x = tensor(Float32Array.from({ length: 24 }, (_, i) => Math.sin(i)), [8, 3]); // biome-ignore format: one line
const y = tensor(Float32Array.from({ length: 8 }, (_, i) => Math.cos(i)), [8, 1]); // biome-ignore format: one line

function compiled(learningRate = 0.1, options: object = {}): Model {
  const m = sequential([layers.dense({ units: 1, inputShape: [3] })], { seed: 1 });
  m.compile({ optimizer: optimizers.sgd({ learningRate, ...options }), loss: "mse" });
  return m;
}
const fit = { batchSize: 4, verbose: 0, seed: 1, validationData: [x, y] } as const;

describe("backupAndRestore", () => {
  const script = new URL("./scripts/interrupted.ts", import.meta.url).pathname;
  const run = (dir: string, saveFreq: string, killAfter: number) =>
    spawnSync(process.execPath, ["--import", "tsx", script, dir, saveFreq, String(killAfter)], {
      encoding: "utf8",
    });
  const result = (dir: string) => readFileSync(join(dir, "result.json"), "utf8");

  it("goes on after kills in the middle of epochs to the same bits", () => {
    const whole = folder();
    expect(run(whole, "epoch", -1).status).toBe(0);
    // 6 batches an epoch: in the first, on a border, after a save, twice.
    for (const [saveFreq, kills] of [
      ["1", [4]],
      ["2", [9, 7]],
      ["epoch", [13]],
      ["5", [6]],
    ] as const) {
      // biome-ignore format: one line
      const dir = folder();
      for (const after of kills) expect(run(dir, saveFreq, after).signal).toBe("SIGKILL");
      const last = run(dir, saveFreq, -1);
      expect(last.stderr).toBe("");
      expect(result(dir), `${saveFreq}, killed after ${kills}`).toBe(result(whole));
    }
  }, 120_000);

  it("refuses the backup of another model, and removes its own when all is done", async () => {
    const dir = folder();
    await compiled().fit(x, y, { ...fit, callbacks: callbacks.backupAndRestore(dir) });
    expect(readdirSync(dir)).toEqual([]);
    await compiled().fit(x, y, {
      ...fit,
      callbacks: callbacks.backupAndRestore(dir, { deleteCheckpoint: false }),
    });
    const other = sequential([layers.dense({ units: 1, inputShape: [3], name: "other" })]);
    other.compile({ optimizer: "adam", loss: "mse" });
    const error = await rejected(other.fit(x, y, { ...fit, callbacks: callbacks.backupAndRestore(dir) }));
    expect(error.message).toMatch(/backup of this model and optimizer, got one without weights\/other/);
  });

  it("refuses wrong options", () => {
    const c = callbacks;
    expect(thrown(() => c.backupAndRestore("", {})).message).toContain("expected backupDir to be a string");
    expect(thrown(() => c.backupAndRestore("a", { saveFreq: 0 })).message).toContain('saveFreq to be "epoch" or a number of batches, got 0'); // biome-ignore format: one line
    expect(thrown(() => c.backupAndRestore("a", { saveFreqs: 0 } as never)).message).toContain("saveFreq");
  });
});
