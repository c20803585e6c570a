// A small HTTP server around a model: JSON in and out, limits, health, metrics, an orderly end. For one with schemas,
// plug-ins and raw numbers see examples/serve, which uses Fastify.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Batcher, BatcherOptions } from "../../training/batcher.ts";

/** What a model does for requests. */
export interface Service {
  /** A request's body that is answered. */
  readonly example: unknown;
  /** Bytes of a body at most. */
  readonly maxBytes: number;
  /** @throws MyelinError INVALID_DATA or SHAPE_MISMATCH for a body that does not fit (400), BUSY (503) */
  predict(body: unknown): Promise<unknown>;
  readonly batcher: Batcher;
}

export type ServiceOptions = Required<Pick<BatcherOptions, "maxBatch" | "maxDelayMs">>;

export type ModelServer = Server & {
  /** Takes no more, answers what has come in. */
  shutDown(): Promise<void>;
};

/** An answer that is no result. */
class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message);
  }
}

export async function serveModel(
  service: Service,
  { port, host }: { port: number; host: string },
): Promise<ModelServer> {
  const counts = { answered: 0, failed: 0 };
  const server = createServer((request, response) => {
    void answer(service, counts, request).then(
      (body) => {
        counts.answered++;
        send(response, 200, body);
      },
      (error) => {
        counts.failed++;
        const { status, message, headers } = refusalOf(error);
        send(response, status, { error: message }, headers);
      },
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => resolve());
  });
  const shutDown = async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    server.closeIdleConnections();
    await closed;
    await service.batcher.close();
  };
  return Object.assign(server, { shutDown });
}

type Counts = { answered: number; failed: number };

async function answer(service: Service, counts: Counts, request: IncomingMessage): Promise<unknown> {
  const path = new URL(request.url ?? "/", "http://localhost").pathname;
  const wanted = ROUTES[path];
  if (!wanted) throw new Refusal(404, `there are ${Object.keys(ROUTES).join(", ")}`);
  if (request.method !== wanted) throw new Refusal(405, `expected ${wanted}`, { allow: wanted });
  switch (path) {
    case "/predict":
      return service.predict(await readJson(request, service.maxBytes));
    case "/metrics":
      return metrics(service, counts);
    case "/health":
      return { status: "ok" };
    default:
      return { predict: "POST /predict", example: service.example };
  }
}

const ROUTES: Readonly<Record<string, string>> = {
  __proto__: null as never,
  "/": "GET",
  "/predict": "POST",
  "/health": "GET",
  "/metrics": "GET",
};

/** A text, in Prometheus's format. */
function metrics(service: Service, { answered, failed }: Counts): string {
  const { calls, refused, runs, rows, waiting } = service.batcher.stats;
  const figures = {
    requests_answered_total: answered,
    requests_failed_total: failed,
    calls_total: calls,
    calls_refused_total: refused,
    runs_total: runs,
    rows_total: rows,
    rows_waiting: waiting,
    resident_bytes: process.memoryUsage.rss(),
  };
  const lines = Object.entries(figures).map(([name, value]) => `myelin_${name} ${value}`);
  return `${lines.join("\n")}\n`;
}

async function readJson(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  const tooMuch = new Refusal(413, `expected at most ${maxBytes} bytes`, { connection: "close" });
  if (Number(request.headers["content-length"] ?? 0) > maxBytes) throw tooMuch;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).length;
    if (bytes > maxBytes) throw tooMuch;
    chunks.push(chunk as Buffer);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString("utf8"));
  } catch {
    throw new Refusal(400, "expected JSON");
  }
}

function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  const { code, message } = error as { code?: string; message: string };
  if (code === "BUSY") return new Refusal(503, "busy", { "retry-after": "1" });
  if (code === "INVALID_DATA" || code === "SHAPE_MISMATCH" || code === "DTYPE_MISMATCH")
    return new Refusal(400, message);
  return new Refusal(500, "internal error");
}

function send(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  const isText = typeof body === "string";
  const type = isText ? "text/plain; version=0.0.4; charset=utf-8" : "application/json";
  const text = isText ? body : JSON.stringify(body);
  response.writeHead(status, { "content-type": type, "content-length": Buffer.byteLength(text), ...headers });
  response.end(text);
}
