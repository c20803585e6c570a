// Option objects are checked by name, type and range where they enter the library, with one wording.

import { describe, MyelinError, unknownName } from "./errors.ts";

/** Throws on a misspelt option name, naming the nearest right one. Returns the options, never null. */
export function checkOptions<T extends object>(
  where: string,
  options: T | undefined,
  known: readonly (keyof T & string)[],
): T {
  if (options === undefined) return {} as T;
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new MyelinError("INVALID_OPTION", `${where}: expected an options object, got ${describe(options)}`);
  }
  for (const name of Object.keys(options)) {
    if (!(known as readonly string[]).includes(name)) throw unknownName(where, "option", name, known);
  }
  return options;
}

/** A whole number in [min, max]. */
export function checkInteger(
  where: string,
  name: string,
  value: unknown,
  min = 0,
  max = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max) {
    const range =
      max === Number.MAX_SAFE_INTEGER ? `an integer of at least ${min}` : `an integer from ${min} to ${max}`;
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected ${name} to be ${range}, got ${describe(value)}`,
    );
  }
  return value;
}

/** A finite number accepted by `holds`; `range` words the rule, e.g. "in [0, 1)". */
export function checkNumber(
  where: string,
  name: string,
  value: unknown,
  range = "",
  holds: (x: number) => boolean = () => true,
): number {
  if (typeof value !== "number" || !Number.isFinite(value) || !holds(value)) {
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected ${name} to be a number${range && ` ${range}`}, got ${describe(value)}`,
    );
  }
  return value;
}

export function checkBoolean(where: string, name: string, value: unknown): boolean {
  if (typeof value !== "boolean")
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected ${name} to be true or false, got ${describe(value)}`,
    );
  return value;
}

export function checkOneOf<T extends string>(
  where: string,
  name: string,
  value: unknown,
  known: readonly T[],
): T {
  if (typeof value !== "string" || !(known as readonly string[]).includes(value))
    throw unknownName(where, name, value, known);
  return value as T;
}
