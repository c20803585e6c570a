// Gives models their training methods. Models do not import training; whoever wants both imports this file (index.ts does).

import { checkOptions } from "../core/options.ts";
import type { Tensor, TensorLike } from "../core/tensor.ts";
import type { Nest } from "../layers/nest.ts";
import { Gpt } from "../models/architectures/gpt.ts";
import { Model } from "../models/model.ts";
import type { Optimizer } from "../optimizers/index.ts";
import { Batcher, type BatcherOptions } from "./batcher.ts";
import type { Logs } from "./callback.ts";
import type { DataLike, DataSet } from "./data.ts";
import { diagnoseNaN } from "./diagnose.ts";
import { type EvaluateOptions, evaluate } from "./evaluate.ts";
import { runFit } from "./fit.ts";
import type { FitOptions } from "./fit-options.ts";
import { type GenerateOptions, generate } from "./generate.ts";
import type { History } from "./history.ts";
import { type PredictOptions, predict, predictSync } from "./predict.ts";
import { type BatchLike, type BatchSource, isSource } from "./source.ts";
import { getTrainingState, setTrainingState } from "./state.ts";
import { type CompileOptions, type Trainer, trainerOf, type Weighting } from "./trainer.ts";
import type { ClassWeight } from "./weights.ts";

declare module "../models/model.ts" {
  interface Model {
    /** Set to true by a callback, ends the training after the present batch or epoch. */
    stopTraining: boolean;
    /** The optimizer compile was given; undefined before. */
    readonly optimizer: Optimizer | undefined;
    /** The History of the last fit. */
    readonly history: History | undefined;

    /**
     * Says how the model is trained and measured. May be called again: the optimizer then starts anew.
     * @param options.optimizer a name or an optimizer. Default "rmsprop"
     * @param options.loss a name, a loss or a function `(yTrue, yPred) => Value`; one per output in a list or record. May be
     * left out where layers add losses of their own
     * @param options.metrics names, metrics or functions; for several outputs a list of lists or a record
     * @param options.lossWeights one number per output
     * @param options.engine where this model runs. Default: what `setEngine` chose
     * @example model.compile({ optimizer: "adam", loss: "meanSquaredError", metrics: ["meanAbsoluteError"] });
     */
    compile(options: CompileOptions): void;

    /**
     * Trains. Runs off the event loop.
     * @param x rows of inputs: a Tensor, a typed array (read as rows of the model's input shape), `{ data, shape }` or
     * nested arrays; for several inputs a list or a record by input name
     * @param y targets, one row per row of x; null for models that compare with nothing
     * @returns losses and metrics per epoch; `valLoss` and so on for validation data
     * @throws MyelinError NOT_COMPILED, BUSY (a training is under way), INVALID_DATA, SHAPE_MISMATCH, NOT_A_NUMBER,
     * LABEL_OUT_OF_RANGE, INVALID_OPTION; ABORTED (named AbortError) when the signal fired
     * @example const history = await model.fit(x, y, { epochs: 5, batchSize: 128, validationSplit: 0.1, seed: 7 });
     */
    fit(x: DataLike, y: DataLike | null, options?: FitOptions): Promise<History>;
    /**
     * Trains on batches as they come: from a Dataset, a generator, any iterable. The next batch is fetched while one runs.
     * @example await model.fit(Dataset.fromTensorSlices([x, y]).shuffle(10_000).batch(64), { epochs: 3 });
     */
    fit(batches: BatchSource, options?: FitOptions): Promise<History>;

    /** Loss and metrics of data. @example const { loss, accuracy } = await model.evaluate(x, y); */
    evaluate(x: DataLike, y: DataLike | null, options?: EvaluateOptions): Promise<Logs>;
    evaluate(batches: BatchSource, options?: EvaluateOptions): Promise<Logs>;

    /**
     * Outputs for data: a Tensor with one row per row of x, or several in the layout of the model's outputs. May be called
     * while the model trains.
     */
    predict<R extends Nest<Tensor> = Tensor>(x: DataLike, options?: PredictOptions): Promise<R>;
    /** The same for batches as they come: x alone, or what fit takes. */
    predict<R extends Nest<Tensor> = Tensor>(
      batches: BatchSource<DataLike | BatchLike>,
      options?: PredictOptions,
    ): Promise<R>;

    /** The same at once on the calling thread, all rows as one batch: for models that take microseconds. */
    predictSync<R extends Nest<Tensor> = Tensor>(x: DataLike): R;

    /**
     * Merges predictions that are asked for at the same time into one run: for servers. See docs/serving.md.
     * @throws MyelinError SHAPE_MISMATCH for a model with a fixed size of batch; INVALID_OPTION
     * @example const batcher = model.batcher({ maxBatch: 64 }); const y = await batcher.predict([row]);
     */
    batcher(options?: BatcherOptions): Batcher;

    /** Outputs for one batch of all rows. */
    predictOnBatch<R extends Nest<Tensor> = Tensor>(x: DataLike): Promise<R>;

    /** One training step on one batch. @returns loss and metrics of this batch, before the step */
    trainOnBatch(
      x: DataLike,
      y: DataLike | null,
      options?: { sampleWeight?: DataLike; classWeight?: ClassWeight },
    ): Promise<Logs>;

    /** Loss and metrics of one batch. */
    testOnBatch(x: DataLike, y: DataLike | null, options?: { sampleWeight?: DataLike }): Promise<Logs>;

    /**
     * Frees the memory of weights, optimizer state, data and Programs at once, as `using` does at the end of its block; left
     * alone, all of it is freed when the model is collected. Predictions under way end as they would. Whatever needs weights
     * throws DISPOSED from then on, in models that share layers with this one, too.
     * @throws MyelinError BUSY while a training is under way
     * @example { using model = await loadModel("digits.myelin"); console.log(await model.predict(x)); }
     */
    [Symbol.dispose](): void;

    /**
     * Looks for the op that first makes NaN or infinity in a training step on these rows, on the reference engine (slow).
     * @returns a sentence naming op and layer, or null when everything stays finite
     */
    diagnoseNaN(x: DataLike, y: DataLike): Promise<string | null>;
  }
}

declare module "../models/architectures/gpt.ts" {
  interface Gpt {
    /**
     * Goes on from a prompt: tokens drawn one after the other, off the event loop. A text longer than `sequenceLength` is
     * read anew from the last half of the window each time that is full.
     * @param prompt tokens [steps], or [batch, steps] for several texts at once
     * @returns the prompt and the new tokens, int32 [steps + new] or [batch, steps + new]
     * @throws MyelinError INVALID_OPTION, INVALID_ARGUMENT, INVALID_DATA; ABORTED when the signal fired
     * @example const text = await model.generate([18, 47, 56], { maxNewTokens: 200, temperature: 0.8, topK: 20, seed: 7 });
     */
    generate(prompt: TensorLike, options?: GenerateOptions): Promise<Tensor>;
  }
}

/** Runs a training of whatever kind with the model held; refuses while another one is. */
async function held<T>(model: Model, where: string, run: (trainer: Trainer) => Promise<T>): Promise<T> {
  const trainer = trainerOf(model);
  trainer.check(where);
  trainer.warnOfFrozen(where);
  const release = trainer.hold(where);
  try {
    return await run(trainer);
  } finally {
    release();
  }
}

function oneBatch(trainer: Trainer, where: string, x: unknown, y: unknown, weighting?: Weighting): DataSet {
  trainer.check(where);
  const known: (keyof Weighting)[] =
    where === "trainOnBatch" ? ["sampleWeight", "classWeight"] : ["sampleWeight"];
  const set = trainer.readData(where, x, y, checkOptions(where, weighting, known));
  for (const _ of trainer.numbers(where, set));
  return set;
}

/** Arguments as x, y, options: beside a source of batches there is no y. */
function arrange(given: readonly unknown[]): readonly unknown[] {
  const [x, y, options] = given;
  return isSource(x) && given.length === 2 ? [x, undefined, y] : [x, y, options];
}

const methods: ThisType<Model> & Partial<Model> = {
  stopTraining: false,
  compile(options) {
    trainerOf(this).compile(options);
  },
  fit(...given: unknown[]) {
    const [x, y, options] = arrange(given);
    return held(this, "fit", (trainer) => runFit(trainer, x, y, options as FitOptions));
  },
  async evaluate(...given: unknown[]) {
    const [x, y, options] = arrange(given);
    return evaluate(trainerOf(this), x, y, options as EvaluateOptions);
  },
  async predict<R extends Nest<Tensor>>(x: unknown, options?: PredictOptions): Promise<R> {
    return (await predict(trainerOf(this), x, options)) as R;
  },
  predictSync<R extends Nest<Tensor>>(x: DataLike): R {
    return predictSync(trainerOf(this), x) as R;
  },
  [Symbol.dispose]() {
    trainerOf(this).dispose();
  },
  batcher(options) {
    return new Batcher(trainerOf(this), options);
  },
  async predictOnBatch<R extends Nest<Tensor>>(x: DataLike): Promise<R> {
    return (await predict(trainerOf(this), x, { batchSize: Number.MAX_SAFE_INTEGER })) as R;
  },
  trainOnBatch(x, y, options) {
    return held(this, "trainOnBatch", (trainer) =>
      trainer.runBatch("train", oneBatch(trainer, "trainOnBatch", x, y, options)),
    );
  },
  async testOnBatch(x, y, options) {
    const trainer = trainerOf(this);
    return trainer.runBatch("test", oneBatch(trainer, "testOnBatch", x, y, options));
  },
  diagnoseNaN(x, y) {
    return held(this, "diagnoseNaN", (trainer) => diagnoseNaN(trainer, x, y));
  },
  getTrainingState() {
    return getTrainingState(trainerOf(this));
  },
  setTrainingState(state) {
    setTrainingState(trainerOf(this), state);
  },
  getOptimizerVariables() {
    const { optimizer } = trainerOf(this);
    const hasStepped = optimizer && optimizer.stepsTaken > 0;
    return hasStepped ? optimizer.variables(this.trainableWeights) : [];
  },
  measurePeakMemory() {
    const types = this.inputSpecs.map(({ shape: [batch, ...sample], dtype }) => ({
      dtype,
      shape: [batch ?? 1, ...(sample as number[])],
    }));
    if (types.some((t) => t.shape.includes(null as never))) return undefined;
    return trainerOf(this).predictor(types).memory.peakBytes;
  },
};

Object.defineProperty(Gpt.prototype, "generate", {
  configurable: true,
  writable: true,
  value(this: Gpt, prompt: TensorLike, options?: GenerateOptions) {
    return generate(this, prompt, options);
  },
});
for (const name of Reflect.ownKeys(methods)) {
  const value = methods[name as keyof typeof methods];
  Object.defineProperty(Model.prototype, name, { value, writable: true, configurable: true });
}
Object.defineProperties(Model.prototype, {
  optimizer: {
    configurable: true,
    get(this: Model) {
      return trainerOf(this).optimizer;
    },
  },
  history: {
    configurable: true,
    get(this: Model) {
      return trainerOf(this).history;
    },
  },
});
