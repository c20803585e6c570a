// The passes in their order. Each is a pure function Graph -> Graph and can be switched off; what they make is the same
// function, bit for bit. Only expand always runs: engines have no kernels for most composites. Where some inputs are
// steady their products are simplified too (absorb, which does change last bits), and the graph comes apart in two (hoist).

import { check } from "../graph/check.ts";
import type { Graph, Value } from "../graph/graph.ts";
import { schedule } from "../program/schedule.ts";
import { absorb } from "./absorb.ts";
import { dedupe } from "./dedupe.ts";
import { expand } from "./expand.ts";
import { fold } from "./fold.ts";
import { fuse } from "./fuse.ts";
import { type Hoisted, hoist, steadyValues } from "./hoist.ts";
import { pair } from "./pair.ts";
import { prune } from "./prune.ts";

/** Which passes run; all by default. `inPlace` is lowering's: steps write over inputs they are the last to read. */
export interface PassOptions {
  fold?: boolean;
  dedupe?: boolean;
  pair?: boolean;
  prune?: boolean;
  absorb?: boolean;
  hoist?: boolean;
  fuse?: boolean;
  inPlace?: boolean;
}

export { absorb, dedupe, expand, fold, fuse, type Hoisted, hoist, pair, prune };

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
  const simple = simplify(graph, composites, options, checked);
  return arrange(simple, options, checked);
}

/**
 * The same for a graph some of whose inputs seldom change.
 * @param steady these inputs
 */
export function optimizeSteady(
  graph: Graph,
  steady: ReadonlySet<Value>,
  composites: ReadonlySet<string>,
  options: PassOptions = {},
  checked = false,
): Hoisted {
  let simple = simplify(graph, composites, options, checked);
  if (options.absorb !== false && steady.size > 0) {
    simple = prune(absorb(simple, steadyValues(simple, steady)));
    if (checked) check(simple, "absorb");
  }
  if (options.hoist === false || steady.size === 0) {
    return { graph: arrange(simple, options, checked), preparation: undefined };
  }
  const parts = hoist(simple, steady);
  if (checked) check(parts.graph, "hoist");
  return {
    graph: arrange(parts.graph, options, checked),
    preparation: parts.preparation && arrange(parts.preparation, options, checked),
  };
}

function simplify(
  graph: Graph,
  composites: ReadonlySet<string>,
  options: PassOptions,
  checked: boolean,
): Graph {
  if (checked) check(graph);
  const run = runner(graph, checked);
  run("expand", (g) => expand(g, composites));
  run("fold", fold, options.fold);
  run("dedupe", dedupe, options.dedupe);
  run("pair", (g) => pair(g, composites), options.pair);
  return run("prune", prune, options.prune);
}

function arrange(graph: Graph, options: PassOptions, checked: boolean): Graph {
  const run = runner(graph, checked);
  // Ordered before fusing too, so that instructions inside a fused step may write states in place as well.
  run("schedule", schedule);
  run("fuse", fuse, options.fuse);
  return run("schedule", schedule);
}

/** Applies one pass after another to a graph; each call gives what has become of it. */
function runner(graph: Graph, checked: boolean) {
  return (name: string, pass: (graph: Graph) => Graph, enabled = true): Graph => {
    if (!enabled) return graph;
    graph = pass(graph);
    if (checked) check(graph, name);
    return graph;
  };
}
