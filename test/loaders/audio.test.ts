// WAV files: those another library wrote, our own, damaged ones; other rates; folders.

import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MyelinError } from "../../src/core/errors.ts";
import { tensor } from "../../src/core/tensor.ts";
import { audioFromDirectory, readWav, resample, writeWav } from "../../src/loaders/audio.ts";
import { rejected } from "../helpers/thrown.ts";

// Written by libsndfile: scripts/record-wav-fixtures.py.
const fixture = JSON.parse(readFileSync(new URL("../fixtures/wav.json", import.meta.url), "utf8")) as {
  samples: number[][];
  files: { name: string; tolerance: number; bytes: string }[];
};
const bytesOf = (i: number) => Buffer.from(fixture.files[i]!.bytes, "base64");

describe("readWav", () => {
  it.each(fixture.files.map((f, i) => [f.name, f.tolerance, i] as const))("%s", async (_, tolerance, i) => {
    const { samples, sampleRate } = await readWav(bytesOf(i));
    expect(sampleRate).toBe(8000);
    expect(samples.shape).toEqual([9, 2]);
    fixture.samples.flat().forEach((v, k) => {
      expect(Math.abs(samples.data[k]! - v)).toBeLessThan(tolerance);
    });
  });

  it("gives back what writeWav wrote", async () => {
    const path = join(await mkdtemp(join(tmpdir(), "wav-")), "a.wav");
    await writeWav(path, tensor([[0.5, -1], [0.25, 2]]), 16000); // biome-ignore format: rows
    const { samples, sampleRate } = await readWav(path);
    expect(sampleRate).toBe(16000);
    expect([...samples.data]).toEqual([0.5, -1, 0.25, 32767 / 32768]);
  });

  it.each([
    ["no WAV at all", Buffer.from("hello, I am a text"), /expected a WAV file/],
    ["next to nothing", Buffer.from("RIFF"), /got 4 bytes/],
    ["samples cut off", bytesOf(2).subarray(0, -3), /bytes of samples, got/],
    ["no samples", bytesOf(2).subarray(0, 36), /expected a data chunk/],
  ])("refuses %s", async (_, bytes, message) => {
    const error = await rejected(readWav(bytes));
    expect(error.code).toBe("INVALID_FILE");
    expect(error.message).toMatch(message);
  });

  it("names the file", async () => {
    const path = join(await mkdtemp(join(tmpdir(), "wav-")), "b.wav");
    await writeFile(path, "nothing of the kind");
    expect((await rejected(readWav(path))).message).toContain("b.wav: expected a WAV file");
    expect((await rejected(readWav("/nowhere/c.wav"))).message).toContain("/nowhere/c.wav");
  });

  it("never does more than refuse what is damaged", () =>
    fc.assert(
      fc.asyncProperty(
        fc.nat(11),
        fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 6 }),
        async (i, edits) => {
          // biome-ignore format: one line
          const bytes = bytesOf(i);
          for (const [at, value] of edits) bytes[at] = value;
          try {
            await readWav(bytes);
          } catch (error) {
            expect(error).toBeInstanceOf(MyelinError);
          }
        },
      ),
      { numRuns: 300 },
    ));
});

it("resamples a tone to the same tone", () => {
  const tone = (rate: number) => Float32Array.from({ length: rate / 10 }, (_, i) => Math.sin((2 * Math.PI * 440 * i) / rate)); // biome-ignore format: one line
  const { samples, sampleRate } = resample(
    { samples: tensor(tone(8000), [800, 1]), sampleRate: 8000 },
    22000,
  );
  expect(sampleRate).toBe(22000);
  expect(samples.shape).toEqual([2200, 1]);
  const wanted = tone(22000);
  for (let i = 100; i < 2100; i++) expect(Math.abs(samples.data[i]! - wanted[i]!)).toBeLessThan(0.01);
});

it("reads folders as classes", async () => {
  const folder = await mkdtemp(join(tmpdir(), "sounds-"));
  for (const [name, value] of [
    ["high", 0.5],
    ["low", -0.5],
  ] as const) {
    // biome-ignore format: one line
    await mkdir(join(folder, name));
    for (let i = 0; i < 3; i++) await writeWav(join(folder, name, `${i}.wav`), tensor([value, value]), 8000);
  }
  const options = { outputSequenceLength: 4, batchSize: 4, seed: 1 };
  const { dataset, classNames } = await audioFromDirectory(folder, options);
  expect(classNames).toEqual(["high", "low"]);
  const batches = await dataset.toArray();
  expect(batches.map(([x]) => x.shape)).toEqual([[4, 4], [2, 4]]); // biome-ignore format: shapes
  for (const [x, y] of batches) {
    y.data.forEach((label: number, i: number) => {
      expect([...x.slice(i, i + 1).data]).toEqual(label === 0 ? [0.5, 0.5, 0, 0] : [-0.5, -0.5, 0, 0]);
    });
  }
  expect((await rejected(audioFromDirectory(folder, { outputSequenceLength: 0 }))).message).toContain(
    "outputSequenceLength",
  );
  expect((await rejected(audioFromDirectory(join(folder, "none"), options))).message).toContain("none");
});
