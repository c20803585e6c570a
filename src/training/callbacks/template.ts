// File names with placeholders for numbers, in Python's notation: "{epoch:02d}-{valLoss:.2f}".

import { MyelinError } from "../../core/errors.ts";

const PLACEHOLDER = /\{\{|\}\}|\{([A-Za-z_$][\w$]*)(?::([^{}]*))?\}|[{}]/g;
const FORMAT = /^(0?)(\d*)(?:\.(\d+))?([dfeg%]?)$/;

/** Throws on placeholders that are none. */
export function checkTemplate(where: string, template: string): void {
  fill(where, template, () => 1);
}

/** Fills in numbers by name. @throws INVALID_OPTION for a name without a number */
export function fillTemplate(
  where: string,
  template: string,
  values: Readonly<Record<string, number>>,
): string {
  return fill(where, template, (name) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    if (value !== undefined) return value;
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected placeholders named ${Object.keys(values).join(", ")} in ${JSON.stringify(template)}, got ${name}`,
    );
  });
}

function fill(where: string, template: string, numberFor: (name: string) => number): string {
  return template.replace(PLACEHOLDER, (text, name: string | undefined, format = "") => {
    if (text === "{{" || text === "}}") return text[0]!;
    const parts = name === undefined ? null : FORMAT.exec(format);
    if (!parts) {
      throw new MyelinError(
        "INVALID_OPTION",
        `${where}: expected placeholders like {epoch:02d} or {valLoss:.2f}, got ${JSON.stringify(text)} in ${JSON.stringify(template)}`,
      );
    }
    const [, zero, width, precision, type] = parts;
    const made = formatted(numberFor(name!), type!, precision === undefined ? undefined : Number(precision));
    const sign = zero && made.startsWith("-") ? "-" : "";
    return sign + made.slice(sign.length).padStart(Number(width) - sign.length, zero ? "0" : " ");
  });
}

function formatted(value: number, type: string, precision: number | undefined): string {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  switch (type) {
    case "d":
      return String(Math.trunc(value));
    case "f":
      return value.toFixed(precision ?? 6);
    case "e":
      return value.toExponential(precision ?? 6).replace(/e([+-])(\d)$/, "e$10$2");
    case "%":
      return `${(value * 100).toFixed(precision ?? 6)}%`;
    default:
      return precision === undefined
        ? String(value)
        : String(Number(value.toPrecision(Math.max(1, precision))));
  }
}
