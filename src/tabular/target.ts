// The column that a tabular model predicts: labels of classes, or a number; as the network learns it, and back.

import { describe, MyelinError, unknownName } from "../core/errors.ts";
import { Tensor } from "../core/tensor.ts";
import type { Cell } from "../data/columns.ts";
import type { Table } from "../data/table.ts";
import { skewness } from "./statistics.ts";

export type TaskName = "classification" | "regression";

/** Plain data. */
export type Target =
  | {
      readonly task: "classification";
      readonly name: string;
      /** By class number: numbers ascending, texts in alphabetical order. */
      readonly labels: readonly Cell[];
    }
  | {
      readonly task: "regression";
      readonly name: string;
      /** Of the values, or of their logarithms: the network learns how many deviations they are from the mean. */
      readonly mean: number;
      readonly deviation: number;
      /** Whether the logarithm is learnt: of positive numbers that differ by magnitudes. */
      readonly isLogarithmic: boolean;
    };

/** Whole numbers of no more distinct values are classes. */
const MAX_NUMBER_LABELS = 20;
const MAX_LABELS = 1000;

export function planTarget(table: Table, name: string, told: TaskName | undefined): Target {
  if (!table.names.includes(name)) throw unknownName("target", "column", name, table.names);
  const where = `target ${describe(name)}`;
  const cells = table.column(name);
  const type = table.type(name);
  const distinct = new Set<Cell>(type === "boolean" ? Array.from(cells as Uint8Array, Boolean) : cells);
  if (distinct.size < 2) {
    throw new MyelinError(
      "INVALID_DATA",
      `${where}: expected at least two values to tell apart, got ${describe([...distinct][0])} in all ${table.numRows} rows`,
    );
  }
  const isFew =
    distinct.size <= MAX_NUMBER_LABELS && [...distinct].every((v) => Number.isInteger(v as number));
  const isLabels = type === "string" || type === "boolean" || isFew;
  const task = told ?? (isLabels ? "classification" : "regression");
  if (task === "classification") {
    if (distinct.size > Math.min(MAX_LABELS, table.numRows / 2)) {
      throw new MyelinError(
        "INVALID_DATA",
        `${where}: expected labels that many rows share, got ${distinct.size} different ones in ${table.numRows} rows`,
      );
    }
    const labels = [...distinct].sort((a, b) => (a < b ? -1 : 1));
    return { task, name, labels };
  }
  if (type === "string") {
    throw new MyelinError(
      "INVALID_DATA",
      `${where}: expected numbers for a regression, got text such as ${describe(cells[0])}`,
    );
  }
  const values = Float64Array.from(cells as Float64Array);
  const infinite = values.find((v) => !Number.isFinite(v));
  if (infinite !== undefined) {
    throw new MyelinError("INVALID_DATA", `${where}: expected finite numbers, got ${describe(infinite)}`);
  }
  const isPositive = values.every((v) => v > 0);
  const isLogarithmic = isPositive && skewness(values) > 2 && Math.abs(skewness(values.map(Math.log))) < 1;
  const learnt = isLogarithmic ? values.map(Math.log) : values;
  const mean = learnt.reduce((a, b) => a + b, 0) / learnt.length;
  const variance = learnt.reduce((a, v) => a + (v - mean) ** 2, 0) / learnt.length;
  return { task, name, mean, deviation: Math.sqrt(variance), isLogarithmic };
}

/** The class number of each row. @throws INVALID_DATA a label that is not known */
export function classesOf(target: Target & { task: "classification" }, table: Table): Int32Array {
  const numbers = new Map(target.labels.map((label, i) => [String(label), i]));
  const isTruth = table.type(target.name) === "boolean";
  const column = table.column(target.name);
  return Int32Array.from(column as ArrayLike<Cell>, (cell, row) => {
    const label = isTruth ? Boolean(cell) : cell;
    const found = numbers.get(String(label));
    if (found !== undefined) return found;
    throw new MyelinError(
      "INVALID_DATA",
      `target ${describe(target.name)}, row ${row + 1}: expected one of the labels ${target.labels.slice(0, 10).map(describe).join(", ")}, got ${describe(label)}`,
    );
  });
}

/** What the network learns: int32 [rows] of classes, float32 [rows, 1] of numbers. */
export function encodeTarget(target: Target, table: Table): Tensor {
  if (target.task === "classification") {
    const classes = classesOf(target, table);
    return new Tensor(classes, [classes.length], "int32");
  }
  const { mean, deviation, isLogarithmic } = target;
  const values = Float32Array.from(
    table.numbers(target.name),
    (v) => ((isLogarithmic ? Math.log(v) : v) - mean) / deviation,
  );
  return new Tensor(values, [values.length, 1], "float32");
}

/** Numbers out of what the network gives. */
export function decodeNumbers(target: Target & { task: "regression" }, y: Tensor): Float64Array {
  const { mean, deviation, isLogarithmic } = target;
  return Float64Array.from(y.data, (v) => {
    const value = mean + v * deviation;
    return isLogarithmic ? Math.exp(value) : value;
  });
}
