// Writes native/opcodes.h from src/program/opcodes.ts. `--check` fails when the committed file is out of date.

import { readFileSync, writeFileSync } from "node:fs";
import {
  CHAIN_REDUCTIONS,
  DTYPE_IDS,
  MICRO_OPS,
  OPCODES,
  opcodeHash,
  PROGRAM_MAGIC,
  PROGRAM_VERSION,
  SPACE_IDS,
} from "../src/program/opcodes.ts";

const path = new URL("../native/opcodes.h", import.meta.url);
// C++ keeps trailing underscores off its reserved words and off names that are macros in <math.h>.
const identifier = (name: string) => `k${name[0]!.toUpperCase()}${name.slice(1)}`;
const list = (macro: string, rows: readonly string[]) =>
  `#define ${macro}(X) \\\n${rows.map((r) => `  X(${r})`).join(" \\\n")}\n`;

const KINDS = { int: "i", bool: "b", float: "f", list: "l", body: "c", "body?": "o" } as const;

const text = `// Generated from src/program/opcodes.ts by scripts/generate-opcodes.ts; do not edit.
// Ids are positions in these lists. docs/program.md describes the format.
#pragma once

#include <cstdint>

namespace myelin {

constexpr int32_t kProgramMagic = ${PROGRAM_MAGIC};
constexpr int32_t kProgramVersion = ${PROGRAM_VERSION};
constexpr int32_t kOpcodeHash = ${opcodeHash()};

enum class DType : int32_t { ${Object.entries(DTYPE_IDS)
  .map(([n, i]) => `${identifier(n)} = ${i}`)
  .join(", ")} };
enum class Space : int32_t { ${Object.entries(SPACE_IDS)
  .map(([n, i]) => `${identifier(n)} = ${i}`)
  .join(", ")} };
enum class ChainReduction : int32_t { ${CHAIN_REDUCTIONS.map(identifier).join(", ")} };

// X(name, attribute kinds in order: i int, b bool, f float, l list, c chain, o optional chain)
${list(
  "MYELIN_OPCODES",
  OPCODES.map(
    (o) =>
      `${o.name}, "${Object.values(o.attrs)
        .map((k) => KINDS[k])
        .join("")}"`,
  ),
)}
// X(name, arity)
${list(
  "MYELIN_MICRO_OPS",
  MICRO_OPS.map((m) => `${m.name}, ${m.arity}`),
)}
enum class Opcode : int32_t {
#define MYELIN_X(name, attrs) name,
  MYELIN_OPCODES(MYELIN_X)
#undef MYELIN_X
};
constexpr int32_t kOpcodeCount = ${OPCODES.length};

enum class MicroOp : int32_t {
#define MYELIN_X(name, arity) name,
  MYELIN_MICRO_OPS(MYELIN_X)
#undef MYELIN_X
};
constexpr int32_t kMicroOpCount = ${MICRO_OPS.length};

}  // namespace myelin
`;

if (process.argv.includes("--check")) {
  if (readFileSync(path, "utf8") !== text) {
    console.error("native/opcodes.h is out of date: run `npm run generate`");
    process.exit(1);
  }
} else {
  writeFileSync(path, text);
}
