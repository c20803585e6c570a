// What every optimizer takes, and the checks of it.

import { MyelinError } from "../core/errors.ts";
import { checkBoolean, checkInteger, checkNumber } from "../core/options.ts";
import type { LearningRate } from "./schedules/index.ts";

/** What every optimizer takes; the defaults are those of Keras 3. At most one of the three ways of clipping. */
export interface OptimizerOptions {
  /**
   * Step size, of at least 0: a number, which may be changed between steps by assigning `optimizer.learningRate`, or a
   * schedule (`optimizers.schedules`), worked out from the steps taken.
   */
  learningRate?: LearningRate;
  /** Decoupled: every step first takes `learningRate * weightDecay` of each parameter away. Default: none. */
  weightDecay?: number;
  /** Above 0: each gradient whose norm is larger is scaled down to it. Default: none. */
  clipnorm?: number;
  /** Above 0: gradients are kept in [-clipvalue, clipvalue]. Default: none. */
  clipvalue?: number;
  /** Above 0: all gradients together are scaled down to this norm where theirs is larger. Default: none. */
  globalClipnorm?: number;
  /** Keep a running average of the parameters, which they take over when `fit` ends. Default false. */
  useEma?: boolean;
  /** How much of the average each step keeps, in [0, 1]. Default 0.99. */
  emaMomentum?: number;
  /** Parameters take over their average after every so many steps, too. Default: only when `fit` ends. */
  emaOverwriteFrequency?: number | null;
  /**
   * Parameters move only after so many batches, by the mean of the gradients of these: a larger batch in less memory. That
   * step counts as one for the optimizer, while schedules count batches and averages (`useEma`) move with each, as in Keras.
   * What has been gathered when `fit` ends waits for the next fit. At least 2. Default: every batch.
   */
  gradientAccumulationSteps?: number | null;
  /** The loss is multiplied by it before differentiation, and gradients divided by it after. Default: 1. */
  lossScaleFactor?: number | null;
  /** Prefix of the state's names; defaults to the optimizer's own name. */
  name?: string;
}

export const OPTIMIZER_OPTIONS = [
  "learningRate",
  "weightDecay",
  "clipnorm",
  "clipvalue",
  "globalClipnorm",
  "useEma",
  "emaMomentum",
  "emaOverwriteFrequency",
  "gradientAccumulationSteps",
  "lossScaleFactor",
  "name",
] as const;

const above0 = (where: string, name: string, x: unknown) =>
  checkNumber(where, name, x, "above 0", (v) => v > 0);

/** Ranges checked, defaults filled in; all but the learning rate. */
export function readOptimizerOptions(where: string, o: OptimizerOptions) {
  const clips = (["clipnorm", "clipvalue", "globalClipnorm"] as const).filter((c) => o[c] != null);
  const positive = (name: string, x: unknown) => (x == null ? undefined : above0(where, name, x));
  const whole = (name: string, x: unknown, least: number) =>
    x == null ? undefined : checkInteger(where, name, x, least, 2 ** 31 - 1);
  const read = {
    name: o.name ?? where,
    weightDecay: checkNumber(where, "weightDecay", o.weightDecay ?? 0, "of at least 0", (x) => x >= 0),
    clipnorm: positive("clipnorm", o.clipnorm),
    clipvalue: positive("clipvalue", o.clipvalue),
    globalClipnorm: positive("globalClipnorm", o.globalClipnorm),
    useEma: checkBoolean(where, "useEma", o.useEma ?? false),
    emaMomentum: checkNumber(
      where,
      "emaMomentum",
      o.emaMomentum ?? 0.99,
      "in [0, 1]",
      (x) => x >= 0 && x <= 1,
    ),
    emaOverwriteFrequency: whole("emaOverwriteFrequency", o.emaOverwriteFrequency, 1),
    gradientAccumulationSteps: whole("gradientAccumulationSteps", o.gradientAccumulationSteps, 2),
    lossScaleFactor: positive("lossScaleFactor", o.lossScaleFactor),
  };
  if (clips.length <= 1) return read;
  throw new MyelinError(
    "INVALID_OPTION",
    `${where}: expected at most one of clipnorm, clipvalue and globalClipnorm, got ${clips.join(" and ")}`,
  );
}
