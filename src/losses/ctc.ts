// Connectionist temporal classification: sequences of labels without knowing when each was said.

import { MyelinError } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { formatShape } from "../core/shape.ts";
import type { Value } from "../graph/graph.ts";
import * as ops from "../ops/index.ts";
import { BuiltInLoss, LOSS_OPTIONS, type LossOptions } from "./loss.ts";

/** Stands for the logarithm of 0: sums of exponentials lose it, and differences of it are finite. */
const NEVER = -1e30;

/**
 * CTC (Graves et al., "Connectionist Temporal Classification", ICML 2006): minus the log-probability of all ways in which
 * the steps' outputs, repetitions and blanks taken out, spell the labels.
 * Predictions: logits [batch, steps, classes], class 0 the blank. Targets: labels [batch, length] from 1 on, 0 for padding
 * at the end. A row of labels that cannot be spelt in so many steps has a loss of about 1e30. The recursion over steps is
 * part of the graph, a few ops a step.
 */
export function ctc(options: LossOptions = {}): BuiltInLoss {
  const name = "ctc";
  const o = checkOptions(name, options, LOSS_OPTIONS);
  return new BuiltInLoss({
    name,
    options: o,
    targets: "labels",
    values: (yTrue, yPred) => {
      if (yTrue.rank !== 2 || yPred.rank !== 3 || yTrue.shape[0] !== yPred.shape[0]) {
        throw new MyelinError(
          "SHAPE_MISMATCH",
          `loss ${o.name ?? name}: expected labels [batch, length] and logits [batch, steps, classes], got ${formatShape(yTrue.shape)} and ${formatShape(yPred.shape)}`,
        );
      }
      return alignments(ops.cast(yTrue, "int32"), ops.logSoftmax(yPred));
    },
  });
}

function alignments(labels: Value, logProbabilities: Value): Value {
  const [batch, steps] = logProbabilities.shape as [number, number];
  const length = labels.shape[1]!;
  const places = 2 * length + 1;
  // blank, label, blank, label, ..., blank
  const blanks = ops.zeros([batch, length], "int32");
  const spelt = ops.reshape(ops.stack([blanks, labels], { axis: -1 }), [batch, 2 * length]);
  const extended = ops.pad(spelt, [[0, 0], [0, 1]]); // biome-ignore format: axes
  const index = ops.broadcastTo(ops.expandDims(extended, 1), [batch, steps, places]);
  const emitted = ops.takeAlongAxis(logProbabilities, index, { axis: -1 });
  const at = (step: number) => ops.squeeze(ops.slice(emitted, [0, step, 0], [batch, 1, places]), 1);
  // Two places on at once: only to a label, and not to the same one again.
  const before = shifted(extended, 2, 0);
  const isLabel = ops.notEqual(extended, 0);
  const maySkip = ops.logicalAnd(isLabel, ops.notEqual(extended, before));

  const first = ops.slice(at(0), [0, 0], [batch, Math.min(2, places)]);
  let alpha = places > 2 ? ops.pad(first, [[0, 0], [0, places - 2]], { value: NEVER }) : first; // biome-ignore format: axes
  for (let step = 1; step < steps; step++) {
    const stay = ops.logAddExp(alpha, shifted(alpha, 1, NEVER));
    const skip = ops.where(maySkip, shifted(alpha, 2, NEVER), NEVER);
    alpha = ops.add(ops.logAddExp(stay, skip), at(step));
  }
  // A spelling ends in the last label or in the blank after it.
  const count = ops.sum(ops.cast(ops.notEqual(labels, 0), "int32"), { axis: 1, keepDims: true });
  const end = ops.multiply(count, 2);
  const blank = ops.takeAlongAxis(alpha, end, { axis: 1 });
  const label = ops.takeAlongAxis(alpha, ops.maximum(ops.subtract(end, 1), 0), { axis: 1 });
  const both = ops.where(ops.greater(count, 0), ops.logAddExp(blank, label), blank);
  return ops.negative(ops.squeeze(both, 1));
}

/** Columns moved `by` places on, `fill` in front. */
function shifted(x: Value, by: number, fill: number): Value {
  const [rows, columns] = x.shape as [number, number];
  const kept = Math.max(0, columns - by);
  const head = ops.slice(x, [0, 0], [rows, kept]);
  return ops.pad(head, [[0, 0], [columns - kept, 0]], { value: fill }); // biome-ignore format: axes
}
