// From what a user writes (a name, an object, a function) or a file holds to a configured object, and back: regularizers
// and constraints, which are read the same way.

import { describe, MyelinError, unknownName } from "./errors.ts";

/** How a configured object looks in a file: which class, which options. */
export interface Serialized {
  readonly className: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/** A kind of configured objects: what they are called and how each is made. */
export interface Kind<T extends object> {
  /** For messages, e.g. "regularizer". */
  readonly what: string;
  // biome-ignore lint/suspicious/noExplicitAny: each factory checks its own options.
  readonly factories: Readonly<Record<string, (options?: any) => T>>;
  is(x: unknown): x is T;
  ofFunction(fn: (...args: never[]) => unknown): T;
}

/** @throws INVALID_OPTION for unknown names, naming the nearest */
export function resolve<T extends object>(kind: Kind<T>, where: string, option: string, like: unknown): T {
  const { what, factories } = kind;
  if (kind.is(like)) return like;
  if (typeof like === "function") return kind.ofFunction(like as () => unknown);
  if (typeof like === "string") {
    if (!Object.hasOwn(factories, like)) throw unknownName(where, option, like, Object.keys(factories));
    return factories[like]!();
  }
  if (typeof like === "object" && like !== null && "className" in like && "config" in like) {
    const { className, config } = like as Serialized;
    const name = Object.keys(factories).find((n) => n.toLowerCase() === String(className).toLowerCase());
    if (name === undefined) {
      const known = Object.keys(factories).map((n) => n.charAt(0).toUpperCase() + n.slice(1));
      throw unknownName(where, what, className, known);
    }
    return factories[name]!(config);
  }
  throw new MyelinError(
    "INVALID_OPTION",
    `${where}: expected ${option} to be a name, a ${what} or a function, got ${describe(like)}`,
  );
}

/** As a file holds it. @throws INVALID_ARGUMENT for one that only exists as code */
export function serialize(
  where: string,
  what: string,
  x: { getConfig(): Record<string, unknown> | undefined },
): Serialized {
  const config = x.getConfig();
  const { className, name } = x.constructor as { className?: string; name: string };
  if (config) return { className: className ?? name, config };
  throw new MyelinError(
    "INVALID_ARGUMENT",
    `${where}: expected ${what}s with a configuration to save, got a function`,
  );
}
