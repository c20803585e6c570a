// Event files as TensorBoard reads them: records with checksums (TFRecord), each an Event message in protocol buffer
// encoding (tensorflow/core/util/event.proto, summary.proto), of which only what is needed here is written.

import { appendFile, hostname, join, randomBytes, writeFile } from "../core/node.ts";

/** CRC-32C (Castagnoli), byte by byte: records are small. */
const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0x82f63b78 ^ (c >>> 1) : c >>> 1;
  return c >>> 0;
});

export function crc32c(bytes: Uint8Array): number {
  let c = 0xffffffff;
  for (const byte of bytes) c = TABLE[(c ^ byte) & 0xff]! ^ (c >>> 8);
  return (c ^ 0xffffffff) >>> 0;
}

/** As records hold it: turned and shifted, so that sums of data with sums in them are not weak. */
function masked(bytes: Uint8Array): number {
  const crc = crc32c(bytes);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}

function record(data: Uint8Array): Buffer {
  const out = Buffer.alloc(data.length + 16);
  out.writeBigUInt64LE(BigInt(data.length), 0);
  out.writeUInt32LE(masked(out.subarray(0, 8)), 8);
  out.set(data, 12);
  out.writeUInt32LE(masked(data), 12 + data.length);
  return out;
}

// ---- protocol buffers

function varint(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  while (rest > 127) {
    out.push((rest % 128) | 128);
    rest = Math.floor(rest / 128);
  }
  out.push(rest);
  return out;
}

type Field = Uint8Array;

const bytes = (field: number, data: Uint8Array): Field =>
  Buffer.concat([Uint8Array.from([(field << 3) | 2, ...varint(data.length)]), data]);
const text = (field: number, value: string): Field => bytes(field, Buffer.from(value, "utf8"));
const message = (field: number, ...parts: Field[]): Field => bytes(field, Buffer.concat(parts));
const integer = (field: number, value: number): Field => Uint8Array.from([field << 3, ...varint(value)]);

function double(field: number, value: number): Field {
  const out = Buffer.alloc(9);
  out[0] = (field << 3) | 1;
  out.writeDoubleLE(value, 1);
  return out;
}

function float(field: number, value: number): Field {
  const out = Buffer.alloc(5);
  out[0] = (field << 3) | 5;
  out.writeFloatLE(value, 1);
  return out;
}

function doubles(field: number, values: readonly number[]): Field {
  const out = Buffer.alloc(values.length * 8);
  values.forEach((v, i) => {
    out.writeDoubleLE(v, i * 8);
  });
  return bytes(field, out);
}

/** Ends of buckets as TensorBoard's own writers have them: growing by a tenth, both ways from zero. */
const EDGES = (() => {
  const positive: number[] = [];
  for (let v = 1e-12; v < 1e20; v *= 1.1) positive.push(v);
  return [...positive.map((v) => -v).reverse(), 0, ...positive, Number.MAX_VALUE];
})();

/** One file of events, opened for each: nothing stays open when a training fails. */
export class EventFile {
  private constructor(readonly path: string) {}

  /** Begins a file of a name of its own in a folder. */
  static async create(folder: string): Promise<EventFile> {
    const now = Math.floor(Date.now() / 1000);
    const name = `events.out.tfevents.${now}.${hostname()}.${process.pid}.${randomBytes(3).toString("hex")}.v2`;
    const path = join(folder, name);
    await writeFile(path, "", { flag: "wx" });
    const events = new EventFile(path);
    await events.write(0, text(3, "brain.Event:2"));
    return events;
  }

  private async write(step: number, what: Field): Promise<void> {
    const event = [double(1, Date.now() / 1000), ...(step > 0 ? [integer(2, step)] : []), what];
    await appendFile(this.path, record(Buffer.concat(event)));
  }

  /** A number at a step. */
  async scalar(tag: string, value: number, step: number): Promise<void> {
    await this.write(step, message(5, message(1, text(1, tag), float(2, value))));
  }

  /** How numbers are distributed at a step; those that are none are left out. */
  async histogram(tag: string, values: ArrayLike<number>, step: number): Promise<void> {
    const counts = new Float64Array(EDGES.length);
    let [min, max, sum, squares, count] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 0, 0, 0];
    for (let i = 0; i < values.length; i++) {
      const v = values[i]!;
      if (!Number.isFinite(v)) continue;
      counts[bucketOf(v)]!++;
      min = Math.min(min, v);
      max = Math.max(max, v);
      sum += v;
      squares += v * v;
      count++;
    }
    const used = [...counts.keys()].filter((i) => counts[i]! > 0);
    const [first, last] = [used[0] ?? 0, used.at(-1) ?? -1];
    const limits = EDGES.slice(first, last + 1);
    const numbers = [double(1, count ? min : 0), double(2, count ? max : 0), double(3, count), double(4, sum), double(5, squares)]; // biome-ignore format: one line
    const histogram = [
      ...numbers,
      doubles(6, limits),
      doubles(7, Array.from(counts.subarray(first, last + 1))),
    ];
    await this.write(step, message(5, message(1, text(1, tag), message(5, ...histogram))));
  }

  /** A graph of named nodes. */
  async graph(nodes: readonly { name: string; op: string; inputs: readonly string[] }[]): Promise<void> {
    const encoded = nodes.map(({ name, op, inputs }) =>
      message(1, text(1, name), text(2, op), ...inputs.map((i) => text(3, i))),
    );
    const version = message(4, integer(1, 1395));
    await this.write(0, bytes(4, Buffer.concat([...encoded, version])));
  }
}

/** The first bucket whose end is not below a value. */
function bucketOf(value: number): number {
  let [low, high] = [0, EDGES.length - 1];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (EDGES[middle]! < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
