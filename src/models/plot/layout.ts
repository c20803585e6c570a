// A layered drawing of a directed graph without cycles: every node a rank below what it comes from, ranks ordered by where
// their neighbours stand (barycenters), places chosen so that chains are straight and long edges run beside them. Sugiyama,
// Tagawa and Toda, "Methods for Visual Understanding of Hierarchical System Structures", 1981. Ranks go downwards.

export interface Box {
  readonly width: number;
  readonly height: number;
}

export interface Edge {
  /** Indices of boxes. */
  readonly from: number;
  readonly to: number;
}

export interface Placed {
  /** Left and top of each box. */
  readonly boxes: readonly { readonly x: number; readonly y: number }[];
  /** Points of each edge, from the lower side of one box to the upper side of the other. */
  readonly paths: readonly (readonly Point[])[];
  readonly width: number;
  readonly height: number;
}

export type Point = readonly [x: number, y: number];

export interface LayoutOptions {
  /** Between ranks. */
  readonly rankGap: number;
  /** Between boxes of a rank. */
  readonly boxGap: number;
}

/** A box, or a place where a long edge passes a rank. */
interface Item {
  readonly box: number;
  readonly width: number;
  readonly up: Item[];
  readonly down: Item[];
  /** Of the middle. */
  x: number;
}

const SWEEPS = 8;
/** Width left for an edge that passes. */
const LANE = 18;
/** How much a box resists being moved, against a passing edge. */
const WEIGHT = 100;

export function layout(boxes: readonly Box[], edges: readonly Edge[], options: LayoutOptions): Placed {
  const rankOf = longestPaths(boxes.length, edges);
  const ranks: Item[][] = [];
  const items = boxes.map((box, i): Item => {
    const item: Item = { box: i, width: box.width, up: [], down: [], x: 0 };
    ranks[rankOf[i]!] = [...(ranks[rankOf[i]!] ?? []), item];
    return item;
  });
  const chains = edges.map(({ from, to }) => {
    const chain = [items[from]!];
    for (let rank = rankOf[from]! + 1; rank < rankOf[to]!; rank++) {
      const lane: Item = { box: -1, width: LANE, up: [], down: [], x: 0 };
      ranks[rank]!.push(lane);
      chain.push(lane);
    }
    chain.push(items[to]!);
    for (let i = 1; i < chain.length; i++) {
      chain[i - 1]!.down.push(chain[i]!);
      chain[i]!.up.push(chain[i - 1]!);
    }
    return chain;
  });
  order(ranks);
  place(ranks, options.boxGap);
  straighten(ranks, chains, options.boxGap);
  const left = Math.min(...ranks.flat().map((item) => item.x - item.width / 2), 0);
  for (const item of ranks.flat()) item.x -= left;
  const heights = ranks.map((rank) => Math.max(...rank.map((i) => (i.box < 0 ? 0 : boxes[i.box]!.height))));
  const tops: number[] = [];
  let top = 0;
  for (const height of heights) {
    tops.push(top);
    top += height + options.rankGap;
  }
  const middle = (rank: number) => tops[rank]! + heights[rank]! / 2;
  const placed = items.map((item, i) => ({
    x: item.x - item.width / 2,
    y: middle(rankOf[i]!) - boxes[i]!.height / 2,
  }));
  const paths = chains.map((chain, e) => {
    const { from, to } = edges[e]!;
    const points: Point[] = [];
    chain.forEach((item, i) => {
      const rank = rankOf[from]! + i;
      if (i === 0) points.push([toward(item, chain[1]!), placed[from]!.y + boxes[from]!.height]);
      else if (i === chain.length - 1) points.push([toward(item, chain[i - 1]!), placed[to]!.y]);
      else points.push([item.x, tops[rank]!], [item.x, tops[rank]! + heights[rank]!]);
    });
    return points;
  });
  const width = Math.max(...ranks.flat().map((item) => item.x + item.width / 2));
  return { boxes: placed, paths, width, height: tops.at(-1)! + heights.at(-1)! };
}

/** How many edges lie at most between a box and a start of the graph. */
function longestPaths(count: number, edges: readonly Edge[]): number[] {
  const rank = new Array<number>(count).fill(0);
  const waiting = new Array<number>(count).fill(0);
  const next: number[][] = Array.from({ length: count }, () => []);
  for (const { from, to } of edges) {
    waiting[to]!++;
    next[from]!.push(to);
  }
  const ready = waiting.flatMap((n, i) => (n === 0 ? [i] : []));
  for (let i = ready.pop(); i !== undefined; i = ready.pop()) {
    for (const to of next[i]!) {
      rank[to] = Math.max(rank[to]!, rank[i]! + 1);
      if (--waiting[to]! === 0) ready.push(to);
    }
  }
  // What only starts stands just above what it leads to: a second input beside its use.
  const isStart = new Set(rank.keys());
  for (const { to } of edges) isStart.delete(to);
  for (const i of isStart) {
    if (next[i]!.length > 0) rank[i] = Math.min(...next[i]!.map((to) => rank[to]!)) - 1;
  }
  return rank;
}

/** Orders each rank by the mean place of its neighbours, downwards and upwards in turn; boxes before lanes on a tie. */
function order(ranks: Item[][]): void {
  const at = new Map<Item, number>();
  const number = (rank: Item[]) => {
    rank.forEach((item, i) => {
      at.set(item, i - (rank.length - 1) / 2);
    });
  };
  for (const rank of ranks) number(rank);
  for (let sweep = 0; sweep < SWEEPS; sweep++) {
    const isDown = sweep % 2 === 0;
    for (const rank of isDown ? ranks : [...ranks].reverse()) {
      const center = new Map(
        rank.map((item) => [
          item,
          mean((isDown ? item.up : item.down).map((n) => at.get(n)!)) ?? at.get(item)!,
        ]),
      );
      rank.sort((a, b) => center.get(a)! - center.get(b)! || Number(a.box < 0) - Number(b.box < 0));
      number(rank);
    }
  }
}

/** Gives items their x: near their neighbours, as far apart as they are wide. */
function place(ranks: Item[][], gap: number): void {
  for (const rank of ranks) {
    spread(
      rank,
      rank.map(() => 0),
      gap,
    );
  }
  for (let sweep = 0; sweep < 2 * SWEEPS; sweep++) {
    const isDown = sweep % 2 === 0;
    for (const rank of isDown ? ranks : [...ranks].reverse()) {
      const wanted = rank.map((item) => wish(item, isDown ? item.up : item.down) ?? item.x);
      spread(rank, wanted, gap);
    }
  }
}

/** Lets each long edge pass all ranks at one place, the outermost it needs anywhere. */
function straighten(ranks: readonly Item[][], chains: readonly Item[][], gap: number): void {
  const wanted = new Map<Item, number>();
  for (let sweep = 0; sweep < SWEEPS / 2; sweep++) {
    for (const [from, ...lanes] of chains) {
      const to = lanes.pop()!;
      if (lanes.length === 0) continue;
      const places = lanes.map((lane) => lane.x);
      const isRight = mean(places)! >= (from!.x + to.x) / 2;
      const place = isRight ? Math.max(...places) : Math.min(...places);
      for (const lane of lanes) wanted.set(lane, place);
    }
    for (const rank of ranks) {
      spread(
        rank,
        rank.map((item) => wanted.get(item) ?? item.x),
        gap,
      );
    }
  }
}

/** Where an item wants to be: under the boxes it comes from; lanes under the lanes, so that long edges are straight. */
function wish(item: Item, neighbours: readonly Item[]): number | undefined {
  const alike = neighbours.filter((n) => n.box < 0 === item.box < 0);
  return mean((alike.length > 0 ? alike : neighbours).map((n) => n.x));
}

/** The places nearest to the wanted ones (least squares, boxes weighing more than lanes) that keep order and distance. */
function spread(rank: readonly Item[], wanted: readonly number[], gap: number): void {
  // With distances taken out the places must only not decrease: neighbours that would are pooled at their mean.
  const offsets: number[] = [];
  rank.forEach((item, i) => {
    const before = rank[i - 1];
    offsets.push(before ? offsets[i - 1]! + (before.width + item.width) / 2 + gap : 0);
  });
  const pools: { sum: number; weight: number; count: number }[] = [];
  rank.forEach((item, i) => {
    const weight = item.box < 0 ? 1 : WEIGHT;
    let pool = { sum: (wanted[i]! - offsets[i]!) * weight, weight, count: 1 };
    for (
      let last = pools.at(-1);
      last && last.sum / last.weight > pool.sum / pool.weight;
      last = pools.at(-1)
    ) {
      pools.pop();
      pool = { sum: last.sum + pool.sum, weight: last.weight + pool.weight, count: last.count + pool.count };
    }
    pools.push(pool);
  });
  let i = 0;
  for (const { sum, weight, count } of pools) {
    for (let n = 0; n < count; n++, i++) rank[i]!.x = sum / weight + offsets[i]!;
  }
}

/** Where on a box's side an edge leaves towards another item: straight, if the side reaches that far. */
function toward(item: Item, other: Item): number {
  const reach = Math.max(0, item.width / 2 - 16);
  return Math.min(item.x + reach, Math.max(item.x - reach, other.x));
}

function mean(xs: readonly number[]): number | undefined {
  return xs.length === 0 ? undefined : xs.reduce((a, b) => a + b, 0) / xs.length;
}
