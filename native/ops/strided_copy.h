// Copies between strided views of two buffers: what transpose, slice, pad, concatenate and reverse
// come down to.
#pragma once

#include "support.h"

namespace myelin {

class StridedCopy {
 public:
  StridedCopy() = default;
  // Copies over `rank` dimensions in the destination's order of memory; strides (any sign) and
  // offsets in elements. The caller has checked that every element lies inside its operand.
  StridedCopy(int rank, const int64_t* dims, const int64_t* from_strides, int64_t from_offset,
              const int64_t* to_strides, int64_t to_offset, int64_t element_bytes);

  void run(const RunContext& context, const void* from, void* to) const;

 private:
  void merge(int rank, const int64_t* dims, const int64_t* from_strides, const int64_t* to_strides);
  void find_tiles();
  void run_rows(const RunContext& context, const std::byte* from, std::byte* to) const;
  void run_tiles(const RunContext& context, const std::byte* from, std::byte* to) const;
  void run_short_rows(const RunContext& context, const std::byte* from, std::byte* to,
                      int64_t rows) const;
  template <class Fn>
  void each_outer(int64_t begin, int64_t end, int dims, Fn&& fn) const;

  int rank_ = 0;  // after dropping ones and joining neighbours; at least 1 unless nothing is copied
  int64_t dims_[kMaxRank], from_strides_[kMaxRank], to_strides_[kMaxRank];
  int64_t from_offset_ = 0, to_offset_ = 0, element_bytes_ = 4;
  bool empty_ = true;
  bool tiled_ = false;  // the last two dimensions are then those of the 2-D transposes, in the
                        // order (cols, rows)
};

// A plan that is one copy of its first input to its first output.
std::unique_ptr<StepPlan> plan_copy(const StridedCopy& copy);

}  // namespace myelin
