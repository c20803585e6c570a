// What layers take and give: one thing, a list of things or a record of things. Everything else works on the flat list.

/** One `T`, several in a list, or several by name. */
export type Nest<T> = T | readonly T[] | { readonly [name: string]: T };

/** How a Nest is laid out, without its contents. */
export type Layout = null | number | readonly string[];

/** The leaves in order (records by their own key order) and the layout to put others back with `pack`. */
export function flatten<T>(nest: Nest<T>, isLeaf: (x: unknown) => boolean): { leaves: T[]; layout: Layout } {
  if (isLeaf(nest) || typeof nest !== "object" || nest === null) return { leaves: [nest as T], layout: null };
  if (Array.isArray(nest)) return { leaves: [...nest], layout: nest.length };
  const names = Object.keys(nest);
  return { leaves: names.map((n) => (nest as { [name: string]: T })[n]!), layout: names };
}

/** Puts leaves into a layout: the inverse of `flatten`. */
export function pack<T>(leaves: readonly T[], layout: Layout): Nest<T> {
  if (layout === null) return leaves[0]!;
  if (typeof layout === "number") return leaves;
  return Object.fromEntries(layout.map((name, i) => [name, leaves[i]!]));
}
