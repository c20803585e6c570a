// Sort against std::stable_sort with a comparison that puts NaN last.
#include <algorithm>
#include <limits>
#include <numeric>

#include "step_runner.h"

namespace {

using namespace myelin;
using namespace myelin::test;

template <class T>
void check_sort(const Operand& x, int axis, bool descending) {
  const Dims dims(x.type.dims, x.type.dims + x.type.rank);
  int64_t inner = 1;
  for (size_t i = static_cast<size_t>(axis) + 1; i < dims.size(); ++i) inner *= dims[i];
  const int64_t n = dims[static_cast<size_t>(axis)];
  Operand values = x, places = empty(DType::kInt32, dims);
  for (int64_t row = 0; n > 0 && row < x.type.size / n; ++row) {
    const int64_t at = row / inner * n * inner + row % inner;
    const T* p = x.data<T>() + at;
    std::vector<int32_t> order(static_cast<size_t>(n));
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](int32_t i, int32_t j) {
      const T a = p[i * inner], b = p[j * inner];
      if (a != a || b != b) return a == a && b != b;
      return descending ? a > b : a < b;
    });
    for (int64_t i = 0; i < n; ++i) {
      places.data<int32_t>()[at + i * inner] = order[static_cast<size_t>(i)];
      values.data<T>()[at + i * inner] = p[order[static_cast<size_t>(i)] * inner];
    }
  }
  const std::string what = "sort " + text(dims) + (descending ? " descending" : "");
  each_level({plan_sort, {axis, descending}}, {x}, {x.type, places.type},
             [&](const StepResult& result, const KernelTable&) {
               expect_same(result.outputs[0], values, what + " values");
               expect_same(result.outputs[1], places, what + " places");
             });
}

}  // namespace

TEST(sort_rows) {
  for (const Dims& dims :
       {Dims{1}, Dims{0}, Dims{2}, Dims{17}, Dims{1023}, Dims{1024}, Dims{1025}, Dims{70000},
        Dims{5, 33}, Dims{300, 40}, Dims{3, 2000}, Dims{0, 5}, Dims{4, 0}}) {
    const int axis = static_cast<int>(dims.size()) - 1;
    for (const bool descending : {false, true}) {
      check_sort<float>(noise_floats(dims, 1), axis, descending);
      check_sort<int32_t>(noise_ints(dims, 2, 2000000000), axis, descending);
      check_sort<int32_t>(noise_ints(dims, 3, 2), axis, descending);  // stability shows
    }
  }
}

TEST(sort_other_axes) {
  for (const bool descending : {false, true}) {
    check_sort<float>(noise_floats({30, 7, 3}, 4), 0, descending);
    check_sort<float>(noise_floats({3, 50, 9}, 5), 1, descending);
    check_sort<int32_t>(noise_ints({1500, 2}, 6, 50), 0, descending);
  }
}

TEST(sort_special_values) {
  constexpr float kInf = std::numeric_limits<float>::infinity();
  const float some[] = {NAN,   0.0f, -0.0f,  kInf,    -kInf, 1.0f,
                        -1.0f, -NAN, 1e-40f, -1e-40f, 3e38f, -3e38f};
  for (const int64_t n : {12, 24, 2048}) {
    std::vector<float> x(static_cast<size_t>(n));
    for (size_t i = 0; i < x.size(); ++i) x[i] = some[(i * 7) % 12];
    check_sort<float>(floats({n}, x), 0, false);
    check_sort<float>(floats({n}, x), 0, true);
  }
  check_sort<int32_t>(ints({4}, {INT32_MAX, INT32_MIN, 0, -1}), 0, true);
}

TEST(sort_refuses) {
  const TensorView x = view(DType::kFloat32, {4, 5}), places = view(DType::kInt32, {4, 5});
  expect_refused({plan_sort, {1, 0}}, {x}, {x}, "one output");
  expect_refused({plan_sort, {2, 0}}, {x}, {x, places}, "axis");
  expect_refused({plan_sort, {1, 0}}, {x}, {x, x}, "float32 places");
  expect_refused({plan_sort, {1, 0}}, {x}, {places, places}, "int32 values");
  expect_refused({plan_sort, {1, 0}}, {x}, {x, view(DType::kInt32, {5, 4})}, "shape");
  expect_refused({plan_sort, {1, 0}}, {view(DType::kUint8, {3})},
                 {view(DType::kUint8, {3}), view(DType::kInt32, {3})}, "uint8");
}
