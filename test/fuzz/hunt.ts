// The hunt: inputs are damaged at random; one that makes a reader do something new is kept and damaged further.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { MyelinError } from "../../src/core/errors.ts";
import type { Random } from "../../src/core/random.ts";
import { pick } from "./mutate.ts";
import type { Reader } from "./readers.ts";

export const CORPUS = fileURLToPath(new URL("corpus/", import.meta.url));

/** Host memory that reading a few kilobytes may take, and the time. */
const MOST_BYTES = 64 * 2 ** 20;
const MOST_MS = 5000;

/** What a reader made of an input: what tells outcomes apart, and what is wrong with this one, if anything. */
export async function outcomeOf(
  reader: Reader,
  input: Uint8Array,
): Promise<{ kind: string; wrong?: string }> {
  const before = process.memoryUsage().arrayBuffers;
  const begun = performance.now();
  let kind = "read";
  let wrong: string | undefined;
  try {
    await reader.read(input);
  } catch (error) {
    if (error instanceof MyelinError && error.code !== "INTERNAL") {
      kind = siteOf(error);
    } else wrong = `threw ${(error as Error)?.stack ?? error}`;
  }
  const taken = process.memoryUsage().arrayBuffers - before;
  if (taken > MOST_BYTES) wrong = `took ${taken} bytes`;
  if (performance.now() - begun > MOST_MS) wrong = `took ${performance.now() - begun} ms`;
  const added = Object.keys(Object.prototype).concat(Object.keys(Array.prototype));
  if (added.length > 0) wrong = `gave every object ${added}`;
  return { kind, ...(wrong && { wrong }) };
}

/** Where in the library an error was made: messages tell too many apart. */
function siteOf(error: Error): string {
  const frames = (error.stack ?? "")
    .split("\n")
    .filter((line) => /\/src\/(?!core\/(errors|options))/.test(line));
  return frames
    .slice(0, 2)
    .join()
    .replace(/file:.*?\/src\//g, "");
}

/** Inputs kept of earlier hunts. */
export function corpusOf(name: string): Uint8Array[] {
  try {
    const folder = join(CORPUS, name);
    return readdirSync(folder)
      .sort()
      .map((file) => Uint8Array.from(readFileSync(join(folder, file))));
  } catch {
    return [];
  }
}

export interface Found {
  readonly input: Uint8Array;
  readonly kind: string;
  readonly wrong?: string;
}

/** Goes on until `isOver`; tells of every input with a new outcome, and of every one that is wrong. */
export async function hunt(
  reader: Reader,
  random: Random,
  isOver: (tried: number) => boolean,
  onFound: (found: Found) => void = () => {},
): Promise<number> {
  const known = [...reader.seeds, ...corpusOf(reader.name)];
  const kinds = new Set<string>();
  for (const input of known) {
    const { kind, wrong } = await outcomeOf(reader, input);
    kinds.add(kind);
    if (wrong) onFound({ input, kind, wrong });
  }
  let tried = 0;
  for (; !isOver(tried); tried++) {
    const input = reader.mutate(random, pick(random, known), pick(random, known));
    const { kind, wrong } = await outcomeOf(reader, input);
    if (wrong) onFound({ input, kind, wrong });
    else if (!kinds.has(kind)) {
      kinds.add(kind);
      known.push(input);
      onFound({ input, kind });
    }
  }
  return tried;
}
