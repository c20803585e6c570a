// Recurrent sequences against loops in double precision, masked and backwards, for batches that are
// split and rows that are not whole vectors; their gradients against sums of differences.
#include <cmath>
#include <functional>

#include "step_runner.h"

namespace {

using namespace myelin;
using test::Dims;
using test::Operand;

using Doubles = std::vector<double>;

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }

struct Sizes {
  int64_t batch, steps, units;
};
const Sizes kSizes[] = {{1, 1, 1}, {2, 3, 5}, {9, 4, 17}, {33, 3, 8}, {5, 2, 70}, {0, 2, 3}};

Doubles doubles(const Operand& x) {
  const float* data = x.data<float>();
  return Doubles(data, data + x.type.size);
}

// A few steps of each row, none of the last row.
Operand some_mask(const Sizes& s) {
  Operand mask = test::empty(DType::kBool, {s.batch, s.steps});
  for (int64_t i = 0; i < mask.type.size; ++i) {
    mask.data<uint8_t>()[i] = i / s.steps != s.batch - 1 && i % 3 != 1;
  }
  return mask;
}

// What one row does at one step: pre-activations from the inputs and the sums of products go in,
// states are replaced.
using StepOf = std::function<void(const double* z, const Doubles& product, Doubles& h, Doubles& c)>;

StepOf lstm_of(int64_t u) {
  return [u](const double* z, const Doubles& p, Doubles& h, Doubles& c) {
    const auto at = [&](int64_t gate, int64_t j) {
      return z[gate * u + j] + p[static_cast<size_t>(gate * u + j)];
    };
    for (int64_t j = 0; j < u; ++j) {
      const auto k = static_cast<size_t>(j);
      c[k] = sigmoid(at(1, j)) * c[k] + sigmoid(at(0, j)) * std::tanh(at(2, j));
      h[k] = sigmoid(at(3, j)) * std::tanh(c[k]);
    }
  };
}
StepOf gru_of(int64_t u, const Doubles& bias) {
  return [u, bias](const double* x, const Doubles& p, Doubles& h, Doubles&) {
    const auto m = [&](int64_t gate, int64_t j) {
      return p[static_cast<size_t>(gate * u + j)] + bias[static_cast<size_t>(gate * u + j)];
    };
    for (int64_t j = 0; j < u; ++j) {
      const double z = sigmoid(x[j] + m(0, j)), r = sigmoid(x[u + j] + m(1, j));
      double& now = h[static_cast<size_t>(j)];
      now = z * now + (1 - z) * std::tanh(x[2 * u + j] + r * m(2, j));
    }
  };
}
StepOf rnn_of(int64_t u) {
  return [u](const double* z, const Doubles& p, Doubles& h, Doubles&) {
    for (int64_t j = 0; j < u; ++j) {
      h[static_cast<size_t>(j)] = std::tanh(z[j] + p[static_cast<size_t>(j)]);
    }
  };
}

// y at every step.
Doubles loop(const Sizes& s, const Operand& z, const Operand& kernel, const Operand& h0,
             const Operand* c0, const Operand* mask, bool backwards, const StepOf& step) {
  const int64_t u = s.units, width = kernel.type.dims[1];
  const Doubles zs = doubles(z), ks = doubles(kernel);
  Doubles y(static_cast<size_t>(s.batch * s.steps * u));
  for (int64_t b = 0; b < s.batch; ++b) {
    Doubles h(h0.data<float>() + b * u, h0.data<float>() + (b + 1) * u), c(h.size());
    if (c0 != nullptr) c.assign(c0->data<float>() + b * u, c0->data<float>() + (b + 1) * u);
    for (int64_t i = 0; i < s.steps; ++i) {
      const int64_t t = backwards ? s.steps - 1 - i : i, at = b * s.steps + t;
      if (mask == nullptr || mask->data<uint8_t>()[at] != 0) {
        Doubles product(static_cast<size_t>(width));
        for (int64_t p = 0; p < u; ++p) {
          for (int64_t j = 0; j < width; ++j) {
            product[static_cast<size_t>(j)] +=
                h[static_cast<size_t>(p)] * ks[static_cast<size_t>(p * width + j)];
          }
        }
        step(zs.data() + at * width, product, h, c);
      }
      std::copy(h.begin(), h.end(), y.begin() + at * u);
    }
  }
  return y;
}

void check_outputs(const test::StepResult& result, const KernelTable& kernels, const Doubles& want,
                   const char* name) {
  for (size_t i = 0; i < want.size(); ++i) {
    const double got = static_cast<double>(result.outputs[0].data<float>()[i]);
    if (std::abs(got - want[i]) <= 2e-5) continue;
    test::fail(__FILE__, __LINE__, "%s, %s: element %zu is %g, not %g", name, kernels.level, i, got,
               want[i]);
    return;
  }
}

}  // namespace

TEST(recurrent_sequences) {
  for (const Sizes& s : kSizes) {
    const auto [b, t, u] = s;
    const Operand h = test::noise_floats({b, u}, 3), c = test::noise_floats({b, u}, 4);
    const Operand mask = some_mask(s);
    for (const bool masked : {false, true}) {
      for (const bool backwards : {false, true}) {
        const Operand* m = masked ? &mask : nullptr;
        const auto with_mask = [&](std::vector<Operand> inputs) {
          if (masked) inputs.push_back(mask);
          return inputs;
        };
        const auto f32 = [](const Dims& dims) { return test::view(DType::kFloat32, dims); };

        Operand z = test::noise_floats({b, t, 4 * u}, 1);
        Operand kernel = test::noise_floats({u, 4 * u}, 2);
        test::Step step = {plan_lstm, {backwards}};
        step.in_place = {{3, 0}};
        step.steady = {false, masked};  // the kernel packed ahead
        Doubles want = loop(s, z, kernel, h, &c, m, backwards, lstm_of(u));
        test::each_level(step, with_mask({z, kernel, h, c}),
                         {f32({b, t, u}), f32({b, u}), f32({b, u}), z.type, f32({b, t, u})},
                         [&](const test::StepResult& result, const KernelTable& kernels) {
                           check_outputs(result, kernels, want, "lstm");
                         });

        z = test::noise_floats({b, t, 3 * u}, 1);
        kernel = test::noise_floats({u, 3 * u}, 2);
        const Operand bias = test::noise_floats({3 * u}, 5);
        step = {plan_gru, {backwards}};
        step.in_place = {{2, 0}};
        want = loop(s, z, kernel, h, nullptr, m, backwards, gru_of(u, doubles(bias)));
        test::each_level(step, with_mask({z, kernel, bias, h}),
                         {f32({b, t, u}), f32({b, u}), z.type, f32({b, t, u})},
                         [&](const test::StepResult& result, const KernelTable& kernels) {
                           check_outputs(result, kernels, want, "gru");
                         });

        z = test::noise_floats({b, t, u}, 1);
        kernel = test::noise_floats({u, u}, 2);
        step = {plan_simpleRnn, {backwards}};
        step.in_place = {{0, 0}};
        want = loop(s, z, kernel, h, nullptr, m, backwards, rnn_of(u));
        test::each_level(step, with_mask({z, kernel, h}), {z.type, f32({b, u})},
                         [&](const test::StepResult& result, const KernelTable& kernels) {
                           check_outputs(result, kernels, want, "simpleRnn");
                         });
      }
    }
  }
}

// Gradients by z, of the sum of outputs times weights, against differences in double precision.
TEST(recurrent_gradients) {
  for (const Sizes& s : {Sizes{2, 3, 5}, Sizes{3, 2, 17}, Sizes{17, 2, 3}}) {
    const auto [b, t, u] = s;
    const Operand h = test::noise_floats({b, u}, 3), c = test::noise_floats({b, u}, 4);
    const Operand mask = some_mask(s), dy = test::noise_floats({b, t, u}, 6);
    const auto f32 = [](const Dims& dims) { return test::view(DType::kFloat32, dims); };
    for (const bool backwards : {false, true}) {
      const Operand z = test::noise_floats({b, t, 4 * u}, 1);
      const Operand kernel = test::noise_floats({u, 4 * u}, 2);
      const auto loss = [&](int64_t at, float by) {
        Operand moved = z;
        moved.data<float>()[at] += by;
        const Doubles y = loop(s, moved, kernel, h, &c, &mask, backwards, lstm_of(u));
        double sum = 0;
        for (size_t i = 0; i < y.size(); ++i)
          sum += y[i] * static_cast<double>(dy.data<float>()[i]);
        return sum;
      };
      Doubles want;
      for (int64_t i = 0; i < z.type.size; ++i) {
        const float up = z.data<float>()[i] + 0x1p-7f, down = z.data<float>()[i] - 0x1p-7f;
        want.push_back((loss(i, 0x1p-7f) - loss(i, -0x1p-7f)) / static_cast<double>(up - down));
      }
      const std::vector<Operand> inputs = {z, kernel, h, c, mask};
      test::each_level({plan_lstm, {backwards}}, inputs,
                       {f32({b, t, u}), f32({b, u}), f32({b, u}), z.type, f32({b, t, u})},
                       [&](const test::StepResult& forward, const KernelTable& level) {
                         test::Step step = {plan_lstmGrad, {backwards, 1, 1, 0}};
                         step.in_place = {{0, 2}};
                         const std::vector<Operand> saved = {
                             kernel, c, forward.outputs[3], forward.outputs[4], mask, dy};
                         const test::StepResult result =
                             test::run_step(step, saved, {z.type, f32({b, u}), f32({b, u})}, level,
                                            test::two_threads());
                         for (size_t i = 0; i < want.size(); ++i) {
                           CHECK_NEAR(result.outputs[0].data<float>()[i], want[i], 2e-4);
                         }
                       });
    }
    // Those of the others, against expansions, are the business of test/ops: here they stay inside
    // their operands and give the same bits whatever the threads.
    const Operand gates = test::noise_floats({b, t, 3 * u}, 7);
    const auto nothing = [](const test::StepResult&, const KernelTable&) {};
    test::each_level({plan_gruGrad, {0, 1, 1, 1}},
                     {test::noise_floats({u, 3 * u}, 2), h, dy, gates, dy, mask, dy, h},
                     {gates.type, gates.type, h.type}, nothing);
    test::each_level({plan_simpleRnnGrad, {1, 1, 1, 1}},
                     {test::noise_floats({u, u}, 2), dy, mask, dy, h}, {dy.type, h.type}, nothing);
  }
}

TEST(recurrent_planners_refuse) {
  const auto f32 = [](const Dims& dims) { return test::view(DType::kFloat32, dims); };
  const TensorView z = f32({2, 3, 8}), kernel = f32({2, 8}), state = f32({2, 2});
  const TensorView all = f32({2, 3, 2}), mask = test::view(DType::kBool, {2, 3});
  const std::vector<TensorView> out = {all, state, state, z, all};
  const test::Step lstm = {plan_lstm, {0}};
  test::expect_refused(lstm, {z, kernel, state}, out, "too few inputs");
  test::expect_refused(lstm, {z, f32({3, 8}), state, state}, out, "kernel of other units");
  test::expect_refused(lstm, {f32({2, 0, 8}), kernel, state, state}, out, "no steps");
  test::expect_refused(lstm, {z, kernel, state, f32({2, 3})}, out, "a state of another width");
  test::expect_refused(lstm, {z, kernel, state, state, all}, out, "a mask of floats");
  test::expect_refused(lstm, {z, kernel, state, state}, {all, state, state, z, state}, "output");
  test::expect_refused({plan_lstm, {}}, {z, kernel, state, state}, out, "no attribute");
  const test::Step grad = {plan_lstmGrad, {0, 1, 1, 0}};
  const std::vector<TensorView> grads = {z, state, state};
  test::expect_refused(grad, {kernel, state, z, all, all}, grads,
                       "no mask where one is said to be");
  test::expect_refused(grad, {kernel, state, z, all, mask, z}, grads, "dy of another width");
  test::expect_refused(grad, {kernel, state, z, all, mask, all}, {z, state, all}, "output");
  test::expect_refused({plan_gru, {0}}, {f32({2, 3, 6}), f32({2, 6}), f32({5}), state},
                       {all, state, f32({2, 3, 6}), all}, "bias");
  test::expect_refused({plan_gruGrad, {0, 0, 0, 1}},
                       {f32({2, 6}), state, all, f32({2, 3, 6}), all, all},
                       {f32({2, 3, 6}), f32({2, 3, 6}), state}, "dh");
  test::expect_refused({plan_simpleRnn, {0}}, {all, f32({2, 3}), state}, {all, state}, "square");
  test::expect_refused({plan_simpleRnnGrad, {0, 0, 0, 0}}, {f32({2, 2}), all}, {all}, "outputs");
}
