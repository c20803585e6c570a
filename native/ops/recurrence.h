// What the recurrent sequences share: checked sizes, the recurrent kernel in panels, and the split
// of the batch. A thread takes some rows of the batch through all steps by itself, so nobody waits
// for anybody, and the recurrent kernel, packed once for all, stays in each core's L2.
#pragma once

#include <string>

#include "support.h"

namespace myelin {

// B, T, U and columns of the recurrent kernel [U, G * U].
struct SequenceSizes {
  int64_t batch, steps, units, columns;

  // z [B, T, G * U], kernel [U, G * U].
  SequenceSizes(const char* name, const TensorView& z, const TensorView& kernel, int64_t gates);

  // Throws unless the view is float32 of this shape.
  void require_all(const char* name, const TensorView& view, int64_t width) const;  // [B, T, width]
  void require_state(const char* name, const TensorView& view) const;               // [B, U]
  void require_mask(const char* name, const TensorView& view) const;                // bool [B, T]
};

// Rows of the batch that one thread takes through a sequence.
int64_t sequence_rows(int64_t batch);

// A [k, n] matrix in panels for gemm_block, and products of few rows with it.
class Panels {
 public:
  // Of b [k, n], or [n, k] when trans, with rows ldb apart. `rows` at a time are multiplied; a
  // steady b is packed ahead.
  Panels(const KernelTable& kernels, int64_t k, int64_t n, bool trans, int64_t ldb, int64_t rows,
         bool steady);
  // Floats of the workspace for the panels, and bytes to keep between runs.
  int64_t floats() const { return in_place_ || ahead_ ? 0 : k_ * width_; }
  size_t prepared_bytes() const;
  void prepare(const RunContext& context, const float* b) const;
  // What multiply() reads: b itself, or its panels.
  const float* made(const RunContext& context, const float* b) const;
  // c[rows, n] = (accumulate ? c : 0) + a[rows, k] * matrix; a and c dense.
  void multiply(const KernelTable& kernels, int64_t rows, const float* a, const float* matrix,
                float* c, bool accumulate) const;

 private:
  void pack(const RunContext& context, const float* b, float* packed) const;

  const int64_t k_, n_, ldb_, block_, width_;
  const bool trans_, in_place_, ahead_;
};

// The batch cut into rows that one thread takes through the sequence, and the workspace: the
// panels, then `row_floats` for each row a worker has in hand.
class SequenceSplit {
 public:
  SequenceSplit(const PlanContext& context, int64_t batch, int64_t panel_floats,
                int64_t row_floats);
  size_t workspace_bytes() const;
  int64_t rows() const { return rows_; }

  // Calls fn(first row, rows, the worker's floats).
  template <class F>
  void each(const RunContext& context, F&& fn) const {
    auto* floats = reinterpret_cast<float*>(context.workspace) + panel_floats_;
    context.pool.parallel_for(chunks_, [&](int64_t chunk, int worker) {
      const int64_t first = chunk * rows_;
      fn(first, std::min(rows_, batch_ - first), floats + worker * worker_floats_);
    });
  }

 private:
  const int64_t batch_, rows_, chunks_, panel_floats_, worker_floats_;
  const int threads_;
};

// Attributes of the gradients: goBackwards, then which inputs come after the fixed ones.
struct SequenceGradForm {
  bool backwards, masked, by_outputs, by_state;
  SequenceGradForm(const char* name, const StepSpec& spec, size_t fixed, size_t states,
                   size_t outputs);
  // Places among the inputs.
  size_t mask, dy, dh;
};

// The step worked at the s-th place of a sequence.
inline int64_t step_at(int64_t s, int64_t steps, bool backwards) {
  return backwards ? steps - 1 - s : s;
}

// The byte of the first row's mask at step t, or null.
inline const uint8_t* mask_at(const void* mask, int64_t first, int64_t steps, int64_t t) {
  return mask == nullptr ? nullptr : static_cast<const uint8_t*>(mask) + first * steps + t;
}

}  // namespace myelin
