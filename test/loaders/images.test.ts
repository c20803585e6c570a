// Pictures that another library wrote, our own, damaged ones; sizes and colours; folders.

import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, expectTypeOf, it, vi } from "vitest";
import { type Tensor, tensor } from "../../src/core/tensor.ts";
import type { Dataset } from "../../src/data/dataset.ts";
import { imagesFromDirectory, readImage, writeImage } from "../../src/loaders/images.ts";
import { rejected } from "../helpers/thrown.ts";

// Written by Pillow, read by Keras: scripts/record-image-file-fixtures.py.
const { cases } = JSON.parse(
  readFileSync(new URL("../fixtures/image-files.json", import.meta.url), "utf8"),
) as {
  cases: {
    name: string;
    colorMode: "rgb" | "grayscale" | "rgba";
    bytes: string;
    shape: number[];
    values: number[];
  }[];
};
const newFolder = () => mkdtemp(join(tmpdir(), "myelin-images-"));
const flat = (t: Tensor) => [...(t.data as Float32Array)];
/** Left half dark, right half light. */
const halves = (height: number, width: number) => tensor(Float32Array.from({ length: height * width }, (_, i) => (i % width < width / 2 ? 0 : 200)), [height, width, 1]); // biome-ignore format: one line

describe("readImage", () => {
  it.each(cases)("reads $name as $colorMode like Keras", async ({ colorMode, bytes, shape, values }) => {
    const image = await readImage(Buffer.from(bytes, "base64"), { colorMode });
    expect([image.dtype, image.shape]).toEqual(["float32", shape]);
    const off = flat(image).map((v, i) => Math.abs(v - values[i]!));
    // Lumas are rounded where Pillow cuts: at most one apart.
    expect(Math.max(...off)).toBeLessThanOrEqual(colorMode === "grayscale" ? 1 : 0);
  });

  it("gives back what writeImage wrote, scaled or not", async () => {
    const path = join(await newFolder(), "a.png");
    const image = tensor([[[0, 128, 255], [7.4, -3, 300]]]); // biome-ignore format: pixels
    await writeImage(path, image, { scale: false });
    expect(flat(await readImage(path))).toEqual([0, 128, 255, 7, 0, 255]);
    await writeImage(path, tensor([[-1, 0], [1, 0.5]])); // biome-ignore format: rows
    expect(flat(await readImage(path, { colorMode: "grayscale" }))).toEqual([0, 128, 255, 191]);
    await writeImage(path, tensor([[3, 3]]));
    expect(flat(await readImage(path, { colorMode: "grayscale" }))).toEqual([0, 0]);
  });

  it("resizes, crops and pads", async () => {
    const path = join(await newFolder(), "wide.png");
    await writeImage(path, halves(4, 8), { scale: false });
    const read = (options: object) => readImage(path, { colorMode: "grayscale", ...options });
    const plain = await read({ imageSize: [2, 2] });
    expect(plain.shape).toEqual([2, 2, 1]);
    expect(plain.at(0, 0, 0)).toBeLessThan(30);
    expect(plain.at(0, 1, 0)).toBeGreaterThan(170);
    const near = await read({ imageSize: [8, 16], interpolation: "nearest" });
    expect(new Set(flat(near))).toEqual(new Set([0, 200]));
    const padded = await read({ imageSize: [8, 8], padToAspectRatio: true, interpolation: "nearest" });
    expect([padded.at(0, 7, 0), padded.at(4, 7, 0)]).toEqual([0, 200]);
    const cropped = await read({ imageSize: [4, 4], cropToAspectRatio: true });
    expect(flat(cropped).slice(0, 4)).toEqual([0, 0, 200, 200]);
  });

  it("turns pictures upright", async () => {
    const raw = { width: 2, height: 1, channels: 3 as const };
    const bytes = await sharp(Buffer.from([255, 255, 255, 0, 0, 0]), { raw })
      .withMetadata({ orientation: 6 })
      .png()
      .toBuffer();
    const image = await readImage(bytes);
    expect(image.shape).toEqual([2, 1, 3]);
    expect(flat(image)).toEqual([255, 255, 255, 0, 0, 0]);
  });

  it("names what it cannot read", async () => {
    const path = join(await newFolder(), "b.png");
    await writeFile(path, "nothing of the kind");
    const error = await rejected(readImage(path));
    expect(error.code).toBe("INVALID_FILE");
    expect(error.message).toContain("b.png: expected an image, got");
    const cut = Buffer.from(cases[0]!.bytes, "base64").subarray(0, 60);
    expect((await rejected(readImage(cut))).message).toContain("the bytes: expected an image");
    expect((await rejected(readImage("/nowhere/c.png"))).message).toContain("/nowhere/c.png");
  });

  it("refuses wrong options and shapes", async () => {
    const of = async (options: object) => (await rejected(readImage(new Uint8Array(), options))).message;
    expect(await of({ colorMode: "bgr" })).toContain("unknown colorMode");
    expect(await of({ imageSize: 3 })).toContain("expected imageSize to be [height, width], got 3");
    expect(await of({ imageSize: [3, 0] })).toContain("imageSize");
    expect(await of({ interpolation: "best" })).toContain("unknown interpolation");
    expect(await of({ size: [3, 3] })).toContain('unknown option "size"');
    expect(await of({ cropToAspectRatio: true, padToAspectRatio: true })).toContain("got both");
    expect((await rejected(writeImage("a.png", tensor([1])))).message).toContain("[height, width] or");
    expect((await rejected(writeImage("/nowhere/a.png", halves(2, 2)))).message).toContain("/nowhere/a.png");
    expect((await rejected(writeImage("/tmp/a.xyz", halves(2, 2)))).message).toContain("a.xyz");
  });
});

describe("imagesFromDirectory", () => {
  async function make(): Promise<string> {
    const folder = await newFolder();
    for (const [name, value] of [
      ["dark", 0],
      ["light", 255],
    ] as const) {
      await mkdir(join(folder, name)); // biome-ignore format: pairs
      for (let i = 0; i < 4; i++) await writeImage(join(folder, name, `${i}.png`), tensor(new Float32Array(12).fill(value), [3, 4]), { scale: false }); // biome-ignore format: one line
    }
    return folder;
  }

  it("reads folders as classes", async () => {
    const folder = await make();
    const found = await imagesFromDirectory(folder, { imageSize: [2, 2], batchSize: 3, seed: 1 });
    expectTypeOf(found.dataset).toEqualTypeOf<Dataset<[x: Tensor, labels: Tensor]>>();
    expect(found.classNames).toEqual(["dark", "light"]);
    const batches = await found.dataset.toArray();
    expect(batches.map(([x]) => x.shape)).toEqual([[3, 2, 2, 3], [3, 2, 2, 3], [2, 2, 2, 3]]); // biome-ignore format: shapes
    for (const [x, y] of batches)
      for (const [i, label] of Array.from(y.data).entries()) expect(x.at(i, 0, 0, 0)).toBe(255 * label);
    const { dataset, validation } = await imagesFromDirectory(folder, { validationSplit: 0.25, seed: 2, labelMode: "categorical", colorMode: "grayscale" }); // biome-ignore format: one line
    const [[x, y]] = (await dataset.toArray()) as [[Tensor, Tensor]];
    expect([x.shape, y.shape]).toEqual([[6, 256, 256, 1], [6, 2]]); // biome-ignore format: shapes
    expect((await validation.toArray())[0]![0].shape[0]).toBe(2);
    const single = await imagesFromDirectory(folder, { labels: null, batchSize: null, imageSize: [3, 4] });
    expectTypeOf(single.dataset).toEqualTypeOf<Dataset<Tensor>>();
    expect((await single.dataset.toArray()).map((t) => t.shape)).toEqual(Array(8).fill([3, 4, 3]));
  });

  it("names the folder, the option or the file that is wrong", async () => {
    const folder = await make();
    const of = async (options: object, dir = folder) =>
      (await rejected(imagesFromDirectory(dir, options))).message;
    expect(await of({}, join(folder, "none"))).toContain("there is no such file");
    expect(await of({ labels: [1] })).toContain("expected 8 labels");
    expect(await of({ extensions: [".bmp"] })).toContain("expected files ending in .bmp");
    expect(await of({ imageSize: [0, 1] })).toContain("imageSize");
    expect(await of({ colourMode: "rgb" })).toContain("unknown option");
    await writeFile(join(folder, "dark", "zz.png"), "broken");
    const { dataset } = await imagesFromDirectory(folder);
    expect((await rejected(dataset.toArray())).message).toContain("zz.png: expected an image");
  });

  it("says what to install", async () => {
    vi.resetModules();
    vi.doMock("sharp", () => {
      throw new Error("not there");
    });
    const { readImage } = await import("../../src/loaders/images.ts");
    const error = await readImage("a.png").catch((e: Error) => e);
    expect((error as Error).message).toContain("npm install sharp");
    vi.doUnmock("sharp");
  });
});
