// Training state as plain data, so that a saved model goes on training as if it had never stopped: what compile was
// told, the optimizer with its slots, and the seed. The model saves its weights and random counters itself.

import { describe, MyelinError } from "../core/errors.ts";
import { sameType } from "../core/shape.ts";
import type { Variable } from "../graph/variable.ts";
import { get as getLoss, type LossLike } from "../losses/index.ts";
import { get as getMetric, type MetricLike } from "../metrics/index.ts";
import type { TrainingState } from "../models/model.ts";
import type { OptimizerLike } from "../optimizers/index.ts";
import type { CompileOptions, Trainer } from "./trainer.ts";

/** Null before compile, and when a loss, metric or optimizer is code that no file can hold: compile again after loading. */
export function getTrainingState(trainer: Trainer): TrainingState | null {
  const { options, optimizer } = trainer;
  if (!options || !optimizer) return null;
  const compile = saved(options, optimizer.getConfig());
  if (compile === undefined) return null;
  const variables = namedState(trainer);
  const tensors = Object.fromEntries(variables.map(([name, variable]) => [name, variable.read()]));
  const seed = trainer.seed ?? null;
  return { config: { compile, seed }, tensors };
}

/** Compiles the model as it was and puts the optimizer's state back. Nothing changes when something does not fit. */
export function setTrainingState(trainer: Trainer, state: TrainingState): void {
  const where = "training state";
  const { compile, seed } = state.config as { compile?: CompileOptions; seed?: number | null };
  if (typeof compile !== "object" || compile === null) {
    throw new MyelinError("INVALID_FILE", `${where}: expected compile options, got ${describe(compile)}`);
  }
  if (seed !== null && seed !== undefined && !Number.isSafeInteger(seed)) {
    throw new MyelinError("INVALID_FILE", `${where}: expected a whole number as seed, got ${describe(seed)}`);
  }
  trainer.compile(compile);
  const variables = namedState(trainer);
  for (const [name, variable] of variables) {
    const value = Object.hasOwn(state.tensors, name) ? state.tensors[name] : undefined;
    if (value && sameType(value, variable)) continue;
    trainer.uncompile();
    throw new MyelinError(
      "INVALID_FILE",
      `${where}: expected ${name} as ${variable.dtype}[${variable.shape}], got ${value ? `${value.dtype}[${value.shape}]` : "nothing"}`,
    );
  }
  for (const [name, variable] of variables) variable.write(state.tensors[name]!);
  trainer.seed = seed ?? undefined;
}

/** The optimizer's Variables by names that do not depend on how many layers the process has made before. */
function namedState(trainer: Trainer): [name: string, variable: Variable][] {
  const optimizer = trainer.optimizer!;
  const paths = new Map(trainer.model.namedWeights().map((w) => [w.variable, w.path]));
  const slots = trainer.model.trainableWeights.flatMap((parameter) =>
    optimizer
      .slotsOf(parameter)
      .map((slot, i): [string, Variable] => [`${paths.get(parameter)}/${optimizer.slotNames[i]}`, slot]),
  );
  return [["iterations", optimizer.iterations], ["learningRate", optimizer.learningRateVariable], ...slots];
}

/** The options as JSON can hold them; undefined when something in them is code. */
function saved(options: CompileOptions, optimizer: OptimizerLike | undefined): object | undefined {
  let isCode = optimizer === undefined;
  const each = (nest: unknown, config: (one: never) => unknown): unknown => {
    if (nest === undefined) return undefined;
    if (Array.isArray(nest)) return nest.map((one) => each(one, config));
    if (isRecord(nest)) {
      return Object.fromEntries(Object.entries(nest).map(([name, one]) => [name, each(one, config)]));
    }
    const made = config(nest as never);
    isCode ||= made === undefined;
    return made;
  };
  const loss = each(options.loss, (l: LossLike) => (typeof l === "string" ? l : getLoss(l).getConfig()));
  const metrics = each(options.metrics, (m: MetricLike) =>
    typeof m === "string" ? m : getMetric(m).getConfig(),
  );
  if (isCode) return undefined;
  return { optimizer, loss, metrics, lossWeights: options.lossWeights };
}

/** A record of things by output name, as against one saved config. */
function isRecord(x: unknown): x is Record<string, unknown> {
  if (typeof x !== "object" || x === null) return false;
  return Object.getPrototypeOf(x) === Object.prototype && !("name" in x && "options" in x);
}
