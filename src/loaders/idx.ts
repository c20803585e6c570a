// "myelin/idx": the format of MNIST and its relatives (Yann LeCun, "The MNIST database of handwritten digits").

import type { DType } from "../core/dtype.ts";
import { MyelinError } from "../core/errors.ts";
import { checkInteger, checkOptions } from "../core/options.ts";
import { formatShape, MAX_RANK, sizeOf } from "../core/shape.ts";
import { Tensor } from "../core/tensor.ts";
import { type FileSource, nameOf, readBytes } from "./source.ts";

export interface IdxOptions {
  /** Read at most so many rows of the first axis. */
  limit?: number;
  /** Refuse files that promise more elements, before memory is taken. Default 2^31. */
  maxElements?: number;
}

/** What a header promises is believed as it arrives: a few wrong bytes must not take all memory. */
const FIRST_ROOM = 1 << 24;

interface Element {
  readonly bytes: number;
  readonly dtype: DType;
  read(view: DataView, at: number): number;
}

/** Numbers are stored with the most significant byte first. */
const ELEMENTS: Readonly<Record<number, Element>> = {
  8: { bytes: 1, dtype: "uint8", read: (v, at) => v.getUint8(at) },
  9: { bytes: 1, dtype: "int32", read: (v, at) => v.getInt8(at) },
  11: { bytes: 2, dtype: "int32", read: (v, at) => v.getInt16(at) },
  12: { bytes: 4, dtype: "int32", read: (v, at) => v.getInt32(at) },
  13: { bytes: 4, dtype: "float32", read: (v, at) => v.getFloat32(at) },
  14: { bytes: 8, dtype: "float32", read: (v, at) => v.getFloat64(at) },
};

/**
 * An IDX file as a Tensor: uint8 for unsigned bytes, int32 for all other integers, float32 for both kinds of floats.
 * Files ending in .gz are unpacked on the way.
 * @throws INVALID_FILE there is no such file, it is no IDX file, larger than `maxElements`, or ends too early or too late
 * @example const images = await readIdx("train-images-idx3-ubyte.gz", { limit: 10_000 });   // uint8 [10000, 28, 28]
 */
export async function readIdx(source: FileSource, options?: IdxOptions): Promise<Tensor> {
  const where = "readIdx";
  const o = checkOptions(where, options, ["limit", "maxElements"]);
  const limit = o.limit === undefined ? Infinity : checkInteger(where, "limit", o.limit);
  const most = checkInteger(where, "maxElements", o.maxElements ?? 2 ** 31, 1);
  const broken = (message: string): MyelinError =>
    new MyelinError("INVALID_FILE", `${where}: ${JSON.stringify(nameOf(source))}: ${message}`);

  let head: Buffer = Buffer.alloc(0);
  let header: { element: Element; shape: number[]; whole: boolean } | undefined;
  let body = new Uint8Array(0);
  let promised = 0;
  let filled = 0;
  for await (const chunk of readBytes(where, source)) {
    let rest: Uint8Array = chunk;
    if (!header) {
      head = Buffer.concat([head, chunk]);
      const rank = readRank(head, broken);
      if (rank === undefined || head.length < 4 + 4 * rank) continue;
      header = readHeader(head, rank, limit, most, broken);
      promised = sizeOf(header.shape) * header.element.bytes;
      body = new Uint8Array(Math.min(promised, FIRST_ROOM));
      rest = head.subarray(4 + 4 * rank);
    }
    if (filled + rest.length > promised) {
      if (header.whole)
        throw broken(`expected ${promised} bytes for shape ${formatShape(header.shape)}, got more`);
      rest = rest.subarray(0, promised - filled);
    }
    if (filled + rest.length > body.length) {
      const wider = new Uint8Array(Math.min(promised, Math.max(2 * body.length, filled + rest.length)));
      wider.set(body.subarray(0, filled));
      body = wider;
    }
    body.set(rest, filled);
    filled += rest.length;
    if (filled === promised && !header.whole) break;
  }
  if (!header) throw broken(`expected a header, got the end of the file after ${head.length} bytes`);
  const { element, shape } = header;
  if (filled < promised)
    throw broken(
      `expected ${promised} bytes for shape ${formatShape(shape)}, got the end of the file after ${filled}`,
    );
  if (element.bytes === 1 && element.dtype === "uint8") return new Tensor(body, shape, "uint8");
  const view = new DataView(body.buffer);
  const data = new (element.dtype === "int32" ? Int32Array : Float32Array)(sizeOf(shape));
  for (let i = 0; i < data.length; i++) data[i] = element.read(view, i * element.bytes);
  return new Tensor(data, shape, element.dtype);
}

function readRank(head: Buffer, broken: (message: string) => MyelinError): number | undefined {
  if (head.length < 4) return undefined;
  if (head[0] !== 0 || head[1] !== 0 || !ELEMENTS[head[2]!])
    throw broken(
      `expected an IDX file (0x0000, a known type, the rank), got 0x${head.subarray(0, 4).toString("hex")}`,
    );
  const rank = head[3]!;
  if (rank > MAX_RANK) throw broken(`expected a rank of at most ${MAX_RANK}, got ${rank}`);
  return rank;
}

function readHeader(
  head: Buffer,
  rank: number,
  limit: number,
  most: number,
  broken: (message: string) => MyelinError,
): { element: Element; shape: number[]; whole: boolean } {
  const shape = Array.from({ length: rank }, (_, i) => head.readUInt32BE(4 + 4 * i));
  const rows = shape[0];
  if (rows !== undefined) shape[0] = Math.min(rows, limit);
  if (sizeOf(shape) > most)
    throw broken(
      `expected at most ${most} elements, got shape ${formatShape(shape)}; raise maxElements or set limit`,
    );
  return { element: ELEMENTS[head[2]!]!, shape, whole: rows === shape[0] };
}
