// Files that are either the old one or the whole new one, whatever happens in between.

import { basename, dirname, join, open, randomBytes, rename, rm } from "../core/node.ts";

/** One write call moves less than 2 GiB. */
const MAX_WRITE = 2 ** 30;

/** Writes the parts one after another to a temporary file beside `path`, flushes it to the disk, then renames it. */
export async function writeAtomic(path: string, parts: Iterable<Uint8Array>): Promise<void> {
  const temporary = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}.tmp`);
  const file = await open(temporary, "wx");
  try {
    try {
      for (const part of parts) {
        for (let at = 0; at < part.byteLength; ) {
          at += (await file.write(part, at, Math.min(MAX_WRITE, part.byteLength - at))).bytesWritten;
        }
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await renameLasting(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Puts a file in the place of another, for good. */
export async function renameLasting(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncFolder(dirname(to));
}

/** Makes the rename itself last. Not every system lets a folder be opened; the file is whole either way. */
async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, "r");
    try {
      await folder.sync();
    } finally {
      await folder.close();
    }
  } catch {
    // Nothing more can be done there.
  }
}
