// The progress line, with a stream and a clock of the test's own.

import { describe, expect, it } from "vitest";
import { ReferenceEngine } from "../../src/engine/reference.ts";
import { Progress } from "../../src/training/progress.ts";
import { spiral, spiralModel, XOR, xorModel } from "../helpers/problems.ts";

function recording(options: { isTTY?: boolean; columns?: number } = {}) {
  const writes: string[] = [];
  return { writes, stream: { ...options, write: (text: string) => writes.push(text) } };
}

/** What a terminal shows after these writes: the finished lines and the last one. */
function screen(writes: readonly string[]): string[] {
  const lines = [""];
  for (const part of writes
    .join("")
    .replaceAll("\x1b[K", "")
    .split(/(\r|\n)/)) {
    if (part === "\n") lines.push("");
    else if (part === "\r") lines[lines.length - 1] = "";
    else lines[lines.length - 1] += part;
  }
  return lines;
}

describe("the progress line", () => {
  it("shows epoch, bar, step, time, ETA, speed and metrics, and leaves a finished line", () => {
    const { writes, stream } = recording({ isTTY: true, columns: 200 });
    let now = 0;
    const progress = new Progress("auto", stream, () => now);
    progress.begin("Epoch 1/3", 100, 3200);
    now = 2000;
    progress.update(25, { loss: 0.51234, accuracy: 0.75 });
    expect(screen(writes)).toEqual([
      "Epoch 1/3  ━━━━━━──────────────────  25/100  2.0s  ETA 6.0s  400 samples/s  loss 0.5123  accuracy 0.7500",
    ]);
    now = 8000;
    progress.end({ loss: 0.00012345, accuracy: 1, valLoss: 12345678 });
    expect(screen(writes)).toEqual([
      "Epoch 1/3  100/100  8.0s  400 samples/s  loss 1.234e-4  accuracy 1.0000  valLoss 1.235e+7",
      "",
    ]);
  });
  it("is redrawn at most ten times a second, in one write, and not when nothing changed", () => {
    const { writes, stream } = recording({ isTTY: true });
    let now = 0;
    const progress = new Progress(1, stream, () => now);
    progress.begin("Epoch 1/1", 1000, 1000);
    let draws = 0;
    for (; now < 1000; now += 7) {
      if (!progress.isDue()) continue;
      progress.update(now, { loss: 1 });
      draws++;
    }
    expect(draws).toBeLessThanOrEqual(10);
    expect(draws).toBeGreaterThanOrEqual(8);
    expect(writes.length).toBe(draws);
    expect(writes.every((w) => w.startsWith("\r") && w.endsWith("\x1b[K"))).toBe(true);
  });
  it("fits the width: less important parts go first, the loss last", () => {
    const lineAt = (columns: number) => {
      const { writes, stream } = recording({ isTTY: true, columns });
      let now = 0;
      const progress = new Progress(1, stream, () => now);
      progress.begin("Epoch 1/3", 100, 3200);
      now = 2000;
      progress.update(25, { loss: 0.5, accuracy: 0.75 });
      return screen(writes)[0]!;
    };
    for (let columns = 5; columns < 120; columns += 5) expect(lineAt(columns).length).toBeLessThan(columns);
    expect(lineAt(80)).toBe("Epoch 1/3  25/100  ETA 6.0s  loss 0.5000  accuracy 0.7500");
    expect(lineAt(40)).toBe("Epoch 1/3  loss 0.5000  accuracy 0.7500");
    expect(lineAt(30)).toBe("Epoch 1/3  loss 0.5000");
  });
  it("writes times as people read them", () => {
    const at = (seconds: number) => {
      const { writes, stream } = recording();
      let now = 0;
      const progress = new Progress(2, stream, () => now);
      progress.begin("E", 1, 0);
      now = seconds * 1000;
      progress.end({});
      return writes.join("");
    };
    expect(at(0.04)).toBe("E  1/1  0.0s\n");
    expect(at(59.4)).toBe("E  1/1  59s\n");
    expect(at(125)).toBe("E  1/1  2:05\n");
    expect(at(3723)).toBe("E  1/1  1:02:03\n");
  });
  it("ends its line when the run fails", () => {
    const { writes, stream } = recording({ isTTY: true });
    const progress = new Progress(1, stream, () => 0);
    progress.begin("Epoch 1/1", 10, 10);
    progress.update(3, {});
    progress.interrupt();
    expect(writes.at(-1)).toBe("\n");
    progress.interrupt();
    expect(writes.filter((w) => w === "\n").length).toBe(1);
  });
});

describe("fit", () => {
  const engine = new ReferenceEngine();
  it("is silent outside of a terminal and with verbose 0", async () => {
    for (const options of [
      { verbose: 0 as const, tty: true },
      { verbose: "auto" as const, tty: false },
    ]) {
      const { writes, stream } = recording({ isTTY: options.tty });
      await xorModel(engine).fit(XOR.x, XOR.y, { epochs: 3, verbose: options.verbose, stream });
      expect(writes).toEqual([]);
    }
  });
  it("writes one line per epoch with verbose 2, and with verbose 1 outside of a terminal", async () => {
    for (const verbose of [1, 2] as const) {
      const { writes, stream } = recording();
      await xorModel(engine).fit(XOR.x, XOR.y, {
        epochs: 3,
        verbose,
        stream,
        validationData: [XOR.x, XOR.y],
      });
      expect(writes.length).toBe(3);
      expect(writes[1]).toMatch(/^Epoch 2\/3 {2}1\/1 .* loss \d\.\d{4} {2}valLoss \d\.\d{4}\n$/);
    }
  });
  it("leaves one line per epoch in a terminal", async () => {
    const { writes, stream } = recording({ isTTY: true, columns: 100 });
    const { x, y } = spiral(300);
    await spiralModel(engine).fit(x, y, { epochs: 3, batchSize: 4, stream });
    const lines = screen(writes);
    expect(lines.length).toBe(4);
    lines.slice(0, 3).forEach((l, i) => {
      expect(l).toMatch(new RegExp(`^Epoch ${i + 1}/3 {2}225/225 .*loss \\d\\.\\d+ {2}accuracy \\d\\.\\d+$`));
    });
  });
  it("moves while a long epoch lasts, with the numbers so far", async () => {
    const { writes, stream } = recording({ isTTY: true, columns: 100 });
    const { x, y } = spiral(2000);
    await spiralModel(engine).fit(x, y, { batchSize: 1, stream });
    const moving = writes.filter((w) => !w.endsWith("\n"));
    expect(moving.length).toBeGreaterThan(1);
    expect(moving.every((w) => /\d+\/6000 .*loss \d/.test(w))).toBe(true);
  });
  it("shows evaluate and predict, too", async () => {
    const { writes, stream } = recording({ isTTY: true, columns: 100 });
    const model = xorModel(engine);
    await model.evaluate(XOR.x, XOR.y, { stream });
    await model.predict(XOR.x, { stream, verbose: 1 });
    const lines = screen(writes);
    expect(lines[0]).toMatch(/^Evaluate {2}1\/1 .*loss \d/);
    expect(lines[1]).toMatch(/^Predict {2}1\/1/);
  });
});
