// npm run check:package [-- --runtimes]: the tarball as users get it: what is in it, what the package linters say, and
// whether it installs and runs without a compiler, bundled, with no binary, and (--runtimes) on Node 20, 22, 24, Bun and Deno.
// Wants `npm run binaries` before.

import { execFileSync, spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process, { argv } from "node:process";
import { root } from "./native-sources.mjs";

/** For all platforms; 10 MB is the aim, which eight binaries of 1.2 to 2.2 MB miss (docs/platforms.md). */
const MOST_UNPACKED = 16_000_000;
const PEERS = { publint: "0.3.25", attw: "0.18.5" };
const RUNTIMES = {
  node20: ["node", "20"],
  node22: ["node", "22"],
  node24: ["node", "24"],
  bun: ["bun", "1"],
  deno: ["deno", "2"],
};

const work = mkdtempSync(join(tmpdir(), "myelin-package-"));
let failed = 0;
const run = (command, args, options = {}) =>
  execFileSync(command, args, { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], ...options });

function check(name, fn) {
  try {
    console.log(`ok    ${name}: ${fn() ?? ""}`);
  } catch (error) {
    failed++;
    console.log(`FAIL  ${name}: ${error.stderr || error.stdout || error.message}`);
  }
}

const [packed] = JSON.parse(
  run("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", work], { cwd: root }),
);
const tarball = join(work, packed.filename);

check("contents", () => {
  const names = packed.files.map((f) => f.path);
  const wrong = names.filter(
    (n) => !/^(dist|prebuilds)\/|^(package\.json|README\.md|CHANGELOG\.md|LICENSE)$/.test(n),
  );
  if (wrong.length > 0) throw new Error(`expected dist and prebuilds alone, got ${wrong.join(", ")}`);
  const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  for (const hook of ["preinstall", "install", "postinstall"])
    if (scripts[hook]) throw new Error(`script ${hook}`);
  const binaries = names.filter((n) => n.endsWith(".node"));
  if (binaries.length === 0) throw new Error("no binary; run npm run binaries first");
  if (packed.unpackedSize > MOST_UNPACKED) throw new Error(`${packed.unpackedSize} bytes unpacked`);
  return `${names.length} files, ${packed.size} bytes packed, ${packed.unpackedSize} unpacked; ${binaries.join(", ")}`;
});
check("publint", () =>
  run("npx", ["--yes", `publint@${PEERS.publint}`, tarball, "--strict"])
    .trim()
    .split("\n")
    .at(-1),
);
check("types of every export", () => {
  const flags = ["--profile", "esm-only", "--format", "ascii", "--exclude-entrypoints", "./binaries/*"];
  run("npx", ["--yes", `@arethetypeswrong/cli@${PEERS.attw}`, tarball, ...flags]);
  return "no problems";
});

check("declarations stand alone", () => {
  const types = join(work, "types");
  mkdirSync(join(types, "node_modules"), { recursive: true });
  run("tar", ["xzf", tarball, "-C", types]);
  symlinkSync(join(types, "package"), join(types, "node_modules", "myelin"));
  symlinkSync(join(root, "node_modules", "@types"), join(types, "node_modules", "@types"));
  const { exports } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const entries = Object.keys(exports).filter((name) => exports[name].types);
  const lines = entries.map((name, i) => `import * as m${i} from "${join("myelin", name)}"; void m${i};`);
  writeFileSync(join(types, "a.mts"), lines.join("\n"));
  const options = [
    "--module",
    "nodenext",
    "--target",
    "es2022",
    "--lib",
    "es2023,esnext.disposable",
    "--types",
    "node",
  ];
  run(join(root, "node_modules", ".bin", "tsc"), ["--noEmit", "--strict", ...options, "a.mts"], {
    cwd: types,
  });
  return entries.join(" ");
});

/** An empty project with the tarball, installed where there is no compiler, no Python and no script may run. */
const app = join(work, "app");
const tools = join(work, "bin");
mkdirSync(app);
mkdirSync(tools);
for (const name of ["node", "npm", "sh", "env"]) symlinkSync(run("which", [name]).trim(), join(tools, name));
writeFileSync(join(app, "package.json"), JSON.stringify({ name: "app", private: true, type: "module" }));
copyFileSync(join(root, "scripts", "package", "smoke.mjs"), join(app, "smoke.mjs"));
const env = { PATH: tools, HOME: process.env.HOME };

check("installs without compiler and scripts", () => {
  run("npm", ["install", "--ignore-scripts", "--no-audit", "--no-fund", tarball], { cwd: app, env });
  run("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: app, env });
});
const expectEngine = (name, text) => {
  const info = JSON.parse(text.trim().split("\n").at(-1));
  if (info.engine !== name) throw new Error(`expected the ${name} engine, got ${text}`);
  return text.trim();
};
check("native", () => expectEngine("native", run("node", ["smoke.mjs"], { cwd: app, env })));
check("require", () =>
  run("node", ["-e", 'console.log(require("myelin").engineInfo().name)'], {
    cwd: app,
    env: { ...env, NODE_NO_WARNINGS: "1" },
  }).trim(),
);
check("npx myelin", () => {
  const info = JSON.parse(
    run(join(app, "node_modules", ".bin", "myelin"), ["info", "--json"], { cwd: app, env }),
  );
  if (!info.selfTest.passed) throw new Error("the self-test failed");
  return `${info.engine}, ${info.level}`;
});
check("MYELIN_ENGINE=reference", () =>
  expectEngine(
    "reference",
    run("node", ["smoke.mjs"], { cwd: app, env: { ...env, MYELIN_ENGINE: "reference" } }),
  ),
);
check("no addons allowed: one notice", () => {
  const done = spawnSync("node", ["--no-addons", "smoke.mjs"], { cwd: app, env, encoding: "utf8" });
  const notices = done.stderr.split("\n").filter((line) => line.includes("MyelinWarning")).length;
  if (done.status !== 0 || notices !== 1) throw new Error(`${notices} notices: ${done.stderr}`);
  return expectEngine("reference", done.stdout);
});

for (const format of ["esm", "cjs"]) {
  const external = join(work, `bundle-${format}`);
  mkdirSync(external);
  const bundle = (entry, name, ...more) =>
    run(
      join(root, "node_modules", ".bin", "esbuild"),
      [
        entry,
        "--bundle",
        "--platform=node",
        `--format=${format}`,
        `--outfile=${join(external, name)}`,
        "--log-level=error",
        ...more,
      ],
      { cwd: app },
    );
  const extension = format === "esm" ? "mjs" : "cjs";
  // Top-level await is not for CommonJS.
  const smoke = readFileSync(join(app, "smoke.mjs"), "utf8");
  const [imports, rest] = [smoke.match(/^import .*$/m)[0], smoke.replace(/^import .*$/m, "")];
  const program = `(async () => {${rest}})().catch((e) => { console.error(e); process.exit(1); });\n`;
  writeFileSync(join(app, "bundled.mjs"), `${imports}\n${program}`);
  const isLinux = process.platform === "linux";
  const target = `${process.platform}-${process.arch}${isLinux ? "-glibc" : ""}`;
  writeFileSync(join(app, "static.mjs"), `import "myelin/binaries/${target}";\n${imports}\n${program}`);
  check(`bundled (${format}), node_modules beside it`, () => {
    bundle("bundled.mjs", `bundled.${extension}`);
    copyFileSync(join(external, `bundled.${extension}`), join(app, `bundle.${extension}`));
    return expectEngine("native", run("node", [`bundle.${extension}`], { cwd: app, env }));
  });
  check(`bundled (${format}) with the binary, nothing beside it`, () => {
    const banner =
      format === "esm"
        ? [
            '--banner:js=import { createRequire } from "node:module"; const require = createRequire(import.meta.url);',
          ]
        : [];
    bundle("static.mjs", `static.${extension}`, "--loader:.node=copy", ...banner);
    return expectEngine("native", run("node", [`static.${extension}`], { cwd: external, env }));
  });
}

if (argv.includes("--runtimes")) {
  for (const [name, [pack, version]] of Object.entries(RUNTIMES)) {
    const home = join(work, name);
    mkdirSync(home);
    check(name, () => {
      run("npm", ["install", "--prefix", home, "--no-audit", "--no-fund", `${pack}@${version}`]);
      const binary = join(home, "node_modules", ".bin", pack);
      if (!existsSync(binary)) throw new Error("not installed");
      const flags =
        pack === "deno" ? ["run", "--allow-ffi", "--allow-read", "--allow-env", "--allow-sys"] : [];
      return expectEngine("native", run(binary, [...flags, "smoke.mjs"], { cwd: app }));
    });
  }
}

rmSync(work, { recursive: true, force: true });
process.exit(failed > 0 ? 1 : 0);
