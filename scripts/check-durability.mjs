// npm run check:durability [-- --kills=200]: kill -9 at random points of trainings that save checkpoints; after each the last
// checkpoint must load, and every training must end with the bits of one that was never killed. As root on Linux also: a
// disk that is full and a folder that cannot be written leave the old files and give an error.

import { execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process, { argv } from "node:process";
import { fileURLToPath } from "node:url";
import { layers, loadModel, sequential } from "../dist/index.js";

const wanted = Number(argv.find((a) => a.startsWith("--kills="))?.slice(8) ?? 200);
const script = fileURLToPath(new URL("durability/trained.mjs", import.meta.url));
const work = mkdtempSync(join(tmpdir(), "myelin-durability-"));
/** Long enough that most kills come while something is saved, short enough that trainings also end. */
const LATEST_KILL_MS = 400;

/** Runs the training; kills it some time after it has begun. @returns whether it was killed */
function train(folder, killAfter) {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [script, folder], { stdio: ["ignore", "pipe", "inherit"] });
    child.stdout.once("data", () => {
      if (killAfter !== undefined) setTimeout(() => child.kill("SIGKILL"), killAfter);
    });
    child.on("exit", (code, signal) => {
      if (signal === "SIGKILL") resolve(true);
      else if (code === 0) resolve(false);
      else reject(new Error(`the training ended with code ${code}, signal ${signal}`));
    });
  });
}

const whole = join(work, "whole");
mkdirSync(whole);
await train(whole);
const expected = readFileSync(join(whole, "result.json"), "utf8");

let [kills, trainings, loaded, n] = [0, 0, 0, 0];
while (kills < wanted || n > 0) {
  const folder = join(work, `t${trainings}`);
  if (n === 0) mkdirSync(folder);
  const killed = await train(folder, kills < wanted ? Math.random() * LATEST_KILL_MS : undefined);
  n++;
  const checkpoint = join(folder, "checkpoint.myelin");
  if (existsSync(join(checkpoint, "model.json"))) {
    await loadModel(checkpoint);
    loaded++;
  }
  if (killed) {
    kills++;
    if (kills % 20 === 0) console.log(`${kills} kills, ${loaded} checkpoints loaded`);
    continue;
  }
  const result = readFileSync(join(folder, "result.json"), "utf8");
  if (result !== expected)
    throw new Error(`training ${trainings} after ${n - 1} kills: other bits than the unbroken one`);
  console.log(`training ${trainings}: the bits of the unbroken one after ${n - 1} kills`);
  rmSync(folder, { recursive: true });
  trainings++;
  n = 0;
}
console.log(
  `ok: ${kills} kills, ${loaded} loads of the last checkpoint, ${trainings} trainings to the same bits`,
);

if (process.platform === "linux" && process.getuid?.() === 0) await fullDisk();
else console.log("left out: a full disk, which needs root and Linux to be made");
rmSync(work, { recursive: true, force: true });

async function fullDisk() {
  const disk = join(work, "disk");
  mkdirSync(disk);
  execFileSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", disk]);
  try {
    const net = (units) => sequential([layers.dense({ units, inputShape: [64] })], { seed: 1 });
    const path = join(disk, "model.myelin");
    const old = net(64);
    await old.save(path);
    const refused = async (what) => {
      const error = await net(2000)
        .save(path)
        .then(
          () => undefined,
          (e) => e,
        );
      if (error?.code !== "INVALID_FILE") throw new Error(`${what}: expected an error, got ${error}`);
      const left = await loadModel(path);
      if (left.countParams() !== old.countParams()) throw new Error(`${what}: the old model is gone`);
      console.log(`ok: ${what}: ${error.message}; the old model is there: ${readdirSync(path).join(", ")}`);
    };
    await refused("full disk");
    execFileSync("mount", ["-o", "remount,ro", disk]);
    await refused("read-only folder");
  } finally {
    execFileSync("umount", [disk]);
  }
}
