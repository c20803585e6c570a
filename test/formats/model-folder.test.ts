// Model folders: what is written comes back; damaged, foreign and newer ones are refused; files are replaced whole.

import { mkdir, mkdtemp, readdir, readFile, rename, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { tensor } from "../../src/core/tensor.ts";
import { writeAtomic } from "../../src/formats/atomic.ts";
import { readModelFolder, writeModelFolder } from "../../src/formats/model-folder.ts";
import { checksum, writeSafetensors } from "../../src/formats/safetensors.ts";
import { rejected } from "../helpers/thrown.ts";

let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "myelin-folder-"));
});
afterAll(() => rm(root, { recursive: true }));

const content = { config: { model: { a: [1, "x", null] } }, tensors: new Map([["w", tensor([1, 2])]]) };

describe("round trip", () => {
  test("config and tensors come back; the folder is made, and holds just the two files", async () => {
    const path = join(root, "new", "deep.myelin");
    await writeModelFolder(path, content);
    expect(await readModelFolder(path)).toEqual(content);
    expect((await readdir(path)).sort()).toEqual(["model.json", "weights.safetensors"]);
    const json = JSON.parse(await readFile(join(path, "model.json"), "utf8"));
    const weights = { sha256: await checksum(content.tensors) };
    expect(json).toEqual({ format: "myelin", version: 1, weights, model: { a: [1, "x", null] } });
  });

  test("saving again replaces what was there", async () => {
    const path = join(root, "twice");
    await writeModelFolder(path, content);
    await writeModelFolder(path, { config: { model: 2 }, tensors: new Map([["v", tensor([3])]]) });
    const again = await readModelFolder(path);
    expect(again.config).toEqual({ model: 2 });
    expect([...again.tensors.keys()]).toEqual(["v"]);
  });
});

describe("a save that is cut short", () => {
  const next = { config: { model: 2 }, tensors: new Map([["w", tensor([3, 4])]]) };
  const pending = async () => `.weights-${(await checksum(next.tensors)).slice(0, 16)}.safetensors`;

  test("before model.json leaves the old model", async () => {
    const path = join(root, "before");
    await writeModelFolder(path, content);
    await writeSafetensors(join(path, await pending()), next.tensors);
    expect(await readModelFolder(path)).toEqual(content);
  });

  test("after model.json is the new model, and the next save cleans up", async () => {
    const path = join(root, "after");
    await writeModelFolder(path, next);
    await rename(join(path, "weights.safetensors"), join(path, await pending()));
    await writeSafetensors(join(path, "weights.safetensors"), content.tensors);
    expect(await readModelFolder(path)).toEqual(next);
    await writeModelFolder(path, next);
    expect((await readdir(path)).sort()).toEqual(["model.json", "weights.safetensors"]);
    expect(await readModelFolder(path)).toEqual(next);
  });

  test("leaves files that a later save removes once they are old", async () => {
    const path = join(root, "leftovers");
    await mkdir(path);
    const [old, young] = [".model.json.0123456789ab.tmp", ".weights-0123456789abcdef.safetensors"];
    for (const name of [old, young, "notes.txt"]) await writeFile(join(path, name), "");
    await utimes(join(path, old), 0, 0);
    await writeModelFolder(path, content);
    expect((await readdir(path)).sort()).toEqual([young, "model.json", "notes.txt", "weights.safetensors"]);
  });
});

describe("atomic writing", () => {
  test("a write that fails half way leaves the old file and no other", async () => {
    const folder = join(root, "atomic");
    await mkdir(folder);
    const path = join(folder, "file");
    await writeAtomic(path, [new Uint8Array([1, 2]), new Uint8Array([3])]);
    expect([...(await readFile(path))]).toEqual([1, 2, 3]);
    function* broken() {
      yield new Uint8Array([9]);
      throw new Error("disk full");
    }
    await expect(writeAtomic(path, broken())).rejects.toThrow("disk full");
    expect([...(await readFile(path))]).toEqual([1, 2, 3]);
    expect(await readdir(folder)).toEqual(["file"]);
  });
});

describe("errors", () => {
  const damaged = async (name: string, model: string | Uint8Array) => {
    const path = join(root, name);
    await writeModelFolder(path, content);
    await writeFile(join(path, "model.json"), model);
    const error = await rejected(readModelFolder(path));
    expect(error).toMatchObject({ code: "INVALID_FILE" });
    return error.message.replace(path, "");
  };

  test.each([
    ["no JSON", "{", "/model.json: expected JSON"],
    ["no UTF-8", new Uint8Array([0xff]), "/model.json: expected JSON"],
    ["deep", "[".repeat(200_000), "/model.json: expected JSON"],
    ["a list", "[]", "/model.json: expected an object, got []"],
    ["foreign", '{"modelTopology": {}}', '/model.json: expected format "myelin", got undefined'],
    [
      "newer",
      '{"format": "myelin", "version": 2}',
      "/model.json: expected version 1, got 2; a newer myelin wrote it",
    ],
    ["odd version", '{"format": "myelin", "version": "1"}', '/model.json: expected version 1, got "1"'],
  ])("%s", async (name, model, message) => {
    expect(await damaged(name, model)).toBe(message);
  });

  test("missing folder, missing weights, a file where the folder should be", async () => {
    const none = await rejected(readModelFolder(join(root, "nothing")));
    expect(none.message).toContain("model.json: cannot be read (ENOENT");
    const path = join(root, "half");
    await writeModelFolder(path, content);
    await rm(join(path, "weights.safetensors"));
    expect((await rejected(readModelFolder(path))).message).toContain(
      "weights.safetensors: cannot be opened",
    );
    const file = join(root, "file");
    await writeFile(file, "x");
    const error = await rejected(writeModelFolder(file, content));
    expect(error).toMatchObject({ code: "INVALID_FILE" });
    expect(error.message).toContain(`${file}: cannot be written`);
  });
});

describe("damage", () => {
  test("weights of another save are refused", async () => {
    const path = join(root, "mixed");
    await writeModelFolder(path, content);
    await writeSafetensors(join(path, "weights.safetensors"), new Map([["w", tensor([9, 9])]]));
    expect(await rejected(readModelFolder(path))).toMatchObject({
      code: "INVALID_FILE",
      message: expect.stringMatching(/expected the weights that model\.json was saved with/),
    });
  });

  test("a checksum that names a path is no path", async () => {
    const path = join(root, "escape");
    await writeModelFolder(path, content);
    const file = join(path, "model.json");
    const json = JSON.parse(await readFile(file, "utf8"));
    await writeFile(file, JSON.stringify({ ...json, weights: { sha256: "../../../etc/passwd" } }));
    expect(await readModelFolder(path)).toEqual(content);
  });
});
