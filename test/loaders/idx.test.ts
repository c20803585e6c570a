// readIdx: every element type, limits, and files that lie.

import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, describe, expect, it } from "vitest";
import { readIdx } from "../../src/loaders/idx.ts";
import { rejected } from "../helpers/thrown.ts";

const folder = mkdtempSync(join(tmpdir(), "myelin-idx-"));
afterAll(() => rmSync(folder, { recursive: true }));

function idx(type: number, shape: readonly number[], body: Uint8Array): Buffer {
  const head = Buffer.alloc(4 + 4 * shape.length);
  head[2] = type;
  head[3] = shape.length;
  for (const [i, d] of shape.entries()) head.writeUInt32BE(d, 4 + 4 * i);
  return Buffer.concat([head, body]);
}
const view = (
  bytes: number,
  values: readonly number[],
  set: "setInt16" | "setInt32" | "setFloat32" | "setFloat64",
): Uint8Array => {
  const data = new DataView(new ArrayBuffer(values.length * bytes));
  for (const [i, v] of values.entries()) data[set](i * bytes, v);
  return new Uint8Array(data.buffer);
};

describe("readIdx", () => {
  it("reads every type, most significant byte first", async () => {
    const of = async (type: number, body: Uint8Array, count: number) => {
      const t = await readIdx([idx(type, [count], body)]);
      return [t.dtype, [...t.data]];
    };
    expect(await of(0x08, Uint8Array.of(0, 255), 2)).toEqual(["uint8", [0, 255]]);
    expect(await of(0x09, Uint8Array.of(1, 255), 2)).toEqual(["int32", [1, -1]]);
    expect(await of(0x0b, view(2, [-2, 300], "setInt16"), 2)).toEqual(["int32", [-2, 300]]);
    expect(await of(0x0c, view(4, [-2, 1 << 30], "setInt32"), 2)).toEqual(["int32", [-2, 1 << 30]]);
    expect(await of(0x0d, view(4, [0.5, -1e30], "setFloat32"), 2)).toEqual([
      "float32",
      [0.5, Math.fround(-1e30)],
    ]);
    expect(await of(0x0e, view(8, [1 / 3], "setFloat64"), 1)).toEqual(["float32", [Math.fround(1 / 3)]]);
  });

  it("reads shapes, in pieces, packed, and the first rows", async () => {
    const bytes = idx(
      0x08,
      [3, 2, 2],
      Uint8Array.from({ length: 12 }, (_, i) => i),
    );
    const pieces = async function* () {
      for (const byte of bytes) yield Uint8Array.of(byte);
    };
    const path = join(folder, "a.idx.gz");
    writeFileSync(path, gzipSync(bytes));
    for (const source of [[bytes], pieces(), path]) expect((await readIdx(source)).shape).toEqual([3, 2, 2]);
    const first = await readIdx(path, { limit: 2 });
    expect([first.shape, [...first.data]]).toEqual([
      [2, 2, 2],
      [0, 1, 2, 3, 4, 5, 6, 7],
    ]);
    expect((await readIdx(path, { limit: 9 })).shape).toEqual([3, 2, 2]);
    expect((await readIdx(path, { limit: 0 })).shape).toEqual([0, 2, 2]);
  });

  it("refuses files that are none, lie about their size, or ask for too much", async () => {
    const messageOf = async (bytes: Uint8Array, options?: object): Promise<string> => {
      const error = await rejected(readIdx([bytes], options));
      expect(error.code).toBe("INVALID_FILE");
      return error.message;
    };
    const body = new Uint8Array(6);
    expect(await messageOf(Buffer.from("hello"))).toContain("expected an IDX file");
    expect(await messageOf(Buffer.from([0, 0, 8]))).toContain("end of the file after 3 bytes");
    expect(await messageOf(idx(0x08, [2, 3], body).subarray(0, 9))).toContain("expected a header");
    expect(await messageOf(idx(0x08, [2, 4], body))).toBe(
      'readIdx: "the stream": expected 8 bytes for shape [2, 4], got the end of the file after 6',
    );
    expect(await messageOf(idx(0x08, [5], body))).toContain("got more");
    expect(await messageOf(idx(0x07, [6], body))).toContain("expected an IDX file");
    expect(await messageOf(idx(0x08, [1, 1, 1, 1, 1, 1, 1, 1, 1], body))).toContain("rank of at most 8");
    expect(await messageOf(idx(0x0e, [2 ** 31, 2 ** 31], body))).toContain(
      "expected at most 2147483648 elements",
    );
    expect(await messageOf(idx(0x08, [6], body), { maxElements: 5 })).toContain("at most 5 elements");
    // Believed only as far as bytes arrive.
    expect(await messageOf(idx(0x08, [2 ** 31 - 1], body))).toContain("got the end of the file after 6");
    expect((await rejected(readIdx(join(folder, "none")))).message).toContain("there is no such file");
    expect((await rejected(readIdx([body], { limit: -1 }))).code).toBe("INVALID_OPTION");
  });

  const data = process.env.MYELIN_DATA;
  it.skipIf(!data || !existsSync(join(data, "mnist")))("reads MNIST", async () => {
    const images = await readIdx(join(data!, "mnist", "t10k-images-idx3-ubyte.gz"));
    const labels = await readIdx(join(data!, "mnist", "t10k-labels-idx1-ubyte.gz"));
    expect([images.shape, images.dtype, labels.shape]).toEqual([[10000, 28, 28], "uint8", [10000]]);
    expect([...labels.data.slice(0, 5)]).toEqual([7, 2, 1, 0, 4]);
  });
});
