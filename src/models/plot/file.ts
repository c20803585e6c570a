// Where pictures meet the disk: apart from the rest, which runs anywhere.

import { MyelinError } from "../../core/errors.ts";
import { writeFile } from "../../core/node.ts";

export async function writeText(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text);
  } catch (cause) {
    throw new MyelinError("INVALID_FILE", `${path}: cannot be written (${(cause as Error).message})`, {
      cause,
    });
  }
}
