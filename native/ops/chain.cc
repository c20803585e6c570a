#include "chain.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>

namespace myelin {
namespace {

// Tile registers live on the stack of whoever runs the chain: small enough for 32 KiB of L1
// together with the lines of operands that stream by, and for the small stacks some systems give to
// threads.
constexpr int64_t kScratchBytes = 32 * 1024;
// On Zen 5 (48 KiB of L1) 512 and 2048 do as well, 256 costs 15 to 35 %. Halved while many
// registers are alive.
constexpr int64_t kTileLanes = 1024;
constexpr int64_t kSlackLanes =
    16;  // tile_expand may write one vector too far; also keeps registers off one another's sets
constexpr int64_t kMinTileLanes = 16;
constexpr int kMaxBuffers = kScratchBytes / (4 * (kMinTileLanes + kSlackLanes));
constexpr size_t kMaxInstructions = 4096;
constexpr int kMaxOperands = 256;  // inputs and outputs of a chain together
// Rows from here on are tiles of their own, so that operands that repeat by rows are used in place.
// Below, writing out several rows costs less than the many short calls: rows of 256 gain a third to
// two thirds.
constexpr int64_t kLongRow = 512;

enum class Lane { kFloat, kInt, kAny };

struct MicroInfo {
  Lane in, out;  // kAny: as the operands are
  int arity;
  double cost;  // about nanoseconds for 8 elements; decides how finely work is split
};

constexpr bool is_one_of(std::string_view name, std::initializer_list<std::string_view> list) {
  for (const std::string_view entry : list) {
    if (name == entry) return true;
  }
  return false;
}

// Everything follows from the name: `<op>_<lane type>`, see src/program/opcodes.ts.
constexpr MicroInfo info_from_name(std::string_view name, int arity) {
  if (name == "copy") return {Lane::kAny, Lane::kAny, arity, 1};
  if (name == "where") return {Lane::kInt, Lane::kAny, arity, 1};
  if (name == "bitsToUniform_f32") return {Lane::kInt, Lane::kFloat, arity, 1};
  if (is_one_of(name, {"logicalAnd", "logicalOr", "logicalNot"}))
    return {Lane::kInt, Lane::kInt, arity, 1};
  if (name.starts_with("cast_")) {
    return {name.substr(5, 3) == "f32" ? Lane::kFloat : Lane::kInt,
            name.substr(9) == "f32" ? Lane::kFloat : Lane::kInt, arity, 1};
  }
  const std::string_view op = name.substr(0, name.rfind('_'));
  const Lane lane = name.ends_with("_f32") ? Lane::kFloat : Lane::kInt;
  const bool compares =
      is_one_of(op, {"equal", "notEqual", "less", "lessEqual", "greater", "greaterEqual"});
  double cost = 1;
  if (is_one_of(op, {"exp", "expm1", "log", "log1p", "tanh", "sigmoid", "erf", "sin", "cos"}))
    cost = 6;
  if (is_one_of(op, {"divide", "sqrt", "rsqrt", "reciprocal"})) cost = 3;
  if (is_one_of(op, {"power", "mod", "floorDivide"})) cost = 30;
  return {lane, compares ? Lane::kInt : lane, arity, cost};
}

constexpr MicroInfo kMicros[] = {
#define MYELIN_X(name, arity) info_from_name(#name, arity),
    MYELIN_MICRO_OPS(MYELIN_X)
#undef MYELIN_X
};

MicroKernel* kernel_of(const KernelTable& kernels, MicroOp op) {
  static constexpr MicroKernel* KernelTable::* kMembers[] = {
#define MYELIN_X(name, arity) &KernelTable::name,
      MYELIN_MICRO_OPS(MYELIN_X)
#undef MYELIN_X
  };
  return kernels.*kMembers[static_cast<int32_t>(op)];
}

Lane lane_of(DType dtype) { return dtype == DType::kFloat32 ? Lane::kFloat : Lane::kInt; }
bool is_byte(DType dtype) { return bytes_of(dtype) == 1; }

int64_t round_up(int64_t x, int64_t to) { return (x + to - 1) / to * to; }

int64_t checked_size(const Chain& chain) {
  require(chain.rank >= 0 && chain.rank <= kMaxRank, "chain: rank must be at most 8");
  int64_t size = 1;
  bool empty = false;
  for (int i = 0; i < chain.rank; ++i) {
    require(chain.dims[i] >= 0, "chain: a dimension is negative");
    if (chain.dims[i] == 0) {
      empty = true;
    } else {
      require(!__builtin_mul_overflow(size, chain.dims[i], &size) && size <= int64_t{1} << 46,
              "chain: the iteration space is too large");
    }
  }
  return empty ? 0 : size;
}

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

ChainPlan::ChainPlan(const Chain& chain, std::span<const TensorView> inputs,
                     std::span<const TensorView> outputs, const KernelTable& kernels)
    : kernels_(kernels) {
  require(chain.inputs >= 0 && static_cast<size_t>(chain.inputs) == inputs.size(),
          "chain: the number of inputs differs from the step's");
  require(chain.outputs.size() == outputs.size() && !outputs.empty(),
          "chain: the number of outputs differs from the step's");
  require(inputs.size() + outputs.size() <= kMaxOperands,
          "chain: more than 256 inputs and outputs");
  total_ = checked_size(chain);
  inner_ = chain.inner;
  require(inner_ >= 0 && (inner_ == 0 ? total_ == 0 : total_ % inner_ == 0),
          "chain: inner does not divide the iteration space");
  merge_dims(chain, inputs);

  // Lane types, and the place after which nobody reads an operand's memory any more.
  const int count_in = chain.inputs;
  require(chain.instructions.size() <= kMaxInstructions, "chain: more than 4096 instructions");
  std::vector<ChainInstruction> steps = chain.instructions;
  std::vector<int> values;  // of the outputs
  for (const ChainOutput& wanted : chain.outputs) {
    require(wanted.value >= 0 && wanted.value < count_in + static_cast<int>(steps.size()),
            "chain: an output is not defined");
    values.push_back(wanted.value);
  }
  // An input that is itself one of several outputs goes through a register: copied straight, it
  // could overwrite the memory of another input that is still to be copied.
  for (size_t o = 0; o < outputs.size() && outputs.size() > 1; ++o) {
    if (values[o] >= count_in || chain.outputs[o].reduction != ChainReduction::kNone) continue;
    steps.push_back({MicroOp::copy, {values[o], 0, 0}});
    values[o] = count_in + static_cast<int>(steps.size()) - 1;
  }
  const int count = count_in + static_cast<int>(steps.size());
  std::vector<Lane> lanes(static_cast<size_t>(count));
  std::vector<int> last_use(static_cast<size_t>(count), -1);
  for (int i = 0; i < count_in; ++i) lanes[i] = lane_of(inputs[i].dtype);
  double cost = 0;
  int last_memory_read = -1;
  for (int j = 0; j < count - count_in; ++j) {
    const ChainInstruction& instruction = steps[j];
    const auto micro = static_cast<int32_t>(instruction.micro);
    require(micro >= 0 && micro < kMicroOpCount, "chain: unknown micro-op");
    const MicroInfo& info = kMicros[micro];
    cost += info.cost;
    Lane result = info.out;
    for (int k = 0; k < info.arity; ++k) {
      const int v = instruction.operands[k];
      require(v >= 0 && v < count_in + j, "chain: an operand is not defined yet");
      const bool free_lane =
          info.in == Lane::kAny || (instruction.micro == MicroOp::where && k > 0);
      require(free_lane || lanes[v] == info.in, "chain: an operand has the wrong lane type");
      if (free_lane && result == Lane::kAny) result = lanes[v];
      require(!free_lane || lanes[v] == result, "chain: where needs two values of one lane type");
      last_use[v] = j;
      if (v < count_in && inputs_[v].layout != Layout::kScalar) last_memory_read = j;
    }
    lanes[count_in + j] = result;
  }

  // Outputs: which values are wanted, and whether they can be computed straight into their memory.
  // An output may lie on an input of the same size, so only once no later instruction reads an
  // input's memory.
  std::vector<int> direct(static_cast<size_t>(count), -1);
  for (size_t o = 0; o < outputs.size(); ++o) {
    if (values[o] < count_in) last_memory_read = count;  // read at the end of a tile
  }
  for (size_t o = 0; o < outputs.size(); ++o) {
    const ChainOutput& wanted = chain.outputs[o];
    const TensorView& view = outputs[o];
    require(wanted.reduction >= ChainReduction::kNone && wanted.reduction <= ChainReduction::kProd,
            "chain: unknown reduction");
    const bool reduced = wanted.reduction != ChainReduction::kNone;
    require(lane_of(view.dtype) == lanes[values[o]], "chain: an output has the wrong dtype");
    // Reductions over nothing (inner 0) have as many results as their shape says.
    const bool fits = reduced ? inner_ == 0 || view.size == total_ / inner_ : view.size == total_;
    require(fits, "chain: an output has the wrong size");
    Output output = {};
    output.bytes = is_byte(view.dtype);
    output.floats = lanes[values[o]] == Lane::kFloat;
    output.reduction = wanted.reduction;
    output.size = view.size;
    output.buffer = -1;
    const int j = values[o] - count_in;
    if (reduced) {
      output.finish = Finish::kReduce;
      reduces_ = true;
      ++reduced_;
      const int r = static_cast<int>(wanted.reduction);
      ReduceRowsF32* const f32[] = {nullptr, kernels.sum_rows_f32, kernels.max_rows_f32,
                                    kernels.min_rows_f32, kernels.prod_rows_f32};
      ReduceRowsI32* const i32[] = {nullptr, kernels.sum_rows_i32, kernels.max_rows_i32,
                                    kernels.min_rows_i32, kernels.prod_rows_i32};
      output.reduce_f32 = f32[r];
      output.reduce_i32 = i32[r];
    } else if (output.bytes) {
      output.finish = Finish::kNarrow;
    } else if (j >= 0 && j >= last_memory_read && direct[values[o]] < 0) {
      output.finish = Finish::kDirect;
      direct[values[o]] = static_cast<int>(o);
    } else {
      output.finish = Finish::kCopy;
    }
    if (output.finish != Finish::kDirect) last_use[values[o]] = count;
    outputs_.push_back(output);
  }

  // Registers: a value's buffer is free again after its last use; an instruction may write over its
  // operands. Inputs that need one keep it, since scalars and repeating rows are filled once and
  // serve many tiles.
  bool general = false;
  for (int i = 0; i < count_in; ++i) {
    Input& input = inputs_[i];
    general |= input.layout == Layout::kGeneral;
    input.buffer = input.layout != Layout::kSame || input.bytes ? count_in + buffers_++ : -1;
  }
  for (Output& output : outputs_) {
    if (output.finish == Finish::kReduce && output.bytes) output.buffer = count_in + buffers_++;
  }
  std::vector<int> slot(static_cast<size_t>(count));
  for (int i = 0; i < count_in; ++i) slot[i] = i;
  std::vector<int> unused;
  for (int j = 0; j < count - count_in; ++j) {
    const ChainInstruction& from = steps[j];
    const int arity = kMicros[static_cast<int32_t>(from.micro)].arity;
    Instruction instruction = {kernel_of(kernels, from.micro), {0, 0, 0}, -1};
    for (int k = 0; k < 3; ++k) {
      const int v = from.operands[k < arity ? k : 0];
      instruction.operands[k] = slot[v];
      const bool repeated = (k > 0 && v == from.operands[0]) || (k > 1 && v == from.operands[1]);
      if (k < arity && !repeated && v >= count_in && last_use[v] == j && direct[v] < 0)
        unused.push_back(slot[v]);
    }
    const int v = count_in + j;
    if (direct[v] >= 0) {
      slot[v] = -1 - direct[v];  // resolved below, once the number of buffers is known
    } else {
      if (unused.empty()) unused.push_back(count_in + buffers_++);
      slot[v] = unused.back();
      unused.pop_back();
      if (last_use[v] < 0) unused.push_back(slot[v]);  // dead, yet computed
    }
    instruction.out = slot[v];
    instructions_.push_back(instruction);
  }
  require(buffers_ <= kMaxBuffers, "chain: more than 256 values alive at once");
  const auto resolve = [&](int s) { return s >= 0 ? s : count_in + buffers_ + (-1 - s); };
  for (Instruction& instruction : instructions_) {
    for (int32_t& operand : instruction.operands) operand = resolve(operand);
    instruction.out = resolve(instruction.out);
  }
  for (size_t o = 0; o < outputs_.size(); ++o) outputs_[o].slot = resolve(slot[values[o]]);
  // Reductions read before anything is copied over what may be their operand.
  for (size_t o = 0; o < outputs_.size(); ++o) {
    if (outputs_[o].finish == Finish::kReduce) finishing_.push_back(static_cast<int>(o));
  }
  for (size_t o = 0; o < outputs_.size(); ++o) {
    if (outputs_[o].finish != Finish::kReduce && outputs_[o].finish != Finish::kDirect) {
      finishing_.push_back(static_cast<int>(o));
    } else if (outputs_[o].finish == Finish::kDirect) {
      direct_.push_back(static_cast<int>(o));
    }
  }
  choose_tile(general, buffers_, cost);
}

// Drops dimensions of 1 and merges neighbours that every input steps through as one.
void ChainPlan::merge_dims(const Chain& chain, std::span<const TensorView> inputs) {
  for (const TensorView& view : inputs) {
    require(view.rank >= 0 && view.rank <= chain.rank,
            "chain: an input has more dimensions than the result");
    Input input = {Layout::kGeneral, is_byte(view.dtype), -1, 0, {}};
    int64_t stride = 1;
    for (int d = chain.rank - 1, from = view.rank - 1; d >= 0; --d, --from) {
      const int64_t dim = from >= 0 ? view.dims[from] : 1;
      require(dim == chain.dims[d] || dim == 1, "chain: an input does not broadcast to the result");
      input.strides[d] = dim == 1 || total_ == 0 ? 0 : stride;
      if (total_ > 0) stride *= dim;  // of an empty space it could overflow
    }
    inputs_.push_back(input);
  }
  for (int d = 0; d < chain.rank && total_ > 0; ++d) {
    const int64_t dim = chain.dims[d];
    if (dim == 1) continue;
    bool merges = rank_ > 0;
    for (const Input& input : inputs_) {
      if (rank_ > 0) merges &= input.strides[rank_ - 1] == input.strides[d] * dim;
    }
    const int to = merges ? rank_ - 1 : rank_++;
    dims_[to] = merges ? dims_[to] * dim : dim;
    for (Input& input : inputs_) input.strides[to] = input.strides[d];
  }
  for (Input& input : inputs_) {
    bool scalar = true, same = true;
    int64_t contiguous = 1;
    input.period = 1;
    for (int d = rank_ - 1; d >= 0; --d) {
      scalar &= input.strides[d] == 0;
      same &= input.strides[d] == contiguous;
      contiguous *= dims_[d];
      if (input.strides[d] != 0) input.period = contiguous;
    }
    // A space of one element: an element is an element, and in place costs nothing.
    if (scalar) input.layout = rank_ == 0 ? Layout::kSame : Layout::kScalar;
    if (same) input.layout = Layout::kSame;
  }
}

void ChainPlan::choose_tile(bool general, int buffers, double cost) {
  int64_t lanes = kTileLanes;
  while (lanes > kMinTileLanes && buffers * (lanes + kSlackLanes) * 4 > kScratchBytes) lanes /= 2;
  tile_ = lanes;
  if (total_ == 0) return;
  const int64_t cols = general ? dims_[rank_ - 1] : 0;
  if (general && cols >= std::min(kLongRow, lanes)) {
    row_cut_ = cols;
    const int64_t parts = (cols + lanes - 1) / lanes;
    tile_ = std::min(lanes, round_up((cols + parts - 1) / parts, 16));
  } else if (general) {
    tile_ = lanes / cols * cols;
  }
  if (reduces_ && inner_ <= lanes) {
    // Whole groups per tile.
    if (inner_ != row_cut_) {
      tile_ = lanes / inner_ * inner_;
      row_cut_ = 0;
    } else {
      tile_ = inner_;
    }
  } else if (reduces_) {
    group_cut_ = inner_;
  }
  // A memory stream or two besides the arithmetic; some microseconds for each thread at a time.
  block_ = std::clamp<int64_t>(static_cast<int64_t>(32768 * 6 / (4 + cost)), 4096, 32768);
  const int64_t unit = row_cut_ > 0 && row_cut_ <= block_ ? row_cut_ : tile_;
  block_ = std::max<int64_t>(1, block_ / unit) * unit;
  if (group_cut_ > 0 && inner_ > block_) {
    group_blocks_ = (inner_ + block_ - 1) / block_;
    blocks_ = total_ / inner_ * group_blocks_;
    partials_ = static_cast<size_t>(blocks_ * reduced_);
  } else {
    if (group_cut_ > 0) block_ = block_ / inner_ * inner_;
    blocks_ = (total_ + block_ - 1) / block_;
  }
}

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
