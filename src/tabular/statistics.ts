// What is asked of numbers before they are scaled.

/** Of either sign, and 0 at 0. */
export const logarithm = (x: number): number => Math.sign(x) * Math.log1p(Math.abs(x));

/** Third standardised moment; 0 where nothing varies. */
export function skewness(values: Float64Array): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  let [squares, cubes] = [0, 0];
  for (const v of values) {
    squares += (v - mean) ** 2;
    cubes += (v - mean) ** 3;
  }
  const variance = squares / values.length;
  return variance === 0 ? 0 : cubes / values.length / variance ** 1.5;
}
