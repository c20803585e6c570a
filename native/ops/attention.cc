// Scaled dot-product attention and its gradient, block by block: a block of scores is made, turned
// into weights and used while it is in L1 or L2, so that neither pass holds the [T, S] weights.
// Forward, a task owns some blocks of queries that share a key head and walks the keys, which it
// packs once for all of them. Backward, a task owns a key head: its dk and dv, and dq of the heads
// that read it, so nothing is added by two tasks. Work is split by size alone.
//
// Five (backward) and two (forward) products of a block take 2 * rows * cols * width flops each and
// are nearly all there is to do.
#include <algorithm>
#include <cstring>

#include "../sizes.h"
#include "support.h"

namespace myelin {
namespace {

// Queries and keys of a block. Scores of 64 x 128 (32 KiB) stay in L1 with a panel of keys; rows
// are fewer where a triangle is cut out, since what lies above the diagonal is computed and thrown
// away.
constexpr int64_t kQueries = 64;
constexpr int64_t kCausalQueries = 32;
constexpr int64_t kKeys = 128;
// Blocks of queries that share the packing of a key block, and the tasks to have at least.
constexpr int64_t kBlocksPerTask = 8;
constexpr int64_t kWantedTasks = 16;

// The log-sum-exp of a query that sees no key.
constexpr float kUnseen = -1e30f;

// Floats of a piece of workspace: whole cache lines.
int64_t lines(int64_t floats) { return ceil_div(floats, 16) * 16; }

struct Shape {
  int64_t batch, queries, keys, heads, key_heads, depth, width;
  int64_t groups;
  int64_t mask_stride[4];  // of batch, head, query, key; 0 where it is broadcast
  bool causal, masked;
  float scale, rate;
  uint32_t stream;

  int64_t block_rows() const { return std::min(queries, causal ? kCausalQueries : kQueries); }
  int64_t block_cols() const { return std::min(keys, kKeys); }
  int64_t blocks() const { return queries == 0 ? 0 : ceil_div(queries, block_rows()); }
};

// One head's operand: rows of `width` floats, `stride` apart.
struct Matrix {
  const float* data;
  int64_t stride;
};
Matrix head_of(const float* x, int64_t b, int64_t length, int64_t heads, int64_t head,
               int64_t width) {
  return {x + (b * length * heads + head) * width, heads * width};
}

// A block of queries of one head.
struct Rows {
  int64_t b, head, first, count;
};
Rows rows_of(const Shape& s, int64_t b, int64_t key_head, int64_t block) {
  const int64_t first = block % s.blocks() * s.block_rows();
  return {b, key_head * s.groups + block / s.blocks(), first,
          std::min(s.block_rows(), s.queries - first)};
}

struct Inputs {
  const float *q, *k, *v;
  const uint8_t* mask;
  const int32_t *key, *counter;
  const float *lse, *g, *delta;  // backward
};
Inputs inputs_of(const Shape& s, const void* const* inputs) {
  Inputs x{};
  x.q = static_cast<const float*>(inputs[0]);
  x.k = static_cast<const float*>(inputs[1]);
  x.v = static_cast<const float*>(inputs[2]);
  inputs += 3;
  if (s.masked) x.mask = static_cast<const uint8_t*>(*inputs++);
  if (s.rate > 0) {
    x.key = static_cast<const int32_t*>(*inputs++);
    x.counter = static_cast<const int32_t*>(*inputs++);
  }
  return x;
}

// What both passes do to a block of scores before its exponentials.
class Blocks {
 public:
  Blocks(const KernelTable& kernels, const Shape& shape, const Inputs& inputs)
      : kernels_(kernels), s_(shape), x_(inputs) {}

  // The first column that no row of the block sees.
  int64_t cols(const Rows& rows, int64_t col, int64_t count) const {
    if (!s_.causal) return count;
    return std::clamp<int64_t>(rows.first + rows.count - col, 0, count);
  }

  AttentionBlock prepare(const Rows& rows, int64_t col, int64_t count, float* scores, float* keep,
                         int32_t* bits) const {
    AttentionBlock block{scores, rows.count, count, kKeys, count, 0, nullptr};
    if (s_.causal) {
      block.visible = rows.first + 1 - col;
      block.visible_step = 1;
    }
    if (s_.masked) {
      const uint8_t* mask = x_.mask + rows.b * s_.mask_stride[0] + rows.head * s_.mask_stride[1] +
                            rows.first * s_.mask_stride[2] + col * s_.mask_stride[3];
      kernels_.attention_mask(scores, rows.count, count, kKeys, mask, s_.mask_stride[2],
                              s_.mask_stride[3]);
    }
    if (s_.rate > 0) {
      for (int64_t r = 0; r < rows.count; ++r) draw(rows, r, col, count, keep + r * kKeys, bits);
      block.keep = keep;
    }
    return block;
  }

 private:
  // Bits of [B, H, T, S] in order, from the group of blocks on that the generator starts at.
  void draw(const Rows& rows, int64_t r, int64_t col, int64_t count, float* keep,
            int32_t* bits) const {
    const int64_t row = (rows.b * s_.heads + rows.head) * s_.queries + rows.first + r;
    const int64_t at = row * s_.keys + col, before = at % 64;
    kernels_.random_bits(static_cast<uint32_t>(x_.key[0]), static_cast<uint32_t>(x_.key[1]),
                         s_.stream, static_cast<uint32_t>(*x_.counter), (at - before) / 4,
                         before + count, bits);
    kernels_.attention_keep(bits + before, count, s_.rate, 1.0f / (1.0f - s_.rate), keep);
  }

  const KernelTable& kernels_;
  const Shape& s_;
  const Inputs& x_;
};

// B packed by gemm_pack_b with k steps, or in place.
struct PackedB {
  const float* data;
  int64_t panel, step;
};

void product(const KernelTable& kernels, int64_t m, int64_t n, int64_t k, const float* a,
             int64_t a_row, int64_t a_step, const PackedB& b, float* c, int64_t ldc,
             bool accumulate) {
  kernels.gemm_block({m, n, k, a, a_row, a_step, b.data, b.panel, b.step, c, ldc, accumulate});
}

// Pieces of a worker's workspace, one after another.
class Pieces {
 public:
  explicit Pieces(float* start) : next_(start) {}
  float* take(int64_t floats) {
    float* piece = next_;
    next_ += lines(floats);
    return piece;
  }
  int64_t used(const float* start) const { return next_ - start; }

 private:
  float* next_;
};

class AttentionPlan final : public StepPlan {
 public:
  AttentionPlan(const Shape& shape, const KernelTable& kernels, int threads)
      : s_(shape), nr_(kernels.gemm_shape.nr) {
    const int64_t blocks = s_.groups * s_.blocks(), owners = s_.batch * s_.key_heads;
    const int64_t most = std::max<int64_t>(1, blocks / 4);  // packing shared by four at least
    const int64_t wanted = std::min(most, ceil_div(kWantedTasks, std::max<int64_t>(1, owners)));
    per_task_ = std::clamp<int64_t>(ceil_div(blocks, wanted), 1, kBlocksPerTask);
    parts_ = blocks == 0 ? 0 : ceil_div(blocks, per_task_);
    floats_ = Workspace(*this, nullptr).floats;
    threads_ = threads;
  }

  size_t workspace_bytes() const override {
    return static_cast<size_t>(threads_ * floats_) * sizeof(float);
  }

  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    const Inputs x = inputs_of(s_, inputs);
    float* const out = static_cast<float*>(outputs[0]);
    float* const lse = static_cast<float*>(outputs[1]);
    context.pool.parallel_for(s_.batch * s_.key_heads * parts_, [&](int64_t task, int worker) {
      const int64_t owner = task / parts_, first = task % parts_ * per_task_;
      const int64_t last = std::min(first + per_task_, s_.groups * s_.blocks());
      const Workspace w(*this, reinterpret_cast<float*>(context.workspace) + worker * floats_);
      run_task(context.kernels, x, owner / s_.key_heads, owner % s_.key_heads, first, last, w, out,
               lse);
    });
  }

 private:
  struct Workspace {
    float *keys, *values, *queries, *scores, *keep, *max, *sum, *factors, *mean;
    int32_t* bits;
    int64_t floats;

    Workspace(const AttentionPlan& plan, float* start) {
      const Shape& s = plan.s_;
      const int64_t rows = plan.per_task_ * s.block_rows(), cols = s.block_cols();
      Pieces pieces(start);
      keys = pieces.take(s.depth * (cols + plan.nr_));
      values = pieces.take(cols * (s.width + plan.nr_));
      queries = pieces.take(rows * s.depth);
      scores = pieces.take(s.block_rows() * kKeys);
      keep = pieces.take(s.rate > 0 ? s.block_rows() * kKeys : 0);
      bits = reinterpret_cast<int32_t*>(pieces.take(s.rate > 0 ? kKeys + 64 : 0));
      max = pieces.take(rows);
      sum = pieces.take(rows);
      factors = pieces.take(s.block_rows());
      mean = pieces.take(s.masked ? s.width : 0);
      floats = pieces.used(start);
    }
  };

  // Blocks [first, last) of the queries that read one key head.
  void run_task(const KernelTable& kernels, const Inputs& x, int64_t b, int64_t key_head,
                int64_t first, int64_t last, const Workspace& w, float* out, float* lse) const {
    const Blocks blocks(kernels, s_, x);
    const Matrix k = head_of(x.k, b, s_.keys, s_.key_heads, key_head, s_.depth);
    const Matrix v = head_of(x.v, b, s_.keys, s_.key_heads, key_head, s_.width);
    const int64_t height = s_.block_rows(), out_stride = s_.heads * s_.width;
    for (int64_t i = first; i < last; ++i) {
      const Rows rows = rows_of(s_, b, key_head, i);
      const Matrix q = head_of(x.q, b, s_.queries, s_.heads, rows.head, s_.depth);
      kernels.scale_copy(q.data + rows.first * q.stride, q.stride, rows.count, s_.depth, s_.scale,
                         w.queries + (i - first) * height * s_.depth, s_.depth);
      std::fill_n(w.max + (i - first) * height, rows.count, -__builtin_inff());
      std::fill_n(w.sum + (i - first) * height, rows.count, 0.0f);
    }
    for (int64_t col = 0; col < s_.keys; col += kKeys) {
      const int64_t count = std::min(kKeys, s_.keys - col);
      bool packed = false;
      for (int64_t i = first; i < last; ++i) {
        const Rows rows = rows_of(s_, b, key_head, i);
        const int64_t cols = blocks.cols(rows, col, count), at = (i - first) * height;
        if (cols == 0) continue;
        if (!packed) {
          kernels.gemm_pack_b(s_.depth, count, k.data + col * k.stride, k.stride, true, w.keys);
          kernels.gemm_pack_b(count, s_.width, v.data + col * v.stride, v.stride, false, w.values);
          packed = true;
        }
        product(kernels, rows.count, cols, s_.depth, w.queries + at * s_.depth, s_.depth, 1,
                {w.keys, s_.depth, nr_}, w.scores, kKeys, false);
        kernels.attention_softmax(blocks.prepare(rows, col, cols, w.scores, w.keep, w.bits),
                                  w.max + at, w.sum + at, w.factors);
        float* to = out_of(out, rows);
        if (col > 0) kernels.scale_rows(to, rows.count, s_.width, out_stride, w.factors);
        product(kernels, rows.count, s_.width, cols, w.scores, kKeys, 1, {w.values, count, nr_}, to,
                out_stride, col > 0);
      }
    }
    for (int64_t i = first; i < last; ++i) {
      const Rows rows = rows_of(s_, b, key_head, i);
      const int64_t at = (i - first) * height;
      float* stats = lse + (rows.b * s_.queries + rows.first) * s_.heads + rows.head;
      kernels.attention_finish(w.max + at, w.sum + at, rows.count, stats, s_.heads, w.factors);
      kernels.scale_rows(out_of(out, rows), rows.count, s_.width, out_stride, w.factors);
    }
    if (s_.masked) fill_unseeing(kernels, v, b, key_head, first, last, w, out);
  }

  // A query that sees no key gets the mean of all values, as in Keras.
  void fill_unseeing(const KernelTable& kernels, const Matrix& v, int64_t b, int64_t key_head,
                     int64_t first, int64_t last, const Workspace& w, float* out) const {
    bool have_mean = false;
    for (int64_t i = first; i < last; ++i) {
      const Rows rows = rows_of(s_, b, key_head, i);
      for (int64_t r = 0; r < rows.count; ++r) {
        if (w.sum[(i - first) * s_.block_rows() + r] != 0) continue;
        if (!have_mean) {
          std::fill_n(w.mean, s_.width, 0.0f);
          for (int64_t j = 0; j < s_.keys; ++j) {
            kernels.accumulate_f32(w.mean, v.data + j * v.stride, s_.width);
          }
          kernels.scale_copy(w.mean, 0, 1, s_.width, 1.0f / static_cast<float>(s_.keys), w.mean, 0);
          have_mean = true;
        }
        float* to = out_of(out, rows) + r * s_.heads * s_.width;
        std::memcpy(to, w.mean, static_cast<size_t>(s_.width) * sizeof(float));
      }
    }
  }

  float* out_of(float* out, const Rows& rows) const {
    return out + ((rows.b * s_.queries + rows.first) * s_.heads + rows.head) * s_.width;
  }

  const Shape s_;
  const int64_t nr_;
  int64_t per_task_, parts_;  // blocks of queries in a task, tasks of a key head
  int64_t floats_;            // of one worker
  int64_t threads_;
};

class AttentionGradPlan final : public StepPlan {
 public:
  AttentionGradPlan(const Shape& shape, const KernelTable& kernels, int threads)
      : s_(shape), nr_(kernels.gemm_shape.nr), threads_(threads) {
    floats_ = Workspace(*this, nullptr).floats;
  }

  size_t workspace_bytes() const override {
    return static_cast<size_t>(threads_ * floats_) * sizeof(float);
  }

  void run(const RunContext& context, const void* const* inputs,
           void* const* outputs) const override {
    Inputs x = inputs_of(s_, inputs);
    const void* const* rest = inputs + 3 + s_.masked + (s_.rate > 0 ? 2 : 0);
    x.lse = static_cast<const float*>(rest[0]);
    x.g = static_cast<const float*>(rest[1]);
    x.delta = static_cast<const float*>(rest[2]);
    const Outputs y = {static_cast<float*>(outputs[0]), static_cast<float*>(outputs[1]),
                       static_cast<float*>(outputs[2])};
    context.pool.parallel_for(s_.batch * s_.key_heads, [&](int64_t task, int worker) {
      const Workspace w(*this, reinterpret_cast<float*>(context.workspace) + worker * floats_);
      const int64_t b = task / s_.key_heads, key_head = task % s_.key_heads;
      const bool some_unseeing = s_.masked && sum_unseeing(context.kernels, x, b, key_head, w.mean);
      for (int64_t col = 0; col < s_.keys; col += kKeys) {
        run_keys(context.kernels, x, b, key_head, col, w, y);
        if (!some_unseeing) continue;
        const Matrix v = head_of(x.v, b, s_.keys, s_.key_heads, key_head, s_.width);
        for (int64_t j = col; j < std::min(col + kKeys, s_.keys); ++j) {
          context.kernels.accumulate_f32(y.dv + (v.data - x.v) + j * v.stride, w.mean, s_.width);
        }
      }
    });
  }

 private:
  struct Outputs {
    float *dq, *dk, *dv;
  };

  struct Workspace {
    float *keys, *key_rows, *values, *queries, *g, *scores, *dp, *keep, *mean;
    int32_t* bits;
    int64_t floats;

    Workspace(const AttentionGradPlan& plan, float* start) {
      const Shape& s = plan.s_;
      const int64_t rows = s.block_rows(), cols = s.block_cols();
      Pieces pieces(start);
      keys = pieces.take(s.depth * (cols + plan.nr_));
      key_rows = pieces.take(cols * s.depth);
      values = pieces.take(s.width * (cols + plan.nr_));
      queries = pieces.take(rows * s.depth);
      g = pieces.take(rows * s.width);
      scores = pieces.take(rows * kKeys);
      dp = pieces.take(rows * kKeys);
      keep = pieces.take(s.rate > 0 ? rows * kKeys : 0);
      bits = reinterpret_cast<int32_t*>(pieces.take(s.rate > 0 ? kKeys + 64 : 0));
      mean = pieces.take(s.masked ? s.width : 0);
      floats = pieces.used(start);
    }
  };

  // What queries that see no key give to each value's gradient; false where there is no such query.
  bool sum_unseeing(const KernelTable& kernels, const Inputs& x, int64_t b, int64_t key_head,
                    float* mean) const {
    bool some = false;
    for (int64_t head = key_head * s_.groups; head < (key_head + 1) * s_.groups; ++head) {
      const Matrix g = head_of(x.g, b, s_.queries, s_.heads, head, s_.width);
      for (int64_t t = 0; t < s_.queries; ++t) {
        if (x.lse[(b * s_.queries + t) * s_.heads + head] > kUnseen / 2) continue;
        if (!some) std::fill_n(mean, s_.width, 0.0f);
        some = true;
        kernels.accumulate_f32(mean, g.data + t * g.stride, s_.width);
      }
    }
    const float share = 1.0f / static_cast<float>(s_.keys);
    if (some) kernels.scale_copy(mean, 0, 1, s_.width, share, mean, 0);
    return some;
  }

  // Keys [col, col + kKeys) of one head: all of their dk and dv, and what they add to dq.
  void run_keys(const KernelTable& kernels, const Inputs& x, int64_t b, int64_t key_head,
                int64_t col, const Workspace& w, const Outputs& y) const {
    const Blocks blocks(kernels, s_, x);
    const int64_t count = std::min(kKeys, s_.keys - col);
    const Matrix k = head_of(x.k, b, s_.keys, s_.key_heads, key_head, s_.depth);
    const Matrix v = head_of(x.v, b, s_.keys, s_.key_heads, key_head, s_.width);
    kernels.gemm_pack_b(s_.depth, count, k.data + col * k.stride, k.stride, true, w.keys);
    kernels.scale_copy(k.data + col * k.stride, k.stride, count, s_.depth, s_.scale, w.key_rows,
                       s_.depth);
    kernels.gemm_pack_b(s_.width, count, v.data + col * v.stride, v.stride, true, w.values);
    float* const dk = y.dk + (k.data - x.k) + col * k.stride;
    float* const dv = y.dv + (v.data - x.v) + col * v.stride;
    bool first = true;
    for (int64_t i = 0; i < s_.groups * s_.blocks(); ++i) {
      const Rows rows = rows_of(s_, b, key_head, i);
      const int64_t cols = blocks.cols(rows, col, count);
      if (cols == 0) continue;
      if (first && cols < count) {
        // The triangle's first block does not reach the last keys; later ones add to them.
        zero_rows(dk, count, s_.depth, k.stride);
        zero_rows(dv, count, s_.width, v.stride);
        first = false;
      }
      const Matrix q = head_of(x.q, b, s_.queries, s_.heads, rows.head, s_.depth);
      const Matrix g = head_of(x.g, b, s_.queries, s_.heads, rows.head, s_.width);
      kernels.scale_copy(q.data + rows.first * q.stride, q.stride, rows.count, s_.depth, s_.scale,
                         w.queries, s_.depth);
      kernels.scale_copy(g.data + rows.first * g.stride, g.stride, rows.count, s_.width, 1.0f, w.g,
                         s_.width);
      product(kernels, rows.count, cols, s_.depth, w.queries, s_.depth, 1, {w.keys, s_.depth, nr_},
              w.scores, kKeys, false);
      product(kernels, rows.count, cols, s_.width, w.g, s_.width, 1, {w.values, s_.width, nr_},
              w.dp, kKeys, false);
      const int64_t stats = (b * s_.queries + rows.first) * s_.heads + rows.head;
      kernels.attention_grad(blocks.prepare(rows, col, cols, w.scores, w.keep, w.bits), w.dp,
                             x.lse + stats, x.delta + stats, s_.heads);
      product(kernels, cols, s_.width, rows.count, w.scores, 1, kKeys, {w.g, 1, s_.width}, dv,
              v.stride, !first);
      product(kernels, cols, s_.depth, rows.count, w.dp, 1, kKeys, {w.queries, 1, s_.depth}, dk,
              k.stride, !first);
      product(kernels, rows.count, s_.depth, cols, w.dp, kKeys, 1, {w.key_rows, 1, s_.depth},
              y.dq + (q.data - x.q) + rows.first * q.stride, q.stride, col > 0);
      first = false;
    }
    if (first) {  // keys that no query sees
      zero_rows(dk, count, s_.depth, k.stride);
      zero_rows(dv, count, s_.width, v.stride);
    }
  }

  static void zero_rows(float* x, int64_t rows, int64_t cols, int64_t stride) {
    for (int64_t r = 0; r < rows; ++r) std::fill_n(x + r * stride, cols, 0.0f);
  }

  const Shape s_;
  const int64_t nr_;
  const int64_t threads_;
  int64_t floats_;
};

// Everything that both opcodes have in common; `more` inputs follow.
Shape shape_of(const StepSpec& spec, const char* name, size_t more, size_t outputs) {
  const std::string where = name;
  require(spec.attrs.ints.size() == 3 && spec.attrs.floats.size() == 2,
          where + ": wrong number of attributes");
  Shape s{};
  s.causal = spec.attrs.ints[0] != 0;
  s.masked = spec.attrs.ints[1] != 0;
  s.stream = static_cast<uint32_t>(spec.attrs.ints[2]);
  s.scale = spec.attrs.floats[0];
  s.rate = spec.attrs.floats[1];
  require(s.rate >= 0 && s.rate < 1, where + ": dropout rate out of range");
  require_form(spec, name, 3 + s.masked + (s.rate > 0 ? 2 : 0) + more, outputs, 3);
  const TensorView &q = spec.inputs[0], &k = spec.inputs[1], &v = spec.inputs[2];
  for (const TensorView* x : {&q, &k, &v}) {
    require(x->dtype == DType::kFloat32 && x->rank == 4,
            where + ": expected float32 operands of rank 4");
  }
  s.batch = q.dims[0];
  s.queries = q.dims[1];
  s.heads = q.dims[2];
  s.depth = q.dims[3];
  s.keys = k.dims[1];
  s.key_heads = k.dims[2];
  s.width = v.dims[3];
  require(k.dims[0] == s.batch && k.dims[3] == s.depth && std::equal(k.dims, k.dims + 3, v.dims),
          where + ": shapes do not fit");
  require(s.keys > 0 && s.key_heads > 0 && s.heads % s.key_heads == 0,
          where + ": heads or keys do not fit");
  s.groups = s.heads / s.key_heads;
  // Blocks hold up to kKeys rows of these.
  require(s.depth <= int64_t{1} << 32 && s.width <= int64_t{1} << 32, where + ": heads too wide");
  size_t next = 3;
  if (s.masked) {
    const TensorView& mask = spec.inputs[next++];
    const int64_t full[4] = {s.batch, s.heads, s.queries, s.keys};
    require(mask.dtype == DType::kBool && mask.rank == 4, where + ": expected a bool mask");
    int64_t stride = 1;
    for (int i = 3; i >= 0; --i) {
      require(mask.dims[i] == 1 || mask.dims[i] == full[i], where + ": mask does not broadcast");
      s.mask_stride[i] = mask.dims[i] == 1 ? 0 : stride;
      stride *= mask.dims[i];
    }
  }
  if (s.rate > 0) {
    const TensorView &key = spec.inputs[next], &counter = spec.inputs[next + 1];
    require(key.dtype == DType::kInt32 && key.size == 2 && counter.dtype == DType::kInt32 &&
                counter.size == 1,
            where + ": expected a key of int32[2] and a counter of int32[]");
  }
  return s;
}

void require_dims(const TensorView& x, std::initializer_list<int64_t> dims, const char* name) {
  require(x.dtype == DType::kFloat32 && x.rank == static_cast<int32_t>(dims.size()) &&
              std::equal(dims.begin(), dims.end(), x.dims),
          std::string(name) + ": an operand does not fit");
}

}  // namespace

std::unique_ptr<StepPlan> plan_dotProductAttention(const StepSpec& spec,
                                                   const PlanContext& context) {
  const char* name = "dotProductAttention";
  const Shape s = shape_of(spec, name, 0, 2);
  require_dims(spec.outputs[0], {s.batch, s.queries, s.heads, s.width}, name);
  require_dims(spec.outputs[1], {s.batch, s.queries, s.heads}, name);
  return std::make_unique<AttentionPlan>(s, context.kernels, context.threads);
}

std::unique_ptr<StepPlan> plan_dotProductAttentionGrad(const StepSpec& spec,
                                                       const PlanContext& context) {
  const char* name = "dotProductAttentionGrad";
  const Shape s = shape_of(spec, name, 3, 3);
  const TensorView* rest = spec.inputs.data() + spec.inputs.size() - 3;
  require_dims(rest[0], {s.batch, s.queries, s.heads}, name);
  require_dims(rest[1], {s.batch, s.queries, s.heads, s.width}, name);
  require_dims(rest[2], {s.batch, s.queries, s.heads}, name);
  require_dims(spec.outputs[0], {s.batch, s.queries, s.heads, s.depth}, name);
  require_dims(spec.outputs[1], {s.batch, s.keys, s.key_heads, s.depth}, name);
  require_dims(spec.outputs[2], {s.batch, s.keys, s.key_heads, s.width}, name);
  return std::make_unique<AttentionGradPlan>(s, context.kernels, context.threads);
}

}  // namespace myelin
