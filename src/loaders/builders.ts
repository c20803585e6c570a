// Columns that grow row by row in typed arrays, doubling as they do: millions of cells without an object for each.

import type { Column, ColumnType } from "../data/columns.ts";

/** Takes cells as text. `add` says false to text that the column cannot hold. */
export interface ColumnBuilder {
  add(text: string): boolean;
  /** The column, without spare room; the builder is empty afterwards. */
  finish(): Column;
}

/** Beyond it a Map fills up: further strings are kept as they come. */
const MAX_DISTINCT = 2 ** 23;

const FIRST_ROOM = 1024;

/** What text stands for, NaN where it is no number; no hexadecimal, no lone blanks. */
export function parseNumber(text: string): number {
  const value = +text;
  if (value > 0 || value < 0) {
    // "0x1F" is no number in a file.
    const second = text.charCodeAt(1) | 32;
    return second === 0x78 || second === 0x62 || second === 0x6f ? Number.NaN : value;
  }
  if (value === 0) return /^[+-]?[0.]/.test(text) && !/[xob]/i.test(text) ? value : Number.NaN;
  const infinite = /^([+-]?)inf(inity)?$/i.exec(text);
  return infinite ? (infinite[1] === "-" ? -Infinity : Infinity) : Number.NaN;
}

/** True and false in any case; undefined for anything else. */
export function parseBoolean(text: string): boolean | undefined {
  const lower = text.toLowerCase();
  return lower === "true" ? true : lower === "false" ? false : undefined;
}

export interface BuilderOptions {
  /** Cells that stand for nothing. */
  readonly missing: ReadonlySet<string>;
  /** Whether the type was given by the user: then it does not widen. */
  readonly fixed: boolean;
}

export function builderOf(type: ColumnType, options: BuilderOptions): ColumnBuilder {
  return type === "string" ? new TextBuilder(options.missing) : new NumberBuilder(type, options);
}

type Numbers = Int32Array | Float64Array | Uint8Array;

/** Whole numbers or booleans while that lasts, then numbers, unless the type is fixed. */
class NumberBuilder implements ColumnBuilder {
  private data: Numbers;
  private size = 0;
  private type: "integer" | "number" | "boolean";
  private readonly missing: ReadonlySet<string>;
  private readonly fixed: boolean;
  /** Whether something that stands for nothing looks like a number, such as -999. */
  private readonly missingFirst: boolean;

  constructor(
    private readonly start: "integer" | "number" | "boolean",
    { missing, fixed }: BuilderOptions,
  ) {
    this.type = start;
    this.data = allocate(start, FIRST_ROOM);
    this.missing = missing;
    this.fixed = fixed;
    this.missingFirst = [...missing].some((text) => !Number.isNaN(parseNumber(text)));
  }

  add(text: string): boolean {
    const value = this.read(text);
    if (value === undefined) return false;
    if (this.type !== "number" && !this.fits(value)) {
      if (this.fixed) return false;
      this.widen();
    }
    if (this.size === this.data.length) this.data = resized(this.data, this.size * 2);
    this.data[this.size++] = value;
    return true;
  }

  finish(): Column {
    const column = { type: this.type, data: resized(this.data, this.size) } as Column;
    this.type = this.start;
    this.size = 0;
    this.data = allocate(this.start, FIRST_ROOM);
    return column;
  }

  private read(text: string): number | undefined {
    if (this.missingFirst && this.missing.has(text)) return Number.NaN;
    if (this.start === "boolean") {
      const truth = parseBoolean(text);
      if (truth !== undefined) return truth ? 1 : 0;
      // Files write booleans as digits too, but only a user can know that these are.
      if (this.fixed && (text === "1" || text === "0")) return Number(text);
      return this.missing.has(text) ? Number.NaN : undefined;
    }
    const value = parseNumber(text);
    if (!Number.isNaN(value)) return value;
    return this.missing.has(text) || text.toLowerCase() === "nan" ? Number.NaN : undefined;
  }

  private fits(value: number): boolean {
    return this.type === "integer" ? value === (value | 0) : value === 0 || value === 1;
  }

  private widen(): void {
    this.type = "number";
    const wider = new Float64Array(this.data.length);
    wider.set(this.data);
    this.data = wider;
  }
}

class TextBuilder implements ColumnBuilder {
  private data: Int32Array = new Int32Array(FIRST_ROOM);
  private size = 0;
  private codes = new Map<string, number>();
  private categories: string[] = [];
  constructor(private readonly missing: ReadonlySet<string>) {}

  add(text: string): boolean {
    const value = this.missing.has(text) ? "" : text;
    let code = this.codes.get(value);
    if (code === undefined) {
      code = this.categories.push(value) - 1;
      if (code < MAX_DISTINCT) this.codes.set(value, code);
    }
    if (this.size === this.data.length) this.data = resized(this.data, this.size * 2) as Int32Array;
    this.data[this.size++] = code;
    return true;
  }

  finish(): Column {
    const column: Column = {
      type: "string",
      data: resized(this.data, this.size) as Int32Array,
      categories: this.categories,
    };
    this.data = new Int32Array(FIRST_ROOM);
    this.size = 0;
    this.codes = new Map();
    this.categories = [];
    return column;
  }
}

function allocate(type: "integer" | "number" | "boolean", room: number): Numbers {
  if (type === "integer") return new Int32Array(room);
  return type === "number" ? new Float64Array(room) : new Uint8Array(room);
}

function resized(data: Numbers, room: number): Numbers {
  const copy = new (data.constructor as Float64ArrayConstructor)(room);
  copy.set(room < data.length ? data.subarray(0, room) : data);
  return copy;
}

/** The narrowest type that holds some cells: integer, number or boolean, else string. */
export function inferType(cells: readonly string[], missing: ReadonlySet<string>): ColumnType {
  let booleans = true;
  let integers = true;
  let digits = true;
  let long = false;
  let known = 0;
  for (const cell of cells) {
    if (missing.has(cell)) continue;
    known++;
    booleans &&= parseBoolean(cell) !== undefined;
    if (booleans) continue;
    const value = parseNumber(cell);
    if (Number.isNaN(value) && cell.toLowerCase() !== "nan") return "string";
    const whole = /^[+-]?\d+$/.test(cell);
    digits &&= whole;
    long ||= !Number.isSafeInteger(value);
    integers &&= whole && value === (value | 0);
  }
  if (known === 0) return "number";
  if (booleans) return "boolean";
  // Long identifiers would lose their last digits as numbers.
  if (digits && long) return "string";
  return integers && known === cells.length ? "integer" : "number";
}
