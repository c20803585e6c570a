// Event files as TensorBoard reads them (scripts/check-tensorboard.py asks TensorBoard itself).

import { mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { tensor } from "../../src/core/tensor.ts";
import { crc32c, EventFile } from "../../src/formats/event-file.ts";
import { callbacks, layers, type Model, optimizers, sequential } from "../../src/index.ts";
import { thrown } from "../helpers/thrown.ts";

const folder = () => mkdtempSync(join(tmpdir(), "callbacks-"));
const x = tensor(Float32Array.from({ length: 24 }, (_, i) => Math.sin(i)), [8, 3]); // biome-ignore format: one line
const y = tensor(Float32Array.from({ length: 8 }, (_, i) => Math.cos(i)), [8, 1]); // biome-ignore format: one line

function compiled(learningRate = 0.1, options: object = {}): Model {
  const m = sequential([layers.dense({ units: 1, inputShape: [3] })], { seed: 1 });
  m.compile({ optimizer: optimizers.sgd({ learningRate, ...options }), loss: "mse" });
  return m;
}
const fit = { batchSize: 4, verbose: 0, seed: 1, validationData: [x, y] } as const;

describe("event files", () => {
  it("have Castagnoli sums", () => {
    expect(crc32c(Buffer.from("123456789"))).toBe(0xe3069283);
    expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
  });

  /** Records, their sums checked, and the fields of each message. */
  function read(path: string): Map<number, Buffer[]>[] {
    const bytes = readFileSync(path);
    const events: Map<number, Buffer[]>[] = [];
    for (let at = 0; at < bytes.length; ) {
      const length = Number(bytes.readBigUInt64LE(at));
      const data = bytes.subarray(at + 12, at + 12 + length);
      const crc = crc32c(data);
      expect(bytes.readUInt32LE(at + 12 + length)).toBe((((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0);
      events.push(fields(data));
      at += length + 16;
    }
    return events;
  }
  function fields(data: Buffer): Map<number, Buffer[]> {
    const found = new Map<number, Buffer[]>();
    let at = 0;
    const varint = () => {
      let [value, shift] = [0, 1];
      for (;;) {
        const byte = data[at++]!;
        value += (byte & 127) * shift;
        shift *= 128;
        if (byte < 128) return value;
      }
    };
    while (at < data.length) {
      const key = varint();
      const kind = key & 7;
      const begin = at;
      let part: Buffer;
      if (kind === 0) {
        varint();
        part = data.subarray(begin, at);
      } else {
        const size = kind === 1 ? 8 : kind === 5 ? 4 : varint();
        part = data.subarray(at, at + size);
        at += size;
      }
      found.set(key >> 3, [...(found.get(key >> 3) ?? []), part]);
    }
    return found;
  }

  it("hold scalars, histograms and the graph of a training", async () => {
    const dir = folder();
    const m = compiled();
    const { history } = await m.fit(x, y, { ...fit, epochs: 2, callbacks: callbacks.tensorBoard(dir, { histogramFreq: 1, updateFreq: 1 }) }); // biome-ignore format: one line
    const file = (name: string) => join(dir, name, readdirSync(join(dir, name))[0]!);
    const train = read(file("train"));
    expect(train[0]!.get(3)![0]!.toString()).toBe("brain.Event:2");
    const scalars = (events: Map<number, Buffer[]>[]) =>
      events.flatMap((e) => {
        const value = e.has(5) ? fields(fields(e.get(5)![0]!).get(1)![0]!) : undefined;
        return value?.has(2) ? [[value.get(1)![0]!.toString(), e.get(2)?.[0]?.[0] ?? 0, value.get(2)![0]!.readFloatLE()]] : []; // biome-ignore format: one line
      });
    const logged = scalars(train);
    expect(logged.filter(([tag]) => tag === "epoch_loss")).toEqual(history.loss!.map((v, i) => ["epoch_loss", i, Math.fround(v)])); // biome-ignore format: one line
    expect(logged.filter(([tag]) => tag === "batch_loss").map(([, step]) => step)).toEqual([1, 2, 3, 4]);
    expect(scalars(read(file("validation")))).toEqual(
      history.valLoss!.map((v, i) => ["epoch_loss", i, Math.fround(v)]),
    );
    const tags = train.flatMap((e) =>
      e.has(5)
        ? [
            fields(fields(e.get(5)![0]!).get(1)![0]!)
              .get(1)![0]!
              .toString(),
          ]
        : [],
    );
    expect(tags).toContain("dense/kernel");
    const graph = train.find((e) => e.has(4))!.get(4)![0]!;
    expect(fields(fields(graph).get(1)!.at(-1)!).get(1)![0]!.toString()).toMatch(/dense/);
  });

  it("count numbers into buckets that hold them", async () => {
    const file = await EventFile.create(folder());
    await file.histogram("h", [-1, 0, 0.5, 0.5, 3, Number.NaN], 7);
    const histogram = fields(fields(fields(read(file.path)[1]!.get(5)![0]!).get(1)![0]!).get(5)![0]!);
    const doubles = (b: Buffer) => Array.from({ length: b.length / 8 }, (_, i) => b.readDoubleLE(i * 8));
    const one = (field: number) => histogram.get(field)![0]!.readDoubleLE();
    expect([one(1), one(2), one(3), one(4), one(5)]).toEqual([-1, 3, 5, 3, 10.5]);
    const [limits, counts] = [doubles(histogram.get(6)![0]!), doubles(histogram.get(7)![0]!)];
    expect(limits).toHaveLength(counts.length);
    for (const [value, n] of [
      [-1, 1],
      [0, 1],
      [0.5, 2],
      [3, 1],
    ] as const) {
      // biome-ignore format: one line
      const at = limits.findIndex((l) => l >= value);
      expect(counts[at]).toBe(n);
    }
  });
});

it("refuses wrong options", () => {
  const board = callbacks.tensorBoard;
  expect(thrown(() => board("a", { updateFreq: 0 })).message).toMatch(/updateFreq to be an integer/);
  expect(thrown(() => board("a", { profileBatch: 2 } as never)).message).toMatch(/no profileBatch/);
  expect(thrown(() => board("")).message).toMatch(/logDir to be a string/);
});
