// A column that grows by values of files that know their types: numbers, big integers, booleans, text, and null.

import { describe, MyelinError } from "../core/errors.ts";
import type { Column } from "../data/columns.ts";
import { builderOf } from "./builders.ts";

const NOTHING: ReadonlySet<string> = new Set();

export class ValueColumn {
  private kind: "number" | "boolean" | "string" | undefined;
  private numbers = new Float64Array(1024);
  private size = 0;
  private hasMissing = false;
  private fitsInt = true;
  private readonly text = builderOf("string", { missing: NOTHING, fixed: true });

  /**
   * @param where begins messages; `whole` says that numbers are whole by type, which makes a column of integers if they fit
   */
  constructor(
    private readonly where: string,
    private readonly name: string,
    private readonly whole: boolean,
  ) {}

  add(value: unknown, row: number): void {
    if (value === null || value === undefined) {
      this.hasMissing = true;
      if (this.kind === "string") this.text.add("");
      else this.push(Number.NaN);
      return;
    }
    if (typeof value === "bigint" && (value > Number.MAX_SAFE_INTEGER || value < Number.MIN_SAFE_INTEGER))
      throw this.wrong(row, "an integer up to 2^53", value);
    const kind = typeof value === "bigint" ? "number" : typeof value;
    if (kind !== "number" && kind !== "boolean" && kind !== "string")
      throw this.wrong(row, "a number, boolean or text", value);
    if (this.kind === undefined) {
      this.kind = kind;
      // So far everything was missing.
      if (kind === "string") for (let i = 0; i < this.size; i++) this.text.add("");
    } else if (kind !== this.kind) throw this.wrong(row, `a ${this.kind}`, value);
    if (kind === "string") {
      this.text.add(value as string);
      return;
    }
    const number = Number(value);
    this.fitsInt &&= number === (number | 0);
    this.push(number);
  }

  finish(): Column {
    if (this.kind === "string") return this.text.finish();
    const data = this.numbers.slice(0, this.size);
    if (this.kind === "boolean" && !this.hasMissing) return { type: "boolean", data: Uint8Array.from(data) };
    const integer = this.whole && this.fitsInt && !this.hasMissing;
    return integer ? { type: "integer", data: Int32Array.from(data) } : { type: "number", data };
  }

  private push(value: number): void {
    if (this.size === this.numbers.length) {
      const wider = new Float64Array(this.size * 2);
      wider.set(this.numbers);
      this.numbers = wider;
    }
    this.numbers[this.size++] = value;
  }

  private wrong(row: number, expected: string, value: unknown): MyelinError {
    const place = `${this.where}, row ${row + 1}, column ${describe(this.name)}`;
    return new MyelinError("INVALID_DATA", `${place}: expected ${expected}, got ${describe(value)}`);
  }
}
