// An HTTP server around anything that predicts: validation, back-pressure, health, metrics. server.ts puts a model behind it.

import { monitorEventLoopDelay } from "node:perf_hooks";
import fastify, { type FastifyInstance } from "fastify";

export interface Served {
  /** Numbers of one row. */
  readonly features: number;
  /** Rows of one request at most. */
  readonly maxRows: number;
  /** Outputs, row by row, of rows one after the other. An error with code BUSY is answered with 503. */
  predict(rows: Float32Array): Promise<Float32Array>;
  /** Figures for /metrics. */
  stats?(): Readonly<Record<string, number>>;
}

export function buildApp({ features, maxRows, predict, stats }: Served): FastifyInstance {
  const app = fastify({ bodyLimit: maxRows * features * 32 + 1024 });
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  let [answered, failed] = [0, 0];

  app.addHook("onResponse", async (_request, reply) => {
    if (reply.statusCode < 400) answered++;
    else failed++;
  });
  app.setErrorHandler((error: Error & { code?: string; statusCode?: number }, _request, reply) => {
    if (error.code === "BUSY") return reply.code(503).header("retry-after", "1").send({ error: "busy" });
    const wrongInput = error.code === "INVALID_DATA" || error.code === "SHAPE_MISMATCH";
    const status = error.statusCode ?? (wrongInput ? 400 : 500);
    return reply.code(status).send({ error: status < 500 ? error.message : "internal error" });
  });

  /** JSON: {"rows": [[...], ...]} gives {"outputs": [[...], ...]}. */
  const row = { type: "array", items: { type: "number" }, minItems: features, maxItems: features };
  const rows = { type: "array", items: row, minItems: 1, maxItems: maxRows };
  const body = { type: "object", required: ["rows"], properties: { rows } };
  app.post<{ Body: { rows: number[][] } }>("/predict", { schema: { body } }, async ({ body: { rows } }) => {
    const outputs = await predict(Float32Array.from(rows.flat()));
    const width = outputs.length / rows.length;
    return { outputs: rows.map((_, i) => Array.from(outputs.subarray(i * width, (i + 1) * width))) };
  });

  /** Raw float32, little-endian, there and back: a tenth of the time that JSON takes. */
  app.addContentTypeParser("application/octet-stream", { parseAs: "buffer" }, (_request, bytes, done) => {
    const size = features * Float32Array.BYTES_PER_ELEMENT;
    if (bytes.length === 0 || bytes.length % size !== 0 || bytes.length > maxRows * size) {
      const error = new Error(`expected 1 to ${maxRows} rows of ${size} bytes, got ${bytes.length} bytes`);
      done(Object.assign(error, { statusCode: 400 }));
    } else done(null, new Float32Array(new Uint8Array(bytes as Buffer).buffer));
  });
  app.post<{ Body: Float32Array }>("/predict/raw", async ({ body }, reply) => {
    if (!(body instanceof Float32Array))
      return reply.code(415).send({ error: "expected application/octet-stream" });
    const outputs = await predict(body);
    return reply
      .type("application/octet-stream")
      .send(Buffer.from(outputs.buffer, outputs.byteOffset, outputs.byteLength));
  });

  app.get("/health", async () => ({ status: "ok" }));

  /** In Prometheus's text format. The delay of the event loop is that since the last reading. */
  app.get("/metrics", async (_request, reply) => {
    const figures = {
      requests_answered_total: answered,
      requests_failed_total: failed,
      event_loop_delay_p99_ms: delay.percentile(99) / 1e6,
      event_loop_delay_max_ms: delay.max / 1e6,
      resident_bytes: process.memoryUsage.rss(),
      ...stats?.(),
    };
    delay.reset();
    const lines = Object.entries(figures).map(([name, value]) => `myelin_${name} ${value}`);
    return reply.type("text/plain; version=0.0.4").send(`${lines.join("\n")}\n`);
  });
  return app;
}
