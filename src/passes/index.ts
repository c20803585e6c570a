// The passes in their order. Each is a pure function Graph -> Graph and can be switched off; what they make is the same
// function, bit for bit. Only expand always runs: engines have no kernels for most composites.

import { check } from "../graph/check.ts";
import type { Graph } from "../graph/graph.ts";
import { schedule } from "../program/schedule.ts";
import { dedupe } from "./dedupe.ts";
import { expand } from "./expand.ts";
import { fold } from "./fold.ts";
import { fuse } from "./fuse.ts";
import { prune } from "./prune.ts";

/** Which passes run; all by default. `inPlace` is lowering's: steps write over inputs they are the last to read. */
export interface PassOptions {
  fold?: boolean;
  dedupe?: boolean;
  prune?: boolean;
  fuse?: boolean;
  inPlace?: boolean;
}

export { dedupe, expand, fold, fuse, prune };

/**
 * @param composites names the engine runs whole
 * @param checked verify the graph after every pass, naming the pass that broke it
 */
export function optimize(
  graph: Graph,
  composites: ReadonlySet<string>,
  options: PassOptions = {},
  checked = false,
): Graph {
  const run = (name: string, pass: (graph: Graph) => Graph, enabled = true): void => {
    if (!enabled) return;
    graph = pass(graph);
    if (checked) check(graph, name);
  };
  if (checked) check(graph);
  run("expand", (g) => expand(g, composites));
  run("fold", fold, options.fold);
  run("dedupe", dedupe, options.dedupe);
  run("prune", prune, options.prune);
  // Ordered before fusing too, so that instructions inside a fused step may write states in place as well.
  run("schedule", schedule);
  run("fuse", fuse, options.fuse);
  run("schedule", schedule);
  return graph;
}
