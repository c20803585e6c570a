// Things that options may name ("adam", "mse"): factories looked up by name or alias, with one wording for wrong names.

import { unknownName } from "./errors.ts";

/** Takes plain options; each factory checks its own. */
export type Factory<T> = (options?: object) => T;

/**
 * A look-up that throws INVALID_OPTION with the nearest right name.
 * @param kind what the names stand for, in messages: "loss"
 * @param aliases other names, each for one of `byName`
 */
export function factoriesByName<T, N extends string>(
  kind: string,
  byName: Readonly<Record<N, Factory<T>>>,
  aliases: Readonly<Record<string, N>> = {},
): (where: string, name: string) => Factory<T> {
  const factories = new Map<string, Factory<T>>(Object.entries<Factory<T>>(byName));
  for (const [alias, name] of Object.entries(aliases)) factories.set(alias, byName[name]);
  return (where, name) => {
    const found = factories.get(name);
    if (!found) throw unknownName(where, kind, name, [...factories.keys()]);
    return found;
  };
}
