// The numbers of a Fourier transform by products: windows, and cosines and sines over a frame.

export type WindowName = "hann" | "hamming";
export const WINDOWS = ["hann", "hamming"] as const;

export type WindowScaling = "density" | "spectrum";
export const WINDOW_SCALINGS = ["density", "spectrum"] as const;

/**
 * The weights of a frame, float64 [length].
 * @param name null: ones
 * @param periodic one period of it, for frames that follow one another; else symmetric
 */
export function windowOf(name: WindowName | null, length: number, periodic: boolean): Float64Array {
  const [a, b] = name === "hamming" ? [0.54, 0.46] : name === "hann" ? [0.5, 0.5] : [1, 0];
  const period = periodic ? length : length - 1;
  return Float64Array.from({ length }, (_, i) =>
    length === 1 ? 1 : a - b * Math.cos((2 * Math.PI * i) / period),
  );
}

/** A window divided by the root of its energy ("density"), or by its sum ("spectrum"). */
export function scaledWindow(window: Float64Array, scaling: WindowScaling | null): Float64Array {
  if (scaling === null) return window;
  const sum = (of: (w: number) => number) => window.reduce((s, w) => s + of(w), 0);
  const size = scaling === "density" ? Math.sqrt(sum((w) => w * w)) : sum(Math.abs);
  return window.map((w) => w / size);
}

/**
 * Cosines ("real") or negative sines ("imag") of all frequencies up to the highest one, times a window: [length,
 * fftLength / 2 + 1], row by row.
 * @param offset where in the transform the frame begins
 */
export function waves(
  side: "real" | "imag",
  window: Float64Array,
  fftLength: number,
  offset = 0,
): Float32Array {
  const bins = Math.floor(fftLength / 2) + 1;
  const out = new Float32Array(window.length * bins);
  const wave = side === "real" ? Math.cos : (x: number) => -Math.sin(x);
  window.forEach((weight, t) => {
    for (let k = 0; k < bins; k++) {
      // The angle by whole numbers first: exact however long the frame is.
      const turn = ((t + offset) * k) % fftLength;
      out[t * bins + k] = weight * wave((2 * Math.PI * turn) / fftLength);
    }
  });
  return out;
}
