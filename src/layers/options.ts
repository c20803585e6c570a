// Small helpers for checking layer options, with one wording for all layers.

import { describe, MyelinError } from "../core/errors.ts";
import { formatBatchShape, isBatchShape } from "./symbolic.ts";

/** How a layer calls itself in errors about its options, before it has a name: `dense` or `dense "head"`. */
export function labelOf(factory: string, options: unknown): string {
  const name = (options as { name?: unknown } | undefined)?.name;
  return typeof name === "string" ? `${factory} ${JSON.stringify(name)}` : factory;
}

/** How inputs or shapes read in a message. */
export function describeInput(x: unknown): string {
  return isBatchShape(x) ? formatBatchShape(x) : describe(x);
}

/** A list of integers accepted by `holds`. */
export function checkIntegers(
  where: string,
  name: string,
  value: unknown,
  range: string,
  holds: (x: number) => boolean,
): readonly number[] {
  if (!Array.isArray(value) || !value.every((x) => Number.isInteger(x) && holds(x))) {
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected ${name} to be a list of integers ${range}, got ${describe(value)}`,
    );
  }
  return value;
}
