// Convolution and input gradient without a matrix of patches: a line of the result is a
// batch-reduce product of the source rows it sees, read where they lie (a kernel row's taps and
// channels are one run of memory), with the kernel packed in panels. Only rows whose window leaves
// the image are copied, with zeros around them, into scratch that stays in L2; rows above and below
// the image are left out.
//
// A task is some lines, some columns. It goes block of the sum by block, in each panel by panel and
// line by line, so that a block of a panel stays in L1 while all lines of the task pass by.
#include "conv_gather.h"
#include "sizes.h"

namespace myelin {
namespace {

// Steps of a sum per block: see kBlockK in gemm.cc.
constexpr int64_t kBlockDepth = 400;
// Pixels of a task: their source rows and results stay in L2, and use a panel often enough.
constexpr int64_t kTaskPixels = 256;
constexpr int64_t kWantedTasks = 16;
// A kernel of this many floats (512 KiB) is read from L3 by every task: better cut by columns.
constexpr int64_t kLargeKernel = 128 << 10;
// Longer lines are cut into parts.
constexpr int64_t kPartPixels = 256;
// Lines of a task, source rows they see together, pieces that a block has of each.
constexpr int64_t kMaxLines = 256;
constexpr int64_t kMaxRows = 2048;
constexpr int64_t kMaxPieces = 32;

// How the taps of one phase along the width become pieces: runs of memory, cut evenly.
struct Pieces {
  AxisTaps taps;
  int64_t first_tap;         // in the packed kernel's row
  int64_t runs, run_length;  // taps that lie together are one run
  int64_t parts, length;     // of a run
  int64_t per_row() const { return runs * parts; }
};

struct Plan {
  ConvGather g;
  ConvWindow window;
  bool in_place;  // the kernel, where it is one panel already
  bool copied;    // source rows
  int64_t pitch;  // floats between neighbouring source pixels, as the products read them
  int64_t part_steps, parts;  // of a line, in steps of phases
  int64_t lines, lines_per_task;
  int64_t columns_per_task;
  int64_t kernel_floats;                          // packed, for all groups
  int64_t row_floats, piece_floats, copy_floats;  // for each worker
  int64_t worker_floats() const { return row_floats + piece_floats + copy_floats; }
  int64_t window_pixels() const {
    return (part_steps - 1) * g.advance[2] + window.high - window.low + 1;
  }
};

// Lines are counted over batch, depth, parts and height.
struct Line {
  int64_t n, d, h, part;
};
Line line_at(const Plan& plan, int64_t index) {
  const ConvGather& g = plan.g;
  Line line;
  line.h = index % g.result[1];
  index /= g.result[1];
  line.part = index % plan.parts;
  index /= plan.parts;
  line.d = index % g.result[0];
  line.n = index / g.result[0];
  return line;
}

Pieces pieces_of(const Plan& plan, int64_t phase) {
  Pieces p = {};
  for (int64_t earlier = 0; earlier < phase; ++earlier) {
    p.first_tap += plan.g.taps(2, earlier).count;
  }
  p.taps = plan.g.taps(2, phase);
  const bool together = p.taps.spacing == 1 && plan.pitch == plan.g.channels;
  p.runs = together ? std::min<int64_t>(p.taps.count, 1) : p.taps.count;
  p.run_length = together ? p.taps.count * plan.g.channels : plan.g.channels;
  p.parts = std::max<int64_t>(1, ceil_div(p.run_length, kBlockDepth));
  p.length = ceil_div(p.run_length, p.parts);
  return p;
}

Plan make_plan(const KernelTable& kernels, const ConvGather& g) {
  const int64_t nr = kernels.gemm_shape.nr;
  Plan plan = {};
  plan.g = g;
  plan.window = window_of(g);
  const int64_t steps = ceil_div(g.result[2], g.phases[2]);
  plan.parts = ceil_div(steps, ceil_div(kPartPixels, g.phases[2]));
  plan.part_steps = ceil_div(steps, plan.parts);
  plan.parts = ceil_div(steps, plan.part_steps);
  plan.lines = g.batch * g.result[0] * g.result[1] * plan.parts;
  plan.in_place = g.forward && g.groups == 1 && g.columns <= nr;
  plan.kernel_floats = plan.in_place ? 0 : packed_kernel_floats(kernels, g);
  const int64_t furthest = (steps - 1) * g.advance[2] + plan.window.high;
  plan.copied = plan.window.low < 0 || furthest >= g.source[2] || (g.groups > 1 && g.kernel[2] > 1);
  plan.pitch = plan.copied ? g.channels : g.source_pitch();

  const int64_t line_pixels = std::min(g.result[2], plan.part_steps * g.phases[2]);
  const double work = g.work(line_pixels);
  const auto light = static_cast<int64_t>(kConvTaskWork / (1 + work));
  const int64_t most = std::min({plan.lines, kMaxLines, kMaxRows / g.kernel_rows()});
  plan.lines_per_task = std::clamp<int64_t>(std::max(kTaskPixels / line_pixels, light), 1, most);
  plan.columns_per_task = g.columns;
  const int64_t panels = ceil_div(g.columns, nr);
  const auto tasks = [&] {
    return g.groups * ceil_div(plan.lines, plan.lines_per_task) *
           ceil_div(g.columns, plan.columns_per_task);
  };
  const bool heavy = static_cast<double>(plan.lines) * work > kConvTaskWork * kWantedTasks;
  if (g.depth() * g.columns > kLargeKernel && tasks() < kWantedTasks) {
    const int64_t wanted = std::min(panels, ceil_div(kWantedTasks, tasks()));
    plan.columns_per_task = round_up(ceil_div(g.columns, wanted), nr);
  }
  if (heavy && tasks() < kWantedTasks) {
    plan.lines_per_task = std::max<int64_t>(1, plan.lines_per_task * tasks() / kWantedTasks);
  }

  const int64_t rows = plan.lines_per_task * g.kernel_rows();
  plan.row_floats = round_up(rows * static_cast<int64_t>(sizeof(SourceRow) / sizeof(float)), 16);
  plan.piece_floats = round_up(
      plan.lines_per_task * kMaxPieces * static_cast<int64_t>(sizeof(BrgemmPiece) / sizeof(float)),
      16);
  if (plan.copied) {
    plan.copy_floats =
        round_up(source_row_slots(g, plan.lines_per_task) * plan.window_pixels() * g.channels, 16);
  }
  return plan;
}

// One group's lines [begin, end), columns [col, col + cols).
struct Task {
  int64_t group, begin, end, col, cols;
};

class Runner {
 public:
  Runner(const ConvRun& r, const Plan& plan, const float* source, const float* kernel, float* out)
      : r_(r), plan_(plan), source_(source), kernel_(kernel), out_(out) {}

  void run(const Task& task, float* scratch) const;

 private:
  struct Lines {
    SourceRow* rows;  // kernel_rows() for each line
    BrgemmPiece* pieces;
    int64_t row_counts[kMaxLines], piece_counts[kMaxLines];
  };
  void run_phase(const Task& task, int64_t phase, Lines& lines) const;
  void gather_pieces(const Task& task, const Pieces& p, int64_t begin, int64_t end,
                     Lines& lines) const;
  void finish(const Task& task) const;
  // The first pixel of a line, as rows of the result are counted.
  int64_t row_of(const Line& line) const {
    const ConvGather& g = plan_.g;
    return ((line.n * g.result[0] + line.d) * g.result[1] + line.h) * g.result[2] +
           line.part * plan_.part_steps * g.phases[2];
  }
  int64_t pixels_of(const Line& line) const {
    const ConvGather& g = plan_.g;
    return std::min(plan_.part_steps * g.phases[2],
                    g.result[2] - line.part * plan_.part_steps * g.phases[2]);
  }

  const ConvRun& r_;
  const Plan& plan_;
  const float* source_;
  const float* kernel_;
  float* out_;
};

void Runner::run(const Task& task, float* scratch) const {
  const ConvGather& g = plan_.g;
  Lines lines;
  lines.rows = reinterpret_cast<SourceRow*>(scratch);
  lines.pieces = reinterpret_cast<BrgemmPiece*>(scratch + plan_.row_floats);
  float* copies = plan_.copied ? scratch + plan_.row_floats + plan_.piece_floats : nullptr;
  SourceRows rows(g, source_, copies, plan_.window_pixels());
  for (int64_t index = task.begin; index < task.end; ++index) {
    const Line line = line_at(plan_, index);
    const int64_t column = line.part * plan_.part_steps * g.advance[2] + plan_.window.low;
    const int64_t i = index - task.begin;
    lines.row_counts[i] = rows.find(line.n, line.d, line.h, column, task.group * g.channels,
                                    lines.rows + i * g.kernel_rows());
  }
  for (int64_t phase = 0; phase < std::min(g.phases[2], g.result[2]); ++phase) {
    run_phase(task, phase, lines);
  }
  finish(task);
}

void Runner::run_phase(const Task& task, int64_t phase, Lines& lines) const {
  const ConvGather& g = plan_.g;
  const Pieces p = pieces_of(plan_, phase);
  const int64_t nr = r_.kernels.gemm_shape.nr, pitch = g.result_pitch();
  const int64_t all = g.kernel_rows() * p.per_row();
  const int64_t at_once =
      std::clamp<int64_t>(kBlockDepth / std::max<int64_t>(1, p.length), 1, kMaxPieces);
  BrgemmBlock block = {};
  block.a_row = g.advance[2] * plan_.pitch;
  block.a_step = 1;
  block.b_panel = plan_.in_place ? 1 : g.depth();
  block.b_step = plan_.in_place ? pitch : nr;
  block.ldc = g.phases[2] * pitch;
  int64_t begin = 0;
  do {
    const int64_t end = std::min(all, begin + at_once);
    gather_pieces(task, p, begin, end, lines);
    block.accumulate = begin > 0;
    // While the lines pass a panel each asks for a share of what comes next, the panel beside it or
    // the first one's next block: kernels come from memory in networks whose weights fill L3, and
    // waiting for them took half of the time with few pixels (7 x 7 x 512 with 3 x 3 taps).
    const int64_t depth = (end - begin) * p.length;
    const int64_t share = plan_.in_place ? 0 : ceil_div(depth * nr, task.end - task.begin);
    for (int64_t col = task.col; col < task.col + task.cols; col += nr) {
      block.n = std::min(nr, task.col + task.cols - col);
      const bool last = col + nr >= task.col + task.cols;
      const int64_t next = last ? task.col * g.depth() + depth * nr : (col + nr) * g.depth();
      for (int64_t index = task.begin; index < task.end; ++index) {
        const Line line = line_at(plan_, index);
        const int64_t i = index - task.begin;
        block.m = ceil_div(pixels_of(line) - phase, g.phases[2]);
        block.pieces = lines.pieces + i * kMaxPieces;
        block.count = lines.piece_counts[i];
        block.b_offset = col * block.b_panel;
        if (share > 0 && block.count > 0) {
          block.ahead = block.pieces[0].b + next + i * share;
          const int64_t tiles = ceil_div(block.m, r_.kernels.gemm_shape.mr);
          block.ahead_step = ceil_div(share, std::max<int64_t>(1, tiles * depth));
        }
        block.c = out_ + (row_of(line) + phase) * pitch + task.group * g.columns + col;
        r_.kernels.brgemm_block(block);
      }
    }
    begin = end;
  } while (begin < all);
}

// The pieces begin .. end - 1 of all kernel rows, those a line has.
void Runner::gather_pieces(const Task& task, const Pieces& p, int64_t begin, int64_t end,
                           Lines& lines) const {
  const ConvGather& g = plan_.g;
  const float* kernel = kernel_;
  const int64_t nr = r_.kernels.gemm_shape.nr;
  const int64_t step = plan_.in_place ? g.result_pitch() : nr;
  if (!plan_.in_place) kernel += task.group * g.depth() * round_up(g.columns, nr);
  for (int64_t i = 0; i < task.end - task.begin; ++i) {
    BrgemmPiece* out = lines.pieces + i * kMaxPieces;
    for (int64_t k = 0; k < lines.row_counts[i]; ++k) {
      const SourceRow& row = lines.rows[i * g.kernel_rows() + k];
      // Kernel rows may come in falling order; pieces are numbered as the packed kernel has them.
      const int64_t first = row.kernel_row * p.per_row();
      for (int64_t q = std::max(begin, first); q < std::min(end, first + p.per_row()); ++q) {
        const int64_t run = (q - first) / p.parts, part = (q - first) % p.parts;
        const int64_t from = part * p.length;
        const int64_t tap = row.kernel_row * g.kernel[2] + p.first_tap + run;
        const int64_t column = p.taps.offset + run * p.taps.spacing - plan_.window.low;
        *out++ = {row.at + column * plan_.pitch + from, kernel + (tap * g.channels + from) * step,
                  std::min(p.length, p.run_length - from)};
      }
    }
    lines.piece_counts[i] = out - (lines.pieces + i * kMaxPieces);
  }
}

// Whole lines one after the other are one region for the epilogue.
void Runner::finish(const Task& task) const {
  if (r_.epilogue == nullptr) return;
  const int64_t col = task.group * plan_.g.columns + task.col;
  const Line first = line_at(plan_, task.begin);
  if (plan_.parts == 1) {
    const int64_t pixels = (task.end - task.begin) * plan_.g.result[2];
    r_.epilogue->apply(r_.epilogue->ctx, 0, row_of(first), pixels, col, task.cols);
    return;
  }
  for (int64_t index = task.begin; index < task.end; ++index) {
    const Line line = line_at(plan_, index);
    r_.epilogue->apply(r_.epilogue->ctx, 0, row_of(line), pixels_of(line), col, task.cols);
  }
}

void run(const ConvRun& r, const ConvGather& g, const float* source, const float* w, float* out) {
  const Plan plan = make_plan(r.kernels, g);
  const float* kernel = w;
  if (!plan.in_place) {
    if (r.prepared == nullptr) pack_kernel(r.kernels, r.pool, g, w, r.scratch);
    kernel = r.prepared != nullptr ? r.prepared : r.scratch;
  }
  const Runner runner(r, plan, source, kernel, out);
  const int64_t line_tasks = ceil_div(plan.lines, plan.lines_per_task);
  const int64_t column_tasks = ceil_div(g.columns, plan.columns_per_task);
  float* const scratch = r.scratch + round_up(plan.kernel_floats, 16);
  r.pool.parallel_for(g.groups * line_tasks * column_tasks, [&](int64_t index, int worker) {
    Task task;
    task.begin = index % line_tasks * plan.lines_per_task;
    task.end = std::min(plan.lines, task.begin + plan.lines_per_task);
    index /= line_tasks;
    task.col = index % column_tasks * plan.columns_per_task;
    task.cols = std::min(plan.columns_per_task, g.columns - task.col);
    task.group = index / column_tasks;
    runner.run(task, scratch + worker * plan.worker_floats());
  });
}

int64_t scratch_floats(const KernelTable& kernels, const ConvGather& g, int threads) {
  const Plan plan = make_plan(kernels, g);
  return round_up(plan.kernel_floats, 16) + threads * plan.worker_floats();
}

int64_t prepared_floats(const KernelTable& kernels, const ConvGather& g) {
  return make_plan(kernels, g).kernel_floats;
}

}  // namespace

const ConvPath kConvDirect = {[](const KernelTable&, const ConvShape& s) {
                                return is_sound(gather_forward(s), kPartPixels, kMaxRows);
                              },
                              [](const KernelTable& kernels, const ConvShape& s, int threads) {
                                return scratch_floats(kernels, gather_forward(s), threads);
                              },
                              [](const ConvRun& r, const float* x, const float* w, float* y) {
                                run(r, gather_forward(r.s), x, w, y);
                              },
                              [](const KernelTable& kernels, const ConvShape& s) {
                                return prepared_floats(kernels, gather_forward(s));
                              },
                              [](const ConvRun& r, const float* w, float* prepared) {
                                pack_kernel(r.kernels, r.pool, gather_forward(r.s), w, prepared);
                              }};

const ConvPath kConvInputGradDirect = {
    [](const KernelTable&, const ConvShape& s) {
      return is_sound(gather_input_grad(s), kPartPixels, kMaxRows);
    },
    [](const KernelTable& kernels, const ConvShape& s, int threads) {
      return scratch_floats(kernels, gather_input_grad(s), threads);
    },
    [](const ConvRun& r, const float* dy, const float* w, float* dx) {
      run(r, gather_input_grad(r.s), dy, w, dx);
    },
    [](const KernelTable& kernels, const ConvShape& s) {
      return prepared_floats(kernels, gather_input_grad(s));
    },
    [](const ConvRun& r, const float* w, float* prepared) {
      pack_kernel(r.kernels, r.pool, gather_input_grad(r.s), w, prepared);
    }};

}  // namespace myelin
