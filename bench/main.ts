// npm run bench -- <name> [arguments]: every benchmark is a module of this folder, loaded when asked for.

type Bench = (words: readonly string[]) => Promise<void> | void;

const benches: Record<string, () => Promise<Bench>> = {
  compare: async () => (await import("./compare.ts")).compare,
  processes: async () => (await import("./processes.ts")).processes,
  predict: async () => (await import("./predict.ts")).predict,
  steps: async () => (await import("./steps.ts")).steps,
  serving: async () => (await import("./serving.ts")).serving,
  kernels: async () => (await import("./kernels.ts")).kernels,
  citizen: async () => (await import("./citizen.ts")).citizen,
  contention: async () => (await import("./contention.ts")).contention,
  data: async () => (await import("./data.ts")).data,
  "install-peers": async () => (await import("./install.ts")).installPeers,
};

const [name = "", ...rest] = process.argv.slice(2);
const bench = benches[name];
if (bench) await (await bench())(rest);
else {
  console.error(
    `usage: npm run bench -- <${Object.keys(benches).join(" | ")}> [arguments]; see the top of bench/<name>.ts`,
  );
  process.exitCode = 1;
}
