// Softmax, cross-entropy and their gradients against double precision; extreme logits, bad labels,
// in place.
#include <algorithm>
#include <limits>

#include "step_runner.h"

namespace {

using namespace myelin;
using test::Dims;
using test::Operand;

constexpr float kInf = std::numeric_limits<float>::infinity();

struct Row {
  double max, sum;
  double lse() const { return max + std::log(sum); }
};
Row row_of(const float* x, int64_t cols) {
  Row row = {-kInf, 0};
  for (int64_t c = 0; c < cols; ++c) row.max = std::max(row.max, static_cast<double>(x[c]));
  for (int64_t c = 0; c < cols; ++c) row.sum += std::exp(static_cast<double>(x[c]) - row.max);
  return row;
}

std::vector<Row> rows_of(const Operand& x) {
  const int64_t cols = x.type.dims[x.type.rank - 1];
  std::vector<Row> rows;
  for (int64_t i = 0; i < x.type.size; i += cols) rows.push_back(row_of(x.data<float>() + i, cols));
  return rows;
}

const Dims kShapes[] = {{1, 1},   {5, 2},     {128, 10}, {7, 16},    {3, 17},
                        {33, 31}, {2, 3, 65}, {4, 1000}, {2, 30000}, {9000, 3}};

Operand logits(const Dims& dims, float scale) {
  Operand x = test::noise_floats(dims, 11);
  for (int64_t i = 0; i < x.type.size; ++i) x.data<float>()[i] *= scale;
  return x;
}
Dims without_last(Dims dims) {
  dims.pop_back();
  return dims;
}
Operand some_labels(const Dims& dims, int64_t classes) {
  Operand y = test::empty(DType::kInt32, dims);
  for (int64_t i = 0; i < y.type.size; ++i)
    y.data<int32_t>()[i] = static_cast<int32_t>((i * 7 + 3) % classes);
  return y;
}

}  // namespace

TEST(softmax_and_log) {
  for (const Dims& dims : kShapes) {
    for (const float scale : {1.0f, 30.0f, 1000.0f}) {
      const Operand x = logits(dims, scale);
      const std::vector<Row> exact_rows = rows_of(x);
      const int64_t cols = dims.back();
      for (const bool in_place : {false, true}) {
        test::Step step = {plan_softmax};
        if (in_place) step.in_place = {{0, 0}};
        test::each_level(step, {x}, {x.type},
                         [&](const test::StepResult& result, const KernelTable&) {
                           for (int64_t i = 0; i < x.type.size; ++i) {
                             const Row& row = exact_rows[static_cast<size_t>(i / cols)];
                             const double below = row.max - static_cast<double>(x.data<float>()[i]);
                             const double want = std::exp(-below) / row.sum;
                             // The difference to the largest is rounded to a float, and exp makes
                             // that error relative.
                             CHECK_NEAR(result.outputs[0].data<float>()[i], want,
                                        (6e-7 + 6e-8 * below) * want + 1e-37);
                           }
                         });
        step.plan = plan_logSoftmax;
        test::each_level(
            step, {x}, {x.type}, [&](const test::StepResult& result, const KernelTable&) {
              for (int64_t i = 0; i < x.type.size; ++i) {
                const Row& row = exact_rows[static_cast<size_t>(i / cols)];
                const double want = static_cast<double>(x.data<float>()[i]) - row.lse();
                // The sum is at least 1, so its roundings are absolute errors of its logarithm.
                CHECK_NEAR(result.outputs[0].data<float>()[i], want,
                           3e-7 * (std::fabs(want) + std::log(row.sum) + 1));
              }
            });
      }
    }
  }
}

TEST(softmax_extremes) {
  const float big = 3e38f;
  const std::vector<float> x = {big, big, -big, 0, -kInf, 1, 2,     -kInf, NAN,   1,
                                2,   3,   kInf, 1, 2,     3, -kInf, -kInf, -kInf, -kInf};
  test::each_level({plan_softmax}, {test::floats({5, 4}, x)}, {test::view(DType::kFloat32, {5, 4})},
                   [&](const test::StepResult& result, const KernelTable&) {
                     const float* y = result.outputs[0].data<float>();
                     CHECK_EQ(y[0], 0.5f);
                     CHECK_EQ(y[2], 0.0f);
                     CHECK_EQ(y[4], 0.0f);
                     CHECK_NEAR(y[5] + y[6], 1.0, 1e-6);
                     for (int i = 8; i < 20; ++i) CHECK(std::isnan(y[i]));
                   });
}

TEST(softmax_cross_entropy_sparse) {
  for (const Dims& dims : kShapes) {
    const int64_t cols = dims.back();
    const Dims rows = without_last(dims);
    const Operand x = logits(dims, 20.0f), labels = some_labels(rows, cols);
    const std::vector<Row> exact_rows = rows_of(x);
    const TensorView per_row = test::view(DType::kFloat32, rows);
    std::vector<float> lse;
    test::each_level({plan_sparseSoftmaxCrossEntropy}, {x, labels}, {per_row, per_row},
                     [&](const test::StepResult& result, const KernelTable&) {
                       CHECK(result.failure.empty());
                       lse = result.outputs[1].values<float>();
                       for (int64_t r = 0; r < per_row.size; ++r) {
                         const float* row = x.data<float>() + r * cols;
                         const double exact = exact_rows[static_cast<size_t>(r)].lse();
                         const double label = static_cast<double>(row[labels.data<int32_t>()[r]]);
                         CHECK_NEAR(result.outputs[0].data<float>()[r], exact - label,
                                    3e-7 * (std::fabs(exact) + 20));
                         CHECK_NEAR(lse[static_cast<size_t>(r)], exact,
                                    2e-7 * (std::fabs(exact) + 1));
                       }
                     });
    const Operand g = test::noise_floats(rows, 12), log_sums = test::floats(rows, lse);
    test::Step step = {plan_sparseSoftmaxCrossEntropyGrad};
    for (const bool in_place : {false, true}) {
      if (in_place) step.in_place = {{0, 0}};
      test::each_level(
          step, {x, labels, log_sums, g}, {x.type},
          [&](const test::StepResult& result, const KernelTable&) {
            for (int64_t i = 0; i < x.type.size; ++i) {
              const int64_t r = i / cols;
              const Row& row = exact_rows[static_cast<size_t>(r)];
              const double p = std::exp(static_cast<double>(x.data<float>()[i]) - row.lse());
              const double hit = labels.data<int32_t>()[r] == i % cols;
              CHECK_NEAR(result.outputs[0].data<float>()[i],
                         (p - hit) * static_cast<double>(g.data<float>()[r]), 6e-6 * p + 1e-7);
            }
          });
    }
  }
}

TEST(softmax_cross_entropy_dense) {
  for (const Dims& dims : kShapes) {
    const int64_t cols = dims.back();
    const Dims rows = without_last(dims);
    const Operand x = logits(dims, 20.0f);
    const std::vector<Row> exact_rows = rows_of(x);
    Operand labels = test::noise_floats(dims, 14);
    for (int64_t i = 0; i < labels.type.size; ++i)
      labels.data<float>()[i] = std::fabs(labels.data<float>()[i]) / cols;
    const TensorView per_row = test::view(DType::kFloat32, rows);
    std::vector<float> lse;
    std::vector<double> weights(static_cast<size_t>(per_row.size), 0.0);
    for (int64_t i = 0; i < x.type.size; ++i)
      weights[static_cast<size_t>(i / cols)] += static_cast<double>(labels.data<float>()[i]);
    test::each_level({plan_softmaxCrossEntropy}, {x, labels}, {per_row, per_row},
                     [&](const test::StepResult& result, const KernelTable&) {
                       lse = result.outputs[1].values<float>();
                       for (int64_t r = 0; r < per_row.size; ++r) {
                         const double exact = exact_rows[static_cast<size_t>(r)].lse();
                         double want = 0;
                         for (int64_t c = 0; c < cols; ++c) {
                           const int64_t i = r * cols + c;
                           want += static_cast<double>(labels.data<float>()[i]) *
                                   (exact - static_cast<double>(x.data<float>()[i]));
                         }
                         CHECK_NEAR(result.outputs[0].data<float>()[r], want,
                                    2e-6 * (std::fabs(want) + 1));
                       }
                     });
    const Operand g = test::noise_floats(rows, 12), log_sums = test::floats(rows, lse);
    test::Step step = {plan_softmaxCrossEntropyGrad};
    for (const int in_place : {-1, 0, 1}) {
      step.in_place.clear();
      if (in_place >= 0) step.in_place = {{0, static_cast<size_t>(in_place)}};
      test::each_level(step, {x, labels, log_sums, g}, {x.type},
                       [&](const test::StepResult& result, const KernelTable&) {
                         for (int64_t i = 0; i < x.type.size; ++i) {
                           const int64_t r = i / cols;
                           const Row& row = exact_rows[static_cast<size_t>(r)];
                           const double p =
                               std::exp(static_cast<double>(x.data<float>()[i]) - row.lse()) *
                               weights[static_cast<size_t>(r)];
                           const double want = (p - static_cast<double>(labels.data<float>()[i])) *
                                               static_cast<double>(g.data<float>()[r]);
                           CHECK_NEAR(result.outputs[0].data<float>()[i], want, 8e-6 * p + 1e-7);
                         }
                       });
    }
  }
}

TEST(softmax_labels_out_of_range) {
  for (const int32_t bad : {10, -1, INT32_MAX, INT32_MIN}) {
    const Operand x = logits({5, 10}, 1.0f);
    Operand labels = some_labels({5}, 10);
    labels.data<int32_t>()[3] = bad;
    const TensorView rows = test::view(DType::kFloat32, {5});
    const std::string end = "label " + std::to_string(bad) + " at row 3 is outside [0, 10)";
    test::each_level({plan_sparseSoftmaxCrossEntropy}, {x, labels}, {rows, rows},
                     [&](const test::StepResult& result, const KernelTable&) {
                       CHECK(result.failure == "sparseSoftmaxCrossEntropy: " + end);
                       for (int r = 0; r < 5; ++r)
                         CHECK(std::isnan(result.outputs[0].data<float>()[r]) == (r == 3));
                       CHECK(!std::isnan(result.outputs[1].data<float>()[3]));
                     });
    const Operand ones = test::floats({5}, std::vector<float>(5, 1.0f));
    test::each_level({plan_sparseSoftmaxCrossEntropyGrad}, {x, labels, ones, ones}, {x.type},
                     [&](const test::StepResult& result, const KernelTable&) {
                       CHECK(result.failure == "sparseSoftmaxCrossEntropyGrad: " + end);
                       for (int i = 0; i < 50; ++i)
                         CHECK(std::isnan(result.outputs[0].data<float>()[i]) == (i / 10 == 3));
                     });
  }
}

TEST(softmax_empty) {
  const TensorView none = test::view(DType::kFloat32, {0, 10}),
                   rows = test::view(DType::kFloat32, {0});
  test::each_level({plan_softmax}, {test::floats({0, 10}, {})}, {none},
                   [](const auto&, const auto&) {});
  test::each_level(
      {plan_sparseSoftmaxCrossEntropy}, {test::floats({0, 10}, {}), test::ints({0}, {})},
      {rows, rows},
      [](const test::StepResult& result, const auto&) { CHECK(result.failure.empty()); });
  test::each_level({plan_logSoftmax}, {test::floats({3, 0}, {})},
                   {test::view(DType::kFloat32, {3, 0})}, [](const auto&, const auto&) {});
}

TEST(softmax_refuses) {
  const TensorView x = test::view(DType::kFloat32, {4, 10}),
                   rows = test::view(DType::kFloat32, {4});
  const TensorView labels = test::view(DType::kInt32, {4}), i = test::view(DType::kInt32, {4, 10});
  test::expect_refused({plan_softmax}, {x}, {}, "no output");
  test::expect_refused({plan_softmax}, {i}, {i}, "integers");
  test::expect_refused({plan_softmax}, {test::view(DType::kFloat32, {})},
                       {test::view(DType::kFloat32, {})}, "a scalar");
  test::expect_refused({plan_logSoftmax}, {x}, {rows}, "an output of another size");
  test::expect_refused({plan_sparseSoftmaxCrossEntropy}, {x, rows}, {rows, rows}, "float labels");
  test::expect_refused({plan_sparseSoftmaxCrossEntropy}, {x, i}, {rows, rows},
                       "a label for every logit");
  test::expect_refused({plan_sparseSoftmaxCrossEntropy}, {x, labels}, {rows}, "one output");
  test::expect_refused({plan_sparseSoftmaxCrossEntropyGrad}, {x, labels, rows, x}, {x},
                       "a gradient for every logit");
  test::expect_refused({plan_softmaxCrossEntropy}, {x, labels}, {rows, rows}, "integer labels");
  test::expect_refused({plan_softmaxCrossEntropy}, {x, rows}, {rows, rows}, "one label a row");
  test::expect_refused({plan_softmaxCrossEntropyGrad}, {x, x, rows, rows}, {rows},
                       "an output of another size");
  TensorView wild = test::view(DType::kFloat32, {1, 1, 1, 0});
  wild.dims[0] = wild.dims[1] = wild.dims[2] = int64_t{1} << 31;
  wild.size = 0;
  test::expect_refused({plan_softmax}, {wild}, {test::view(DType::kFloat32, {0})},
                       "rows that overflow");
}
