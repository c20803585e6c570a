// Sound as pictures: how strong each frequency is at each time. The Fourier transform of a frame is a product with cosines
// and sines, so that it runs in the Program and gradients pass through it.

import { describe, MyelinError } from "../../core/errors.ts";
import { checkBoolean, checkInteger, checkNumber, checkOneOf, checkOptions } from "../../core/options.ts";
import { formatShape } from "../../core/shape.ts";
import { tensor } from "../../core/tensor.ts";
import type { Value } from "../../graph/graph.ts";
import {
  scaledWindow,
  WINDOW_SCALINGS,
  WINDOWS,
  type WindowName,
  waves as wavesOf,
  windowOf,
} from "../../initializers/waves.ts";
import * as ops from "../../ops/index.ts";
import { LAYER_OPTIONS, type LayerOptions } from "../layer.ts";
import { labelOf } from "../options.ts";
import { UnaryLayer } from "../unary.ts";

export type { WindowName } from "../../initializers/waves.ts";

/** Cosine and negative sine of every frequency over a frame, times a window: [length, frequencies] each. */
function waves(window: Float64Array, fftLength: number, offset = 0): [Value, Value] {
  const kernel = (side: "real" | "imag") =>
    ops.constant(
      tensor(wavesOf(side, window, fftLength, offset), [window.length, Math.floor(fftLength / 2) + 1]),
    );
  return [kernel("real"), kernel("imag")];
}

/** Frames of a signal [batch, time]: [batch, frames, length]. */
function frames(x: Value, length: number, step: number): Value {
  const [, time] = x.shape as [number, number];
  const count = Math.floor((time - length) / step) + 1;
  const places = Int32Array.from(
    { length: count * length },
    (_, i) => Math.floor(i / length) * step + (i % length),
  );
  const picked = ops.gather(x, ops.constant(tensor(places)), { axis: 1 });
  return ops.reshape(picked, [x.shape[0]!, count, length]);
}

export interface MelSpectrogramOptions extends LayerOptions {
  /** Samples of a Fourier transform. Default 2048. */
  fftLength?: number;
  /** Samples from one frame to the next. Default 512. */
  sequenceStride?: number;
  /** Samples of a frame; shorter than fftLength: zeros around. Default fftLength. */
  sequenceLength?: number | null;
  /** Default "hann"; null: none. */
  window?: WindowName | null;
  /** Samples a second. Default 16000. */
  samplingRate?: number;
  /** Bands of the mel scale. Default 128. */
  numMelBins?: number;
  /** Hertz. Default 20. */
  minFreq?: number;
  /** Default: half the sampling rate. */
  maxFreq?: number | null;
  /** In decibels. Default true. */
  powerToDb?: boolean;
  /** Quieter than the loudest by more than this counts as this. Default 80. */
  topDb?: number;
  /** Exponent of magnitudes: 2 for power. Default 2. */
  magExp?: number;
  /** Default 1e-10. */
  minPower?: number;
  /** What 0 decibels are. Default 1. */
  refPower?: number;
}

const MEL_OPTIONS = [
  ...LAYER_OPTIONS,
  "fftLength",
  "sequenceStride",
  "sequenceLength",
  "window",
  "samplingRate",
  "numMelBins",
  "minFreq",
  "maxFreq",
  "powerToDb",
  "topDb",
  "magExp",
  "minPower",
  "refPower",
] as const;

export class MelSpectrogram extends UnaryLayer {
  static readonly className = "MelSpectrogram";
  private readonly o: Required<Omit<MelSpectrogramOptions, keyof LayerOptions>> & {
    sequenceLength: number;
    maxFreq: number;
  };

  constructor(options: MelSpectrogramOptions = {}) {
    const where = labelOf("melSpectrogram", options);
    const given = checkOptions(where, options, MEL_OPTIONS);
    super(given);
    const whole = (name: "fftLength" | "sequenceStride" | "numMelBins", byDefault: number) =>
      checkInteger(where, name, given[name] ?? byDefault, 1);
    const positive = (
      name: "samplingRate" | "magExp" | "topDb" | "minPower" | "refPower",
      byDefault: number,
    ) => checkNumber(where, name, given[name] ?? byDefault, "above 0", (x) => x > 0);
    const fftLength = whole("fftLength", 2048);
    const samplingRate = positive("samplingRate", 16000);
    const half = samplingRate / 2;
    const maxFreq = checkNumber(
      where,
      "maxFreq",
      given.maxFreq ?? half,
      `up to ${half}`,
      (x) => x > 0 && x <= half,
    );
    this.o = {
      fftLength,
      samplingRate,
      maxFreq,
      sequenceStride: whole("sequenceStride", 512),
      sequenceLength: checkInteger(where, "sequenceLength", given.sequenceLength ?? fftLength, 1, fftLength),
      window: given.window === null ? null : checkOneOf(where, "window", given.window ?? "hann", WINDOWS),
      numMelBins: whole("numMelBins", 128),
      minFreq: checkNumber(
        where,
        "minFreq",
        given.minFreq ?? 20,
        `in [0, ${maxFreq})`,
        (x) => x >= 0 && x < maxFreq,
      ),
      powerToDb: checkBoolean(where, "powerToDb", given.powerToDb ?? true),
      topDb: positive("topDb", 80),
      magExp: positive("magExp", 2),
      minPower: positive("minPower", 1e-10),
      refPower: positive("refPower", 1),
    };
  }

  override call(x: Value): Value {
    const { fftLength, sequenceLength, sequenceStride, magExp, powerToDb } = this.o;
    if (x.rank < 1 || x.rank > 2) {
      throw this.error("SHAPE_MISMATCH", `expected samples [batch, time], got ${formatShape(x.shape)}`);
    }
    const signal = ops.cast(x.rank === 1 ? ops.expandDims(x, 0) : x, "float32");
    const margin = Math.floor(fftLength / 2);
    if (signal.shape[1]! <= margin) {
      throw this.error(
        "SHAPE_MISMATCH",
        `expected more than ${margin} samples, half of fftLength, got ${signal.shape[1]}`,
      );
    }
    // Frames are centred: the ends are mirrored.
    const index = (i: number) => (i < 0 ? -i : i >= signal.shape[1]! ? 2 * (signal.shape[1]! - 1) - i : i);
    const places = Int32Array.from({ length: signal.shape[1]! + 2 * margin }, (_, i) => index(i - margin));
    const padded = ops.gather(signal, ops.constant(tensor(places)), { axis: 1 });
    const before = Math.floor((fftLength - sequenceLength) / 2);
    const inner = ops.slice(
      padded,
      [0, before],
      [padded.shape[0]!, padded.shape[1]! - (fftLength - sequenceLength)],
    );
    const window = windowOf(this.o.window, sequenceLength, true);
    const [cos, sin] = waves(window, fftLength, before);
    const framed = frames(inner, sequenceLength, sequenceStride);
    const power = ops.add(ops.square(ops.matmul(framed, cos)), ops.square(ops.matmul(framed, sin)));
    const strength = magExp === 2 ? power : ops.power(ops.maximum(power, 1e-30), magExp / 2);
    const mel = ops.matmul(strength, this.bands());
    const turned = ops.swapAxes(powerToDb ? this.decibels(mel) : mel, 1, 2);
    return x.rank === 1 ? ops.squeeze(turned, 0) : turned;
  }

  private decibels(x: Value): Value {
    const { minPower, refPower, topDb } = this.o;
    const db = (v: Value) => ops.multiply(ops.log(v), 10 / Math.LN10);
    const levels = ops.subtract(db(ops.maximum(x, minPower)), 10 * Math.log10(Math.max(refPower, minPower)));
    return ops.maximum(levels, ops.subtract(ops.max(levels), topDb));
  }

  /** Triangles on the mel scale (HTK), [frequencies, numMelBins]. */
  private bands(): Value {
    const { fftLength, samplingRate, numMelBins, minFreq, maxFreq } = this.o;
    const mel = (hertz: number) => 1127 * Math.log1p(hertz / 700);
    const bins = Math.floor(fftLength / 2) + 1;
    const edge = (i: number) => mel(minFreq) + ((mel(maxFreq) - mel(minFreq)) * i) / (numMelBins + 1);
    const out = new Float32Array(bins * numMelBins);
    // The first frequency, the mean of the signal, has no place on the scale.
    for (let k = 1; k < bins; k++) {
      const at = mel(((samplingRate / 2) * k) / (bins - 1));
      for (let b = 0; b < numMelBins; b++) {
        const rise = (at - edge(b)) / (edge(b + 1) - edge(b));
        const fall = (edge(b + 2) - at) / (edge(b + 2) - edge(b + 1));
        out[k * numMelBins + b] = Math.max(0, Math.min(rise, fall));
      }
    }
    return ops.constant(tensor(out, [bins, numMelBins]));
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), ...this.o };
  }
}

/** Samples [batch, time] as mel spectrograms [batch, numMelBins, frames], in decibels. */
export function melSpectrogram(options: MelSpectrogramOptions = {}): MelSpectrogram {
  return new MelSpectrogram(options);
}

export interface StftSpectrogramOptions extends LayerOptions {
  /** log, magnitude, psd (power density), angle (in radians), real, imag, or stft: real and imaginary parts. Default "log". */
  mode?: "log" | "magnitude" | "psd" | "angle" | "real" | "imag" | "stft";
  /** Samples of a frame. Default 256. */
  frameLength?: number;
  /** Samples from one frame to the next. Default frameLength / 2. */
  frameStep?: number | null;
  /** Samples of the transform, even. Default: the power of two from frameLength on. */
  fftLength?: number | null;
  /** Default "hann"; null: none. */
  window?: WindowName | null;
  /** Whether the window is one period. Default false. */
  periodic?: boolean;
  /** density: by the root of the window's energy; spectrum: by its sum; null: not. Default "density". */
  scaling?: "density" | "spectrum" | null;
  /** "valid": whole frames only; "same": zeros around. Default "valid". */
  padding?: "valid" | "same";
  /** Channels on an axis of their own: [batch, frames, frequencies, channels]. Default false. */
  expandDims?: boolean;
}

const STFT_OPTIONS = [
  ...LAYER_OPTIONS,
  "mode",
  "frameLength",
  "frameStep",
  "fftLength",
  "window",
  "periodic",
  "scaling",
  "padding",
  "expandDims",
] as const;

export class StftSpectrogram extends UnaryLayer {
  static readonly className = "StftSpectrogram";
  private readonly o: Required<Omit<StftSpectrogramOptions, keyof LayerOptions>> & {
    frameStep: number;
    fftLength: number;
  };

  constructor(options: StftSpectrogramOptions = {}) {
    const where = labelOf("stftSpectrogram", options);
    const given = checkOptions(where, options, STFT_OPTIONS);
    super(given);
    const frameLength = checkInteger(where, "frameLength", given.frameLength ?? 256, 1);
    const enough = 2 ** Math.ceil(Math.log2(Math.max(2, frameLength)));
    const fftLength = checkInteger(where, "fftLength", given.fftLength ?? enough, frameLength);
    if (fftLength % 2 === 1) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected fftLength to be even, got ${describe(fftLength)}`,
      );
    }
    const step = given.frameStep ?? Math.max(1, Math.floor(frameLength / 2));
    const modes = ["log", "magnitude", "psd", "angle", "real", "imag", "stft"] as const;
    this.o = {
      frameLength,
      fftLength,
      frameStep: checkInteger(where, "frameStep", step, 1, frameLength),
      mode: checkOneOf(where, "mode", given.mode ?? "log", modes),
      window: given.window === null ? null : checkOneOf(where, "window", given.window ?? "hann", WINDOWS),
      periodic: checkBoolean(where, "periodic", given.periodic ?? false),
      scaling:
        given.scaling === null
          ? null
          : checkOneOf(where, "scaling", given.scaling ?? "density", WINDOW_SCALINGS),
      padding: checkOneOf(where, "padding", given.padding ?? "valid", ["valid", "same"]),
      expandDims: checkBoolean(where, "expandDims", given.expandDims ?? false),
    };
  }

  override call(x: Value): Value {
    this.checkRank(x.shape, 3, 3);
    const { frameLength, frameStep, fftLength, mode, scaling, padding, expandDims } = this.o;
    const [batch, time, channels] = x.shape as [number, number, number];
    const rows = ops.reshape(ops.swapAxes(ops.cast(x, "float32"), 1, 2), [batch * channels, time]);
    const count = Math.ceil(time / frameStep);
    const missing = padding === "same" ? Math.max(0, (count - 1) * frameStep + frameLength - time) : 0;
    const before = Math.floor(missing / 2);
    const padded = ops.pad(rows, [[0, 0], [before, missing - before]]); // biome-ignore format: axes
    if (padded.shape[1]! < frameLength) {
      throw this.error("SHAPE_MISMATCH", `expected at least ${frameLength} samples, got ${time}`);
    }
    const { window, periodic } = this.o;
    const weights = scaledWindow(windowOf(window, frameLength, periodic), window === null ? null : scaling);
    const [cos, sin] = waves(weights, fftLength);
    const framed = frames(padded, frameLength, frameStep);
    const made = this.shown(mode, framed, cos, sin);
    const [, steps, bins] = made.shape as [number, number, number];
    const apart = ops.reshape(made, [batch, channels, steps, bins]);
    if (expandDims) return ops.transpose(apart, [0, 2, 3, 1]);
    return ops.reshape(ops.transpose(apart, [0, 2, 1, 3]), [batch, steps, channels * bins]);
  }

  private shown(mode: string, framed: Value, cos: Value, sin: Value): Value {
    if (mode === "real") return ops.matmul(framed, cos);
    if (mode === "imag") return ops.matmul(framed, sin);
    const [re, im] = [ops.matmul(framed, cos), ops.matmul(framed, sin)];
    if (mode === "angle") return ops.arctan2(im, re);
    if (mode === "stft") return ops.concatenate([re, im], { axis: -1 });
    const power = ops.add(ops.square(re), ops.square(im));
    if (mode === "psd") {
      // All but the first and last frequency stand for two.
      const bins = power.shape.at(-1)!;
      const twice = Float32Array.from({ length: bins }, (_, k) => (k === 0 || k === bins - 1 ? 1 : 2));
      return ops.multiply(power, ops.constant(tensor(twice)));
    }
    const magnitude = ops.sqrt(ops.maximum(power, 1e-7));
    return mode === "magnitude" ? magnitude : ops.log(magnitude);
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), ...this.o };
  }
}

/** Samples [batch, time, channels] as spectrograms [batch, frames, channels * frequencies]. */
export function stftSpectrogram(options: StftSpectrogramOptions = {}): StftSpectrogram {
  return new StftSpectrogram(options);
}
