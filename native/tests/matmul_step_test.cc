// The matmul step: batches that broadcast, transposes, empty sizes, and epilogues of every kind,
// against a plain triple loop in double.
#include "step_runner.h"

namespace {

using namespace myelin;
using test::Dims;
using test::Operand;

struct Product {
  Dims dims;
  std::vector<double> values, sizes;  // and the sums of absolute values, for the tolerance
};

Product multiply(const Operand& a, const Operand& b, bool trans_a, bool trans_b) {
  const int ra = a.type.rank, rb = b.type.rank, rank = std::max(ra, rb);
  const int64_t a0 = a.type.dims[ra - 2], a1 = a.type.dims[ra - 1], b0 = b.type.dims[rb - 2],
                b1 = b.type.dims[rb - 1];
  const int64_t m = trans_a ? a1 : a0, k = trans_a ? a0 : a1, n = trans_b ? b0 : b1;
  Product p;
  for (int d = 0; d < rank - 2; ++d) {
    const int64_t da = d - (rank - ra) >= 0 ? a.type.dims[d - (rank - ra)] : 1;
    const int64_t db = d - (rank - rb) >= 0 ? b.type.dims[d - (rank - rb)] : 1;
    p.dims.push_back(da == 1 ? db : da);
  }
  const Dims batch = p.dims;
  p.dims.push_back(m);
  p.dims.push_back(n);
  for (int64_t e = 0; e < test::size_of(batch); ++e) {
    const auto at = [&](const Operand& x) {
      int64_t rest = e, offset = 0, stride = 1;
      for (int d = static_cast<int>(batch.size()) - 1; d >= 0; --d) {
        const int own = d - (rank - x.type.rank);
        if (own >= 0) {
          if (x.type.dims[own] != 1) offset += rest % batch[static_cast<size_t>(d)] * stride;
          stride *= x.type.dims[own];
        }
        rest /= batch[static_cast<size_t>(d)];
      }
      return x.data<float>() + offset * x.type.dims[x.type.rank - 2] * x.type.dims[x.type.rank - 1];
    };
    const float *pa = at(a), *pb = at(b);
    for (int64_t i = 0; i < m; ++i) {
      for (int64_t j = 0; j < n; ++j) {
        double sum = 0, size = 0;
        for (int64_t q = 0; q < k; ++q) {
          const double term = static_cast<double>(pa[trans_a ? q * m + i : i * k + q]) *
                              static_cast<double>(pb[trans_b ? j * k + q : q * n + j]);
          sum += term;
          size += std::fabs(term);
        }
        p.values.push_back(sum);
        p.sizes.push_back(size);
      }
    }
  }
  return p;
}

Dims turned(Dims dims, bool turn) {
  if (turn) std::swap(dims[dims.size() - 1], dims[dims.size() - 2]);
  return dims;
}

Chain chain_over(const Dims& dims, int inputs) {
  Chain chain = {inputs, static_cast<int32_t>(dims.size()), {}, 1, {}, {}};
  for (size_t d = 0; d < dims.size(); ++d) chain.dims[d] = dims[d];
  return chain;
}

}  // namespace

TEST(matmul_step_batches) {
  const struct {
    Dims a, b;
  } shapes[] = {{{5, 7}, {7, 3}},
                {{1, 1}, {1, 1}},
                {{4, 5, 7}, {7, 3}},
                {{5, 7}, {4, 7, 3}},
                {{4, 5, 7}, {4, 7, 3}},
                {{2, 1, 5, 7}, {1, 3, 7, 4}},
                {{2, 3, 5, 7}, {3, 7, 4}},
                {{2, 1, 3, 5, 7}, {4, 1, 7, 2}},
                {{1, 5, 7}, {6, 7, 3}},
                {{6, 5, 7}, {1, 7, 3}},
                {{128, 20}, {20, 10}},
                {{65, 130}, {130, 70}},
                {{30, 200}, {200, 150}},
                {{3, 2, 200}, {200, 150}},
                {{2, 3, 1, 5, 7}, {1, 1, 4, 7, 3}}};
  for (const auto& shape : shapes) {
    for (int flags = 0; flags < 4; ++flags) {
      const bool ta = flags & 1, tb = flags & 2;
      const Operand a = test::noise_floats(turned(shape.a, ta), 1),
                    b = test::noise_floats(turned(shape.b, tb), 2);
      const Product want = multiply(a, b, ta, tb);
      test::Step step = {plan_matmul, {ta, tb}};
      for (const bool steady : {false, true}) {
        if (steady) step.steady = {true, true};
        test::each_level(
            step, {a, b}, {test::view(DType::kFloat32, want.dims)},
            [&](const test::StepResult& result, const KernelTable& level) {
              for (size_t i = 0; i < want.values.size(); ++i) {
                const double got = static_cast<double>(result.outputs[0].data<float>()[i]);
                if (!(std::fabs(got - want.values[i]) <= 6e-7 * want.sizes[i] + 1e-30))
                  test::fail(__FILE__, __LINE__, "%s %s x %s flags %d [%zu]: %.9g, not %.9g",
                             level.level, test::text(shape.a).c_str(), test::text(shape.b).c_str(),
                             flags, i, got, want.values[i]);
              }
            });
      }
    }
  }
}

TEST(matmul_step_empty) {
  const Dims shapes[][2] = {
      {{0, 7}, {7, 3}}, {{5, 7}, {7, 0}}, {{0, 5, 7}, {7, 3}}, {{2, 0, 7}, {1, 7, 3}}};
  for (const auto& shape : shapes) {
    const Product want =
        multiply(test::noise_floats(shape[0], 1), test::noise_floats(shape[1], 2), false, false);
    CHECK_EQ(want.values.size(), 0u);
    test::Step step = {plan_matmul, {0, 0}};
    test::each_level(step, {test::noise_floats(shape[0], 1), test::noise_floats(shape[1], 2)},
                     {test::view(DType::kFloat32, want.dims)}, [](const auto&, const auto&) {});
  }
  // Sums of nothing, with an epilogue that must still see them.
  test::Step step = {plan_matmul, {0, 0}};
  Chain chain = chain_over({5, 3}, 2);
  chain.instructions = {{MicroOp::add_f32, {0, 1, 0}}};
  chain.outputs = {{2, ChainReduction::kNone}};
  for (const bool body : {false, true}) {
    if (body) step.chain = std::make_shared<Chain>(chain);
    std::vector<Operand> inputs = {test::floats({5, 0}, {}), test::floats({0, 3}, {})};
    if (body) inputs.push_back(test::floats({3}, {1, 2, 3}));
    test::each_level(step, inputs, {test::view(DType::kFloat32, {5, 3})},
                     [&](const test::StepResult& result, const KernelTable&) {
                       for (int i = 0; i < 15; ++i)
                         CHECK_EQ(result.outputs[0].data<float>()[i],
                                  body ? static_cast<float>(i % 3 + 1) : 0.0f);
                     });
  }
}

// relu(product + bias) * scale + residual, with the mask as a second, bool output.
TEST(matmul_step_epilogue) {
  const struct {
    Dims a, b;
  } shapes[] = {{{1, 784}, {784, 100}},  {{128, 30}, {30, 10}},       {{33, 65}, {65, 300}},
                {{3, 40, 17}, {17, 65}}, {{2, 1, 20, 9}, {3, 9, 31}}, {{300, 400}, {400, 260}}};
  for (const auto& shape : shapes) {
    for (const bool ta : {false, true}) {
      const Operand a = test::noise_floats(turned(shape.a, ta), 1),
                    b = test::noise_floats(shape.b, 2);
      const Product product = multiply(a, b, ta, false);
      Dims column = product.dims;
      column.back() = 1;
      const int64_t n = product.dims.back();
      const Operand bias = test::noise_floats({n}, 3), scale = test::noise_floats(column, 4);
      const Operand residual = test::noise_floats(product.dims, 5), two = test::floats({}, {2.0f});
      Chain chain = chain_over(product.dims, 5);
      chain.instructions = {
          {MicroOp::add_f32, {0, 1, 0}},      {MicroOp::relu_f32, {5, 0, 0}},
          {MicroOp::multiply_f32, {6, 2, 0}}, {MicroOp::add_f32, {7, 3, 0}},
          {MicroOp::multiply_f32, {8, 4, 0}}, {MicroOp::cast_f32_bool, {6, 0, 0}}};
      const ChainOutput value = {9, ChainReduction::kNone}, mask = {10, ChainReduction::kNone};
      const TensorView value_type = test::view(DType::kFloat32, product.dims);
      const TensorView mask_type = test::view(DType::kBool, product.dims);
      for (const bool mask_first : {false, true}) {
        chain.outputs = {value, mask};
        std::vector<TensorView> outputs = {value_type, mask_type};
        if (mask_first) {
          std::swap(chain.outputs[0], chain.outputs[1]);
          std::swap(outputs[0], outputs[1]);
        }
        test::Step step = {plan_matmul, {ta, 0}};
        step.chain = std::make_shared<Chain>(chain);
        test::each_level(
            step, {a, b, bias, scale, residual, two}, outputs,
            [&](const test::StepResult& result, const KernelTable& level) {
              const float* got = result.outputs[mask_first].data<float>();
              const uint8_t* flags = result.outputs[!mask_first].data<uint8_t>();
              for (size_t i = 0; i < product.values.size(); ++i) {
                const double biased =
                    product.values[i] +
                    static_cast<double>(bias.data<float>()[i % static_cast<size_t>(n)]);
                const double s =
                    static_cast<double>(scale.data<float>()[i / static_cast<size_t>(n)]);
                const double want =
                    2 * (std::fmax(biased, 0) * s + static_cast<double>(residual.data<float>()[i]));
                const double allowed = 2e-6 * (product.sizes[i] + 1);
                if (!(std::fabs(static_cast<double>(got[i]) - want) <= allowed) ||
                    (std::fabs(biased) > allowed && flags[i] != (biased > 0)))
                  test::fail(__FILE__, __LINE__, "%s %s ta %d [%zu]: %.9g, not %.9g", level.level,
                             test::text(shape.a).c_str(), ta, i, static_cast<double>(got[i]), want);
              }
            });
      }
    }
  }
}

// A row-wise reduction as the body: beside the product itself, and alone, where the product has no
// memory of its own.
TEST(matmul_step_reducing_body) {
  const Operand a = test::noise_floats({50, 20}, 1), b = test::noise_floats({20, 37}, 2);
  const Product product = multiply(a, b, false, false);
  Chain chain = chain_over({50, 37}, 1);
  chain.inner = 37;
  chain.instructions = {{MicroOp::square_f32, {0, 0, 0}}};
  for (const bool both : {false, true}) {
    chain.outputs = {{1, ChainReduction::kSum}};
    std::vector<TensorView> outputs = {test::view(DType::kFloat32, {50})};
    if (both) {
      chain.outputs.insert(chain.outputs.begin(), {0, ChainReduction::kNone});
      outputs.insert(outputs.begin(), test::view(DType::kFloat32, {50, 37}));
    }
    test::Step step = {plan_matmul, {0, 0}};
    step.chain = std::make_shared<Chain>(chain);
    test::each_level(step, {a, b}, outputs,
                     [&](const test::StepResult& result, const KernelTable&) {
                       for (int r = 0; r < 50; ++r) {
                         double want = 0;
                         for (int c = 0; c < 37; ++c) {
                           const double x = product.values[static_cast<size_t>(r * 37 + c)];
                           want += x * x;
                           if (both)
                             CHECK_NEAR(result.outputs[0].data<float>()[r * 37 + c], x, 1e-5);
                         }
                         CHECK_NEAR(result.outputs.back().data<float>()[r], want, 1e-5 * want);
                       }
                     });
  }
}

TEST(matmul_step_refuses) {
  const TensorView a = test::view(DType::kFloat32, {5, 7}), b = test::view(DType::kFloat32, {7, 3});
  const TensorView c = test::view(DType::kFloat32, {5, 3}), row = test::view(DType::kFloat32, {3});
  test::Step step = {plan_matmul, {0, 0}};
  test::expect_refused(step, {a}, {c}, "one operand");
  test::expect_refused(step, {a, b}, {}, "no output");
  test::expect_refused(step, {a, a}, {c}, "inner sizes");
  test::expect_refused(step, {a, row}, {c}, "a vector");
  test::expect_refused(step, {a, test::view(DType::kInt32, {7, 3})}, {c}, "integers");
  test::expect_refused(step, {a, b}, {a}, "an output of another size");
  test::expect_refused(step, {a, b}, {test::view(DType::kInt32, {5, 3})}, "an integer output");
  test::expect_refused(step, {a, b, row}, {c}, "a third operand without a body");
  test::expect_refused(
      step, {test::view(DType::kFloat32, {2, 5, 7}), test::view(DType::kFloat32, {3, 7, 3})},
      {test::view(DType::kFloat32, {3, 5, 3})}, "batches that do not broadcast");
  step.attr_ints = {1, 0};
  test::expect_refused(step, {a, b}, {c}, "inner sizes once turned");
  step.attr_ints = {0};
  test::expect_refused(step, {a, b}, {c}, "one attribute");
  step.attr_ints = {0, 0};
  Chain chain = chain_over({5, 3}, 2);
  chain.instructions = {{MicroOp::add_f32, {0, 1, 0}}};
  chain.outputs = {{2, ChainReduction::kNone}};
  step.chain = std::make_shared<Chain>(chain);
  step.plan(test::spec_of(step, {a, b, row}, {c}), {*test::levels()[0], 2});  // must not throw
  test::expect_refused(step, {a, b}, {c}, "a body with more inputs than the step");
  test::expect_refused(step, {a, b, row}, {a}, "a body's output of another size");
  Chain other = chain;
  other.dims[0] = 3;
  other.dims[1] = 5;
  step.chain = std::make_shared<Chain>(other);
  test::expect_refused(step, {a, b, test::view(DType::kFloat32, {})}, {c},
                       "a body of another shape");
}
