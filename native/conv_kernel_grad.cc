// Gradient of the kernel: for every row of the kernel, a batch-reduce product of the source rows it
// sees, turned round and read where they lie, with the lines of dy. Rows of the product are the
// taps and channels of that kernel row, steps of its sums are pixels.
//
// Pixels are cut into slices whose sums are added up in order at the end; a slice goes chunk by
// chunk, so that the rows of x and dy of one chunk stay in cache while all of the kernel passes by.
#include <cstring>

#include "conv_gather.h"
#include "sizes.h"

namespace myelin {
namespace {

// Pixels of a chunk: a panel of dy (24 KiB at 32 columns) and the rows of a tile share L1.
constexpr int64_t kChunkPixels = 192;
// Pixels that make a slice of its own worth the memory and the additions (1 in 32 or fewer).
constexpr int64_t kSlicePixels = 512;
// Floats (2 MiB) of all slices' sums together, where there are several.
constexpr int64_t kSliceFloats = 512 << 10;
constexpr int64_t kWantedTasks = 16;
// Longer lines are cut into parts.
constexpr int64_t kPartPixels = 128;
// Lines of a chunk; source rows they see together.
constexpr int64_t kMaxLines = 128;
constexpr int64_t kMaxRows = 2048;

struct Plan {
  ConvGather g;
  bool copied;    // source rows
  int64_t pitch;  // floats between neighbouring source pixels, as the products read them
  int64_t part_pixels, parts;
  int64_t lines, lines_per_chunk, lines_per_slice, slices;
  int64_t kernel_rows_per_task, columns_per_task;
  int64_t kernel_floats;                          // the result's
  int64_t row_floats, piece_floats, copy_floats;  // for each worker
  int64_t worker_floats() const { return row_floats + piece_floats + copy_floats; }
  int64_t window_pixels() const { return (part_pixels - 1) * g.advance[2] + g.taps(2, 0).reach(); }
};

Plan make_plan(const KernelTable& kernels, const ConvShape& s) {
  Plan plan = {};
  ConvGather& g = plan.g;
  g = gather_forward(s);
  const int64_t nr = kernels.gemm_shape.nr, width = g.result[2];
  plan.parts = ceil_div(width, kPartPixels);
  plan.part_pixels = ceil_div(width, plan.parts);
  plan.parts = ceil_div(width, plan.part_pixels);
  plan.lines = g.batch * g.result[0] * g.result[1] * plan.parts;
  const AxisTaps taps = g.taps(2, 0);
  const int64_t last = (width - 1) * g.advance[2] + taps.offset + taps.reach();
  plan.copied = taps.offset < 0 || last > g.source[2] || (g.groups > 1 && g.kernel[2] > 1);
  plan.pitch = plan.copied ? g.channels : g.source_pitch();
  plan.kernel_floats = g.depth() * g.result_pitch();

  const int64_t most = std::min({plan.lines, kMaxLines, kMaxRows / g.kernel_rows()});
  plan.lines_per_chunk = std::clamp<int64_t>(kChunkPixels / plan.part_pixels, 1, most);
  const int64_t pixels = plan.lines * plan.part_pixels;
  plan.slices = std::clamp<int64_t>(
      std::min(pixels / kSlicePixels, 1 + kSliceFloats / plan.kernel_floats), 1, kWantedTasks);
  plan.lines_per_slice = round_up(ceil_div(plan.lines, plan.slices), plan.lines_per_chunk);
  plan.slices = ceil_div(plan.lines, plan.lines_per_slice);

  // Too few slices: columns are cut, then kernel rows.
  const int64_t panels = ceil_div(g.columns, nr);
  plan.columns_per_task = g.columns;
  plan.kernel_rows_per_task = g.kernel_rows();
  const int64_t found = plan.slices * g.groups;
  if (2 * found <= kWantedTasks) {
    const int64_t wanted = std::min(panels, kWantedTasks / found);
    plan.columns_per_task = std::min(g.columns, round_up(ceil_div(g.columns, wanted), nr));
    const int64_t now = found * ceil_div(g.columns, plan.columns_per_task);
    const int64_t cuts = std::clamp<int64_t>(kWantedTasks / now, 1, g.kernel_rows());
    plan.kernel_rows_per_task = ceil_div(g.kernel_rows(), cuts);
  }

  const auto words = [](int64_t count, size_t size) {
    return round_up(count * static_cast<int64_t>(size / sizeof(float)), 16);
  };
  plan.row_floats = words(plan.lines_per_chunk * g.kernel_rows(), sizeof(SourceRow));
  plan.piece_floats = words(plan.lines_per_chunk, sizeof(BrgemmPiece));
  if (plan.copied) {
    plan.copy_floats =
        round_up(source_row_slots(g, plan.lines_per_chunk) * plan.window_pixels() * g.channels, 16);
  }
  return plan;
}

// One slice's sums for some rows of the kernel, some columns of one group.
struct Task {
  int64_t slice, group, kernel_row, kernel_rows, col, cols;
};

class Runner {
 public:
  Runner(const KernelTable& kernels, const Plan& plan, const float* x, const float* dy)
      : kernels_(kernels), plan_(plan), x_(x), dy_(dy) {}

  void run(const Task& task, float* sums, float* scratch) const;

 private:
  struct Chunk {
    int64_t lines;
    SourceRow* rows;  // kernel_rows() for each line
    BrgemmPiece* pieces;
    int64_t counts[kMaxLines];
    const float* dy[kMaxLines];
    int64_t pixels[kMaxLines];
  };
  void find_lines(const Task& task, int64_t begin, int64_t end, SourceRows& rows,
                  Chunk& chunk) const;
  void add_kernel_row(const Task& task, int64_t kernel_row, const Chunk& chunk, bool first,
                      float* sums) const;

  const KernelTable& kernels_;
  const Plan& plan_;
  const float *x_, *dy_;
};

void Runner::run(const Task& task, float* sums, float* scratch) const {
  const ConvGather& g = plan_.g;
  Chunk chunk;
  chunk.rows = reinterpret_cast<SourceRow*>(scratch);
  chunk.pieces = reinterpret_cast<BrgemmPiece*>(scratch + plan_.row_floats);
  float* copies = plan_.copied ? scratch + plan_.row_floats + plan_.piece_floats : nullptr;
  SourceRows rows(g, x_, copies, plan_.window_pixels());
  const int64_t begin = task.slice * plan_.lines_per_slice;
  const int64_t end = std::min(plan_.lines, begin + plan_.lines_per_slice);
  for (int64_t line = begin; line < end; line += plan_.lines_per_chunk) {
    find_lines(task, line, std::min(end, line + plan_.lines_per_chunk), rows, chunk);
    for (int64_t k = 0; k < task.kernel_rows; ++k) {
      add_kernel_row(task, task.kernel_row + k, chunk, line == begin, sums);
    }
  }
}

// Lines are counted over batch, depth, parts and height.
void Runner::find_lines(const Task& task, int64_t begin, int64_t end, SourceRows& rows,
                        Chunk& chunk) const {
  const ConvGather& g = plan_.g;
  chunk.lines = end - begin;
  rows.clear();
  for (int64_t i = 0; i < chunk.lines; ++i) {
    int64_t index = begin + i;
    const int64_t h = index % g.result[1];
    index /= g.result[1];
    const int64_t pixel = index % plan_.parts * plan_.part_pixels;
    index /= plan_.parts;
    const int64_t d = index % g.result[0], n = index / g.result[0];
    const int64_t column = pixel * g.advance[2] + g.taps(2, 0).offset;
    chunk.counts[i] =
        rows.find(n, d, h, column, task.group * g.channels, chunk.rows + i * g.kernel_rows());
    chunk.pixels[i] = std::min(plan_.part_pixels, g.result[2] - pixel);
    chunk.dy[i] =
        dy_ + (((n * g.result[0] + d) * g.result[1] + h) * g.result[2] + pixel) * g.result_pitch() +
        task.group * g.columns + task.col;
  }
}

void Runner::add_kernel_row(const Task& task, int64_t kernel_row, const Chunk& chunk, bool first,
                            float* sums) const {
  const ConvGather& g = plan_.g;
  int64_t count = 0;
  for (int64_t i = 0; i < chunk.lines; ++i) {
    const SourceRow* rows = chunk.rows + i * g.kernel_rows();
    for (int64_t k = 0; k < chunk.counts[i]; ++k) {
      if (rows[k].kernel_row != kernel_row) continue;
      chunk.pieces[count++] = {rows[k].at, chunk.dy[i], chunk.pixels[i]};
    }
  }
  if (count == 0 && !first) return;
  const AxisTaps taps = g.taps(2, 0);
  const bool together = taps.spacing == 1 && plan_.pitch == g.channels;
  BrgemmBlock block = {};
  block.m = together ? taps.count * g.channels : g.channels;
  block.n = task.cols;
  block.pieces = chunk.pieces;
  block.count = count;
  block.a_row = 1;
  block.a_step = g.advance[2] * plan_.pitch;
  block.b_panel = 1;
  block.b_step = g.result_pitch();
  block.ldc = g.result_pitch();
  block.accumulate = !first;
  block.c =
      sums + kernel_row * g.kernel[2] * g.channels * block.ldc + task.group * g.columns + task.col;
  for (int64_t run = 0; run < (together ? 1 : taps.count); ++run) {
    block.a_offset = run * taps.spacing * plan_.pitch;
    kernels_.brgemm_block(block);
    block.c += g.channels * block.ldc;
  }
}

// dw += the sums of slices 1, 2, ..., in that order.
void add_slices(const ConvRun& r, const Plan& plan, const float* slices, float* dw) {
  constexpr int64_t kPiece = 4096;
  if (plan.slices == 1) return;
  r.pool.parallel_for(ceil_div(plan.kernel_floats, kPiece), [&](int64_t piece, int) {
    const int64_t begin = piece * kPiece, n = std::min(kPiece, plan.kernel_floats - begin);
    for (int64_t slice = 0; slice + 1 < plan.slices; ++slice) {
      r.kernels.accumulate_f32(dw + begin, slices + slice * plan.kernel_floats + begin, n);
    }
  });
}

void run(const ConvRun& r, const float* x, const float* dy, float* dw) {
  const Plan plan = make_plan(r.kernels, r.s);
  const ConvGather& g = plan.g;
  const Runner runner(r.kernels, plan, x, dy);
  float* const slices = r.scratch;
  float* const scratch = slices + round_up((plan.slices - 1) * plan.kernel_floats, 16);
  const int64_t row_tasks = ceil_div(g.kernel_rows(), plan.kernel_rows_per_task);
  const int64_t column_tasks = ceil_div(g.columns, plan.columns_per_task);
  r.pool.parallel_for(
      plan.slices * g.groups * row_tasks * column_tasks, [&](int64_t index, int worker) {
        Task task;
        task.kernel_row = index % row_tasks * plan.kernel_rows_per_task;
        task.kernel_rows = std::min(plan.kernel_rows_per_task, g.kernel_rows() - task.kernel_row);
        index /= row_tasks;
        task.col = index % column_tasks * plan.columns_per_task;
        task.cols = std::min(plan.columns_per_task, g.columns - task.col);
        index /= column_tasks;
        task.group = index % g.groups;
        task.slice = index / g.groups;
        float* const sums = task.slice == 0 ? dw : slices + (task.slice - 1) * plan.kernel_floats;
        runner.run(task, sums, scratch + worker * plan.worker_floats());
      });
  add_slices(r, plan, slices, dw);
}

}  // namespace

const ConvPath kConvKernelGradDirect = {
    [](const KernelTable&, const ConvShape& s) {
      return is_sound(gather_forward(s), kPartPixels, kMaxRows);
    },
    [](const KernelTable& kernels, const ConvShape& s, int threads) {
      const Plan plan = make_plan(kernels, s);
      return round_up((plan.slices - 1) * plan.kernel_floats, 16) + threads * plan.worker_floats();
    },
    run};

}  // namespace myelin
