// Models as JSON and as folders: what is saved comes back, on whichever engine; what does not fit is refused and changes nothing.

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { build } from "../../src/compile.ts";
import { MyelinError } from "../../src/core/errors.ts";
import { type Tensor, tensor } from "../../src/core/tensor.ts";
import { ReferenceEngine } from "../../src/engine/reference.ts";
import { readModelFolder, writeModelFolder } from "../../src/formats/model-folder.ts";
import { readSafetensors, writeSafetensors } from "../../src/formats/safetensors.ts";
import type { Value } from "../../src/graph/graph.ts";
import type { Variable } from "../../src/graph/variable.ts";
import * as initializers from "../../src/initializers/index.ts";
import * as layers from "../../src/layers/index.ts";
import { Layer } from "../../src/layers/layer.ts";
import type { BatchShape } from "../../src/layers/symbolic.ts";
import { input, loadModel, type Model, model, modelFromJSON, sequential } from "../../src/models/index.ts";
import * as ops from "../../src/ops/index.ts";
import { rejected, thrown } from "../helpers/thrown.ts";

let root: string;
let made = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "myelin-saving-"));
});
afterAll(() => rm(root, { recursive: true }));
const fresh = () => join(root, `${made++}.myelin`);

/** Shared and nested layers, several inputs and outputs, own random state, an int32 input. */
function complicated(): Model {
  const a = input({ shape: [4], name: "a" });
  const ids = input({ shape: [4], dtype: "int32", name: "ids" });
  const shared = layers.dense({
    units: 3,
    activation: "tanh",
    kernelInitializer: initializers.heNormal({ seed: 3 }),
  });
  const inner = sequential([
    layers.dense({ units: 3, inputShape: [3] }),
    layers.dropout({ rate: 0.5, seed: 2 }),
  ]);
  const left = inner.apply(shared.apply(a));
  const right = shared.apply(layers.rescaling({ scale: 0.5 }).apply(ids));
  const join = layers.concatenate().apply([left, right, layers.prelu().apply(a)]);
  return model({
    inputs: { a, ids },
    outputs: [join, layers.add({ name: "sum" }).apply([left, right])],
    seed: 11,
  });
}

const bits = (list: readonly Tensor[]) => list.map((t) => [...new Int32Array(t.data.buffer.slice(0))]);

async function outputs(m: Model): Promise<Tensor[]> {
  const types = m.inputSpecs.map((s) => ({ shape: [2, ...s.shape.slice(1)] as number[], dtype: s.dtype }));
  const step = build((...xs) => m.callFlat(xs, { training: true }), types, { engine: new ReferenceEngine() });
  const args = types.map((t) =>
    tensor(
      Array.from({ length: 8 }, (_, i) => i - 3),
      t.shape,
      t.dtype,
    ),
  );
  await step.run(args);
  return step.run(args);
}

describe("JSON", () => {
  test("a model comes back with the same architecture, seed and so starting weights", () => {
    const m = complicated();
    const json = JSON.stringify(m);
    const again = modelFromJSON(json);
    expect(JSON.stringify(again)).toBe(json);
    expect(again.summary({ print: false })).toBe(m.summary({ print: false }));
    expect(bits(again.getWeights())).toEqual(bits(m.getWeights()));
    expect(again.inputLayout).toEqual(["a", "ids"]);
    expect(again.outputNames).toEqual(m.outputNames);
  });

  test("a sequential model, built, unbuilt, with an input of its own kind", () => {
    for (const m of [
      sequential([layers.dense({ units: 2, inputShape: [3] })]),
      sequential([layers.dense({ units: 2 })], { trainable: false, name: "open" }),
      sequential([
        layers.inputLayer({ batchShape: [5, 2], dtype: "uint8", name: "bytes" }),
        layers.flatten(),
      ]),
    ]) {
      const again = modelFromJSON(JSON.parse(JSON.stringify(m)));
      expect(again.toJSON()).toEqual(m.toJSON());
      expect(again.built).toBe(m.built);
      expect(again.trainable).toBe(m.trainable);
      if (m.built) expect(again.inputSpecs).toEqual(m.inputSpecs);
    }
  });

  test("a model cut at an inner layer comes back on its own", () => {
    const m = sequential([layers.dense({ units: 3, inputShape: [2] }), layers.dense({ units: 1 })]);
    const tail = model({ inputs: m.getLayer(0).output, outputs: m.outputs });
    const again = modelFromJSON(JSON.stringify(tail));
    expect(again.inputSpecs[0]!.shape).toEqual([null, 3]);
    expect(again.countParams()).toBe(4);
  });

  const dense = { className: "Dense", config: { units: 1, name: "d" } };
  const x = { className: "InputLayer", config: { batchShape: [null, 1], name: "x" } };
  const functional = (config: object) => ({ className: "Model", config });
  const calls = [
    { layer: "x", inputs: null },
    { layer: "d", inputs: [0, 0] },
  ];
  test.each<[string, unknown, string]>([
    ["text that is no JSON", "{", "modelFromJSON: expected JSON text"],
    ["null", null, "modelFromJSON: expected {className, config} for a layer, got null"],
    ["no config", { className: "Model" }, "expected {className, config} for a layer"],
    ["a layer", dense, "modelFromJSON: expected the configuration of a model, got Dense"],
    [
      "an unknown class",
      { className: "Sequental", config: {} },
      'modelFromJSON: unknown layer class "Sequental"; did you mean "Sequential"?',
    ],
    ["a class of Object", { className: "constructor", config: {} }, 'unknown layer class "constructor"'],
    [
      "no layers",
      { className: "Sequential", config: {} },
      "sequential configuration: expected layers to be a list, got undefined",
    ],
    [
      "an unknown option",
      { className: "Sequential", config: { layers: [], units: 3 } },
      'sequential: unknown option "units"',
    ],
    [
      "an unknown layer option",
      {
        className: "Sequential",
        config: { layers: [{ className: "Dense", config: { units: 1, lora: 4 } }] },
      },
      'dense: unknown option "lora"',
    ],
    ["no calls", functional({ layers: [] }), "model configuration, calls: expected a list, got undefined"],
    [
      "a call of nothing",
      functional({ layers: [x], calls: [{ layer: "y" }] }),
      'model configuration, call 0: expected the name of a layer, got "y"',
    ],
    [
      "a call ahead",
      functional({ layers: [x, dense], calls: [{ layer: "d", inputs: [1, 0] }] }),
      "model configuration, call 0: expected [call, output] of one of the 0 calls before it, got [1, 0]",
    ],
    [
      "a call from below",
      functional({ layers: [x, dense], calls: [calls[0], { layer: "d", inputs: [-1, 0] }] }),
      "got [-1, 0]",
    ],
    [
      "a reference to __proto__",
      functional({ layers: [x, dense], calls: [calls[0], { layer: "d", inputs: ["__proto__", "x"] }] }),
      "expected [call, output]",
    ],
    [
      "inputs missing",
      functional({ layers: [x, dense], calls: [calls[0], { layer: "d", inputs: null }] }),
      "expected inputs for every layer but input layers, got null for Dense",
    ],
    [
      "an input fed",
      functional({ layers: [x], calls: [calls[0], { layer: "x", inputs: [0, 0] }] }),
      "got [0, 0] for InputLayer",
    ],
    [
      "two of one name",
      functional({ layers: [x, x], calls: [] }),
      'model configuration, layers: expected distinct names, got "x" twice',
    ],
    [
      "no outputs",
      functional({ layers: [x, dense], calls, inputs: [0, 0] }),
      "model configuration, outputs: expected [call, output]",
    ],
    [
      "an impossible size",
      {
        className: "Sequential",
        config: {
          input: { batchShape: [null, 3] },
          layers: [{ className: "Dense", config: { units: 2 ** 50 } }],
        },
      },
      "at most 2^40 elements",
    ],
  ])("refused: %s", (_, json, message) => {
    expect(thrown(() => modelFromJSON(json as never)).message).toContain(message);
  });

  test("any damage to a configuration gives a MyelinError or a model", () => {
    const good = JSON.stringify(complicated());
    /** Every place in a JSON value, as paths of keys. */
    const places = (value: unknown, at: string[] = []): string[][] =>
      typeof value === "object" && value !== null
        ? [at, ...Object.entries(value).flatMap(([k, v]) => places(v, [...at, k]))]
        : [at];
    const all = places(JSON.parse(good)).filter((at) => at.length > 0);
    const damage = fc.oneof(
      fc.constantFrom<unknown>(
        null,
        -1,
        0,
        1.5,
        1e300,
        2 ** 53,
        "",
        "relu",
        "__proto__",
        [],
        {},
        [[0, 0]],
        [null],
        true,
      ),
      fc.jsonValue(),
      fc.constant(undefined),
    );
    fc.assert(
      fc.property(fc.nat(all.length - 1), damage, (which, value) => {
        const json = JSON.parse(good);
        const path = all[which]!;
        const holder = path.slice(0, -1).reduce((node, key) => node[key], json);
        holder[path.at(-1)!] = value;
        try {
          modelFromJSON(json).countParams();
        } catch (error) {
          expect(error).toBeInstanceOf(MyelinError);
          expect((error as MyelinError).code).not.toBe("INTERNAL");
        }
      }),
      { numRuns: 1500 },
    );
  });

  test("models inside models without end", () => {
    let json: object = { className: "Sequential", config: { layers: [] } };
    for (let i = 0; i < 100; i++) json = { className: "Sequential", config: { layers: [json] } };
    expect(thrown(() => modelFromJSON(json as never)).message).toContain("nested at most 64 deep");
  });
});

describe("folders", () => {
  test("weights, random state and architecture come back bit for bit", async () => {
    const m = complicated();
    const first = await outputs(m);
    const path = fresh();
    await m.save(path);
    const again = await loadModel(path);
    expect(again).not.toBe(m);
    expect(again.toJSON()).toEqual(m.toJSON());
    expect(bits(again.getWeights())).toEqual(bits(m.getWeights()));
    expect(again.namedRandomState().map((v) => [...v.variable.read().data])).toEqual(
      m.namedRandomState().map((v) => [...v.variable.read().data]),
    );
    // Random draws go on where they were: both give the same next results, not the first ones again.
    const [next, loaded] = [await outputs(m), await outputs(again)];
    expect(bits(loaded)).toEqual(bits(next));
    expect(bits(next)).not.toEqual(bits(first));
  });

  test("the weights file can be read by anyone: plain paths as names", async () => {
    const path = fresh();
    await complicated().save(path);
    const { tensors } = await readSafetensors(join(path, "weights.safetensors"));
    expect([...tensors.keys()].sort()).toEqual([
      "$random/seedGenerator/counter",
      "$random/seedGenerator/key",
      "$random/sequential/dropout/seedGenerator/counter",
      "$random/sequential/dropout/seedGenerator/key",
      "dense/bias",
      "dense/kernel",
      "prelu/alpha",
      "sequential/dense/bias",
      "sequential/dense/kernel",
    ]);
  });

  test("training state goes through the hooks", async () => {
    const m = sequential([layers.dense({ units: 1, inputShape: [1] })]);
    const state = {
      config: { optimizer: { className: "Adam", rate: 0.1 } },
      tensors: { "dense/kernel/m": tensor([[3]]) },
    };
    m.getTrainingState = () => state;
    const path = fresh();
    await m.save(path);
    const { config, tensors } = await readModelFolder(path);
    expect(config.training).toEqual(state.config);
    expect(tensors.get("$training/dense/kernel/m")).toEqual(tensor([[3]]));
    await m.save(path, { includeOptimizer: false });
    expect((await readModelFolder(path)).config.training).toBe(null);
    expect(
      [...(await readModelFolder(path)).tensors.keys()].filter((k) => k.startsWith("$training")),
    ).toEqual([]);
  });

  test("weights alone: into a model that exists, from their own file or a folder", async () => {
    const make = () => sequential([layers.dense({ units: 2, inputShape: [3] })]);
    const [m, other] = [make(), make()];
    const file = join(root, "w.safetensors");
    await m.saveWeights(file);
    await other.loadWeights(file);
    expect(bits(other.getWeights())).toEqual(bits(m.getWeights()));
    const folder = fresh();
    await make().save(folder);
    await m.loadWeights(folder);
    expect(bits(m.getWeights())).not.toEqual(bits(other.getWeights()));
  });

  test("weights initialized by a function load without it", async () => {
    const m = sequential([
      layers.dense({ units: 1, inputShape: [2], kernelInitializer: () => tensor([[5], [6]]) }),
    ]);
    const path = fresh();
    await m.save(path);
    expect((await loadModel(path)).getWeights()[0]!.toArray()).toEqual([[5], [6]]);
  });

  test("a class of the user's own, given to loadModel", async () => {
    class Shift extends Layer {
      by!: Variable;
      override build(inputShape: BatchShape) {
        this.by = this.addWeight({ name: "by", shape: inputShape.slice(1) });
      }
      override call(x: Value) {
        return ops.add(x, this.by);
      }
    }
    const m = sequential([new Shift({ inputShape: [2] })]);
    const path = fresh();
    await m.save(path);
    const error = await rejected(loadModel(path));
    expect(error).toMatchObject({ code: "INVALID_FILE" });
    expect(error.message).toContain('unknown layer class "Shift"');
    const again = await loadModel(path, { customLayers: [Shift] });
    expect(again.getLayer(0)).toBeInstanceOf(Shift);
    expect(bits(again.getWeights())).toEqual(bits(m.getWeights()));
  });
});

describe("what does not fit", () => {
  const make = (units = 2) => sequential([layers.dense({ units, inputShape: [3] })], { seed: units });

  /** A saved model whose tensors were changed. */
  async function tampered(change: (tensors: Map<string, Tensor>) => void): Promise<string> {
    const path = fresh();
    await make().save(path);
    const { config, tensors } = await readModelFolder(path);
    const copy = new Map(tensors);
    change(copy);
    await writeModelFolder(path, { config, tensors: copy });
    return path;
  }

  test.each<[string, (t: Map<string, Tensor>) => void, string]>([
    ["missing", (t) => t.delete("dense/bias"), 'tensor "dense/bias" is missing'],
    [
      "renamed",
      (t) => {
        t.delete("dense/bias");
        t.set("dense/bais", tensor([0, 0]));
      },
      'tensor "dense/bias" is missing; the file has "dense/bais"',
    ],
    [
      "unexpected",
      (t) => t.set("dense/extra", tensor([0])),
      'unexpected tensors, the model has no "dense/extra"',
    ],
    [
      "wrong shape",
      (t) => t.set("dense/bias", tensor([0, 0, 0])),
      'tensor "dense/bias": expected float32[2], got float32[3]',
    ],
    [
      "wrong dtype",
      (t) => t.set("dense/bias", tensor([0, 0], [2], "int32")),
      'tensor "dense/bias": expected float32[2], got int32[2]',
    ],
    [
      "random state gone",
      (t) => t.delete("$random/seedGenerator/key"),
      'tensor "seedGenerator/key" is missing',
    ],
  ])("%s", async (_, change, message) => {
    const path = await tampered(change);
    const error = await rejected(loadModel(path));
    expect(error.code).toBe("INVALID_FILE");
    expect(error.message).toBe(`${join(path, "weights.safetensors")}: ${message}`);
  });

  test("weights of another model leave this one as it was", async () => {
    const m = make(2);
    const before = bits(m.getWeights());
    const file = join(root, "three.safetensors");
    await make(3).saveWeights(file);
    expect((await rejected(m.loadWeights(file))).message).toContain(
      'tensor "dense/kernel": expected float32[3, 2], got float32[3, 3]',
    );
    // The first tensor fits, the second does not: nothing is written.
    const kernel = tensor([
      [1, 1],
      [1, 1],
      [1, 1],
    ]);
    await writeSafetensors(
      file,
      new Map([
        ["dense/kernel", kernel],
        ["dense/bias", tensor([1])],
      ]),
    );
    expect(await rejected(m.loadWeights(file))).toMatchObject({ code: "INVALID_FILE" });
    expect(bits(m.getWeights())).toEqual(before);
  });

  test("a damaged or hostile model.json", async () => {
    const path = fresh();
    await make().save(path);
    const file = join(path, "model.json");
    const good = await readFile(file, "utf8");
    const change = async (from: string, to: string) => {
      expect(good).toContain(from);
      await writeFile(file, good.replace(from, to));
      const error = await rejected(loadModel(path));
      expect(error).toMatchObject({ code: "INVALID_FILE" });
      expect(error.message).toContain(file);
      return error.message;
    };
    expect(await change('"Dense"', '"Dance"')).toContain(
      'unknown layer class "Dance"; did you mean "Dense"?',
    );
    expect(await change('"units": 2', '"units": -2')).toContain(
      "expected units to be an integer of at least 1, got -2",
    );
    expect(await change('"Sequential"', '"Dense"')).toContain("unknown option");
    expect(await change('"training": null', '"training": 3')).toContain(
      "expected training to be an object, got 3",
    );
    await change('"layers": [', '"layers": [null, ');
    await change('"model": {', '"model": [], "was": {');
  });

  test("metadata go with the model", async () => {
    const path = fresh();
    const model = make();
    model.metadata.labels = ["cat", "dog"];
    await model.save(path);
    expect((await loadModel(path)).metadata).toEqual({ labels: ["cat", "dog"] });
    expect(Object.keys(model)).not.toContain("metadata");
    model.metadata.size = Number.NaN;
    expect((await rejected(model.save(path))).message).toContain(
      "expected plain data, got NaN at metadata.size",
    );
    const plain = fresh();
    await make().save(plain);
    expect((await loadModel(plain)).metadata).toEqual({});
    const file = join(plain, "model.json");
    await writeFile(
      file,
      (await readFile(file, "utf8")).replace('"training":', '"metadata": [1], "training":'),
    );
    expect((await rejected(loadModel(plain))).message).toContain(
      "expected metadata to be an object, got [1]",
    );
  });

  test("saving what cannot be saved writes nothing", async () => {
    const path = fresh();
    const lambda = sequential([layers.lambda((x) => x, { inputShape: [1] })]);
    expect((await rejected(lambda.save(path))).message).toContain("a lambda layer cannot be saved");
    class Odd extends Layer {
      override call(x: Value) {
        return x;
      }
      override getConfig() {
        return { ...super.getConfig(), table: { fn: () => 1 } };
      }
    }
    const odd = sequential([new Odd({ inputShape: [1] })]);
    expect((await rejected(odd.save(path))).message).toContain(
      "sequential.save: expected plain data, got function fn at model.config.layers.0.config.table.fn",
    );
    expect((await rejected(sequential([layers.dense({ units: 1 })]).save(path))).code).toBe("NOT_BUILT");
    expect(await rejected(make().save(3 as never))).toMatchObject({ code: "INVALID_ARGUMENT" });
    expect((await rejected(make().save(path, { optimizer: true } as never))).message).toContain(
      'unknown option "optimizer"',
    );
    await expect(mkdir(path)).resolves.toBeUndefined();
  });

  test("wrong arguments of loadModel", async () => {
    expect((await rejected(loadModel(""))).message).toBe('loadModel: expected a path, got ""');
    expect((await rejected(loadModel("x", { layers: [] } as never))).message).toContain(
      'unknown option "layers"',
    );
    expect((await rejected(loadModel("x", { customLayers: [3] } as never))).message).toContain(
      "loadModel, customLayers: expected a subclass of Layer, got 3",
    );
    expect((await rejected(loadModel(join(root, "nowhere")))).code).toBe("INVALID_FILE");
    expect((await rejected(make().loadWeights(join(root, "nowhere")))).code).toBe("INVALID_FILE");
    expect((await rejected(make().saveWeights(join(root, "no", "such", "folder")))).code).toBe(
      "INVALID_FILE",
    );
    expect((await rejected(sequential([layers.dense({ units: 1 })]).loadWeights("x"))).code).toBe(
      "NOT_BUILT",
    );
  });
});
