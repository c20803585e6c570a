// Types of layers whose options make them give a list: `const [output, h, c] = layers.lstm({ units, returnState: true }).apply(x)`.

import type { Value } from "../graph/graph.ts";
import type { CallOptions } from "./layer.ts";
import type { Mask } from "./mask.ts";
import type { Nest } from "./nest.ts";
import type { SymbolicTensor } from "./symbolic.ts";

type List<T, N extends number> = N extends 2 ? [T, T] : N extends 3 ? [T, T, T] : T[];

/** Intersected in front of a layer's type, its `apply` is found first. N: how many outputs, where the options say so. */
export interface GivesList<N extends number = number> {
  apply(x: Nest<SymbolicTensor>, options?: CallOptions): List<SymbolicTensor, N>;
  apply(x: Nest<Value>, options?: CallOptions, mask?: Mask): List<Value, N>;
}
