// callbacks.history: a History of one's own.

import { History } from "../history.ts";

/** A History of its own, for when the one that `fit` returns is not at hand. */
export function history(): History {
  return new History();
}
