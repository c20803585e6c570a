// Plain evaluation of convolutions: blocks of output pixels as a matrix of the patches they see, times the kernel as a
// matrix, both on the reference engine's product. Sums are in double precision.

import type { HostArray } from "../core/dtype.ts";
import type { ConvShape } from "./conv-shape.ts";
import { gemm } from "./gemm.ts";

/** Numbers in a block of patches: 1 MiB as doubles. */
const BLOCK = 1 << 17;

/** y [pixels, cout] = patches of x [pixels, taps * cin] times kernel [taps * cin, cout], group by group. */
export function evaluateConv(s: ConvShape, x: HostArray, kernel: HostArray, y: HostArray): void {
  const { depth, columns } = groupSizes(s);
  forEachBlock(s, (group, first, pixels, patches) => {
    copyPatches(s, x, group, first, pixels, patches);
    const weights = groupKernel(s, kernel, group);
    if (s.groups === 1) {
      const out = y.subarray(first * columns, (first + pixels) * columns);
      gemm(patches, weights, out, pixels, columns, depth, false, false);
      return;
    }
    const out = new Float64Array(pixels * columns);
    gemm(patches, weights, out, pixels, columns, depth, false, false);
    moveGroup(s, out, y, group, first, pixels, "scatter");
  });
}

/** dx: every patch gets dy [pixels, cout] times the kernel turned round. */
export function evaluateConvInputGrad(s: ConvShape, dy: HostArray, kernel: HostArray, dx: HostArray): void {
  const { depth, columns } = groupSizes(s);
  const sums = new Float64Array(dx.length);
  forEachBlock(s, (group, first, pixels, patches) => {
    const grad = groupPixels(s, dy, group, first, pixels);
    gemm(grad, groupKernel(s, kernel, group), patches, pixels, depth, columns, false, true);
    addPatches(s, sums, group, first, pixels, patches);
  });
  dx.set(sums);
}

/** dkernel [taps * cin, cout] = patches of x turned round times dy [pixels, cout]. */
export function evaluateConvKernelGrad(s: ConvShape, x: HostArray, dy: HostArray, dkernel: HostArray): void {
  const { depth, columns } = groupSizes(s);
  const part = new Float64Array(depth * columns);
  const sums = new Float64Array(dkernel.length);
  forEachBlock(s, (group, first, pixels, patches) => {
    copyPatches(s, x, group, first, pixels, patches);
    gemm(patches, groupPixels(s, dy, group, first, pixels), part, depth, columns, pixels, true, false);
    for (let p = 0, from = 0; p < depth; p++) {
      let to = p * s.cout + group * columns;
      for (let j = 0; j < columns; j++) sums[to++]! += part[from++]!;
    }
  });
  dkernel.set(sums);
}

/** Rows and columns of one group's kernel as a matrix. */
function groupSizes(s: ConvShape): { depth: number; columns: number } {
  const taps = s.kernel[0]! * s.kernel[1]! * s.kernel[2]!;
  return { depth: (taps * s.cin) / s.groups, columns: s.cout / s.groups };
}

/** Calls `fn` for blocks of output pixels, counted over batch and space, with room for their patches. */
function forEachBlock(
  s: ConvShape,
  fn: (group: number, first: number, pixels: number, patches: Float64Array) => void,
): void {
  const { depth } = groupSizes(s);
  const all = s.batch * s.out[0]! * s.out[1]! * s.out[2]!;
  const most = Math.max(1, Math.min(all, Math.floor(BLOCK / Math.max(1, depth))));
  const patches = new Float64Array(most * depth);
  for (let group = 0; group < s.groups; group++) {
    for (let first = 0; first < all; first += most) {
      const pixels = Math.min(most, all - first);
      fn(group, first, pixels, patches.subarray(0, pixels * depth));
    }
  }
}

/** A group's kernel [taps * cin, cout] of its own. */
function groupKernel(s: ConvShape, kernel: HostArray, group: number): HostArray {
  if (s.groups === 1) return kernel;
  const { depth, columns } = groupSizes(s);
  const out = new Float64Array(depth * columns);
  for (let p = 0; p < depth; p++) {
    const from = p * s.cout + group * columns;
    out.set(kernel.subarray(from, from + columns), p * columns);
  }
  return out;
}

/** A group's channels of some output pixels. */
function groupPixels(s: ConvShape, y: HostArray, group: number, first: number, pixels: number): HostArray {
  if (s.groups === 1) return y.subarray(first * s.cout, (first + pixels) * s.cout);
  const out = new Float64Array((pixels * s.cout) / s.groups);
  moveGroup(s, out, y, group, first, pixels, "gather");
  return out;
}

function moveGroup(
  s: ConvShape,
  part: Float64Array,
  y: HostArray,
  group: number,
  first: number,
  pixels: number,
  way: "gather" | "scatter",
): void {
  const columns = s.cout / s.groups;
  for (let i = 0, at = 0; i < pixels; i++) {
    let from = (first + i) * s.cout + group * columns;
    for (let j = 0; j < columns; j++, at++, from++) {
      if (way === "gather") part[at] = y[from]!;
      else y[from] = part[at]!;
    }
  }
}

/** patches [pixels, taps * cin] of one group, zeros outside of the image. */
function copyPatches(
  s: ConvShape,
  x: HostArray,
  group: number,
  first: number,
  pixels: number,
  patches: Float64Array,
): void {
  const channels = s.cin / s.groups;
  let at = 0;
  forEachTap(s, first, pixels, (pixel) => {
    if (pixel < 0) {
      for (let c = 0; c < channels; c++) patches[at++] = 0;
      return;
    }
    let from = pixel * s.cin + group * channels;
    for (let c = 0; c < channels; c++) patches[at++] = x[from++]!;
  });
}

/** The other way: adds each patch to the image where it came from. */
function addPatches(
  s: ConvShape,
  x: Float64Array,
  group: number,
  first: number,
  pixels: number,
  patches: Float64Array,
): void {
  const channels = s.cin / s.groups;
  let at = 0;
  forEachTap(s, first, pixels, (pixel) => {
    if (pixel < 0) {
      at += channels;
      return;
    }
    let to = pixel * s.cin + group * channels;
    for (let c = 0; c < channels; c++) x[to++]! += patches[at++]!;
  });
}

/** For each output pixel, tap after tap: the pixel of the image it sees, -1 outside. */
function forEachTap(s: ConvShape, first: number, pixels: number, fn: (pixel: number) => void): void {
  const [id, ih, iw] = s.in as [number, number, number];
  const [od, oh, ow] = s.out as [number, number, number];
  const [kd, kh, kw] = s.kernel as [number, number, number];
  const [sd, sh, sw] = s.strides as [number, number, number];
  const [dd, dh, dw] = s.dilations as [number, number, number];
  const [bd, bh, bw] = s.before as [number, number, number];
  for (let i = first; i < first + pixels; i++) {
    const w0 = (i % ow) * sw - bw;
    const row = Math.floor(i / ow);
    const h0 = (row % oh) * sh - bh;
    const plane = Math.floor(row / oh);
    const d0 = (plane % od) * sd - bd;
    const image = Math.floor(plane / od);
    for (let a = 0, d = d0; a < kd; a++, d += dd) {
      for (let b = 0, h = h0; b < kh; b++, h += dh) {
        const inside = d >= 0 && d < id && h >= 0 && h < ih;
        const line = ((image * id + d) * ih + h) * iw;
        for (let c = 0, w = w0; c < kw; c++, w += dw) fn(inside && w >= 0 && w < iw ? line + w : -1);
      }
    }
  }
}
