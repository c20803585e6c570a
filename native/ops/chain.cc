// Running of chains that chain_plan.cc has planned: tile by tile, and the reductions at their ends.
#include <algorithm>
#include <cstring>

#include "chain.h"

namespace myelin {
namespace {

// Folds b into a: two partial results of one reduction.
int32_t combine(ChainReduction reduction, bool floats, int32_t a_bits, int32_t b_bits) {
  if (floats) {
    float a, b;
    std::memcpy(&a, &a_bits, 4);
    std::memcpy(&b, &b_bits, 4);
    float r = a;
    if (reduction == ChainReduction::kSum) r = a + b;
    if (reduction == ChainReduction::kProd) r = a * b;
    if (reduction == ChainReduction::kMax) r = a != a || a > b ? a : b;
    if (reduction == ChainReduction::kMin) r = a != a || a < b ? a : b;
    int32_t bits;
    std::memcpy(&bits, &r, 4);
    return bits;
  }
  const auto ua = static_cast<uint32_t>(a_bits), ub = static_cast<uint32_t>(b_bits);
  if (reduction == ChainReduction::kSum) return static_cast<int32_t>(ua + ub);
  if (reduction == ChainReduction::kProd) return static_cast<int32_t>(ua * ub);
  return reduction == ChainReduction::kMax ? std::max(a_bits, b_bits) : std::min(a_bits, b_bits);
}

}  // namespace

// What one thread needs while it runs: where every slot points now, and the registers themselves.
// Slots: the inputs, then the buffers, then the outputs.
struct ChainPlan::State {
  void* slots[kMaxOperands + kMaxBuffers];
  const void* bases[kMaxOperands];
  void* memory[kMaxOperands];
  // What a general input's buffer holds: elements [phase, phase + filled) of its period.
  int64_t phase[kMaxOperands], filled[kMaxOperands];
  int32_t partial[kMaxOperands];  // of reductions in progress
  bool begun[kMaxOperands];
  alignas(64) std::byte scratch[kScratchBytes];
};

void ChainPlan::run(ThreadPool& pool, const void* const* inputs, void* const* outputs,
                    std::byte* workspace) const {
  if (total_ == 0) return fill_identities(outputs);
  auto* partials = reinterpret_cast<int32_t*>(workspace);
  if (blocks_ == 1) {
    State state;
    start(state, inputs, outputs);
    run_block(state, 0, partials);
    return;
  }
  pool.parallel_for(blocks_, [&](int64_t block, int) {
    State state;
    start(state, inputs, outputs);
    run_block(state, block, partials);
  });
  if (partials_ > 0) combine_partials(partials, outputs);
}

void ChainPlan::run_region(const void* const* inputs, void* const* outputs, int64_t begin,
                           int64_t rows, int64_t stride, int64_t cols) const {
  State state;
  start(state, inputs, outputs);
  if (cols == stride) {
    run_range(state, begin, begin + rows * cols);
    return;
  }
  for (int64_t r = 0; r < rows; ++r)
    run_range(state, begin + r * stride, begin + r * stride + cols);
}

void ChainPlan::start(State& state, const void* const* inputs, void* const* outputs) const {
  const size_t count = inputs_.size();
  std::byte* buffer = state.scratch;
  for (int b = 0; b < buffers_; ++b, buffer += (tile_ + kSlackLanes) * 4) {
    state.slots[count + static_cast<size_t>(b)] = buffer;
  }
  for (size_t i = 0; i < count; ++i) {
    state.bases[i] = inputs[i];
    state.filled[i] = 0;
  }
  for (size_t o = 0; o < outputs_.size(); ++o) {
    state.memory[o] = outputs[o];
    state.begun[o] = false;
  }
}

void ChainPlan::run_block(State& state, int64_t block, int32_t* partials) const {
  if (group_blocks_ == 1)
    return run_range(state, block * block_, std::min(total_, (block + 1) * block_));
  const int64_t group = block / group_blocks_, part = block % group_blocks_;
  const int64_t begin = group * inner_ + part * block_;
  run_range(state, begin, std::min((group + 1) * inner_, begin + block_));
  int32_t* to = partials + block * reduced_;
  for (size_t o = 0; o < outputs_.size(); ++o) {
    if (outputs_[o].finish == Finish::kReduce) *to++ = state.partial[o];
  }
}

void ChainPlan::run_range(State& state, int64_t begin, int64_t end) const {
  while (begin < end) {
    int64_t n = std::min(tile_, end - begin);
    if (row_cut_ > 0) n = std::min(n, row_cut_ - begin % row_cut_);
    if (group_cut_ > 0) n = std::min(n, group_cut_ - begin % group_cut_);
    run_tile(state, begin, n);
    begin += n;
  }
}

void ChainPlan::run_tile(State& state, int64_t begin, int64_t n) const {
  const int count = static_cast<int>(inputs_.size());
  for (int i = 0; i < count; ++i) place_input(state, i, begin, n);
  void** const out_slots = state.slots + count + buffers_;
  for (const int o : direct_) out_slots[o] = static_cast<int32_t*>(state.memory[o]) + begin;
  for (const Instruction& i : instructions_) {
    i.kernel(state.slots[i.operands[0]], state.slots[i.operands[1]], state.slots[i.operands[2]],
             state.slots[i.out], n);
  }
  for (const int o : finishing_) {
    const Output& output = outputs_[static_cast<size_t>(o)];
    const void* value = state.slots[output.slot];
    if (output.finish == Finish::kNarrow) {
      kernels_.tile_narrow(value, static_cast<uint8_t*>(state.memory[o]) + begin, n);
    } else if (output.finish == Finish::kCopy) {
      std::memmove(static_cast<int32_t*>(state.memory[o]) + begin, value,
                   static_cast<size_t>(n) * 4);
    } else {
      reduce_tile(state, static_cast<size_t>(o), begin, n);
    }
  }
}

// Points the slot of an input at the lanes of elements begin .. begin + n - 1.
void ChainPlan::place_input(State& state, int index, int64_t begin, int64_t n) const {
  const Input& input = inputs_[static_cast<size_t>(index)];
  const void* base = state.bases[index];
  void*& slot = state.slots[index];
  if (input.layout == Layout::kSame) {
    if (!input.bytes) {
      slot = const_cast<int32_t*>(static_cast<const int32_t*>(base) + begin);
      return;
    }
    slot = state.slots[input.buffer];
    kernels_.tile_widen(static_cast<const uint8_t*>(base) + begin, slot, n);
    return;
  }
  int64_t& filled = state.filled[index];
  auto* buffer = static_cast<std::byte*>(state.slots[input.buffer]);
  if (input.layout == Layout::kScalar) {
    slot = buffer;
    if (filled >= n) return;
    filled = n;
    if (input.bytes) {
      const int32_t wide = *static_cast<const uint8_t*>(base);
      kernels_.tile_splat(&wide, buffer, n);
    } else {
      kernels_.tile_splat(base, buffer, n);
    }
    return;
  }
  // Divisions take longer than a small chain; most of those start and end at element 0.
  const int64_t cols = dims_[rank_ - 1], row = begin == 0 ? 0 : begin / cols,
                col = begin - row * cols;
  if (!input.bytes && input.strides[rank_ - 1] == 1 && col + n <= cols) {
    slot =
        const_cast<int32_t*>(static_cast<const int32_t*>(base) + offset_of_row(input, row) + col);
    return;
  }
  slot = buffer;
  // The last tile's lanes serve again where the input repeats, as a bias does.
  const int64_t phase = begin == 0 ? 0 : begin % input.period;
  if (filled >= n && state.phase[index] == phase) return;
  expand(input, base, begin, n, buffer);
  state.phase[index] = phase;
  filled = n;
}

int64_t ChainPlan::offset_of_row(const Input& input, int64_t row) const {
  if (row == 0) return 0;
  int64_t offset = 0;
  for (int d = rank_ - 2; d > 0; --d) {
    offset += row % dims_[d] * input.strides[d];
    row /= dims_[d];
  }
  return rank_ > 1 ? offset + row * input.strides[0] : offset;
}

// Writes the lanes of a general input for any stretch of elements: the rest of a row, whole rows in
// runs along the second innermost dimension, the beginning of a row.
void ChainPlan::expand(const Input& input, const void* base, int64_t begin, int64_t n,
                       std::byte* out) const {
  TileExpand* const kernel = input.bytes ? kernels_.tile_expand_8 : kernels_.tile_expand_32;
  const int64_t size = input.bytes ? 1 : 4;
  const int64_t cols = dims_[rank_ - 1], col_stride = input.strides[rank_ - 1];
  const int64_t row_dim = dims_[rank_ - 2], row_stride = input.strides[rank_ - 2];
  const auto* bytes = static_cast<const std::byte*>(base);
  int64_t row = begin == 0 ? 0 : begin / cols, col = begin - row * cols;
  while (n > 0) {
    const std::byte* from = bytes + (offset_of_row(input, row) + col * col_stride) * size;
    int64_t rows = 1, width = std::min(n, cols - col);
    if (col == 0 && n > cols) {
      const int64_t left = row == 0 ? row_dim : row_dim - row % row_dim;
      rows = n >= left * cols ? left : n / cols;
    }
    kernel(from, row_stride, col_stride, rows, width, out);
    out += rows * width * 4;
    n -= rows * width;
    row += rows;
    col = 0;
  }
}

void ChainPlan::reduce_tile(State& state, size_t index, int64_t begin, int64_t n) const {
  const Output& output = outputs_[index];
  const void* value = state.slots[output.slot];
  const auto reduce = [&](int64_t rows, int64_t cols, void* out) {
    if (output.floats) {
      output.reduce_f32(static_cast<const float*>(value), rows, cols, static_cast<float*>(out));
    } else {
      output.reduce_i32(static_cast<const int32_t*>(value), rows, cols, static_cast<int32_t*>(out));
    }
  };
  if (group_cut_ == 0) {  // whole groups
    const int64_t rows = n / inner_, first = begin / inner_;
    if (!output.bytes) {
      reduce(rows, inner_, static_cast<int32_t*>(state.memory[index]) + first);
    } else {
      void* lanes = state.slots[output.buffer];
      reduce(rows, inner_, lanes);
      kernels_.tile_narrow(lanes, static_cast<uint8_t*>(state.memory[index]) + first, rows);
    }
    return;
  }
  int32_t bits;
  reduce(1, n, &bits);
  int32_t& partial = state.partial[index];
  partial = state.begun[index] ? combine(output.reduction, output.floats, partial, bits) : bits;
  const bool ends = (begin + n) % inner_ == 0;
  state.begun[index] = !ends;
  if (ends && group_blocks_ == 1)
    store_reduced(output, state.memory[index], begin / inner_, partial);
}

void ChainPlan::store_reduced(const Output& output, void* memory, int64_t index,
                              int32_t bits) const {
  if (output.bytes) {
    static_cast<uint8_t*>(memory)[index] = static_cast<uint8_t>(bits);
  } else {
    std::memcpy(static_cast<int32_t*>(memory) + index, &bits, 4);
  }
}

void ChainPlan::combine_partials(const int32_t* partials, void* const* outputs) const {
  int which = 0;
  for (size_t o = 0; o < outputs_.size(); ++o) {
    const Output& output = outputs_[o];
    if (output.finish != Finish::kReduce) continue;
    for (int64_t group = 0; group < output.size; ++group) {
      const int32_t* from = partials + group * group_blocks_ * reduced_ + which;
      int32_t bits = from[0];
      for (int64_t part = 1; part < group_blocks_; ++part) {
        bits = combine(output.reduction, output.floats, bits, from[part * reduced_]);
      }
      store_reduced(output, outputs[o], group, bits);
    }
    ++which;
  }
}

// Reductions over nothing. Outputs that are not reduced are empty.
void ChainPlan::fill_identities(void* const* outputs) const {
  for (size_t o = 0; o < outputs_.size(); ++o) {
    const Output& output = outputs_[o];
    for (int64_t i = 0; output.finish == Finish::kReduce && i < output.size; ++i) {
      int32_t bits = 0;
      const int32_t nothing = 0;
      if (output.floats) {
        float identity;
        output.reduce_f32(reinterpret_cast<const float*>(&nothing), 1, 0, &identity);
        std::memcpy(&bits, &identity, 4);
      } else {
        output.reduce_i32(&nothing, 1, 0, &bits);
      }
      store_reduced(output, outputs[o], i, bits);
    }
  }
}

}  // namespace myelin
