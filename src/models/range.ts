// A part of a model's layers, by the names of the first and the last, for summaries and pictures.

import { describe, MyelinError } from "../core/errors.ts";
import type { Layer } from "../layers/layer.ts";

/**
 * The layers from the first whose name is or matches `range[0]` to the last that `range[1]` is or matches, as in Keras.
 * @throws INVALID_OPTION
 */
export function layersInRange(
  where: string,
  layers: readonly Layer[],
  range: readonly [first: string, last: string],
): readonly Layer[] {
  if (!Array.isArray(range) || range.length !== 2 || !range.every((name) => typeof name === "string")) {
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected layerRange to be the names of the first and the last layer, got ${describe(range)}`,
    );
  }
  const [first, last] = range.map((name) => {
    const found = layers.flatMap((layer, i) => (layer.name === name || matches(name, layer.name) ? [i] : []));
    if (found.length > 0) return found;
    const names = layers.map((l) => l.name).join(", ");
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: layerRange: no layer ${describe(name)}; it has ${names}`,
    );
  });
  const [from, to] = [Math.min(...first!), Math.max(...last!)];
  return layers.slice(Math.min(from, to), Math.max(from, to) + 1);
}

/** Keras takes regular expressions, which match from the beginning. */
function matches(pattern: string, name: string): boolean {
  try {
    return new RegExp(`^(?:${pattern})`).test(name);
  } catch {
    return false;
  }
}
