// The `activation` option of layers: a name or a function, and how it is written to files.

import { describe, MyelinError, unknownName } from "../core/errors.ts";
import type { Value } from "../graph/graph.ts";
import * as ops from "../ops/index.ts";

/** The activation functions of Keras 3 by name, in their default form. */
export const activations = {
  celu: ops.celu,
  elu: ops.elu,
  exponential: ops.exponential,
  gelu: ops.gelu,
  glu: ops.glu,
  hardShrink: ops.hardShrink,
  hardSigmoid: ops.hardSigmoid,
  hardSilu: ops.hardSilu,
  hardSwish: ops.hardSwish,
  hardTanh: ops.hardTanh,
  leakyRelu: ops.leakyRelu,
  linear: ops.linear,
  logSigmoid: ops.logSigmoid,
  logSoftmax: ops.logSoftmax,
  mish: ops.mish,
  relu: ops.relu,
  relu6: ops.relu6,
  selu: ops.selu,
  sigmoid: ops.sigmoid,
  silu: ops.silu,
  softmax: ops.softmax,
  softplus: ops.softplus,
  softShrink: ops.softShrink,
  softsign: ops.softsign,
  sparsemax: ops.sparsemax,
  sparsePlus: ops.sparsePlus,
  sparseSigmoid: ops.sparseSigmoid,
  squareplus: ops.squareplus,
  swish: ops.swish,
  tanh: ops.tanh,
  tanhShrink: ops.tanhShrink,
} as const;

export type ActivationName = keyof typeof activations;
export type ActivationFunction = (x: Value) => Value;
/** "relu" and so on, or a function written with ops. */
export type ActivationLike = ActivationName | ActivationFunction;

/** The function behind a name. @throws INVALID_OPTION for unknown names, naming the nearest */
export function resolveActivation(where: string, like: unknown): ActivationFunction {
  if (typeof like === "function") return like as ActivationFunction;
  if (typeof like === "string" && Object.hasOwn(activations, like)) {
    return activations[like as ActivationName] as ActivationFunction;
  }
  if (typeof like === "string") throw unknownName(where, "activation", like, Object.keys(activations));
  throw new MyelinError(
    "INVALID_OPTION",
    `${where}: expected activation to be a name or a function, got ${describe(like)}`,
  );
}

/** Whether an activation is the one of this name, given as name or function. */
export function isActivation(like: ActivationLike, name: ActivationName): boolean {
  return like === name || like === activations[name];
}

/** The name of an activation. @throws INVALID_ARGUMENT for functions without one: files hold no code */
export function serializeActivation(where: string, like: ActivationLike): string {
  if (typeof like === "string") return like;
  for (const [name, fn] of Object.entries(activations)) if (fn === like) return name;
  throw new MyelinError(
    "INVALID_ARGUMENT",
    `${where}: a function of your own as activation cannot be saved; write a Layer subclass and registerLayer it, or use one of ${Object.keys(activations).join(", ")}`,
  );
}
