// The stock callbacks that write files, set learning rates, swap weights and send logs.

import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { ReferenceEngine } from "../../src/engine/reference.ts";
import * as layers from "../../src/layers/index.ts";
import { loadModel } from "../../src/models/index.ts";
import { sequential } from "../../src/models/sequential.ts";
import * as optimizers from "../../src/optimizers/index.ts";
import { callbacks, type Logs } from "../../src/training/index.ts";
import { spiral, spiralModel, weightsOf, XOR, xorModel } from "../helpers/problems.ts";

const engine = new ReferenceEngine();
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "myelin-callbacks-"));
});
afterAll(() => rm(folder, { recursive: true }));

const text = (name: string) => readFile(join(folder, name), "utf8");

/** Logs of one's own, added before the callbacks under test see them. */
const adding = (extra: Logs) => ({ onEpochEnd: (_: number, logs: Logs) => void Object.assign(logs, extra) });

describe("csvLogger", () => {
  it("writes a header and a row per epoch, sorted, with room for validation", async () => {
    const path = join(folder, "a.csv");
    const { history } = await xorModel(engine).fit(XOR.x, XOR.y, {
      epochs: 2,
      callbacks: callbacks.csvLogger(path),
    });
    const loss = history.loss!;
    expect(await text("a.csv")).toBe(`epoch,loss,valLoss\r\n0,${loss[0]},NA\r\n1,${loss[1]},NA\r\n`);
  });
  it("makes the folder", async () => {
    const path = join(folder, "deep", "er", "x.csv");
    await xorModel(engine).fit(XOR.x, XOR.y, { callbacks: callbacks.csvLogger(path) });
    expect(await text("deep/er/x.csv")).toContain("epoch,loss");
  });
  it("has each row in the file when its epoch is over", async () => {
    const sizes: number[] = [];
    const look = { onEpochEnd: async () => void sizes.push((await text("b.csv")).split("\n").length) };
    const logger = callbacks.csvLogger(join(folder, "b.csv"));
    await xorModel(engine).fit(XOR.x, XOR.y, { epochs: 2, callbacks: [logger, look] });
    expect(sizes).toEqual([3, 4]);
  });
  it("replaces a file, or goes on in it without a second header", async () => {
    const path = join(folder, "c.csv");
    const model = xorModel(engine);
    for (const append of [false, true, true, false]) {
      await model.fit(XOR.x, XOR.y, { callbacks: callbacks.csvLogger(path, { append, separator: ";" }) });
    }
    expect((await text("c.csv")).split("\r\n")).toHaveLength(3);
    await model.fit(XOR.x, XOR.y, { callbacks: callbacks.csvLogger(path, { append: true, separator: ";" }) });
    expect((await text("c.csv")).split("\r\n").map((l) => l.slice(0, 5))).toEqual(
      ["epoch", "0;0.2", "0;0.2", ""].map((s, i) => (i === 1 || i === 2 ? expect.stringMatching(/^0;0/) : s)),
    );
  });
  it("keeps the columns of the first epoch, quotes, and has words for what is no number", async () => {
    const logger = callbacks.csvLogger(join(folder, "d.csv"));
    const odd: Logs = { 'a,"b"': Number.NaN, c: Number.POSITIVE_INFINITY };
    const late = { onEpochEnd: (e: number, logs: Logs) => void (e > 0 && Object.assign(logs, { late: 1 })) };
    await xorModel(engine).fit(XOR.x, XOR.y, { epochs: 2, callbacks: [adding(odd), late, logger] });
    const [head, first, second] = (await text("d.csv")).split("\r\n");
    expect(head).toBe('epoch,"a,""b""",c,loss,"valA,""b""",valC,valLoss');
    expect(first).toMatch(/^0,nan,inf,[\d.e-]+,NA,NA,NA$/);
    expect(second).toMatch(/^1,nan,inf,[\d.e-]+,NA,NA,NA$/);
  });
  it("refuses bad options and names a file it cannot write", async () => {
    expect(() => callbacks.csvLogger("")).toThrow("csvLogger: expected filename to be a string");
    expect(() => callbacks.csvLogger("x", { separator: ",," })).toThrow(
      "expected separator to be one character",
    );
    expect(() => callbacks.csvLogger("x", { separator: '"' })).toThrow(
      "expected separator to be one character",
    );
    expect(() => callbacks.csvLogger("x", { append: 1 as never })).toThrow(
      "expected append to be true or false",
    );
    expect(() => callbacks.csvLogger("x", { seperator: ";" } as never)).toThrow('did you mean "separator"?');
    const bad = join(folder, "a.csv", "x.csv");
    const run = xorModel(engine).fit(XOR.x, XOR.y, { callbacks: callbacks.csvLogger(bad) });
    await expect(run).rejects.toThrow(`csvLogger: ${bad}: cannot be written`);
  });
});

describe("modelCheckpoint", () => {
  it("saves every epoch under a name with numbers, as a model that goes on", async () => {
    const model = xorModel(engine);
    const path = join(folder, "m", "{epoch:02d}-{loss:.2f}");
    const { history } = await model.fit(XOR.x, XOR.y, {
      epochs: 2,
      callbacks: callbacks.modelCheckpoint(path),
    });
    const names = history.loss!.map((loss, i) => `0${i + 1}-${loss.toFixed(2)}`);
    expect((await readdir(join(folder, "m"))).sort()).toEqual(names);
    const again = await loadModel(join(folder, "m", names[1]!));
    expect(weightsOf(again as never)).toEqual(weightsOf(model));
    expect(again.optimizer!.stepsTaken).toBe(2);
  });
  it("keeps the best only, and what it has to beat", async () => {
    const saves = async (values: number[], options: object) => {
      const saved: number[] = [];
      const model = xorModel(engine);
      vi.spyOn(model, "saveWeights").mockImplementation(
        async (path) => void saved.push(Number(path.slice(-1))),
      );
      const script = {
        onEpochEnd: (e: number, logs: Logs) => void Object.assign(logs, { valLoss: values[e] }),
      };
      const keep = callbacks.modelCheckpoint(join(folder, "w{epoch}"), {
        saveBestOnly: true,
        saveWeightsOnly: true,
        ...options,
      });
      await model.fit(XOR.x, XOR.y, {
        epochs: values.length,
        validationData: [XOR.x, XOR.y],
        callbacks: [script, keep],
      });
      return saved;
    };
    expect(await saves([3, 4, 2, 2, 1], {})).toEqual([1, 3, 5]);
    expect(await saves([3, 4, 2, 5], { mode: "max" })).toEqual([1, 2, 4]);
    expect(await saves([3, 4, 2], { initialValueThreshold: 2.5 })).toEqual([3]);
    expect(await saves([3, Number.NaN, 2], {})).toEqual([1, 3]);
  });
  it("saves after batches, counted across epochs", async () => {
    const { x, y } = spiral(10);
    const keep = callbacks.modelCheckpoint(join(folder, "b", "{epoch}-{batch:02d}"), {
      saveFreq: 4,
      saveWeightsOnly: true,
    });
    await spiralModel(engine).fit(x, y, { epochs: 2, batchSize: 5, callbacks: keep });
    expect((await readdir(join(folder, "b"))).sort()).toEqual(["1-04", "2-02", "2-06"]);
  });
  it("says what it does", async () => {
    const log = vi.spyOn(console, "log").mockImplementation(() => {});
    const path = join(folder, "said");
    await xorModel(engine).fit(XOR.x, XOR.y, { callbacks: callbacks.modelCheckpoint(path, { verbose: 1 }) });
    expect(log.mock.calls).toEqual([[`Epoch 1: saved ${path}`]]);
    log.mockRestore();
  });
  it("refuses bad options, unknown placeholders and paths that cannot be written", async () => {
    const make =
      (options: object, path = "x") =>
      () =>
        callbacks.modelCheckpoint(path, options);
    expect(make({}, "")).toThrow("modelCheckpoint: expected filepath to be a string");
    expect(make({}, "{epoch:2x}")).toThrow("expected placeholders like {epoch:02d} or {valLoss:.2f}");
    expect(make({}, "a{")).toThrow("expected placeholders like");
    expect(make({ saveFreq: 0 })).toThrow('expected saveFreq to be "epoch" or a number of batches, got 0');
    expect(make({ saveBestOnly: "yes" })).toThrow("expected saveBestOnly to be true or false");
    expect(make({ saveWeightsOnly: 1 })).toThrow("expected saveWeightsOnly to be true or false");
    expect(make({ mode: "least" })).toThrow("modelCheckpoint: unknown mode");
    expect(make({ monitor: 3 })).toThrow("expected monitor to be a log name");
    expect(make({ initialValueThreshold: "1" })).toThrow("expected initialValueThreshold to be a number");
    expect(make({ verbose: 2 })).toThrow("expected verbose to be 0 or 1, got 2");
    expect(make({ saveBestOnli: true })).toThrow('did you mean "saveBestOnly"?');
    const train = (path: string, options = {}) =>
      xorModel(engine).fit(XOR.x, XOR.y, { callbacks: callbacks.modelCheckpoint(path, options) });
    await expect(train("{acc}")).rejects.toThrow("expected placeholders named epoch, loss");
    await expect(train("x", { saveBestOnly: true })).rejects.toThrow(
      "modelCheckpoint: expected monitor to be one of loss",
    );
    await callbacks.csvLogger(join(folder, "file")).onTrainBegin();
    await expect(train(join(folder, "file", "x"))).rejects.toThrow(
      `${join(folder, "file", "x")}: cannot be written`,
    );
  });
});

describe("learningRateScheduler", () => {
  it("sets and logs the rate of every epoch", async () => {
    const model = xorModel(engine);
    const seen: [number, number][] = [];
    const schedule = callbacks.learningRateScheduler((epoch, rate) => {
      seen.push([epoch, rate]);
      return rate / 2;
    });
    const { history } = await model.fit(XOR.x, XOR.y, { epochs: 3, callbacks: schedule });
    expect(seen).toEqual([
      [0, 0.05],
      [1, 0.025],
      [2, 0.0125],
    ]);
    expect(history.learningRate).toEqual([0.025, 0.0125, 0.00625].map(Math.fround));
    expect(model.optimizer!.learningRate).toBe(0.00625);
  });
  it("refuses what is no schedule, no number, or beside another schedule", async () => {
    expect(() => callbacks.learningRateScheduler(3 as never)).toThrow("expected schedule to be a function");
    expect(() => callbacks.learningRateScheduler(() => 1, { verbose: 2 as never })).toThrow(
      "expected verbose to be 0 or 1",
    );
    const model = xorModel(engine);
    const train = (rate: unknown) =>
      model.fit(XOR.x, XOR.y, { callbacks: callbacks.learningRateScheduler(() => rate as number) });
    for (const rate of ["1", Number.NaN, -1, undefined]) {
      await expect(train(rate)).rejects.toThrow(
        "learningRateScheduler: expected the schedule to return a number of at least 0",
      );
    }
    const decay = optimizers.schedules.exponentialDecay({
      initialLearningRate: 1,
      decaySteps: 2,
      decayRate: 0.5,
    });
    model.compile({ optimizer: optimizers.sgd({ learningRate: decay }), loss: "mse", engine });
    await expect(train(1)).rejects.toThrow("where a schedule rules it");
  });
});

describe("reduceLROnPlateau", () => {
  it("refuses bad options", () => {
    const make = (options: object) => () => callbacks.reduceLROnPlateau(options);
    expect(make({ factor: 1 })).toThrow("reduceLROnPlateau: expected factor to be a number in (0, 1), got 1");
    expect(make({ patience: -1 })).toThrow("expected patience to be an integer");
    expect(make({ cooldown: 0.5 })).toThrow("expected cooldown to be an integer");
    expect(make({ minLr: -1 })).toThrow("expected minLr to be a number of at least 0");
    expect(make({ minDelta: "0" })).toThrow("expected minDelta to be a number");
    expect(make({ mode: "no" })).toThrow("unknown mode");
    expect(make({ minLR: 1 })).toThrow('did you mean "minLr"?');
  });
});

describe("swapEMAWeights", () => {
  const make = () => {
    const model = sequential([layers.dense({ units: 3, inputShape: [2] })], { seed: 1 });
    const optimizer = optimizers.sgd({ learningRate: 0.5, useEma: true, emaMomentum: 0.5 });
    model.compile({ optimizer, loss: "mse", engine });
    return model;
  };
  const x = [
    [1, 2],
    [3, -1],
    [0, 1],
  ];
  const y = [
    [1, 0, 0],
    [0, 1, 0],
    [0, 0, 1],
  ];

  it("evaluates with the averages and gives the weights back", async () => {
    const [plain, swapping] = [make(), make()];
    const weights: number[][] = [];
    const note = {
      onTestEnd: () => void weights.push(weightsOf(swapping)),
      onEpochEnd: () => void weights.push(weightsOf(swapping)),
    };
    await plain.fit(x, y, { epochs: 3, batchSize: 1, shuffle: false });
    await swapping.fit(x, y, {
      epochs: 3,
      batchSize: 1,
      shuffle: false,
      validationData: [x, y],
      callbacks: [note, callbacks.swapEMAWeights()],
    });
    expect(weightsOf(swapping)).toEqual(weightsOf(plain));
    expect(weights[4]).not.toEqual(weights[5]);
    // fit has left the averages in the weights: what the last validation measured.
    expect(weights[4]).toEqual(weightsOf(plain));
  });
  it("with swapOnEpoch lets later callbacks see the averages, without touching the training", async () => {
    const [plain, swapping] = [make(), make()];
    const seen: number[][] = [];
    await plain.fit(x, y, { epochs: 2, batchSize: 1, shuffle: false });
    await swapping.fit(x, y, {
      epochs: 2,
      batchSize: 1,
      shuffle: false,
      callbacks: [
        callbacks.swapEMAWeights({ swapOnEpoch: true }),
        { onEpochEnd: () => void seen.push(weightsOf(swapping)) },
      ],
    });
    expect(seen[1]).toEqual(weightsOf(plain));
    expect(weightsOf(swapping)).toEqual(weightsOf(plain));
  });
  it("refuses bad options and optimizers without averages", async () => {
    expect(() => callbacks.swapEMAWeights({ swapOnEpoch: 1 as never })).toThrow(
      "expected swapOnEpoch to be true or false",
    );
    const run = xorModel(engine).fit(XOR.x, XOR.y, { callbacks: callbacks.swapEMAWeights() });
    await expect(run).rejects.toThrow("swapEMAWeights: expected an optimizer with useEma: true, got adam");
  });
});

describe("remoteMonitor", () => {
  it("posts a form or JSON, with headers", async () => {
    const got: { url: string; type: string; token: string; body: string }[] = [];
    const server = createServer((request, response) => {
      let body = "";
      request.on("data", (part) => (body += part));
      request.on("end", () => {
        const { "content-type": type = "", token = "" } = request.headers;
        got.push({ url: request.url!, type, token: String(token), body });
        response.end("ok");
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const root = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const { history } = await xorModel(engine).fit(XOR.x, XOR.y, {
      callbacks: [
        callbacks.remoteMonitor({ root, headers: { token: "t" } }),
        callbacks.remoteMonitor({ root, path: "/json", sendAsJson: true }),
      ],
    });
    server.close();
    const data = { epoch: 0, loss: history.loss![0] };
    expect(got[0]).toMatchObject({ url: "/publish/epoch/end/", token: "t" });
    expect(got[0]!.type).toContain("application/x-www-form-urlencoded");
    expect(JSON.parse(new URLSearchParams(got[0]!.body).get("data")!)).toEqual(data);
    expect(got[1]).toMatchObject({ url: "/json", type: "application/json" });
    expect(JSON.parse(got[1]!.body)).toEqual(data);
  });
  it("warns and goes on where nobody listens", async () => {
    const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
    const { epoch } = await xorModel(engine).fit(XOR.x, XOR.y, {
      epochs: 2,
      callbacks: callbacks.remoteMonitor({ root: "http://127.0.0.1:1" }),
    });
    expect(epoch).toEqual([0, 1]);
    expect(warn.mock.calls[0]![0]).toContain("remoteMonitor: could not reach http://127.0.0.1:1/publish");
    warn.mockRestore();
  });
  it("refuses bad options", () => {
    const make = (options: object) => () => callbacks.remoteMonitor(options);
    expect(make({ root: "nowhere" })).toThrow("expected root and path to make an http address");
    expect(make({ root: "" })).toThrow("expected root to be a string");
    expect(make({ path: 1 })).toThrow("expected path to be a string");
    expect(make({ field: "" })).toThrow("expected field to be a string");
    expect(make({ headers: { a: 1 } })).toThrow("expected headers to be strings by name");
    expect(make({ sendAsJson: 1 })).toThrow("expected sendAsJson to be true or false");
    expect(make({ json: true })).toThrow("unknown option");
  });
});
