#!/usr/bin/env node
// The program behind `npx myelin`.

import { main } from "./main.ts";

const interrupt = new AbortController();
// The first Ctrl-C asks, the second ends.
for (const name of ["SIGINT", "SIGTERM"] as const) process.once(name, () => interrupt.abort());
// A reader such as `head` may leave before the end.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code === "EPIPE") process.exit(0);
  throw error;
});
process.exitCode = await main(process.argv.slice(2), {
  out: process.stdout,
  err: process.stderr,
  interrupt: interrupt.signal,
});
