// The safetensors format: an 8-byte little-endian header length, a JSON header, then the tensors' bytes. Everything read
// is treated as hostile: nothing is allocated by a size that the file itself does not have.

import { allocateHost, BYTES, type DType, type HostArray } from "../core/dtype.ts";
import { describe, MyelinError } from "../core/errors.ts";
import { nextTurn } from "../core/next-turn.ts";
import { createHash, open } from "../core/node.ts";
import { formatShape, MAX_RANK, type Shape, sizeOf } from "../core/shape.ts";
import { Tensor } from "../core/tensor.ts";
import { writeAtomic } from "./atomic.ts";

/** Tensors by name, in file order, and the file's free-form metadata. */
export interface Safetensors {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

const TO_FILE: Readonly<Record<DType, string>> = { float32: "F32", int32: "I32", uint8: "U8", bool: "BOOL" };
const FROM_FILE: ReadonlyMap<string, DType> = new Map(
  Object.entries(TO_FILE).map(([dtype, code]) => [code, dtype as DType]),
);

/** The format's own limit. */
const MAX_HEADER = 100_000_000;
const PREFIX = 8;
const METADATA = "__metadata__";
/** Where files of ours say what their data must add up to. Files of others need not. */
const CHECKSUM = "sha256";
/** Bytes hashed in one go: about a millisecond of the event loop. */
const HASHED_AT_ONCE = 2 ** 20;
/** One read call moves less than 2 GiB. */
const MAX_READ = 2 ** 30;

// ---- writing

/**
 * The whole file as bytes. float32, int32, uint8 and bool; wide elements first, so that every tensor is aligned.
 * @example const bytes = encodeSafetensors(new Map([["w", tensor([1, 2])]]));
 */
export function encodeSafetensors(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array {
  const parts = layOut(tensors, metadata);
  const out = new Uint8Array(parts.reduce((sum, p) => sum + p.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.byteLength;
  }
  return out;
}

/**
 * Writes a safetensors file; the old one stays whole until the new one is. Its metadata say what the data's bytes add up
 * to, and reading checks it.
 */
export async function writeSafetensors(
  path: string,
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  const sum = metadata[CHECKSUM] ?? (await checksum(tensors));
  await writeAtomic(path, layOut(tensors, { ...metadata, [CHECKSUM]: sum }));
}

/** SHA-256 of the tensors' bytes as a file holds them, in hexadecimal. */
export async function checksum(tensors: ReadonlyMap<string, Tensor>): Promise<string> {
  const hash = createHash("sha256");
  for (const [, t] of inFileOrder(tensors)) await addTo(hash, bytesOf(t));
  return hash.digest("hex");
}

async function addTo(hash: ReturnType<typeof createHash>, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.byteLength; at += HASHED_AT_ONCE) {
    hash.update(bytes.subarray(at, at + HASHED_AT_ONCE));
    if (bytes.byteLength > HASHED_AT_ONCE) await new Promise<void>(nextTurn);
  }
}

function inFileOrder(tensors: ReadonlyMap<string, Tensor>): [string, Tensor][] {
  return [...tensors].sort(([, a], [, b]) => BYTES[b.dtype] - BYTES[a.dtype]);
}

/** Header and data in file order, without copying the data. */
function layOut(
  tensors: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array[] {
  const header: [string, unknown][] = [];
  if (Object.keys(metadata).length > 0) header.push([METADATA, metadata]);
  const data: Uint8Array[] = [];
  let end = 0;
  for (const [name, t] of inFileOrder(tensors)) {
    if (name === METADATA || name === "__proto__") {
      throw new MyelinError("INVALID_ARGUMENT", `safetensors: ${describe(name)} cannot be a tensor's name`);
    }
    const bytes = bytesOf(t);
    header.push([
      name,
      { dtype: TO_FILE[t.dtype], shape: t.shape, data_offsets: [end, end + bytes.byteLength] },
    ]);
    data.push(bytes);
    end += bytes.byteLength;
  }
  const text = new TextEncoder().encode(JSON.stringify(Object.fromEntries(header)));
  // Padded with spaces, so that the data start at a multiple of 8.
  const start = new Uint8Array(PREFIX + Math.ceil(text.length / 8) * 8).fill(0x20);
  new DataView(start.buffer).setBigUint64(0, BigInt(start.length - PREFIX), true);
  start.set(text, PREFIX);
  return [start, ...data];
}

function bytesOf(t: Tensor): Uint8Array {
  const data = t.data instanceof Float64Array ? Float32Array.from(t.data) : t.data;
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

// ---- reading

/**
 * Reads a file's bytes.
 * @param where names the source in errors
 * @throws INVALID_FILE naming the tensor
 */
export function decodeSafetensors(bytes: Uint8Array, where = "safetensors"): Safetensors {
  const length = headerLength(where, bytes, bytes.byteLength);
  const start = PREFIX + length;
  const { entries, metadata } = parseHeader(where, bytes.subarray(PREFIX, start), bytes.byteLength - start);
  const tensors = new Map<string, Tensor>();
  for (const { name, dtype, shape, begin, end } of entries) {
    const data = allocateHost(dtype, sizeOf(shape));
    rawBytes(data).set(bytes.subarray(start + begin, start + end));
    tensors.set(name, finish(where, name, data, shape, dtype));
  }
  return { tensors, metadata };
}

/** Reads a file, tensor by tensor. @throws INVALID_FILE naming the tensor */
export async function readSafetensors(path: string): Promise<Safetensors> {
  const file = await open(path, "r").catch((cause: unknown) => {
    throw new MyelinError("INVALID_FILE", `${path}: cannot be opened (${(cause as Error).message})`, {
      cause,
    });
  });
  try {
    const info = await file.stat();
    if (!info.isFile()) throw bad(path, "expected a file");
    const { size } = info;
    const readInto = async (into: Uint8Array, from: number): Promise<void> => {
      for (let at = 0; at < into.byteLength; ) {
        const length = Math.min(MAX_READ, into.byteLength - at);
        const { bytesRead } = await file.read(into, at, length, from + at);
        if (bytesRead === 0) throw bad(path, "the file ends too early");
        at += bytesRead;
      }
    };
    const prefix = new Uint8Array(Math.min(PREFIX, size));
    await readInto(prefix, 0);
    const length = headerLength(path, prefix, size);
    const header = new Uint8Array(length);
    await readInto(header, PREFIX);
    const { entries, metadata } = parseHeader(path, header, size - PREFIX - length);
    const tensors = new Map<string, Tensor>();
    const expected = metadata[CHECKSUM];
    const hash = expected === undefined ? undefined : createHash("sha256");
    // Entries are in the order of their bytes, without gaps.
    for (const { name, dtype, shape, begin } of entries) {
      const data = allocateFor(path, name, dtype, shape);
      await readInto(rawBytes(data), PREFIX + length + begin);
      if (hash) await addTo(hash, rawBytes(data));
      tensors.set(name, finish(path, name, data, shape, dtype));
    }
    const sum = hash?.digest("hex");
    if (sum !== expected) throw bad(path, `damaged: expected data of sha256 ${expected}, got ${sum}`);
    return { tensors, metadata };
  } finally {
    await file.close();
  }
}

interface Entry {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  readonly begin: number;
  readonly end: number;
}

function bad(where: string, what: string, cause?: unknown): MyelinError {
  return new MyelinError("INVALID_FILE", `${where}: ${what}`, cause === undefined ? undefined : { cause });
}

/** @param start at least the first 8 bytes, when the file has as many */
function headerLength(where: string, start: Uint8Array, fileSize: number): number {
  if (fileSize < PREFIX) throw bad(where, `expected at least ${PREFIX} bytes, got ${fileSize}`);
  const length = new DataView(start.buffer, start.byteOffset, PREFIX).getBigUint64(0, true);
  if (length > BigInt(Math.min(MAX_HEADER, fileSize - PREFIX))) {
    throw bad(
      where,
      `expected a header of at most ${Math.min(MAX_HEADER, fileSize - PREFIX)} bytes, got ${length}`,
    );
  }
  return Number(length);
}

/** Every entry checked: known dtype, sizes that multiply to the bytes given, ranges that cover the data exactly. */
function parseHeader(
  where: string,
  bytes: Uint8Array,
  dataLength: number,
): { entries: Entry[]; metadata: Record<string, string> } {
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    header = JSON.parse(text);
  } catch (cause) {
    throw bad(where, "the header is no JSON", cause);
  }
  if (typeof header !== "object" || header === null || Array.isArray(header)) {
    throw bad(where, `expected the header to be an object, got ${describe(header)}`);
  }
  const twice = repeatedKey(text);
  if (twice !== undefined) throw bad(where, `tensor ${describe(twice)} is named twice`);
  const entries: Entry[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, value] of Object.entries(header)) {
    if (name === METADATA) metadata = checkMetadata(where, value);
    else entries.push(checkEntry(where, name, value, dataLength));
  }
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let covered = 0;
  for (const { name, begin, end } of entries) {
    if (begin !== covered) {
      const what = begin < covered ? "overlaps the tensor before it" : "leaves a gap before it";
      throw bad(where, `tensor ${describe(name)} ${what}: expected to begin at ${covered}, got ${begin}`);
    }
    covered = end;
  }
  if (covered !== dataLength) {
    throw bad(where, `expected ${covered} bytes of data, as the tensors need, got ${dataLength}`);
  }
  return { entries, metadata };
}

function checkMetadata(where: string, value: unknown): Record<string, string> {
  const ok = typeof value === "object" && value !== null && !Array.isArray(value);
  if (!ok || !Object.entries(value).every(([k, v]) => typeof v === "string" && k !== "__proto__")) {
    throw bad(where, "expected the metadata to be strings by name");
  }
  return value as Record<string, string>;
}

function checkEntry(where: string, name: string, value: unknown, dataLength: number): Entry {
  const fail = (what: string) => bad(where, `tensor ${describe(name)}: ${what}`);
  if (name === "__proto__" || name.length > 4096) throw fail("not a possible name");
  if (typeof value !== "object" || value === null) throw fail(`expected an object, got ${describe(value)}`);
  const { dtype: code, shape, data_offsets: offsets } = value as Record<string, unknown>;
  const dtype = typeof code === "string" ? FROM_FILE.get(code) : undefined;
  if (!dtype) throw fail(`expected dtype ${[...FROM_FILE.keys()].join(", ")}, got ${describe(code)}`);
  if (!isCounts(shape) || shape.length > MAX_RANK) {
    throw fail(`expected a shape of at most ${MAX_RANK} sizes, got ${describe(shape)}`);
  }
  if (!isCounts(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]! || offsets[1]! > dataLength) {
    throw fail(`expected data_offsets within the ${dataLength} bytes of data, got ${describe(offsets)}`);
  }
  const [begin, end] = offsets as [number, number];
  const needed = sizeOf(shape) * BYTES[dtype];
  if (needed !== end - begin) {
    throw fail(`${code}${formatShape(shape)} needs ${needed} bytes, its data_offsets give ${end - begin}`);
  }
  return { name, dtype, shape, begin, end };
}

/** Non-negative whole numbers that can be multiplied without loss. */
function isCounts(x: unknown): x is number[] {
  return Array.isArray(x) && x.every((d) => Number.isSafeInteger(d) && d >= 0);
}

/** The first key that a JSON object (known to be valid) has twice; JSON.parse keeps the last and says nothing. */
function repeatedKey(text: string): string | undefined {
  const seen = new Set<string>();
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === 0x7b || c === 0x5b) depth++;
    else if (c === 0x7d || c === 0x5d) depth--;
    else if (c === 0x22) {
      const from = i++;
      while (text.charCodeAt(i) !== 0x22) i += text.charCodeAt(i) === 0x5c ? 2 : 1;
      if (depth !== 1 || !isKey(text, i + 1)) continue;
      const key = JSON.parse(text.slice(from, i + 1)) as string;
      if (seen.has(key)) return key;
      seen.add(key);
    }
  }
  return undefined;
}

/** Whether a colon follows, after white space. */
function isKey(text: string, from: number): boolean {
  let i = from;
  while (text.charCodeAt(i) <= 0x20) i++;
  return text.charCodeAt(i) === 0x3a;
}

function allocateFor(where: string, name: string, dtype: DType, shape: Shape): HostArray {
  try {
    return allocateHost(dtype, sizeOf(shape));
  } catch (cause) {
    throw new MyelinError(
      "OUT_OF_MEMORY",
      `${where}: tensor ${describe(name)} ${formatShape(shape)} is too large`,
      {
        cause,
      },
    );
  }
}

function rawBytes(data: HostArray): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

function finish(where: string, name: string, data: HostArray, shape: Shape, dtype: DType): Tensor {
  if (dtype === "bool" && (data as Uint8Array).some((b) => b > 1)) {
    throw bad(where, `tensor ${describe(name)}: expected 0 or 1 in a BOOL tensor`);
  }
  return new Tensor(data, shape, dtype);
}
