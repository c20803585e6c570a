// Where a loader reads from: a path, a URL, or a stream of text or bytes. Gunzips what ends in .gz.

import { createReadStream } from "node:fs";
import { pipeline, Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { describe, MyelinError } from "../core/errors.ts";

/** A path, a file: or https: URL, or a stream of strings or bytes. */
export type FileSource = string | URL | AsyncIterable<string | Uint8Array> | Iterable<string | Uint8Array>;

/** Few, large chunks: parsers have a cost per chunk. */
const CHUNK = 1 << 20;

/** How messages name a source. */
export function nameOf(source: FileSource): string {
  return typeof source === "string" ? source : source instanceof URL ? source.href : "the stream";
}

/** Whether a source can be read a second time. */
export function isNamed(source: FileSource): source is string | URL {
  return typeof source === "string" || source instanceof URL;
}

/**
 * The bytes of a source, from the beginning; leaving early closes the file.
 * @throws INVALID_FILE it cannot be opened, read or gunzipped
 */
export async function* readBytes(where: string, source: FileSource): AsyncGenerator<Uint8Array> {
  const name = nameOf(source);
  try {
    const { bytes, zipped } = await open(where, source);
    // pipeline hands errors on and destroys both ends when one is left.
    const out = zipped ? pipeline(bytes, createGunzip({ chunkSize: CHUNK }), () => {}) : bytes;
    for await (const chunk of out)
      yield typeof chunk === "string" ? Buffer.from(chunk) : (chunk as Uint8Array);
  } catch (error) {
    if (error instanceof MyelinError || (error as Error)?.name === "AbortError") throw error;
    throw unreadable(where, name, error);
  }
}

/** A whole source. */
export async function readAll(where: string, source: FileSource): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of readBytes(where, source)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export function unreadable(where: string, name: string, error: unknown): MyelinError {
  const { code, message } = error as NodeJS.ErrnoException;
  const reason =
    code === "ENOENT"
      ? "there is no such file"
      : code === "EISDIR"
        ? "it is a folder"
        : message || String(error);
  return new MyelinError("INVALID_FILE", `${where}: cannot read ${JSON.stringify(name)}: ${reason}`, {
    cause: error,
  });
}

async function open(where: string, source: FileSource): Promise<{ bytes: Readable; zipped: boolean }> {
  if (isNamed(source)) {
    const isRemote = /^https?:/.test(String(source));
    const path = source instanceof URL || isRemote ? new URL(source).pathname : source;
    const zipped = path.endsWith(".gz");
    if (!isRemote) return { bytes: createReadStream(source, { highWaterMark: CHUNK }), zipped };
    const response = await fetch(source);
    if (!response.ok || !response.body)
      throw new Error(`the server answered ${response.status} ${response.statusText}`);
    // fetch has unpacked already what the server packed for the way.
    const unpacked = response.headers.get("content-encoding") === "gzip";
    return { bytes: Readable.fromWeb(response.body as never), zipped: zipped && !unpacked };
  }
  if (
    typeof source === "object" &&
    source !== null &&
    (Symbol.asyncIterator in source || Symbol.iterator in source)
  )
    return { bytes: Readable.from(source), zipped: false };
  throw new MyelinError(
    "INVALID_ARGUMENT",
    `${where}: expected a path, a URL or a stream, got ${describe(source)}`,
  );
}
