// input(): where the functional API starts.

import { InputLayer, type InputLayerOptions } from "../layers/core.ts";
import type { SymbolicTensor } from "../layers/symbolic.ts";

/**
 * A placeholder for data, to apply layers to.
 * @param options.shape of one sample, without the batch axis ([] for one number a sample)
 * @param options.dtype default float32
 * @param options.batchSize default: any
 * @example const x = input({ shape: [28, 28], name: "image" });
 */
export function input(options: InputLayerOptions): SymbolicTensor {
  return new InputLayer(options).output;
}
