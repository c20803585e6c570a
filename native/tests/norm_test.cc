// Normalisations and their gradients against double precision: every way of cutting the work, with
// and without weights, means far from zero, in place; and what planners refuse.
#include <cmath>

#include "step_runner.h"

namespace {

using namespace myelin;
using test::Dims;
using test::Operand;

constexpr double kEpsilon = 1e-3;

// A tensor as groups that share statistics: element i belongs to group(i), weights to weight(i).
struct Layout {
  int64_t groups, weights;
  int64_t (*group)(int64_t i, int64_t inner, int64_t of_group, int64_t weights);
  int64_t inner, of_group;
  int64_t at(int64_t i) const { return group(i, inner, of_group, weights); }
  int64_t weight(int64_t i) const { return i % weights; }
};
Layout channels(int64_t cols) {
  return {cols, cols, [](int64_t i, int64_t, int64_t, int64_t w) { return i % w; }, 0, 0};
}
Layout rows(int64_t count, int64_t cols) {
  return {count, cols, [](int64_t i, int64_t, int64_t, int64_t w) { return i / w; }, 0, 0};
}
Layout groups_of(int64_t samples, int64_t size, int64_t groups, int64_t cols) {
  return {samples * groups, cols,
          [](int64_t i, int64_t inner, int64_t of_group, int64_t w) {
            return i / inner * (w / of_group) + i % w / of_group;
          },
          size, cols / groups};
}

struct Exact {
  std::vector<double> mean, variance, y, dx, dgamma, dbeta;
};
double value(const Operand& x, int64_t i) { return static_cast<double>(x.data<float>()[i]); }

Exact exact(const Layout& layout, const Operand& x, const Operand& dy, const Operand* gamma,
            const Operand* beta, bool centred) {
  const int64_t size = x.type.size;
  const double n = static_cast<double>(size) / static_cast<double>(layout.groups);
  const auto zeros = [](int64_t count) { return std::vector<double>(static_cast<size_t>(count)); };
  Exact e = {zeros(layout.groups), zeros(layout.groups),  zeros(size),
             zeros(size),          zeros(layout.weights), zeros(layout.weights)};
  const auto at = [&](std::vector<double>& v, int64_t i) -> double& {
    return v[static_cast<size_t>(i)];
  };
  for (int64_t i = 0; i < size && centred; ++i) at(e.mean, layout.at(i)) += value(x, i) / n;
  for (int64_t i = 0; i < size; ++i) {
    const double d = value(x, i) - at(e.mean, layout.at(i));
    at(e.variance, layout.at(i)) += d * d / n;
  }
  std::vector<double> sum = zeros(layout.groups), slope = zeros(layout.groups);
  for (int64_t i = 0; i < size; ++i) {
    const int64_t g = layout.at(i), w = layout.weight(i);
    const double rstd = 1 / std::sqrt(at(e.variance, g) + kEpsilon);
    const double normal = (value(x, i) - at(e.mean, g)) * rstd;
    at(e.y, i) = normal * (gamma ? value(*gamma, w) : 1) + (beta ? value(*beta, w) : 0);
    const double push = value(dy, i) * (gamma ? value(*gamma, w) : 1);
    at(sum, g) += centred ? push / n : 0;
    at(slope, g) += push * normal / n;
    at(e.dgamma, w) += value(dy, i) * normal;
    at(e.dbeta, w) += value(dy, i);
  }
  for (int64_t i = 0; i < size; ++i) {
    const int64_t g = layout.at(i);
    const double rstd = 1 / std::sqrt(at(e.variance, g) + kEpsilon);
    const double normal = (value(x, i) - at(e.mean, g)) * rstd;
    const double push = value(dy, i) * (gamma ? value(*gamma, layout.weight(i)) : 1);
    at(e.dx, i) = rstd * (push - at(sum, g) - normal * at(slope, g));
  }
  return e;
}

// Elements within a share of the largest: sums of rounded parts, whose parts may cancel.
void check_near(const Operand& got, const std::vector<double>& want, double tolerance,
                const char* what, const char* level, double largest = 1e-30) {
  for (const double w : want) largest = std::max(largest, std::fabs(w));
  for (size_t i = 0; i < want.size(); ++i) {
    const double g = static_cast<double>(got.data<float>()[i]);
    if (std::fabs(g - want[i]) <= tolerance * largest) continue;
    test::fail(__FILE__, __LINE__, "%s, %s: element %zu is %g, not %g", level, what, i, g, want[i]);
    return;
  }
}

enum class Kind { kBatch, kGroup, kLayer, kRms };
struct Form {
  Kind kind;
  Dims dims;
  int64_t groups = 0;  // or where the rows of layer norm begin
};

void check(const Form& form, bool scale, bool center, float offset) {
  const bool by_rows = form.kind == Kind::kLayer || form.kind == Kind::kRms;
  const bool centred = form.kind != Kind::kRms;
  const int64_t size = test::size_of(form.dims);
  int64_t weights = form.dims.back(), samples = form.dims.front();
  if (by_rows) {
    weights = 1;
    for (size_t d = static_cast<size_t>(form.groups); d < form.dims.size(); ++d)
      weights *= form.dims[d];
  }
  const Layout layout = by_rows ? rows(size / weights, weights)
                        : form.kind == Kind::kBatch
                            ? channels(weights)
                            : groups_of(samples, size / samples, form.groups, weights);
  Operand x = test::noise_floats(form.dims, 3);
  for (int64_t i = 0; i < size; ++i) x.data<float>()[i] += offset;
  const Operand dy = test::noise_floats(form.dims, 4);
  Operand gamma = test::noise_floats({weights}, 5), beta = test::noise_floats({weights}, 6);
  const Exact want =
      exact(layout, x, dy, scale ? &gamma : nullptr, center ? &beta : nullptr, centred);
  const TensorView statistics = test::view(DType::kFloat32, {layout.groups});
  const TensorView weight = gamma.type;

  static constexpr PlanFunction kPlans[] = {plan_batchNorm, plan_groupNorm, plan_layerNorm,
                                            plan_rmsNorm};
  static constexpr PlanFunction kGradients[] = {plan_batchNormGrad, plan_groupNormGrad,
                                                plan_layerNormGrad, plan_rmsNormGrad};
  test::Step step = {kPlans[static_cast<int>(form.kind)]};
  if (form.kind != Kind::kBatch) step.attr_ints.push_back(form.groups);
  step.attr_ints.push_back(scale);
  if (centred) step.attr_ints.push_back(center);
  step.attr_floats = {static_cast<float>(kEpsilon)};
  std::vector<Operand> inputs = {x};
  if (scale) inputs.push_back(gamma);
  if (center) inputs.push_back(beta);
  std::vector<TensorView> outputs = {x.type};
  if (centred) outputs.push_back(statistics);
  outputs.push_back(statistics);
  // Rounding x itself costs as many deviations as the mean is away.
  const double tolerance = 2e-5 + 4e-7 * std::fabs(static_cast<double>(offset));
  std::vector<float> mean(static_cast<size_t>(layout.groups)), spread = mean;
  for (const bool in_place : {false, true}) {
    step.in_place.clear();
    if (in_place) step.in_place = {{0, 0}};
    test::each_level(step, inputs, outputs, [&](const test::StepResult& r, const KernelTable& k) {
      check_near(r.outputs[0], want.y, tolerance, "y", k.level);
      if (centred) {
        check_near(r.outputs[1], want.mean, 1e-6, "mean", k.level, 1.0);
        mean = r.outputs[1].values<float>();
      }
      std::vector<double> second = want.variance;
      if (form.kind != Kind::kBatch) {
        for (double& v : second) v = 1 / std::sqrt(v + kEpsilon);
      }
      check_near(r.outputs.back(), second, tolerance, "variance", k.level);
      spread = r.outputs.back().values<float>();
    });
  }

  test::Step gradient = {kGradients[static_cast<int>(form.kind)], step.attr_ints};
  if (form.kind == Kind::kBatch) gradient.attr_floats = step.attr_floats;
  inputs = {x, dy};
  if (scale) inputs.push_back(gamma);
  const Dims statistics_dims = {layout.groups};
  if (centred) inputs.push_back(test::floats(statistics_dims, mean));
  inputs.push_back(test::floats(statistics_dims, spread));
  outputs = {x.type};
  if (scale) outputs.push_back(weight);
  if (center) outputs.push_back(weight);
  for (const int in_place : {-1, 0, 1}) {
    gradient.in_place.clear();
    if (in_place >= 0) gradient.in_place = {{0, static_cast<size_t>(in_place)}};
    test::each_level(gradient, inputs, outputs,
                     [&](const test::StepResult& r, const KernelTable& k) {
                       check_near(r.outputs[0], want.dx, tolerance, "dx", k.level);
                       if (scale)
                         check_near(r.outputs[1], want.dgamma, tolerance, "dgamma", k.level);
                       if (center) check_near(r.outputs.back(), want.dbeta, 1e-5, "dbeta", k.level);
                     });
  }
}

}  // namespace

TEST(norm_batch) {
  const Form forms[] = {{Kind::kBatch, {3, 1}},     {Kind::kBatch, {9, 3}},
                        {Kind::kBatch, {300, 17}},  {Kind::kBatch, {4, 9, 9, 16}},
                        {Kind::kBatch, {3000, 64}}, {Kind::kBatch, {200, 1030}},
                        {Kind::kBatch, {70000, 3}}, {Kind::kBatch, {130, 255}}};
  for (const Form& form : forms) {
    check(form, true, true, 0.0f);
    check(form, false, false, 3.0f);
  }
  check(forms[4], true, false, 0.0f);
  check(forms[4], false, true, 0.0f);
}

TEST(norm_batch_far_from_zero) {
  check({Kind::kBatch, {5000, 16}}, true, true, 1000.0f);
  check({Kind::kGroup, {2, 3000, 16}, 4}, true, true, 1000.0f);
  check({Kind::kLayer, {20, 700}, 1}, true, true, 1000.0f);
}

TEST(norm_group) {
  const Form forms[] = {{Kind::kGroup, {2, 3, 4}, 2},
                        {Kind::kGroup, {3, 6}, 2},
                        {Kind::kGroup, {2, 60, 60, 40}, 8},
                        {Kind::kGroup, {60, 9, 9, 12}, 12},
                        {Kind::kGroup, {1, 40, 1100}, 5}};
  for (const Form& form : forms) {
    check(form, true, true, 0.0f);
    check(form, false, false, 0.0f);
  }
}

TEST(norm_layer) {
  const Form forms[] = {{Kind::kLayer, {4, 2}, 1},     {Kind::kLayer, {5, 17}, 1},
                        {Kind::kLayer, {9, 3, 11}, 1}, {Kind::kLayer, {400, 128}, 1},
                        {Kind::kLayer, {3, 5000}, 1},  {Kind::kLayer, {33}, 0},
                        {Kind::kRms, {5, 17}, 1},      {Kind::kRms, {700, 63}, 1}};
  for (const Form& form : forms) {
    const bool layer = form.kind == Kind::kLayer;
    check(form, true, layer, 0.0f);
    check(form, false, false, 0.5f);
    if (layer) check(form, false, true, 0.0f);
  }
}

TEST(norm_refuses) {
  const TensorView x = test::view(DType::kFloat32, {6, 4}), c = test::view(DType::kFloat32, {4}),
                   r = test::view(DType::kFloat32, {6}), i = test::view(DType::kInt32, {4});
  const TensorView none = test::view(DType::kFloat32, {0, 4});
  const test::Step batch = {plan_batchNorm, {1, 1}, {}, {1e-3f}};
  test::expect_refused(batch, {x, c, c}, {x, c}, "two outputs");
  test::expect_refused(batch, {x, c}, {x, c, c}, "no beta");
  test::expect_refused(batch, {x, c, r}, {x, c, c}, "a beta of another size");
  test::expect_refused(batch, {x, c, i}, {x, c, c}, "an integer beta");
  test::expect_refused(batch, {x, c, c}, {c, c, c}, "a result of another size");
  test::expect_refused(batch, {x, c, c}, {x, r, c}, "means of another size");
  test::expect_refused(batch, {none, c, c}, {none, c, c}, "nothing to normalise");
  test::expect_refused({plan_batchNorm, {1}, {}, {1e-3f}}, {x, c, c}, {x, c, c},
                       "an attribute less");
  test::expect_refused({plan_batchNormGrad, {1, 1}, {}, {1e-3f}}, {x, r, c, c, c}, {x, c, c},
                       "a gradient of another size");
  test::expect_refused({plan_batchNormGrad, {1, 1}, {}, {1e-3f}}, {x, x, c, c, c}, {x, c},
                       "no gradient of beta");
  test::expect_refused({plan_groupNorm, {3, 1, 1}, {}, {1e-3f}}, {x, c, c}, {x, r, r},
                       "groups that do not divide");
  test::expect_refused({plan_groupNorm, {0, 1, 1}, {}, {1e-3f}}, {x, c, c}, {x, r, r}, "no groups");
  test::expect_refused({plan_groupNorm, {1, 1, 1}, {}, {1e-3f}}, {c, c, c}, {c, r, r},
                       "no axis of samples");
  test::expect_refused({plan_layerNorm, {2, 1, 1}, {}, {1e-3f}}, {x, c, c}, {x, r, r},
                       "rows from beyond the last axis");
  test::expect_refused({plan_layerNorm, {-1, 1, 1}, {}, {1e-3f}}, {x, c, c}, {x, r, r},
                       "rows from before the first axis");
  test::expect_refused({plan_layerNorm, {1, 1, 1}, {}, {}}, {x, c, c}, {x, r, r}, "no epsilon");
  test::expect_refused({plan_rmsNorm, {1, 1}, {}, {1e-3f}}, {x, r}, {x, r},
                       "a gamma of another size");
  test::expect_refused({plan_rmsNormGrad, {1, 1}}, {x, x, c, c}, {x, c}, "an rstd a column");
}
