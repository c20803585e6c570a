// readCsv and csvDataset: types, missing cells, quoting, sources, and every kind of broken file with its place.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, describe, expect, it, vi } from "vitest";
import { csvDataset, readCsv, type Table } from "../../src/loaders/csv.ts";
import { rejected } from "../helpers/thrown.ts";

const folder = mkdtempSync(join(tmpdir(), "myelin-csv-"));
afterAll(() => rmSync(folder, { recursive: true }));

function file(text: string | Uint8Array, name = "t.csv"): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}
const typesOf = (t: Table): Record<string, string> => Object.fromEntries(t.names.map((n) => [n, t.type(n)]));
const BASIC = 'id,x,when,ok,"the name"\n1,0.5,2024-01-02,true,"a, ""b"""\n2,-1e3,2024-01-03,FALSE,c\n';

describe("readCsv", () => {
  it("finds types out and keeps dates as strings", async () => {
    const t = await readCsv(file(BASIC));
    expect(typesOf(t)).toEqual({
      id: "integer",
      x: "number",
      when: "string",
      ok: "boolean",
      "the name": "string",
    });
    expect([...t.rows()]).toEqual([
      { id: 1, x: 0.5, when: "2024-01-02", ok: true, "the name": 'a, "b"' },
      { id: 2, x: -1000, when: "2024-01-03", ok: false, "the name": "c" },
    ]);
  });

  it("reads paths, URLs, .gz, strings in pieces and bytes, with and without a BOM", async () => {
    const expected = [...(await readCsv(file(BASIC))).rows()];
    const zipped = file(gzipSync(BASIC), "t.csv.gz");
    const pieces = async function* () {
      for (const letter of BASIC) yield letter;
    };
    for (const source of [
      pathToFileURL(file(BASIC)),
      zipped,
      pathToFileURL(zipped),
      pieces(),
      [Buffer.from(BASIC)],
      [`\ufeff${BASIC}`],
    ])
      expect([...(await readCsv(source)).rows()]).toEqual(expected);
  });

  it("reads from servers", async () => {
    const server = createServer((request, response) => {
      if (request.url === "/t.csv") response.end(BASIC);
      else if (request.url === "/t.csv.gz") response.end(gzipSync(BASIC));
      else if (request.url === "/packed.csv.gz")
        response.setHeader("content-encoding", "gzip").end(gzipSync(BASIC));
      else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    try {
      for (const name of ["t.csv", "t.csv.gz", "packed.csv.gz"])
        expect((await readCsv(`${base}/${name}`)).numRows).toBe(2);
      const error = await rejected(readCsv(new URL(`${base}/none.csv`)));
      expect([error.code, error.message.includes("the server answered 404")]).toEqual(["INVALID_FILE", true]);
    } finally {
      await new Promise((resolve) => server.close(resolve));
    }
  });

  it("reads missing cells as NaN and the empty string, widening whole numbers and booleans", async () => {
    const t = await readCsv(file("i,n,b,s,all\n1,NA,true,x,\n,2.5,?,null,NaN\n3,nan,false,,\n"));
    expect(typesOf(t)).toEqual({ i: "number", n: "number", b: "number", s: "string", all: "number" });
    expect(Array.from(t.numbers("i"))).toEqual([1, Number.NaN, 3]);
    expect(Array.from(t.numbers("n"))).toEqual([Number.NaN, 2.5, Number.NaN]);
    expect(Array.from(t.numbers("b"))).toEqual([1, Number.NaN, 0]);
    expect(t.column("s")).toEqual(["x", "", ""]);
    const own = await readCsv(file("a,s\n-999,NA\n4,-999\n"), { missing: ["-999"] });
    expect([...own.rows()]).toEqual([
      { a: Number.NaN, s: "NA" },
      { a: 4, s: "" },
    ]);
  });

  it("reads numbers as files write them", async () => {
    const t = await readCsv(file("n\n1.5\n+2\n.5\n1e-3\n-inf\nInfinity\n-0\n1.\n"));
    expect(Array.from(t.numbers("n"))).toEqual([1.5, 2, 0.5, 0.001, -Infinity, Infinity, -0, 1]);
    for (const text of ["0x1F", "0x0", "0b1", "1,5", "--1", "1 2", "$3"])
      expect((await readCsv(file(`n;m\n${text};1\n`), { delimiter: ";" })).type("n")).toBe("string");
    expect((await readCsv(file("n\n3000000000\n"))).type("n")).toBe("number");
    // As a number it would lose its last digits.
    expect((await readCsv(file("n\n12345678901234567890\n"))).column("n")).toEqual(["12345678901234567890"]);
  });

  it("reads a column again as text when text turns up late", async () => {
    const path = file("a,b\n1,1\n2,2\nthree,3.5\n");
    const t = await readCsv(path, { inferRows: 2 });
    expect(t.column("a")).toEqual(["1", "2", "three"]);
    expect(Array.from(t.numbers("b"))).toEqual([1, 2, 3.5]);
    const error = await rejected(readCsv([`a,b\n1,1\n2,2\nthree,3\n`], { inferRows: 2 }));
    expect(error.message).toContain(
      'row 3, column "a": expected an integer, got "three"; the first rows look like',
    );
  });

  it("takes names, types, a selection, a limit, other delimiters, comments and skipped lines", async () => {
    const path = file("# made by hand\n|x\n7\t 1 \t'a\tb'\n8\t0\tc\n9\t1\td\n");
    const t = await readCsv(path, {
      skipLines: 1,
      comment: "|",
      delimiter: "\t",
      quote: "'",
      columns: ["n", "flag", "s"],
      types: { flag: "boolean", n: "string" },
      select: ["s", "flag", "n"],
      limit: 2,
    });
    expect([...t.rows()]).toEqual([
      { s: "a\tb", flag: true, n: "7" },
      { s: "c", flag: false, n: "8" },
    ]);
    expect((await readCsv(file("1,2\n"), { header: false })).names).toEqual(["column0", "column1"]);
    expect((await readCsv(file("a,\n1,2\n"))).names).toEqual(["a", "column1"]);
    expect((await readCsv(file("a,b\n1,2\n"), { header: true, columns: ["x", "y"] })).row(0)).toEqual({
      x: 1,
      y: 2,
    });
    expect((await readCsv(file("a\n x\n"), { trim: false })).column("a")).toEqual([" x"]);
    expect((await readCsv(file("a,b\n1,2\n"), { limit: 0 })).numRows).toBe(0);
    expect((await readCsv(file('a\n"x\n'), { quote: false })).column("a")).toEqual(['"x']);
  });

  it("reads a header without rows, CRLF and blank lines", async () => {
    expect((await readCsv(file("a,b\n"))).numRows).toBe(0);
    expect([...(await readCsv(file("a\r\n1\r\n\r\n2\r\n"))).column("a")]).toEqual([1, 2]);
  });

  it("gives back any table", async () => {
    const number = fc.double({ noNaN: true, min: -1e15, max: 1e15 });
    const cell = fc.string({ unit: "grapheme" }).map((s) => `s${s.replaceAll("\r", "")}`);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(cell, number), { minLength: 1 }), fc.nat(40), async (rows, cut) => {
        const quoted = (s: string): string => `"${s.replaceAll('"', '""')}"`;
        const bytes = Buffer.from(`s,n\n${rows.map(([s, n]) => `${quoted(s)},${n}\n`).join("")}`);
        const t = await readCsv([bytes.subarray(0, cut), bytes.subarray(cut)]);
        expect(t.column("s")).toEqual(rows.map(([s]) => s));
        expect(Array.from(t.numbers("n")).map((n) => n + 0)).toEqual(rows.map(([, n]) => n + 0));
      }),
      { numRuns: 50 },
    );
  });
});

describe("broken files", () => {
  const messageOf = async (text: string, options?: object): Promise<string> => {
    const error = await rejected(readCsv(file(text), options));
    return `${error.code} ${error.message.replace(join(folder, "t.csv"), "t.csv")}`;
  };

  it("are named with row and column", async () => {
    expect(await messageOf("a,b\n1,2\n3\n")).toBe(
      "INVALID_DATA readCsv: t.csv, line 3: expected 2 fields, got 1",
    );
    expect(await messageOf("a,b\n1,2\n3,x\n", { types: { b: "number" } })).toBe(
      'INVALID_DATA readCsv: t.csv, row 2, column "b": expected a number, got "x"',
    );
    expect(await messageOf("a\n1\n2.5\n", { types: { a: "integer" } })).toContain(
      'row 2, column "a": expected an integer, got "2.5"',
    );
    expect(await messageOf("a,b\n1,2\n,3\n", { types: { a: "integer" } })).toContain("got a missing value");
    expect(await messageOf("a\nmaybe\n", { types: { a: "boolean" } })).toContain("expected a boolean");
    expect(await messageOf('a,b\n1,"2\n')).toContain("expected a quoted field to end");
    expect(await messageOf("")).toContain("expected a header, got an empty file");
    expect(await messageOf("a,a\n1,2\n")).toContain('got "a" twice');
    expect(await messageOf("1,2\n", { columns: ["a"] })).toContain("expected 1 fields like columns, got 2");
    expect(await messageOf("age\n1\n", { select: ["agee"] })).toContain(
      'unknown column "agee"; did you mean "age"?',
    );
    expect(await messageOf("age\n1\n", { types: { agee: "number" } })).toContain('did you mean "age"?');
  });

  it("or are not there, or no gzip", async () => {
    const missing = await rejected(readCsv(join(folder, "none.csv")));
    expect(missing.code).toBe("INVALID_FILE");
    expect(missing.message).toContain('none.csv": there is no such file');
    expect((await rejected(readCsv(file("a\n1\n", "bad.csv.gz")))).code).toBe("INVALID_FILE");
    const cut = file(gzipSync(BASIC.repeat(50)).subarray(0, 90), "cut.csv.gz");
    expect((await rejected(readCsv(cut))).code).toBe("INVALID_FILE");
    expect((await rejected(readCsv(folder))).message).toContain("it is a folder");
    expect((await rejected(readCsv(3 as never))).message).toContain("expected a path, a URL or a stream");
  });

  it("options are checked", async () => {
    for (const options of [
      { delimeter: ";" },
      { types: { a: "float" } },
      { limit: -1 },
      { delimiter: "" },
      { missing: "NA" },
      { inferRows: 0 },
    ])
      expect((await rejected(readCsv(file("a\n1\n"), options as never))).code).toBe("INVALID_OPTION");
  });

  it("says what to install", async () => {
    vi.resetModules();
    vi.doMock("csv-parse", () => {
      throw new Error("Cannot find package 'csv-parse'");
    });
    const { readCsv: without } = await import("../../src/loaders/csv.ts");
    await expect(without(file("a\n1\n"))).rejects.toThrow("npm install csv-parse");
    vi.doUnmock("csv-parse");
  });
});

describe("csvDataset", () => {
  it("streams rows and tables, as often as asked", async () => {
    const path = file(`n,s\n${Array.from({ length: 10 }, (_, i) => `${i},s${i}\n`).join("")}`, "ten.csv");
    const rows = csvDataset(path, { limit: 7 });
    for (let pass = 0; pass < 2; pass++) {
      const all = await rows.toArray();
      expect(all.length).toBe(7);
      expect(all[6]).toEqual({ n: 6, s: "s6" });
    }
    const tables = await csvDataset(path, { batchSize: 4, inferRows: 3 }).toArray();
    expect(tables.map((t) => t.numRows)).toEqual([4, 4, 2]);
    expect(tables.flatMap((t) => t.strings("s"))).toEqual(Array.from({ length: 10 }, (_, i) => `s${i}`));
    const batches = await csvDataset(path, { batchSize: 5 })
      .map((t) => t.toTensor(["n"]))
      .toArray();
    expect(batches.map((b) => b.shape)).toEqual([
      [5, 1],
      [5, 1],
    ]);
  });

  it("gives the rows before a broken one, and closes the file when left", async () => {
    const path = file("a\n1\n2\nx\n", "late.csv");
    const seen: unknown[] = [];
    const error = await rejected(
      (async () => {
        for await (const t of csvDataset(path, { batchSize: 1, inferRows: 1 })) seen.push(t.row(0).a);
      })(),
    );
    expect(seen).toEqual([1, 2]);
    expect(error.message).toContain('late.csv, row 3, column "a": expected an integer, got "x"');
    for await (const row of csvDataset(path, { types: { a: "string" } })) {
      expect(row.a).toBe("1");
      break;
    }
  });
});
