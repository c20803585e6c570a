// Formats the C++ sources with clang-format (from npm, so every machine has the same version); `--check` only reports.

import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const { clangFormatPath } = createRequire(import.meta.url)("clang-format-node");
const sources = readdirSync(`${root}/native`, { recursive: true, encoding: "utf8" })
  .filter((path) => /\.(cc|h|inc)$/.test(path) && path !== "opcodes.h" && path !== "kernels/kernels.inc")
  .map((path) => `native/${path}`);
const mode = process.argv.includes("--check") ? ["--dry-run", "--Werror"] : ["-i"];
try {
  execFileSync(clangFormatPath, [...mode, ...sources], { cwd: root, stdio: "inherit" });
} catch {
  process.exitCode = 1;
}
