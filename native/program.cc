// The decoder. Its input may be hostile: it reads through Reader, which cannot pass the end, sizes
// every allocation by words that exist, and multiplies only below kMaxElements.
#include "program.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <new>
#include <string>

#include "errors.h"

namespace myelin {

std::string format(const char* pattern, ...) {
  char text[512];
  va_list args;
  va_start(args, pattern);
  std::vsnprintf(text, sizeof text, pattern, args);
  va_end(args);
  return text;
}

const char* opcode_name(Opcode opcode) {
  static constexpr const char* kNames[] = {
#define MYELIN_X(name, attrs) #name,
      MYELIN_OPCODES(MYELIN_X)
#undef MYELIN_X
  };
  return kNames[static_cast<int32_t>(opcode)];
}

namespace {

constexpr const char* kAttrKinds[] = {
#define MYELIN_X(name, attrs) attrs,
    MYELIN_OPCODES(MYELIN_X)
#undef MYELIN_X
};
constexpr int32_t kMicroArity[] = {
#define MYELIN_X(name, arity) arity,
    MYELIN_MICRO_OPS(MYELIN_X)
#undef MYELIN_X
};
constexpr const char* kMicroNames[] = {
#define MYELIN_X(name, arity) #name,
    MYELIN_MICRO_OPS(MYELIN_X)
#undef MYELIN_X
};
constexpr int32_t kReductionCount = static_cast<int32_t>(ChainReduction::kProd) + 1;
constexpr size_t kSlotWords = 4, kMinTensorWords = 6, kMinStepWords = 5;

#define EXPECT(condition, ...)                                 \
  do {                                                         \
    if (!(condition)) throw ProgramError(format(__VA_ARGS__)); \
  } while (0)

// Words in order; asking for one that is not there is an error.
class Reader {
 public:
  Reader(const int32_t* at, size_t count) : at_(at), end_(at + count) {}

  size_t left() const { return static_cast<size_t>(end_ - at_); }

  int32_t word(const char* what) {
    EXPECT(at_ != end_, "expected %s, got the end of the data", what);
    return *at_++;
  }

  // A size of something of which each piece takes at least `words` words.
  int32_t count(const char* what, size_t words) {
    const int32_t n = word(what);
    EXPECT(n >= 0 && static_cast<size_t>(n) <= left() / words,
           "expected %s to fit in the %zu words left, got %d", what, left(), n);
    return n;
  }

  int64_t wide(const char* what, int64_t limit) {
    const uint64_t low = static_cast<uint32_t>(word(what));
    const uint64_t high = static_cast<uint32_t>(word(what));
    const int64_t value = static_cast<int64_t>(low | high << 32);
    EXPECT(value >= 0 && value <= limit, "expected %s from 0 to %lld, got %lld", what,
           static_cast<long long>(limit), static_cast<long long>(value));
    return value;
  }

  int32_t below(const char* what, int32_t limit) {
    const int32_t value = word(what);
    EXPECT(value >= 0 && value < limit, "expected %s from 0 to %d, got %d", what, limit - 1, value);
    return value;
  }

  // The next n words as a reader of their own.
  Reader part(const char* what, int32_t n) {
    EXPECT(n >= 0 && static_cast<size_t>(n) <= left(), "expected %s of at most %zu words, got %d",
           what, left(), n);
    Reader reader(at_, static_cast<size_t>(n));
    at_ += n;
    return reader;
  }

 private:
  const int32_t* at_;
  const int32_t* end_;
};

DType read_dtype(Reader& reader) { return static_cast<DType>(reader.below("a dtype", 4)); }

// Rank and dims; returns the product. Zero counts as one against the limit, so that products of
// some of the dims, as planners form them, stay small too.
int64_t read_shape(Reader& reader, int32_t* rank, int64_t* dims) {
  *rank = reader.below("a rank", kMaxRank + 1);
  int64_t size = 1, padded = 1;
  for (int32_t i = 0; i < *rank; ++i) {
    const int64_t dim = reader.word("a dimension");
    EXPECT(dim >= 0, "expected dimensions of at least 0, got %lld", static_cast<long long>(dim));
    dims[i] = dim;
    const int64_t factor = dim == 0 ? 1 : dim;
    EXPECT(padded <= kMaxElements / factor, "expected at most 2^40 elements in a shape");
    padded *= factor;
    size *= dim;
  }
  return size;
}

struct Tensor {
  TensorView view;
  OperandPlace place;
};

class Decoder {
 public:
  Decoder(const int32_t* words, size_t count, const PlanContext& context)
      : reader_(words, count), context_(context), program_(std::make_unique<Program>()) {}

  std::unique_ptr<Program> decode(const std::byte* constants, size_t constant_bytes) {
    EXPECT(reader_.word("the magic number") == kProgramMagic, "expected a Program, got other data");
    const int32_t version = reader_.word("a version");
    EXPECT(version == kProgramVersion, "expected version %d, got %d", kProgramVersion, version);
    const int32_t hash = reader_.word("an opcode hash");
    EXPECT(hash == kOpcodeHash, "expected opcode table %08x, got %08x",
           static_cast<unsigned>(kOpcodeHash), static_cast<unsigned>(hash));
    const int32_t slots = reader_.count("the number of slots", kSlotWords);
    const int32_t tensors = reader_.count("the number of tensors", kMinTensorWords);
    const int32_t steps = reader_.count("the number of steps", kMinStepWords);
    program_->preparation = reader_.below("the number of steps of preparation", steps + 1);
    program_->arena_bytes = aligned(reader_.wide("the arena's size", kMaxArenaBytes));
    const int64_t expected = reader_.wide("the constants' size", kMaxArenaBytes);
    EXPECT(static_cast<uint64_t>(expected) == constant_bytes,
           "expected %lld bytes of constants, got %zu", static_cast<long long>(expected),
           constant_bytes);
    constant_bytes_ = expected;
    program_->prepared_bytes = aligned(reader_.wide("the prepared size", kMaxArenaBytes));
    declared_ = program_->prepared_bytes;

    program_->slots.reserve(slots);
    for (int32_t i = 0; i < slots; ++i) read_slot(i);
    written_.resize(slots);
    tensors_.reserve(tensors);
    for (int32_t i = 0; i < tensors; ++i) read_tensor(i);
    program_->steps.reserve(steps);
    for (int32_t i = 0; i < steps; ++i) {
      preparing_ = i < program_->preparation;
      read_step(i);
    }
    EXPECT(reader_.left() == 0, "expected the end after %d steps, got %zu more words", steps,
           reader_.left());

    program_->constants = Block::make(constant_bytes);
    if (!program_->constants.valid()) throw std::bad_alloc();
    if (constant_bytes > 0) std::memcpy(program_->constants.data(), constants, constant_bytes);
    return std::move(program_);
  }

 private:
  static int64_t aligned(int64_t bytes) {
    constexpr auto kStep = static_cast<int64_t>(kAlignment);
    return (bytes + kStep - 1) / kStep * kStep;
  }

  // `what` fails with its number and the message in front of it.
  template <typename F>
  void named(const char* what, int32_t index, F&& body) {
    try {
      body();
    } catch (const ProgramError& error) {
      throw ProgramError(format("%s %d: %s", what, index, error.what()));
    }
  }

  void read_slot(int32_t index) {
    named("slot", index, [&] {
      SlotSpec slot;
      slot.dtype = read_dtype(reader_);
      slot.access = reader_.word("an access");
      EXPECT((slot.access >= kRead && slot.access <= (kRead | kWrite)) ||
                 slot.access == (kRead | kSteady),
             "expected an access of 1, 2, 3 or 5, got %d", slot.access);
      slot.elements = reader_.wide("a number of elements", kMaxElements);
      program_->slots.push_back(slot);
    });
  }

  void read_tensor(int32_t index) {
    named("tensor", index, [&] {
      Tensor tensor;
      tensor.place.space = static_cast<Space>(reader_.below("a space", 4));
      tensor.place.slot = reader_.word("a slot");
      tensor.place.offset = reader_.wide("an offset", kMaxArenaBytes);
      tensor.view.dtype = read_dtype(reader_);
      tensor.view.size = read_shape(reader_, &tensor.view.rank, tensor.view.dims);
      tensor.place.bytes = tensor.view.bytes();
      check_place(tensor);
      tensors_.push_back(tensor);
    });
  }

  void check_place(const Tensor& tensor) {
    const OperandPlace& place = tensor.place;
    if (place.space == Space::kBound) {
      EXPECT(place.slot >= 0 && static_cast<size_t>(place.slot) < program_->slots.size(),
             "expected a slot from 0 to %d, got %d", static_cast<int>(program_->slots.size()) - 1,
             place.slot);
      EXPECT(place.offset == 0, "expected offset 0 in a slot, got %lld",
             static_cast<long long>(place.offset));
      const SlotSpec& slot = program_->slots[place.slot];
      EXPECT(slot.dtype == tensor.view.dtype, "its dtype is not that of slot %d", place.slot);
      // Equal, not just enough: a write then defines all of its slot.
      EXPECT(slot.elements == tensor.view.size, "expected the %lld elements of slot %d, got %lld",
             static_cast<long long>(slot.elements), place.slot,
             static_cast<long long>(tensor.view.size));
      return;
    }
    const int64_t space = place.space == Space::kArena      ? program_->arena_bytes
                          : place.space == Space::kPrepared ? declared_
                                                            : constant_bytes_;
    EXPECT(place.slot == 0, "expected slot 0 outside of the bound space, got %d", place.slot);
    EXPECT(place.offset % static_cast<int64_t>(kAlignment) == 0,
           "expected an offset in steps of %zu, got %lld", kAlignment,
           static_cast<long long>(place.offset));
    EXPECT(place.offset <= space && tensor.view.bytes() <= space - place.offset,
           "%lld bytes from offset %lld on leave its space of %lld bytes",
           static_cast<long long>(tensor.view.bytes()), static_cast<long long>(place.offset),
           static_cast<long long>(space));
  }

  void read_step(int32_t index) {
    const char* name = "?";
    try {
      const Opcode opcode = static_cast<Opcode>(reader_.below("an opcode", kOpcodeCount));
      name = opcode_name(opcode);
      const int32_t length = reader_.word("a length");
      Reader body = reader_.part("a step", length);
      plan_step(opcode, body);
    } catch (const ProgramError& error) {
      throw StepError(index, format("step %d (%s): %s", index, name, error.what()));
    }
  }

  void plan_step(Opcode opcode, Reader& body) {
    StepSpec spec;
    spec.opcode = opcode;
    const int32_t inputs = body.count("the number of inputs", 1);
    const int32_t outputs = body.count("the number of outputs", 1);
    const int32_t words = body.word("the number of attribute words");
    EXPECT(words >= 0 && int64_t{inputs} + outputs + words == static_cast<int64_t>(body.left()),
           "expected %zu words for %d inputs, %d outputs and the attributes, got attributes of %d "
           "words",
           body.left(), inputs, outputs, words);
    PlannedStep step;
    step.opcode = opcode;
    step.inputs = static_cast<int32_t>(program_->operands.size());
    for (int32_t i = 0; i < inputs; ++i) {
      const Tensor& tensor = operand(body);
      check_input(tensor.place, i);
      spec.inputs.push_back(tensor.view);
      spec.steady.push_back(!preparing_ && is_steady(tensor.place));
    }
    step.outputs = static_cast<int32_t>(program_->operands.size());
    for (int32_t i = 0; i < outputs; ++i) {
      const Tensor& tensor = operand(body);
      check_output(tensor.place, i);
      spec.outputs.push_back(tensor.view);
    }
    for (const char* kind = kAttrKinds[static_cast<int32_t>(opcode)]; *kind != '\0'; ++kind) {
      read_attr(body, *kind, spec);
    }
    EXPECT(body.left() == 0, "expected the end of the attributes, got %zu more words", body.left());
    step.plan = planner_of(opcode)(spec, context_);
    require(step.plan != nullptr, "no kernel takes these operands");
    const size_t workspace = step.plan->workspace_bytes();
    EXPECT(workspace <= static_cast<size_t>(kMaxArenaBytes),
           "its workspace is too large: %zu bytes", workspace);
    if (workspace > program_->workspace_bytes) program_->workspace_bytes = workspace;
    if (step.plan->prepared_bytes() > 0) keep_prepared(step, spec);
    program_->steps.push_back(std::move(step));
  }

  bool is_steady(const OperandPlace& place) const {
    if (place.space == Space::kBound) return (program_->slots[place.slot].access & kSteady) != 0;
    return place.space == Space::kConstant || place.space == Space::kPrepared;
  }

  // A part of the prepared space for the plan, which follows the slots of its steady inputs.
  void keep_prepared(PlannedStep& step, const StepSpec& spec) {
    const size_t bytes = step.plan->prepared_bytes();
    EXPECT(bytes <= static_cast<size_t>(kMaxArenaBytes - program_->prepared_bytes),
           "what it prepares is too large: %zu bytes", bytes);
    step.prepared = program_->prepared_bytes;
    program_->prepared_bytes += aligned(static_cast<int64_t>(bytes));
    for (size_t i = 0; i < spec.inputs.size(); ++i) {
      const OperandPlace& place = program_->operands[static_cast<size_t>(step.inputs) + i];
      if (spec.is_steady(i) && place.space == Space::kBound) add_source(place.slot);
    }
  }

  void add_source(int32_t slot) {
    std::vector<int32_t>& sources = program_->sources;
    if (std::find(sources.begin(), sources.end(), slot) == sources.end()) sources.push_back(slot);
  }

  const Tensor& operand(Reader& body) {
    const Tensor& tensor = tensors_[body.below("a tensor", static_cast<int32_t>(tensors_.size()))];
    program_->operands.push_back(tensor.place);
    return tensor;
  }

  void check_input(const OperandPlace& place, int32_t index) {
    EXPECT(place.space != Space::kPrepared || program_->preparation > 0,
           "input %d is prepared, but there is no preparation", index);
    if (place.space != Space::kBound) return;
    const int32_t access = program_->slots[place.slot].access;
    EXPECT((access & kRead) != 0 || written_[place.slot],
           "input %d reads slot %d, which is for writing only and has not been written", index,
           place.slot);
    if (!preparing_) return;
    EXPECT((access & kWrite) == 0, "input %d of preparation reads slot %d, which is written", index,
           place.slot);
    add_source(place.slot);
  }

  void check_output(const OperandPlace& place, int32_t index) {
    EXPECT(place.space != Space::kConstant, "output %d is a constant", index);
    EXPECT(place.space != Space::kPrepared || preparing_,
           "output %d is prepared, but the step is no preparation", index);
    if (place.space != Space::kBound) return;
    EXPECT((program_->slots[place.slot].access & kWrite) != 0,
           "output %d writes slot %d, which is for reading only", index, place.slot);
    EXPECT(!preparing_, "output %d of preparation writes slot %d", index, place.slot);
    written_[place.slot] = true;
  }

  void read_attr(Reader& body, char kind, StepSpec& spec) {
    switch (kind) {
      case 'i':
        spec.attrs.ints.push_back(body.word("an integer attribute"));
        return;
      case 'b':
        spec.attrs.ints.push_back(body.below("a flag", 2));
        return;
      case 'f': {
        const int32_t bits = body.word("a float attribute");
        float value;
        std::memcpy(&value, &bits, sizeof value);
        spec.attrs.floats.push_back(value);
        return;
      }
      case 'l': {
        const int32_t length = body.count("the length of a list", 1);
        std::vector<int32_t> list;
        for (int32_t i = 0; i < length; ++i) list.push_back(body.word("a list"));
        spec.attrs.lists.push_back(std::move(list));
        return;
      }
      case 'o':
        if (body.below("a flag", 2) == 0) return;
        [[fallthrough]];
      default:
        spec.attrs.chain = read_chain(body, spec);
    }
  }

  std::unique_ptr<Chain> read_chain(Reader& body, const StepSpec& spec) {
    auto chain = std::make_unique<Chain>();
    // The first two inputs of a product (matmul, convolution) come in as one, its result.
    const int64_t inputs =
        static_cast<int64_t>(spec.inputs.size()) - (spec.opcode == Opcode::elementwise ? 0 : 1);
    chain->inputs = body.word("the inputs of a chain");
    EXPECT(chain->inputs == inputs && inputs > 0, "expected a chain of %lld inputs, got %d",
           static_cast<long long>(inputs), chain->inputs);
    read_shape(body, &chain->rank, chain->dims);
    chain->inner = body.wide("the inner size", kMaxElements);
    check_inner(*chain);
    const int32_t instructions = body.count("the number of instructions", 2);
    const int32_t outputs = body.count("the number of chain outputs", 2);
    EXPECT(static_cast<size_t>(outputs) == spec.outputs.size(),
           "expected a chain of %zu outputs, got %d", spec.outputs.size(), outputs);
    chain->instructions.reserve(instructions);
    for (int32_t i = 0; i < instructions; ++i) {
      ChainInstruction instruction = {};
      const int32_t micro = body.below("a micro-op", kMicroOpCount);
      instruction.micro = static_cast<MicroOp>(micro);
      for (int32_t j = 0; j < kMicroArity[micro]; ++j) {
        const int32_t value = body.word("an operand");
        EXPECT(value >= 0 && value < chain->inputs + i,
               "instruction %d (%s): expected an operand from 0 to %d, got %d", i,
               kMicroNames[micro], chain->inputs + i - 1, value);
        instruction.operands[j] = value;
      }
      chain->instructions.push_back(instruction);
    }
    for (int32_t i = 0; i < outputs; ++i) {
      const int32_t value = body.below("a chain output", chain->inputs + instructions);
      const int32_t reduction = body.below("a reduction", kReductionCount);
      chain->outputs.push_back({value, static_cast<ChainReduction>(reduction)});
    }
    return chain;
  }

  // The inner size is the product of some of the last dims.
  static void check_inner(const Chain& chain) {
    int64_t product = 1;
    int32_t axis = chain.rank;
    while (product != chain.inner && axis > 0) product *= chain.dims[--axis];
    EXPECT(product == chain.inner,
           "expected an inner size that is a product of trailing dimensions, got %lld",
           static_cast<long long>(chain.inner));
  }

  Reader reader_;
  const PlanContext& context_;
  std::unique_ptr<Program> program_;
  std::vector<Tensor> tensors_;
  std::vector<bool> written_;
  bool preparing_ = false;
  int64_t declared_ = 0;  // bytes of the prepared space that the Program itself uses
  int64_t constant_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Program> decode_program(const int32_t* words, size_t count,
                                        const std::byte* constants, size_t constant_bytes,
                                        const PlanContext& context) {
  return Decoder(words, count, context).decode(constants, constant_bytes);
}

}  // namespace myelin
