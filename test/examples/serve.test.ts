import { describe, expect, it } from "vitest";
import { buildApp } from "../../examples/serve/app.ts";
import { layers, sequential, Tensor } from "../../src/index.ts";

function served(maxQueue?: number) {
  const model = sequential([layers.dense({ units: 2, kernelInitializer: "ones", inputShape: [3] })]);
  const batcher = model.batcher({ maxBatch: 4, maxQueue });
  const predict = async (rows: Float32Array) =>
    (await batcher.predict(new Tensor(rows, [rows.length / 3, 3], "float32"))).data as Float32Array;
  return buildApp({ features: 3, maxRows: 4, predict, stats: () => ({ runs_total: batcher.stats.runs }) });
}

describe("the example server", () => {
  it("answers JSON and raw bytes", async () => {
    const app = served();
    const json = await app.inject({
      method: "POST",
      url: "/predict",
      payload: {
        rows: [
          [1, 2, 3],
          [0, 0, 1],
        ],
      },
    });
    expect(json.statusCode).toBe(200);
    expect(json.json()).toEqual({
      outputs: [
        [6, 6],
        [1, 1],
      ],
    });
    const raw = await app.inject({
      method: "POST",
      url: "/predict/raw",
      headers: { "content-type": "application/octet-stream" },
      payload: Buffer.from(Float32Array.of(1, 1, 1).buffer),
    });
    expect(new Float32Array(Uint8Array.from(raw.rawPayload).buffer)).toEqual(Float32Array.of(3, 3));
  });

  it("says what is wrong with a request", async () => {
    const app = served();
    const post = (payload: object) => app.inject({ method: "POST", url: "/predict", payload });
    for (const rows of [[[1, 2]], [], [["a", 2, 3]], Array(5).fill([1, 2, 3])]) {
      const answer = await post({ rows });
      expect(answer.statusCode).toBe(400);
      expect(answer.json().error).toMatch(/rows/);
    }
    const short = await app.inject({
      method: "POST",
      url: "/predict/raw",
      headers: { "content-type": "application/octet-stream" },
      payload: Buffer.alloc(11),
    });
    expect(short.statusCode).toBe(400);
    expect(short.json().error).toContain("expected 1 to 4 rows of 12 bytes, got 11 bytes");
  });

  it("turns calls away when too many wait", async () => {
    const app = served(4);
    const calls = Array.from({ length: 40 }, () =>
      app.inject({
        method: "POST",
        url: "/predict",
        payload: {
          rows: [
            [1, 2, 3],
            [1, 2, 3],
          ],
        },
      }),
    );
    const codes = (await Promise.all(calls)).map((answer) => answer.statusCode);
    expect(codes.filter((code) => code === 200).length).toBeGreaterThanOrEqual(2);
    expect(codes.filter((code) => code === 503).length).toBeGreaterThanOrEqual(1);
    expect(codes.filter((code) => code !== 200 && code !== 503)).toEqual([]);
  });

  it("tells its health and its figures", async () => {
    const app = served();
    expect((await app.inject("/health")).json()).toEqual({ status: "ok" });
    await app.inject({ method: "POST", url: "/predict", payload: { rows: [[1, 2, 3]] } });
    const { payload } = await app.inject("/metrics");
    expect(payload).toMatch(/^myelin_requests_answered_total 2$/m);
    expect(payload).toMatch(/^myelin_runs_total 1$/m);
    expect(payload).toMatch(/^myelin_event_loop_delay_p99_ms [\d.]+$/m);
  });
});
