// WAV files as samples and back ("myelin/audio"): PCM of 8, 16, 24 and 32 bits and floats of 32 and 64. Every size in a file
// is checked against the file before anything is made of it.

import { writeFile } from "node:fs/promises";
import { describe, MyelinError } from "../core/errors.ts";
import { checkInteger, checkOptions } from "../core/options.ts";
import { Tensor } from "../core/tensor.ts";
import { stack } from "../data/stack.ts";
import {
  DIRECTORY_OPTIONS,
  type Directory,
  type DirectoryElement,
  type DirectoryOptions,
  labelledFiles,
} from "./labelled-files.ts";
import { type FileSource, nameOf, readAll } from "./source.ts";

export interface Sound {
  /** float32 [frames, channels], in [-1, 1]. */
  readonly samples: Tensor;
  /** Frames a second. */
  readonly sampleRate: number;
}

/** How samples are stored, by format code and bits. */
const READERS: Readonly<Record<string, (v: DataView, at: number) => number>> = {
  "1/8": (v, at) => (v.getUint8(at) - 128) / 128,
  "1/16": (v, at) => v.getInt16(at, true) / 32768,
  "1/24": (v, at) => ((v.getInt8(at + 2) << 16) | v.getUint16(at, true)) / 8388608,
  "1/32": (v, at) => v.getInt32(at, true) / 2147483648,
  "3/32": (v, at) => v.getFloat32(at, true),
  "3/64": (v, at) => v.getFloat64(at, true),
};

/** Stands for a format that follows in the extension. */
const EXTENSIBLE = 0xfffe;

/**
 * Reads a WAV file.
 * @param source a path, a URL, a stream, or the bytes themselves
 * @throws INVALID_FILE, naming the file and what is wrong
 */
export async function readWav(source: FileSource | Uint8Array): Promise<Sound> {
  const where = "readWav";
  if (source instanceof Uint8Array) return parseWav(where, "the bytes", source);
  return parseWav(where, nameOf(source), await readAll(where, source));
}

interface Format {
  readonly read: (v: DataView, at: number) => number;
  readonly channels: number;
  readonly sampleRate: number;
  /** Bytes of a frame. */
  readonly align: number;
  readonly bytes: number;
}

function parseWav(where: string, name: string, bytes: Uint8Array): Sound {
  const wrong = (expected: string, came: string) =>
    new MyelinError("INVALID_FILE", `${where}: ${name}: expected ${expected}, got ${came}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tag = (at: number) => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (bytes.length < 12 || tag(0) !== "RIFF" || tag(8) !== "WAVE") {
    throw wrong("a WAV file (RIFF ... WAVE)", bytes.length < 12 ? `${bytes.length} bytes` : describe(tag(0)));
  }
  let format: Format | undefined;
  for (let at = 12; at + 8 <= bytes.length; ) {
    const [id, size] = [tag(at), view.getUint32(at + 4, true)];
    const begin = at + 8;
    if (id === "fmt ") {
      if (size < 16 || begin + size > bytes.length) throw wrong("a whole fmt chunk", `one of ${size} bytes`);
      format = readFormat(view, begin, size, wrong);
    } else if (id === "data") {
      if (!format) throw wrong("a fmt chunk before data", "none");
      if (begin + size > bytes.length) throw wrong(`${size} bytes of samples`, `${bytes.length - begin}`);
      return readSamples(view, begin, size, format);
    }
    // Chunks begin at even places.
    at = begin + size + (size % 2);
  }
  throw wrong("a data chunk", "none");
}

function readFormat(
  view: DataView,
  at: number,
  size: number,
  wrong: (expected: string, came: string) => MyelinError,
): Format {
  const given = view.getUint16(at, true);
  const code = given === EXTENSIBLE && size >= 26 ? view.getUint16(at + 24, true) : given;
  const [channels, sampleRate] = [view.getUint16(at + 2, true), view.getUint32(at + 4, true)];
  const [align, bits] = [view.getUint16(at + 12, true), view.getUint16(at + 14, true)];
  const read = READERS[`${code}/${bits}`];
  if (!read) throw wrong("PCM of 8, 16, 24 or 32 bits, or floats", `format ${code} of ${bits} bits`);
  if (channels === 0 || sampleRate === 0 || align !== (channels * bits) / 8) {
    throw wrong("channels, a sample rate and frames of their size", `${channels} channels, ${sampleRate} Hz, ${align} bytes`); // biome-ignore format: one line
  }
  return { read, channels, sampleRate, align, bytes: bits / 8 };
}

function readSamples(view: DataView, begin: number, size: number, f: Format): Sound {
  const frames = Math.floor(size / f.align);
  const out = new Float32Array(frames * f.channels);
  for (let i = 0; i < out.length; i++) out[i] = f.read(view, begin + i * f.bytes);
  return { samples: new Tensor(out, [frames, f.channels], "float32"), sampleRate: f.sampleRate };
}

/** Writes samples [frames] or [frames, channels] as a WAV file of 16 bits; values outside [-1, 1] are cut. */
export async function writeWav(path: string, samples: Tensor, sampleRate: number): Promise<void> {
  const where = "writeWav";
  checkInteger(where, "sampleRate", sampleRate, 1, 2 ** 31);
  if (!(samples instanceof Tensor) || samples.rank < 1 || samples.rank > 2) {
    throw new MyelinError(
      "INVALID_ARGUMENT",
      `${where}: expected samples [frames] or [frames, channels], got ${describe(samples)}`,
    );
  }
  const channels = samples.shape[1] ?? 1;
  const data = Buffer.alloc(44 + samples.size * 2);
  data.write("RIFF", 0, "latin1");
  data.writeUInt32LE(data.length - 8, 4);
  data.write("WAVEfmt ", 8, "latin1");
  data.writeUInt32LE(16, 16);
  data.writeUInt16LE(1, 20);
  data.writeUInt16LE(channels, 22);
  data.writeUInt32LE(sampleRate, 24);
  data.writeUInt32LE(sampleRate * channels * 2, 28);
  data.writeUInt16LE(channels * 2, 32);
  data.writeUInt16LE(16, 34);
  data.write("data", 36, "latin1");
  data.writeUInt32LE(samples.size * 2, 40);
  for (let i = 0; i < samples.size; i++) {
    const v = Math.round(samples.data[i]! * 32768);
    data.writeInt16LE(Math.max(-32768, Math.min(32767, Number.isNaN(v) ? 0 : v)), 44 + i * 2);
  }
  await writeFile(path, data);
}

/** Samples of a Kaiser window's half width at the lower rate: more is sharper and slower. */
const HALF_WIDTH = 16;

/**
 * Samples [frames, channels] at another rate: band-limited interpolation with a windowed sinc (Smith, "Digital Audio
 * Resampling Home Page"), cut below half of the lower rate.
 */
export function resample(sound: Sound, sampleRate: number): Sound {
  const to = checkInteger("resample", "sampleRate", sampleRate, 1);
  const { samples, sampleRate: from } = sound;
  if (from === to) return sound;
  const [frames, channels] = samples.shape as [number, number];
  const count = Math.max(1, Math.round((frames * to) / from));
  const scale = Math.min(1, to / from);
  const reach = HALF_WIDTH / scale;
  const out = new Float32Array(count * channels);
  for (let i = 0; i < count; i++) {
    const at = (i * from) / to;
    let sum = 0;
    const mixed = new Float64Array(channels);
    for (let k = Math.max(0, Math.ceil(at - reach)); k <= Math.min(frames - 1, at + reach); k++) {
      const x = (at - k) * scale;
      const sinc = x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
      const weight = sinc * (0.5 + 0.5 * Math.cos((Math.PI * (at - k)) / reach));
      sum += weight;
      for (let c = 0; c < channels; c++) mixed[c]! += weight * samples.data[k * channels + c]!;
    }
    for (let c = 0; c < channels; c++) out[i * channels + c] = mixed[c]! / (sum || 1);
  }
  return { samples: new Tensor(out, [count, channels], "float32"), sampleRate: to };
}

export interface AudioDirectoryOptions extends DirectoryOptions {
  /** All sounds at this rate, in frames a second. Default: that of each file. */
  samplingRate?: number | null;
  /** Frames of every sound: cut, or zeros after. */
  outputSequenceLength: number;
  /** What names of files end in. Default [".wav"]. */
  extensions?: readonly string[];
}

type AudioElement<O> = DirectoryElement<O, Tensor, Tensor>;

/**
 * WAV files in folders named after their classes, read when they are needed (Keras `audio_dataset_from_directory`): sounds
 * float32 [batch, frames], of several channels the mean.
 * @throws INVALID_FILE the folder is not there; INVALID_DATA no files in it; in the dataset INVALID_FILE naming a file
 * @example const { dataset, classNames } = await audioFromDirectory("commands", { outputSequenceLength: 16_000 });
 */
export async function audioFromDirectory<const O extends AudioDirectoryOptions>(
  directory: string,
  options: O,
): Promise<Directory<AudioElement<O>>> {
  const where = "audioFromDirectory";
  const known = [...DIRECTORY_OPTIONS, "samplingRate", "outputSequenceLength"] as const;
  const o: AudioDirectoryOptions = checkOptions<AudioDirectoryOptions>(where, options, known);
  const length = checkInteger(where, "outputSequenceLength", o.outputSequenceLength, 1);
  const rate = o.samplingRate == null ? undefined : checkInteger(where, "samplingRate", o.samplingRate, 1);
  const read = async (path: string): Promise<Tensor> => {
    const sound = await readWav(path);
    return monoOf(rate === undefined ? sound : resample(sound, rate), length);
  };
  const kind = {
    extensions: [".wav"],
    read,
    stack: (sounds: readonly Tensor[]) => stack(where, sounds, 0) as Tensor,
  };
  return (await labelledFiles(where, directory, o, kind)) as Directory<AudioElement<O>>;
}

/** The mean of the channels, cut or padded. */
function monoOf({ samples }: Sound, length: number): Tensor {
  const [frames, channels] = samples.shape as [number, number];
  const mono = new Float32Array(length);
  for (let i = 0; i < Math.min(length, frames); i++) {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += samples.data[i * channels + c]!;
    mono[i] = sum / channels;
  }
  return new Tensor(mono, [length], "float32");
}
