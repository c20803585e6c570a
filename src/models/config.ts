// Models and layers from plain data: names are looked up among built-in, registered and given classes. No code is read.

import { describe, MyelinError, unknownName } from "../core/errors.ts";
import { checkOptions } from "../core/options.ts";
import { builtInLayers } from "../layers/catalog.ts";
import {
  checkLayerClass,
  classNameOf,
  type LayerClass,
  type LayerConfig,
  type LayerReader,
  registeredLayers,
} from "../layers/registry.ts";
import { Gpt } from "./architectures/gpt.ts";
import { Model } from "./model.ts";
import { Sequential } from "./sequential.ts";

export interface ReadOptions {
  /** Layer classes of your own, as `registerLayer` takes them, for this call only. */
  customLayers?: readonly LayerClass[];
}

/** Models inside models go this deep at most: a guard against hostile files. */
const MAX_DEPTH = 64;

/**
 * A model from what `toJSON` gave (an object, or its text): same architecture and seed, new weights.
 * @throws INVALID_ARGUMENT or INVALID_OPTION naming what is wrong
 * @example const copy = modelFromJSON(JSON.stringify(model));
 */
export function modelFromJSON(json: string | LayerConfig, options?: ReadOptions): Model {
  const where = "modelFromJSON";
  const { customLayers = [] } = checkOptions(where, options, ["customLayers"]);
  let config: unknown = json;
  if (typeof json === "string") {
    try {
      config = JSON.parse(json);
    } catch (error) {
      throw new MyelinError("INVALID_ARGUMENT", `${where}: expected JSON text, got ${describe(json)}`, {
        cause: error,
      });
    }
  }
  const made = layerReader(where, customLayers)(config as LayerConfig);
  if (!(made instanceof Model)) {
    throw new MyelinError(
      "INVALID_ARGUMENT",
      `${where}: expected the configuration of a model, got ${made.className}`,
    );
  }
  return made;
}

/** A function that makes layers, and the layers inside them, from configurations. */
export function layerReader(where: string, customLayers: readonly LayerClass[]): LayerReader {
  for (const c of customLayers) checkLayerClass(`${where}, customLayers`, c);
  const custom = new Map(customLayers.map((c) => [classNameOf(c), c]));
  const models = new Map<string, LayerClass>([
    ["Model", Model],
    ["Sequential", Sequential],
    ["Gpt", Gpt],
  ]);
  const sources: readonly ReadonlyMap<string, LayerClass>[] = [
    custom,
    registeredLayers(),
    models,
    builtInLayers,
  ];
  let depth = 0;
  const read: LayerReader = (entry) => {
    const { className, config } = (entry ?? {}) as Partial<LayerConfig>;
    if (
      typeof className !== "string" ||
      typeof config !== "object" ||
      config === null ||
      Array.isArray(config)
    ) {
      throw new MyelinError(
        "INVALID_ARGUMENT",
        `${where}: expected {className, config} for a layer, got ${describe(entry)}`,
      );
    }
    const layerClass = sources.map((s) => s.get(className)).find((c) => c !== undefined);
    if (!layerClass) {
      const known = sources.flatMap((s) => [...s.keys()]);
      const error = unknownName(where, "layer class", className, known);
      throw new MyelinError(
        error.code,
        `${error.message} (classes of your own: registerLayer them or give customLayers)`,
      );
    }
    if (depth >= MAX_DEPTH) {
      throw new MyelinError("INVALID_ARGUMENT", `${where}: expected models nested at most ${MAX_DEPTH} deep`);
    }
    depth++;
    try {
      return layerClass.fromConfig(config, read);
    } finally {
      depth--;
    }
  };
  return read;
}
