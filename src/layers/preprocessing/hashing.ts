// Hashing and HashedCrossing: anything as one of a fixed number of bins, without a vocabulary.

import { MyelinError } from "../../core/errors.ts";
import { checkInteger, checkOneOf, checkOptions } from "../../core/options.ts";
import type { Tensor } from "../../core/tensor.ts";
import type { Value } from "../../graph/graph.ts";
import { LAYER_OPTIONS, type LayerOptions } from "../layer.ts";
import { labelOf } from "../options.ts";
import { UnaryLayer } from "../unary.ts";
import { encodeRows } from "./counting.ts";
import { hash } from "./hash.ts";

type HashMode = "int" | "oneHot" | "multiHot" | "count";
const MODES = ["int", "oneHot", "multiHot", "count"] as const;

/** Strings or whole numbers, alone or in rows. */
export type Hashable = readonly (string | number | readonly (string | number)[])[];

export interface HashingOptions extends LayerOptions {
  /** Bins are 0 to numBins - 1. */
  numBins: number;
  /** Has bin 0 to itself. Default: none. */
  maskValue?: string | number | null;
  /** Another salt, other collisions. Default 0. */
  salt?: number | null;
  /** Default "int". */
  outputMode?: HashMode;
}

export class Hashing extends UnaryLayer {
  static readonly className = "Hashing";
  readonly numBins: number;
  readonly maskValue: string | number | null;
  readonly salt: number;
  readonly outputMode: HashMode;

  constructor(options: HashingOptions) {
    const where = labelOf("hashing", options);
    const o = checkOptions(where, options, [...LAYER_OPTIONS, "numBins", "maskValue", "salt", "outputMode"]);
    super(o);
    this.maskValue = o.maskValue ?? null;
    this.numBins = checkInteger(where, "numBins", o.numBins, this.maskValue === null ? 1 : 2);
    this.salt = checkInteger(where, "salt", o.salt ?? 0);
    this.outputMode = checkOneOf(where, "outputMode", o.outputMode ?? "int", MODES);
  }

  private binOf(value: string | number): number {
    if (this.maskValue === null) return hash(String(value), this.salt) % this.numBins;
    return value === this.maskValue ? 0 : 1 + (hash(String(value), this.salt) % (this.numBins - 1));
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

/** Strings or whole numbers as bins by a hash; on the host. Bins are not those of TensorFlow's hash. */
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
    const rows = Array.from({ length: first.length }, (_, i) => {
      return Int32Array.of(hash(features.map((f) => String(f[i])).join("_X_")) % this.numBins);
    });
    return encodeRows(`${this.path}: encode`, rows, this.outputMode, this.numBins, { isFlat: true });
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

/** What several features say together, as bins by a hash: "Berlin" with "evening". */
export function hashedCrossing(options: HashedCrossingOptions): HashedCrossing {
  return new HashedCrossing(options);
}
