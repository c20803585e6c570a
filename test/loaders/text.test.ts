// Lines, whole texts, and folders of texts with labels; encodings and what is not there.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, describe, expect, expectTypeOf, it } from "vitest";
import type { Dataset, Tensor } from "../../src/index.ts";
import { linesDataset, readLines, readText, textFromDirectory } from "../../src/loaders/text.ts";
import { rejected } from "../helpers/thrown.ts";

const folder = mkdtempSync(join(tmpdir(), "myelin-text-"));
afterAll(() => rmSync(folder, { recursive: true }));
const write = (name: string, content: string | Uint8Array): string => {
  const path = join(folder, name);
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, content);
  return path;
};

describe("lines", () => {
  it("are read with either ending, from files, .gz and streams in any pieces", async () => {
    const text = "één\r\n\ntwee\nlast";
    expect(await readLines(write("a.txt", text))).toEqual(["één", "", "twee", "last"]);
    expect(await readLines(write("a.txt.gz", gzipSync(text)), { skipEmpty: true, limit: 2 })).toEqual([
      "één",
      "twee",
    ]);
    expect(await readText(write("a.txt", text))).toBe(text);
    expect(await readLines([])).toEqual([]);
    expect(await readLines([text], { limit: 0 })).toEqual([]);
    const d = linesDataset(join(folder, "a.txt"), { limit: 3 });
    expectTypeOf(d).toEqualTypeOf<Dataset<string>>();
    for (let pass = 0; pass < 2; pass++) expect(await d.toArray()).toEqual(["één", "", "twee"]);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.string({ unit: "grapheme" }).map((s) => `.${s.replace(/[\r\n]/g, "")}`)),
        fc.integer({ min: 1, max: 5 }),
        async (lines, size) => {
          const bytes = Buffer.from(lines.map((l) => `${l}\n`).join(""));
          const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
            bytes.subarray(i * size, (i + 1) * size),
          );
          expect(await readLines(pieces)).toEqual(lines);
        },
      ),
    );
  });

  it("are decoded, and refused with the line where that fails", async () => {
    const path = write("old.txt", Buffer.from("fine\ncaf\xe9\n", "latin1"));
    expect(await readLines(path, { encoding: "latin1" })).toEqual(["fine", "café"]);
    const error = await rejected(readLines(path));
    expect(error.code).toBe("INVALID_DATA");
    expect(error.message).toContain(
      'old.txt, line 2: expected utf-8 text, got bytes that are none; if it is older text, say { encoding: "latin1" }',
    );
    expect((await rejected(readLines([Buffer.from([0x61, 0xc3])]))).message).toContain("line 1");
    expect((await rejected(readLines(path, { encoding: "klingon" }))).code).toBe("INVALID_OPTION");
    expect((await rejected(readText(join(folder, "none.txt")))).message).toContain("there is no such file");
    expect((await rejected(readLines(path, { limit: -1 }))).code).toBe("INVALID_OPTION");
  });
});

describe("textFromDirectory", () => {
  for (let i = 0; i < 6; i++) {
    write(`reviews/pos/${i}.txt`, `good ${i}`);
    write(`reviews/neg/deep/${i}.TXT`, `bad ${i}`);
  }
  write("reviews/neg/readme.md", "no text");
  write("reviews/.hidden/x.txt", "hidden");
  const root = join(folder, "reviews");

  it("takes classes from folders, sorted, and labels in batches", async () => {
    const found = await textFromDirectory(root, { shuffle: false, batchSize: 8 });
    expectTypeOf(found.dataset).toEqualTypeOf<Dataset<[texts: string[], labels: Tensor]>>();
    expect(found.classNames).toEqual(["neg", "pos"]);
    expect(found.paths.length).toBe(12);
    const [first, last] = await found.dataset.toArray();
    expect(first![0].slice(4)).toEqual(["bad 4", "bad 5", "good 0", "good 1"]);
    expect([first![1].dtype, [...first![1].data]]).toEqual(["int32", [0, 0, 0, 0, 0, 0, 1, 1]]);
    expect(last![0].length).toBe(4);
    expect(await found.validation.toArray()).toEqual([]);
    expect(found.dataset.cardinality).toBe(2);
  });

  it("encodes labels as asked", async () => {
    const of = async (options: object) => {
      const { dataset } = await textFromDirectory(root, { shuffle: false, batchSize: 12, ...options });
      return (await dataset.toArray())[0] as unknown as [string[], Tensor];
    };
    expect(
      (await of({ labelMode: "categorical", classNames: ["pos", "neg"] }))[1].slice(0, 1).toArray(),
    ).toEqual([[1, 0]]);
    const binary = (await of({ labelMode: "binary" }))[1];
    expect([binary.dtype, binary.shape]).toEqual(["float32", [12, 1]]);
    expect((await of({ labelMode: null })).length).toBe(12);
    expect((await of({ labels: null, maxLength: 3 }))[0]).toBe("bad");
    expect([...(await of({ labels: Array.from({ length: 12 }, (_, i) => i) }))[1].data].length).toBe(12);
    const single = await textFromDirectory(root, { shuffle: false, batchSize: null });
    expectTypeOf(single.dataset).toEqualTypeOf<Dataset<[text: string, label: number | Tensor]>>();
    expect((await single.dataset.toArray())[0]).toEqual(["bad 0", 0]);
  });

  it("shuffles, and holds files out", async () => {
    const make = (seed: number) => textFromDirectory(root, { validationSplit: 0.25, seed, batchSize: null });
    const { dataset, validation } = await make(3);
    const texts = async (d: Dataset<[string, number | Tensor]>) => (await d.toArray()).map(([t]) => t);
    const [train, held] = [await texts(dataset), await texts(validation)];
    expect([train.length, held.length]).toEqual([9, 3]);
    expect(new Set([...train, ...held]).size).toBe(12);
    expect(await texts(dataset)).not.toEqual(train);
    expect(await texts(validation)).toEqual(held);
    expect(await texts((await make(3)).dataset)).toEqual(train);
    for (const [text, label] of await dataset.toArray()) expect(label).toBe(text.startsWith("good") ? 1 : 0);
  });

  it("refuses what does not fit", async () => {
    const of = async (options: object, dir = root) =>
      (await rejected(textFromDirectory(dir, options))).message;
    expect(await of({}, join(folder, "nowhere"))).toContain("there is no such file");
    expect(await of({ classNames: ["pos", "new"] })).toContain('got "new"');
    expect(await of({ extensions: [".html"] })).toContain("expected files ending in .html");
    expect(await of({ labels: [1, 2] })).toContain("expected 12 labels");
    expect(await of({ labelMode: "binary", classNames: ["pos"] })).toContain("expected two classes");
    expect(await of({ labels: null, classNames: ["pos"] })).toContain("classNames only");
    expect(await of({ validationSplit: 1 })).toContain("validationSplit");
    expect(await of({ batchsize: 3 })).toContain('did you mean "batchSize"');
    write("latin/a/x.txt", Buffer.from("caf\xe9", "latin1"));
    const { dataset } = await textFromDirectory(join(folder, "latin"));
    expect((await rejected(dataset.toArray())).message).toContain("x.txt, line 1: expected utf-8");
  });
});
