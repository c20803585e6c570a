// npm packages that a loader needs and the library does not bring along.

import { MyelinError } from "../core/errors.ts";

/**
 * What an optional package exports.
 * @throws INVALID_OPTION naming what to install
 */
export async function importPeer<T>(where: string, name: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    throw new MyelinError(
      "INVALID_OPTION",
      `${where}: expected the package ${name} to be there; npm install ${name}`,
      { cause: error },
    );
  }
}
