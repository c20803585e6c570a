// loadModel: from a folder on disk to a model, as untrusted input.

import { describe, MyelinError } from "../core/errors.ts";
import { join } from "../core/node.ts";
import { checkOptions } from "../core/options.ts";
import { MODEL_FILE, readModelFolder, WEIGHTS_FILE } from "../formats/model-folder.ts";
import { isPlainObject } from "../layers/nest.ts";
import { layerReader, type ReadOptions } from "./config.ts";
import { Model } from "./model.ts";
import { checkPath } from "./saving.ts";
import { fitTensors, splitTensors } from "./tensors.ts";

/**
 * Reads a model that `save` wrote: architecture, weights, random state and, where the model was compiled, the state of
 * its training, so that `fit` goes on where it stopped.
 * @param options.customLayers layer classes of your own, unless they are registered with `registerLayer`
 * @throws INVALID_FILE when something is missing, damaged or does not fit
 * @example const model = await loadModel("digits.myelin");
 */
export async function loadModel(path: string, options?: ReadOptions): Promise<Model> {
  const { customLayers = [] } = checkOptions("loadModel", options, ["customLayers"]);
  checkPath("loadModel", path);
  const read = layerReader("loadModel", customLayers);
  const { config, tensors } = await readModelFolder(path);
  const { weights, random, training } = splitTensors(tensors);
  const modelFile = join(path, MODEL_FILE);
  const model = within(modelFile, () => read(config.model as Parameters<typeof read>[0]));
  if (!(model instanceof Model)) {
    throw new MyelinError("INVALID_FILE", `${modelFile}: expected a model, got ${describe(model.className)}`);
  }
  const weightsFile = join(path, WEIGHTS_FILE);
  within(modelFile, () => model.countParams());
  const writeWeights = fitTensors(weightsFile, model.namedWeights(), weights);
  const writeRandom = fitTensors(weightsFile, model.namedRandomState(), random);
  writeWeights();
  writeRandom();
  const { training: state, metadata = {} } = config;
  if (!isPlainObject(metadata)) {
    throw new MyelinError(
      "INVALID_FILE",
      `${modelFile}: expected metadata to be an object, got ${describe(metadata)}`,
    );
  }
  model.metadata = metadata;
  if (state !== null && state !== undefined) {
    if (typeof state !== "object" || Array.isArray(state)) {
      throw new MyelinError(
        "INVALID_FILE",
        `${modelFile}: expected training to be an object, got ${describe(state)}`,
      );
    }
    within(path, () =>
      model.setTrainingState?.({ config: state as Record<string, unknown>, tensors: training }),
    );
  }
  return model;
}

/** Whatever a file's contents make layers throw is the file's fault. */
function within<T>(file: string, fn: () => T): T {
  try {
    return fn();
  } catch (cause) {
    throw new MyelinError("INVALID_FILE", `${file}: ${(cause as Error).message}`, { cause });
  }
}
