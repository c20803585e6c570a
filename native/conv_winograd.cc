// Convolutions of 3 x 3 kernels with stride 1 by Winograd's transforms, where they are cheaper than
// the direct sums. The estimates below are cycles of one core; they matter as a ratio only. On Zen
// 5 the shapes that they choose gain 1.5 to 3.1 times over conv_direct.cc forward, 1.5 to 3 times
// in the gradients (conv_bench with and without --direct); the least where image and output come
// from memory, the most with 64 and 128 channels.
#include "conv_paths.h"
#include "winograd.h"

namespace myelin {
namespace {

// Measured on Zen 5 at 8 and 16 lanes, per tile of 4 x 4 outputs and channel: reading and
// transforming the image, transforming and writing the output, both from and to L3.
constexpr double kInputCycles = 14, kOutputCycles = 12;
// Of the transformed kernel, per weight and lane; of a product, per row and vector beside its
// multiply-adds; of adding to the kernel gradient's sums.
constexpr double kKernelCycles = 150, kRowCycles = 2, kSumCycles = 2;
// Of turning a kernel round, per weight and tap: from L2, and from memory, where both sides fall on
// few sets of the caches.
constexpr double kTurnCycles = 0.4, kFarTurnCycles = 3, kNearWeights = 128 << 10;
// Of reading a float of a kernel from memory, where it comes from in each run of a network whose
// weights fill L3; kernels of at most so many floats (1 MiB) are taken to be nearer.
constexpr double kFarReadCycles = 1.5, kNearFloats = 256 << 10;
// Share of the multiply-add peak in long loops: the direct paths, and Winograd's products.
constexpr double kDirectShare = 0.88, kProductShare = 0.9;
// Transformed kernels beyond this (16 MiB) come from memory again and again.
constexpr double kMostKernelFloats = 4 << 20;
// Sums of a kernel's gradient beyond this (4 MiB, in several parts) cost more than they save: 58 %
// of the direct sums' speed with 256 channels on both sides.
constexpr double kMostSumFloats = 1 << 20;

double ceil_div(double a, double b) {
  return static_cast<double>(static_cast<int64_t>((a + b - 1) / b));
}

struct Sizes {
  double pixels, tiles, in, out;  // outputs and tiles of all images, channels
};

Sizes sizes_of(const Winograd& w, int tile) {
  const auto f = [](int64_t x) { return static_cast<double>(x); };
  return {f(w.batch) * f(w.out_height) * f(w.out_width),
          f(w.batch) * ceil_div(f(w.out_height), tile) * ceil_div(f(w.out_width), tile), f(w.in),
          f(w.out)};
}

double direct_cycles(const KernelTable& kernels, const Winograd& w) {
  const Sizes s = sizes_of(w, 1);
  return s.pixels * 9 * s.in * ceil_div(s.out, kernels.lanes) / 2 / kDirectShare;
}

// Of reading a kernel, given as it is used.
double read_cycles(double floats) { return floats > kNearFloats ? floats * kFarReadCycles : 0; }

// Of the forward direction with tiles of this size, beside making the transformed kernel.
double winograd_cycles(const KernelTable& kernels, const Winograd& w, int tile) {
  const Sizes s = sizes_of(w, tile);
  const double planes = (tile + 2) * (tile + 2), share = planes / 36;
  const double in = ceil_div(s.in, 16) * 16, out = ceil_div(s.out, 16) * 16;
  const double vectors = ceil_div(s.out, kernels.lanes);
  const double products = planes * vectors * (s.in / 2 / kProductShare + kRowCycles);
  return s.tiles * (share * (in * kInputCycles + out * kOutputCycles) + products) +
         read_cycles(planes * s.in * s.out);
}

// Of making it; `turned`: the kernel has to be turned round first.
double transform_cycles(const KernelTable& kernels, const Winograd& w, int tile, bool turned) {
  const auto in = static_cast<double>(w.in), out = static_cast<double>(w.out);
  const double share = (tile + 2) * (tile + 2) / 36.0;
  const double turn = in * out > kNearWeights ? kFarTurnCycles : kTurnCycles;
  return in * ceil_div(out, kernels.lanes) * share * kKernelCycles +
         (turned ? 9 * in * out * turn : 0);
}

double winograd_kernel_grad_cycles(const KernelTable& kernels, const Winograd& w) {
  const Sizes s = sizes_of(w, 4);
  const double in = ceil_div(s.in, 16) * 16, out = ceil_div(s.out, 16) * 16;
  const double sums = 36 * s.in * ceil_div(s.out, kernels.lanes);
  // Blocks of about so many tiles, and parts added up at the end.
  const double block = std::max(1.0, 2800 / (in + out)), parts = std::min(16.0, s.tiles / block);
  return s.tiles * (in * kInputCycles + out * kInputCycles + sums / 2 / kProductShare) +
         (s.tiles / block + parts) * sums * kSumCycles;
}

bool is_winograd(const ConvShape& s) {
  return s.in[0] == 1 && s.out[0] == 1 && s.kernel[0] == 1 && s.pad_before[0] == 0 &&
         s.kernel[1] == 3 && s.kernel[2] == 3 && s.stride[1] == 1 && s.stride[2] == 1 &&
         s.dilation[1] == 1 && s.dilation[2] == 1 && s.groups == 1 && s.batch > 0 && s.cin > 0 &&
         s.cout > 0 && s.in_pixels() > 0;
}

Winograd forward_of(const ConvShape& s) {
  Winograd w;
  w.batch = s.batch;
  w.height = s.in[1];
  w.width = s.in[2];
  w.in = s.cin;
  w.out_height = s.out[1];
  w.out_width = s.out[2];
  w.out = s.cout;
  w.top = s.pad_before[1];
  w.left = s.pad_before[2];
  return w;
}

// The input's gradient is the convolution of the output's with the kernel turned round.
Winograd input_grad_of(const ConvShape& s) {
  const Winograd f = forward_of(s);
  Winograd w = f;
  w.height = f.out_height;
  w.width = f.out_width;
  w.in = f.out;
  w.out_height = f.height;
  w.out_width = f.width;
  w.out = f.in;
  w.top = 2 - f.top;
  w.left = 2 - f.left;
  return w;
}

// Sets the tile; false where neither pays. A steady kernel has been transformed before, and its
// tiles of 4 are four times as much to read as the kernel itself.
bool choose_tile(const KernelTable& kernels, Winograd& w, bool turned, bool steady) {
  const double weights = static_cast<double>(w.in) * static_cast<double>(w.out);
  double best = direct_cycles(kernels, w) + read_cycles(9 * weights);
  bool pays = false;
  for (const int tile : {2, 4}) {
    if (weights * (tile + 2) * (tile + 2) > kMostKernelFloats) continue;
    const double cycles = winograd_cycles(kernels, w, tile) +
                          (steady ? 0 : transform_cycles(kernels, w, tile, turned));
    if (cycles >= best) continue;
    w.tile = tile;
    best = cycles;
    pays = true;
  }
  return pays;
}

template <Winograd (*kOf)(const ConvShape&)>
bool takes(const KernelTable& kernels, const ConvShape& s) {
  if (!is_winograd(s)) return false;
  Winograd w = kOf(s);
  return choose_tile(kernels, w, kOf == input_grad_of, s.steady);
}

// The transformed kernel, then either the kernel turned round or the workspace of the tiles.
template <Winograd (*kOf)(const ConvShape&), bool kTransposed>
int64_t scratch_floats(const KernelTable& kernels, const ConvShape& s, int threads) {
  Winograd w = kOf(s);
  choose_tile(kernels, w, kTransposed, s.steady);
  const auto work =
      static_cast<int64_t>(winograd_workspace_bytes(kernels, w, threads) / sizeof(float));
  return static_cast<int64_t>(winograd_kernel_floats(kernels, w)) +
         std::max(work, kTransposed ? 9 * w.in * w.out : 0);
}

template <Winograd (*kOf)(const ConvShape&), bool kTransposed>
void run(const ConvRun& r, const float* a, const float* b, float* c) {
  Winograd w = kOf(r.s);
  choose_tile(r.kernels, w, kTransposed, r.s.steady);
  float* const rest = r.scratch + winograd_kernel_floats(r.kernels, w);
  if (r.prepared == nullptr) {
    winograd_pack_kernel(r.kernels, r.pool, w, b, kTransposed, rest, r.scratch);
  }
  const float* const kernel = r.prepared != nullptr ? r.prepared : r.scratch;
  winograd(r.kernels, r.pool, w, a, kernel, c, rest, r.epilogue);
}

template <Winograd (*kOf)(const ConvShape&)>
int64_t prepared_floats(const KernelTable& kernels, const ConvShape& s) {
  Winograd w = kOf(s);
  choose_tile(kernels, w, kOf == input_grad_of, s.steady);
  return static_cast<int64_t>(winograd_kernel_floats(kernels, w));
}

template <Winograd (*kOf)(const ConvShape&), bool kTransposed>
void prepare(const ConvRun& r, const float* kernel, float* prepared) {
  Winograd w = kOf(r.s);
  choose_tile(r.kernels, w, kTransposed, r.s.steady);
  winograd_pack_kernel(r.kernels, r.pool, w, kernel, kTransposed, r.scratch, prepared);
}

bool takes_kernel_grad(const KernelTable& kernels, const ConvShape& s) {
  if (!is_winograd(s)) return false;
  const Winograd w = forward_of(s);
  const double weights = static_cast<double>(w.in) * static_cast<double>(w.out);
  return weights * 36 <= kMostSumFloats &&
         winograd_kernel_grad_cycles(kernels, w) < direct_cycles(kernels, w);
}

int64_t kernel_grad_scratch_floats(const KernelTable& kernels, const ConvShape& s, int threads) {
  const size_t bytes = winograd_kernel_grad_workspace_bytes(kernels, forward_of(s), threads);
  return static_cast<int64_t>(bytes / sizeof(float));
}

void run_kernel_grad(const ConvRun& r, const float* x, const float* dy, float* dw) {
  winograd_kernel_grad(r.kernels, r.pool, forward_of(r.s), x, dy, dw, r.scratch);
}

}  // namespace

const ConvPath kConvWinograd = {takes<forward_of>, scratch_floats<forward_of, false>,
                                run<forward_of, false>, prepared_floats<forward_of>,
                                prepare<forward_of, false>};
const ConvPath kConvInputGradWinograd = {takes<input_grad_of>, scratch_floats<input_grad_of, true>,
                                         run<input_grad_of, true>, prepared_floats<input_grad_of>,
                                         prepare<input_grad_of, true>};
const ConvPath kConvKernelGradWinograd = {takes_kernel_grad, kernel_grad_scratch_floats,
                                          run_kernel_grad};

}  // namespace myelin
