// What a command of `npx myelin` is, how its arguments are read, and how its help reads.

import { parseArgs } from "node:util";
import { nearest } from "../core/errors.ts";
import { twoColumns } from "./text.ts";

/** An option. Names are those of the library, in kebab case on the command line. */
export interface OptionSpec {
  readonly type: "text" | "number" | "flag" | "list";
  /** What stands for the value in the help. */
  readonly value?: string;
  readonly short?: string;
  readonly help: string;
}

export interface Positional {
  readonly name: string;
  readonly help: string;
  readonly isOptional?: boolean;
}

/** What was given, by name. */
export interface Given {
  readonly [name: string]: string | number | boolean | readonly string[] | undefined;
}

/** Where a command reads from and writes to, so that tests may look. */
export interface Io {
  readonly out: Writer;
  readonly err: Writer;
  /** Aborts when the user asks the command to come to an end. */
  readonly interrupt: AbortSignal;
}

export interface Writer {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface Command {
  readonly name: string;
  /** One line. */
  readonly summary: string;
  readonly positionals: readonly Positional[];
  readonly options: Readonly<Record<string, OptionSpec>>;
  /** Command lines after `npx myelin`, with what they do. */
  readonly examples: readonly (readonly [line: string, what: string])[];
  run(given: Given, io: Io): Promise<void>;
}

/** A command line that does not make sense: exit code 2. */
export class UsageError extends Error {}

const JSON_OPTION: OptionSpec = { type: "flag", help: "print the result as JSON, for programs" };
const HELP_OPTION: OptionSpec = { type: "flag", short: "h", help: "show this help" };

const optionsOf = (command: Command): Readonly<Record<string, OptionSpec>> => ({
  ...command.options,
  json: JSON_OPTION,
  help: HELP_OPTION,
});

const camel = (name: string) => name.replace(/-./g, (m) => m[1]!.toUpperCase());

/** @throws UsageError unknown or incomplete options, too few or too many words */
export function readArguments(command: Command, args: readonly string[]): Given {
  const specs = optionsOf(command);
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    tokens: true,
    allowPositionals: true,
    options: Object.fromEntries(
      Object.entries(specs).map(([name, { type, short }]) => [
        name,
        { type: type === "flag" ? "boolean" : "string", ...(short && { short }) },
      ]),
    ),
  });
  const given: Record<string, string | number | boolean | string[]> = {};
  const words: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") words.push(token.value);
    if (token.kind !== "option") continue;
    const spec = Object.hasOwn(specs, token.name) ? specs[token.name] : undefined;
    if (!spec) {
      const near = nearest(token.name, Object.keys(specs));
      throw new UsageError(`unknown option ${token.rawName}${near ? `; did you mean --${near}?` : ""}`);
    }
    const key = camel(token.name);
    if (spec.type === "flag") {
      if (token.value !== undefined) throw new UsageError(`${token.rawName} takes no value`);
      given[key] = true;
      continue;
    }
    if (token.value === undefined || (!token.inlineValue && token.value.startsWith("--")))
      throw new UsageError(`${token.rawName} needs a value: --${token.name} ${spec.value ?? "VALUE"}`);
    if (spec.type === "list")
      given[key] = [...((given[key] as string[]) ?? []), ...token.value.split(",").map((s) => s.trim())];
    else if (spec.type === "text") given[key] = token.value;
    else {
      const number = Number(token.value);
      if (token.value.trim() === "" || !Number.isFinite(number))
        throw new UsageError(`${token.rawName} needs a number, got ${JSON.stringify(token.value)}`);
      given[key] = number;
    }
  }
  if (given.help) return given;
  command.positionals.forEach(({ name, isOptional }, i) => {
    const word = words[i];
    if (word !== undefined) given[name] = word;
    else if (!isOptional) throw new UsageError(`${name.toUpperCase()} is missing`);
  });
  if (words.length > command.positionals.length)
    throw new UsageError(`${JSON.stringify(words[command.positionals.length])} is one word too many`);
  return given;
}

export function helpOf(command: Command): string {
  const words = command.positionals.map(({ name, isOptional }) =>
    isOptional ? `[${name.toUpperCase()}]` : name.toUpperCase(),
  );
  const positionals = command.positionals.map(({ name, help }) => [name.toUpperCase(), help] as const);
  const options = Object.entries(optionsOf(command)).map(([name, { type, value, short, help }]) => {
    const own = type === "flag" ? "" : ` ${value ?? "VALUE"}`;
    return [`${short ? `-${short}, ` : ""}--${name}${own}`, help] as const;
  });
  return [
    command.summary,
    "",
    `Usage: npx myelin ${[command.name, ...words, "[options]"].join(" ")}`,
    "",
    ...(positionals.length > 0 ? [...twoColumns(positionals), ""] : []),
    "Options:",
    ...twoColumns(options),
    "",
    "Examples:",
    ...command.examples.flatMap(([line, what]) => [`  # ${what}`, `  npx myelin ${line}`]),
    "",
  ].join("\n");
}
