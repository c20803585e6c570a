// FeatureSpace: the columns of a table as one row of numbers each, every kind of column in its way (Keras
// `utils.FeatureSpace`). What it learns of the data is in its JSON.

import { describe, MyelinError } from "../../core/errors.ts";
import { checkInteger, checkOneOf, checkOptions } from "../../core/options.ts";
import { Tensor } from "../../core/tensor.ts";
import { discretization } from "./discretization.ts";
import { hashedCrossing, hashing } from "./hashing.ts";
import { integerLookup, stringLookup } from "./lookup.ts";
import { normalization } from "./normalization.ts";
import { textVectorization } from "./text-vectorization.ts";

/** What a column is; see the table in docs/preprocessing.md. */
export type FeatureKind =
  | "float"
  | "floatNormalized"
  | "floatDiscretized"
  | "integerCategorical"
  | "stringCategorical"
  | "integerHashed"
  | "stringHashed"
  | "text";

const KINDS = [
  "float",
  "floatNormalized",
  "floatDiscretized",
  "integerCategorical",
  "stringCategorical",
  "integerHashed",
  "stringHashed",
  "text",
] as const;

export interface FeatureOptions {
  kind: FeatureKind;
  /** Bins of "floatDiscretized" and of hashes. Default 32. */
  numBins?: number;
  /** Most categories, or words of "text". Default: all. */
  maxTokens?: number;
}

export interface FeatureSpaceOptions {
  /** Columns by name, in the order of the result. */
  features: Readonly<Record<string, FeatureKind | FeatureOptions>>;
  /** Columns taken together, hashed into `dim` bins. Default: none. */
  crosses?: readonly { features: readonly string[]; dim: number }[];
}

/** Columns of equal length by name, or a Table. */
export type Columns =
  | Readonly<Record<string, ArrayLike<number> | readonly string[]>>
  | { column(name: string): ArrayLike<number> | readonly string[] };

/** What makes numbers of one column. */
interface Encoder {
  adapt(values: ArrayLike<number> | readonly string[]): void;
  encode(values: ArrayLike<number> | readonly string[]): Tensor;
  getConfig(): Record<string, unknown> | undefined;
}

const numbers = (v: ArrayLike<number> | readonly string[]) => Float32Array.from(v as ArrayLike<number>);
const strings = (v: ArrayLike<number> | readonly string[]) => Array.from(v as readonly string[], String);

function encoderOf(
  o: Required<Pick<FeatureOptions, "kind" | "numBins">> & FeatureOptions,
  known?: object,
): Encoder {
  const { kind, numBins, maxTokens } = o;
  if (kind === "float") {
    return { adapt() {}, encode: (v) => column(numbers(v)), getConfig: () => undefined };
  }
  if (kind === "floatNormalized") {
    // Of one column: its mean and variance are in the configuration.
    let layer = normalization(known ?? { axis: null });
    return {
      adapt(v) {
        const found = normalization({ axis: null });
        found.adapt(column(numbers(v)));
        layer = normalization({ axis: null, mean: found.mean!.read(), variance: found.variance!.read() });
      },
      encode: (v) => layer.encode(column(numbers(v))),
      getConfig: () => layer.getConfig(),
    };
  }
  if (kind === "floatDiscretized") {
    const layer = discretization((known as never) ?? { numBins, outputMode: "oneHot" });
    return { adapt: (v) => void layer.adapt(numbers(v)), encode: (v) => layer.encode(numbers(v)), getConfig: () => layer.getConfig() }; // biome-ignore format: one line
  }
  if (kind === "integerHashed" || kind === "stringHashed") {
    const layer = hashing((known as never) ?? { numBins, outputMode: "oneHot" });
    return { adapt() {}, encode: (v) => layer.encode(strings(v)), getConfig: () => layer.getConfig() };
  }
  if (kind === "integerCategorical") {
    const layer = integerLookup((known as never) ?? { maxTokens, outputMode: "oneHot" });
    return { adapt: (v) => void layer.adapt(Int32Array.from(v as ArrayLike<number>)), encode: (v) => layer.encode(Int32Array.from(v as ArrayLike<number>)), getConfig: () => layer.getConfig() }; // biome-ignore format: one line
  }
  if (kind === "text") {
    const layer = textVectorization((known as never) ?? { maxTokens, outputMode: "multiHot" });
    return { adapt: (v) => void layer.adapt(strings(v)), encode: (v) => layer.encode(strings(v)), getConfig: () => layer.getConfig() }; // biome-ignore format: one line
  }
  const layer = stringLookup((known as never) ?? { maxTokens, outputMode: "oneHot" });
  return { adapt: (v) => void layer.adapt(strings(v)), encode: (v) => layer.encode(strings(v)), getConfig: () => layer.getConfig() }; // biome-ignore format: one line
}

const column = (values: Float32Array): Tensor => new Tensor(values, [values.length, 1], "float32");

export class FeatureSpace {
  private readonly options: FeatureSpaceOptions;
  private readonly encoders: ReadonlyMap<string, Encoder>;
  private readonly crosses: {
    names: readonly string[];
    encode(columns: ArrayLike<string | number>[]): Tensor;
  }[];

  constructor(options: FeatureSpaceOptions, known: Readonly<Record<string, object>> = {}) {
    const where = "featureSpace";
    const o = checkOptions(where, options, ["features", "crosses"]);
    if (typeof o.features !== "object" || o.features === null || Object.keys(o.features).length === 0) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected features by name, got ${describe(o.features)}`,
      );
    }
    this.options = o;
    this.encoders = new Map(
      Object.entries(o.features).map(([name, given]) => {
        const at = `${where}: ${name}`;
        const feature = typeof given === "string" ? { kind: given } : checkOptions(at, given, ["kind", "numBins", "maxTokens"]); // biome-ignore format: one line
        checkOneOf(at, "kind", feature.kind, KINDS);
        const numBins = checkInteger(at, "numBins", (feature as FeatureOptions).numBins ?? 32, 1);
        return [name, encoderOf({ ...feature, numBins }, known[name])];
      }),
    );
    this.crosses = (o.crosses ?? []).map(({ features, dim }) => {
      const unknown = features.find((f) => !this.encoders.has(f));
      if (unknown !== undefined) {
        throw new MyelinError(
          "INVALID_OPTION",
          `${where}: expected crosses of its features, got ${describe(unknown)}`,
        );
      }
      const layer = hashedCrossing({ numBins: dim, outputMode: "oneHot" });
      return { names: features, encode: (columns) => layer.encode(columns) };
    });
  }

  /** Learns means, bins and categories from columns. */
  adapt(data: Columns): void {
    for (const [name, encoder] of this.encoders) encoder.adapt(take(data, name));
  }

  /** float32 [rows, everything side by side]. */
  encode(data: Columns): Tensor {
    const parts = [...this.encoders].map(([name, encoder]) => encoder.encode(take(data, name)));
    for (const { names, encode } of this.crosses) parts.push(encode(names.map((n) => take(data, n))));
    const rows = parts[0]!.shape[0]!;
    const width = parts.reduce((sum, p) => sum + p.shape[1]!, 0);
    const out = new Float32Array(rows * width);
    let at = 0;
    for (const part of parts) {
      const own = part.shape[1]!;
      if (part.shape[0] !== rows) {
        throw new MyelinError(
          "SHAPE_MISMATCH",
          `featureSpace: encode: expected columns of ${rows} rows, got one of ${part.shape[0]}`,
        );
      }
      for (let row = 0; row < rows; row++) {
        out.set(part.data.subarray(row * own, (row + 1) * own) as Float32Array, row * width + at);
      }
      at += own;
    }
    return new Tensor(out, [rows, width], "float32");
  }

  /** Options and all that was learnt, as plain data; `featureSpaceFromJSON` reads it. */
  toJSON(): { options: FeatureSpaceOptions; known: Record<string, unknown> } {
    const known = [...this.encoders].map(([name, e]) => [name, e.getConfig()] as const);
    return { options: this.options, known: Object.fromEntries(known.filter(([, config]) => config)) };
  }
}

function take(data: Columns, name: string): ArrayLike<number> | readonly string[] {
  const found =
    typeof (data as { column?: unknown }).column === "function"
      ? (data as { column(name: string): ArrayLike<number> }).column(name)
      : (data as Record<string, ArrayLike<number>>)[name];
  if (found) return found;
  throw new MyelinError("INVALID_DATA", `featureSpace: expected a column ${describe(name)}, got none`);
}

/**
 * Numbers and categories of a table as one Tensor.
 * @example
 * const space = layers.featureSpace({ features: { age: "floatNormalized", job: "stringCategorical" } });
 * space.adapt(table);
 * const x = space.encode(table);
 */
export function featureSpace(options: FeatureSpaceOptions): FeatureSpace {
  return new FeatureSpace(options);
}

/** A FeatureSpace from what its toJSON gave. */
export function featureSpaceFromJSON(json: ReturnType<FeatureSpace["toJSON"]>): FeatureSpace {
  return new FeatureSpace(json.options, json.known as Record<string, object>);
}
