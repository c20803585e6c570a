// Files in folders named after their classes, as Keras's datasets from directories find them.

import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { describe, MyelinError } from "../core/errors.ts";
import { Random } from "../core/random.ts";
import { unreadable } from "./source.ts";

/** Files in order, and the class of each where there are classes. */
export interface FileIndex {
  readonly paths: readonly string[];
  readonly labels: Int32Array | undefined;
  readonly classNames: readonly string[];
}

/**
 * @param labels "inferred": each folder in `directory` is a class; a list: one label for each file, in the order of paths;
 *   null: none
 * @param extensions lower case, with the dot
 * @param classNames folders to take, in the order of their labels; default: all but hidden ones, sorted
 * @throws INVALID_FILE the folder or a class is not there; INVALID_DATA no files, or not as many labels as files
 */
export async function indexDirectory(
  where: string,
  directory: string,
  labels: "inferred" | readonly number[] | null,
  extensions: readonly string[],
  classNames?: readonly string[],
): Promise<FileIndex> {
  if (labels !== "inferred") {
    const paths = await filesUnder(where, directory, extensions);
    checkFound(where, directory, paths, extensions);
    if (labels === null) return { paths, labels: undefined, classNames: [] };
    if (labels.length !== paths.length)
      throw new MyelinError(
        "INVALID_DATA",
        `${where}: expected ${paths.length} labels, one for each file in ${JSON.stringify(directory)}, got ${labels.length}`,
      );
    const classes = [...new Set(labels)].sort((a, b) => a - b).map(String);
    return { paths, labels: Int32Array.from(labels), classNames: classes };
  }
  const entries = await list(where, directory);
  const folders: string[] = [];
  for (const entry of entries)
    if (!entry.name.startsWith(".") && (await isFolder(join(directory, entry.name), entry)))
      folders.push(entry.name);
  const unknown = classNames?.find((name) => !folders.includes(name));
  if (unknown !== undefined)
    throw new MyelinError(
      "INVALID_FILE",
      `${where}: expected classNames to be folders in ${JSON.stringify(directory)} (${folders.join(", ")}), got ${describe(unknown)}`,
    );
  const classes = classNames ?? folders;
  const paths: string[] = [];
  const found: number[] = [];
  for (const [label, name] of classes.entries())
    for (const path of await filesUnder(where, join(directory, name), extensions)) {
      paths.push(path);
      found.push(label);
    }
  checkFound(where, directory, paths, extensions);
  return { paths, labels: Int32Array.from(found), classNames: classes };
}

/** An order of files: theirs, or a random one; and where the part held out for validation, the last one, begins. */
export function orderFiles(
  count: number,
  seed: number | undefined,
  validationSplit: number,
): [Int32Array, Int32Array] {
  const order = Int32Array.from({ length: count }, (_, i) => i);
  if (seed !== undefined) new Random(seed).shuffle(order);
  const begin = count - Math.floor(validationSplit * count);
  return [order.subarray(0, begin), order.subarray(begin)];
}

/** All files with these extensions, folder by folder, sorted; hidden ones are left out. */
async function filesUnder(
  where: string,
  directory: string,
  extensions: readonly string[],
): Promise<string[]> {
  const files: string[] = [];
  const folders: string[] = [];
  for (const entry of await list(where, directory)) {
    if (entry.name.startsWith(".")) continue;
    const path = join(directory, entry.name);
    // Links to folders could lead in circles: only what lies in the folder itself is followed.
    if (entry.isDirectory()) folders.push(path);
    else if (extensions.some((e) => entry.name.toLowerCase().endsWith(e))) files.push(path);
  }
  for (const folder of folders) files.push(...(await filesUnder(where, folder, extensions)));
  return files;
}

async function list(where: string, directory: string): Promise<Dirent[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    throw unreadable(where, directory, error);
  }
}

async function isFolder(path: string, entry: Dirent): Promise<boolean> {
  return entry.isDirectory() || (entry.isSymbolicLink() && (await stat(path)).isDirectory());
}

function checkFound(
  where: string,
  directory: string,
  paths: readonly string[],
  extensions: readonly string[],
): void {
  if (paths.length > 0) return;
  throw new MyelinError(
    "INVALID_DATA",
    `${where}: expected files ending in ${extensions.join(", ")} in ${JSON.stringify(basename(directory))}, got none`,
  );
}
