// What layers take and give: one thing, a list of things or a record of things. Everything else works on the flat list.

/** One `T`, several in a list, or several by name. */
export type Nest<T> = T | readonly T[] | { readonly [name: string]: T };

/** How a Nest is laid out, without its contents. */
export type Layout = null | number | readonly string[];

/** The leaves in order (records by their own key order) and the layout to put others back with `pack`. */
export function flatten<T>(nest: Nest<T>, isLeaf: (x: unknown) => boolean): { leaves: T[]; layout: Layout } {
  if (!isLeaf(nest) && Array.isArray(nest)) return { leaves: [...nest], layout: nest.length };
  if (isLeaf(nest) || !isPlainObject(nest)) return { leaves: [nest as T], layout: null };
  const names = Object.keys(nest);
  return { leaves: names.map((n) => (nest as { [name: string]: T })[n]!), layout: names };
}

/** Written as `{...}` or made by JSON.parse: no class of its own. */
export function isPlainObject(x: unknown): x is { readonly [name: string]: unknown } {
  if (typeof x !== "object" || x === null) return false;
  const prototype = Object.getPrototypeOf(x);
  return prototype === Object.prototype || prototype === null;
}

/** Puts leaves into a layout: the inverse of `flatten`. */
export function pack<T>(leaves: readonly T[], layout: Layout): Nest<T> {
  if (layout === null) return leaves[0]!;
  if (typeof layout === "number") return leaves;
  return Object.fromEntries(layout.map((name, i) => [name, leaves[i]!]));
}
