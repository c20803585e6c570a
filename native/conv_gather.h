// The form that the forward convolution and its input gradient share: every pixel of a result
// gathers pixels of a source, tap by tap. Lines of the result, the rows of the source that a line
// sees, and the kernel in the order in which the taps are met.
#ifndef MYELIN_CONV_GATHER_H_
#define MYELIN_CONV_GATHER_H_

#include "conv_paths.h"

namespace myelin {

// The taps that position q * phases + phase of a result's axis has, t = 0 .. count - 1: kernel
// index `first + t * step` meets source position q * advance + offset + t * spacing. Spacing >= 1,
// so that sources rise with t.
struct AxisTaps {
  int64_t count, first, step, offset, spacing;
  int64_t reach() const { return count > 0 ? (count - 1) * spacing + 1 : 0; }
};

struct ConvGather {
  bool forward;
  int64_t batch, groups;
  int64_t channels, columns;  // of the source and of the result, per group
  int64_t result[3], source[3], kernel[3];
  int64_t phases[3];   // positions that far apart have the same taps
  int64_t advance[3];  // and sources that far apart
  int64_t dilation[3], pad_before[3];

  int64_t source_pitch() const { return groups * channels; }
  int64_t result_pitch() const { return groups * columns; }
  int64_t kernel_rows() const { return kernel[0] * kernel[1]; }
  // Steps of a pixel's sum.
  int64_t depth() const { return kernel_rows() * kernel[2] * channels; }
  // Multiply-adds of so many pixels of the result; a double, as sizes may be those of no real
  // operand.
  double work(int64_t pixels) const {
    return static_cast<double>(pixels) * static_cast<double>(depth()) *
           static_cast<double>(groups * columns) /
           static_cast<double>(phases[0] * phases[1] * phases[2]);
  }
  AxisTaps taps(int axis, int64_t phase) const;
};
ConvGather gather_forward(const ConvShape& s);
ConvGather gather_input_grad(const ConvShape& s);

// The source columns that the taps of all phases see, from that of q = 0 on: [low, high].
struct ConvWindow {
  int64_t low, high;
};
ConvWindow window_of(const ConvGather& g);

// The kernel as B of a matrix product, [depth, columns] for each group, packed in panels: kernel
// rows in order, in each the taps of phase 0, 1, ... as AxisTaps has them, for each its channels.
// Floats of all groups, and the packing of `w` [kernel.., cin / groups, cout].
int64_t packed_kernel_floats(const KernelTable& kernels, const ConvGather& g);
void pack_kernel(const KernelTable& kernels, ThreadPool& pool, const ConvGather& g, const float* w,
                 float* packed);

// A row of the source as a line of the result sees it: `at` is its first column of the window.
struct SourceRow {
  const float* at;
  int64_t kernel_row;
  int64_t index;  // counted over batch, depth and height
};

// Finds the rows that result line (n, d, h) sees. Where windows leave the image, or a group's
// channels are to lie together, rows are copied: `pixels` of window from source column `column`,
// zeros outside, `channels` of them from `channel` on. Lines one after the other share copies.
class SourceRows {
 public:
  // `copies` has room for `slots` rows; null: rows are read in place.
  SourceRows(const ConvGather& g, const float* source, float* copies, int64_t pixels)
      : g_(g), source_(source), copies_(copies), pixels_(pixels) {}

  // Starts over: earlier rows are no longer needed.
  void clear() {
    used_ = 0;
    previous_ = nullptr;
    previous_count_ = 0;
  }
  // Writes the line's rows, at most kernel_rows(), to `rows`; returns how many.
  int64_t find(int64_t n, int64_t d, int64_t h, int64_t column, int64_t channel, SourceRow* rows);

 private:
  const float* copy(int64_t index, int64_t column, int64_t channel);

  const ConvGather& g_;
  const float* source_;
  float* copies_;
  int64_t pixels_, used_ = 0;
  const SourceRow* previous_ = nullptr;
  int64_t previous_count_ = 0, previous_column_ = 0;
};

// Copied rows that `lines` lines can need.
int64_t source_row_slots(const ConvGather& g, int64_t lines);

// Whether a path that copies rows may take the shape: nothing is empty, and windows and strides are
// those of real operands, not out of proportion. `pixels` is the most that a part of a line has,
// `rows` the most source rows that are seen together.
bool is_sound(const ConvGather& g, int64_t pixels, int64_t rows);

}  // namespace myelin

#endif  // MYELIN_CONV_GATHER_H_
