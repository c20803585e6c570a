// Option objects: names, types and ranges, each with its one wording.

import { describe, expect, test } from "vitest";
import { checkBoolean, checkInteger, checkNumber, checkOneOf, checkOptions } from "../../src/core/options.ts";
import { thrown } from "../helpers/thrown.ts";

const message = (fn: () => unknown) => {
  const error = thrown(fn);
  expect(error.code).toBe("INVALID_OPTION");
  return error.message;
};

describe("checkOptions", () => {
  type Options = { rate?: number; seed?: number };
  const known = ["rate", "seed"] as const;
  test("gives back the options, or none", () => {
    const options = { rate: 1 };
    expect(checkOptions<Options>("dropout", options, known)).toBe(options);
    expect(checkOptions<Options>("dropout", undefined, known)).toEqual({});
  });
  test("refuses misspelt names", () => {
    expect(message(() => checkOptions<Options>("dropout", { rat: 1 } as Options, known))).toBe(
      'dropout: unknown option "rat"; did you mean "rate"?',
    );
    expect(message(() => checkOptions<Options>("dropout", { units: 1 } as Options, known))).toBe(
      'dropout: unknown option "units"; known: rate, seed',
    );
    // A name that objects inherit is not an option.
    expect(message(() => checkOptions<Options>("dropout", { toString: 1 } as never, known))).toContain(
      'unknown option "toString"',
    );
  });
  test.each([
    [null, "null"],
    [3, "3"],
    ["rate", '"rate"'],
    [[1], "[1]"],
    [() => 0, "function (anonymous)"],
  ])("refuses %s", (value, text) => {
    expect(message(() => checkOptions<Options>("dropout", value as never, known))).toBe(
      `dropout: expected an options object, got ${text}`,
    );
  });
});

describe("checkInteger", () => {
  test("accepts the limits", () => {
    expect(checkInteger("dense", "units", 0)).toBe(0);
    expect(checkInteger("dense", "units", 3, 3, 5)).toBe(3);
    expect(checkInteger("dense", "units", 5, 3, 5)).toBe(5);
    expect(checkInteger("seed", "seed", Number.MAX_SAFE_INTEGER)).toBe(Number.MAX_SAFE_INTEGER);
  });
  test.each([2, 6, 3.5, Number.NaN, Infinity, "4", null, undefined, true])("refuses %s", (value) => {
    expect(message(() => checkInteger("dense", "units", value, 3, 5))).toMatch(
      /^dense: expected units to be an integer from 3 to 5, got /,
    );
  });
  test("words an open range", () => {
    expect(message(() => checkInteger("dense", "units", 0, 1))).toBe(
      "dense: expected units to be an integer of at least 1, got 0",
    );
  });
});

describe("checkNumber", () => {
  const rate = (value: unknown) => checkNumber("dropout", "rate", value, "in [0, 1)", (x) => x >= 0 && x < 1);
  test("accepts what holds", () => {
    expect(rate(0)).toBe(0);
    expect(rate(0.99)).toBe(0.99);
    expect(checkNumber("f", "x", -5)).toBe(-5);
  });
  test.each([1, -0.1, Number.NaN, Infinity, "0.5", null, undefined])("refuses %s", (value) => {
    expect(message(() => rate(value))).toMatch(/^dropout: expected rate to be a number in \[0, 1\), got /);
  });
  test("words no range when there is none", () => {
    expect(message(() => checkNumber("f", "x", "1"))).toBe('f: expected x to be a number, got "1"');
  });
});

test("checkBoolean", () => {
  expect(checkBoolean("dense", "useBias", false)).toBe(false);
  for (const value of [0, 1, "true", null, undefined])
    expect(message(() => checkBoolean("dense", "useBias", value))).toMatch(
      /^dense: expected useBias to be true or false, got /,
    );
});

test("checkOneOf", () => {
  const known = ["valid", "same"] as const;
  expect(checkOneOf("conv2d", "padding", "same", known)).toBe("same");
  expect(message(() => checkOneOf("conv2d", "padding", "smae", known))).toBe(
    'conv2d: unknown padding "smae"; did you mean "same"?',
  );
  expect(message(() => checkOneOf("conv2d", "padding", 1, known))).toBe(
    "conv2d: unknown padding 1; known: valid, same",
  );
});
