// A chain of micro-ops (native/step.h) planned for one iteration space: validated, with
// broadcasting reduced to the few forms that matter, kernels chosen and tile registers assigned.
// Runs tile by tile in L1, alone as the elementwise step or over regions of a matrix product. It
// allocates nothing when it runs.
#pragma once

#include <span>
#include <vector>

#include "../step.h"

namespace myelin {

class ChainPlan {
 public:
  // Throws ProgramError unless inputs broadcast to the chain's dims, lane types fit and outputs
  // have the right sizes.
  ChainPlan(const Chain& chain, std::span<const TensorView> inputs,
            std::span<const TensorView> outputs, const KernelTable& kernels);

  int64_t size() const { return total_; }
  bool reduces() const { return reduced_ > 0; }
  size_t workspace_bytes() const { return partials_ * sizeof(int32_t); }

  // The whole space, split by size over the pool. An output that is not reduced may be the very
  // memory of an input of its own size and element size.
  void run(ThreadPool& pool, const void* const* inputs, void* const* outputs,
           std::byte* workspace) const;

  // Only elements begin + r * stride + c for r < rows, c < cols of the (row-major) space, on this
  // thread. For chains that reduce nothing.
  void run_region(const void* const* inputs, void* const* outputs, int64_t begin, int64_t rows,
                  int64_t stride, int64_t cols) const;

 private:
  // How an input is laid over the space, once dimensions that step together are merged.
  enum class Layout { kSame, kScalar, kGeneral };
  struct Input {
    Layout layout;
    bool bytes;      // bool or uint8: widened to int32 lanes
    int buffer;      // slot of its tile, -1 when always used in place
    int64_t period;  // elements after which it repeats; only kGeneral
    int64_t strides[kMaxRank];
  };
  struct Instruction {
    MicroKernel* kernel;
    int32_t operands[3];  // slots
    int32_t out;
  };
  enum class Finish { kDirect, kCopy, kNarrow, kReduce };
  struct Output {
    Finish finish;
    int32_t slot;  // of the value
    bool bytes;
    bool floats;  // lanes reduced
    ChainReduction reduction;
    int buffer;  // for reduced rows that must be narrowed
    int64_t size;
    ReduceRowsF32* reduce_f32;
    ReduceRowsI32* reduce_i32;
  };
  struct Draft;
  struct State;

  // Tile registers live on the stack of whoever runs the chain: small enough for 32 KiB of L1
  // together with the lines of operands that stream by, and for the small stacks some systems give
  // to threads.
  static constexpr int64_t kScratchBytes = 32 * 1024;
  // tile_expand may write one vector too far; and it keeps registers off one another's cache sets.
  static constexpr int64_t kSlackLanes = 16;
  static constexpr int64_t kMinTileLanes = 16;
  static constexpr int kMaxBuffers = kScratchBytes / (4 * (kMinTileLanes + kSlackLanes));
  static constexpr int kMaxOperands = 256;  // inputs and outputs together

  // chain_plan.cc
  void merge_dims(const Chain& chain, std::span<const TensorView> inputs);
  Draft type_values(const Chain& chain, std::span<const TensorView> inputs) const;
  void plan_outputs(Draft& draft, const Chain& chain, std::span<const TensorView> outputs);
  void assign_registers(const Draft& draft);
  void choose_tile(double cost);

  // chain.cc
  void start(State& state, const void* const* inputs, void* const* outputs) const;
  void run_range(State& state, int64_t begin, int64_t end) const;
  void run_tile(State& state, int64_t begin, int64_t n) const;
  void place_input(State& state, int index, int64_t begin, int64_t n) const;
  void expand(const Input& input, const void* base, int64_t begin, int64_t n, std::byte* out) const;
  int64_t offset_of_row(const Input& input, int64_t row) const;
  void reduce_tile(State& state, size_t index, int64_t begin, int64_t n) const;
  void run_block(State& state, int64_t block, int32_t* partials) const;
  void store_reduced(const Output& output, void* memory, int64_t index, int32_t bits) const;
  void combine_partials(const int32_t* partials, void* const* outputs) const;
  void fill_identities(void* const* outputs) const;

  const KernelTable& kernels_;
  std::vector<Input> inputs_;
  std::vector<Instruction> instructions_;
  std::vector<Output> outputs_;
  std::vector<int> direct_, finishing_;  // outputs by what is left to do once their value is there
  int buffers_ = 0;
  int reduced_ = 0;  // outputs that are
  int64_t total_ = 0;
  int64_t inner_ = 1;
  int rank_ = 0;  // after merging
  int64_t dims_[kMaxRank] = {};
  int64_t tile_ = 0;
  int64_t row_cut_ = 0;    // tiles stay inside rows of this length; 0: they need not
  int64_t group_cut_ = 0;  // and inside reduction groups
  int64_t block_ = 0;      // elements one thread takes at a time
  int64_t blocks_ = 0;
  int64_t group_blocks_ = 1;  // blocks one reduction group is split into
  size_t partials_ = 0;
};

}  // namespace myelin
