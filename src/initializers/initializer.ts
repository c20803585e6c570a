// What an initializer is: a named, serializable rule that fills a new weight on the host.

import type { DType, HostArray } from "../core/dtype.ts";
import type { Random } from "../core/random.ts";
import type { Shape } from "../core/shape.ts";
import type { Tensor } from "../core/tensor.ts";
import type { Fans } from "./fans.ts";

/** How any configured object looks in a file: which class, which options. */
export interface SerializedObject {
  readonly className: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/**
 * Fills a new weight. `random` is the weight's own stream, used unless the initializer was given a seed; `fans` replaces
 * what the shape says of a weight's inputs and outputs, for those whose axes are not in the usual order.
 */
export interface Initializer {
  readonly className: string;
  make(shape: Shape, dtype: DType, random: Random, fans?: Fans): HostArray;
  getConfig(): Record<string, unknown>;
}

/** A name ("heNormal"), an object (`initializers.heNormal({ seed: 3 })`) or a function that makes the value. */
export type InitializerLike = string | Initializer | ((shape: Shape) => Tensor);
