// The convolution steps: attributes and shapes that do not belong together are refused, epilogues
// run over the result. Whether the numbers are right is for conv_test.cc.
#include "../conv.h"

#include "step_runner.h"

namespace {

using namespace myelin;
using test::Dims;
using test::Operand;

const TensorView kImage = test::view(DType::kFloat32, {2, 7, 6, 4});
const TensorView kKernel = test::view(DType::kFloat32, {3, 2, 2, 6});
const TensorView kResult = test::view(DType::kFloat32, {2, 4, 3, 6});

// Strides, before, after, dilations; groups.
test::Step step_of(PlanFunction plan) {
  test::Step step = {plan, {2}};
  step.attr_lists = {{2, 2}, {1, 0}, {1, 1}, {1, 1}};
  return step;
}

Chain chain_over(const Dims& dims, int inputs) {
  Chain chain = {inputs, static_cast<int32_t>(dims.size()), {}, 1, {}, {}};
  for (size_t d = 0; d < dims.size(); ++d) chain.dims[d] = dims[d];
  return chain;
}

}  // namespace

TEST(conv_step_refuses) {
  const struct {
    PlanFunction plan;
    std::vector<TensorView> inputs;
    TensorView output;
  } directions[] = {{plan_conv, {kImage, kKernel}, kResult},
                    {plan_convInputGrad, {kResult, kKernel}, kImage},
                    {plan_convKernelGrad, {kImage, kResult}, kKernel}};
  for (const auto& d : directions) {
    const test::Step good = step_of(d.plan);
    good.plan(test::spec_of(good, d.inputs, {d.output}), {*test::levels()[0], 2});
    test::expect_refused(good, {d.inputs[0]}, {d.output}, "one operand");
    test::expect_refused(good, d.inputs, {}, "no output");
    test::expect_refused(good, d.inputs, {d.output, d.output}, "two outputs");
    test::expect_refused(good, {d.inputs[1], d.inputs[0]}, {d.output}, "operands exchanged");
    test::expect_refused(good, {d.inputs[0], d.inputs[1], d.inputs[1]}, {d.output},
                         "a third operand without a body");
    TensorView other = d.output;
    other.dtype = DType::kInt32;
    test::expect_refused(good, d.inputs, {other}, "an integer output");
    for (int axis = 0; axis < 4; ++axis) {
      other = d.output;
      other.dims[axis] += 2;
      other.size = other.size / d.output.dims[axis] * other.dims[axis];
      test::expect_refused(good, d.inputs, {other}, "an output of another size");
    }
    test::Step step = good;
    for (const int64_t groups : {-2, 0, 1, 3, 4}) {
      step.attr_ints = {groups};
      test::expect_refused(step, d.inputs, {d.output}, "groups that do not fit");
    }
    step.attr_ints = {};
    test::expect_refused(step, d.inputs, {d.output}, "no groups");
    for (size_t list = 0; list < 4; ++list) {
      step = good;
      step.attr_lists[list].push_back(1);
      test::expect_refused(step, d.inputs, {d.output}, "a list too long");
      for (const int32_t value : {-1, 4, INT32_MIN, INT32_MAX}) {
        step = good;
        step.attr_lists[list][0] = value;
        test::expect_refused(step, d.inputs, {d.output}, "an attribute out of range");
      }
    }
    step = good;
    step.attr_lists.pop_back();
    test::expect_refused(step, d.inputs, {d.output}, "no dilations");
  }
  // Four spatial axes, and none.
  test::Step step = step_of(plan_conv);
  step.attr_ints = {1};
  step.attr_lists = {{}, {}, {}, {}};
  const TensorView flat = test::view(DType::kFloat32, {2, 4});
  test::expect_refused(step, {flat, test::view(DType::kFloat32, {4, 4})}, {flat}, "no axes");
  step.attr_lists = {{1, 1, 1, 1}, {0, 0, 0, 0}, {0, 0, 0, 0}, {1, 1, 1, 1}};
  const TensorView deep = test::view(DType::kFloat32, {1, 1, 1, 1, 1, 1});
  test::expect_refused(step, {deep, deep}, {deep}, "four axes");
}

// relu(result + bias), with a mask of bytes as the other output, in either order.
TEST(conv_step_epilogue) {
  const Operand x = test::noise_floats({2, 7, 6, 4}, 1), w = test::noise_floats({3, 2, 2, 6}, 2);
  const Operand dy = test::noise_floats({2, 4, 3, 6}, 3);
  for (const bool forward : {true, false}) {
    const TensorView& type = forward ? kResult : kImage;
    const Dims dims(type.dims, type.dims + 4);
    const std::vector<Operand> operands = {forward ? x : dy, w};
    test::Step step = step_of(forward ? plan_conv : plan_convInputGrad);
    std::vector<float> plain;
    test::each_level(step, operands, {type}, [&](const test::StepResult& result, const auto&) {
      plain = result.outputs[0].values<float>();
    });
    const Operand bias = test::noise_floats({dims.back()}, 4);
    Chain chain = chain_over(dims, 2);
    chain.instructions = {{MicroOp::add_f32, {0, 1, 0}},
                          {MicroOp::relu_f32, {2, 0, 0}},
                          {MicroOp::cast_f32_bool, {3, 0, 0}}};
    for (const bool mask_first : {false, true}) {
      chain.outputs = {{3, ChainReduction::kNone}, {4, ChainReduction::kNone}};
      std::vector<TensorView> outputs = {type, test::view(DType::kBool, dims)};
      if (mask_first) {
        std::swap(chain.outputs[0], chain.outputs[1]);
        std::swap(outputs[0], outputs[1]);
      }
      step.chain = std::make_shared<Chain>(chain);
      test::each_level(
          step, {operands[0], w, bias}, outputs,
          [&](const test::StepResult& result, const KernelTable&) {
            for (size_t i = 0; i < plain.size(); ++i) {
              const float b = bias.data<float>()[static_cast<int64_t>(i) % dims.back()];
              const double want = std::fmax(static_cast<double>(plain[i] + b), 0);
              const float got = result.outputs[mask_first].data<float>()[i];
              CHECK_NEAR(got, want, 1e-5);
              CHECK_EQ(result.outputs[!mask_first].data<uint8_t>()[i], got > 0 ? 1 : 0);
            }
          });
    }
    chain.outputs = {{3, ChainReduction::kNone}};
    chain.instructions.pop_back();
    chain.dims[1] += 1;
    step.chain = std::make_shared<Chain>(chain);
    test::expect_refused(step, {operands[0].type, w.type, bias.type}, {type}, "another space");
  }
}

// What is prepared of a steady kernel gives the bits of one that is not steady. The first shape is
// one for Winograd's transforms, the others for whatever else there is.
TEST(conv_step_steady_kernel) {
  const struct {
    Dims image, kernel, result;
    int32_t stride, pad;
  } shapes[] = {{{2, 12, 12, 32}, {3, 3, 32, 32}, {2, 12, 12, 32}, 1, 1},
                {{1, 14, 14, 24}, {3, 3, 24, 40}, {1, 7, 7, 40}, 2, 1},
                {{1, 9, 9, 80}, {1, 1, 80, 72}, {1, 9, 9, 72}, 1, 0},
                {{3, 8, 8, 3}, {5, 5, 3, 16}, {3, 8, 8, 16}, 1, 2}};
  for (const auto& s : shapes) {
    for (const bool forward : {true, false}) {
      test::Step step = {forward ? plan_conv : plan_convInputGrad, {1}};
      step.attr_lists = {{s.stride, s.stride}, {s.pad, s.pad}, {s.pad, s.pad}, {1, 1}};
      const std::vector<Operand> operands = {test::noise_floats(forward ? s.image : s.result, 1),
                                             test::noise_floats(s.kernel, 2)};
      const TensorView type = test::view(DType::kFloat32, forward ? s.result : s.image);
      std::vector<Operand> plain;
      test::each_level(step, operands, {type}, [&](const test::StepResult& result, const auto&) {
        plain.push_back(result.outputs[0]);
      });
      step.steady = {false, true};
      size_t level = 0;
      test::each_level(step, operands, {type}, [&](const test::StepResult& result, const auto&) {
        test::expect_same(result.outputs[0], plain[level++], test::text(s.kernel));
      });
    }
  }
}
