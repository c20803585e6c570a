// plotModel and modelToSvg: what is drawn where, and the layout's promises on random graphs. How it looks is in docs/models.md.

import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import * as layers from "../../src/layers/index.ts";
import { applications, input, model, modelToSvg, plotModel, sequential } from "../../src/models/index.ts";
import { layout } from "../../src/models/plot/layout.ts";
import { thrown } from "../helpers/thrown.ts";

const small = () =>
  applications.mlp({ inputShape: [4], hiddenUnits: [20, 3], units: 2, outputActivation: "softmax", seed: 1 });

const texts = (svg: string) => [...svg.matchAll(/<text[^>]*>([^<]*)</g)].map((m) => m[1]!);
const count = (svg: string, pattern: RegExp) => [...svg.matchAll(pattern)].length;
/** Arrows have a filled head each. */
const arrows = (svg: string) => count(svg, /fill="none"/g);

describe("modelToSvg", () => {
  test("shows classes, and what else is asked for", () => {
    expect(texts(modelToSvg(small()))).toEqual(["InputLayer", "Dense", "Dense", "Dense"]);
    const all = texts(
      modelToSvg(small(), {
        showShapes: true,
        showDtype: true,
        showLayerNames: true,
        showLayerActivations: true,
      }),
    );
    expect(all.slice(-5)).toEqual([
      "Dense",
      "predictions",
      "softmax",
      "in float32 (null, 3)",
      "out float32 (null, 2)",
    ]);
    const frozen = small();
    frozen.layers[1]!.trainable = false;
    expect(texts(modelToSvg(frozen, { showTrainable: true }))).toEqual([
      "InputLayer",
      "Dense",
      "frozen",
      "Dense",
      "trainable",
      "Dense",
      "trainable",
    ]);
  });

  test("an arrow for every connection: branches, ways around, layers used twice", () => {
    const x = input({ shape: [4] });
    const shared = layers.dense({ units: 4, name: "shared" });
    const y = layers.add().apply([shared.apply(shared.apply(x)), x]);
    const svg = modelToSvg(model({ inputs: x, outputs: y }), { showLayerNames: true });
    expect(arrows(svg)).toBe(4);
    expect(texts(svg).filter((t) => t === "shared (shared)")).toHaveLength(2);
    const resnet = applications.resnet({ depth: 20 });
    const connections = resnet.layerCalls.reduce((n, call) => n + call.inputs.length, 0);
    expect(arrows(modelToSvg(resnet))).toBe(connections);
  });

  test("models inside as boxes, or opened as frames", () => {
    const inner = sequential([layers.dense({ units: 2, inputShape: [4] })], { name: "inner" });
    const x = input({ shape: [4] });
    const m = model({ inputs: x, outputs: inner.apply(x) });
    expect(texts(modelToSvg(m))).toEqual(["InputLayer", "Sequential"]);
    const opened = modelToSvg(m, { expandNested: true });
    expect(texts(opened)).toEqual(["InputLayer", "Sequential", "InputLayer", "Dense"]);
    expect(opened).toContain("stroke-dasharray");
  });

  test("from left to right it is wider than high; dpi makes it larger; a part of the layers", () => {
    const size = (svg: string) => ["width", "height"].map((d) => Number(svg.match(`${d}="([0-9.]+)"`)![1]));
    const [w, h] = size(modelToSvg(small(), { rankdir: "LR" })) as [number, number];
    expect(w).toBeGreaterThan(2 * h);
    const [w2] = size(modelToSvg(small(), { rankdir: "LR", dpi: 192 }));
    expect(w2).toBe(2 * w);
    expect(texts(modelToSvg(small(), { layerRange: ["dense_1", "predictions"] }))).toEqual([
      "Dense",
      "Dense",
    ]);
  });

  test("names cannot break out of the picture", () => {
    const m = sequential([layers.dense({ units: 1, name: '<script>"&', inputShape: [1] })], { name: "a<b" });
    const svg = modelToSvg(m, { showLayerNames: true });
    expect(svg).not.toContain("<script");
    expect(svg).toContain("&lt;script&gt;&quot;&amp;");
    expect(svg).toContain("<title>a&lt;b</title>");
  });

  test("neurons: a circle for each unit, a line for each weight, dots where there are many", () => {
    const svg = modelToSvg(small(), { style: "neurons" });
    const drawn = 4 + 12 + 3 + 2;
    expect(count(svg, /<circle [^>]*r="10"/g)).toBe(drawn);
    expect(count(svg, /r="1.8"/g)).toBe(3);
    expect(count(svg, /<line /g)).toBe(4 * 12 + 12 * 3 + 3 * 2);
    expect(texts(svg)).toEqual([
      "input",
      "4 values",
      "dense",
      "20 relu",
      "dense_1",
      "3 relu",
      "predictions",
      "2 softmax",
    ]);
    // The strongest weight of a layer is drawn last and darkest.
    expect(svg.match(/stroke-opacity="0\.9"/g)!.length).toBeGreaterThanOrEqual(2);
  });

  test("wrong options and models", () => {
    const cases: [() => unknown, string][] = [
      [() => modelToSvg({} as never), "modelToSvg: expected a model, got"],
      [() => modelToSvg(small(), { showShape: true } as never), 'unknown option "showShape"; did you mean "showShapes"?'],
      [() => modelToSvg(small(), { rankdir: "RL" as "LR" }), 'unknown rankdir "RL"'],
      [() => modelToSvg(small(), { dpi: 0 }), "expected dpi to be a number greater than 0, got 0"],
      [() => modelToSvg(small(), { showShapes: 1 as never }), "expected showShapes to be true or false, got 1"],
      [() => modelToSvg(applications.resnet({ depth: 20 }), { style: "neurons" }), 'style "neurons" expected a built chain of dense layers, got'],
      [() => modelToSvg(sequential([layers.dense({ units: 1 })])), "needs weights"],
    ]; // biome-ignore format: one line each
    for (const [draw, message] of cases) expect(thrown(draw).message).toContain(message);
  });
});

describe("plotModel", () => {
  test("writes SVG, or a page with the summary", async () => {
    const folder = await mkdtemp(join(tmpdir(), "myelin-plot-"));
    try {
      const svg = await plotModel(small(), { toFile: join(folder, "m.svg") });
      expect(svg).toBe(modelToSvg(small()));
      expect(await readFile(join(folder, "m.svg"), "utf8")).toBe(svg);
      await plotModel(small(), { toFile: join(folder, "m.html") });
      const page = await readFile(join(folder, "m.html"), "utf8");
      expect(page).toMatch(/^<!doctype html>/);
      expect(page).toContain(svg);
      expect(page).toContain("Total params: 171");
      await expect(plotModel(small(), { toFile: join(folder, "none", "m.svg") })).rejects.toMatchObject({
        code: "INVALID_FILE",
      });
    } finally {
      await rm(folder, { recursive: true });
    }
    await expect(plotModel(small(), { toFile: "model.png" })).rejects.toThrow(
      'plotModel: expected toFile to be a path that ends in .svg or .html, got "model.png"',
    );
  });
});

test("layout: boxes do not meet, every edge goes down, straight where nothing is in the way", () => {
  const graphs = fc
    .integer({ min: 1, max: 14 })
    .chain((n) =>
      fc.record({
        boxes: fc.array(fc.record({ width: fc.integer({ min: 20, max: 200 }), height: fc.integer({ min: 10, max: 90 }) }), { minLength: n, maxLength: n }),
        edges: fc.array(fc.tuple(fc.nat(n - 1), fc.nat(n - 1)), { maxLength: 3 * n }),
      }),
    ); // biome-ignore format: one line
  fc.assert(
    fc.property(graphs, ({ boxes, edges: pairs }) => {
      const unique = new Map(
        pairs.filter(([a, b]) => a < b).map(([from, to]) => [`${from} ${to}`, { from, to }]),
      );
      const edges = [...unique.values()];
      const placed = layout(boxes, edges, { rankGap: 20, boxGap: 10 });
      placed.boxes.forEach((a, i) => {
        expect(a.x).toBeGreaterThanOrEqual(-1e-6);
        expect(a.x + boxes[i]!.width).toBeLessThanOrEqual(placed.width + 1e-6);
        placed.boxes.forEach((b, j) => {
          if (j <= i) return;
          const apart =
            a.x + boxes[i]!.width <= b.x + 1e-6 ||
            b.x + boxes[j]!.width <= a.x + 1e-6 ||
            a.y + boxes[i]!.height <= b.y + 1e-6 ||
            b.y + boxes[j]!.height <= a.y + 1e-6;
          expect(apart).toBe(true);
        });
      });
      placed.paths.forEach((path, e) => {
        const { from, to } = edges[e]!;
        expect(path[0]![1]).toBeCloseTo(placed.boxes[from]!.y + boxes[from]!.height, 6);
        expect(path.at(-1)![1]).toBeCloseTo(placed.boxes[to]!.y, 6);
        for (let i = 1; i < path.length; i++) expect(path[i]![1]).toBeGreaterThanOrEqual(path[i - 1]![1]);
      });
    }),
    { numRuns: 200 },
  );
  const chain = layout([10, 80, 30].map((width) => ({ width, height: 20 })), [{ from: 0, to: 1 }, { from: 1, to: 2 }], { rankGap: 20, boxGap: 10 }); // biome-ignore format: one line
  expect(chain.boxes.map((b, i) => b.x + [10, 80, 30][i]! / 2)).toEqual([40, 40, 40]);
});
