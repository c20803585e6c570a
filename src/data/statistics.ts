// What numbers have in the middle.

/** Of numbers in ascending order; of two in the middle their mean, NaN of none. */
export function median(sorted: Float64Array): number {
  const half = sorted.length / 2;
  return (sorted[Math.floor(half - 0.5)]! + sorted[Math.floor(half)]!) / 2;
}
