// The initializers of Keras 3, drawn on the host. Each is one entry of a table: its options, their defaults, and how to fill.

import { allocateHost, type DType, type HostArray } from "../core/dtype.ts";
import { describe, MyelinError } from "../core/errors.ts";
import { checkBoolean, checkInteger, checkNumber, checkOneOf, checkOptions } from "../core/options.ts";
import { Random } from "../core/random.ts";
import { formatShape, type Shape, sizeOf } from "../core/shape.ts";
import { computeFans, type Fans } from "./fans.ts";
import type { Initializer } from "./initializer.ts";
import { orthogonalMatrix } from "./orthogonal.ts";
import {
  scaledWindow,
  WINDOW_SCALINGS,
  WINDOWS,
  type WindowName,
  type WindowScaling,
  waves,
  windowOf,
} from "./waves.ts";

export interface SeedOption {
  /** Fixes the draw: the same values each time this initializer is used. Default: the model's seed decides. */
  seed?: number;
}
export interface NormalOptions extends SeedOption {
  /** Default 0. */
  mean?: number;
  /** Default 0.05. */
  stddev?: number;
}
export interface UniformOptions extends SeedOption {
  /** Default -0.05. */
  minval?: number;
  /** Default 0.05. */
  maxval?: number;
}
export interface VarianceScalingOptions extends SeedOption {
  /** Default 1. */
  scale?: number;
  /** Default "fanIn". */
  mode?: "fanIn" | "fanOut" | "fanAvg";
  /** Default "truncatedNormal". */
  distribution?: "truncatedNormal" | "untruncatedNormal" | "uniform";
}
export interface GainOption {
  /** Factor on the result. Default 1. */
  gain?: number;
}

type Fill = (out: HostArray, shape: Shape, random: Random, fans?: Fans) => void;

/** One initializer object: options as given (defaults filled in), `fill` for the values. */
function make(className: string, config: Record<string, unknown> & SeedOption, fill: Fill): Initializer {
  const { seed } = config;
  if (seed !== undefined) checkInteger(className, "seed", seed);
  return {
    className,
    make(shape: Shape, dtype: DType, random: Random, fans?: Fans): HostArray {
      const out = allocateHost(dtype, sizeOf(shape));
      fill(out, shape, seed === undefined ? random : new Random(seed), fans);
      return out;
    },
    getConfig: () => Object.fromEntries(Object.entries(config).filter(([, v]) => v !== undefined)),
  };
}

const normal = (mean: number, stddev: number): Fill => {
  return (out, _, random) => {
    for (let i = 0; i < out.length; i++) out[i] = mean + stddev * random.normal();
  };
};

const uniform = (min: number, max: number): Fill => {
  return (out, _, random) => {
    for (let i = 0; i < out.length; i++) out[i] = min + (max - min) * random.uniform();
  };
};

/** Normal, redrawn beyond two standard deviations. */
const truncated = (mean: number, stddev: number): Fill => {
  return (out, _, random) => {
    for (let i = 0; i < out.length; i++) {
      let z = random.normal();
      while (Math.abs(z) > 2) z = random.normal();
      out[i] = mean + stddev * z;
    }
  };
};

/** All 0. */
export function zeros(options?: Record<string, never>): Initializer {
  checkOptions("zeros", options, []);
  return make("Zeros", {}, () => {});
}

/** All 1. */
export function ones(options?: Record<string, never>): Initializer {
  checkOptions("ones", options, []);
  return make("Ones", {}, (out) => void out.fill(1));
}

/** All `value` (default 0). */
export function constant(options: { value?: number } = {}): Initializer {
  const { value = 0 } = checkOptions("constant", options, ["value"]);
  checkNumber("constant", "value", value);
  return make("Constant", { value }, (out) => void out.fill(value));
}

/** Normal distribution; mean 0, stddev 0.05. */
export function randomNormal(options: NormalOptions = {}): Initializer {
  const { mean = 0, stddev = 0.05, seed } = checkNormal("randomNormal", options);
  return make("RandomNormal", { mean, stddev, seed }, normal(mean, stddev));
}

/** Normal distribution redrawn beyond two standard deviations; mean 0, stddev 0.05. */
export function truncatedNormal(options: NormalOptions = {}): Initializer {
  const { mean = 0, stddev = 0.05, seed } = checkNormal("truncatedNormal", options);
  return make("TruncatedNormal", { mean, stddev, seed }, truncated(mean, stddev));
}

function checkNormal(where: string, options: NormalOptions): NormalOptions {
  const { mean = 0, stddev = 0 } = checkOptions(where, options, ["mean", "stddev", "seed"]);
  checkNumber(where, "mean", mean);
  checkNumber(where, "stddev", stddev, "of at least 0", (x) => x >= 0);
  return options;
}

/** Uniform in [minval, maxval); -0.05 to 0.05. */
export function randomUniform(options: UniformOptions = {}): Initializer {
  const where = "randomUniform";
  const { minval = -0.05, maxval = 0.05, seed } = checkOptions(where, options, ["minval", "maxval", "seed"]);
  checkNumber(where, "minval", minval);
  checkNumber(where, "maxval", maxval, `of at least minval (${minval})`, (x) => x >= minval);
  return make("RandomUniform", { minval, maxval, seed }, uniform(minval, maxval));
}

const MODES = ["fanIn", "fanOut", "fanAvg"] as const;
const DISTRIBUTIONS = ["truncatedNormal", "untruncatedNormal", "uniform"] as const;

/** Standard deviation of a unit normal cut at two standard deviations; divided out so that the variance comes right. */
const TRUNCATED_STDDEV = 0.87962566103423978;

/** Variance scale / fan, the fan chosen by `mode`; glorot, he and lecun initializers are cases of it. */
export function varianceScaling(options: VarianceScalingOptions = {}): Initializer {
  const where = "varianceScaling";
  const known = ["scale", "mode", "distribution", "seed"] as const;
  const {
    scale = 1,
    mode = "fanIn",
    distribution = "truncatedNormal",
    seed,
  } = checkOptions(where, options, known);
  checkNumber(where, "scale", scale, "above 0", (x) => x > 0);
  checkOneOf(where, "mode", mode, MODES);
  checkOneOf(where, "distribution", distribution, DISTRIBUTIONS);
  return make("VarianceScaling", { scale, mode, distribution, seed }, scaled(scale, mode, distribution));
}

function scaled(
  scale: number,
  mode: (typeof MODES)[number],
  distribution: (typeof DISTRIBUTIONS)[number],
): Fill {
  return (out, shape, random, fans) => {
    const { fanIn, fanOut } = fans ?? computeFans(shape);
    const fan = mode === "fanIn" ? fanIn : mode === "fanOut" ? fanOut : (fanIn + fanOut) / 2;
    const variance = scale / Math.max(1, fan);
    const limit = Math.sqrt(3 * variance);
    const stddev = Math.sqrt(variance);
    const fill =
      distribution === "uniform"
        ? uniform(-limit, limit)
        : distribution === "truncatedNormal"
          ? truncated(0, stddev / TRUNCATED_STDDEV)
          : normal(0, stddev);
    fill(out, shape, random);
  };
}

/** A named case of varianceScaling that takes only a seed. */
function scalingCase(className: string, ...rule: Parameters<typeof scaled>) {
  const where = className[0]!.toLowerCase() + className.slice(1);
  return (options: SeedOption = {}): Initializer => {
    const { seed } = checkOptions(where, options, ["seed"]);
    return make(className, { seed }, scaled(...rule));
  };
}

/** Uniform within sqrt(6 / (fanIn + fanOut)) of 0 (Glorot and Bengio, 2010). The default of dense kernels. */
export const glorotUniform = scalingCase("GlorotUniform", 1, "fanAvg", "uniform");
/** Truncated normal of variance 2 / (fanIn + fanOut). */
export const glorotNormal = scalingCase("GlorotNormal", 1, "fanAvg", "truncatedNormal");
/** Uniform within sqrt(6 / fanIn) of 0 (He et al., 2015). For relu. */
export const heUniform = scalingCase("HeUniform", 2, "fanIn", "uniform");
/** Truncated normal of variance 2 / fanIn. For relu. */
export const heNormal = scalingCase("HeNormal", 2, "fanIn", "truncatedNormal");
/** Uniform within sqrt(3 / fanIn) of 0 (LeCun et al., 1998). */
export const lecunUniform = scalingCase("LecunUniform", 1, "fanIn", "uniform");
/** Truncated normal of variance 1 / fanIn. For selu. */
export const lecunNormal = scalingCase("LecunNormal", 1, "fanIn", "truncatedNormal");

/** Orthonormal rows or columns times `gain` (Saxe et al., 2013); rank of at least 2. */
export function orthogonal(options: GainOption & SeedOption = {}): Initializer {
  const { gain = 1, seed } = checkOptions("orthogonal", options, ["gain", "seed"]);
  checkNumber("orthogonal", "gain", gain);
  return make("Orthogonal", { gain, seed }, (out, shape, random) => {
    if (shape.length < 2) throw rankError("orthogonal", "of rank 2 or more", shape);
    out.set(orthogonalMatrix(shape, gain, random));
  });
}

/** The identity matrix (ones on the diagonal, also of a matrix that is not square) times `gain`; rank 2 only. */
export function identity(options: GainOption = {}): Initializer {
  const { gain = 1 } = checkOptions("identity", options, ["gain"]);
  checkNumber("identity", "gain", gain);
  return make("Identity", { gain }, (out, shape) => {
    if (shape.length !== 2) throw rankError("identity", "of rank 2", shape);
    const [rows, columns] = shape as [number, number];
    for (let i = 0; i < Math.min(rows, columns); i++) out[i * columns + i] = gain;
  });
}

export interface StftOptions {
  /** The part of the transform that a kernel works out. Default "real". */
  side?: "real" | "imag";
  /** Weights of a frame; null: none. Default "hann". */
  window?: WindowName | null;
  /** By the root of the window's energy, by its sum, or null: not. Default "density". */
  scaling?: WindowScaling | null;
  /** Whether the window is one period. Default false. */
  periodic?: boolean;
}

/**
 * Kernels of a 1D convolution that is a short-time Fourier transform: shape [frame, 1, fftLength / 2 + 1].
 * @example layers.conv1d({ filters: 129, kernelSize: 256, kernelInitializer: initializers.stft({ side: "imag" }) })
 */
export function stft(options: StftOptions = {}): Initializer {
  const where = "stft";
  const o = checkOptions(where, options, ["side", "window", "scaling", "periodic"]);
  const side = checkOneOf(where, "side", o.side ?? "real", ["real", "imag"]);
  const window = o.window === null ? null : checkOneOf(where, "window", o.window ?? "hann", WINDOWS);
  const scaling =
    o.scaling === null ? null : checkOneOf(where, "scaling", o.scaling ?? "density", WINDOW_SCALINGS);
  const periodic = checkBoolean(where, "periodic", o.periodic ?? false);
  return make("Stft", { side, window, scaling, periodic }, (out, shape) => {
    const [length, channels, bins] = shape as [number, number, number];
    if (shape.length !== 3 || channels !== 1 || bins < 2)
      throw rankError(where, "[frame, 1, at least 2 frequencies]", shape);
    // Without a window there is nothing to scale by, as in Keras.
    const weights = scaledWindow(windowOf(window, length, periodic), window === null ? null : scaling);
    out.set(waves(side, weights, 2 * (bins - 1)));
  });
}

function rankError(where: string, expected: string, shape: Shape): MyelinError {
  return new MyelinError(
    "SHAPE_MISMATCH",
    `${where} initializer: expected a shape ${expected}, got ${describe(formatShape(shape))}`,
  );
}
