// A tabular model out of a model's metadata, as untrusted input.

import { describe, MyelinError } from "../core/errors.ts";
import { Table } from "../data/table.ts";
import { isPlainObject } from "../layers/nest.ts";
import { loadModel } from "../models/loading.ts";
import type { Model } from "../models/model.ts";
import { COLUMN_KINDS, type ColumnPlan, type LeftOut } from "./columns.ts";
import { TabularEncoder } from "./encoder.ts";
import { METADATA_KEY, METADATA_VERSION, TabularModel } from "./tabular-model.ts";
import type { Target } from "./target.ts";

/**
 * Reads what `TabularModel.save`, or `npx myelin train`, wrote.
 * @throws INVALID_FILE something is missing, damaged or does not fit, or the folder holds a model that is not of a table
 * @example const tabular = await loadTabular("titanic.myelin");
 */
export async function loadTabular(path: string): Promise<TabularModel> {
  return tabularOf(path, await loadModel(path));
}

/** Whether a loaded model carries the preparation of tables. */
export const isTabular = (model: Model): boolean => METADATA_KEY in model.metadata;

/** @internal @param path for messages */
export function tabularOf(path: string, model: Model): TabularModel {
  const fail = (what: string, cause?: unknown) =>
    new MyelinError("INVALID_FILE", `${path}: ${what}`, { cause });
  const saved = model.metadata[METADATA_KEY];
  if (!isPlainObject(saved))
    throw fail("expected a model of a table, as trainTabular makes them, got another");
  const { version, target, columns, leftOut, known } = saved;
  if (version !== METADATA_VERSION)
    throw fail(`expected version ${METADATA_VERSION} of tabular models, got ${describe(version)}`);
  if (!isTarget(target)) throw fail("expected a target of labels or of numbers in metadata.tabular");
  if (!Array.isArray(columns) || !columns.every(isPlan)) throw fail("expected columns in metadata.tabular");
  try {
    const encoder = new TabularEncoder(columns, known);
    // A row of missing cells, on trial: widths must fit.
    const nothing = Table.fromRows([Object.fromEntries(columns.map((c) => [c.name, null]))]);
    const [, width] = encoder.encode(nothing).shape;
    const units = target.task === "classification" ? target.labels.length : 1;
    const [input, output] = [model.inputSpecs[0]?.shape, model.outputSpecs[0]?.shape];
    if (input?.length !== 2 || input[1] !== width || output?.length !== 2 || output[1] !== units) {
      throw new Error(`expected a model of ${width} inputs and ${units} outputs`);
    }
    return new TabularModel(model, target, encoder, Array.isArray(leftOut) ? leftOut.filter(isLeftOut) : []);
  } catch (cause) {
    throw fail((cause as Error).message, cause);
  }
}

function isTarget(x: unknown): x is Target {
  if (!isPlainObject(x) || typeof x.name !== "string") return false;
  if (x.task === "classification")
    return (
      Array.isArray(x.labels) &&
      x.labels.length > 1 &&
      x.labels.every((l) => ["string", "number", "boolean"].includes(typeof l))
    );
  return (
    x.task === "regression" &&
    Number.isFinite(x.mean) &&
    Number.isFinite(x.deviation) &&
    isFlag(x.isLogarithmic)
  );
}

const isFlag = (x: unknown): boolean => typeof x === "boolean";
const isMaybe = (x: unknown, holds: (x: unknown) => boolean): boolean => x === undefined || holds(x);

function isPlan(x: unknown): x is ColumnPlan {
  return (
    isPlainObject(x) &&
    typeof x.name === "string" &&
    COLUMN_KINDS.includes(x.kind as never) &&
    ["number", "boolean", "string"].includes(x.cells as string) &&
    isFlag(x.hasMissing) &&
    isMaybe(x.fill, Number.isFinite) &&
    isMaybe(x.isLogarithmic, isFlag) &&
    isMaybe(x.hasTime, isFlag) &&
    isMaybe(x.maxWords, Number.isInteger) &&
    isMaybe(x.categories, (c) => Array.isArray(c) && c.every((s) => typeof s === "string"))
  );
}

function isLeftOut(x: unknown): x is LeftOut {
  return isPlainObject(x) && typeof x.name === "string" && typeof x.reason === "string";
}
