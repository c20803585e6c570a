// The engines this machine has: the reference engine always, the native one where it is built.

import type { Engine } from "../../src/engine/engine.ts";
import { ReferenceEngine } from "../../src/engine/reference.ts";
import { engineNamed } from "../../src/engine/select.ts";

/** One of each. Says once what is left out. */
export function availableEngines(): readonly Engine[] {
  const reference = new ReferenceEngine();
  try {
    return [reference, engineNamed("native", "tests")];
  } catch (error) {
    console.log(`SKIPPED native engine: ${(error as Error).message}`);
    return [reference];
  }
}
