import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    // Every graph is checked after every pass.
    env: { MYELIN_DEBUG: "1" },
    // Engines keep threads and native state per process; forks keep a crash in one file from hiding others.
    pool: "forks",
    maxWorkers: 2,
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
