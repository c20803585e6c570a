// Optimizer updates against Keras's equations in double, several tensors at once, in place, several
// steps.
#include <algorithm>
#include <array>
#include <iterator>

#include "step_runner.h"

namespace {

using namespace myelin;
using test::Dims;
using test::Operand;

const Dims kShapes[] = {{3}, {784, 64}, {1}, {0}, {17, 33}, {40000}, {64}};

void expect_near(const Operand& got, const std::vector<double>& want, const char* what) {
  for (size_t i = 0; i < want.size(); ++i) {
    // Operands are of size 1, and so are the roundings on the way.
    const double allowed = 2e-7 * (std::fabs(want[i]) + 1);
    const double value = static_cast<double>(got.data<float>()[i]);
    if (!(std::fabs(value - want[i]) <= allowed))
      test::fail(__FILE__, __LINE__, "%s [%zu]: %.9g, not %.9g", what, i, value, want[i]);
  }
}

Operand scalar(float x) { return test::floats({}, {x}); }
Operand count_of(int32_t x) { return test::ints({}, {x}); }

Operand positive(Operand x) {
  for (int64_t i = 0; i < x.type.size; ++i) x.data<float>()[i] = std::fabs(x.data<float>()[i]);
  return x;
}

}  // namespace

TEST(updates_adam) {
  for (const float decay : {0.0f, 0.01f}) {
    for (const int32_t iteration : {0, 1, 999}) {
      const double rate = static_cast<double>(0.002f), b1 = 0.9, b2 = 0.999,
                   epsilon = static_cast<double>(1e-7f);
      std::vector<Operand> inputs = {scalar(0.002f), count_of(iteration)};
      std::vector<TensorView> outputs;
      std::vector<std::vector<double>> want;
      std::vector<std::pair<size_t, size_t>> in_place;
      uint64_t seed = 1;
      for (const Dims& dims : kShapes) {
        const Operand p = test::noise_floats(dims, seed++), g = test::noise_floats(dims, seed++);
        const Operand m = test::noise_floats(dims, seed++),
                      v = positive(test::noise_floats(dims, seed++));
        std::vector<double> p1, m1, v1;
        const double t = iteration + 1.0;
        const double alpha = rate * std::sqrt(1 - std::pow(b2, t)) / (1 - std::pow(b1, t));
        for (int64_t i = 0; i < p.type.size; ++i) {
          const auto at = [&](const Operand& x) { return static_cast<double>(x.data<float>()[i]); };
          m1.push_back(at(m) + (at(g) - at(m)) * (1 - b1));
          v1.push_back(at(v) + (at(g) * at(g) - at(v)) * (1 - b2));
          p1.push_back(at(p) * (1 - static_cast<double>(decay) * rate) -
                       m1.back() * alpha / (std::sqrt(v1.back()) + epsilon));
        }
        for (const size_t i : {0u, 2u, 3u})
          in_place.push_back({in_place.size(), inputs.size() + i});
        inputs.insert(inputs.end(), {p, g, m, v});
        outputs.insert(outputs.end(), {p.type, p.type, p.type});
        want.insert(want.end(), {p1, m1, v1});
      }
      test::Step step = {.plan = plan_adamUpdate,
                         .attr_ints = {0, 0, 0, 0},
                         .attr_floats = {0.9f, 0.999f, 1e-7f, decay, 0.0f, 0.0f}};
      for (int pass = 0; pass < 2; ++pass) {
        if (pass == 1) step.in_place = in_place;
        test::each_level(step, inputs, outputs,
                         [&](const test::StepResult& result, const KernelTable& level) {
                           for (size_t o = 0; o < want.size(); ++o)
                             expect_near(result.outputs[o], want[o], level.level);
                         });
      }
    }
  }
}

// 1 - beta must be that of the decimal the user wrote: 0.001, not 1 - 0.999f = 0.000999987.
TEST(updates_adam_beta_as_written) {
  test::Step step = {.plan = plan_adamUpdate,
                     .attr_ints = {0, 0, 0, 0},
                     .attr_floats = {0.9f, 0.999f, 1e-7f, 0.0f, 0.0f, 0.0f}};
  const TensorView one = test::view(DType::kFloat32, {1});
  const Operand zero = test::floats({1}, {0.0f}), unit = test::floats({1}, {1.0f});
  test::each_level(step, {scalar(0.001f), count_of(0), zero, unit, zero, zero}, {one, one, one},
                   [](const test::StepResult& result, const KernelTable&) {
                     CHECK_EQ(result.outputs[1].data<float>()[0], 0.1f);
                     CHECK_EQ(result.outputs[2].data<float>()[0], 0.001f);
                     CHECK_NEAR(result.outputs[0].data<float>()[0],
                                -0.001 / (1 + 1e-7 / std::sqrt(0.001)), 1e-10);
                   });
}

TEST(updates_sgd) {
  for (const float momentum : {0.0f, 0.9f}) {
    for (const bool nesterov : {false, true}) {
      for (const float decay : {0.0f, 0.1f}) {
        const double rate = static_cast<double>(0.05f), mu = static_cast<double>(momentum);
        std::vector<Operand> inputs = {scalar(0.05f), count_of(0)};
        std::vector<TensorView> outputs;
        std::vector<std::vector<double>> want;
        std::vector<std::pair<size_t, size_t>> in_place;
        uint64_t seed = 100;
        for (const Dims& dims : kShapes) {
          const Operand p = test::noise_floats(dims, seed++), g = test::noise_floats(dims, seed++);
          const Operand velocity = test::noise_floats(dims, seed++);
          std::vector<double> p1, v1;
          for (int64_t i = 0; i < p.type.size; ++i) {
            const auto at = [&](const Operand& x) {
              return static_cast<double>(x.data<float>()[i]);
            };
            const double w = at(p) * (1 - static_cast<double>(decay) * rate), push = rate * at(g);
            v1.push_back(mu * at(velocity) - push);
            p1.push_back(momentum == 0 ? w - push
                         : nesterov    ? w + mu * v1.back() - push
                                       : w + v1.back());
          }
          in_place.push_back({outputs.size(), inputs.size()});
          if (momentum != 0) in_place.push_back({outputs.size() + 1, inputs.size() + 2});
          inputs.insert(inputs.end(), {p, g});
          outputs.push_back(p.type);
          want.push_back(p1);
          if (momentum != 0) {
            inputs.push_back(velocity);
            outputs.push_back(p.type);
            want.push_back(v1);
          }
        }
        test::Step step = {.plan = plan_sgdUpdate,
                           .attr_ints = {nesterov, 0, 0, 0},
                           .attr_floats = {momentum, decay, 0.0f, 0.0f}};
        for (int pass = 0; pass < 2; ++pass) {
          if (pass == 1) step.in_place = in_place;
          test::each_level(step, inputs, outputs,
                           [&](const test::StepResult& result, const KernelTable& level) {
                             for (size_t o = 0; o < want.size(); ++o)
                               expect_near(result.outputs[o], want[o], level.level);
                           });
        }
      }
    }
  }
}

// Scales, a bound, amsgrad and an average that takes the parameter's place in every fourth step.
TEST(updates_adam_with_all) {
  for (const int32_t iteration : {0, 2, 3}) {
    const double rate = static_cast<double>(0.002f), clip = static_cast<double>(0.6f), keep = 0.8;
    std::vector<float> scales;
    for (size_t t = 0; t < std::size(kShapes); ++t)
      scales.push_back(0.25f * static_cast<float>(t + 1));
    std::vector<Operand> inputs = {scalar(0.002f), count_of(iteration),
                                   test::floats({static_cast<int64_t>(scales.size())}, scales)};
    std::vector<TensorView> outputs;
    std::vector<std::vector<double>> want;
    uint64_t seed = 200;
    for (size_t t = 0; t < std::size(kShapes); ++t) {
      const Dims& dims = kShapes[t];
      const Operand p = test::noise_floats(dims, seed++), g = test::noise_floats(dims, seed++);
      const Operand m = test::noise_floats(dims, seed++),
                    v = positive(test::noise_floats(dims, seed++));
      const Operand v_hat = positive(test::noise_floats(dims, seed++)),
                    average = test::noise_floats(dims, seed++);
      std::vector<double> p1, m1, v1, h1, a1;
      const double n = iteration + 1.0;
      const double alpha = rate * std::sqrt(1 - std::pow(0.999, n)) / (1 - std::pow(0.9, n));
      for (int64_t i = 0; i < p.type.size; ++i) {
        const auto at = [&](const Operand& x) { return static_cast<double>(x.data<float>()[i]); };
        const double push = std::clamp(at(g) * static_cast<double>(scales[t]), -clip, clip);
        m1.push_back(at(m) + (push - at(m)) * 0.1);
        v1.push_back(at(v) + (push * push - at(v)) * 0.001);
        h1.push_back(std::max(at(v_hat), v1.back()));
        const double next = at(p) - m1.back() * alpha / (std::sqrt(h1.back()) + 1e-7);
        a1.push_back(iteration == 0 ? next : at(average) * keep + next * (1 - keep));
        p1.push_back(iteration == 3 ? a1.back() : next);
      }
      inputs.insert(inputs.end(), {p, g, m, v, v_hat, average});
      outputs.insert(outputs.end(), {p.type, p.type, p.type, p.type, p.type});
      want.insert(want.end(), {p1, m1, v1, h1, a1});
    }
    test::Step step = {.plan = plan_adamUpdate,
                       .attr_ints = {1, 1, 1, 4},
                       .attr_floats = {0.9f, 0.999f, 1e-7f, 0.0f, 0.6f, 0.8f}};
    test::each_level(step, inputs, outputs,
                     [&](const test::StepResult& result, const KernelTable& level) {
                       for (size_t o = 0; o < want.size(); ++o)
                         expect_near(result.outputs[o], want[o], level.level);
                     });
  }
}

TEST(updates_squared_norms) {
  std::vector<Operand> inputs;
  std::vector<double> want;
  uint64_t seed = 300;
  for (const Dims& dims : kShapes) {
    inputs.push_back(test::noise_floats(dims, seed++));
    want.push_back(0.0);
    for (const float x : inputs.back().values<float>())
      want.back() += static_cast<double>(x) * static_cast<double>(x);
  }
  test::Step step = {plan_squaredNorms};
  test::each_level(step, inputs,
                   {test::view(DType::kFloat32, {static_cast<int64_t>(inputs.size())})},
                   [&](const test::StepResult& result, const KernelTable&) {
                     for (size_t t = 0; t < want.size(); ++t)
                       CHECK_NEAR(static_cast<double>(result.outputs[0].data<float>()[t]), want[t],
                                  1e-6 * (want[t] + 1));
                   });
  const TensorView x = test::view(DType::kFloat32, {4}), i = test::view(DType::kInt32, {4});
  const TensorView two = test::view(DType::kFloat32, {2}), three = test::view(DType::kFloat32, {3});
  test::expect_refused(step, {x, x}, {three}, "a sum too many");
  test::expect_refused(step, {x, i}, {two}, "an integer tensor");
}

// Rows that are named move as Adam moves them by the sum of their gradients, the rest stays.
TEST(updates_lazy_adam) {
  for (const bool in_place : {false, true}) {
    for (const auto& [n, row, count] :
         {std::array{5, 3, 4}, {1, 1, 1}, {3, 700, 8}, {4, 0, 2}, {2000, 64, 3000}, {6, 2, 0}}) {
      const Dims dims = {n, row};
      const Operand p = test::noise_floats(dims, 400), m = test::noise_floats(dims, 401);
      const Operand v = positive(test::noise_floats(dims, 402));
      const Operand rows = test::noise_floats({count, row}, 403);
      Operand indices = test::noise_ints({count}, 404, n);
      std::vector<double> g(static_cast<size_t>(n * row)), p1, m1, v1;
      std::vector<bool> named(static_cast<size_t>(n));
      for (int64_t i = 0; i < count; ++i) {
        int32_t& index = indices.data<int32_t>()[i];
        index = std::abs(index) % n;
        named[static_cast<size_t>(index)] = true;
        for (int64_t c = 0; c < row; ++c)
          g[static_cast<size_t>(index * row + c)] +=
              static_cast<double>(rows.data<float>()[i * row + c]);
      }
      const double rate = static_cast<double>(0.002f);
      const double alpha = rate * std::sqrt(1 - std::pow(0.999, 4)) / (1 - std::pow(0.9, 4));
      for (int64_t i = 0; i < p.type.size; ++i) {
        const auto at = [&](const Operand& x) { return static_cast<double>(x.data<float>()[i]); };
        const bool moves = named[static_cast<size_t>(i / row)];
        const double push = g[static_cast<size_t>(i)];
        m1.push_back(moves ? at(m) + (push - at(m)) * 0.1 : at(m));
        v1.push_back(moves ? at(v) + (push * push - at(v)) * 0.001 : at(v));
        p1.push_back(moves ? at(p) * (1 - static_cast<double>(0.1f) * rate) -
                                 m1.back() * alpha / (std::sqrt(v1.back()) + 1e-7)
                           : at(p));
      }
      test::Step step = {.plan = plan_lazyAdamUpdate,
                         .attr_ints = {0},
                         .attr_floats = {0.9f, 0.999f, 1e-7f, 0.1f, 0.0f}};
      if (in_place) step.in_place = {{0, 2}, {1, 5}, {2, 6}};
      test::each_level(step, {scalar(0.002f), count_of(3), p, indices, rows, m, v},
                       {p.type, p.type, p.type},
                       [&](const test::StepResult& result, const KernelTable& level) {
                         expect_near(result.outputs[0], p1, level.level);
                         expect_near(result.outputs[1], m1, level.level);
                         expect_near(result.outputs[2], v1, level.level);
                       });
    }
  }
}

TEST(updates_lazy_adam_refuses) {
  const TensorView table = test::view(DType::kFloat32, {4, 2}),
                   one = test::view(DType::kFloat32, {});
  const TensorView n = test::view(DType::kInt32, {}), places = test::view(DType::kInt32, {3});
  const TensorView rows = test::view(DType::kFloat32, {3, 2}), x = test::view(DType::kFloat32, {4});
  test::Step step = {.plan = plan_lazyAdamUpdate,
                     .attr_ints = {0},
                     .attr_floats = {0.9f, 0.999f, 1e-7f, 0.0f, 0.0f}};
  const std::vector<TensorView> out = {table, table, table};
  step.plan(test::spec_of(step, {one, n, table, places, rows, table, table}, out),
            {*test::levels()[0], 2});  // must not throw
  test::expect_refused(step, {one, n, table, places, table, table, table}, out, "a row too many");
  test::expect_refused(step, {one, n, table, n, rows, table, table}, out, "an index alone");
  test::expect_refused(step, {one, n, table, places, rows, table, x}, out, "a small moment");
  test::expect_refused(step, {one, n, one, places, rows, one, one}, {one, one, one}, "no rows");
  test::expect_refused(step, {one, n, table, places, rows, table, table}, {table, table, x},
                       "a small result");
  test::expect_refused(step, {n, n, table, places, rows, table, table}, out, "an integer rate");
  step.attr_ints = {1};
  test::expect_refused(step, {one, n, table, places, rows, table, table}, out, "no scale");
  // An index outside of the table fails the run and touches nothing.
  step.attr_ints = {0};
  const Operand zeros = test::floats({4, 2}, std::vector<float>(8, 0.0f));
  test::each_level(
      step,
      {scalar(1), count_of(0), zeros, test::ints({3}, {4, -1, 1}),
       test::floats({3, 2}, std::vector<float>(6, 1.0f)), zeros, zeros},
      out, [](const test::StepResult& result, const KernelTable&) {
        CHECK(result.failure.find("index 4 at 0 is outside [0, 4)") != std::string::npos);
        CHECK_EQ(result.outputs[1].data<float>()[0], 0.0f);
        CHECK_EQ(result.outputs[1].data<float>()[2], 0.1f);
      });
}

TEST(updates_refuse) {
  const TensorView x = test::view(DType::kFloat32, {4}), one = test::view(DType::kFloat32, {});
  const TensorView n = test::view(DType::kInt32, {}), i = test::view(DType::kInt32, {4});
  test::Step adam = {.plan = plan_adamUpdate,
                     .attr_ints = {0, 0, 0, 0},
                     .attr_floats = {0.9f, 0.999f, 1e-7f, 0.0f, 0.0f, 0.0f}};
  adam.plan(test::spec_of(adam, {one, n, x, x, x, x}, {x, x, x}),
            {*test::levels()[0], 2});  // must not throw
  test::expect_refused(adam, {one}, {}, "no iteration");
  test::expect_refused(adam, {one, one, x, x, x, x}, {x, x, x}, "a float iteration");
  test::expect_refused(adam, {x, n, x, x, x, x}, {x, x, x}, "four learning rates");
  test::expect_refused(adam, {one, n, x, x, x}, {x, x, x}, "no second moment");
  test::expect_refused(adam, {one, n, x, x, x, one}, {x, x, x}, "a moment of another size");
  test::expect_refused(adam, {one, n, x, x, x, i}, {x, x, x}, "an integer moment");
  test::expect_refused(adam, {one, n, x, x, x, x}, {x, x}, "two outputs");
  test::expect_refused(adam, {one, n, x, x, x, x}, {x, x, one}, "a small output");
  adam.attr_ints = {0, 1, 0, 0};
  adam.plan(test::spec_of(adam, {one, n, one, x, x, x, x}, {x, x, x}),
            {*test::levels()[0], 2});  // must not throw
  test::expect_refused(adam, {one, n, x, x, x, x, x}, {x, x, x}, "four scales for one tensor");
  test::expect_refused(adam, {one, n, n, x, x, x, x}, {x, x, x}, "an integer scale");
  test::expect_refused(adam, {one, n}, {}, "no scale");
  adam.attr_floats.pop_back();
  test::expect_refused(adam, {one, n, x, x, x, x}, {x, x, x}, "an attribute missing");
  test::Step sgd = {
      .plan = plan_sgdUpdate, .attr_ints = {0, 0, 0, 0}, .attr_floats = {0.9f, 0.0f, 0.0f, 0.0f}};
  test::expect_refused(sgd, {}, {}, "nothing");
  test::expect_refused(sgd, {one, n, x, x}, {x}, "momentum without a velocity");
  sgd.attr_floats = {0.0f, 0.0f, 0.0f, 0.0f};
  test::expect_refused(sgd, {one, n, x, x}, {i}, "an integer output");
  test::expect_refused(sgd, {one, n, x, x, x}, {x}, "half a pair");
}
