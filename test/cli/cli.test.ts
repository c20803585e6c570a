import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { COMMANDS, main } from "../../src/cli/main.ts";
import { layers, sequential } from "../../src/index.ts";

let folder: string;
const at = (name: string) => join(folder, name);

/** Runs a command line to its end. */
async function run(args: string[], interrupt = new AbortController().signal) {
  const [out, err]: string[][] = [[], []];
  const code = await main(args, {
    out: { write: (text) => out!.push(text) },
    err: { write: (text) => err!.push(text) },
    interrupt,
  });
  return { code, out: out!.join(""), err: err!.join("") };
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "myelin-cli-"));
  const rows = Array.from({ length: 200 }, (_, i) => {
    const size = (i * 37) % 100;
    const colour = i % 2 === 0 ? "red" : "<b>green</b>";
    return [size, colour, size > 50 === (i % 2 === 0) ? "yes" : "no, never", 3 * size + 7].join("|");
  });
  await writeFile(at("fruit.csv"), ["size|colour|liked|cost", ...rows].join("\n"));
  const done = await run(["train", at("fruit.csv"), "--target", "liked", "--ignore", "cost", "--delimiter", "|", "--output", at("fruit.myelin"), "--report", at("fruit.html"), "--seed", "1"]); // biome-ignore format: a command line
  expect(done).toMatchObject({ code: 0, err: "" });
});
afterAll(() => rm(folder, { recursive: true }));

describe("help", () => {
  it("lists the commands", async () => {
    const { code, out } = await run(["--help"]);
    expect(code).toBe(0);
    for (const { name, summary } of COMMANDS)
      expect(out).toMatch(new RegExp(`${name} +${summary.slice(0, 20)}`));
    expect(await run([])).toMatchObject({ code: 2, out: "" });
  });

  it.each(COMMANDS.map((c) => [c.name, c] as const))(
    "of %s names its options and has examples",
    async (name, command) => {
      const { code, out } = await run([name, "--help"]);
      expect(code).toBe(0);
      for (const option of Object.keys(command.options)) expect(out).toContain(`--${option}`);
      expect(out).toMatch(/Examples:\n {2}# .+\n {2}npx myelin /);
      expect(await run(["help", name])).toMatchObject({ code: 0, out });
    },
  );

  it("gives the version", async () => {
    const { version } = JSON.parse(await readFile(new URL("../../package.json", import.meta.url), "utf8"));
    expect(await run(["--version"])).toMatchObject({ code: 0, out: `${version}\n` });
  });
});

describe("wrong command lines", () => {
  it.each([
    [["trian"], /did you mean train/],
    [["toast"], /there are info, train/],
    [["train"], /DATA is missing/],
    [["train", "x.csv"], /--target is missing/],
    [["train", "x.csv", "--taget", "y"], /did you mean --target/],
    [["train", "x.csv", "--target"], /--target needs a value: --target COLUMN/],
    [["train", "x.csv", "--target", "--json"], /--target needs a value/],
    [["train", "x.csv", "-t", "y", "--epochs", "many"], /--epochs needs a number/],
    [["train", "x.csv", "y.csv", "-t", "y"], /one word too many/],
    [["train", "x.csv", "-t", "y", "--kind", "size"], /COLUMN=KIND/],
    [["plot", "x.myelin", "x.png"], /\.svg or \.html/],
    [["plot", "x.myelin", "x.svg", "--direction", "up"], /down or right/],
    [["serve", "x.myelin", "--port", "70000"], /--port/],
    [["info", "--json=yes"], /takes no value/],
  ])("%j", async (args, message) => {
    const { code, err } = await run(args);
    expect(code).toBe(2);
    expect(err).toMatch(message);
  });

  it("fails with 1, in words and in JSON, where the data are to blame", async () => {
    const { code, out, err } = await run(["train", at("none.csv"), "-t", "y", "--json"]);
    expect(code).toBe(1);
    expect(err).toMatch(/there is no such file/);
    expect(JSON.parse(out)).toMatchObject({ error: { code: "INVALID_FILE" } });
    expect(await run(["summary", at("none.myelin")])).toMatchObject({ code: 1 });
    expect(await run(["train", at("fruit.csv"), "--delimiter", "|", "-t", "likd"])).toMatchObject({
      code: 2,
      err: expect.stringMatching(/did you mean "liked"/),
    });
  });
});

describe("train", () => {
  it("writes a page that stands alone, with the data's text as text", async () => {
    const page = await readFile(at("fruit.html"), "utf8");
    expect(page).toMatch(/^<!doctype html>/);
    expect(page).not.toMatch(/<script|<link|src=|https?:(?!\/\/www\.w3)/);
    expect(page).not.toContain("<b>green");
    expect(page).toContain("&lt;b&gt;green&lt;/b&gt;");
    for (const heading of [
      "Confusion",
      "By label",
      "Learning",
      "Permutation importance",
      "Columns",
      "Layers",
    ])
      expect(page).toContain(`<h2>${heading}</h2>`);
    expect(page).not.toMatch(/NaN|undefined|Infinity/);
  });

  it("measures a regression, and says all as JSON", async () => {
    const { code, out, err } = await run(["train", at("fruit.csv"), "-t", "cost", "--delimiter", "|", "-o", at("cost.myelin"), "--report", at("cost.html"), "--test", at("fruit.csv"), "--json", "--ignore", "colour,liked"]); // biome-ignore format: a command line
    expect([code, err]).toEqual([0, ""]);
    const result = JSON.parse(out);
    expect(result).toMatchObject({ target: { task: "regression" }, rows: { train: 160, validation: 40 }, test: { scores: { rows: 200 } } }); // biome-ignore format: one line
    expect(result.scores.r2).toBeGreaterThan(0.98);
    expect(result.importance).toMatchObject([{ column: "size" }]);
    const page = await readFile(at("cost.html"), "utf8");
    for (const heading of ["Predicted and actual", "Residuals"])
      expect(page).toContain(`<h2>${heading}</h2>`);
    expect(page).not.toMatch(/NaN|undefined|Infinity/);
  });

  it("says that scores of later rows need rows of their own", async () => {
    const rows = Array.from({ length: 60 }, (_, i) => `2026-0${1 + (i % 9)}-11|it's "${i}"|${i}`);
    await writeFile(at("dated.csv"), ["day|note|sales", ...rows].join("\n"));
    const args = ["train", at("dated.csv"), "-t", "sales", "--delimiter", "|", "--epochs", "1", "-o", at("dated.myelin"), "--report", at("dated.html")]; // biome-ignore format: a command line
    expect(await run(args)).toMatchObject({
      code: 1,
      err: expect.stringMatching(/Invalid Opening Quote|quote/i),
    });
    const { code, out } = await run([...args, "--quote", "none"]);
    expect(code).toBe(0);
    expect(out).toMatch(/at random, also between others by day.*--test/);
    expect(await readFile(at("dated.html"), "utf8")).toContain("also between others by day");
  });

  it("says before the training what would fail after it", async () => {
    const args = ["train", at("fruit.csv"), "-t", "cost", "--delimiter", "|"];
    for (const more of [
      ["--test", at("none.csv")],
      ["-o", at("none/m.myelin")],
      ["-o", at("m.myelin"), "--report", at("none/r.html")],
    ]) {
      // biome-ignore format: one line
      const { code, out, err } = await run([...args, ...more]);
      expect([code, out]).toEqual([1, ""]);
      expect(err).toMatch(/cannot be (read|written to)/);
    }
  });

  it("stops when asked, and still saves", async () => {
    const { code, err, out } = await run(["train", at("fruit.csv"), "-t", "cost", "--delimiter", "|", "-o", at("stopped.myelin"), "--report", at("stopped.html"), "--json"], AbortSignal.abort()); // biome-ignore format: a command line
    expect(code).toBe(0);
    expect(err).toMatch(/stopping here/);
    expect(JSON.parse(out).history.loss).toHaveLength(1);
  });
});

describe("predict", () => {
  it("writes CSV beside columns of the data, and scores where the truth is there", async () => {
    const { code, out, err } = await run(["predict", at("fruit.myelin"), at("fruit.csv"), "--delimiter", "|", "--keep", "size,liked"]); // biome-ignore format: a command line
    expect(code).toBe(0);
    const lines = out.trimEnd().split("\n");
    expect(lines).toHaveLength(201);
    expect(lines[0]).toBe("size,liked,predicted liked,probability");
    expect(lines[1]).toMatch(/^0,"no, never","no, never",0\.\d+$/);
    expect(Number(/accuracy ([\d.]+)/.exec(err)![1])).toBeGreaterThan(90);
  });

  it("writes to a file, and gives JSON", async () => {
    const args = ["predict", at("fruit.myelin"), at("fruit.csv"), "--delimiter", "|"];
    expect(await run([...args, "-o", at("p.csv"), "--probabilities"])).toMatchObject({ code: 0, out: "" });
    expect(await readFile(at("p.csv"), "utf8")).toMatch(/^liked,"liked=no, never",liked=yes\n/);
    const { predictions, scores } = JSON.parse((await run([...args, "--json"])).out);
    expect(predictions).toHaveLength(200);
    expect(scores.rows).toBe(200);
  });

  it("predicts where the data name labels in other ways, without scores", async () => {
    await writeFile(at("renamed.csv"), "size,colour,liked\n1,red,maybe\n");
    const { code, out, err } = await run(["predict", at("fruit.myelin"), at("renamed.csv")]);
    expect([code, out.split("\n")[0]]).toEqual([0, "liked,probability"]);
    expect(err).toMatch(/not scored: .*expected one of the labels/);
  });

  it("says what is wrong with the data", async () => {
    await writeFile(at("other.csv"), "size,hue\n1,red\n");
    await writeFile(at("text.csv"), "size,colour\nbig,red\n");
    await writeFile(at("empty.csv"), "size,colour\n");
    for (const [file, message] of [
      ["other.csv", /none of "colour"/],
      ["text.csv", /size.*expected a number, got "big"/],
      ["empty.csv", /expected rows, got none/],
    ] as const)
      expect(await run(["predict", at("fruit.myelin"), at(file)])).toMatchObject({
        code: 1,
        err: expect.stringMatching(message),
      });
  });
});

describe("summary and plot", () => {
  it("show layers and columns", async () => {
    const { out } = await run(["summary", at("fruit.myelin")]);
    expect(out).toMatch(/Total params/);
    expect(out).toMatch(/Reads\n {2}size +number\n {2}colour +one of 2 categories/);
    const json = JSON.parse((await run(["summary", at("fruit.myelin"), "--json"])).out);
    expect(json.metadata.tabular.target.name).toBe("liked");
  });

  it("draw", async () => {
    expect(await run(["plot", at("fruit.myelin"), at("fruit.svg")])).toMatchObject({ code: 0 });
    expect(await readFile(at("fruit.svg"), "utf8")).toMatch(/^<svg/);
    expect((await run(["plot", at("fruit.myelin"), "--neurons"])).out).toMatch(/^<svg/);
  });
});

describe("serve", () => {
  /** Serves while `use` runs, then asks for the end. */
  async function served(args: string[], use: (url: string) => Promise<void>) {
    const stop = new AbortController();
    let done: (code: number) => void = () => {};
    const ended = new Promise<number>((resolve) => {
      done = resolve;
    });
    let out = "";
    const listening = new Promise<string>((resolve) => {
      const write = (text: string) => {
        out += text;
        const found = /http:\/\/[\d.]+:\d+/.exec(out);
        if (found) resolve(found[0]);
      };
      void main(["serve", ...args, "--port", "0"], { out: { write }, err: { write: () => {} }, interrupt: stop.signal }).then(done); // biome-ignore format: one line
    });
    try {
      await use(await listening);
    } finally {
      stop.abort();
    }
    expect(await ended).toBe(0);
  }
  const post = (url: string, body: string) => fetch(`${url}/predict`, { method: "POST", body });

  it("answers rows by column", async () => {
    await served([at("fruit.myelin")], async (url) => {
      const { example } = (await (await fetch(url)).json()) as { example: unknown };
      const answer = await post(url, JSON.stringify(example));
      expect(answer.status).toBe(200);
      const rows = Array.from({ length: 40 }, (_, i) => ({ size: i, colour: i % 2 ? "red" : null }));
      const many = await (await post(url, JSON.stringify({ rows }))).json();
      expect(many).toMatchObject({ predictions: { length: 40 } });
      const wrong: [string, number, RegExp][] = [
        ["{", 400, /expected JSON/],
        ["[]", 400, /rows/],
        ['{"rows": []}', 400, /rows/],
        ['{"rows": [7]}', 400, /rows\[0\]: expected columns by name/],
        ['{"rows": [{"size": 1}]}', 400, /"colour" \(null where it is not known\)/],
        ['{"rows": [{"size": "1", "colour": "red"}]}', 400, /"size" to be a number or null/],
        [JSON.stringify({ rows: new Array(100).fill({ size: 1, colour: "red" }) }), 400, /1 to 64 rows/],
        [" ".repeat(200_000), 413, /at most/],
      ];
      for (const [body, status, message] of wrong) {
        const refused = await post(url, body);
        expect(refused.status).toBe(status);
        expect(((await refused.json()) as { error: string }).error).toMatch(message);
      }
      expect((await fetch(`${url}/predict`)).status).toBe(405);
      expect((await fetch(`${url}/__proto__`)).status).toBe(404);
      expect(await (await fetch(`${url}/health`)).json()).toEqual({ status: "ok" });
      expect(await (await fetch(`${url}/metrics`)).text()).toMatch(/myelin_requests_failed_total 10\n/);
    });
  });

  it("answers rows of numbers of any model", async () => {
    const model = sequential([layers.dense({ units: 2, inputShape: [3], kernelInitializer: "ones" })]);
    await model.save(at("plain.myelin"));
    await served([at("plain.myelin")], async (url) => {
      const answer = await post(url, '{"rows": [[1, 2, 3], [0, 0, 1]]}');
      expect(await answer.json()).toEqual({ outputs: [[6, 6], [1, 1]] }); // biome-ignore format: a matrix
      for (const body of ['{"rows": [[1, 2]]}', '{"rows": "x"}', '{"rows": [["a", 1, 2]]}', '{"rows": []}'])
        expect((await post(url, body)).status).toBe(400);
    });
  });

  it("says when the port is taken", async () => {
    await served([at("fruit.myelin")], async (url) => {
      const { code, err } = await run(["serve", at("fruit.myelin"), "--port", new URL(url).port]);
      expect(code).toBe(1);
      expect(err).toMatch(/EADDRINUSE|in use/);
    });
  });
});

describe("info", () => {
  it("tests the engine and measures it", async () => {
    const { code, out } = await run(["info", "--json"]);
    expect(code).toBe(0);
    const info = JSON.parse(out);
    expect(info.selfTest.passed).toBe(true);
    expect(info.speed.matmulGflops).toBeGreaterThan(0);
    expect((await run(["info"])).out).toMatch(/engine +(native|reference)/);
  });
});
