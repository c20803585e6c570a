// What the recurrent sequences share: checked sizes, the recurrent kernel in panels, the split of
// the batch, and the way through the steps. A thread takes some rows of the batch through all steps
// by itself, so nobody waits for anybody, and the recurrent kernel, packed once for all, stays in
// each core's L2.
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

// Which operands a sequence has. Inputs: `fixed` ones, z [B, T, G * U] and the kernel among them;
// then forward the states and a mask or none, and of a gradient what its attributes say: a mask,
// dy, the gradients by the final states. Outputs: forward y, the final states, others; of a
// gradient that by z, others, those by the initial states.
struct SequenceOperands {
  int64_t gates;
  size_t z, kernel, fixed, states, outputs;
};

// Some rows of the batch, `first` the first of them, at one step. Those of an operand [B, T, w]
// begin at at * w and are T * w apart.
struct SequenceStep {
  const KernelTable& kernels;
  const void* const* inputs;
  void* const* outputs;
  int64_t first, rows;
  int64_t at, before;  // first * T + t, and that of the step worked before this one forward
  bool is_first;       // there is none before
  const uint8_t* mask;
  float* states;   // [rows, U] after one another: h (and c), or the gradients by them
  float* product;  // [rows, G * U]: h times the kernel, or what the kernel turns into a part of dh

  const float* in(size_t i) const { return static_cast<const float*>(inputs[i]); }
  float* out(size_t i) const { return static_cast<float*>(outputs[i]); }
};

// Takes the states of a sequence through its steps. Subclasses check what only they have, and work
// one step: new states, from the product of h and the kernel.
class SequencePlan : public StepPlan {
 public:
  SequencePlan(const char* name, const StepSpec& spec, const PlanContext& context,
               const SequenceOperands& operands);
  size_t workspace_bytes() const final { return split_.workspace_bytes(); }
  size_t prepared_bytes() const final { return panels_.prepared_bytes(); }
  void prepare(const RunContext& context, const void* const* inputs) const final;
  void run(const RunContext& context, const void* const* inputs, void* const* outputs) const final;

 protected:
  virtual void step(const SequenceStep& s) const = 0;

  const SequenceOperands operands_;
  const bool masked_, backwards_;
  const SequenceSizes sizes_;

 private:
  const Panels panels_;
  const SequenceSplit split_;
};

// Takes the gradients by the states through the steps, the last one first. Subclasses work one
// step: the product's gradient, and those by the states without what comes through the product.
class SequenceGradPlan : public StepPlan {
 public:
  SequenceGradPlan(const char* name, const StepSpec& spec, const PlanContext& context,
                   const SequenceOperands& operands);
  size_t workspace_bytes() const final { return split_.workspace_bytes(); }
  void run(const RunContext& context, const void* const* inputs, void* const* outputs) const final;

 protected:
  virtual void step(const SequenceStep& s) const = 0;
  // The gradient by the outputs at a step, or null.
  const float* dy_at(const SequenceStep& s) const {
    return form_.by_outputs ? s.in(form_.dy) + s.at * sizes_.units : nullptr;
  }

 private:
  // Attributes: goBackwards, then which inputs come after the fixed ones.
  struct Form {
    bool backwards, masked, by_outputs, by_state;
    size_t mask, dy, dh;  // places among the inputs
    Form(const char* name, const StepSpec& spec, const SequenceOperands& operands);
  };
  const SequenceOperands operands_;
  const Form form_;

 protected:
  const SequenceSizes sizes_;

 private:
  const Panels panels_;
  const SequenceSplit split_;
};

}  // namespace myelin
