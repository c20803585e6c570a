// Which optimizer a weight gets, by the path it has in its model: Keras's OptimizerMap.

import { describe, MyelinError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { Optimizer, type OptimizerConfig } from "./optimizer.ts";
import { get, type OptimizerLike } from "./resolve.ts";

/** As `getConfig` gives it where two patterns share one optimizer: that of the other pattern. */
interface Same {
  readonly sameAs: string;
}

export interface OptimizerMapOptions {
  /** For weights no pattern fits. */
  defaultOptimizer: OptimizerLike;
  /** By weight path ("encoder/dense/kernel") or regular expression of the whole path ("encoder/.*"). Default: none. */
  optimizers?: Readonly<Record<string, OptimizerLike | Same>>;
}

const WHERE = "optimizerMap";

/** See `optimizerMap`. */
export class OptimizerMap {
  readonly defaultOptimizer: Optimizer;
  private readonly byPattern = new Map<string, Optimizer>();

  constructor(options: OptimizerMapOptions) {
    const o = checkOptions(WHERE, options, ["defaultOptimizer", "optimizers"]);
    this.defaultOptimizer = plain("defaultOptimizer", o.defaultOptimizer);
    for (const [pattern, like] of Object.entries(o.optimizers ?? {})) {
      this.set(pattern, isSame(like) ? this.earlier(like.sameAs) : plain(pattern, like));
    }
  }

  private earlier(pattern: string): Optimizer {
    const found = pattern === "" ? this.defaultOptimizer : this.byPattern.get(pattern);
    if (found) return found;
    throw new MyelinError("INVALID_OPTION", `${WHERE}: expected sameAs to be an earlier pattern, got ${describe(pattern)}`); // biome-ignore format: one line
  }

  /** @throws INVALID_OPTION for a pattern that is there already, or is no regular expression */
  set(pattern: string, optimizer: OptimizerLike): this {
    if (this.byPattern.has(pattern)) {
      throw new MyelinError("INVALID_OPTION", `${WHERE}: expected distinct patterns, got ${describe(pattern)} twice`); // biome-ignore format: one line
    }
    fullMatch(pattern);
    this.byPattern.set(pattern, plain(pattern, optimizer));
    return this;
  }

  /**
   * The optimizer of a path: that of the path itself, else of the one pattern that fits it whole, else the default one.
   * @throws INVALID_OPTION where several patterns fit
   */
  get(path: string): Optimizer {
    const own = this.byPattern.get(path);
    if (own) return own;
    const fitting = [...this.byPattern.keys()].filter((pattern) => fullMatch(pattern).test(path));
    if (fitting.length <= 1) return this.byPattern.get(fitting[0]!) ?? this.defaultOptimizer;
    throw new MyelinError(
      "INVALID_OPTION",
      `${WHERE}: expected one pattern to fit ${path}, got ${fitting.map((p) => describe(p)).join(" and ")}`,
    );
  }

  /** Every optimizer once: those of patterns, then the default one. */
  get optimizers(): readonly Optimizer[] {
    return [...new Set([...this.byPattern.values(), this.defaultOptimizer])];
  }

  /** @internal What makes it again; undefined where one of the optimizers only exists as code. */
  getConfig(): OptimizerMapOptions | undefined {
    const seen = new Map<Optimizer, string>([[this.defaultOptimizer, ""]]);
    const optimizers: Record<string, OptimizerConfig | Same> = {};
    for (const [pattern, optimizer] of this.byPattern) {
      const earlier = seen.get(optimizer);
      const config = earlier === undefined ? optimizer.getConfig() : { sameAs: earlier };
      if (!config) return undefined;
      optimizers[pattern] = config;
      if (earlier === undefined) seen.set(optimizer, pattern);
    }
    const defaultOptimizer = this.defaultOptimizer.getConfig();
    return defaultOptimizer && { defaultOptimizer, optimizers };
  }
}

function fullMatch(pattern: string): RegExp {
  try {
    return new RegExp(`^(?:${pattern})$`, "u");
  } catch {
    throw new MyelinError("INVALID_OPTION", `${WHERE}: expected a path or a regular expression, got ${describe(pattern)}`); // biome-ignore format: one line
  }
}

function isSame(like: unknown): like is Same {
  return typeof like === "object" && like !== null && !(like instanceof Optimizer) && "sameAs" in like;
}

/** An optimizer that is no wrapper. */
export function plain(what: string, like: OptimizerLike, where = WHERE): Optimizer {
  const optimizer = get(like, `${where}: ${what}`);
  if (optimizer.innerOptimizers.length === 0 && optimizer.lossScaleFactor === undefined) return optimizer;
  const came = optimizer.innerOptimizers.length > 0 ? optimizer.name : "one with a lossScaleFactor";
  throw new MyelinError(
    "INVALID_OPTION",
    `${where}: expected ${what} to be an optimizer that is no wrapper and scales no loss, got ${came}`,
  );
}

/**
 * Assigns optimizers to weights by path, for `multiOptimizer`.
 * @example optimizers.optimizerMap({ defaultOptimizer: "sgd", optimizers: { "encoder/.*": optimizers.adam() } })
 */
export function optimizerMap(options: OptimizerMapOptions): OptimizerMap {
  return new OptimizerMap(options);
}
