// CategoryEncoding: whole numbers as one-hot, multi-hot or count rows.

import { MyelinError } from "../../core/errors.ts";
import { checkInteger, checkOneOf, checkOptions } from "../../core/options.ts";
import type { Tensor } from "../../core/tensor.ts";
import type { Value } from "../../graph/graph.ts";
import { LAYER_OPTIONS, type LayerOptions } from "../layer.ts";
import { labelOf } from "../options.ts";
import { UnaryLayer } from "../unary.ts";
import { encodeRows, encodeValue } from "./counting.ts";
import { type Numbers, numbersOf } from "./host-data.ts";

export interface CategoryEncodingOptions extends LayerOptions {
  /** Categories are 0 to numTokens - 1. */
  numTokens: number;
  /** Default "multiHot": which categories a row has. "count": how often, "oneHot": for one category a row. */
  outputMode?: "oneHot" | "multiHot" | "count";
}

export class CategoryEncoding extends UnaryLayer {
  static readonly className = "CategoryEncoding";
  readonly numTokens: number;
  readonly outputMode: "oneHot" | "multiHot" | "count";

  constructor(options: CategoryEncodingOptions) {
    const where = labelOf("categoryEncoding", options);
    const o = checkOptions(where, options, [...LAYER_OPTIONS, "numTokens", "outputMode"]);
    super(o);
    this.numTokens = checkInteger(where, "numTokens", o.numTokens, 1);
    const modes = ["oneHot", "multiHot", "count"] as const;
    this.outputMode = checkOneOf(where, "outputMode", o.outputMode ?? "multiHot", modes);
  }

  override call(x: Value): Value {
    return encodeValue(this.path, x, this.outputMode, this.numTokens);
  }

  /** The same on the host. @throws LABEL_OUT_OF_RANGE */
  encode(data: Numbers): Tensor {
    const where = `${this.path}: encode`;
    const t = numbersOf(where, data);
    if (t.rank > 2) {
      throw new MyelinError(
        "SHAPE_MISMATCH",
        `${where}: expected categories, alone or in rows, got shape [${t.shape}]`,
      );
    }
    const width = t.rank === 2 ? t.shape[1]! : 1;
    const rows = Array.from({ length: t.shape[0]! }, (_, i) => t.data.subarray(i * width, (i + 1) * width));
    return encodeRows(where, rows, this.outputMode, this.numTokens, { isFlat: t.rank === 1 });
  }

  override getConfig(): Record<string, unknown> {
    return { ...super.getConfig(), numTokens: this.numTokens, outputMode: this.outputMode };
  }
}

/** Whole numbers [batch] or [batch, n] as rows [batch, numTokens]. */
export function categoryEncoding(options: CategoryEncodingOptions): CategoryEncoding {
  return new CategoryEncoding(options);
}
