// Three ways through memory: runs (both sides contiguous), 2-D transposes by tiles (each side
// contiguous along another axis), and single elements for what is left. memmove, because a hostile
// Program may overlap its operands.
#include "strided_copy.h"

#include <bit>
#include <cstring>

namespace myelin {
namespace {

constexpr int64_t kTile =
    64;  // 64 x 64 four-byte elements: 16 KiB on each side, so that both fit in L1 or nearly

// count elements, both sides strided.
template <class T>
void copy_elements(const std::byte* from, int64_t from_step, std::byte* to, int64_t to_step,
                   int64_t count) {
  const T* source = reinterpret_cast<const T*>(from);
  T* target = reinterpret_cast<T*>(to);
  if (to_step == 1) {
    for (int64_t i = 0; i < count; ++i) target[i] = source[i * from_step];
  } else {
    for (int64_t i = 0; i < count; ++i) target[i * to_step] = source[i * from_step];
  }
}

// Eight by eight at a time, each row of eight a word: three rounds of swapping halves turn them.
void turn_8x8(const uint8_t* from, int64_t from_stride, uint8_t* to, int64_t to_stride) {
  constexpr int kShifts[] = {32, 16, 8};
  constexpr uint64_t kMasks[] = {0x00000000ffffffffu, 0x0000ffff0000ffffu, 0x00ff00ff00ff00ffu};
  uint64_t rows[8];
  for (int r = 0; r < 8; ++r) std::memcpy(&rows[r], from + r * from_stride, 8);
  for (int round = 0, apart = 4; round < 3; ++round, apart /= 2) {
    for (int r = 0; r < 8; ++r) {
      if (r & apart) continue;
      uint64_t &a = rows[r], &b = rows[r + apart];
      const uint64_t swap = (a >> kShifts[round] ^ b) & kMasks[round];
      b ^= swap;
      a ^= swap << kShifts[round];
    }
  }
  for (int c = 0; c < 8; ++c) std::memcpy(to + c * to_stride, &rows[c], 8);
}

void transpose_bytes(const uint8_t* from, int64_t from_stride, int64_t rows, int64_t cols,
                     uint8_t* to, int64_t to_stride) {
  // The words above are little endian, as is every machine Node runs on but one.
  const bool little = std::endian::native == std::endian::little;
  const int64_t full_rows = little ? rows / 8 * 8 : 0, full_cols = cols / 8 * 8;
  const auto turn = [&](int64_t r_begin, int64_t r_end, int64_t c_begin, int64_t c_end) {
    for (int64_t c = c_begin; c < c_end; ++c) {
      for (int64_t r = r_begin; r < r_end; ++r) to[c * to_stride + r] = from[r * from_stride + c];
    }
  };
  for (int64_t c = 0; c < full_cols; c += 8) {
    for (int64_t r = 0; r < full_rows; r += 8)
      turn_8x8(from + r * from_stride + c, from_stride, to + c * to_stride + r, to_stride);
  }
  turn(0, full_rows, full_cols, cols);
  turn(full_rows, rows, 0, cols);
}

// Elements of a run below which calling memmove for each costs more than copying: 64 to 256 bytes
// gain a factor of two to three.
constexpr int64_t kShortRun = 128;

}  // namespace

StridedCopy::StridedCopy(int rank, const int64_t* dims, const int64_t* from_strides,
                         int64_t from_offset, const int64_t* to_strides, int64_t to_offset,
                         int64_t element_bytes)
    : from_offset_(from_offset), to_offset_(to_offset), element_bytes_(element_bytes) {
  empty_ = std::find(dims, dims + rank, 0) != dims + rank;
  if (empty_) return;
  merge(rank, dims, from_strides, to_strides);
  find_tiles();
}

// Drops dimensions of one and joins neighbours that both sides walk through as one.
void StridedCopy::merge(int rank, const int64_t* dims, const int64_t* from_strides,
                        const int64_t* to_strides) {
  for (int i = 0; i < rank; ++i) {
    if (dims[i] == 1) continue;
    const int last = rank_ - 1;
    if (rank_ > 0 && from_strides_[last] == from_strides[i] * dims[i] &&
        to_strides_[last] == to_strides[i] * dims[i]) {
      dims_[last] *= dims[i];
      from_strides_[last] = from_strides[i];
      to_strides_[last] = to_strides[i];
    } else {
      dims_[rank_] = dims[i];
      from_strides_[rank_] = from_strides[i];
      to_strides_[rank_] = to_strides[i];
      ++rank_;
    }
  }
  if (rank_ == 0) {
    dims_[0] = from_strides_[0] = to_strides_[0] = 1;
    rank_ = 1;
  }
}

// Where the last axis is contiguous only in the destination and another one is contiguous in the
// source, that other becomes the last but one.
void StridedCopy::find_tiles() {
  const int last = rank_ - 1;
  if (to_strides_[last] != 1 || from_strides_[last] == 1) return;
  for (int i = last - 1; i >= 0; --i) {
    if (from_strides_[i] != 1) continue;
    std::rotate(dims_ + i, dims_ + i + 1, dims_ + last);
    std::rotate(from_strides_ + i, from_strides_ + i + 1, from_strides_ + last);
    std::rotate(to_strides_ + i, to_strides_ + i + 1, to_strides_ + last);
    tiled_ = true;
    return;
  }
}

// Calls fn(from offset, to offset) for the indices begin .. end - 1 over the first `dims`
// dimensions.
template <class Fn>
void StridedCopy::each_outer(int64_t begin, int64_t end, int dims, Fn&& fn) const {
  int64_t index[kMaxRank] = {};
  int64_t from = from_offset_, to = to_offset_;
  for (int64_t i = dims - 1, left = begin; i >= 0; left /= dims_[i], --i) {
    index[i] = left % dims_[i];
    from += index[i] * from_strides_[i];
    to += index[i] * to_strides_[i];
  }
  for (int64_t at = begin; at < end; ++at) {
    fn(from, to);
    for (int i = dims - 1; i >= 0; --i) {
      from += from_strides_[i];
      to += to_strides_[i];
      if (++index[i] < dims_[i]) break;
      index[i] = 0;
      from -= dims_[i] * from_strides_[i];
      to -= dims_[i] * to_strides_[i];
    }
  }
}

void StridedCopy::run(const RunContext& context, const void* from, void* to) const {
  if (empty_) return;
  const auto* source = static_cast<const std::byte*>(from);
  auto* target = static_cast<std::byte*>(to);
  if (tiled_) return run_tiles(context, source, target);
  run_rows(context, source, target);
}

void StridedCopy::run_rows(const RunContext& context, const std::byte* from, std::byte* to) const {
  const int64_t length = dims_[rank_ - 1], bytes = element_bytes_;
  const int64_t from_step = from_strides_[rank_ - 1], to_step = to_strides_[rank_ - 1];
  const bool runs = from_step == 1 && to_step == 1;
  int64_t rows = 1;
  for (int i = 0; i < rank_ - 1; ++i) rows *= dims_[i];

  if (runs && bytes == 4 && rank_ >= 2 && length <= kShortRun)
    return run_short_rows(context, from, to, rows);

  const auto copy_row = [&](int64_t at, int64_t other, int64_t count) {
    const std::byte* source = from + at * bytes;
    std::byte* target = to + other * bytes;
    if (runs && count * bytes >= 32) {
      std::memmove(target, source, static_cast<size_t>(count * bytes));
    } else if (bytes == 4) {
      copy_elements<uint32_t>(source, from_step, target, to_step, count);
    } else {
      copy_elements<uint8_t>(source, from_step, target, to_step, count);
    }
  };
  const int64_t piece = kTaskBytes / bytes;
  if (length <= piece) {
    for_ranges(context, rows, grain_of(length * bytes), [&](int64_t begin, int64_t end) {
      each_outer(begin, end, rank_ - 1,
                 [&](int64_t at, int64_t other) { copy_row(at, other, length); });
    });
    return;
  }
  const int64_t pieces = (length - 1) / piece + 1;
  for_ranges(context, rows * pieces, 1, [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t first = task % pieces * piece, count = std::min(piece, length - first);
      each_outer(task / pieces, task / pieces + 1, rank_ - 1, [&](int64_t at, int64_t other) {
        copy_row(at + first * from_step, other + first * to_step, count);
      });
    }
  });
}

// Contiguous rows of a few vectors: those of the last dimension but one go to the kernel together.
void StridedCopy::run_short_rows(const RunContext& context, const std::byte* from, std::byte* to,
                                 int64_t rows) const {
  const int64_t length = dims_[rank_ - 1], inner = dims_[rank_ - 2];
  const int64_t from_stride = from_strides_[rank_ - 2], to_stride = to_strides_[rank_ - 2];
  for_ranges(context, rows, grain_of(length * 4), [&](int64_t begin, int64_t end) {
    int64_t skip = begin % inner, left = end - begin;
    each_outer(begin / inner, (end - 1) / inner + 1, rank_ - 2, [&](int64_t at, int64_t other) {
      const int64_t count = std::min(left, inner - skip);
      context.kernels.copy_runs_32(
          reinterpret_cast<const float*>(from) + at + skip * from_stride, from_stride, count,
          length, reinterpret_cast<float*>(to) + other + skip * to_stride, to_stride);
      left -= count;
      skip = 0;
    });
  });
}

void StridedCopy::run_tiles(const RunContext& context, const std::byte* from, std::byte* to) const {
  const int64_t bytes = element_bytes_;
  const int64_t cols = dims_[rank_ - 2], rows = dims_[rank_ - 1];
  const int64_t from_stride = from_strides_[rank_ - 1], to_stride = to_strides_[rank_ - 2];
  const int64_t col_tiles = (cols - 1) / kTile + 1, row_tiles = (rows - 1) / kTile + 1;
  const int64_t tiles = col_tiles * row_tiles;
  int64_t batch = 1;
  for (int i = 0; i < rank_ - 2; ++i) batch *= dims_[i];

  const int64_t tile_bytes = std::min(kTile, cols) * std::min(kTile, rows) * bytes;
  for_ranges(context, batch * tiles, grain_of(tile_bytes), [&](int64_t begin, int64_t end) {
    for (int64_t task = begin; task < end; ++task) {
      const int64_t r = task % row_tiles * kTile, c = task / row_tiles % col_tiles * kTile;
      const int64_t row_count = std::min(kTile, rows - r), col_count = std::min(kTile, cols - c);
      int64_t at = from_offset_ + r * from_stride + c, other = to_offset_ + c * to_stride + r;
      for (int64_t i = rank_ - 3, left = task / tiles; i >= 0; left /= dims_[i], --i) {
        at += left % dims_[i] * from_strides_[i];
        other += left % dims_[i] * to_strides_[i];
      }
      if (bytes == 4) {
        context.kernels.transpose_32(reinterpret_cast<const float*>(from) + at, from_stride,
                                     row_count, col_count, reinterpret_cast<float*>(to) + other,
                                     to_stride);
      } else {
        transpose_bytes(reinterpret_cast<const uint8_t*>(from) + at, from_stride, row_count,
                        col_count, reinterpret_cast<uint8_t*>(to) + other, to_stride);
      }
    }
  });
}

std::unique_ptr<StepPlan> plan_copy(const StridedCopy& copy) {
  class Plan final : public StepPlan {
   public:
    explicit Plan(const StridedCopy& copy) : copy_(copy) {}
    void run(const RunContext& context, const void* const* inputs,
             void* const* outputs) const override {
      copy_.run(context, inputs[0], outputs[0]);
    }

   private:
    StridedCopy copy_;
  };
  return std::make_unique<Plan>(copy);
}

}  // namespace myelin
