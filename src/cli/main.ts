// `npx myelin`: finds the command, runs it, and says by its exit code how that went: 0 done, 1 failed, 2 not understood,
// 130 interrupted.

import { MyelinError, nearest } from "../core/errors.ts";
import { VERSION } from "../core/version.ts";
import { type Command, helpOf, type Io, readArguments, UsageError } from "./command.ts";
import { info } from "./commands/info.ts";
import { plot } from "./commands/plot.ts";
import { predict } from "./commands/predict.ts";
import { serve } from "./commands/serve.ts";
import { summary } from "./commands/summary.ts";
import { train } from "./commands/train.ts";
import { twoColumns } from "./text.ts";

export const COMMANDS: readonly Command[] = [info, train, predict, serve, summary, plot];

const help = (): string =>
  [
    "myelin: deep learning for Node.js",
    "",
    "Usage: npx myelin COMMAND [options]",
    "",
    ...twoColumns(COMMANDS.map((c) => [c.name, c.summary])),
    "",
    "npx myelin COMMAND --help shows options and examples; --version the version.",
    "",
  ].join("\n");

/** @param args what stands behind `myelin` on the command line @returns the exit code */
export async function main(args: readonly string[], io: Io): Promise<number> {
  const [name, ...rest] = args;
  if (name === "--version" || name === "-v") {
    io.out.write(`${VERSION}\n`);
    return 0;
  }
  if (name === undefined || name === "--help" || name === "-h" || (name === "help" && rest.length === 0)) {
    (name === undefined ? io.err : io.out).write(help());
    return name === undefined ? 2 : 0;
  }
  const wanted = name === "help" ? rest[0]! : name;
  const command = COMMANDS.find((c) => c.name === wanted);
  if (!command) {
    const names = COMMANDS.map((c) => c.name);
    const near = nearest(wanted, names);
    io.err.write(
      `myelin: unknown command ${JSON.stringify(wanted)}; ${near ? `did you mean ${near}?` : `there are ${names.join(", ")}`}\n`,
    );
    return 2;
  }
  if (name === "help") {
    io.out.write(helpOf(command));
    return 0;
  }
  const isJson = rest.includes("--json");
  try {
    const given = readArguments(command, rest);
    if (given.help) io.out.write(helpOf(command));
    else await command.run(given, io);
    return 0;
  } catch (error) {
    return failed(error, command, isJson, io);
  }
}

function failed(error: unknown, command: Command, isJson: boolean, io: Io): number {
  const isUsage = error instanceof UsageError || (error as MyelinError).code === "INVALID_OPTION";
  const isOurs = isUsage || error instanceof MyelinError;
  if ((error as Error).name === "AbortError" && io.interrupt.aborted) {
    io.err.write("myelin: interrupted\n");
    return 130;
  }
  const { message, stack } = error as Error;
  const code = error instanceof MyelinError ? error.code : isUsage ? "USAGE" : "INTERNAL";
  if (isJson) io.out.write(`${JSON.stringify({ error: { code, message } })}\n`);
  io.err.write(`myelin ${command.name}: ${isOurs ? message : stack}\n`);
  if (error instanceof UsageError) io.err.write(`See npx myelin ${command.name} --help\n`);
  return isUsage ? 2 : 1;
}
