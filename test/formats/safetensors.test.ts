// The safetensors reader and writer: round trips, files of others, and everything a hostile file may try.

import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { allocateHost, type DType } from "../../src/core/dtype.ts";
import { sizeOf } from "../../src/core/shape.ts";
import { Tensor, tensor } from "../../src/core/tensor.ts";
import {
  checksum,
  decodeSafetensors,
  encodeSafetensors,
  readSafetensors,
  writeSafetensors,
} from "../../src/formats/safetensors.ts";
import { rejected, thrown } from "../helpers/thrown.ts";

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "myelin-safetensors-"));
});
afterAll(() => rm(folder, { recursive: true }));

/** A file from a header (object or text) and data bytes. */
function file(header: unknown, data: Uint8Array | number = 0, claimed?: bigint): Uint8Array {
  const text = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const body = typeof data === "number" ? new Uint8Array(data) : data;
  const out = new Uint8Array(8 + text.length + body.length);
  new DataView(out.buffer).setBigUint64(0, claimed ?? BigInt(text.length), true);
  out.set(text, 8);
  out.set(body, 8 + text.length);
  return out;
}

const arbitraryTensor = fc
  .record({
    dtype: fc.constantFrom<DType>("float32", "int32", "uint8", "bool"),
    shape: fc.array(fc.nat(4), { maxLength: 4 }),
    bytes: fc.infiniteStream(fc.nat(255)),
  })
  .map(({ dtype, shape, bytes }) => {
    const data = allocateHost(dtype, sizeOf(shape));
    const raw = new Uint8Array(data.buffer);
    for (let i = 0; i < raw.length; i++)
      raw[i] = dtype === "bool" ? bytes.next().value % 2 : bytes.next().value;
    return new Tensor(data, shape, dtype);
  });

const bits = (t: Tensor) => [...new Uint8Array(t.data.buffer, t.data.byteOffset, t.data.byteLength)];

describe("round trips", () => {
  test("any tensors under any names come back bit for bit", () => {
    const names = fc.string({ unit: "grapheme", minLength: 1, maxLength: 12 });
    const files = fc.dictionary(
      names.filter((n) => n !== "__proto__" && n !== "__metadata__"),
      arbitraryTensor,
      { maxKeys: 6 },
    );
    fc.assert(
      fc.property(files, (record) => {
        const written = new Map(Object.entries(record));
        const { tensors } = decodeSafetensors(encodeSafetensors(written));
        expect([...tensors.keys()].sort()).toEqual([...written.keys()].sort());
        for (const [name, t] of written) {
          const again = tensors.get(name)!;
          expect([again.dtype, again.shape, bits(again)]).toEqual([t.dtype, t.shape, bits(t)]);
        }
      }),
    );
  });

  test("through a file, with metadata, leaving no temporary file behind", async () => {
    const path = join(folder, "a.safetensors");
    const written = new Map([
      ["flag", tensor([true, false, true])],
      [
        "w",
        tensor([
          [1.5, -2],
          [3, 4],
        ]),
      ],
      ["empty", tensor([], [0, 3])],
      ["scalar", tensor(7)],
    ]);
    await writeSafetensors(path, written, { note: "hello" });
    const read = await readSafetensors(path);
    expect(read.metadata).toEqual({ note: "hello", sha256: await checksum(written) });
    for (const [name, t] of written) expect(read.tensors.get(name)).toEqual(t);
    expect(await readdir(folder)).toEqual(["a.safetensors"]);
    expect(new Uint8Array(await readFile(path))).toEqual(encodeSafetensors(written, read.metadata));
  });

  test("the layout is the format's: little endian, wide types first, data aligned to 8", () => {
    const bytes = encodeSafetensors(
      new Map([
        ["b", tensor([true])],
        ["a", tensor([1])],
      ]),
    );
    const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(length % 8).toBe(0);
    const header = new TextDecoder().decode(bytes.subarray(8, 8 + length));
    expect(header.trimEnd()).toBe(
      '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"BOOL","shape":[1],"data_offsets":[4,5]}}',
    );
    expect([...bytes.subarray(8 + length)]).toEqual([0, 0, 128, 63, 1]);
  });

  test("doubles of a double-precision engine are written as float32", () => {
    const t = new Tensor(Float64Array.of(0.1), [1], "float32");
    expect(decodeSafetensors(encodeSafetensors(new Map([["x", t]]))).tensors.get("x")!.data).toEqual(
      Float32Array.of(0.1),
    );
  });

  test("reserved names are refused when writing", () => {
    for (const name of ["__metadata__", "__proto__"]) {
      expect(thrown(() => encodeSafetensors(new Map([[name, tensor(1)]])))).toMatchObject({
        code: "INVALID_ARGUMENT",
      });
    }
  });
});

test("a file of the format's own Python library", async () => {
  const { tensors, metadata } = await readSafetensors(
    fileURLToPath(new URL("../fixtures/outside.safetensors", import.meta.url)),
  );
  expect(metadata).toEqual({ "made by": "safetensors for Python" });
  expect(Object.fromEntries(tensors)).toEqual({
    w: tensor([
      [1.5, -2],
      [3, 4],
    ]),
    i: tensor([1, -2], [2], "int32"),
    u: tensor([0, 255], [2], "uint8"),
    b: tensor([true, false, true]),
    s: tensor(7),
    none: tensor([], [0, 3]),
  });
});

const f32 = (begin: number, end: number, shape: unknown = [(end - begin) / 4]) => ({
  dtype: "F32",
  shape,
  data_offsets: [begin, end],
});

describe("hostile files", () => {
  const cases: [string, Uint8Array, string][] = [
    ["empty", new Uint8Array(0), "expected at least 8 bytes, got 0"],
    ["too short", new Uint8Array(7), "expected at least 8 bytes, got 7"],
    [
      "giant header",
      file({}, 0, 2n ** 64n - 1n),
      "expected a header of at most 2 bytes, got 18446744073709551615",
    ],
    ["header beyond the file", file({}, 4, 7n), "expected a header of at most 6 bytes, got 7"],
    ["no JSON", file("{oops"), "the header is no JSON"],
    ["no UTF-8", file({}, new Uint8Array([0xff]), 3n), "the header is no JSON"],
    ["empty header", file(""), "the header is no JSON"],
    ["deep nesting", file("[".repeat(100_000)), "the header is no JSON"],
    ["a list", file([]), "expected the header to be an object, got []"],
    ["null", file(null), "expected the header to be an object, got null"],
    ["a string as tensor", file({ a: "x" }), 'tensor "a": expected an object, got "x"'],
    ["a list as tensor", file({ a: [] }), 'tensor "a": expected dtype F32, I32, U8, BOOL, got undefined'],
    [
      "unknown dtype",
      file({ a: { ...f32(0, 4), dtype: "F16" } }, 4),
      'tensor "a": expected dtype F32, I32, U8, BOOL, got "F16"',
    ],
    [
      "dtype from Object",
      file({ a: { ...f32(0, 4), dtype: "constructor" } }, 4),
      'tensor "a": expected dtype F32, I32, U8, BOOL, got "constructor"',
    ],
    [
      "no shape",
      file({ a: { dtype: "F32", data_offsets: [0, 4] } }, 4),
      'tensor "a": expected a shape of at most 8 sizes, got undefined',
    ],
    [
      "negative size",
      file({ a: f32(0, 4, [-1]) }, 4),
      'tensor "a": expected a shape of at most 8 sizes, got [-1]',
    ],
    [
      "fractional size",
      file({ a: f32(0, 4, [0.5, 2]) }, 4),
      'tensor "a": expected a shape of at most 8 sizes, got [0.5, 2]',
    ],
    [
      "unsafe size",
      file({ a: f32(0, 4, [2 ** 60]) }, 4),
      'tensor "a": expected a shape of at most 8 sizes, got [1152921504606847000]',
    ],
    [
      "rank 9",
      file({ a: f32(0, 4, [1, 1, 1, 1, 1, 1, 1, 1, 1]) }, 4),
      'tensor "a": expected a shape of at most 8 sizes, got [1, 1, 1, 1, 1, 1, ... 9 in all]',
    ],
    [
      "sizes that overflow",
      file({ a: f32(0, 4, [2 ** 50, 2 ** 50, 2 ** 50]) }, 4),
      'tensor "a": F32[1125899906842624, 1125899906842624, 1125899906842624] needs',
    ],
    [
      "wrong size",
      file({ a: f32(0, 4, [2]) }, 4),
      'tensor "a": F32[2] needs 8 bytes, its data_offsets give 4',
    ],
    [
      "offsets beyond the data",
      file({ a: f32(0, 8) }, 4),
      'tensor "a": expected data_offsets within the 4 bytes of data, got [0, 8]',
    ],
    [
      "offsets reversed",
      file({ a: f32(4, 0, [0]) }, 4),
      'tensor "a": expected data_offsets within the 4 bytes of data, got [4, 0]',
    ],
    [
      "offsets no numbers",
      file({ a: { ...f32(0, 4), data_offsets: ["0", "4"] } }, 4),
      'tensor "a": expected data_offsets',
    ],
    [
      "three offsets",
      file({ a: { ...f32(0, 4), data_offsets: [0, 4, 4] } }, 4),
      'tensor "a": expected data_offsets',
    ],
    [
      "overlap",
      file({ a: f32(0, 8), b: f32(4, 12) }, 12),
      'tensor "b" overlaps the tensor before it: expected to begin at 8, got 4',
    ],
    ["same range twice", file({ a: f32(0, 4), b: f32(0, 4) }, 4), 'tensor "b" overlaps the tensor before it'],
    [
      "gap",
      file({ a: f32(0, 4), b: f32(8, 12) }, 12),
      'tensor "b" leaves a gap before it: expected to begin at 4, got 8',
    ],
    ["data left over", file({ a: f32(0, 4) }, 5), "expected 4 bytes of data, as the tensors need, got 5"],
    [
      "a name twice",
      file(
        '{"a":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},"\\u0061" : {"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
        4,
      ),
      'tensor "a" is named twice',
    ],
    [
      "__proto__ as tensor",
      file(`{"__proto__":${JSON.stringify(f32(0, 4))}}`, 4),
      'tensor "__proto__": not a possible name',
    ],
    [
      "__proto__ in metadata",
      file('{"__metadata__":{"__proto__":"x"}}'),
      "expected the metadata to be strings by name",
    ],
    ["metadata no strings", file({ __metadata__: { a: 1 } }), "expected the metadata to be strings by name"],
    [
      "a bool of 2",
      file({ a: { dtype: "BOOL", shape: [1], data_offsets: [0, 1] } }, new Uint8Array([2])),
      'tensor "a": expected 0 or 1 in a BOOL tensor',
    ],
  ];

  test.each(cases)("%s", async (name, bytes, message) => {
    const error = thrown(() => decodeSafetensors(bytes));
    expect(error).toMatchObject({ code: "INVALID_FILE" });
    expect(error.message).toContain(`safetensors: ${message}`);
    const path = join(folder, `${name}.safetensors`);
    await writeFile(path, bytes);
    expect((await rejected(readSafetensors(path))).message).toContain(`${path}: ${message}`);
  });

  test("a key inside a tensor is no second name, and a string with quotes no key", () => {
    const header = { 'a":"b\\': { ...f32(0, 4), note: { dtype: 1, shape: 2 } }, dtype: f32(4, 8) };
    expect([...decodeSafetensors(file(header, 8)).tensors.keys()]).toEqual(['a":"b\\', "dtype"]);
  });

  test("random bytes and damaged files give an error or tensors, never anything else", () => {
    const good = encodeSafetensors(
      new Map([
        ["w", tensor([1, 2, 3])],
        ["b", tensor([true, false])],
      ]),
    );
    const damage = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(damage, fc.nat(good.length), (changes, length) => {
        const bytes = good.slice(0, length);
        for (const [at, value] of changes) if (at < length) bytes[at] = value;
        try {
          for (const t of decodeSafetensors(bytes).tensors.values())
            expect(t.data.length).toBe(sizeOf(t.shape));
        } catch (error) {
          expect(error).toMatchObject({ code: "INVALID_FILE" });
        }
      }),
      { numRuns: 2000 },
    );
  });

  test("no file, a folder, a file that shrank", async () => {
    expect(await rejected(readSafetensors(join(folder, "none")))).toMatchObject({ code: "INVALID_FILE" });
    expect(await rejected(readSafetensors(folder))).toMatchObject({ code: "INVALID_FILE" });
    const path = join(folder, "short.safetensors");
    await writeSafetensors(path, new Map([["w", tensor([1, 2, 3])]]));
    await truncate(path, (await stat(path)).size - 4);
    expect((await rejected(readSafetensors(path))).message).toContain("expected data_offsets within");
  });

  test("a byte of the data that changed", async () => {
    const path = join(folder, "rotten.safetensors");
    await writeSafetensors(path, new Map([["w", tensor([1, 2, 3])]]));
    const bytes = await readFile(path);
    bytes[bytes.length - 6]! ^= 1;
    await writeFile(path, bytes);
    expect(await rejected(readSafetensors(path))).toMatchObject({
      code: "INVALID_FILE",
      message: expect.stringMatching(
        /rotten\.safetensors: damaged: expected data of sha256 [0-9a-f]{64}, got /,
      ),
    });
  });
});
