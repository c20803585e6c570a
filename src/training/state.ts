// Training state as plain data, so that a saved model goes on training as if it had never stopped: what compile was
// told, the optimizer with its slots, and the seed. The model saves its weights and random counters itself.

import { describe, MyelinError } from "../core/errors.ts";
import { formatShape, sameType } from "../core/shape.ts";
import type { Variable } from "../graph/variable.ts";
import { get as getLoss, type LossLike } from "../losses/index.ts";
import { get as getMetric, type MetricLike } from "../metrics/index.ts";
import type { Model, TrainingState } from "../models/model.ts";
import { get as getOptimizer, type Optimizer, type OptimizerConfig } from "../optimizers/index.ts";
import type { ObjectiveOptions } from "./plan.ts";
import { type Trainer, trainerOf } from "./trainer.ts";

interface SavedConfig {
  /** Losses, metrics and weights as compile takes them; null when one of them is a function or class of the user's. */
  readonly objective?: ObjectiveOptions | null;
  readonly optimizer?: OptimizerConfig;
  readonly seed?: number | null;
}

/** Null before compile, and for an optimizer that only exists as code: nothing could make it again. */
export function getTrainingState(trainer: Trainer): TrainingState | null {
  const { options, optimizer } = trainer;
  const config = optimizer?.isCode ? undefined : optimizer?.getConfig();
  if (!options || !optimizer || !config) return null;
  const tensors = Object.fromEntries(
    namedState(trainer, optimizer).map(([name, variable]) => [name, variable.read()]),
  );
  return { config: { objective: saved(options), optimizer: config, seed: trainer.seed ?? null }, tensors };
}

/**
 * Makes the optimizer again with its state, and compiles the model as it was. Where the loss or a metric was code, the
 * next `compile` without an optimizer takes this one. Nothing changes when something does not fit.
 */
export function setTrainingState(trainer: Trainer, state: TrainingState): void {
  const { objective, optimizer: config, seed } = state.config as SavedConfig;
  if (typeof config !== "object" || config === null) throw invalid("an optimizer", config);
  if (seed != null && !(Number.isSafeInteger(seed) && seed >= 0))
    throw invalid("a whole number as seed", seed);
  if (objective != null && typeof objective !== "object") throw invalid("losses and metrics", objective);
  const optimizer = getOptimizer(config, WHERE);
  const variables = namedState(trainer, optimizer);
  for (const [name, variable] of variables) {
    const value = Object.hasOwn(state.tensors, name) ? state.tensors[name] : undefined;
    if (!value || !sameType(value, variable)) {
      const came = value ? `${value.dtype}${formatShape(value.shape)}` : undefined;
      throw invalid(`${name} as ${variable.dtype}${formatShape(variable.shape)}`, came);
    }
  }
  for (const [name, variable] of variables) variable.write(state.tensors[name]!);
  if (objective != null) trainer.compile({ ...objective, optimizer, engine: trainer.options?.engine });
  else trainer.expect(optimizer);
  trainer.seed = seed ?? undefined;
}

const WHERE = "training state";

function invalid(expected: string, came: unknown): MyelinError {
  return new MyelinError("INVALID_FILE", `${WHERE}: expected ${expected}, got ${describe(came)}`);
}

/** The optimizer's Variables by names that do not depend on how many layers the process has made before. */
function namedState(trainer: Trainer, optimizer: Optimizer): [name: string, variable: Variable][] {
  const paths = trainer.weightPaths;
  optimizer.meet(paths);
  const slots = trainer.model.trainableWeights.flatMap((parameter) =>
    optimizer
      .namedSlotsOf(parameter)
      .map(([name, slot]): [string, Variable] => [`${paths.get(parameter)}/${name}`, slot]),
  );
  const own = { iterations: optimizer.iterations, learningRate: optimizer.learningRateVariable };
  return [...Object.entries({ ...own, ...optimizer.sharedState }), ...slots];
}

/** Everything of a model in training that changes with a step, by names that hold in another process. */
export function carriedState(model: Model): [name: string, variable: Variable][] {
  const trainer = trainerOf(model);
  const { optimizer } = trainer.check("carriedState");
  return [
    ...model.namedWeights().map(({ path, variable }): [string, Variable] => [`weights/${path}`, variable]),
    ...model.namedRandomState().map(({ path, variable }): [string, Variable] => [`random/${path}`, variable]),
    ...namedState(trainer, optimizer).map(([name, v]): [string, Variable] => [`optimizer/${name}`, v]),
  ];
}

/** Losses and metrics as JSON can hold them; null when something in them is code. */
function saved({ loss, metrics, weightedMetrics, lossWeights }: ObjectiveOptions): object | null {
  let isCode = false;
  const each = (nest: unknown, config: (one: never) => unknown): unknown => {
    if (nest == null || typeof nest === "string") return nest;
    if (Array.isArray(nest)) return nest.map((one) => each(one, config));
    if (isRecord(nest)) {
      return Object.fromEntries(Object.entries(nest).map(([name, one]) => [name, each(one, config)]));
    }
    const made = config(nest as never);
    isCode ||= made === undefined;
    return made;
  };
  const losses = each(loss, (l: LossLike) => getLoss(l).getConfig());
  const measured = (nest: unknown) => each(nest, (m: MetricLike) => getMetric(m).getConfig());
  const measures = { metrics: measured(metrics), weightedMetrics: measured(weightedMetrics) };
  return isCode ? null : { loss: losses, ...measures, lossWeights };
}

/** A record of things by output name, as against one saved config. */
function isRecord(x: unknown): x is Record<string, unknown> {
  if (typeof x !== "object" || x === null) return false;
  return Object.getPrototypeOf(x) === Object.prototype && !("name" in x && "options" in x);
}
