// Moves against element-by-element copies through indices: transpose, slice, pad, concatenate,
// reverse, gather, scatterAdd, iota.
#include <algorithm>
#include <functional>

#include "step_runner.h"

namespace {

using namespace myelin;
using namespace myelin::test;

const DType kMoved[] = {DType::kFloat32, DType::kUint8};

// Calls fn(index, flat) for every index of dims in order.
void each_index(const Dims& dims, const std::function<void(const Dims&, int64_t)>& fn) {
  Dims index(dims.size(), 0);
  for (int64_t flat = 0, size = size_of(dims); flat < size; ++flat) {
    fn(index, flat);
    for (size_t i = dims.size(); i-- > 0;) {
      if (++index[i] < dims[i]) break;
      index[i] = 0;
    }
  }
}

int64_t flat_of(const Dims& dims, const Dims& index) {
  int64_t flat = 0;
  for (size_t i = 0; i < dims.size(); ++i) flat = flat * dims[i] + index[i];
  return flat;
}

void copy_element(const Operand& from, int64_t at, Operand& to, int64_t other) {
  const size_t bytes = static_cast<size_t>(bytes_of(from.type.dtype));
  std::memcpy(to.bytes.data() + static_cast<size_t>(other) * bytes,
              from.bytes.data() + static_cast<size_t>(at) * bytes, bytes);
}

void check(const Step& step, const std::vector<Operand>& inputs, const Operand& want,
           const std::string& what) {
  each_level(step, inputs, {want.type}, [&](const StepResult& result, const KernelTable& kernels) {
    CHECK(result.failure.empty());
    expect_same(result.outputs[0], want, what + " " + kernels.level);
  });
}

}  // namespace

TEST(move_transpose) {
  struct Case {
    Dims dims;
    std::vector<int32_t> perm;
  };
  std::vector<Case> cases = {{{}, {}},
                             {{5}, {0}},
                             {{0, 3}, {1, 0}},
                             {{1, 7, 1}, {2, 1, 0}},
                             {{2, 3, 4}, {2, 1, 0}},
                             {{2, 30, 17, 3}, {0, 2, 1, 3}},
                             {{3, 20, 18, 5}, {0, 3, 1, 2}},
                             {{3, 5, 20, 18}, {0, 2, 3, 1}},
                             {{4, 33, 2, 65}, {2, 1, 3, 0}},
                             {{2, 2, 2, 3, 2, 2, 3, 2}, {7, 0, 6, 1, 5, 2, 4, 3}},
                             {{20, 3, 40}, {1, 0, 2}},
                             {{300, 513}, {1, 0}},
                             {{2, 100, 260}, {0, 2, 1}}};
  for (const int64_t rows : {1, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 64, 65})
    for (const int64_t cols : {1, 2, 3, 4, 5, 8, 11, 16, 63, 130})
      cases.push_back({{rows, cols}, {1, 0}});
  for (const Case& c : cases) {
    for (const DType dtype : kMoved) {
      const Operand x = noise_bytes(dtype, c.dims, 1);
      Dims dims;
      for (const int32_t axis : c.perm) dims.push_back(c.dims[static_cast<size_t>(axis)]);
      Operand want = empty(dtype, dims);
      each_index(dims, [&](const Dims& index, int64_t flat) {
        Dims source(index.size());
        for (size_t i = 0; i < index.size(); ++i) source[static_cast<size_t>(c.perm[i])] = index[i];
        copy_element(x, flat_of(c.dims, source), want, flat);
      });
      check({plan_transpose, {}, {c.perm}}, {x}, want, "transpose " + text(c.dims));
    }
  }
}

TEST(move_slice) {
  struct Case {
    Dims dims, size;
    std::vector<int32_t> begin, step;
  };
  const Case cases[] = {{{}, {}, {}, {}},
                        {{10}, {4}, {3}, {1}},
                        {{10}, {4}, {0}, {3}},
                        {{10}, {0}, {10}, {1}},
                        {{10}, {1}, {9}, {1000000}},
                        {{6, 7}, {2, 7}, {3, 0}, {1, 1}},
                        {{6, 7}, {6, 3}, {0, 2}, {1, 2}},
                        {{5, 6, 7}, {2, 3, 4}, {1, 0, 2}, {2, 2, 1}},
                        {{5, 6, 7}, {0, 3, 4}, {1, 0, 2}, {2, 2, 1}},
                        {{300, 200}, {150, 100}, {1, 50}, {2, 1}},
                        {{2, 100000}, {2, 70000}, {0, 7}, {1, 1}},
                        {{2, 100000}, {2, 30000}, {0, 7}, {1, 3}}};
  for (const Case& c : cases) {
    for (const DType dtype : kMoved) {
      const Operand x = noise_bytes(dtype, c.dims, 2);
      Operand want = empty(dtype, c.size);
      each_index(c.size, [&](const Dims& index, int64_t flat) {
        Dims source(index.size());
        for (size_t i = 0; i < index.size(); ++i) source[i] = c.begin[i] + index[i] * c.step[i];
        copy_element(x, flat_of(c.dims, source), want, flat);
      });
      check({plan_slice, {}, {c.begin, c.step}}, {x}, want, "slice " + text(c.dims));
    }
  }
}

TEST(move_pad) {
  struct Case {
    Dims dims, out;
    std::vector<int32_t> before, interior;
  };
  const Case cases[] = {{{}, {}, {}, {}},
                        {{3}, {3}, {0}, {0}},
                        {{3}, {9}, {1}, {2}},
                        {{0}, {4}, {2}, {5}},
                        {{2, 3}, {5, 9}, {1, 2}, {1, 1}},
                        {{4, 5, 6}, {4, 9, 6}, {0, 2, 0}, {0, 0, 0}},
                        {{300, 290}, {303, 301}, {1, 5}, {0, 0}},
                        {{64, 3}, {127, 3}, {0, 0}, {1, 0}},
                        {{200, 1}, {200, 300}, {0, 100}, {0, 7}}};
  for (const Case& c : cases) {
    for (const DType dtype : {DType::kFloat32, DType::kInt32, DType::kBool, DType::kUint8}) {
      const Operand x = noise_bytes(dtype, c.dims, 3);
      Operand want = empty(dtype, c.out);
      for (int64_t i = 0; i < want.type.size; ++i) {
        if (dtype == DType::kFloat32) want.data<float>()[i] = -2.5f;
        if (dtype == DType::kInt32) want.data<int32_t>()[i] = -2;
        if (dtype == DType::kBool) want.data<uint8_t>()[i] = 1;
        if (dtype == DType::kUint8) want.data<uint8_t>()[i] = 254;
      }
      each_index(c.dims, [&](const Dims& index, int64_t flat) {
        Dims target(index.size());
        for (size_t i = 0; i < index.size(); ++i)
          target[i] = c.before[i] + index[i] * (c.interior[i] + 1);
        copy_element(x, flat, want, flat_of(c.out, target));
      });
      check({plan_pad, {}, {c.before, c.interior}, {-2.5f}}, {x}, want, "pad " + text(c.out));
    }
  }
  // Values that int32 cannot hold.
  const struct {
    float value;
    int32_t want;
  } conversions[] = {
      {NAN, 0}, {1e20f, INT32_MAX}, {-1e20f, INT32_MIN}, {-2147483648.0f, INT32_MIN}};
  for (const auto& c : conversions) {
    check({plan_pad, {}, {{1}, {0}}, {c.value}}, {ints({0}, {})}, ints({1}, {c.want}), "pad value");
  }
}

TEST(move_concatenate) {
  struct Case {
    std::vector<Dims> dims;
    int axis;
  };
  const Case cases[] = {{{{3}, {0}, {4}}, 0},          {{{2, 3}, {2, 5}}, 1},
                        {{{2, 3}, {4, 3}, {1, 3}}, 0}, {{{5, 2, 7}, {5, 3, 7}}, 1},
                        {{{0, 2}, {0, 3}}, 1},         {{{1000, 1}, {1000, 40}, {1000, 3}}, 1},
                        {{{70000, 2}, {30000, 2}}, 0}, {{{4, 4}}, 0}};
  for (const Case& c : cases) {
    for (const DType dtype : kMoved) {
      const size_t axis = static_cast<size_t>(c.axis);
      Dims dims = c.dims[0];
      dims[axis] = 0;
      std::vector<Operand> inputs;
      for (const Dims& d : c.dims) {
        dims[axis] += d[axis];
        inputs.push_back(noise_bytes(dtype, d, inputs.size() + 4));
      }
      Operand want = empty(dtype, dims);
      int64_t at = 0;
      for (size_t k = 0; k < inputs.size(); ++k) {
        each_index(c.dims[k], [&](const Dims& index, int64_t flat) {
          Dims target = index;
          target[axis] += at;
          copy_element(inputs[k], flat, want, flat_of(dims, target));
        });
        at += c.dims[k][axis];
      }
      check({plan_concatenate, {c.axis}}, inputs, want, "concatenate " + text(dims));
    }
  }
}

TEST(move_reverse) {
  const struct {
    Dims dims;
    std::vector<int32_t> axes;
  } cases[] = {{{}, {}},          {{7}, {0}},        {{4, 5}, {}},           {{4, 5}, {0}},
               {{4, 5}, {1}},     {{4, 5}, {1, 0}},  {{0, 5}, {0, 1}},       {{3, 4, 5, 6}, {2, 0}},
               {{100, 700}, {0}}, {{3, 70000}, {1}}, {{2, 3, 4, 50}, {1, 2}}};
  for (const auto& c : cases) {
    for (const DType dtype : kMoved) {
      const Operand x = noise_bytes(dtype, c.dims, 6);
      Operand want = empty(dtype, c.dims);
      each_index(c.dims, [&](const Dims& index, int64_t flat) {
        Dims source = index;
        for (const int32_t a : c.axes) {
          const size_t axis = static_cast<size_t>(a);
          source[axis] = c.dims[axis] - 1 - index[axis];
        }
        copy_element(x, flat_of(c.dims, source), want, flat);
      });
      check({plan_reverse, {}, {c.axes}}, {x}, want, "reverse " + text(c.dims));
    }
  }
}

namespace {

// x.dims with axis replaced by those of the indices.
Dims picked_dims(const Dims& dims, size_t axis, const Dims& indices) {
  Dims result(dims.begin(), dims.begin() + static_cast<int64_t>(axis));
  result.insert(result.end(), indices.begin(), indices.end());
  result.insert(result.end(), dims.begin() + static_cast<int64_t>(axis) + 1, dims.end());
  return result;
}

Operand noise_indices(const Dims& dims, uint64_t seed, int64_t n) {
  Operand result = empty(DType::kInt32, dims);
  for (int64_t i = 0; i < result.type.size; ++i) {
    const double u = (double{noise(seed, static_cast<uint64_t>(i))} + 1) / 2;
    result.data<int32_t>()[i] = static_cast<int32_t>(u * static_cast<double>(n));
  }
  return result;
}

struct Picks {
  Dims dims;
  int axis;
  Dims indices;
};
const Picks kPicks[] = {
    {{10}, 0, {}},          {{10}, 0, {4}},        {{10}, 0, {0}},          {{10, 3}, 0, {2, 3}},
    {{4, 9}, 1, {5}},       {{4, 9}, 1, {70000}},  {{5, 6, 7}, 1, {3}},     {{5, 6, 7}, 2, {2}},
    {{0, 6, 7}, 1, {3}},    {{50, 784}, 0, {128}}, {{3, 50, 20}, 1, {9}},   {{1000, 65}, 0, {3000}},
    {{20000}, 0, {100000}}, {{40, 1}, 0, {300}},   {{2, 3, 2000}, 1, {40}}, {{2, 3, 0}, 1, {4}}};

}  // namespace

TEST(move_gather) {
  for (const Picks& c : kPicks) {
    const size_t axis = static_cast<size_t>(c.axis);
    for (const DType dtype : kMoved) {
      const Operand x = noise_bytes(dtype, c.dims, 7);
      const Operand indices = noise_indices(c.indices, 8, c.dims[axis]);
      const Dims dims = picked_dims(c.dims, axis, c.indices);
      Operand want = empty(dtype, dims);
      each_index(dims, [&](const Dims& index, int64_t flat) {
        const auto middle = index.begin() + c.axis,
                   rest = middle + static_cast<int64_t>(c.indices.size());
        Dims source(index.begin(), middle);
        source.push_back(indices.data<int32_t>()[flat_of(c.indices, Dims(middle, rest))]);
        source.insert(source.end(), rest, index.end());
        copy_element(x, flat_of(c.dims, source), want, flat);
      });
      check({plan_gather, {c.axis}}, {x, indices}, want, "gather " + text(c.dims));
    }
  }
}

TEST(move_scatter_add) {
  for (const Picks& c : kPicks) {
    const size_t axis = static_cast<size_t>(c.axis);
    const Operand indices = noise_indices(c.indices, 9, c.dims[axis]);
    const Dims dims = picked_dims(c.dims, axis, c.indices);
    const Operand updates = noise_floats(dims, 10), whole = noise_ints(dims, 11, 2000000000);
    Operand want = empty(DType::kFloat32, c.dims), want_whole = empty(DType::kInt32, c.dims);
    each_index(dims, [&](const Dims& index, int64_t flat) {
      const auto middle = index.begin() + c.axis,
                 rest = middle + static_cast<int64_t>(c.indices.size());
      Dims target(index.begin(), middle);
      target.push_back(indices.data<int32_t>()[flat_of(c.indices, Dims(middle, rest))]);
      target.insert(target.end(), rest, index.end());
      const int64_t to = flat_of(c.dims, target);
      want.data<float>()[to] +=
          updates.data<float>()[flat];  // the order of updates, hence equal bits
      want_whole.data<uint32_t>()[to] += whole.data<uint32_t>()[flat];
    });
    check({plan_scatterAdd, {c.axis}}, {indices, updates}, want, "scatterAdd " + text(c.dims));
    check({plan_scatterAdd, {c.axis}}, {indices, whole}, want_whole,
          "int32 scatterAdd " + text(c.dims));
  }
}

TEST(move_indices_out_of_range) {
  const Operand x = floats({10}, {0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  for (const int32_t wrong : {12, 10, -1, INT32_MIN, INT32_MAX}) {
    const Operand indices = ints({5}, {1, 2, 3, wrong, 4});
    const std::string tail = ": index " + std::to_string(wrong) + " at 3 is outside [0, 10)";
    each_level({plan_gather, {0}}, {x, indices}, {view(DType::kFloat32, {5})},
               [&](const StepResult& result, const KernelTable&) {
                 CHECK(result.failure == "gather" + tail);
                 expect_same(result.outputs[0], floats({5}, {1, 2, 3, 0, 4}), "gather");
               });
    const Operand updates = floats({5}, {1, 1, 1, 1, 1});
    each_level({plan_scatterAdd, {0}}, {indices, updates}, {view(DType::kFloat32, {10})},
               [&](const StepResult& result, const KernelTable&) {
                 CHECK(result.failure == "scatterAdd" + tail);
                 expect_same(result.outputs[0], floats({10}, {0, 1, 1, 1, 1, 0, 0, 0, 0, 0}),
                             "scatterAdd");
               });
  }
  // Nothing to pick from.
  each_level({plan_gather, {0}}, {floats({0, 2}, {}), ints({1}, {0})},
             {view(DType::kFloat32, {1, 2})}, [](const StepResult& result, const KernelTable&) {
               CHECK(result.failure == "gather: index 0 at 0 is outside [0, 0)");
               expect_same(result.outputs[0], floats({1, 2}, {0, 0}), "gather from nothing");
             });
}

TEST(move_iota) {
  for (const int64_t n : {0, 1, 5, 65536, 150001}) {
    std::vector<int32_t> want(static_cast<size_t>(n));
    for (size_t i = 0; i < want.size(); ++i) want[i] = static_cast<int32_t>(i);
    check({plan_iota}, {}, ints({n}, want), "iota");
  }
}

TEST(move_refuses) {
  const TensorView x = view(DType::kFloat32, {4, 5}), turned = view(DType::kFloat32, {5, 4});
  const TensorView whole = view(DType::kInt32, {4, 5}), indices = view(DType::kInt32, {3});
  const TensorView picked = view(DType::kFloat32, {3, 5}), scalar = view(DType::kFloat32, {});
  const std::vector<int32_t> none = {0, 0}, ones = {1, 1};
  expect_refused({plan_transpose, {}, {{1, 0}}}, {x}, {x}, "transpose shape");
  expect_refused({plan_transpose, {}, {{0, 0}}}, {x}, {x}, "transpose twice the same axis");
  expect_refused({plan_transpose, {}, {{0, 2}}}, {x}, {x}, "transpose axis");
  expect_refused({plan_transpose, {}, {{0, -1}}}, {x}, {x}, "transpose negative axis");
  expect_refused({plan_transpose, {}, {{1}}}, {x}, {turned}, "transpose short list");
  expect_refused({plan_transpose, {}, {}}, {x}, {turned}, "transpose without list");
  expect_refused({plan_transpose, {}, {{1, 0}}}, {whole}, {turned}, "transpose dtype");
  expect_refused({plan_slice, {}, {none, ones}}, {x}, {turned}, "slice too long");
  expect_refused({plan_slice, {}, {{0, 1}, ones}}, {x}, {x}, "slice past the end");
  expect_refused({plan_slice, {}, {{0, -1}, ones}}, {x}, {x}, "slice before the start");
  expect_refused({plan_slice, {}, {none, {1, 0}}}, {x}, {x}, "slice step 0");
  expect_refused({plan_slice, {}, {none, {1, INT32_MAX}}}, {x}, {x}, "slice huge step");
  expect_refused({plan_slice, {}, {{0, 6}, ones}}, {x}, {view(DType::kFloat32, {4, 0})},
                 "slice begins past the end");
  expect_refused({plan_slice, {}, {{0, 5}, {1, 2}}}, {x}, {view(DType::kFloat32, {4, 1})},
                 "slice of one past the end");
  expect_refused({plan_slice, {}, {none, ones}}, {x}, {scalar}, "slice rank");
  expect_refused({plan_slice, {}, {none}}, {x}, {x}, "slice one list");
  expect_refused({plan_pad, {}, {{0, 1}, none}, {0}}, {x}, {x}, "pad longer than output");
  expect_refused({plan_pad, {}, {{0, -1}, none}, {0}}, {x}, {x}, "pad negative");
  expect_refused({plan_pad, {}, {none, {0, INT32_MAX}}, {0}}, {x}, {x}, "pad interior");
  expect_refused({plan_pad, {}, {none, {0, -1}}, {0}}, {x}, {x}, "pad negative interior");
  expect_refused({plan_pad, {}, {none, none}}, {x}, {x}, "pad without value");
  expect_refused({plan_pad, {}, {none, none}, {0}}, {x}, {whole}, "pad dtype");
  expect_refused({plan_concatenate, {0}}, {}, {x}, "concatenate nothing");
  expect_refused({plan_concatenate, {0}}, {x, x}, {x}, "concatenate too long");
  expect_refused({plan_concatenate, {0}}, {x}, {view(DType::kFloat32, {5, 5})},
                 "concatenate too short");
  expect_refused({plan_concatenate, {0}}, {x, turned}, {view(DType::kFloat32, {9, 5})},
                 "concatenate other shape");
  expect_refused({plan_concatenate, {2}}, {x}, {x}, "concatenate axis");
  expect_refused({plan_concatenate, {0}}, {x, whole}, {view(DType::kFloat32, {8, 5})},
                 "concatenate dtype");
  expect_refused({plan_reverse, {}, {{2}}}, {x}, {x}, "reverse axis");
  expect_refused({plan_reverse, {}, {{0, 0}}}, {x}, {x}, "reverse repeated axis");
  expect_refused({plan_reverse, {}, {{0}}}, {x}, {turned}, "reverse shape");
  expect_refused({plan_gather, {0}}, {x, picked}, {picked}, "gather float32 indices");
  expect_refused({plan_gather, {2}}, {x, indices}, {picked}, "gather axis");
  expect_refused({plan_gather, {0}}, {x, indices}, {x}, "gather shape");
  expect_refused({plan_gather, {1}}, {x, indices}, {picked}, "gather shape of another axis");
  expect_refused({plan_gather, {0}}, {whole, indices}, {picked}, "gather dtype");
  expect_refused({plan_gather, {0}}, {scalar, indices}, {view(DType::kFloat32, {3})},
                 "gather from a scalar");
  expect_refused({plan_scatterAdd, {0}}, {indices, x}, {x}, "scatterAdd shape");
  expect_refused({plan_scatterAdd, {0}}, {picked, picked}, {x}, "scatterAdd float32 indices");
  expect_refused({plan_scatterAdd, {0}}, {indices, view(DType::kUint8, {3, 5})},
                 {view(DType::kUint8, {4, 5})}, "scatterAdd uint8");
  expect_refused({plan_iota}, {}, {x}, "iota float32");
  expect_refused({plan_iota}, {}, {whole}, "iota rank");
  expect_refused({plan_iota}, {x}, {indices}, "iota with input");
}
