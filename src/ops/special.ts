// Special functions that Math lacks, in double precision.

// W. J. Cody, "Rational Chebyshev approximations for the error function", Math. Comp. 23 (1969), 631-637:
// minimax quotients on [0, 0.46875], [0.46875, 4] and [4, inf), coefficients from the highest power down.
const ERF_P = [
  0.18577770618460315, 3.1611237438705655, 113.86415415105016, 377.485237685302, 3209.3775891384694,
];
const ERF_Q = [1, 23.601290952344122, 244.02463793444417, 1282.6165260773723, 2844.236833439171];
const ERFC_P = [
  2.1531153547440383e-8, 0.5641884969886701, 8.883149794388377, 66.11919063714163, 298.6351381974001,
  881.952221241769, 1712.0476126340707, 2051.0783778260716, 1230.3393547979972,
];
const ERFC_Q = [
  1, 15.744926110709835, 117.6939508913125, 537.1811018620099, 1621.3895745666903, 3290.7992357334597,
  4362.619090143247, 3439.3676741437216, 1230.3393548037495,
];
const TAIL_P = [
  0.016315387137302097, 0.30532663496123236, 0.36034489994980445, 0.12578172611122926, 0.016083785148742275,
  0.0006587491615298378,
];
const TAIL_Q = [
  1, 2.568520192289822, 1.8729528499234604, 0.5279051029514285, 0.06051834131244132, 0.0023352049762686918,
];

function polynomial(x: number, coefficients: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i < coefficients.length; i++) sum = sum * x + coefficients[i]!;
  return sum;
}

/** The error function 2/sqrt(pi) * integral of exp(-t^2) from 0 to x; NaN stays NaN. */
export function erf(x: number): number {
  const a = Math.abs(x);
  if (a <= 0.46875) return (x * polynomial(x * x, ERF_P)) / polynomial(x * x, ERF_Q);
  if (a > 6) return x > 0 ? 1 : -1; // 1 - erf(6) is below 2e-17
  const complement = Math.exp(-x * x) * (a <= 4 ? polynomial(a, ERFC_P) / polynomial(a, ERFC_Q) : tail(a));
  return x > 0 ? 1 - complement : complement - 1;
}

/** exp(x^2) * erfc(x) for x above 4. */
function tail(x: number): number {
  const z = 1 / (x * x);
  return (1 / Math.sqrt(Math.PI) - (z * polynomial(z, TAIL_P)) / polynomial(z, TAIL_Q)) / x;
}

/** Rounds to the nearest whole number, halves to the even one. */
export function roundHalfEven(x: number): number {
  const r = Math.round(x); // halves go up
  return Math.abs(x - Math.trunc(x)) === 0.5 && r % 2 !== 0 ? r - 1 : r;
}

/** Remainder with the divisor's sign, exact (NumPy's mod). */
export function mod(x: number, y: number): number {
  const r = x % y;
  if (r === 0) return y < 0 ? -0 : 0;
  return r < 0 !== y < 0 ? r + y : r;
}

/** Whole-number division toward minus infinity and its remainder; a zero divisor gives 0. */
export function floorDivideInt(x: number, y: number): number {
  return y === 0 ? 0 : Math.floor(x / y);
}

export function modInt(x: number, y: number): number {
  if (y === 0) return 0;
  const r = x % y;
  return r !== 0 && r < 0 !== y < 0 ? r + y : r;
}
