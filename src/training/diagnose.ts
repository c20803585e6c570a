// Where NaN comes from: which layer's op first made NaN or infinity, found by running a training step on the reference
// engine, which looks at the result of every op. On request, for rows at hand (diagnoseNaN) or for the step of a running
// training that broke it (NanGuard).

import { backward } from "../autodiff/backward.ts";
import { build } from "../compile.ts";
import { MyelinError } from "../core/errors.ts";
import { sizeOf } from "../core/shape.ts";
import { Tensor } from "../core/tensor.ts";
import { ReferenceEngine } from "../engine/reference.ts";
import type { Value } from "../graph/graph.ts";
import { readVariable } from "../graph/trace.ts";
import type { Variable } from "../graph/variable.ts";
import type { Breather } from "./breather.ts";
import { type DataSet, partsOf, withParts } from "./data.ts";
import type { Pass } from "./pass.ts";
import type { Trainer } from "./trainer.ts";

/** See `Model.diagnoseNaN`. */
export async function diagnoseNaN(trainer: Trainer, x: unknown, y: unknown): Promise<string | null> {
  trainer.check("diagnoseNaN");
  return findNaN(trainer, trainer.readData("diagnoseNaN", x, y));
}

/**
 * Weights are only read: no update is made, and random counters go back to where they were. Fusion stays off, so that
 * every op is seen by itself.
 */
async function findNaN(trainer: Trainer, set: DataSet): Promise<string | null> {
  const { model } = trainer;
  if (model.trainStep) {
    throw new MyelinError(
      "INVALID_ARGUMENT",
      `diagnoseNaN: expected a model that trains as compile says, got ${model.name} with a trainStep of its own`,
    );
  }
  const args = partsOf(set);
  const broken = model.namedWeights().find(({ variable }) => !holdsFinite(variable));
  if (broken) return `weight ${broken.path} holds NaN or infinity`;
  const step = (...values: Value[]) => {
    const parameters = trainer.trainableWeights.map(readVariable);
    const { loss } = trainer.forward(withParts(set, values), set.rows, true);
    return [loss, ...backward([loss], [undefined], parameters)];
  };
  const kept = new Snapshot([
    ...model.nonTrainableWeights,
    ...model.namedRandomState().map((s) => s.variable),
  ]);
  try {
    const engine = new ReferenceEngine({ checkNaN: true });
    await build(step, args, { engine, passes: { fuse: false }, name: "diagnoseNaN" }).run(args);
    return null;
  } catch (error) {
    if (error instanceof MyelinError && error.code === "NOT_A_NUMBER") return error.message;
    throw error;
  } finally {
    kept.restore();
  }
}

function holdsFinite(variable: Variable): boolean {
  return variable.dtype !== "float32" || variable.read().data.every(Number.isFinite);
}

/** The values of some Variables at one moment. */
class Snapshot {
  private readonly values: readonly (readonly [Variable, Tensor])[];
  constructor(variables: readonly Variable[]) {
    this.values = variables.map((v) => [v, v.read()] as const);
  }
  restore(): void {
    for (const [variable, value] of this.values) variable.write(value);
  }
}

/**
 * Remembers how every epoch began. When one ends with numbers that are none, it goes over that epoch again batch by batch,
 * finds the batch that broke it, and says which op did.
 */
export class NanGuard {
  private begin: Snapshot | undefined;

  constructor(
    private readonly trainer: Trainer,
    private readonly pass: Pass,
    private readonly set: DataSet,
  ) {}

  beforeEpoch(): void {
    this.begin = this.take();
  }

  /** Whether the loss, or a weight after the last update, is no number any more. */
  isBroken(loss: number | undefined): boolean {
    return !Number.isFinite(loss) || !this.trainer.model.weights.every(holdsFinite);
  }

  /** The error that ends the training. The model is left as it was before the step that broke it. */
  async explain(epoch: number, order: Int32Array | undefined, breather: Breather): Promise<MyelinError> {
    this.begin!.restore();
    let before = this.begin!;
    let broken = -1;
    const run = {
      onBatchBegin: () => {
        before = this.take();
      },
      onBatchEnd: (batch: number, { loss }: Record<string, number>) => {
        if (this.isBroken(loss)) broken = batch;
      },
      isStopped: () => broken >= 0,
    };
    await this.pass.run(run, breather);
    before.restore();
    const batchSize = this.pass.batchSize;
    const rows = Array.from(
      { length: Math.min(batchSize, this.set.rows - broken * batchSize) },
      (_, i) => order?.[broken * batchSize + i] ?? broken * batchSize + i,
    );
    const found = broken < 0 ? null : await findNaN(this.trainer, pick(this.set, rows));
    const cause =
      found ?? "the gradients are finite, but the weights overflowed in the update; lower the learning rate";
    return new MyelinError(
      "NOT_A_NUMBER",
      `fit: NaN or infinity arose in epoch ${epoch}, batch ${broken}: ${cause}`,
    );
  }

  private take(): Snapshot {
    const { model, optimizer, trainableWeights } = this.trainer;
    const random = model.namedRandomState().map((s) => s.variable);
    return new Snapshot([...model.weights, ...random, ...optimizer!.variables(trainableWeights)]);
  }
}

/** These rows of a data set, copied. */
function pick(set: DataSet, rows: readonly number[]): DataSet {
  const from = (t: Tensor): Tensor => {
    const size = sizeOf(t.shape.slice(1));
    const data = t.data.slice(0, rows.length * size);
    rows.forEach((row, i) => {
      data.set(t.data.subarray(row * size, (row + 1) * size) as Float32Array, i * size);
    });
    return new Tensor(data, [rows.length, ...t.shape.slice(1)], t.dtype);
  };
  return { rows: rows.length, ...withParts(set, partsOf(set).map(from)) };
}
