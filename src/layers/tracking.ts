// Finds the layers, variables and random generators that a layer holds as properties: directly, in arrays, maps or
// plain objects. Private (#) fields are not seen.

import { Variable } from "../graph/variable.ts";
import { SeedGenerator } from "../ops/random.ts";
import { isPlainObject } from "./nest.ts";

/** What one layer holds, in the order its properties were made. */
export interface Held<L> {
  readonly layers: readonly L[];
  readonly variables: readonly { readonly name: string; readonly variable: Variable }[];
  readonly generators: readonly { readonly name: string; readonly generator: SeedGenerator }[];
}

/** Containers inside containers are searched this deep; deeper ones hold data, not layers. */
const MAX_DEPTH = 3;

/** `isLayer` tells layers apart (a parameter, so that this file does not import the class that uses it). */
export function findHeld<L>(owner: object, isLayer: (x: unknown) => x is L): Held<L> {
  const layers: L[] = [];
  const variables: { name: string; variable: Variable }[] = [];
  const generators: { name: string; generator: SeedGenerator }[] = [];
  const visit = (name: string, x: unknown, depth: number): void => {
    if (typeof x !== "object" || x === null || x === owner) return;
    if (isLayer(x)) {
      if (!layers.includes(x)) layers.push(x);
    } else if (x instanceof Variable) {
      if (!variables.some((v) => v.variable === x)) variables.push({ name, variable: x });
    } else if (x instanceof SeedGenerator) {
      if (!generators.some((g) => g.generator === x)) generators.push({ name, generator: x });
    } else if (depth < MAX_DEPTH) {
      if (Array.isArray(x)) for (let i = 0; i < x.length; i++) visit(`${name}_${i}`, x[i], depth + 1);
      else if (x instanceof Map) for (const [key, v] of x) visit(`${name}_${String(key)}`, v, depth + 1);
      else if (isPlainObject(x))
        for (const [key, v] of Object.entries(x)) visit(`${name}_${key}`, v, depth + 1);
    }
  };
  for (const [name, x] of Object.entries(owner)) visit(name, x, 0);
  return { layers, variables, generators };
}
