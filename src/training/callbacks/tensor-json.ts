// Tensors in the JSON of a callback's state.

import type { DType, HostArray } from "../../core/dtype.ts";
import { allocateHost } from "../../core/dtype.ts";
import { sizeOf } from "../../core/shape.ts";
import { Tensor } from "../../core/tensor.ts";

export interface TensorJSON {
  readonly shape: readonly number[];
  readonly dtype: DType;
  /** Bytes in base64. */
  readonly data: string;
}

export function tensorToJSON({ shape, dtype, data }: Tensor): TensorJSON {
  const bytes = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
  return { shape, dtype, data: bytes.toString("base64") };
}

export function tensorFromJSON({ shape, dtype, data }: TensorJSON): Tensor {
  const out: HostArray = allocateHost(dtype, sizeOf(shape));
  new Uint8Array(out.buffer, out.byteOffset, out.byteLength).set(Buffer.from(data, "base64"));
  return new Tensor(out, shape, dtype);
}
