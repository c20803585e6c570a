// randomBits against published vectors of Philox4x32-10 and against a scalar form of it.
#include "step_runner.h"

namespace {

using namespace myelin;
using namespace myelin::test;

void philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
  uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]}, k0 = key[0], k1 = key[1];
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xd2511f53u} * c[0], p1 = uint64_t{0xcd9e8d57u} * c[2];
    c[0] = static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k0;
    c[1] = static_cast<uint32_t>(p1);
    c[2] = static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k1;
    c[3] = static_cast<uint32_t>(p0);
    k0 += 0x9e3779b9u;
    k1 += 0xbb67ae85u;
  }
  std::copy(c, c + 4, out);
}

struct Vector {
  uint32_t counter[4], key[2], want[4];
};
// From the kat_vectors file of the Random123 distribution.
const Vector kVectors[] = {{{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
                           {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
                            {0xffffffff, 0xffffffff},
                            {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
                           {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
                            {0xa4093822, 0x299f31d0},
                            {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}}};

}  // namespace

TEST(random_vectors) {
  for (const Vector& v : kVectors) {
    uint32_t plain[4];
    philox(v.counter, v.key, plain);
    for (int i = 0; i < 4; ++i) CHECK_EQ(plain[i], v.want[i]);
    // The kernel starts at multiples of 16 blocks, so the wanted block is one of the first 16.
    const uint64_t block = uint64_t{v.counter[1]} << 32 | v.counter[0];
    const int64_t first = static_cast<int64_t>(block / 16 * 16);
    const size_t at = static_cast<size_t>(block % 16) * 4;
    for (const KernelTable* kernels : levels()) {
      int32_t out[64];
      kernels->random_bits(v.key[0], v.key[1], v.counter[2], v.counter[3], first, 64, out);
      for (size_t i = 0; i < 4; ++i) CHECK_EQ(static_cast<uint32_t>(out[at + i]), v.want[i]);
    }
  }
}

TEST(random_crosses_words) {
  // Around the block where the low counter word wraps.
  const int64_t first = (int64_t{1} << 32) - 32;
  for (const KernelTable* kernels : levels()) {
    int32_t out[4 * 64];
    kernels->random_bits(1, 2, 3, 4, first, 4 * 64, out);
    for (int64_t b = 0; b < 64; ++b) {
      const uint64_t block = static_cast<uint64_t>(first + b);
      const uint32_t counter[] = {static_cast<uint32_t>(block), static_cast<uint32_t>(block >> 32),
                                  3, 4};
      const uint32_t key[] = {1, 2};
      uint32_t want[4];
      philox(counter, key, want);
      for (int64_t i = 0; i < 4; ++i) CHECK_EQ(static_cast<uint32_t>(out[4 * b + i]), want[i]);
    }
  }
}

TEST(random_bits_shapes) {
  const int32_t key[] = {-77, 1234567}, step = -3, stream = 9;
  for (const Dims& dims :
       {Dims{}, Dims{0}, Dims{1}, Dims{3}, Dims{5}, Dims{15}, Dims{16}, Dims{17}, Dims{63},
        Dims{64}, Dims{65}, Dims{7, 19}, Dims{32767}, Dims{32769}, Dims{3, 20001}}) {
    Operand want = empty(DType::kInt32, dims);
    for (int64_t i = 0; i < want.type.size; ++i) {
      const uint32_t counter[] = {static_cast<uint32_t>(i / 4), 0, stream,
                                  static_cast<uint32_t>(step)};
      const uint32_t words[] = {static_cast<uint32_t>(key[0]), static_cast<uint32_t>(key[1])};
      uint32_t block[4];
      philox(counter, words, block);
      want.data<uint32_t>()[i] = block[i % 4];
    }
    each_level({plan_randomBits, {stream}}, {ints({2}, {key[0], key[1]}), ints({}, {step})},
               {want.type}, [&](const StepResult& result, const KernelTable& kernels) {
                 expect_same(result.outputs[0], want, std::string("randomBits ") + kernels.level);
               });
  }
}

TEST(random_refuses) {
  const TensorView key = view(DType::kInt32, {2}), counter = view(DType::kInt32, {});
  const TensorView out = view(DType::kInt32, {8});
  expect_refused({plan_randomBits, {0}}, {key}, {out}, "no counter");
  expect_refused({plan_randomBits, {0}}, {counter, counter}, {out}, "scalar key");
  expect_refused({plan_randomBits, {0}}, {view(DType::kFloat32, {2}), counter}, {out},
                 "float32 key");
  expect_refused({plan_randomBits, {0}}, {view(DType::kInt32, {3}), counter}, {out},
                 "three key words");
  expect_refused({plan_randomBits, {0}}, {key, key}, {out}, "counter of rank 1");
  expect_refused({plan_randomBits, {0}}, {key, counter}, {view(DType::kFloat32, {8})},
                 "float32 output");
  expect_refused({plan_randomBits}, {key, counter}, {out}, "no stream");
}

TEST(random_mask_is_a_comparison_of_bits) {
  for (const float rate : {0.0f, 0.1f, 0.5f, 0.75f, 0.999999940395f, 1.0f}) {
    for (const int64_t n : {1, 31, 64, 1000, 70001}) {
      const Operand key = ints({2}, {7, -9}), counter = ints({}, {5});
      Step bits = {plan_randomBits}, mask = {plan_dropoutMask};
      bits.attr_ints = mask.attr_ints = {3};
      mask.attr_floats = {rate};
      std::vector<int32_t> words;
      each_level(
          bits, {key, counter}, {view(DType::kInt32, {n})},
          [&](const StepResult& r, const KernelTable&) { words = r.outputs[0].values<int32_t>(); });
      each_level(mask, {key, counter}, {view(DType::kBool, {n})},
                 [&](const StepResult& r, const KernelTable&) {
                   for (size_t i = 0; i < words.size(); ++i) {
                     const float u =
                         static_cast<float>(static_cast<uint32_t>(words[i]) >> 8) * 0x1p-24f;
                     CHECK_EQ(int{r.outputs[0].data<uint8_t>()[i]}, int{u >= rate});
                   }
                 });
    }
  }
}

TEST(random_mask_refuses) {
  const TensorView key = view(DType::kInt32, {2}), counter = view(DType::kInt32, {});
  const TensorView out = view(DType::kBool, {4});
  Step step = {plan_dropoutMask};
  step.attr_ints = {0};
  expect_refused(step, {key, counter}, {out}, "no rate");
  step.attr_floats = {1.5f};
  expect_refused(step, {key, counter}, {out}, "rate above 1");
  step.attr_floats = {NAN};
  expect_refused(step, {key, counter}, {out}, "rate that is no number");
  step.attr_floats = {0.5f};
  expect_refused(step, {key, counter}, {view(DType::kInt32, {4})}, "int32 output");
  expect_refused(step, {counter, counter}, {out}, "key of one word");
}
