// Which engine runs: by name, by environment, by what the machine has. Each case that depends on the environment or on
// the files of the package is a process of its own.

import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { VERSION } from "../../src/core/version.ts";
import { checkBinding, loadBinding, loadedFrom, type NativeBinding } from "../../src/engine/binding.ts";
import { currentEngine, engineInfo, setEngine } from "../../src/engine/select.ts";
import { opcodeHash } from "../../src/program/opcodes.ts";
import { thrown } from "../helpers/thrown.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const tsx = pathToFileURL(join(root, "node_modules/tsx/dist/esm/index.mjs")).href;

function addonPath(): string | undefined {
  try {
    loadBinding();
  } catch {
    return undefined;
  }
  return loadedFrom();
}
const addon = addonPath();

interface Outcome {
  readonly name?: string;
  readonly level?: string;
  readonly threads?: number;
  readonly code?: string;
  readonly message?: string;
  readonly warnings: readonly string[];
}

/** Asks for the engine of a fresh process twice; `package_` is where src/ lies. */
function ask(env: Record<string, string>, package_ = root, flags: string[] = []): Outcome {
  const select = pathToFileURL(join(package_, "src/engine/select.ts")).href;
  const code = `
    const warnings = [];
    process.on("warning", (w) => w.name === "MyelinWarning" && warnings.push(w.message));
    const { currentEngine, engineInfo, setEngine } = await import(${JSON.stringify(select)});
    let out = {};
    try {
      out = engineInfo();
      setEngine(process.env.MYELIN_ENGINE || "auto");
      if (currentEngine().name !== out.name) throw new Error("changed its mind");
    } catch ({ code, message }) {
      out = { code, message };
    }
    await new Promise((resolve) => setImmediate(resolve));
    console.log(JSON.stringify({ ...out, warnings }));
  `;
  const { MYELIN_ENGINE, MYELIN_TARGET, MYELIN_THREADS, MYELIN_BINARY, ...others } = process.env;
  // A binary that is tested in place of the package's own stands for that alone.
  const rest = package_ === root && MYELIN_BINARY ? { ...others, MYELIN_BINARY } : others;
  const args = [...flags, "--no-warnings", "--import", tsx, "--input-type=module", "-e", code];
  const done = spawnSync(process.execPath, args, { cwd: root, encoding: "utf8", env: { ...rest, ...env } });
  const line = done.stdout.trim().split("\n").at(-1)!;
  if (!line.startsWith("{")) throw new Error(`no answer: ${done.stdout}${done.stderr}`);
  return JSON.parse(line) as Outcome;
}

describe("setEngine", () => {
  it("takes the names it knows and engines themselves", () => {
    setEngine("reference");
    expect(engineInfo()).toMatchObject({ name: "reference", level: "typescript", version: VERSION });
    const reference = currentEngine();
    setEngine("auto");
    expect(currentEngine().name).toBe(addon ? "native" : "reference");
    setEngine("reference");
    expect(currentEngine()).toBe(reference);
    setEngine(reference);
    expect(currentEngine()).toBe(reference);
  });

  it("refuses others and stays with what it had", () => {
    setEngine("reference");
    const error = thrown(() => setEngine("nativ" as never));
    expect(error).toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringContaining('did you mean "native"'),
    });
    expect(thrown(() => setEngine(undefined as never)).code).toBe("INVALID_OPTION");
    expect(currentEngine().name).toBe("reference");
  });
});

describe.skipIf(addon === undefined)("the environment", () => {
  it("chooses the engine", () => {
    expect(ask({})).toMatchObject({ name: "native", warnings: [] });
    expect(ask({ MYELIN_ENGINE: "native" })).toMatchObject({ name: "native", warnings: [] });
    expect(ask({ MYELIN_ENGINE: "reference" })).toMatchObject({ name: "reference", warnings: [] });
    const wrong = ask({ MYELIN_ENGINE: "cuda" });
    expect(wrong).toMatchObject({
      code: "INVALID_OPTION",
      message: expect.stringMatching(/^MYELIN_ENGINE: .*"cuda"/),
    });
  });

  it("chooses level and threads, and is never overruled in silence", () => {
    const { levels } = loadBinding();
    for (const level of levels)
      expect(ask({ MYELIN_TARGET: level })).toMatchObject({ name: "native", level });
    expect(ask({ MYELIN_THREADS: "3" })).toMatchObject({ threads: 3 });
    const missing = ["portable", "avx2", "avx512", "neon"].find((level) => !levels.includes(level))!;
    for (const MYELIN_ENGINE of ["auto", "native"]) {
      const lacking = ask({ MYELIN_ENGINE, MYELIN_TARGET: missing });
      expect(lacking).toMatchObject({
        code: "ENGINE_UNAVAILABLE",
        message: expect.stringContaining(missing),
      });
      const unknown = ask({ MYELIN_ENGINE, MYELIN_TARGET: "sse9" });
      expect(unknown).toMatchObject({
        code: "ENGINE_UNAVAILABLE",
        message: expect.stringMatching(/^MYELIN_TARGET: .*"sse9"/),
      });
    }
    for (const MYELIN_THREADS of ["0", "2.5", "many"]) {
      expect(ask({ MYELIN_THREADS })).toMatchObject({ code: "INVALID_OPTION" });
    }
  });

  it("falls back with one warning where addons may not be loaded, and says so when asked for native", () => {
    const fallen = ask({}, root, ["--no-addons"]);
    expect(fallen.name).toBe("reference");
    expect(fallen.warnings).toHaveLength(1);
    expect(fallen.warnings[0]).toMatch(
      /native engine: this process may not load addons: .*--no-addons.*"reference"/,
    );
    const asked = ask({ MYELIN_ENGINE: "native" }, root, ["--no-addons"]);
    expect(asked).toMatchObject({
      code: "ENGINE_UNAVAILABLE",
      message: expect.stringContaining("--no-addons"),
    });
    expect(ask({ MYELIN_TARGET: "portable" }, root, ["--no-addons"]).code).toBe("ENGINE_UNAVAILABLE");
  });
});

describe("a package", () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), "myelin-"));
    cpSync(join(root, "src"), join(folder, "src"), { recursive: true });
    cpSync(join(root, "package.json"), join(folder, "package.json"));
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const place = (...path: string[]) => {
    const to = join(folder, ...path);
    mkdirSync(join(to, ".."), { recursive: true });
    return to;
  };

  it("without a binary says where it looked", () => {
    const fallen = ask({}, folder);
    expect(fallen.name).toBe("reference");
    expect(fallen.warnings).toHaveLength(1);
    const wanted = `no build for ${process.platform}-${process.arch}`;
    expect(fallen.warnings[0]).toContain(wanted);
    const { code, message } = ask({ MYELIN_ENGINE: "native" }, folder);
    expect(code).toBe("ENGINE_UNAVAILABLE");
    expect(message).toContain(`prebuilds/${process.platform}-${process.arch}/myelin`);
  });

  it("with a damaged binary says so", () => {
    const path = place("prebuilds", `${process.platform}-${process.arch}`, "myelin.node");
    writeFileSync(path, "not a binary");
    const { code, message } = ask({ MYELIN_ENGINE: "native" }, folder);
    expect(code).toBe("ENGINE_UNAVAILABLE");
    expect(message).toMatch(/myelin\.node could not be loaded: /);
    rmSync(path);
  });

  it.skipIf(addon === undefined)("with a prebuilt binary runs it", () => {
    const libc = process.platform === "linux" ? ".glibc" : "";
    const path = place("prebuilds", `${process.platform}-${process.arch}`, `myelin${libc}.node`);
    cpSync(addon!, path);
    expect(ask({ MYELIN_ENGINE: "native" }, folder)).toMatchObject({ name: "native" });
    rmSync(path);
  });

  it.skipIf(addon === undefined)("runs the binary that MYELIN_BINARY names", () => {
    const path = place("elsewhere.node"); // relative paths begin with a dot: folder lies outside root
    cpSync(addon!, path);
    const native = { MYELIN_ENGINE: "native" };
    expect(ask({ ...native, MYELIN_BINARY: path }, folder)).toMatchObject({ name: "native" });
    expect(ask({ ...native, MYELIN_BINARY: relative(root, path) }, folder)).toMatchObject({ name: "native" });
    const missing = ask({ ...native, MYELIN_BINARY: join(folder, "nowhere.node") }, folder);
    expect(missing).toMatchObject({
      code: "ENGINE_UNAVAILABLE",
      message: expect.stringMatching(/nowhere\.node could not be loaded/),
    });
    rmSync(path);
  });
});

describe("checkBinding", () => {
  const path = "myelin.node";
  const good = { version: VERSION, opcodeHash: opcodeHash() } as NativeBinding;

  it("takes its own build and refuses others", () => {
    expect(checkBinding({ binding: good, path })).toBe(good);
    for (const other of [{ version: "9.9.9" }, { opcodeHash: good.opcodeHash ^ 1 }]) {
      const error = thrown(() => checkBinding({ binding: { ...good, ...other }, path }));
      expect(error).toMatchObject({
        code: "ENGINE_UNAVAILABLE",
        message: expect.stringContaining("was built for version"),
      });
    }
  });
});
