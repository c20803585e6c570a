// "myelin/text": lines and whole texts from files, and folders of texts with labels. Needs no package.

import { describe, MyelinError } from "../core/errors.ts";
import { checkBoolean, checkInteger, checkOptions } from "../core/options.ts";
import { Dataset } from "../data/dataset.ts";
import {
  DIRECTORY_OPTIONS,
  type Directory,
  type DirectoryElement,
  type DirectoryOptions,
  labelledFiles,
} from "./labelled-files.ts";
import { type FileSource, nameOf, readBytes } from "./source.ts";

export interface TextOptions {
  /** Any that TextDecoder knows, such as "latin1" or "utf-16le". Default "utf-8". */
  encoding?: string;
}

export interface LinesOptions extends TextOptions {
  /** At most so many lines. */
  limit?: number;
  /** Leave out empty lines. Default false. */
  skipEmpty?: boolean;
}

/**
 * A whole file as a string. Files ending in .gz are unpacked.
 * @throws INVALID_FILE it cannot be read; INVALID_DATA it is not of that encoding
 */
export async function readText(source: FileSource, options?: TextOptions): Promise<string> {
  checkOptions("readText", options, ["encoding"]);
  let text = "";
  for await (const part of decode("readText", source, options?.encoding)) text += part;
  return text;
}

/** The lines of a file, without their ends (LF or CRLF). Errors as `readText`. */
export async function readLines(source: FileSource, options?: LinesOptions): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of linesOf("readLines", source, checkLines("readLines", options))) lines.push(line);
  return lines;
}

/** The lines of a file as a Dataset: read anew in each pass, never held as a whole. Errors as `readText`, when read. */
export function linesDataset(source: FileSource, options?: LinesOptions): Dataset<string> {
  const o = checkLines("linesDataset", options);
  return Dataset.from(() => linesOf("linesDataset", source, o));
}

export interface TextDirectoryOptions extends TextOptions, DirectoryOptions {
  /** Texts are cut after so many characters. */
  maxLength?: number;
  /** What names of files end in. Default [".txt"]. */
  extensions?: readonly string[];
}

type TextElement<O> = DirectoryElement<O, string, string[]>;

/**
 * Texts in folders named after their classes, read when they are needed (Keras `text_dataset_from_directory`).
 * @throws INVALID_FILE the folder is not there; INVALID_DATA no files in it, or (when read) one of another encoding
 * @example
 * const { dataset, validation, classNames } = await textFromDirectory("reviews/train", { validationSplit: 0.2, seed: 1 });
 */
export async function textFromDirectory<const O extends TextDirectoryOptions = Record<never, never>>(
  directory: string,
  options?: O,
): Promise<Directory<TextElement<O>>> {
  const where = "textFromDirectory";
  const o: TextDirectoryOptions = checkOptions<TextDirectoryOptions>(where, options, [
    ...DIRECTORY_OPTIONS,
    "encoding",
    "maxLength",
  ]);
  if (o.maxLength !== undefined) checkInteger(where, "maxLength", o.maxLength, 1);
  const read = async (path: string): Promise<string> => {
    let text = "";
    for await (const part of decode(where, path, o.encoding)) {
      text += part;
      if (o.maxLength !== undefined && text.length >= o.maxLength) return text.slice(0, o.maxLength);
    }
    return text;
  };
  const kind = { extensions: [".txt"], read, stack: (texts: readonly string[]) => [...texts] };
  return (await labelledFiles(where, directory, o, kind)) as Directory<TextElement<O>>;
}

function checkLines(where: string, options: LinesOptions | undefined): Required<LinesOptions> {
  const o = checkOptions(where, options, ["encoding", "limit", "skipEmpty"]);
  return {
    encoding: o.encoding ?? "utf-8",
    limit: o.limit === undefined ? Infinity : checkInteger(where, "limit", o.limit),
    skipEmpty: checkBoolean(where, "skipEmpty", o.skipEmpty ?? false),
  };
}

async function* linesOf(
  where: string,
  source: FileSource,
  options: Required<LinesOptions>,
): AsyncGenerator<string> {
  const { encoding, limit, skipEmpty } = options;
  let count = 0;
  let rest = "";
  const isWanted = (line: string): boolean => !(skipEmpty && line === "");
  if (limit === 0) return;
  for await (const part of decode(where, source, encoding)) {
    const lines = (rest + part).split("\n");
    rest = lines.pop()!;
    for (const ended of lines) {
      const line = ended.endsWith("\r") ? ended.slice(0, -1) : ended;
      if (!isWanted(line)) continue;
      yield line;
      if (++count === limit) return;
    }
  }
  if (rest !== "") yield rest;
}

/** A source as text, in pieces. */
async function* decode(where: string, source: FileSource, encoding = "utf-8"): AsyncGenerator<string> {
  let decoder: InstanceType<typeof TextDecoder>;
  try {
    decoder = new TextDecoder(encoding, { fatal: true });
  } catch (error) {
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected encoding to be one that TextDecoder knows, got ${describe(encoding)}`,
      { cause: error },
    );
  }
  let lines = 1;
  const piece = (chunk?: Uint8Array): string => {
    try {
      return chunk ? decoder.decode(chunk, { stream: true }) : decoder.decode();
    } catch (error) {
      const at = lines + (chunk ? linesBefore(chunk, encoding) : 0);
      const hint = encoding === "utf-8" ? '; if it is older text, say { encoding: "latin1" }' : "";
      throw new MyelinError(
        "INVALID_DATA",
        `${where}: ${nameOf(source)}, line ${at}: expected ${encoding} text, got bytes that are none${hint}`,
        { cause: error },
      );
    }
  };
  for await (const chunk of readBytes(where, source)) {
    const text = piece(chunk);
    lines += text.split("\n").length - 1;
    yield text;
  }
  const last = piece();
  if (last !== "") yield last;
}

/** How many lines end in a chunk before the first byte that is not of the encoding. */
function linesBefore(chunk: Uint8Array, encoding: string): number {
  const text = new TextDecoder(encoding).decode(chunk);
  const bad = text.indexOf("\ufffd");
  return (bad < 0 ? text : text.slice(0, bad)).split("\n").length - 1;
}
