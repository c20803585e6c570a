// The one door to the machine: files, paths, random bytes. package.json's "browser" field gives bundlers for browsers
// no-node.ts in its place, so that the library loads where there is none of it. Loaders of file formats have doors of their own.

export { createHash, randomBytes } from "node:crypto";
export { appendFile, mkdir, open, readdir, rename, rm, stat, truncate, writeFile } from "node:fs/promises";
export { hostname } from "node:os";
export { basename, dirname, join } from "node:path";
