// Depthwise convolutions and small groups in all three directions, beside a memory copy of the same
// traffic: the shapes of MobileNetV2 at batch 1 and some of training, ResNeXt's groups. Usage:
// depthwise_bench [name part] [level].
#include <string>

#include "step_bench.inl.h"

namespace {

struct Layer {
  const char* name;
  int64_t batch, size, groups, channels, outputs, kernel;
  int32_t stride;
};

constexpr Layer kLayers[] = {
    {"112x112x32", 1, 112, 32, 1, 1, 3, 1},       {"112x112x96 /2", 1, 112, 96, 1, 1, 3, 2},
    {"56x56x144", 1, 56, 144, 1, 1, 3, 1},        {"56x56x144 /2", 1, 56, 144, 1, 1, 3, 2},
    {"28x28x192", 1, 28, 192, 1, 1, 3, 1},        {"28x28x192 /2", 1, 28, 192, 1, 1, 3, 2},
    {"14x14x384", 1, 14, 384, 1, 1, 3, 1},        {"14x14x576", 1, 14, 576, 1, 1, 3, 1},
    {"14x14x576 /2", 1, 14, 576, 1, 1, 3, 2},     {"7x7x960", 1, 7, 960, 1, 1, 3, 1},
    {"32x56x56x144", 32, 56, 144, 1, 1, 3, 1},    {"32x14x14x384", 32, 14, 384, 1, 1, 3, 1},
    {"5x5 28x28x120", 1, 28, 120, 1, 1, 5, 1},    {"28x28x64 by 2", 1, 28, 64, 1, 2, 3, 1},
    {"groups of 2 56x56", 1, 56, 64, 2, 2, 3, 1}, {"groups of 4 56x56", 1, 56, 32, 4, 4, 3, 1},
    {"groups of 8 28x28", 1, 28, 32, 8, 8, 3, 1}, {"groups of 16 14x14", 1, 14, 32, 16, 16, 3, 1}};

std::vector<Case> cases(std::vector<std::string>& names) {
  std::vector<Case> cases;
  names.reserve(3 * std::size(kLayers));
  for (const Layer& l : kLayers) {
    const int64_t cin = l.groups * l.channels, cout = l.groups * l.outputs;
    const int64_t size = (l.size + l.stride - 1) / l.stride;
    const auto pad =
        static_cast<int32_t>(std::max<int64_t>(0, (size - 1) * l.stride + l.kernel - l.size));
    const TensorView x = view(kF, {l.batch, l.size, l.size, cin});
    const TensorView w = view(kF, {l.kernel, l.kernel, l.channels, cout});
    const TensorView y = view(kF, {l.batch, size, size, cout});
    const int32_t before = pad / 2, after = pad - before;
    const std::vector<std::vector<int32_t>> lists = {
        {l.stride, l.stride}, {before, before}, {after, after}, {1, 1}};
    const auto add = [&](const char* direction, PlanFunction plan, const TensorView& a,
                         const TensorView& b, const TensorView& c) {
      names.push_back(std::string(l.name) + " " + direction);
      cases.push_back({names.back().c_str(), plan, {l.groups}, lists, {a, b}, {c}});
    };
    add("forward", plan_conv, x, w, y);
    add("input grad", plan_convInputGrad, y, w, x);
    add("kernel grad", plan_convKernelGrad, x, y, w);
  }
  return cases;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<std::string> names;
  return run_cases(cases(names), argc, argv);
}
