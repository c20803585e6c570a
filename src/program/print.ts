// Programs as text, stable, one line per step: for tests, for people, and for diffs between two versions of the compiler.

import { formatType } from "../core/shape.ts";
import { Tensor } from "../core/tensor.ts";
import type { Graph } from "../graph/graph.ts";
import { print as printGraph } from "../graph/print.ts";
import type { Program, ProgramTensor } from "./program.ts";

/**
 * Bound tensors print as `$slot`, scratch as `@offset`, constants as `#offset`, prepared ones as `!offset`:
 * `@0 f32[4,8] = matmul $0 $2 {transA: false}  @ dense`. A line for the slots comes first, one for the memory last.
 */
export function printProgram(program: Program): string {
  const slots = program.slots.map((s, i) => `$${i} ${formatType(s.type)} ${s.access}`);
  const lines = [`(${slots.join(", ")})`];
  for (const step of program.steps) {
    const bodies: string[] = [];
    const attrs = Object.entries(step.attrs)
      .filter(([, v]) => v !== undefined)
      .map(([k, v]) => `${k}: ${formatAttr(v, bodies)}`);
    const outs = step.outputs
      .map((t) => `${place(program.tensors[t]!)} ${formatType(program.tensors[t]!)}`)
      .join(", ");
    const ins = step.inputs.map((t) => ` ${place(program.tensors[t]!)}`).join("");
    const tail = `${attrs.length > 0 ? ` {${attrs.join(", ")}}` : ""}${step.where ? `  @ ${step.where}` : ""}`;
    lines.push(`${outs} = ${step.op.name}${ins}${tail}`, ...bodies);
  }
  const { preparation, preparedBytes } = program;
  if (preparation > 0) lines.push(`the first ${preparation} are preparation, ${preparedBytes} bytes`);
  lines.push(`arena ${program.arenaBytes} bytes, constants ${program.constants.length} bytes`);
  return lines.join("\n");
}

function place(t: ProgramTensor): string {
  if (t.space === "bound") return `$${t.slot}`;
  return `${t.space === "arena" ? "@" : t.space === "constant" ? "#" : "!"}${t.offset}`;
}

function formatAttr(value: unknown, bodies: string[]): string {
  if (value instanceof Tensor) return formatType(value);
  if (Array.isArray(value)) return `[${value.join(",")}]`;
  if (typeof value === "object" && value !== null && "nodes" in value) {
    bodies.push(printGraph(value as Graph, "    "));
    return "...";
  }
  return String(value);
}
