// What node.ts offers, for places without files: every function says so when it is called.

import { MyelinError } from "./errors.ts";

function absent(name: string) {
  return (): never => {
    throw new MyelinError("UNSUPPORTED", `${name}: needs Node.js; there are no files in a browser`);
  };
}

export const [createHash, randomBytes, hostname] = ["createHash", "randomBytes", "hostname"].map(absent);
export const [appendFile, mkdir, open, readdir, rename, rm, stat, truncate, writeFile] = [
  "appendFile",
  "mkdir",
  "open",
  "readdir",
  "rename",
  "rm",
  "stat",
  "truncate",
  "writeFile",
].map(absent);
export const [basename, dirname, join] = ["basename", "dirname", "join"].map(absent);
