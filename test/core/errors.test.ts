// The error type and its wording helpers.

import fc from "fast-check";
import { expect, describe as group, test } from "vitest";
import { aborted, describe, internal, MyelinError, nearest, unknownName } from "../../src/core/errors.ts";

test("a MyelinError has name, code, message and cause", () => {
  const cause = new Error("below");
  const error = new MyelinError("INVALID_FILE", "load: expected a header, got nothing", { cause });
  expect(error).toBeInstanceOf(Error);
  expect(error.name).toBe("MyelinError");
  expect(error.code).toBe("INVALID_FILE");
  expect(error.cause).toBe(cause);
  expect(String(error)).toBe("MyelinError: load: expected a header, got nothing");
});

test("internal asks for a report", () => {
  expect(internal("lost a step")).toMatchObject({
    code: "INTERNAL",
    message: "internal: lost a step. Please report this.",
  });
});

test("aborted is an AbortError with our code and the reason", () => {
  expect(aborted("fit")).toMatchObject({ name: "AbortError", code: "ABORTED", message: "fit: aborted" });
  expect("cause" in aborted("fit")).toBe(false);
  expect(aborted("fit", "user left").cause).toBe("user left");
  expect(aborted("fit")).toBeInstanceOf(MyelinError);
});

group("describe", () => {
  test.each([
    ["text", '"text"'],
    [1.5, "1.5"],
    [Number.NaN, "NaN"],
    [null, "null"],
    [undefined, "undefined"],
    [false, "false"],
    [10n, "10n"],
    [Symbol("s"), "symbol"],
    [[], "[]"],
    [[1, "a", [2], {}], '[1, "a", ..., ...]'],
    [[1, 2, 3, 4, 5, 6, 7], "[1, 2, 3, 4, 5, 6, ... 7 in all]"],
    [new Float32Array(3), "Float32Array(3)"],
    [new DataView(new ArrayBuffer(5)), "DataView(5)"],
    [{ a: 1, b: 2 }, "Object {a, b}"],
    [{ a: 1, b: 2, c: 3, d: 4, e: 5, f: 6 }, "Object {a, b, c, d, e}"],
    [Object.create(null), "object {}"],
    [new Map(), "Map {}"],
    [function named() {}, "function named"],
    [() => 0, "function (anonymous)"],
  ])("%o", (value, text) => {
    expect(describe(value)).toBe(text);
  });

  test("is short whatever comes", () => {
    expect(describe("x".repeat(1000))).toBe(`"${"x".repeat(57)}..."`);
    fc.assert(
      fc.property(fc.anything(), (value) => {
        expect(describe(value).length).toBeLessThan(2000);
      }),
    );
  });
});

group("nearest", () => {
  const known = ["learningRate", "momentum", "nesterov", "weightDecay", "adam", "adamW", "sgd", "lr"];
  test.each([
    ["learningrate", "learningRate"],
    ["learnRate", "learningRate"],
    ["momentun", "momentum"],
    ["nestrov", "nesterov"],
    ["adma", "adam"],
    ["SGD", "sgd"],
    ["weight_decay", "weightDecay"],
    ["rl", "lr"],
    ["xq", undefined],
    ["x", undefined],
    ["", undefined],
    ["dropout", undefined],
  ])("%s gives %s", (name, want) => {
    expect(nearest(name, known)).toBe(want);
  });

  test("a known name is its own nearest", () => {
    for (const name of known) expect(nearest(name, known)).toBe(name);
    expect(nearest("any", [])).toBeUndefined();
  });
});

test("nearest counts swapped neighbours once", () => {
  expect(nearest("rleu", ["elu", "relu", "selu"])).toBe("relu");
});

test("unknownName hints at the nearest, or lists what there is", () => {
  expect(unknownName("compile", "optimizer", "adma", ["sgd", "adam"])).toMatchObject({
    code: "INVALID_OPTION",
    message: 'compile: unknown optimizer "adma"; did you mean "adam"?',
  });
  expect(unknownName("compile", "optimizer", 7, ["sgd", "adam"]).message).toBe(
    "compile: unknown optimizer 7; known: sgd, adam",
  );
});
