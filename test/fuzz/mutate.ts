// Damage: bytes and JSON changed at random, the same for the same source of numbers.

import type { Random } from "../../src/core/random.ts";

/** Whole numbers below n. */
export const below = (random: Random, n: number): number => Math.floor(random.uniform() * n);
export const pick = <T>(random: Random, list: readonly T[]): T => list[below(random, list.length)]!;

/** What sizes and counts are most likely wrong about. */
const BYTES = [0, 1, 2, 0x7f, 0x80, 0xfe, 0xff];
const MOST_BYTES = 1 << 16;

/** One to four changes: bits, bytes, words, runs taken out, doubled, or taken from another input. */
export function mutateBytes(random: Random, input: Uint8Array, other: Uint8Array): Uint8Array {
  let bytes = Array.from(input);
  for (let n = 1 + below(random, 4); n > 0; n--) {
    const at = below(random, bytes.length + 1);
    const length = 1 + below(random, Math.min(64, bytes.length + 1));
    switch (below(random, 8)) {
      case 0:
        if (at < bytes.length) bytes[at]! ^= 1 << below(random, 8);
        break;
      case 1:
        if (at < bytes.length) bytes[at] = pick(random, BYTES);
        break;
      case 2: // a word, as sizes are
        for (let i = 0; i < 4 && at + i < bytes.length; i++) bytes[at + i] = pick(random, BYTES);
        break;
      case 3:
        bytes.splice(at, length);
        break;
      case 4:
        bytes.splice(at, 0, ...bytes.slice(at, at + length));
        break;
      case 5: {
        const from = below(random, other.length + 1);
        bytes.splice(at, below(random, length + 1), ...other.slice(from, from + length));
        break;
      }
      case 6:
        bytes.length = at;
        break;
      case 7: // text: a number, a quote, an end of line
        bytes.splice(
          at,
          0,
          ...Buffer.from(pick(random, ["-1", "1e999", '"', "\n", ",", "\0", "9".repeat(20), "{"])),
        );
        break;
    }
    bytes = bytes.slice(0, MOST_BYTES);
  }
  return Uint8Array.from(bytes);
}

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

const ODD: readonly Json[] = [
  null, true, 0, -1, 0.5, 1e9, 2 ** 31, 2 ** 53, 1e308, "", "constructor", "../../etc/passwd", "a".repeat(5000),
  [], {}, [[]], [null], [-1], [1e9, 1e9], { className: "Dense" }, { className: "Lambda", config: {} },
]; // biome-ignore format: a list

/** One to three places of a document replaced, removed, or swapped with others of it. */
export function mutateJson(random: Random, text: string): string {
  let document = JSON.parse(text) as Json;
  for (let n = 1 + below(random, 3); n > 0; n--) {
    const places = placesOf(document);
    if (places.length === 0) return JSON.stringify(document);
    const { holder, key } = pick(random, places);
    const from = pick(random, places);
    const container = holder as Record<string | number, Json>;
    switch (below(random, 5)) {
      case 0:
      case 1:
        container[key] = structuredClone(pick(random, ODD));
        break;
      case 2:
        if (Array.isArray(holder)) holder.splice(key as number, 1);
        else delete container[key];
        break;
      case 3:
        container[key] = structuredClone((from.holder as Record<string | number, Json>)[from.key]!);
        break;
      case 4: {
        const value = container[key];
        container[key] = typeof value === "number" ? value * pick(random, [-1, 2, 0.5, 1e6]) : [value!];
        break;
      }
    }
    document = JSON.parse(JSON.stringify(document)) as Json;
  }
  const changed = JSON.stringify(document);
  // A name that only text can have.
  return below(random, 20) === 0 ? changed.replace(/"config"/, '"__proto__"') : changed;
}

interface Place {
  readonly holder: Json[] | { [name: string]: Json };
  readonly key: string | number;
}

function placesOf(document: Json): Place[] {
  if (document === null || typeof document !== "object") return [];
  const keys = Array.isArray(document) ? document.keys() : Object.keys(document);
  return [...keys].flatMap((key) => [
    { holder: document, key },
    ...placesOf((document as Record<string | number, Json>)[key]!),
  ]);
}
