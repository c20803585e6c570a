// summary(): the printed tables.

import { describe, expect, test, vi } from "vitest";
import * as layers from "../../src/layers/index.ts";
import { applications, input, type Model, model, sequential } from "../../src/models/index.ts";
import "../../src/training/index.ts";
import { formatBytes } from "../../src/models/summary.ts";
import { thrown } from "../helpers/thrown.ts";

const digits = () =>
  sequential(
    [
      layers.dense({ units: 512, activation: "relu", inputShape: [784] }),
      layers.dropout({ rate: 0.2 }),
      layers.dense({ units: 10, activation: "softmax" }),
    ],
    { name: "digits" },
  );

describe("summary", () => {
  test("of a sequential model", () => {
    const m = digits();
    m.layers[2]!.trainable = false;
    expect(m.summary({ print: false })).toBe(`Model: "digits"
┏━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━┳━━━━━━━━━┓
┃ Layer (type)      ┃ Output Shape ┃ Param # ┃
┡━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━╇━━━━━━━━━┩
│ dense (Dense)     │ (null, 512)  │ 401,920 │
├───────────────────┼──────────────┼─────────┤
│ dropout (Dropout) │ (null, 512)  │       0 │
├───────────────────┼──────────────┼─────────┤
│ dense_1 (Dense)   │ (null, 10)   │   5,130 │
└───────────────────┴──────────────┴─────────┘
 Total params: 407,050 (1.55 MB)
 Trainable params: 401,920 (1.53 MB)
 Non-trainable params: 5,130 (20.04 KB)
 Forward pass: 814,140 FLOPs a sample`);
  });

  test("of a model with branches says what connects to what; models inside can be opened", () => {
    const x = input({ shape: [4], name: "x" });
    const shared = layers.dense({ units: 4, name: "shared" });
    const once = shared.apply(x);
    const inner = sequential([layers.dense({ units: 2, inputShape: [4] })], { name: "inner" });
    const both = layers.concatenate().apply([shared.apply(once), inner.apply(once)]);
    const m = model({ inputs: x, outputs: both, name: "net" });
    expect(m.summary({ print: false, expandNested: true, showTrainable: true })).toBe(`Model: "net"
┏━━━━━━━━━━━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━┳━━━━━━━━━┳━━━━━━━━━━━━━━┳━━━━━━━━━━━┓
┃ Layer (type)              ┃ Output Shape ┃ Param # ┃ Connected to ┃ Trainable ┃
┡━━━━━━━━━━━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━╇━━━━━━━━━╇━━━━━━━━━━━━━━╇━━━━━━━━━━━┩
│ x (InputLayer)            │ (null, 4)    │       0 │ -            │ -         │
├───────────────────────────┼──────────────┼─────────┼──────────────┼───────────┤
│ shared (Dense)            │ (null, 4)    │      20 │ x[0][0]      │ Y         │
│                           │              │         │ shared[0][0] │           │
├───────────────────────────┼──────────────┼─────────┼──────────────┼───────────┤
│ inner (Sequential)        │ (null, 2)    │      10 │ shared[0][0] │ Y         │
├───────────────────────────┼──────────────┼─────────┼──────────────┼───────────┤
│    └ dense (Dense)        │ (null, 2)    │      10 │              │ Y         │
├───────────────────────────┼──────────────┼─────────┼──────────────┼───────────┤
│ concatenate (Concatenate) │ (null, 6)    │       0 │ shared[1][0] │ -         │
│                           │              │         │ inner[0][0]  │           │
└───────────────────────────┴──────────────┴─────────┴──────────────┴───────────┘
 Total params: 30 (120.00 B)
 Trainable params: 30 (120.00 B)
 Non-trainable params: 0 (0.00 B)
 Forward pass: 90 FLOPs a sample`);
  });

  test("of a model that has seen no shape", () => {
    const text = sequential([layers.dense({ units: 2 })]).summary({ print: false });
    expect(text).toContain("│ dense (Dense) │ ?            │ 0 (unbuilt) │");
  });

  test("is printed unless told otherwise, and returned in any case", () => {
    const log = vi.spyOn(console, "log").mockImplementation(() => {});
    try {
      const text = digits().summary();
      expect(log).toHaveBeenCalledExactlyOnceWith(text);
      digits().summary({ print: false });
      expect(log).toHaveBeenCalledTimes(1);
    } finally {
      log.mockRestore();
    }
  });

  test("with FLOPs by layer, a part of the layers, lines of a given length, a printer of one's own", () => {
    const seen: string[] = [];
    const text = digits().summary({
      printFn: (t) => seen.push(t),
      showFlops: true,
      layerRange: ["dropout", "dense_.*"],
      lineLength: 48,
      positions: [0.4, 0.6, 0.8, 1],
    });
    expect(seen).toEqual([text]);
    expect(text).toBe(`Model: "digits"
┏━━━━━━━━━━━━━━━━━┳━━━━━━━━━┳━━━━━━━━┳━━━━━━━━━┓
┃ Layer (type)    ┃ Output  ┃  Param ┃   FLOPs ┃
┃                 ┃ Shape   ┃      # ┃         ┃
┡━━━━━━━━━━━━━━━━━╇━━━━━━━━━╇━━━━━━━━╇━━━━━━━━━┩
│ dropout         │ (null,  │      0 │       0 │
│ (Dropout)       │ 512)    │        │         │
├─────────────────┼─────────┼────────┼─────────┤
│ dense_1 (Dense) │ (null,  │  5,130 │  10,300 │
│                 │ 10)     │        │         │
└─────────────────┴─────────┴────────┴─────────┘
 Total params: 407,050 (1.55 MB)
 Trainable params: 407,050 (1.55 MB)
 Non-trainable params: 0 (0.00 B)
 Forward pass: 814,140 FLOPs a sample`);
    const wide = digits().summary({ print: false, lineLength: 80 });
    expect(wide.split("\n")[1]!.length).toBe(80);
  });

  test("published multiply-adds of a forward pass, of which each is two FLOPs", () => {
    const billions = (m: Model) => {
      const line = m.summary({ print: false }).split("\n").at(-1)!;
      return Number(line.replace(/[^0-9]/g, "")) / 2e9;
    };
    // He et al. 2015, table 1; Sandler et al. 2018, table 4. What is not a product adds up to 4 %.
    const published: [Model, number][] = [
      [applications.resnet({ depth: 50 }), 3.86],
      [applications.resnet({ depth: 18 }), 1.82],
      [applications.vgg({ depth: 16 }), 15.47],
      [applications.mobilenetV2(), 0.3],
    ];
    for (const [m, expected] of published) {
      const ratio = billions(m) / expected;
      expect(ratio).toBeGreaterThan(0.99);
      expect(ratio).toBeLessThan(1.08);
    }
  });

  test("of a recurrent layer, by the products of every step", () => {
    const m = sequential([layers.lstm({ units: 8, inputShape: [10, 4] })]);
    const line = m.summary({ print: false }).split("\n").at(-1)!;
    const flops = Number(line.replace(/[^0-9]/g, ""));
    const products = 10 * 2 * (4 + 8) * 32;
    expect(flops).toBeGreaterThan(products);
    expect(flops).toBeLessThan(1.3 * products);
  });

  test("where sizes are open nothing is said of FLOPs", () => {
    const m = sequential([layers.inputLayer({ shape: [null, 4] }), layers.dense({ units: 2 })]);
    expect(m.summary({ print: false })).not.toContain("FLOPs");
    expect(m.summary({ print: false, showFlops: true })).toContain("│     ? │");
  });

  test("of a trained model, with the optimizer's numbers and memory", async () => {
    const m = sequential([layers.dense({ units: 2, inputShape: [3] })]);
    m.compile({ optimizer: "adam", loss: "meanSquaredError" });
    expect(m.summary({ print: false })).not.toContain("Optimizer");
    await m.fit([[1, 2, 3]], [[1, 2]], { verbose: 0 });
    const text = m.summary({ print: false, showMemory: true });
    // Two moments of 8 weights, the number of steps and the learning rate.
    expect(text).toContain(" Total params: 26 (104.00 B)");
    expect(text).toContain(" Optimizer params: 18 (72.00 B)");
    expect(text).toMatch(/Peak memory: \d+\.\d\d K?B besides weights/);
  });

  test("wrong options", () => {
    const cases: [object, string][] = [
      [{ layerRange: ["dense", "x"] }, 'digits.summary: layerRange: no layer "x"; it has dense, dropout, dense_1'],
      [{ layerRange: "dense" }, "digits.summary: expected layerRange to be the names of the first and the last layer"],
      [{ lineLength: 10 }, "digits.summary: expected lineLength to be an integer of at least 20, got 10"],
      [{ lineLength: 60, positions: [0.5, 0.4, 1] }, "digits.summary: expected positions to be 3 shares of the line that grow up to 1"],
      [{ printFn: 3 }, "digits.summary: expected printFn to be a function, got 3"],
    ]; // biome-ignore format: one line each
    for (const [options, message] of cases) {
      expect(thrown(() => digits().summary(options)).message).toContain(message);
    }
    expect(thrown(() => digits().summary({ expandNest: true } as never)).message).toBe(
      'digits.summary: unknown option "expandNest"; did you mean "expandNested"?',
    );
    expect(thrown(() => digits().summary({ print: 0 as never }))).toMatchObject({ code: "INVALID_OPTION" });
  });

  test("sizes in the usual units", () => {
    expect([0, 1023, 1024, 1536, 5 * 2 ** 20, 3 * 2 ** 40, 2 ** 55].map(formatBytes)).toEqual([
      "0.00 B",
      "1023.00 B",
      "1.00 KB",
      "1.50 KB",
      "5.00 MB",
      "3.00 TB",
      "32768.00 TB",
    ]);
  });
});
