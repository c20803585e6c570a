// Pooling and resizing against plain loops: windows that touch, overlap, leave gaps and cross
// edges, bins, few and many channels; planners that refuse.
#include <limits>

#include "step_runner.h"

namespace {

using namespace myelin;
using test::Dims;
using test::Operand;

using List = std::vector<int32_t>;

struct Way {
  Dims image, out;
  List pool, strides, before;
};

const Way kWays[] = {
    {{2, 4, 6, 64}, {2, 2, 3, 64}, {2, 2}, {2, 2}, {0, 0}},
    {{1, 9, 8, 70}, {1, 5, 4, 70}, {3, 3}, {2, 2}, {1, 0}},
    {{3, 5, 37, 1}, {3, 2, 18, 1}, {2, 2}, {2, 2}, {0, 0}},
    {{1, 5, 300, 2}, {1, 5, 300, 2}, {3, 3}, {1, 1}, {1, 1}},
    {{2, 33, 3}, {2, 9, 3}, {2}, {4}, {1}},
    {{1, 7, 40, 4}, {1, 3, 9, 4}, {}, {}, {}},
    {{2, 3, 4, 5, 17}, {2, 2, 4, 3, 17}, {2, 1, 3}, {1, 1, 2}, {0, 0, 1}},
    {{1, 40, 30, 3}, {1, 2, 2, 3}, {20, 17}, {20, 15}, {0, 2}},
    {{64, 30, 31, 3}, {64, 15, 15, 3}, {2, 2}, {2, 2}, {0, 0}},
    {{0, 4, 4, 3}, {0, 2, 2, 3}, {2, 2}, {2, 2}, {0, 0}},
    {{2, 4, 4, 0}, {2, 2, 2, 0}, {2, 2}, {2, 2}, {0, 0}},
};

struct Bin {
  int64_t start, begin, end;
};

// A way with all lists filled in.
struct Windows {
  Way way;
  bool adaptive;
  explicit Windows(const Way& given) : way(given), adaptive(given.strides.empty()) {
    if (!adaptive) return;
    for (size_t i = 1; i + 1 < way.image.size(); ++i) {
      const int64_t n = way.image[i], o = way.out[i];
      int64_t largest = 0;
      for (int64_t k = 0; k < o; ++k)
        largest = std::max(largest, ((k + 1) * n + o - 1) / o - k * n / o);
      way.pool.push_back(static_cast<int32_t>(largest));
      way.before.push_back(0);
    }
  }
  Bin bin(size_t axis, int64_t o) const {
    const int64_t n = way.image[axis + 1], outs = way.out[axis + 1];
    if (adaptive) return {o * n / outs, o * n / outs, ((o + 1) * n + outs - 1) / outs};
    const int64_t start = o * way.strides[axis] - way.before[axis];
    return {start, std::max<int64_t>(0, start), std::min<int64_t>(n, start + way.pool[axis])};
  }
  test::Step step(PlanFunction plan) const {
    return {plan, {}, {way.pool, way.strides, way.before}};
  }
  DType index() const {
    int64_t places = 1;
    for (const int32_t p : way.pool) places *= p;
    return places <= 256 ? DType::kUint8 : DType::kInt32;
  }
};

// Calls visit(output, input, place, count) with offsets of first channels.
template <class F>
void each_place(const Windows& w, F&& visit) {
  const size_t axes = w.way.pool.size();
  const int64_t channels = w.way.image.back();
  Dims spatial(w.way.out.begin() + 1, w.way.out.end() - 1);
  for (int64_t batch = 0; batch < w.way.image[0]; ++batch) {
    for (int64_t position = 0; position < test::size_of(spatial); ++position) {
      Bin bins[3];
      int64_t count = 1;
      for (size_t i = axes, left = static_cast<size_t>(position); i-- > 0;) {
        bins[i] = w.bin(i, static_cast<int64_t>(left) % spatial[i]);
        left /= static_cast<size_t>(spatial[i]);
        count *= bins[i].end - bins[i].begin;
      }
      const int64_t output = (batch * test::size_of(spatial) + position) * channels;
      for (int64_t k = 0; k < count; ++k) {
        int64_t input = batch, place = 0, left = k, before = count;
        for (size_t i = 0; i < axes; ++i) {
          before /= bins[i].end - bins[i].begin;
          const int64_t at = bins[i].begin + left / before;
          left %= before;
          input = input * w.way.image[i + 1] + at;
          place = place * w.way.pool[i] + at - bins[i].start;
        }
        visit(output, input * channels, static_cast<int32_t>(place), count);
      }
    }
  }
}

int32_t index_at(const Operand& index, int64_t i) {
  return index.type.dtype == DType::kUint8 ? index.data<uint8_t>()[i] : index.data<int32_t>()[i];
}

}  // namespace

TEST(max_pool) {
  for (const Way& way : kWays) {
    const Windows w(way);
    const int64_t channels = way.image.back();
    Operand x = test::noise_floats(way.image, 3);
    for (int64_t i = 0; i < x.type.size; ++i) {
      float& v = x.data<float>()[i];
      v = std::round(v * 4) / 4;  // ties
      if (i % 97 == 5) v = std::numeric_limits<float>::quiet_NaN();
    }
    const TensorView y = test::view(DType::kFloat32, way.out),
                     index = test::view(w.index(), way.out);
    std::vector<float> best(static_cast<size_t>(y.size), -1e30f);
    std::vector<int32_t> place(static_cast<size_t>(y.size), -1);
    each_place(w, [&](int64_t o, int64_t i, int32_t p, int64_t) {
      for (int64_t c = 0; c < channels; ++c) {
        const float v = x.data<float>()[i + c];
        const auto at = static_cast<size_t>(o + c);
        if (place[at] >= 0 && !(v > best[at]) && v == v) continue;
        best[at] = v;
        place[at] = p;
      }
    });
    test::each_level(w.step(plan_maxPool), {x}, {y, index},
                     [&](const test::StepResult& r, const KernelTable&) {
                       for (int64_t i = 0; i < y.size; ++i) {
                         const float got = r.outputs[0].data<float>()[i];
                         const float want = best[static_cast<size_t>(i)];
                         CHECK(got == want || (got != got && want != want));
                         CHECK_EQ(index_at(r.outputs[1], i), place[static_cast<size_t>(i)]);
                       }
                     });
    Operand places = test::empty(w.index(), way.out);
    for (int64_t i = 0; i < y.size; ++i) {
      if (w.index() == DType::kUint8) {
        places.data<uint8_t>()[i] = static_cast<uint8_t>(place[static_cast<size_t>(i)]);
      } else {
        places.data<int32_t>()[i] = place[static_cast<size_t>(i)];
      }
    }
    const Operand dy = test::noise_floats(way.out, 4), v = test::noise_floats(way.image, 5);
    std::vector<float> dx(static_cast<size_t>(x.type.size)), z(static_cast<size_t>(y.size));
    each_place(w, [&](int64_t o, int64_t i, int32_t p, int64_t) {
      for (int64_t c = 0; c < channels; ++c) {
        if (place[static_cast<size_t>(o + c)] != p) continue;
        dx[static_cast<size_t>(i + c)] += dy.data<float>()[o + c];
        z[static_cast<size_t>(o + c)] = v.data<float>()[i + c];
      }
    });
    test::each_level(w.step(plan_maxPoolGrad), {dy, places}, {x.type},
                     [&](const test::StepResult& r, const KernelTable&) {
                       for (int64_t i = 0; i < x.type.size; ++i)
                         CHECK_NEAR(r.outputs[0].data<float>()[i], dx[static_cast<size_t>(i)],
                                    1e-6);
                     });
    test::each_level(w.step(plan_maxPoolGather), {v, places}, {y},
                     [&](const test::StepResult& r, const KernelTable&) {
                       for (int64_t i = 0; i < y.size; ++i)
                         CHECK_EQ(r.outputs[0].data<float>()[i], z[static_cast<size_t>(i)]);
                     });
  }
}

TEST(max_pool_grad_takes_any_index) {
  const Windows w(kWays[1]);
  Operand dy = test::noise_floats(kWays[1].out, 4);
  const Operand places = test::noise_bytes(DType::kUint8, kWays[1].out, 6);
  test::each_level(w.step(plan_maxPoolGrad), {dy, places},
                   {test::view(DType::kFloat32, kWays[1].image)},
                   [](const test::StepResult&, const KernelTable&) {});
}

TEST(average_pool) {
  for (const Way& way : kWays) {
    const Windows w(way);
    const int64_t channels = way.image.back();
    const Operand x = test::noise_floats(way.image, 3), dy = test::noise_floats(way.out, 4);
    std::vector<double> y(static_cast<size_t>(dy.type.size)), dx(static_cast<size_t>(x.type.size));
    each_place(w, [&](int64_t o, int64_t i, int32_t, int64_t count) {
      for (int64_t c = 0; c < channels; ++c) {
        y[static_cast<size_t>(o + c)] +=
            static_cast<double>(x.data<float>()[i + c]) / static_cast<double>(count);
        dx[static_cast<size_t>(i + c)] +=
            static_cast<double>(dy.data<float>()[o + c]) / static_cast<double>(count);
      }
    });
    test::each_level(w.step(plan_averagePool), {x}, {dy.type},
                     [&](const test::StepResult& r, const KernelTable&) {
                       for (int64_t i = 0; i < dy.type.size; ++i)
                         CHECK_NEAR(r.outputs[0].data<float>()[i], y[static_cast<size_t>(i)], 2e-6);
                     });
    test::each_level(w.step(plan_averagePoolGrad), {dy}, {x.type},
                     [&](const test::StepResult& r, const KernelTable&) {
                       for (int64_t i = 0; i < x.type.size; ++i)
                         CHECK_NEAR(r.outputs[0].data<float>()[i], dx[static_cast<size_t>(i)],
                                    2e-6);
                     });
  }
}

// Constant images stay constant whatever the weights, and the gradient keeps sums.
TEST(resize) {
  const std::pair<Dims, Dims> kSizes[] = {
      {{2, 3, 4, 5}, {2, 6, 8, 5}},       {{1, 7, 9, 1}, {1, 3, 20, 1}},
      {{3, 30, 17, 40}, {3, 4, 5, 40}},   {{1, 1, 1, 3}, {1, 4, 4, 3}},
      {{16, 32, 33, 3}, {16, 50, 51, 3}}, {{0, 2, 2, 1}, {0, 3, 3, 1}},
      {{2, 2, 2, 0}, {2, 3, 3, 0}},
  };
  for (const auto& [from, to] : kSizes) {
    for (const std::vector<int64_t>& how :
         std::vector<std::vector<int64_t>>{{0, 0}, {1, 0}, {1, 1}}) {
      Operand x = test::empty(DType::kFloat32, from);
      for (int64_t i = 0; i < x.type.size; ++i) x.data<float>()[i] = 1.5f;
      const TensorView y = test::view(DType::kFloat32, to);
      test::each_level({plan_resize, how}, {x}, {y},
                       [&](const test::StepResult& r, const KernelTable&) {
                         for (int64_t i = 0; i < y.size; ++i)
                           CHECK_NEAR(r.outputs[0].data<float>()[i], 1.5, 1e-6);
                       });
      const Operand dy = test::noise_floats(to, 8);
      double wanted = 0;
      for (int64_t i = 0; i < y.size; ++i) wanted += static_cast<double>(dy.data<float>()[i]);
      test::each_level({plan_resizeGrad, how}, {dy}, {x.type},
                       [&](const test::StepResult& r, const KernelTable&) {
                         double sum = 0;
                         for (int64_t i = 0; i < x.type.size; ++i)
                           sum += static_cast<double>(r.outputs[0].data<float>()[i]);
                         CHECK_NEAR(sum, wanted, 1e-5 * static_cast<double>(y.size + 1));
                       });
    }
  }
}

TEST(pool_refusals) {
  const auto f = [](const Dims& dims) { return test::view(DType::kFloat32, dims); };
  const auto u = [](const Dims& dims) { return test::view(DType::kUint8, dims); };
  const TensorView x = f({1, 4, 4, 3}), y = f({1, 2, 2, 3});
  const auto step = [](const List& pool, const List& strides, const List& before) {
    return test::Step{plan_averagePool, {}, {pool, strides, before}};
  };
  const List two = {2, 2}, none = {0, 0};
  test::expect_refused(step({2}, two, none), {x}, {y}, "one pool size for two axes");
  test::expect_refused(step(two, {2}, none), {x}, {y}, "one stride for two axes");
  test::expect_refused(step(two, two, {}), {x}, {y}, "no padding");
  test::expect_refused(step({0, 2}, two, none), {x}, {y}, "empty window");
  test::expect_refused(step(two, {0, 2}, none), {x}, {y}, "no stride");
  test::expect_refused(step(two, {-1, 2}, none), {x}, {y}, "negative stride");
  test::expect_refused(step(two, two, {2, 0}), {x}, {y}, "window in the padding");
  test::expect_refused(step(two, two, {-1, 0}), {x}, {y}, "negative padding");
  test::expect_refused(step(two, {4, 4}, none), {x}, {y}, "window behind the image");
  test::expect_refused(step(two, {INT32_MAX, 1}, none), {x}, {y}, "window far behind the image");
  test::expect_refused(step({4, 4}, {}, none), {x}, {y}, "bins that do not fit");
  test::expect_refused(step({1 << 20, 1 << 20}, two, none), {x}, {y}, "huge window");
  test::expect_refused(step(two, two, none), {x}, {f({1, 2, 2, 4})}, "other channels");
  test::expect_refused(step(two, two, none), {x}, {f({2, 2, 2, 3})}, "other batch");
  test::expect_refused(step(two, two, none), {x}, {f({1, 2, 0, 3})}, "no outputs");
  test::expect_refused(step(two, two, none), {f({1, 0, 4, 3})}, {y}, "no inputs");
  test::expect_refused(step(two, two, none), {x}, {f({1, 2, 3})}, "other rank");
  test::expect_refused(step({}, {}, {}), {f({1, 3})}, {f({1, 3})}, "no spatial axis");
  test::expect_refused(step(two, two, none), {test::view(DType::kInt32, {1, 4, 4, 3})}, {y},
                       "dtype");
  const test::Step max = {plan_maxPool, {}, {two, two, none}};
  test::expect_refused(max, {x}, {y, f({1, 2, 2, 3})}, "float index");
  test::expect_refused(max, {x}, {y, u({1, 2, 2, 4})}, "index of another shape");
  const test::Step grad = {plan_maxPoolGrad, {}, {two, two, none}};
  test::expect_refused(grad, {y, u({1, 2, 3, 3})}, {x}, "index of another shape");
  test::expect_refused({plan_resize, {1, 0}}, {x}, {f({1, 2, 2, 4})}, "resize: channels");
  test::expect_refused({plan_resize, {1, 0}}, {x}, {f({1, 2, 0, 3})}, "resize: nothing");
  test::expect_refused({plan_resize, {1, 0}}, {x}, {f({1, 1 << 21, 1, 3})}, "resize: huge");
  test::expect_refused({plan_resize, {1}}, {x}, {y}, "resize: attributes");
}
