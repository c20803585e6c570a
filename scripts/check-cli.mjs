// npm run check:cli: `npx myelin train` as a newcomer runs it on Titanic, Adult income and California housing (below MYELIN_DATA), then
// predict, summary, plot and serve with what it wrote; the reports are drawn by headless Chromium where there is one.
// Runs dist/.

import { execFileSync, spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";

const data = process.env.MYELIN_DATA;
if (!data || !existsSync(join(data, "titanic"))) {
  console.log("skip  there are no data sets: set MYELIN_DATA");
  process.exit(0);
}
const bin = fileURLToPath(new URL("../dist/cli/bin.js", import.meta.url));
const work = mkdtempSync(join(tmpdir(), "myelin-cli-"));
const myelin = (...args) =>
  execFileSync(process.execPath, [bin, ...args], { cwd: work, encoding: "utf8", maxBuffer: 1e8 });
const chromium = ["chromium", "google-chrome"].find((name) => spawnSync(name, ["--version"]).status === 0);

const names =
  "age,workclass,fnlwgt,education,educationNum,maritalStatus,occupation,relationship,race,sex,capitalGain,capitalLoss,hoursPerWeek,nativeCountry,income";
// The labels of the test file end in a dot.
const test = gunzipSync(readFileSync(join(data, "adult-income", "adult-test.csv.gz"))).toString();
writeFileSync(join(work, "adult-test.csv"), test.replaceAll(/\.$/gm, ""));

const TRAININGS = [
  {
    name: "titanic",
    args: [join(data, "titanic", "titanic.csv"), "--target", "survived"],
    reached: ({ scores }) => [scores.accuracy, 0.79, "accuracy on validation rows"],
  },
  {
    name: "adult-train",
    args: [
      join(data, "adult-income", "adult-train.csv.gz"),
      "-t",
      "income",
      "--columns",
      names,
      "--test",
      "adult-test.csv",
    ],
    reached: ({ test }) => [test.scores.accuracy, 0.845, "accuracy on the test file"],
  },
  {
    name: "housing",
    args: [join(data, "california-housing", "housing.csv.gz"), "-t", "median_house_value"],
    reached: ({ scores }) => [-scores.rootMeanSquaredError, -55_000, "error on validation rows"],
  },
];

for (const { name, args, reached } of TRAININGS) {
  const from = performance.now();
  const result = JSON.parse(myelin("train", ...args, "--json"));
  const seconds = (performance.now() - from) / 1000;
  const [value, least, what] = reached(result);
  check(
    value >= least,
    `train ${name}: ${what} ${Math.abs(value).toFixed(value < -1 ? 0 : 4)}, ${seconds.toFixed(1)} s`,
  );
  if (chromium === undefined) continue;
  const picture = join(work, `${name}.png`);
  const page = `file://${join(work, `${name}.html`)}`;
  const flags = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--window-size=1100,2000",
  ];
  spawnSync(chromium, [...flags, `--screenshot=${picture}`, page], { stdio: "ignore", timeout: 60_000 });
  check(existsSync(picture) && statSync(picture).size > 50_000, `report ${name}: ${picture}`);
}

const predicted = myelin(
  "predict",
  "adult-train.myelin",
  "adult-test.csv",
  "--columns",
  names,
  "--keep",
  "age",
);
check(
  predicted.startsWith("age,income,probability\n") && predicted.split("\n").length === 16_283,
  "predict: 16281 rows",
);
check(myelin("summary", "housing.myelin").includes("Total params"), "summary");
check(myelin("plot", "titanic.myelin", "titanic.svg").includes("titanic.svg"), "plot");
await served();

/** Answers a request that it shows itself, and ends by SIGTERM with code 0. */
async function served() {
  const server = spawn(process.execPath, [bin, "serve", "titanic.myelin", "--port", "0", "--json"], {
    cwd: work,
  });
  const line = await new Promise((resolve) => server.stdout.once("data", (text) => resolve(String(text))));
  const { url, example } = JSON.parse(line);
  const answer = await fetch(`${url}/predict`, { method: "POST", body: JSON.stringify(example) });
  const { predictions } = await answer.json();
  const ended = new Promise((resolve) => server.once("exit", resolve));
  server.kill("SIGTERM");
  check(
    answer.status === 200 && predictions.length === 1 && (await ended) === 0,
    `serve: ${JSON.stringify(predictions[0])}`,
  );
}

function check(holds, text) {
  console.log(`${holds ? "ok  " : "FAIL"}  ${text}`);
  if (!holds) process.exitCode = 1;
}
