// diagnoseNaN: which layer's op first made NaN or infinity, found by running a training step on the reference engine,
// which looks at the result of every op.

import { backward } from "../autodiff/backward.ts";
import { build } from "../compile.ts";
import { MyelinError } from "../core/errors.ts";
import { ReferenceEngine } from "../engine/reference.ts";
import type { Value } from "../graph/graph.ts";
import { readVariable } from "../graph/trace.ts";
import type { Trainer } from "./trainer.ts";

/**
 * See `Model.diagnoseNaN`. Weights are only read: no update is made, and random counters go back to where they were.
 * Fusion stays off, so that every op is seen by itself.
 */
export async function diagnoseNaN(trainer: Trainer, x: unknown, y: unknown): Promise<string | null> {
  trainer.check("diagnoseNaN");
  const { model } = trainer;
  const set = trainer.readData("diagnoseNaN", x, y);
  const args = [...set.inputs, ...set.targets];
  for (const weight of model.namedWeights()) {
    if (!weight.variable.read().data.every(Number.isFinite))
      return `weight ${weight.path} holds NaN or infinity`;
  }
  const step = (...values: Value[]) => {
    const parameters = model.trainableWeights.map(readVariable);
    const [inputs, targets] = [values.slice(0, set.inputs.length), values.slice(set.inputs.length)];
    const { loss } = trainer.forward(inputs, targets, set.rows, true);
    return [loss, ...backward([loss], [undefined], parameters)];
  };
  const kept = [...model.nonTrainableWeights, ...model.namedRandomState().map((s) => s.variable)].map(
    (variable) => [variable, variable.read()] as const,
  );
  try {
    const engine = new ReferenceEngine({ checkNaN: true });
    await build(step, args, { engine, passes: { fuse: false }, name: "diagnoseNaN" }).run(args);
    return null;
  } catch (error) {
    if (error instanceof MyelinError && error.code === "NOT_A_NUMBER") return error.message;
    throw error;
  } finally {
    for (const [variable, value] of kept) variable.write(value);
  }
}
