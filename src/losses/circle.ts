// Circle loss: for embeddings, so that rows of one label come close and others go away.

import { MyelinError } from "../core/errors.ts";
import { checkBoolean, checkNumber, checkOptions } from "../core/options.ts";
import { formatShape } from "../core/shape.ts";
import { tensor } from "../core/tensor.ts";
import * as ops from "../ops/index.ts";
import { BuiltInLoss, LOSS_OPTIONS, type LossOptions } from "./loss.ts";

export interface CircleOptions extends LossOptions {
  /** Scale. Default 80. */
  gamma?: number;
  /** How relaxed it is: similarities of one label are to pass 1 - margin. Default 0.4. */
  margin?: number;
  /** Leave pairs of a row with itself out. Default true. */
  removeDiagonal?: boolean;
}

/** Stands for minus infinity: its exponential is 0, and differences of it are finite. */
const NEVER = -1e30;

/**
 * Circle loss (Sun et al., "Circle Loss: A Unified Perspective of Pair Similarity Optimization", CVPR 2020) between all
 * pairs of rows in a batch. Predictions: embeddings [batch, features] of unit length (`layers.unitNormalization`);
 * targets: whole-number labels [batch]. The mean is over the rows whose loss is above 0.
 */
export function circle(options: CircleOptions = {}): BuiltInLoss {
  const name = "circle";
  const o = checkOptions(name, options, [...LOSS_OPTIONS, "gamma", "margin", "removeDiagonal"]);
  const gamma = checkNumber(name, "gamma", o.gamma ?? 80, "above 0", (x) => x > 0);
  const margin = checkNumber(name, "margin", o.margin ?? 0.4, "in [0, 1]", (x) => x >= 0 && x <= 1);
  const removeDiagonal = checkBoolean(name, "removeDiagonal", o.removeDiagonal ?? true);
  return new BuiltInLoss({
    name,
    options,
    targets: "groups",
    counts: (values) => ops.greater(values, 0),
    values: (yTrue, yPred) => {
      const rows = yPred.shape[0]!;
      const labels = ops.reshape(ops.cast(yTrue, "int32"), [-1]);
      if (yPred.rank !== 2 || labels.shape[0] !== rows) {
        throw new MyelinError(
          "SHAPE_MISMATCH",
          `loss ${o.name ?? name}: expected embeddings [batch, features] and a label for each, got ${formatShape(yPred.shape)} and ${formatShape(yTrue.shape)}`,
        );
      }
      const distance = ops.relu(ops.subtract(1, ops.matmul(yPred, yPred, { transposeB: true })));
      const isSame = ops.equal(ops.expandDims(labels, 1), ops.expandDims(labels, 0));
      const isOther = ops.logicalNot(isSame);
      const isPair = Uint8Array.from({ length: rows * rows }, (_, i) => Number(i % (rows + 1) !== 0));
      const pairs = ops.constant(tensor(isPair, [rows, rows], "bool"));
      const positives = removeDiagonal ? ops.logicalAnd(isSame, pairs) : isSame;
      const far = ops.relu(ops.add(distance, margin));
      const near = ops.relu(ops.subtract(1 + margin, distance));
      const pull = ops.multiply(ops.multiply(far, ops.subtract(distance, margin)), gamma);
      const push = ops.multiply(ops.multiply(near, ops.subtract(1 - margin, distance)), gamma);
      const total = ops.add(
        ops.logSumExp(ops.where(positives, pull, NEVER), { axis: 1 }),
        ops.logSumExp(ops.where(isOther, push, NEVER), { axis: 1 }),
      );
      return ops.softplus(total);
    },
  });
}
