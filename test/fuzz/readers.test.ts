// Damaged inputs are errors that say what is wrong, whoever reads them: those kept of earlier hunts, and some new ones. Longer
// hunts: npm run check:fuzz.

import { afterAll, beforeAll, expect, it } from "vitest";
import { Random } from "../../src/core/random.ts";
import { corpusOf, type Found, hunt } from "./hunt.ts";
import { makeReaders, type Reader } from "./readers.ts";

const NAMES = ["safetensors", "model.json", "architecture", "tabular", "idx", "wav", "csv", "text"];

let readers: Reader[];
let close: () => Promise<void>;
beforeAll(async () => {
  ({ readers, close } = await makeReaders());
});
afterAll(() => close());

it("knows all readers", () => {
  expect(readers.map((r) => r.name)).toEqual(NAMES);
});

it.each(NAMES)("%s", async (name) => {
  const reader = readers.find((r) => r.name === name)!;
  expect(corpusOf(name).length).toBeGreaterThan(0);
  const wrong: Found[] = [];
  await hunt(
    reader,
    new Random(1, 0xf022),
    (tried) => tried >= 300,
    (found) => found.wrong && wrong.push(found),
  );
  expect(wrong.map((w) => [w.wrong, new TextDecoder().decode(w.input)])).toEqual([]);
});
