// Attention and its gradient against double precision: blocks with leftovers, shared heads, causal
// order, masks of every broadcast, rows that see nothing, dropout; and specifications that lie.
#include <algorithm>
#include <cmath>
#include <limits>

#include "step_runner.h"

namespace {

using namespace myelin;
using test::Dims;
using test::Operand;

struct Problem {
  int64_t batch, queries, keys, heads, key_heads, depth, width;
  bool causal;
  Dims mask;  // empty: none
  float rate = 0;
};

const Problem kProblems[] = {
    {1, 1, 1, 1, 1, 1, 1, false, {}},
    {2, 5, 7, 2, 1, 3, 4, false, {}},
    {1, 65, 130, 2, 2, 16, 16, false, {}},
    {1, 66, 257, 2, 1, 33, 17, true, {}},
    {2, 31, 20, 4, 2, 8, 5, true, {2, 1, 31, 20}},
    {1, 40, 129, 2, 2, 5, 7, false, {1, 2, 1, 129}},
    {2, 9, 6, 2, 2, 4, 4, false, {2, 1, 9, 1}},
    {1, 34, 140, 2, 1, 6, 3, true, {1, 2, 34, 140}, 0.4f},
    {1, 70, 33, 1, 1, 4, 4, false, {}, 0.25f},
    {2, 3, 4, 2, 2, 0, 2, false, {}},
    {2, 0, 4, 2, 2, 3, 2, false, {}},
    {0, 3, 4, 2, 2, 3, 2, true, {}},
};
constexpr float kScale = 0.3f;
constexpr int64_t kStream = 5;

Operand mask_of(const Dims& dims) {
  Operand m = test::empty(DType::kBool, dims);
  for (int64_t i = 0; i < m.type.size; ++i)
    m.data<uint8_t>()[i] = test::noise(99, static_cast<uint64_t>(i)) > -0.4f;
  // A row that sees nothing, where rows have masks of their own.
  if (dims[2] > 1) std::fill_n(m.data<uint8_t>() + dims[3], dims[3], uint8_t{0});
  return m;
}

std::vector<Operand> inputs_of(const Problem& p) {
  std::vector<Operand> in = {test::noise_floats({p.batch, p.queries, p.heads, p.depth}, 1),
                             test::noise_floats({p.batch, p.keys, p.key_heads, p.depth}, 2),
                             test::noise_floats({p.batch, p.keys, p.key_heads, p.width}, 3)};
  if (!p.mask.empty()) in.push_back(mask_of(p.mask));
  if (p.rate > 0) {
    in.push_back(test::ints({2}, {17, -4}));
    in.push_back(test::ints({}, {3}));
  }
  return in;
}

test::Step step_of(const Problem& p, PlanFunction plan) {
  test::Step step = {plan};
  step.attr_ints = {p.causal, !p.mask.empty(), kStream};
  step.attr_floats = {kScale, p.rate};
  return step;
}

// Everything in double precision, one weight at a time.
struct Exact {
  std::vector<double> out, lse, dq, dk, dv;
};

Exact exact_of(const Problem& p, const std::vector<Operand>& in, const float* g, const float* delta,
               const KernelTable& kernels) {
  const float *q = in[0].data<float>(), *k = in[1].data<float>(), *v = in[2].data<float>();
  const uint8_t* mask = p.mask.empty() ? nullptr : in[3].data<uint8_t>();
  std::vector<int32_t> bits(static_cast<size_t>(p.batch * p.heads * p.queries * p.keys));
  if (p.rate > 0) {
    const int32_t* key = in[in.size() - 2].data<int32_t>();
    kernels.random_bits(static_cast<uint32_t>(key[0]), static_cast<uint32_t>(key[1]), kStream, 3, 0,
                        static_cast<int64_t>(bits.size()), bits.data());
  }
  Exact e;
  const auto zeros = [](int64_t n) { return std::vector<double>(static_cast<size_t>(n)); };
  e.out = zeros(p.batch * p.queries * p.heads * p.width);
  e.lse = zeros(p.batch * p.queries * p.heads);
  e.dq = zeros(p.batch * p.queries * p.heads * p.depth);
  e.dk = zeros(p.batch * p.keys * p.key_heads * p.depth);
  e.dv = zeros(p.batch * p.keys * p.key_heads * p.width);
  for (int64_t b = 0; b < p.batch; ++b) {
    for (int64_t h = 0; h < p.heads; ++h) {
      for (int64_t t = 0; t < p.queries; ++t) {
        const int64_t kh = h / (p.heads / p.key_heads), row = (b * p.queries + t) * p.heads + h;
        const auto at = [&](int64_t s) { return (b * p.keys + s) * p.key_heads + kh; };
        std::vector<double> w(static_cast<size_t>(p.keys), -HUGE_VAL), keep(w.size(), 1.0);
        double top = -HUGE_VAL, total = 0;
        for (int64_t s = 0; s < p.keys; ++s) {
          const size_t i = static_cast<size_t>(s);
          if (p.rate > 0) {
            const size_t n = static_cast<size_t>(((b * p.heads + h) * p.queries + t) * p.keys + s);
            const float u = static_cast<float>(static_cast<uint32_t>(bits[n]) >> 8) * 0x1p-24f;
            keep[i] = u >= p.rate ? 1.0 / (1.0 - static_cast<double>(p.rate)) : 0;
          }
          const auto pick = [&](int axis, int64_t index) { return p.mask[axis] == 1 ? 0 : index; };
          const bool hidden =
              mask != nullptr &&
              mask[((pick(0, b) * p.mask[1] + pick(1, h)) * p.mask[2] + pick(2, t)) * p.mask[3] +
                   pick(3, s)] == 0;
          if (hidden || (p.causal && s > t)) continue;
          double sum = 0;
          for (int64_t d = 0; d < p.depth; ++d)
            sum += static_cast<double>(q[row * p.depth + d]) * k[at(s) * p.depth + d];
          w[i] = sum * kScale;
          top = std::max(top, w[i]);
        }
        const bool blind = top == -HUGE_VAL;
        for (double& x : w) total += x = blind ? 1 : std::exp(x - top);
        e.lse[static_cast<size_t>(row)] = blind ? -1e30 : top + std::log(total);
        for (int64_t s = 0; s < p.keys; ++s) {
          const size_t i = static_cast<size_t>(s);
          const double weight = w[i] / total, factor = blind ? 1 : keep[i];
          double dot = 0;
          for (int64_t c = 0; c < p.width; ++c) {
            const double value = v[at(s) * p.width + c];
            e.out[static_cast<size_t>(row * p.width + c)] += weight * factor * value;
            e.dv[static_cast<size_t>(at(s) * p.width + c)] +=
                weight * factor * g[row * p.width + c];
            dot += value * g[row * p.width + c];
          }
          const double ds =
              blind ? 0 : weight * (dot * factor - static_cast<double>(delta[row])) * kScale;
          for (int64_t d = 0; d < p.depth; ++d) {
            e.dq[static_cast<size_t>(row * p.depth + d)] += ds * k[at(s) * p.depth + d];
            e.dk[static_cast<size_t>(at(s) * p.depth + d)] += ds * q[row * p.depth + d];
          }
        }
      }
    }
  }
  return e;
}

void expect_near(const Operand& got, const std::vector<double>& want, const char* what) {
  double largest = 1e-3;
  for (const double x : want) largest = std::max(largest, std::abs(x) > 1e29 ? 0 : std::abs(x));
  for (size_t i = 0; i < want.size(); ++i) {
    const double error = std::abs(static_cast<double>(got.data<float>()[i]) - want[i]);
    if (!(error <= 5e-6 * largest + 1e-7 * std::abs(want[i])))
      test::fail(__FILE__, __LINE__, "%s: at %zu got %g, want %g", what, i,
                 static_cast<double>(got.data<float>()[i]), want[i]);
  }
}

}  // namespace

TEST(attention_both_ways) {
  for (const Problem& p : kProblems) {
    const std::vector<Operand> in = inputs_of(p);
    const Dims rows = {p.batch, p.queries, p.heads}, full = {p.batch, p.queries, p.heads, p.width};
    const Operand g = test::noise_floats(full, 4), delta = test::noise_floats(rows, 5);
    const Exact e = exact_of(p, in, g.data<float>(), delta.data<float>(), *test::levels()[0]);
    test::each_level(step_of(p, plan_dotProductAttention), in,
                     {test::view(DType::kFloat32, full), test::view(DType::kFloat32, rows)},
                     [&](const test::StepResult& result, const KernelTable&) {
                       expect_near(result.outputs[0], e.out, "result");
                       expect_near(result.outputs[1], e.lse, "log-sum-exp");
                     });
    std::vector<Operand> more = in;
    Operand lse = test::empty(DType::kFloat32, rows);
    std::copy(e.lse.begin(), e.lse.end(), lse.data<float>());
    for (const Operand& x : {lse, g, delta}) more.push_back(x);
    test::each_level(step_of(p, plan_dotProductAttentionGrad), more,
                     {in[0].type, in[1].type, in[2].type},
                     [&](const test::StepResult& result, const KernelTable&) {
                       expect_near(result.outputs[0], e.dq, "dq");
                       expect_near(result.outputs[1], e.dk, "dk");
                       expect_near(result.outputs[2], e.dv, "dv");
                     });
  }
}

// Scores as large as floats go, and NaN, which stays in its row.
TEST(attention_extremes) {
  const Problem p = {1, 2, 300, 1, 1, 1, 1, false, {}};
  std::vector<Operand> in = inputs_of(p);
  std::fill_n(in[1].data<float>(), 300, 1.0f);
  in[1].data<float>()[299] = 2.0f;
  in[0].data<float>()[0] = 1e30f;
  in[0].data<float>()[1] = std::numeric_limits<float>::quiet_NaN();
  test::each_level(step_of(p, plan_dotProductAttention), in,
                   {in[0].type, test::view(DType::kFloat32, {1, 2, 1})},
                   [&](const test::StepResult& result, const KernelTable&) {
                     const float* out = result.outputs[0].data<float>();
                     CHECK(out[0] == in[2].data<float>()[299]);
                     CHECK(std::isnan(out[1]));
                   });
}

TEST(attention_refuses) {
  const Problem p = {2, 3, 4, 4, 2, 5, 6, false, {2, 1, 3, 4}, 0.5f};
  const std::vector<Operand> in = inputs_of(p);
  std::vector<TensorView> types;
  for (const Operand& x : in) types.push_back(x.type);
  const std::vector<TensorView> out = {test::view(DType::kFloat32, {2, 3, 4, 6}),
                                       test::view(DType::kFloat32, {2, 3, 4})};
  const test::Step step = step_of(p, plan_dotProductAttention);
  const auto refused = [&](size_t at, const TensorView& type, const char* what) {
    std::vector<TensorView> wrong = types;
    wrong[at] = type;
    test::expect_refused(step, wrong, out, what);
  };
  refused(0, test::view(DType::kInt32, {2, 3, 4, 5}), "integer queries");
  refused(0, test::view(DType::kFloat32, {2, 3, 20}), "queries of rank 3");
  refused(0, test::view(DType::kFloat32, {2, 3, 4, 6}), "depths that differ");
  refused(0, test::view(DType::kFloat32, {2, 3, 3, 5}), "heads that do not divide");
  refused(1, test::view(DType::kFloat32, {2, 5, 2, 5}), "keys without values");
  refused(2, test::view(DType::kFloat32, {1, 4, 2, 6}), "another batch");
  refused(3, test::view(DType::kBool, {2, 2, 3, 4}), "a mask of two heads");
  refused(3, test::view(DType::kUint8, {2, 1, 3, 4}), "a mask of bytes");
  refused(3, test::view(DType::kBool, {3, 4}), "a mask of rank 2");
  refused(4, test::view(DType::kInt32, {3}), "a key of three words");
  refused(5, test::view(DType::kFloat32, {}), "a float counter");
  std::vector<TensorView> wrong_out = out;
  wrong_out[1] = test::view(DType::kFloat32, {2, 4, 3});
  test::expect_refused(step, types, wrong_out, "statistics of another shape");
  test::expect_refused(step, {types[0], types[1], types[2]}, out, "missing inputs");
  for (const float rate : {-0.5f, 1.0f, std::numeric_limits<float>::quiet_NaN()}) {
    test::Step odd = step;
    odd.attr_floats[1] = rate;
    test::expect_refused(odd, types, out, "a rate out of range");
  }
  test::expect_refused(step_of(p, plan_dotProductAttentionGrad), types,
                       {types[0], types[1], types[2]}, "a gradient without statistics");
}
