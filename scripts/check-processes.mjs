// npm run check:processes: threads follow affinity and container quotas (Linux; quotas as root), fork and cluster work, processes
// end in the middle of a training as they are told, and running out of memory is an error that leaves the process alive.
// Runs dist/.

import { execFileSync, fork, spawnSync } from "node:child_process";
import cluster from "node:cluster";
import { mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { availableParallelism } from "node:os";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { layers, sequential, tensor } from "../dist/index.js";

const trained = fileURLToPath(new URL("processes/trained.mjs", import.meta.url));
const PORT = 38_417;

function net() {
  return sequential(
    [layers.dense({ units: 16, activation: "tanh", inputShape: [8] }), layers.dense({ units: 4 })],
    {
      seed: 1,
    },
  );
}
const input = tensor(
  Float32Array.from({ length: 8 }, (_, i) => i / 8),
  [1, 8],
);

if (cluster.isWorker) {
  const model = net();
  const batcher = model.batcher();
  createServer(async (_, response) => {
    const y = await batcher.predict(input);
    response.end(JSON.stringify({ pid: process.pid, y: Array.from(y.data) }));
  }).listen(PORT);
} else await main();

async function main() {
  await check("threads follow affinity", () => {
    expectEqual(run("taskset", ["-c", "0", process.execPath, trained]).threads, 1);
    return "1 of 1 core";
  });
  await check("threads follow a quota (cgroup 1)", () => {
    const folder = "/sys/fs/cgroup/cpu/myelin-check";
    mkdirSync(folder);
    try {
      const found = [];
      for (const [quota, expected] of [
        [100_000, 1],
        [150_000, 1],
        [200_000, 2],
        [50_000, 1],
      ]) {
        writeFileSync(`${folder}/cpu.cfs_quota_us`, String(quota));
        const join = `echo $$ > ${folder}/cgroup.procs; exec "$0" "$1"`;
        const { threads } = run("sh", ["-c", join, process.execPath, trained]);
        expectEqual(threads, Math.min(expected, availableParallelism()));
        found.push(`${quota / 1000} ms of 100: ${threads}`);
      }
      return found.join(", ");
    } finally {
      rmdirSync(folder);
    }
  });
  await check("threads follow a quota (cgroup 2)", () => {
    // A stand-in for the tree, in a namespace of its own: this machine's may have the controller elsewhere.
    const found = [];
    for (const [max, expected] of [
      ["100000 100000", 1],
      ["max 100000", availableParallelism()],
      ["30000 100000", 1],
    ]) {
      const mount = `mount -t tmpfs none /sys/fs/cgroup && echo "${max}" > /sys/fs/cgroup/cpu.max && exec "$0" "$1"`;
      const { threads } = run("unshare", ["-m", "sh", "-c", mount, process.execPath, trained]);
      expectEqual(threads, expected);
      found.push(`cpu.max ${max}: ${threads}`);
    }
    return found.join(", ");
  });
  await check("unless told", () => {
    const env = { ...process.env, MYELIN_THREADS: "3" };
    const { threads } = run("taskset", ["-c", "0", process.execPath, trained], { env });
    expectEqual(threads, 3);
    return "MYELIN_THREADS=3 on one core: 3";
  });
  await check("fork: four trainings at once, the same bits", async () => {
    const results = await Promise.all(Array.from({ length: 4 }, forked));
    for (const { weights } of results) expectEqual(weights, results[0].weights);
    return `weights ${results[0].weights}, loss ${results[0].loss.toFixed(4)}`;
  });
  await check("cluster: four workers answer alike", clustered);
  await check("ends when told, in the middle of a training", () => {
    const ends = [
      ["exit", (d) => d.status === 3],
      ["throw", (d) => d.status === 1 && d.stderr.includes("on purpose")],
      ["signal", (d) => d.signal === "SIGTERM"],
    ];
    const took = ends.map(([ending, holds]) => {
      for (let i = 0; i < 20; i++) {
        const done = spawnSync(process.execPath, [trained, ending], { encoding: "utf8", timeout: 20_000 });
        if (!holds(done))
          throw new Error(`${ending}: status ${done.status}, signal ${done.signal}: ${done.stderr}`);
      }
      return `20 x ${ending}`;
    });
    return took.join(", ");
  });
  await check("runs out of memory without harm", outOfMemory);
}

function run(command, args, options = {}) {
  return JSON.parse(
    execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], ...options }),
  );
}

function forked() {
  return new Promise((resolve, reject) => {
    const child = fork(trained);
    child.once("message", resolve);
    child.once("exit", (code) => code !== 0 && reject(new Error(`code ${code}`)));
  });
}

async function clustered() {
  const workers = Array.from({ length: 4 }, () => cluster.fork());
  await Promise.all(workers.map((w) => new Promise((resolve) => w.once("listening", resolve))));
  const answers = await Promise.all(
    Array.from({ length: 200 }, async () => (await fetch(`http://127.0.0.1:${PORT}`)).json()),
  );
  const expected = Array.from(net().predictSync(input).data);
  for (const { y } of answers) expectEqual(JSON.stringify(y), JSON.stringify(expected));
  const pids = new Set(answers.map((a) => a.pid));
  const ended = workers.map((w) => new Promise((resolve) => w.once("exit", (code) => resolve(code))));
  for (const w of workers) w.disconnect();
  for (const code of await Promise.all(ended)) expectEqual(code, 0);
  return `200 answers by ${pids.size} processes`;
}

/** In a process that may have little memory, and in this one with what no machine has. */
async function outOfMemory() {
  const model = net();
  const before = model.predictSync(input).data.join();
  const size = 2 ** 19;
  const huge = sequential([layers.dense({ units: 2 * size, inputShape: [size] })]);
  const given = tensor(new Float32Array(size), [1, size]);
  expectEqual(await codeOf(() => huge.predict(given)), "OUT_OF_MEMORY");
  expectEqual(model.predictSync(input).data.join(), before);
  const limited = fileURLToPath(new URL("processes/limited.mjs", import.meta.url));
  const { code, same } = run("sh", ["-c", 'ulimit -v 3000000; exec "$0" "$1"', process.execPath, limited]);
  expectEqual(code, "OUT_OF_MEMORY");
  expectEqual(same, true);
  return "a layer of two terabytes, and 8 GB in a process that may have 3: OUT_OF_MEMORY, and the next prediction is right";
}

async function codeOf(fn) {
  try {
    await fn();
    return "no error";
  } catch (error) {
    return error.code ?? String(error);
  }
}

async function check(name, fn) {
  try {
    console.log(`ok    ${name}: ${await fn()}`);
  } catch (error) {
    const isMissing = error.code === "ENOENT" || error.code === "EACCES" || error.code === "EROFS";
    console.log(`${isMissing ? "skip " : "FAIL "} ${name}: ${error.stderr || error.message}`);
    if (!isMissing) process.exitCode = 1;
  }
}

function expectEqual(got, expected) {
  if (got !== expected) throw new Error(`expected ${expected}, got ${got}`);
}
