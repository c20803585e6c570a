// Softmax and cross-entropy by rows; contracts in softmax.h. A row is read up to three times
// (largest element, sum of exponentials, result), which costs memory once: rows fit the caches.
// Rows of one vector or less, as class scores are, stay in a register throughout.

namespace myelin::MYELIN_LEVEL {
namespace {

// The lanes of x from c on, `fill` beyond the row's end.
MYELIN_INLINE Vec row_lanes(const float* x, int64_t c, int64_t cols, Vec fill) {
  if (c + kLanes <= cols) return load(x + c);
  return select(first_n(cols - c), load_partial(x + c, cols - c), fill);
}
MYELIN_INLINE void store_lanes(float* out, int64_t c, int64_t cols, Vec v) {
  if (c + kLanes <= cols) {
    store(out + c, v);
  } else {
    store_partial(out + c, v, cols - c);
  }
}
MYELIN_INLINE float row_max(const float* x, int64_t cols) {
  const Vec low = broadcast(-__builtin_inff());
  Vec m0 = low, m1 = low, m2 = low, m3 = low;
  int64_t c = 0;
  for (; c + 4 * kLanes <= cols; c += 4 * kLanes) {
    m0 = max(m0, load(x + c));
    m1 = max(m1, load(x + c + kLanes));
    m2 = max(m2, load(x + c + 2 * kLanes));
    m3 = max(m3, load(x + c + 3 * kLanes));
  }
  for (; c < cols; c += kLanes) m0 = max(m0, row_lanes(x, c, cols, low));
  return reduce_max(max(max(m0, m1), max(m2, m3)));
}

// sum exp(x - m), and where kStore the exponentials themselves. Accumulators start anew every 64
// vectors, so that errors of long rows grow with the number of blocks instead of elements.
template <bool kStore>
MYELIN_INLINE float row_exp_sum(const float* x, int64_t cols, float max_of_row, float* out) {
  const Vec low = broadcast(-__builtin_inff()), m = broadcast(max_of_row);
  Vec total = zero();
  for (int64_t begin = 0; begin < cols; begin += 64 * kLanes) {
    const int64_t end = begin + 64 * kLanes < cols ? begin + 64 * kLanes : cols;
    Wide sums = zero();
    int64_t c = begin;
    for (; c + kWide * kLanes <= end; c += kWide * kLanes) {
      const Wide e = exp_at_most_one(load_wide_vec(x + c) - m);
      if constexpr (kStore) store(out + c, e);
      sums = sums + e;
    }
    Vec rest = zero();
    for (; c < end; c += kLanes) {
      const Vec e = exp_at_most_one(row_lanes(x, c, end, low) - m);
      if constexpr (kStore) store_lanes(out, c, end, e);
      rest = rest + e;
    }
    total = total + (((sums.v[0] + sums.v[1]) + (sums.v[2] + sums.v[3])) + rest);
  }
  return reduce_add(total);
}

// Largest elements and ln sum exp(x - largest) of up to kLanes rows, whose logarithms are one
// vector.
struct RowLogSums {
  float max[kLanes], log_sum[kLanes];
};
MYELIN_INLINE RowLogSums row_log_sums(const float* x, int64_t rows, int64_t cols) {
  RowLogSums s;
  float sums[kLanes];
  for (int64_t r = 0; r < rows; ++r, x += cols) {
    if (cols <= kLanes) {
      const Vec v = row_lanes(x, 0, cols, broadcast(-__builtin_inff()));
      s.max[r] = reduce_max(v);
      sums[r] = reduce_add(exp_at_most_one(v - broadcast(s.max[r])));
    } else {
      s.max[r] = row_max(x, cols);
      sums[r] = row_exp_sum<false>(x, cols, s.max[r], nullptr);
    }
  }
  for (int64_t r = rows; r < kLanes; ++r) sums[r] = 1.0f;
  store(s.log_sum, log(load(sums)));
  return s;
}
MYELIN_INLINE int64_t rows_at_once(int64_t left) { return left < kLanes ? left : kLanes; }

void softmax_rows(const float* x, int64_t rows, int64_t cols, float* out) {
  if (cols <= kLanes) {
    const Vec low = broadcast(-__builtin_inff());
    for (int64_t r = 0; r < rows && cols > 0; ++r, x += cols, out += cols) {
      const Vec v = row_lanes(x, 0, cols, low);
      const Vec e = exp_at_most_one(v - broadcast(reduce_max(v)));
      store_lanes(out, 0, cols, e * broadcast(1.0f / reduce_add(e)));
    }
    return;
  }
  for (int64_t r = 0; r < rows; ++r, x += cols, out += cols) {
    const Vec scale = broadcast(1.0f / row_exp_sum<true>(x, cols, row_max(x, cols), out));
    for (int64_t c = 0; c < cols; c += kLanes) {
      store_lanes(out, c, cols, row_lanes(out, c, cols, zero()) * scale);
    }
  }
}

void log_softmax_rows(const float* x, int64_t rows, int64_t cols, float* out) {
  for (int64_t first = 0; first < rows; first += kLanes) {
    const int64_t count = rows_at_once(rows - first);
    const RowLogSums s = row_log_sums(x, count, cols);
    for (int64_t r = 0; r < count; ++r, x += cols, out += cols) {
      const Vec m = broadcast(s.max[r]), l = broadcast(s.log_sum[r]);
      for (int64_t c = 0; c < cols; c += kLanes) {
        store_lanes(out, c, cols, (row_lanes(x, c, cols, zero()) - m) - l);
      }
    }
  }
}

int64_t sparse_cross_entropy_rows(const float* x, const int32_t* labels, int64_t rows, int64_t cols,
                                  float* loss, float* lse) {
  int64_t bad = -1;
  for (int64_t first = 0; first < rows; first += kLanes) {
    const int64_t count = rows_at_once(rows - first);
    const RowLogSums s = row_log_sums(x, count, cols);
    for (int64_t r = 0; r < count; ++r, x += cols) {
      const int64_t label = labels[first + r];
      const bool inside = label >= 0 && label < cols;
      if (!inside && bad < 0) bad = first + r;
      lse[first + r] = s.max[r] + s.log_sum[r];
      loss[first + r] = inside ? s.log_sum[r] - (x[label] - s.max[r]) : __builtin_nanf("");
    }
  }
  return bad;
}

int64_t sparse_cross_entropy_grad_rows(const float* x, const int32_t* labels, const float* lse,
                                       const float* g, int64_t rows, int64_t cols, float* out) {
  int64_t bad = -1;
  for (int64_t r = 0; r < rows; ++r, x += cols, out += cols) {
    const int64_t label = labels[r];
    const bool inside = label >= 0 && label < cols;
    if (!inside && bad < 0) bad = r;
    const Vec l = broadcast(lse[r]), scale = broadcast(inside ? g[r] : __builtin_nanf(""));
    for (int64_t c = 0; c < cols; c += kLanes) {
      const Vec e = exp_at_most_one(row_lanes(x, c, cols, l) - l);
      const Mask hit = iota() + broadcast(static_cast<int32_t>(c)) == broadcast(labels[r]);
      store_lanes(out, c, cols, select(hit, e - broadcast(1.0f), e) * scale);
    }
  }
  return bad;
}

void cross_entropy_rows(const float* x, const float* labels, int64_t rows, int64_t cols,
                        float* loss, float* lse) {
  for (int64_t first = 0; first < rows; first += kLanes) {
    const int64_t count = rows_at_once(rows - first);
    const RowLogSums s = row_log_sums(x, count, cols);
    for (int64_t r = 0; r < count; ++r, x += cols, labels += cols) {
      const Vec m = broadcast(s.max[r]), l = broadcast(s.log_sum[r]);
      Vec sum = zero();
      for (int64_t c = 0; c < cols; c += kLanes) {
        const Vec weight = row_lanes(labels, c, cols, zero());
        sum = fma(weight, l - (row_lanes(x, c, cols, m) - m), sum);
      }
      lse[first + r] = s.max[r] + s.log_sum[r];
      loss[first + r] = reduce_add(sum);
    }
  }
}

void cross_entropy_grad_rows(const float* x, const float* labels, const float* lse, const float* g,
                             int64_t rows, int64_t cols, float* out) {
  for (int64_t r = 0; r < rows; ++r, x += cols, labels += cols, out += cols) {
    Vec sum = zero();
    for (int64_t c = 0; c < cols; c += kLanes) sum = sum + row_lanes(labels, c, cols, zero());
    const Vec total = broadcast(reduce_add(sum));
    const Vec l = broadcast(lse[r]), scale = broadcast(g[r]);
    for (int64_t c = 0; c < cols; c += kLanes) {
      const Vec e = exp_at_most_one(row_lanes(x, c, cols, l) - l);
      store_lanes(out, c, cols, fms(e, total, row_lanes(labels, c, cols, zero())) * scale);
    }
  }
}

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
