// npx myelin serve: a saved model behind HTTP.

import type { AddressInfo } from "node:net";
import { loadModel } from "../../models/index.ts";
import { isTabular, tabularOf } from "../../tabular/loading.ts";
import { type Command, UsageError } from "../command.ts";
import { describeColumns } from "../describe.ts";
import { serveModel } from "../server/http.ts";
import { rowsService } from "../server/rows.ts";
import { tabularService } from "../server/tabular.ts";

export const serve: Command = {
  name: "serve",
  summary: "Serves a saved model over HTTP: POST /predict, GET /health, GET /metrics",
  positionals: [{ name: "model", help: "the folder of a saved model" }],
  options: {
    port: { type: "number", short: "p", value: "N", help: "default 3000; 0 for any that is free" },
    host: {
      type: "text",
      value: "ADDRESS",
      help: "where to listen (default 127.0.0.1; 0.0.0.0 for everywhere)",
    },
    "max-batch": {
      type: "number",
      value: "N",
      help: "rows of one request, and of one run, at most (default 64)",
    },
    "max-delay": { type: "number", value: "MS", help: "how long a request may wait for others (default 0)" },
  },
  examples: [
    [
      "serve titanic.myelin --port 3000",
      'then: curl localhost:3000/predict -d \'{"rows": [{"age": 29, ...}]}\'',
    ],
    ["serve digits.myelin --host 0.0.0.0", "rows of numbers: '{\"rows\": [[0, 0.5, ...]]}'"],
  ],
  async run(given, { out, err, interrupt }) {
    const { port = 3000, host = "127.0.0.1", maxBatch = 64, maxDelay = 0 } = given as Record<string, never>;
    if (!Number.isInteger(port) || port < 0 || port > 65_535)
      throw new UsageError(`--port is a whole number up to 65535, got ${port}`);
    const path = String(given.model);
    const model = await loadModel(path);
    const options = { maxBatch, maxDelayMs: maxDelay };
    const tabular = isTabular(model) ? tabularOf(path, model) : undefined;
    const service = tabular ? tabularService(tabular, options) : rowsService(model, options);
    const server = await serveModel(service, { port, host });
    const { address, port: chosen, family } = server.address() as AddressInfo;
    const url = `http://${family === "IPv6" ? `[${address}]` : address}:${chosen}`;
    if (given.json) out.write(`${JSON.stringify({ url, pid: process.pid, example: service.example })}\n`);
    else {
      if (tabular) out.write(`${describeColumns(tabular)}\n\n`);
      out.write(`listening on ${url}\n  curl ${url}/predict -d '${JSON.stringify(service.example)}'\n`);
    }
    await new Promise<void>((resolve) => {
      if (interrupt.aborted) resolve();
      interrupt.addEventListener("abort", () => resolve(), { once: true });
    });
    err.write("closing: what has come in is answered\n");
    await server.shutDown();
  },
};
