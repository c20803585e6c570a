// fit: what it is given becomes data sets and passes over them; then the epochs run (epochs.ts). Between epochs as little as
// possible happens, so that tiny models train at the speed of their steps.

import { MyelinError } from "../core/errors.ts";
import { deriveSeed, splitSeed } from "../core/random.ts";
import { type Tensor, tensor } from "../core/tensor.ts";
import { Dataset } from "../data/dataset.ts";
import { Breather } from "./breather.ts";
import { Callback, CallbackList, type Direction, type ResumePoint } from "./callback.ts";
import { type DataSet, partsOf, rowsOfSet, withParts } from "./data.ts";
import { NanGuard } from "./diagnose.ts";
import { Epochs, type Passes, validationName } from "./epochs.ts";
import { type FitOptions, type FitSettings, readFitOptions } from "./fit-options.ts";
import { History } from "./history.ts";
import { refuse } from "./options.ts";
import type { Going } from "./pass.ts";
import { type BatchSource, isSource, readBatch } from "./source.ts";
import type { Trainer } from "./trainer.ts";
import type { ClassWeight } from "./weights.ts";

/** See `Model.fit`. The caller holds the model. */
export async function runFit(
  trainer: Trainer,
  x: unknown,
  y: unknown,
  options: FitOptions | undefined,
): Promise<History> {
  const { optimizer } = trainer.check("fit");
  const o = readFitOptions(options);
  if (o.nan && trainer.model.trainStep) {
    throw new MyelinError(
      "INVALID_OPTION",
      "fit: expected no debug.nan for a model with a trainStep of its own",
    );
  }
  const history = new History();
  const callbacks = new CallbackList("fit", [...o.callbacks, history]);
  const breather = new Breather();
  const data = await readSets(trainer, x, y, o, breather);
  const seed = takeSeed(trainer, o.seed);
  const passes = await openPasses(trainer, data, o, seed, breather);
  const { pass, test } = passes;
  try {
    const epochs = new Epochs(trainer, passes, callbacks, o, seed);
    const { model } = trainer;
    model.stopTraining = false;
    trainer.history = history;
    const { steps, rows: samples } = pass;
    callbacks.setModel(model, {
      epochs: o.epochs,
      steps,
      samples,
      metrics: logNames(pass, test),
      callbacks: callbacks.all,
      position: () => epochs.position(),
    });
    await callbacks.call("onTrainBegin", {});
    const resume = callbacks.resumePoint();
    if (resume) await takeUp(resume, callbacks, history, pass);
    const logs = await epochs.run(optimizer.stepsTaken, resume);
    if (o.epochs > o.initialEpoch) optimizer.finalizeVariableValues(trainer.trainableWeights);
    await callbacks.call("onTrainEnd", logs);
  } finally {
    await passes.close();
  }
  return history;
}

/** Brings what the callbacks knew and the history back; the one that resumes has brought the model back. */
async function takeUp(
  resume: ResumePoint,
  callbacks: CallbackList,
  history: History,
  pass: Going,
): Promise<void> {
  for (const [i, callback] of callbacks.all.entries()) {
    const state = resume.states[i] ?? null;
    if (callback instanceof Callback && state !== null) await callback.setState?.(state);
  }
  history.epoch = [...resume.epochs];
  history.history = Object.fromEntries(Object.entries(resume.history).map(([k, v]) => [k, [...v]]));
  if (resume.batch > 0) pass.totals.restore(resume.sums);
}

/** Data to train or validate on: in memory, or as it comes. */
type Data = DataSet | { readonly source: BatchSource<unknown> };

/** Makes (or takes up again) what goes over the data, and loads it. */
async function openPasses(
  trainer: Trainer,
  { training, validation }: { training: Data; validation: Data | undefined },
  o: FitSettings,
  seed: number,
  breather: Breather,
): Promise<Passes> {
  const closing: (() => void | Promise<void>)[] = [];
  const close = async () => {
    for (const end of closing.reverse()) await end();
  };
  const stream = async (
    kind: "train" | "test",
    name: string,
    source: BatchSource<unknown>,
    classWeight?: ClassWeight,
  ) => {
    const limitName = kind === "train" ? "stepsPerEpoch" : "validationSteps";
    const pass = trainer.streamPass(kind, name, source, {
      limit: o[limitName],
      limitName,
      classWeight,
      signal: o.signal,
    });
    closing.push(() => pass.close());
    await pass.prepare();
    return pass;
  };
  const memory = async (kind: "train" | "test", set: DataSet) => {
    const kept =
      kind === "train"
        ? trainer.trainingPass(set, Math.min(o.batchSize, set.rows), o.shuffle)
        : trainer.testingPass(set, Math.min(o.validationBatchSize, set.rows));
    closing.push(() => trainer.giveBack(kind, kept));
    await kept.pass.load(set, breather);
    return kept.pass;
  };
  try {
    let pass: Passes["pass"];
    let guard: NanGuard | undefined;
    if ("source" in training) pass = await stream("train", "fit", training.source, o.classWeight);
    else if (o.stepsPerEpoch !== undefined) pass = await stream("train", "fit", endless(training, o, seed));
    else {
      const inMemory = await memory("train", training);
      if (o.nan) guard = new NanGuard(trainer, inMemory, training);
      pass = inMemory;
    }
    let test: Going | undefined;
    if (validation) {
      test =
        "source" in validation
          ? await stream("test", "fit: validationData", validation.source)
          : await memory("test", validation);
    }
    return { pass, test, guard, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Rows in memory as batches without end, for epochs that are no whole passes. */
function endless(set: DataSet, o: FitSettings, seed: number): BatchSource<unknown> {
  const rows = Dataset.fromTensorSlices(partsOf(set));
  const mixed = o.shuffle ? rows.shuffle(set.rows, { seed }) : rows;
  return mixed
    .batch(Math.min(o.batchSize, set.rows))
    .repeat()
    .map((parts) => {
      const { inputs, targets, weights } = withParts(set, parts as Tensor[]);
      const given = <T>(list: readonly T[]) => (list.every((t) => t === undefined) ? undefined : list);
      return { x: inputs, y: given(targets), sampleWeight: given(weights) };
    });
}

function logNames(pass: Going, test: Going | undefined): ReadonlyMap<string, Direction> {
  const own = [...pass.totals.names];
  const validated = test ? own.map(([name, d]) => [validationName(name), d] as const) : [];
  return new Map([...own, ...validated]);
}

async function readSets(
  trainer: Trainer,
  x: unknown,
  y: unknown,
  o: FitSettings,
  breather: Breather,
): Promise<{ training: Data; validation: Data | undefined }> {
  const checked = async (where: string, set: DataSet) => {
    for (const _ of trainer.numbers(where, set)) if (breather.isDue()) await breather.breathe();
    return set;
  };
  const given = await readValidation(trainer, o, checked);
  if (isSource(x)) {
    refuse("fit", {
      y,
      sampleWeight: o.sampleWeight,
      batchSize: o.givenBatchSize,
      validationSplit: o.validationSplit || undefined,
      "debug.nan": o.nan || undefined,
    });
    return { training: { source: x }, validation: given };
  }
  const { sampleWeight, classWeight } = o;
  const all = await checked("fit", trainer.readData("fit", x, y, { sampleWeight, classWeight }));
  if (given || o.validationSplit === 0) return { training: all, validation: given };
  const kept = Math.floor(all.rows * (1 - o.validationSplit));
  if (kept === 0 || kept === all.rows) {
    throw new MyelinError(
      "INVALID_DATA",
      `fit: expected validationSplit ${o.validationSplit} of ${all.rows} rows to leave rows on both sides, got ${kept} and ${all.rows - kept}`,
    );
  }
  return { training: rowsOfSet(all, 0, kept), validation: shortened(rowsOfSet(all, kept, all.rows), o) };
}

async function readValidation(
  trainer: Trainer,
  o: FitSettings,
  checked: (where: string, set: DataSet) => Promise<DataSet>,
): Promise<Data | undefined> {
  const { validationData } = o;
  if (validationData === undefined) return undefined;
  if (isSource(validationData)) return { source: validationData };
  const where = "fit: validationData";
  const { x, y, sampleWeight } = readBatch(where, validationData);
  return shortened(await checked(where, trainer.readData(where, x, y, { sampleWeight })), o);
}

function shortened(set: DataSet, { validationSteps, validationBatchSize }: FitSettings): DataSet {
  if (validationSteps === undefined) return set;
  return rowsOfSet(set, 0, Math.min(set.rows, validationSteps * validationBatchSize));
}

/** Settles the seed of this training and gives it to the model's random source. */
function takeSeed(trainer: Trainer, given: number | undefined): number {
  const { model } = trainer;
  if (given === undefined) return trainer.seed ?? model.seed;
  model.offerSeed(given);
  trainer.seed = given;
  // The key alone: the counter goes on, so that a training that was saved and taken up again draws on as if unbroken.
  const key = Int32Array.from(splitSeed(deriveSeed(given, 0)));
  model.seedGenerator.key.write(tensor(key));
  return given;
}
