// summary(): the printed tables.

import { describe, expect, test, vi } from "vitest";
import * as layers from "../../src/layers/index.ts";
import { input, model, sequential } from "../../src/models/index.ts";
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
 Non-trainable params: 5,130 (20.04 KB)`);
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
│   dense (Dense)           │ (null, 2)    │      10 │              │ Y         │
├───────────────────────────┼──────────────┼─────────┼──────────────┼───────────┤
│ concatenate (Concatenate) │ (null, 6)    │       0 │ shared[1][0] │ -         │
│                           │              │         │ inner[0][0]  │           │
└───────────────────────────┴──────────────┴─────────┴──────────────┴───────────┘
 Total params: 30 (120.00 B)
 Trainable params: 30 (120.00 B)
 Non-trainable params: 0 (0.00 B)`);
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

  test("wrong options", () => {
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
