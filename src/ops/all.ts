// Every op record there is, by name: what tests walk over, and what a reader of graphs needs. attachGradient alone is made
// anew for each use, since it holds a user's function.

import type { Op } from "../graph/graph.ts";
import * as arithmetic from "./arithmetic.ts";
import * as attention from "./attention.ts";
import * as batchNorm from "./batch-norm.ts";
import { castOp } from "./cast.ts";
import * as compare from "./compare.ts";
import { constantOp } from "./constant.ts";
import { convInputGradOp, convKernelGradOp, convOp } from "./conv.ts";
import { stopGradientOp } from "./custom.ts";
import * as elementwise from "./elementwise.ts";
import { fusedOp } from "./fused.ts";
import { gatherOp, scatterAddOp } from "./gather.ts";
import * as gelu from "./gelu.ts";
import * as groupNorm from "./group-norm.ts";
import { gruGradOp, gruOp } from "./gru.ts";
import * as layerNorm from "./layer-norm.ts";
import { lazyAdamUpdateOp } from "./lazy-update.ts";
import { lstmGradOp, lstmOp } from "./lstm.ts";
import { matmulOp } from "./matmul.ts";
import * as move from "./move.ts";
import * as pool from "./pool.ts";
import { bitsToUniformOp, dropoutMaskOp, randomBitsOp } from "./random.ts";
import { argmaxOp, argminOp, maxOp, minOp, prodOp, sumOp } from "./reduce.ts";
import { resizeGradOp, resizeOp } from "./resize.ts";
import { cumsumOp, sortOp } from "./scan.ts";
import { simpleRnnGradOp, simpleRnnOp } from "./simple-rnn.ts";
import * as softmax from "./softmax.ts";
import { adamUpdateOp, sgdUpdateOp, squaredNormsOp } from "./updates.ts";

/** The records among a module's exports: ops themselves, or functions that carry theirs. */
function recordsOf(module: Readonly<Record<string, unknown>>): Op[] {
  return Object.values(module).flatMap((x) => {
    const candidate = typeof x === "function" ? (x as unknown as { op?: Op }).op : (x as Op);
    return candidate && typeof candidate.infer === "function" ? [candidate] : [];
  });
}

const records: readonly Op[] = [
  ...recordsOf(elementwise),
  ...recordsOf(arithmetic),
  ...recordsOf(compare),
  ...recordsOf(move),
  ...recordsOf(softmax),
  ...recordsOf(gelu),
  ...recordsOf(attention),
  ...recordsOf(pool),
  ...recordsOf(batchNorm),
  ...recordsOf(groupNorm),
  ...recordsOf(layerNorm),
  castOp,
  constantOp,
  stopGradientOp,
  fusedOp,
  gatherOp,
  scatterAddOp,
  matmulOp,
  convOp,
  convInputGradOp,
  convKernelGradOp,
  randomBitsOp,
  dropoutMaskOp,
  bitsToUniformOp,
  sumOp,
  maxOp,
  minOp,
  prodOp,
  argmaxOp,
  argminOp,
  cumsumOp,
  sortOp,
  resizeOp,
  resizeGradOp,
  lstmOp,
  lstmGradOp,
  gruOp,
  gruGradOp,
  simpleRnnOp,
  simpleRnnGradOp,
  sgdUpdateOp,
  adamUpdateOp,
  squaredNormsOp,
  lazyAdamUpdateOp,
];

export const allOps: ReadonlyMap<string, Op> = new Map(records.map((op) => [op.name, op]));
