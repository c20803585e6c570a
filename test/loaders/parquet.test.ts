// readParquet on files written by pyarrow (scripts/record-parquet-fixtures.py): every column type, packing, and misuse.

import { readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { readParquet } from "../../src/loaders/parquet.ts";
import { rejected } from "../helpers/thrown.ts";

const fixture = (name: string): URL => new URL(`../fixtures/parquet/${name}.parquet`, import.meta.url);

describe("readParquet", () => {
  for (const codec of ["none", "snappy", "gzip", "zstd"])
    it(`reads every column type, packed with ${codec}`, async () => {
      const t = await readParquet(fixture(`types-${codec}`));
      expect(t.numRows).toBe(5);
      const columns = Object.fromEntries(t.names.map((n) => [n, [t.type(n), [...t.column(n)]]]));
      const time = "2024-01-02T03:04:05.678Z";
      expect(columns).toEqual({
        i32: ["integer", [1, -2, 3, 2 ** 31 - 1, 0]],
        i64: ["number", [1, 2 ** 40, -(2 ** 53) + 1, 0, 5]],
        small: ["number", [7, Number.NaN, 9, 10, 11]],
        u8: ["integer", [0, 255, 1, 2, 3]],
        f32: ["number", [0.5, Number.NaN, -1.25, Infinity, 3]],
        f64: ["number", [1 / 3, 2, Number.NaN, 4, -0]],
        flag: ["boolean", [1, 0, 1, 1, 0]],
        maybe: ["number", [1, Number.NaN, 0, Number.NaN, 1]],
        text: ["string", ["a", "", "åé", "", "a"]],
        word: ["string", ["x", "y", "x", "y", ""]],
        day: ["string", ["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04", "2024-01-05"]],
        time: ["string", [time, time, time, time, time]],
        none: ["number", [Number.NaN, Number.NaN, Number.NaN, Number.NaN, Number.NaN]],
        late: ["string", ["", "", "", "z", "w"]],
        price: ["number", [1, 2, 3, 4, 5]],
      });
    });

  it("reads a selection, a limit, bytes and paths", async () => {
    const bytes = readFileSync(fixture("types-snappy"));
    for (const source of [bytes, new Uint8Array(bytes).buffer, fixture("types-snappy").pathname]) {
      const t = await readParquet(source, { columns: ["text", "i32"], limit: 3 });
      expect([...t.rows()]).toEqual([
        { text: "a", i32: 1 },
        { text: "", i32: -2 },
        { text: "åé", i32: 3 },
      ]);
    }
    expect((await readParquet(fixture("types-snappy"), { limit: 0 })).numRows).toBe(0);
    const empty = await readParquet(fixture("empty"));
    expect([empty.numRows, empty.names]).toEqual([0, ["n"]]);
  });

  it("refuses lists, integers that would lose digits, and wrong names", async () => {
    const lists = await rejected(readParquet(fixture("lists")));
    expect(lists.code).toBe("INVALID_DATA");
    expect(lists.message).toContain(
      'lists.parquet, column "tags": expected numbers, booleans or text, got lists',
    );
    expect((await readParquet(fixture("lists"), { columns: ["n"] })).numRows).toBe(2);
    const big = await rejected(readParquet(fixture("big")));
    expect(big.message).toContain(
      'row 2, column "id": expected an integer up to 2^53, got 9007199254740993n',
    );
    expect((await rejected(readParquet(fixture("big"), { columns: ["ids"] }))).message).toContain(
      'did you mean "id"',
    );
    expect((await rejected(readParquet(fixture("big"), { rows: 3 } as never))).code).toBe("INVALID_OPTION");
    expect((await rejected(readParquet(3 as never))).code).toBe("INVALID_ARGUMENT");
  });

  it("refuses what is no Parquet file, or ends early", async () => {
    expect((await rejected(readParquet("none.parquet"))).message).toContain("there is no such file");
    const path = join(tmpdir(), `myelin-${process.pid}.parquet`);
    const whole = readFileSync(fixture("types-snappy"));
    for (const bytes of [Buffer.from("a,b\n1,2\n"), Buffer.alloc(0), whole.subarray(0, 500)]) {
      writeFileSync(path, bytes);
      expect((await rejected(readParquet(path))).code).toBe("INVALID_FILE");
    }
    // Damaged in the middle: an error or other values, never a crash.
    for (let at = 4; at < whole.length; at += 97) {
      const damaged = Buffer.from(whole);
      damaged[at] = damaged[at]! ^ 0xff;
      await readParquet(damaged).catch((error) => expect(error.name).toBe("MyelinError"));
    }
  });

  it("says what to install", async () => {
    vi.resetModules();
    vi.doMock("hyparquet-compressors", () => {
      throw new Error("Cannot find package");
    });
    const bare = await import("../../src/loaders/parquet.ts");
    await expect(bare.readParquet(fixture("types-zstd"))).rejects.toThrow(
      "npm install hyparquet-compressors",
    );
    expect((await bare.readParquet(fixture("types-snappy"))).numRows).toBe(5);
    vi.resetModules();
    vi.doMock("hyparquet", () => {
      throw new Error("Cannot find package");
    });
    const without = await import("../../src/loaders/parquet.ts");
    await expect(without.readParquet(fixture("big"))).rejects.toThrow("npm install hyparquet");
    vi.doUnmock("hyparquet");
    vi.doUnmock("hyparquet-compressors");
  });
});
