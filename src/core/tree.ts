// Trees: a leaf, or arrays and plain records of trees. What users pass to and get from their own compiled functions.

import { describe, MyelinError } from "./errors.ts";

/** A tree taken apart. `key` names its structure: trees of equal keys can be rebuilt from each other's leaves. */
export interface Flat<T> {
  readonly leaves: T[];
  readonly key: string;
  /** The same structure around other leaves. */
  rebuild(leaves: readonly unknown[]): unknown;
}

type Build = (leaves: readonly unknown[]) => unknown;

/**
 * @param leaf gives the leaf that a node of the tree stands for, or undefined when it is an array or record to go into
 * @param where names the tree in errors
 */
export function flatten<T>(
  where: string,
  tree: unknown,
  leaf: (x: unknown, path: string) => T | undefined,
): Flat<T> {
  const leaves: T[] = [];
  const visit = (x: unknown, path: string): { key: string; build: Build } => {
    const own = leaf(x, path);
    if (own !== undefined) {
      const index = leaves.push(own) - 1;
      return { key: "*", build: (list) => list[index] };
    }
    if (Array.isArray(x)) {
      const parts = x.map((e, i) => visit(e, `${path}[${i}]`));
      return { key: `[${parts.map((p) => p.key).join()}]`, build: (list) => parts.map((p) => p.build(list)) };
    }
    if (typeof x === "object" && x !== null && isPlain(x)) {
      // By name, so that the order in which a record was written does not matter.
      const parts = Object.keys(x)
        .sort()
        .map((name) => ({ name, ...visit((x as Record<string, unknown>)[name], `${path}.${name}`) }));
      const build: Build = (list) => Object.fromEntries(parts.map((p) => [p.name, p.build(list)]));
      return { key: `{${parts.map((p) => `${JSON.stringify(p.name)}:${p.key}`).join()}}`, build };
    }
    throw new MyelinError(
      "INVALID_ARGUMENT",
      `${where}${path}: expected a tensor, or arrays and records of tensors, got ${describe(x)}`,
    );
  };
  const { key, build } = visit(tree, "");
  return { leaves, key, rebuild: build };
}

function isPlain(x: object): boolean {
  const proto: unknown = Object.getPrototypeOf(x);
  return proto === Object.prototype || proto === null;
}
