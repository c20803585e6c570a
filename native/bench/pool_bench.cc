// Pooling and resizing beside a memory copy of the same traffic. Usage: pool_bench [name part]
// [level].
#include "step_bench.inl.h"

namespace {

using List = std::vector<int32_t>;

// max, its gradient, average and its gradient of one kind of windows.
void add_pooling(std::vector<Case>& cases, const std::vector<const char*>& names, const Dims& image,
                 const Dims& out, const std::vector<List>& windows) {
  const TensorView x = view(kF, image), y = view(kF, out), index = view(kU, out);
  cases.push_back({names[0], plan_maxPool, {}, windows, {x}, {y, index}});
  cases.push_back({names[1], plan_maxPoolGrad, {}, windows, {y, index}, {x}});
  cases.push_back({names[2], plan_averagePool, {}, windows, {x}, {y}});
  cases.push_back({names[3], plan_averagePoolGrad, {}, windows, {y}, {x}});
}

std::vector<Case> cases() {
  std::vector<Case> cases;
  const std::vector<List> twos = {{2, 2}, {2, 2}, {0, 0}};
  add_pooling(cases,
              {"maxPool 2x2 [128,24,24,64]", "maxPoolGrad 2x2 [128,24,24,64]",
               "averagePool 2x2 [128,24,24,64]", "averagePoolGrad 2x2 [128,24,24,64]"},
              {128, 24, 24, 64}, {128, 12, 12, 64}, twos);
  add_pooling(cases,
              {"maxPool 2x2 [16,24,24,64]", "maxPoolGrad 2x2 [16,24,24,64]",
               "averagePool 2x2 [16,24,24,64]", "averagePoolGrad 2x2 [16,24,24,64]"},
              {16, 24, 24, 64}, {16, 12, 12, 64}, twos);
  add_pooling(cases,
              {"maxPool 2x2 [64,32,32,16]", "maxPoolGrad 2x2 [64,32,32,16]",
               "averagePool 2x2 [64,32,32,16]", "averagePoolGrad 2x2 [64,32,32,16]"},
              {64, 32, 32, 16}, {64, 16, 16, 16}, twos);
  add_pooling(
      cases,
      {"maxPool 3x3 s2 same [8,112,112,64]", "maxPoolGrad 3x3 s2 same [8,112,112,64]",
       "averagePool 3x3 s2 same [8,112,112,64]", "averagePoolGrad 3x3 s2 same [8,112,112,64]"},
      {8, 112, 112, 64}, {8, 56, 56, 64}, {{3, 3}, {2, 2}, {0, 0}});
  add_pooling(cases,
              {"maxPool 2x2 [128,28,28,1]", "maxPoolGrad 2x2 [128,28,28,1]",
               "averagePool 2x2 [128,28,28,1]", "averagePoolGrad 2x2 [128,28,28,1]"},
              {128, 28, 28, 1}, {128, 14, 14, 1}, twos);
  add_pooling(cases,
              {"maxPool 2x2 [64,64,64,3]", "maxPoolGrad 2x2 [64,64,64,3]",
               "averagePool 2x2 [64,64,64,3]", "averagePoolGrad 2x2 [64,64,64,3]"},
              {64, 64, 64, 3}, {64, 32, 32, 3}, twos);
  add_pooling(cases,
              {"maxPool 2x2 [64,64,64,8]", "maxPoolGrad 2x2 [64,64,64,8]",
               "averagePool 2x2 [64,64,64,8]", "averagePoolGrad 2x2 [64,64,64,8]"},
              {64, 64, 64, 8}, {64, 32, 32, 8}, twos);
  const auto resizing = [&](const char* name, const char* grad, const Dims& from, const Dims& to,
                            int64_t bilinear) {
    cases.push_back({name, plan_resize, {bilinear, 0}, {}, {view(kF, from)}, {view(kF, to)}});
    cases.push_back({grad, plan_resizeGrad, {bilinear, 0}, {}, {view(kF, to)}, {view(kF, from)}});
  };
  resizing("resize nearest [32,16,16,64] x2", "resizeGrad nearest [32,16,16,64] x2",
           {32, 16, 16, 64}, {32, 32, 32, 64}, 0);
  resizing("resize bilinear [32,16,16,64] x2", "resizeGrad bilinear [32,16,16,64] x2",
           {32, 16, 16, 64}, {32, 32, 32, 64}, 1);
  resizing("resize bilinear [8,128,128,3] to 96", "resizeGrad bilinear [8,128,128,3] to 96",
           {8, 128, 128, 3}, {8, 96, 96, 3}, 1);
  return cases;
}

}  // namespace

int main(int argc, char** argv) { return run_cases(cases(), argc, argv); }
