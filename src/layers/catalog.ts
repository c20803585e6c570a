// The built-in layer classes by name, for reading configurations. A new layer adds its class here.

import * as builtIn from "./index.ts";
import type { LayerClass } from "./registry.ts";

export const builtInLayers: ReadonlyMap<string, LayerClass> = new Map(
  Object.values(builtIn)
    .filter((x) => Object.hasOwn(x, "className"))
    .map((x) => [(x as unknown as LayerClass).className!, x as unknown as LayerClass]),
);
