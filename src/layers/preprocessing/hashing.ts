// Hashing and HashedCrossing: anything as one of a fixed number of bins, without a vocabulary.

import { describe, MyelinError } from "../../core/errors.ts";
import { checkInteger, checkOneOf, checkOptions } from "../../core/options.ts";
import type { Tensor } from "../../core/tensor.ts";
import type { Value } from "../../graph/graph.ts";
import { LAYER_OPTIONS, type LayerOptions } from "../layer.ts";
import { labelOf } from "../options.ts";
import { UnaryLayer } from "../unary.ts";
import { encodeRows } from "./counting.ts";
import { concatenated, fingerprintOf } from "./farm-hash.ts";
import { sipHash64 } from "./sip-hash.ts";

type HashMode = "int" | "oneHot" | "multiHot" | "count";
const MODES = ["int", "oneHot", "multiHot", "count"] as const;

const encoder = new TextEncoder();

/** What TensorFlow begins crosses with. */
const CROSSING_KEY = 0xdecafcaffen;

function readSalt(where: string, salt: unknown): readonly [number, number] | null {
  if (salt === null) return null;
  const pair = typeof salt === "number" ? [salt, salt] : salt;
  const isPair = Array.isArray(pair) && pair.length === 2;
  if (isPair && pair.every((n) => Number.isSafeInteger(n) && n >= 0)) return [pair[0], pair[1]];
  throw new MyelinError("INVALID_OPTION", `${where}: expected salt to be one or two whole numbers, got ${describe(salt)}`); // biome-ignore format: one line
}

/** Strings or whole numbers, alone or in rows. */
export type Hashable = readonly (string | number | readonly (string | number)[])[];

export interface HashingOptions extends LayerOptions {
  /** Bins are 0 to numBins - 1. */
  numBins: number;
  /** Has bin 0 to itself. Default: none. */
  maskValue?: string | number | null;
  /**
   * A number, or two, above 0: bins by SipHash with this key, which only those who know it can foresee. Default null:
   * bins by FarmHash.
   */
  salt?: number | readonly [number, number] | null;
  /** Default "int". */
  outputMode?: HashMode;
}

export class Hashing extends UnaryLayer {
  static readonly className = "Hashing";
  readonly numBins: number;
  readonly maskValue: string | number | null;
  readonly salt: readonly [number, number] | null;
  readonly outputMode: HashMode;

  constructor(options: HashingOptions) {
    const where = labelOf("hashing", options);
    const o = checkOptions(where, options, [...LAYER_OPTIONS, "numBins", "maskValue", "salt", "outputMode"]);
    super(o);
    this.maskValue = o.maskValue ?? null;
    this.numBins = checkInteger(where, "numBins", o.numBins, this.maskValue === null ? 1 : 2);
    this.salt = readSalt(where, o.salt ?? null);
    this.outputMode = checkOneOf(where, "outputMode", o.outputMode ?? "int", MODES);
  }

  private binOf(value: string | number): number {
    const masked = this.maskValue === null ? 0 : 1;
    if (masked && value === this.maskValue) return 0;
    const [text, { salt }] = [String(value), this];
    const hash = salt
      ? sipHash64(encoder.encode(text), [BigInt(salt[0]), BigInt(salt[1])])
      : fingerprintOf(text);
    return masked + Number(hash % BigInt(this.numBins - masked));
  }

  encode(data: Hashable): Tensor {
    const rows = data.map((row) =>
      Int32Array.from([row].flat() as (string | number)[], (v) => this.binOf(v)),
    );
    const isFlat = !data.some(Array.isArray);
    return encodeRows(`${this.path}: encode`, rows, this.outputMode, this.numBins, { isFlat });
  }

  override call(): Value {
    throw this.error("INVALID_ARGUMENT", "hashes are made on the host: use encode(data) before the model");
  }

  override getConfig(): Record<string, unknown> {
    const { numBins, maskValue, salt, outputMode } = this;
    return { ...super.getConfig(), numBins, maskValue, salt, outputMode };
  }
}

/** Strings or whole numbers as bins by a hash; on the host. The bins are those of Keras. */
export function hashing(options: HashingOptions): Hashing {
  return new Hashing(options);
}

export interface HashedCrossingOptions extends LayerOptions {
  numBins: number;
  /** Default "int". */
  outputMode?: "int" | "oneHot";
}

export class HashedCrossing extends UnaryLayer {
  static readonly className = "HashedCrossing";
  readonly numBins: number;
  readonly outputMode: "int" | "oneHot";

  constructor(options: HashedCrossingOptions) {
    const where = labelOf("hashedCrossing", options);
    const o = checkOptions(where, options, [...LAYER_OPTIONS, "numBins", "outputMode"]);
    super(o);
    this.numBins = checkInteger(where, "numBins", o.numBins, 1);
    this.outputMode = checkOneOf(where, "outputMode", o.outputMode ?? "int", ["int", "oneHot"]);
  }

  /** @param features lists of as many values each */
  encode(features: readonly ArrayLike<string | number>[]): Tensor {
    const [first] = features;
    if (!first || features.length < 2 || features.some((f) => f.length !== first.length)) {
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `${this.path}: encode: expected two or more lists of equal length, got lengths ${features.map((f) => f.length)}`,
      );
    }
    const bins = BigInt(this.numBins);
    const rows = Array.from({ length: first.length }, (_, i) => {
      const crossed = features.reduce((h, f) => concatenated(h, this.fingerprint(f[i]!)), CROSSING_KEY);
      return Int32Array.of(Number(crossed % bins));
    });
    return encodeRows(`${this.path}: encode`, rows, this.outputMode, this.numBins, { isFlat: true });
  }

  /** Whole numbers stand for themselves. */
  private fingerprint(value: string | number): bigint {
    if (typeof value === "string") return fingerprintOf(value);
    if (Number.isSafeInteger(value)) return BigInt.asUintN(64, BigInt(value));
    throw this.error("INVALID_DATA", `expected strings or whole numbers, got ${describe(value)}`);
  }

  override call(): Value {
    throw this.error(
      "INVALID_ARGUMENT",
      "hashes are made on the host: use encode(features) before the model",
    );
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), numBins: this.numBins, outputMode: this.outputMode };
  }
}

/** What several features say together, as bins by a hash: "Berlin" with "evening". The bins are those of Keras. */
export function hashedCrossing(options: HashedCrossingOptions): HashedCrossing {
  return new HashedCrossing(options);
}
