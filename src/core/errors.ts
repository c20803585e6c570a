// The one error type users see, and the wording helpers behind it. Pattern: where, what was expected, what came.

/** Stable machine-readable reasons. Tests and callers switch on these, never on message text. */
export type ErrorCode =
  | "INVALID_ARGUMENT"
  | "INVALID_OPTION"
  | "SHAPE_MISMATCH"
  | "DTYPE_MISMATCH"
  | "INVALID_DATA"
  | "LABEL_OUT_OF_RANGE"
  | "NOT_A_NUMBER"
  | "NOT_COMPILED"
  | "NOT_BUILT"
  | "NOT_DIFFERENTIABLE"
  | "GRADIENT_MISMATCH"
  | "OUTSIDE_TRACE"
  | "BUSY"
  | "ABORTED"
  | "DISPOSED"
  | "INVALID_PROGRAM"
  | "INVALID_FILE"
  | "ENGINE_UNAVAILABLE"
  | "OUT_OF_MEMORY"
  | "UNSUPPORTED"
  | "INTERNAL";

/** Every wrong use of the library throws this. `code` is stable; `message` says where, what was expected and what came. */
export class MyelinError extends Error {
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "MyelinError";
    this.code = code;
  }
}

/** A broken promise inside the library, not a user's mistake. */
export function internal(message: string): MyelinError {
  return new MyelinError("INTERNAL", `internal: ${message}. Please report this.`);
}

/** The rejection of an aborted run: an `AbortError` by name, as the platform's own APIs throw, with our code on it. */
export function aborted(where: string, reason?: unknown): MyelinError {
  const error = new MyelinError(
    "ABORTED",
    `${where}: aborted`,
    reason === undefined ? undefined : { cause: reason },
  );
  error.name = "AbortError";
  return error;
}

/** How a wrong value reads in a message: short, typed, never megabytes. */
export function describe(value: unknown): string {
  if (typeof value === "string")
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  if (value === null || value === undefined || typeof value === "number" || typeof value === "boolean")
    return String(value);
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "function") return `function ${value.name || "(anonymous)"}`;
  if (ArrayBuffer.isView(value))
    return `${value.constructor.name}(${(value as Uint8Array).length ?? value.byteLength})`;
  if (Array.isArray(value)) {
    const head = value.slice(0, 6).map((v) => (typeof v === "object" && v !== null ? "..." : describe(v)));
    return `[${head.join(", ")}${value.length > 6 ? `, ... ${value.length} in all` : ""}]`;
  }
  if (typeof value === "object")
    return `${(value as object).constructor?.name ?? "object"} {${Object.keys(value as object)
      .slice(0, 5)
      .join(", ")}}`;
  return typeof value;
}

/**
 * The candidate closest to a misspelt name, or undefined when nothing is near: more than two edits and more than a third
 * of the name away, or with no letter in place.
 */
export function nearest(name: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestDistance = Math.max(2, Math.floor(name.length / 3)) + 1;
  for (const candidate of candidates) {
    const d = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (d < bestDistance && d < Math.max(name.length, candidate.length)) {
      bestDistance = d;
      best = candidate;
    }
  }
  return best;
}

/** Insertions, deletions, substitutions and swaps of neighbours, which is how people mistype. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitute = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      let least = Math.min(substitute, row[j]! + 1, next[j - 1]! + 1);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1])
        least = Math.min(least, before[j - 2]! + 1);
      next.push(least);
    }
    before = row;
    row = next;
  }
  return row[b.length]!;
}

/** `"adma"; did you mean "adam"? Known: ...` */
export function unknownName(
  where: string,
  kind: string,
  name: unknown,
  known: readonly string[],
): MyelinError {
  const near = typeof name === "string" ? nearest(name, known) : undefined;
  const hint = near ? `; did you mean ${JSON.stringify(near)}?` : `; known: ${known.join(", ")}`;
  return new MyelinError("INVALID_OPTION", `${where}: unknown ${kind} ${describe(name)}${hint}`);
}
