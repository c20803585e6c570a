// Writes encoded Programs by hand for native tests, in the words of src/program/encode.ts.
#ifndef MYELIN_TESTS_PROGRAM_BUILDER_H_
#define MYELIN_TESTS_PROGRAM_BUILDER_H_

#include <cstdint>
#include <cstring>
#include <memory>
#include <vector>

#include "../engine.h"
#include "../program.h"

namespace myelin::test {

class ProgramBuilder {
 public:
  struct Shape {
    DType dtype;
    std::vector<int32_t> dims;
    int64_t size() const {
      int64_t n = 1;
      for (const int32_t d : dims) n *= d;
      return n;
    }
  };

  int slot(const Shape& shape, int32_t access) {
    slots_.insert(slots_.end(), {static_cast<int32_t>(shape.dtype), access});
    wide(slots_, shape.size());
    const int tensor = add(shape, Space::kBound, slot_count_, 0);
    ++slot_count_;
    return tensor;
  }
  int arena(const Shape& shape) {
    const int tensor = add(shape, Space::kArena, 0, arena_bytes_);
    arena_bytes_ += aligned(shape.size() * bytes_of(shape.dtype));
    return tensor;
  }
  int prepared(const Shape& shape) {
    const int tensor = add(shape, Space::kPrepared, 0, prepared_bytes_);
    prepared_bytes_ += aligned(shape.size() * bytes_of(shape.dtype));
    return tensor;
  }
  // The steps so far are preparation.
  void end_preparation() { preparation_ = step_count_; }
  int constant(const Shape& shape, const void* data) {
    const int64_t bytes = shape.size() * bytes_of(shape.dtype);
    const int tensor = add(shape, Space::kConstant, 0, static_cast<int64_t>(constants_.size()));
    constants_.resize(constants_.size() + static_cast<size_t>(aligned(bytes)));
    std::memcpy(constants_.data() + constants_.size() - aligned(bytes), data,
                static_cast<size_t>(bytes));
    return tensor;
  }
  int tensor(const Shape& shape, Space space, int32_t slot, int64_t offset) {
    return add(shape, space, slot, offset);
  }
  void step(Opcode opcode, const std::vector<int32_t>& inputs, const std::vector<int32_t>& outputs,
            const std::vector<int32_t>& attrs = {}) {
    const auto count = [](const std::vector<int32_t>& list) {
      return static_cast<int32_t>(list.size());
    };
    const int32_t words = 3 + count(inputs) + count(outputs) + count(attrs);
    steps_.insert(steps_.end(), {static_cast<int32_t>(opcode), words, count(inputs), count(outputs),
                                 count(attrs)});
    for (const auto* list : {&inputs, &outputs, &attrs})
      steps_.insert(steps_.end(), list->begin(), list->end());
    ++step_count_;
  }

  void set_arena_bytes(int64_t bytes) { arena_bytes_ = bytes; }
  const std::vector<std::byte>& constants() const { return constants_; }

  std::vector<int32_t> words() const {
    std::vector<int32_t> all = {kProgramMagic, kProgramVersion, kOpcodeHash, slot_count_,
                                tensor_count_, step_count_,     preparation_};
    wide(all, arena_bytes_);
    wide(all, static_cast<int64_t>(constants_.size()));
    wide(all, prepared_bytes_);
    for (const auto* part : {&slots_, &tensors_, &steps_})
      all.insert(all.end(), part->begin(), part->end());
    return all;
  }

  std::unique_ptr<Program> decode() const {
    const std::vector<int32_t> encoded = words();
    return decode_program(encoded.data(), encoded.size(), constants_.data(), constants_.size(),
                          context());
  }
  uint32_t load(Engine& engine) const {
    const std::vector<int32_t> encoded = words();
    return engine.load(encoded.data(), encoded.size(), constants_.data(), constants_.size());
  }

  static PlanContext context() { return {*kernel_table(detect_best()), 2}; }

 private:
  static int64_t aligned(int64_t bytes) { return (bytes + 63) / 64 * 64; }
  static void wide(std::vector<int32_t>& words, int64_t value) {
    words.push_back(static_cast<int32_t>(static_cast<uint64_t>(value)));
    words.push_back(static_cast<int32_t>(static_cast<uint64_t>(value) >> 32));
  }
  int add(const Shape& shape, Space space, int32_t slot, int64_t offset) {
    tensors_.insert(tensors_.end(), {static_cast<int32_t>(space), slot});
    wide(tensors_, offset);
    tensors_.insert(tensors_.end(),
                    {static_cast<int32_t>(shape.dtype), static_cast<int32_t>(shape.dims.size())});
    tensors_.insert(tensors_.end(), shape.dims.begin(), shape.dims.end());
    return tensor_count_++;
  }

  std::vector<int32_t> slots_, tensors_, steps_;
  std::vector<std::byte> constants_;
  int32_t slot_count_ = 0, tensor_count_ = 0, step_count_ = 0;
  int32_t preparation_ = 0;
  int64_t arena_bytes_ = 0, prepared_bytes_ = 0;
};

inline ProgramBuilder::Shape f32(std::vector<int32_t> dims) {
  return {DType::kFloat32, std::move(dims)};
}
inline ProgramBuilder::Shape i32(std::vector<int32_t> dims) {
  return {DType::kInt32, std::move(dims)};
}

// The words of a float and of a micro-op among attributes.
inline int32_t bits(float value) {
  int32_t word;
  std::memcpy(&word, &value, sizeof word);
  return word;
}
inline int32_t id(MicroOp micro) { return static_cast<int32_t>(micro); }

// One of nearly everything the format has: all attribute kinds, spaces, chains with reductions, an
// epilogue.
inline ProgramBuilder everything() {
  ProgramBuilder p;
  const int32_t weights[6] = {};
  const int x = p.slot(f32({4, 3}), kRead), state = p.slot(f32({3, 2}), kRead | kWrite);
  const int labels = p.slot(i32({4}), kRead), result = p.slot(f32({4}), kWrite);
  const int w = p.constant(f32({3, 2}), weights), bias = p.constant(f32({2}), weights);
  const int product = p.arena(f32({4, 2})), sums = p.arena(f32({4})), lse = p.arena(f32({4}));
  // Preparation: the input of a later step.
  const int squares = p.prepared(f32({4, 3}));
  p.step(Opcode::elementwise, {x}, {squares},
         {1, 2, 4, 3, 1, 0, 1, 1, id(MicroOp::square_f32), 0, 1, 0});
  p.end_preparation();
  // Weights that are packed ahead.
  const int steady = p.slot(f32({150, 200}), kRead | kSteady);
  const int row = p.arena(f32({1, 150}));
  p.step(Opcode::matmul, {row, steady}, {p.arena(f32({1, 200}))}, {0, 0, 0});
  // tanh(x w + bias) as an epilogue
  p.step(Opcode::matmul, {x, w, bias}, {product},
         {0, 0, 1, 2, 2, 4, 2, 1, 0, 2, 1, id(MicroOp::add_f32), 0, 1, id(MicroOp::tanh_f32), 2, 3,
          0});
  // sum of squares along rows
  p.step(Opcode::elementwise, {product}, {sums},
         {1, 2, 4, 2, 2, 0, 1, 1, id(MicroOp::square_f32), 0, 1, 1});
  // A convolution with strides and padding, its kernel packed ahead, and both gradients.
  const int image = p.arena(f32({2, 5, 4, 3})), kernel = p.slot(f32({3, 2, 3, 4}), kRead | kSteady);
  const int seen = p.arena(f32({2, 3, 4, 4}));
  const std::vector<int32_t> conv = {2, 2, 1, 2, 1, 0, 2, 1, 1, 2, 1, 1, 1};
  std::vector<int32_t> fused = conv;
  for (const int32_t word : {1, 1, 4, 2, 3, 4, 4, 1, 0, 1, 1, id(MicroOp::relu_f32), 0, 1, 0})
    fused.push_back(word);
  p.step(Opcode::conv, {image, kernel}, {seen}, fused);
  std::vector<int32_t> plain = conv;
  plain.push_back(0);
  p.step(Opcode::convInputGrad, {seen, kernel}, {image}, plain);
  p.step(Opcode::convKernelGrad, {image, seen}, {p.arena(f32({3, 2, 3, 4}))}, conv);
  p.step(Opcode::sparseSoftmaxCrossEntropy, {product, labels}, {result, lse});
  p.step(Opcode::sum, {product}, {p.arena(f32({2}))}, {0, 1});
  p.step(Opcode::transpose, {state}, {p.arena(f32({2, 3}))}, {2, 1, 0});
  p.step(Opcode::slice, {x}, {p.arena(f32({2, 2}))}, {2, 1, 0, 2, 2, 1});
  p.step(Opcode::pad, {sums}, {p.arena(f32({9}))}, {1, 1, 1, 1, bits(1.5f)});
  p.step(Opcode::gather, {x, labels}, {p.arena(f32({4, 3}))}, {0});
  p.step(Opcode::scatterAdd, {labels, x}, {p.arena(f32({5, 3}))}, {0});
  p.step(Opcode::cumsum, {x}, {p.arena(f32({4, 3}))}, {1, 1, 0});
  p.step(Opcode::sort, {x}, {p.arena(f32({4, 3})), p.arena(i32({4, 3}))}, {1, 1});
  p.step(Opcode::argmax, {x}, {p.arena(i32({4}))}, {1});
  p.step(Opcode::concatenate, {x, x}, {p.arena(f32({8, 3}))}, {0});
  p.step(Opcode::reverse, {x}, {p.arena(f32({4, 3}))}, {1, 1});
  const int key = p.arena(i32({2})), counter = p.arena(i32({}));
  p.step(Opcode::iota, {}, {key});
  p.step(Opcode::sum, {key}, {counter}, {0, 1});
  p.step(Opcode::randomBits, {key, counter}, {p.arena(i32({7}))}, {3});
  p.step(Opcode::softmax, {squares}, {p.arena(f32({4, 3}))});
  const int rate = p.constant(f32({}), weights), gradient = p.arena(f32({3, 2}));
  p.step(Opcode::elementwise, {state}, {gradient},
         {1, 2, 3, 2, 1, 0, 1, 1, id(MicroOp::negative_f32), 0, 1, 0});
  const int scale = p.arena(f32({1}));
  p.step(Opcode::squaredNorms, {gradient}, {scale});
  p.step(Opcode::sgdUpdate, {rate, counter, scale, state, gradient}, {state},
         {bits(0), 0, bits(0), bits(0), 1, 0, bits(0), 0});
  return p;
}

}  // namespace myelin::test

#endif  // MYELIN_TESTS_PROGRAM_BUILDER_H_
