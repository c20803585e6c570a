// Planning of chains: everything in the spec is untrusted and checked here, so that chain.cc need
// check nothing.
#include <algorithm>
#include <string_view>

#include "../sizes.h"
#include "chain.h"

namespace myelin {
namespace {

// On Zen 5 (48 KiB of L1) 512 and 2048 do as well, 256 costs 15 to 35 %. Halved while many
// registers are alive.
constexpr int64_t kTileLanes = 1024;
// Rows from here on are tiles of their own, so that operands that repeat by rows are used in place.
// Below, writing out several rows costs less than the many short calls: rows of 256 gain a third to
// two thirds.
constexpr int64_t kLongRow = 512;
constexpr size_t kMaxInstructions = 4096;

enum class Lane { kFloat, kInt, kAny };

struct MicroInfo {
  Lane in, out;  // kAny: as the operands are
  int arity;
  double cost;  // in additions, roughly; decides how finely work is split
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

}  // namespace

// The chain as instructions over values: 0 .. inputs - 1 are the inputs, then one for each step.
struct ChainPlan::Draft {
  int inputs;
  std::vector<ChainInstruction> steps;
  std::vector<int> wanted;  // the value of each output
  // By value:
  std::vector<Lane> lanes;
  std::vector<int> last_use;  // step; -1 never, steps.size() by an output once a tile is computed
  std::vector<int> direct;    // output whose memory it is computed into, or -1
  int last_memory_read = -1;  // step after which nobody reads the memory of an input any more
  double cost = 0;

  int count() const { return inputs + static_cast<int>(steps.size()); }
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
  Draft draft = type_values(chain, inputs);
  plan_outputs(draft, chain, outputs);
  assign_registers(draft);
  choose_tile(draft.cost);
}

// Operands defined, lane types as the micro-ops want them.
ChainPlan::Draft ChainPlan::type_values(const Chain& chain,
                                        std::span<const TensorView> inputs) const {
  require(chain.instructions.size() <= kMaxInstructions, "chain: more than 4096 instructions");
  Draft draft = {chain.inputs, chain.instructions, {}, {}, {}, {}};
  for (const ChainOutput& output : chain.outputs) {
    require(output.value >= 0 && output.value < draft.count(), "chain: an output is not defined");
    draft.wanted.push_back(output.value);
  }
  // An input that is itself one of several outputs goes through a register: copied straight, it
  // could overwrite the memory of another input that is still to be copied.
  for (size_t o = 0; o < chain.outputs.size() && chain.outputs.size() > 1; ++o) {
    if (draft.wanted[o] >= draft.inputs || chain.outputs[o].reduction != ChainReduction::kNone)
      continue;
    draft.steps.push_back({MicroOp::copy, {draft.wanted[o], 0, 0}});
    draft.wanted[o] = draft.count() - 1;
  }
  draft.last_use.assign(static_cast<size_t>(draft.count()), -1);
  draft.direct.assign(static_cast<size_t>(draft.count()), -1);
  for (const TensorView& view : inputs) draft.lanes.push_back(lane_of(view.dtype));
  for (int j = 0; j < static_cast<int>(draft.steps.size()); ++j) {
    const ChainInstruction& step = draft.steps[j];
    const auto micro = static_cast<int32_t>(step.micro);
    require(micro >= 0 && micro < kMicroOpCount, "chain: unknown micro-op");
    const MicroInfo& info = kMicros[micro];
    draft.cost += info.cost;
    Lane result = info.out;
    for (int k = 0; k < info.arity; ++k) {
      const int v = step.operands[k];
      require(v >= 0 && v < draft.inputs + j, "chain: an operand is not defined yet");
      const Lane lane = draft.lanes[v];
      const bool any = info.in == Lane::kAny || (step.micro == MicroOp::where && k > 0);
      require(any || lane == info.in, "chain: an operand has the wrong lane type");
      if (any && result == Lane::kAny) result = lane;
      require(!any || lane == result, "chain: where needs two values of one lane type");
      draft.last_use[v] = j;
      if (v < draft.inputs && inputs_[v].layout != Layout::kScalar) draft.last_memory_read = j;
    }
    draft.lanes.push_back(result);
  }
  return draft;
}

// What is left to do for each output once its value is there. An output may lie on an input of the
// same size, so values are computed straight into it only where no later step reads an input's
// memory.
void ChainPlan::plan_outputs(Draft& draft, const Chain& chain,
                             std::span<const TensorView> outputs) {
  const int end = static_cast<int>(draft.steps.size());
  for (const int v : draft.wanted) {
    if (v < draft.inputs) draft.last_memory_read = end;
  }
  for (size_t o = 0; o < outputs.size(); ++o) {
    const ChainReduction reduction = chain.outputs[o].reduction;
    const int v = draft.wanted[o];
    const TensorView& view = outputs[o];
    require(reduction >= ChainReduction::kNone && reduction <= ChainReduction::kProd,
            "chain: unknown reduction");
    const bool reduced = reduction != ChainReduction::kNone;
    require(lane_of(view.dtype) == draft.lanes[v], "chain: an output has the wrong dtype");
    // Reductions over nothing (inner 0) have as many results as their shape says.
    const bool fits = reduced ? inner_ == 0 || view.size == total_ / inner_ : view.size == total_;
    require(fits, "chain: an output has the wrong size");
    Output output = {};
    output.bytes = is_byte(view.dtype);
    output.floats = draft.lanes[v] == Lane::kFloat;
    output.reduction = reduction;
    output.size = view.size;
    output.buffer = -1;
    if (reduced) {
      output.finish = Finish::kReduce;
      ++reduced_;
      const auto r = static_cast<size_t>(reduction);
      ReduceRowsF32* const f32[] = {nullptr, kernels_.sum_rows_f32, kernels_.max_rows_f32,
                                    kernels_.min_rows_f32, kernels_.prod_rows_f32};
      ReduceRowsI32* const i32[] = {nullptr, kernels_.sum_rows_i32, kernels_.max_rows_i32,
                                    kernels_.min_rows_i32, kernels_.prod_rows_i32};
      output.reduce_f32 = f32[r];
      output.reduce_i32 = i32[r];
    } else if (output.bytes) {
      output.finish = Finish::kNarrow;
    } else if (v >= draft.inputs && v - draft.inputs >= draft.last_memory_read &&
               draft.direct[v] < 0) {
      output.finish = Finish::kDirect;
      draft.direct[v] = static_cast<int>(o);
    } else {
      output.finish = Finish::kCopy;
    }
    if (output.finish != Finish::kDirect) draft.last_use[v] = end;
    outputs_.push_back(output);
  }
  // Reductions read before anything is copied over what may be their operand.
  const auto collect = [&](std::vector<int>& list, auto&& belongs) {
    for (size_t o = 0; o < outputs_.size(); ++o) {
      if (belongs(outputs_[o].finish)) list.push_back(static_cast<int>(o));
    }
  };
  collect(direct_, [](Finish f) { return f == Finish::kDirect; });
  collect(finishing_, [](Finish f) { return f == Finish::kReduce; });
  collect(finishing_, [](Finish f) { return f == Finish::kCopy || f == Finish::kNarrow; });
}

// A value's buffer is free again after its last use; a step may write over its operands. Inputs
// that need a buffer keep it, since scalars and repeating rows are filled once and serve many
// tiles.
void ChainPlan::assign_registers(const Draft& draft) {
  for (Input& input : inputs_) {
    const bool in_place = input.layout == Layout::kSame && !input.bytes;
    input.buffer = in_place ? -1 : draft.inputs + buffers_++;
  }
  for (Output& output : outputs_) {
    const bool narrows = output.finish == Finish::kReduce && output.bytes;
    if (narrows) output.buffer = draft.inputs + buffers_++;
  }
  std::vector<int> slot(static_cast<size_t>(draft.count())), unused;
  for (int i = 0; i < draft.inputs; ++i) slot[i] = i;
  for (int j = 0; j < static_cast<int>(draft.steps.size()); ++j) {
    const ChainInstruction& step = draft.steps[j];
    const int arity = kMicros[static_cast<int32_t>(step.micro)].arity;
    Instruction instruction = {kernel_of(kernels_, step.micro), {0, 0, 0}, -1};
    for (int k = 0; k < 3; ++k) {
      const int v = step.operands[k < arity ? k : 0];
      instruction.operands[k] = slot[v];
      const bool repeated = (k > 0 && v == step.operands[0]) || (k > 1 && v == step.operands[1]);
      const bool last = k < arity && !repeated && draft.last_use[v] == j;
      if (last && v >= draft.inputs && draft.direct[v] < 0) unused.push_back(slot[v]);
    }
    const int v = draft.inputs + j;
    if (draft.direct[v] >= 0) {
      slot[v] = -1 - draft.direct[v];  // resolved below, once the number of buffers is known
    } else {
      if (unused.empty()) unused.push_back(draft.inputs + buffers_++);
      slot[v] = unused.back();
      unused.pop_back();
      if (draft.last_use[v] < 0) unused.push_back(slot[v]);  // dead, yet computed
    }
    instruction.out = slot[v];
    instructions_.push_back(instruction);
  }
  require(buffers_ <= kMaxBuffers, "chain: more than 256 values alive at once");
  const auto resolve = [&](int s) { return s >= 0 ? s : draft.inputs + buffers_ + (-1 - s); };
  for (Instruction& instruction : instructions_) {
    for (int32_t& operand : instruction.operands) operand = resolve(operand);
    instruction.out = resolve(instruction.out);
  }
  for (size_t o = 0; o < outputs_.size(); ++o) outputs_[o].slot = resolve(slot[draft.wanted[o]]);
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

void ChainPlan::choose_tile(double cost) {
  const bool general = std::any_of(inputs_.begin(), inputs_.end(),
                                   [](const Input& i) { return i.layout == Layout::kGeneral; });
  int64_t lanes = kTileLanes;
  while (lanes > kMinTileLanes && buffers_ * (lanes + kSlackLanes) * 4 > kScratchBytes) lanes /= 2;
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
  if (reduces() && inner_ <= lanes) {
    // Whole groups per tile.
    if (inner_ != row_cut_) {
      tile_ = lanes / inner_ * inner_;
      row_cut_ = 0;
    } else {
      tile_ = inner_;
    }
  } else if (reduces()) {
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

}  // namespace myelin
