// Nothing is exported without an outside judge: every layer, loss, metric, optimizer, schedule, initializer, regularizer and
// constraint is named in a recorded result in test/fixtures, or says here where its record is or why it has none.

import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import * as myelin from "../../src/index.ts";

const folder = new URL("../fixtures/", import.meta.url);
const recorded = readdirSync(folder)
  .filter((name) => name.endsWith(".json"))
  .map((name) => [name, readFileSync(new URL(name, folder), "utf8").toLowerCase()] as const);
const isNamed = (name: string) =>
  recorded.some(([, text]) => text.includes(`"${name.toLowerCase()}"`) || text.includes(`"${snake(name)}"`));
const snake = (name: string) => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);

/** Recorded, but not under a name of its own: the file, and what in it. */
const ELSEWHERE: Record<string, [file: string, key: string]> = {
  "layers.categoryEncoding": ["preprocessing.json", "encoding"],
  "layers.discretization": ["preprocessing.json", "bins"],
  "layers.melSpectrogram": ["preprocessing.json", "mel"],
  "layers.stftSpectrogram": ["preprocessing.json", "stft"],
  "layers.reversibleEmbedding": ["embedding.json", "reversible"],
  "regularizers.l1": ["regularization.json", "named"],
  "regularizers.l2": ["regularization.json", "named"],
  "regularizers.l1l2": ["regularization.json", "dense"],
  "regularizers.orthogonalRegularizer": ["regularization.json", "orthogonalRows"],
  "constraints.maxNorm": ["regularization.json", "dense"],
  "constraints.nonNeg": ["regularization.json", "dense"],
  "constraints.minMaxNorm": ["regularization.json", "conv2d"],
  "constraints.unitNorm": ["regularization.json", "einsumDense"],
};

/** Without a recorded result, and why. */
const NONE: Record<string, string> = {
  "layers.inputLayer": "computes nothing",
  "layers.lambda": "computes what it is given",
  "layers.maskOf": "no layer",
  "layers.setMask": "no layer",
  "layers.pipeline": "is its layers",
  "layers.positionEmbedding": "an embedding of 0, 1, 2, ...; tested against embedding",
  "layers.featureSpaceFromJSON": "makes a featureSpace",
  // Keras needs TensorFlow for these; tested by examples worked out by hand.
  "layers.featureSpace": "strings",
  "layers.hashedCrossing": "strings; the hash is another one",
  "layers.hashing": "strings; the hash is another one",
  "layers.integerLookup": "strings",
  "layers.stringLookup": "strings",
  "layers.textVectorization": "strings",
  // All they do is chance: tested by properties and statistics.
  "layers.augMix": "chance",
  "layers.randAugment": "chance",
  "layers.cutMix": "chance",
  "layers.mixUp": "chance",
  "layers.randomColorJitter": "chance, over layers that are recorded",
  "layers.randomCrop": "chance",
  "layers.randomErasing": "chance",
  "layers.spatialDropout1d": "chance",
  "layers.spatialDropout2d": "chance",
  "layers.spatialDropout3d": "chance",
  "initializers.zeros": "constant",
  "initializers.ones": "constant",
  "initializers.orthogonal": "chance; its vectors are orthonormal",
  "optimizers.lazyAdam": "not in Keras; equals adam where every row is used, rows that are not used stay",
};

const spaces = {
  layers: myelin.layers,
  losses: myelin.losses,
  metrics: myelin.metrics,
  optimizers: myelin.optimizers,
  schedules: myelin.optimizers.schedules,
  initializers: myelin.initializers,
  regularizers: myelin.regularizers,
  constraints: myelin.constraints,
};

describe.each(Object.entries(spaces))("%s", (space, names) => {
  const factories = Object.entries(names)
    .filter(([name, value]) => /^[a-z]/.test(name) && typeof value === "function")
    .map(([name]) => name)
    .filter((name) => name !== "get");
  it.each(factories)("%s has a record", (name) => {
    const path = `${space}.${name}`;
    const elsewhere = ELSEWHERE[path];
    if (elsewhere) {
      const [file, key] = elsewhere;
      expect(recorded.find(([f]) => f === file)?.[1]).toContain(`"${key.toLowerCase()}"`);
    } else if (path in NONE) expect(isNamed(name), `${path} has a record by now`).toBe(false);
    else expect(isNamed(name), `record a result of Keras for ${path} (scripts/record-*)`).toBe(true);
  });
});

it("lists nothing that is not there", () => {
  for (const path of [...Object.keys(ELSEWHERE), ...Object.keys(NONE)]) {
    const [space, name] = path.split(".") as [keyof typeof spaces, string];
    expect(spaces[space], path).toHaveProperty(name);
  }
});
