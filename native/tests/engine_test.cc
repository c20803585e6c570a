// Buffers, runs, their order and their end. Programs here count: they add one to int32 state by
// cumsum, so that a state says how many whole steps have been through it.
#include <array>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "../engine.h"
#include "allocations.h"
#include "program_builder.h"
#include "test.h"

#if defined(__SANITIZE_ADDRESS__)
// An allocation that is too large is an answer here, not the end.
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }
#elif defined(__SANITIZE_THREAD__)
extern "C" const char* __tsan_default_options() { return "allocator_may_return_null=1"; }
#endif

namespace myelin::test {
namespace {

using Ids = std::vector<uint32_t>;

struct End {
  RunEnd end;
  int64_t done;
  std::string code, message;
  int step;
};

// An engine with an event loop of its own in place of JavaScript's.
class Loop {
 public:
  explicit Loop(int threads = 2)
      : pool_(threads), engine(*kernel_table(detect_best()), pool_, [this] {
          std::lock_guard guard(mutex_);
          woken_ = true;
          changed_.notify_all();
        }) {}

  uint32_t run(uint32_t executable, const Ids& bound, int64_t steps = 1, const Ids& watch = {},
               bool reports = false) {
    return engine.run(executable, bound.data(), bound.size(), steps, watch.data(), watch.size(),
                      reports);
  }
  void run_sync(uint32_t executable, const Ids& bound, int64_t steps = 1) {
    engine.run_sync(executable, bound.data(), bound.size(), steps);
  }

  // Handles events until `until()`, for half a minute at most.
  bool turn(const std::function<bool()>& until) {
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!until()) {
      {
        std::unique_lock guard(mutex_);
        if (!changed_.wait_until(guard, limit, [this] { return woken_; })) return false;
        woken_ = false;
      }
      ++wakes;
      engine.drain([this](const RunEvent& event) {
        if (event.is_report) {
          if (on_report) on_report(event);
        } else {
          const bool failed = event.end == RunEnd::failed;
          ends[event.run] = {event.end, event.done, failed ? event.code : "",
                             failed ? *event.message : "", failed ? event.step : -1};
          order.push_back(event.run);
        }
      });
    }
    return true;
  }
  End wait(uint32_t run) {
    if (!turn([&] { return ends.count(run) > 0; })) {
      fail(__FILE__, __LINE__, "run %u did not end", run);
      return {};
    }
    return ends[run];
  }

  int32_t value(uint32_t buffer, int64_t index = 1) {
    int32_t word = -1;
    engine.read(buffer, &word, 4, index * 4);
    return word;
  }
  // int32 [2]: 1 and the count.
  uint32_t counter() {
    const uint32_t id = engine.allocate(DType::kInt32, 2);
    const int32_t start[2] = {1, 0};
    engine.write(id, start, sizeof start, 0);
    return id;
  }

 private:
  ThreadPool pool_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool woken_ = false;

 public:
  std::map<uint32_t, End> ends;
  std::vector<uint32_t> order;
  std::function<void(const RunEvent&)> on_report;
  int wakes = 0;
  Engine engine;
};

// Adds one to each of `states` counters, one after the other.
uint32_t load_counting(Engine& engine, int states, int work = 0) {
  ProgramBuilder p;
  for (int i = 0; i < states; ++i) {
    const int state = p.slot(i32({2}), kRead | kWrite), sum = p.arena(i32({2}));
    p.step(Opcode::cumsum, {state}, {sum}, {0, 0, 0});
    // Something to do between the two counters, so that a torn step would show.
    for (int j = 0; j < work; ++j) p.step(Opcode::iota, {}, {p.arena(i32({1000}))});
    p.step(Opcode::slice, {sum}, {state}, {1, 0, 1, 1});
  }
  return p.load(engine);
}

// out = x, both int32 [2].
uint32_t load_copy(Engine& engine) {
  ProgramBuilder p;
  const int x = p.slot(i32({2}), kRead), out = p.slot(i32({2}), kWrite);
  p.step(Opcode::slice, {x}, {out}, {1, 0, 1, 1});
  return p.load(engine);
}

// out = x + the running sums of w, which are prepared; all int32 [2].
uint32_t load_prepared(Engine& engine) {
  ProgramBuilder p;
  const int x = p.slot(i32({2}), kRead), w = p.slot(i32({2}), kRead),
            out = p.slot(i32({2}), kWrite);
  const int sums = p.prepared(i32({2}));
  p.step(Opcode::cumsum, {w}, {sums}, {0, 0, 0});
  p.end_preparation();
  p.step(Opcode::elementwise, {x, sums}, {out},
         {2, 1, 2, 1, 0, 1, 1, id(MicroOp::add_i32), 0, 1, 2, 0});
  return p.load(engine);
}

template <typename F>
std::string code_of(F&& body) {
  try {
    body();
    return "";
  } catch (const EngineError& error) {
    return error.code();
  }
}

TEST(engine_buffers) {
  Loop loop;
  Engine& engine = loop.engine;
  const uint32_t id = engine.allocate(DType::kFloat32, 5);
  float got[5] = {1, 1, 1, 1, 1};
  engine.read(id, got, sizeof got, 0);
  for (const float v : got) CHECK_EQ(v, 0.0f);
  const float two[2] = {3, 4};
  engine.write(id, two, sizeof two, 12);
  engine.read(id, got, sizeof got, 0);
  CHECK(got[2] == 0 && got[3] == 3 && got[4] == 4);
  CHECK_EQ(engine.stats().buffer_bytes, size_t{20});
  CHECK(code_of([&] { engine.write(id, two, 8, 16); }) == "INVALID_ARGUMENT");
  CHECK(code_of([&] { engine.read(id, got, 4, 20); }) == "INVALID_ARGUMENT");
  CHECK(code_of([&] { engine.read(id, got, 4, -4); }) == "INVALID_ARGUMENT");
  CHECK(code_of([&] { engine.read(id, got, 4, INT64_MAX); }) == "INVALID_ARGUMENT");
  engine.read(id, got, 0, 20);
  const uint32_t empty = engine.allocate(DType::kUint8, 0);
  engine.write(empty, nullptr, 0, 0);
  CHECK(code_of([&] { engine.write(empty, two, 1, 0); }) == "INVALID_ARGUMENT");
  engine.dispose_buffer(id);
  engine.dispose_buffer(empty);
  CHECK_EQ(engine.stats().buffer_bytes, size_t{0});
  CHECK(code_of([&] { engine.allocate(DType::kFloat32, -1); }) == "INVALID_ARGUMENT");
  CHECK(code_of([&] { engine.allocate(DType::kFloat32, INT64_MAX); }) == "INVALID_ARGUMENT");
  CHECK(code_of([&] { engine.allocate(DType::kFloat32, int64_t{1} << 40); }) == "OUT_OF_MEMORY");
}

TEST(engine_preparation_follows_its_sources) {
  Loop loop;
  Engine& engine = loop.engine;
  const uint32_t program = load_prepared(engine), copy = load_copy(engine);
  CHECK_EQ(engine.stats().buffer_bytes, size_t{64});
  const uint32_t x = engine.allocate(DType::kInt32, 2), w = engine.allocate(DType::kInt32, 2);
  const uint32_t other = engine.allocate(DType::kInt32, 2), out = engine.allocate(DType::kInt32, 2);
  const auto put = [&](uint32_t buffer, int32_t a, int32_t b) {
    const int32_t words[2] = {a, b};
    engine.write(buffer, words, sizeof words, 0);
  };
  const auto check = [&](uint32_t source, int32_t expected) {
    loop.run_sync(program, {x, source, out});
    CHECK_EQ(loop.value(out), expected);
    loop.wait(loop.run(program, {x, source, out}, 3));
    CHECK_EQ(loop.value(out), expected);
  };
  check(w, 0);
  put(w, 1, 2);
  check(w, 3);
  put(x, 5, 5);
  check(w, 8);
  put(other, 10, 20);
  check(other, 35);  // another buffer in the slot
  check(w, 8);
  loop.run_sync(copy, {other, w});  // written by a run
  check(w, 35);
  const int32_t last = 21;
  engine.write(w, &last, 4, 4);  // a part of it
  check(w, 36);
  // A buffer that takes the place of one disposed of.
  engine.dispose_buffer(w);
  const uint32_t fresh = engine.allocate(DType::kInt32, 2);
  check(fresh, 5);
  // Filled by a run on another buffer meanwhile, while the first waits its turn.
  for (int round = 0; round < 200; ++round) {
    put(fresh, round, 0);
    const uint32_t outs[2] = {engine.allocate(DType::kInt32, 2), engine.allocate(DType::kInt32, 2)};
    const uint32_t first = loop.run(program, {x, fresh, outs[0]});
    const uint32_t second = loop.run(program, {x, fresh, outs[1]});
    loop.wait(first);
    loop.wait(second);
    CHECK_EQ(loop.value(outs[0]), round + 5);
    CHECK_EQ(loop.value(outs[1]), round + 5);
    engine.dispose_buffer(outs[0]);
    engine.dispose_buffer(outs[1]);
  }
  engine.dispose_executable(program);
  CHECK_EQ(engine.stats().buffer_bytes, size_t{4 * 8});
}

// While a long run counts, runs that prepare from its counter see whole steps, each the present
// one.
TEST(engine_preparation_beside_a_writer) {
  Loop loop;
  Engine& engine = loop.engine;
  const uint32_t counting = load_counting(engine, 1, 20), program = load_prepared(engine);
  const uint32_t w = loop.counter();
  const uint32_t x = engine.allocate(DType::kInt32, 2);
  const uint32_t run = loop.run(counting, {w}, int64_t{1} << 40);
  int32_t before = 0;
  for (int round = 0; round < 300; ++round) {
    const uint32_t out = engine.allocate(DType::kInt32, 2);
    const int32_t low = loop.value(w);
    if (round % 2 == 0) {
      loop.run_sync(program, {x, w, out});
    } else {
      loop.wait(loop.run(program, {x, w, out}));
    }
    const int32_t got = loop.value(out) - 1, high = loop.value(w);  // the sum includes the one
    CHECK(low <= got && got <= high && before <= got);
    before = got;
    engine.dispose_buffer(out);
  }
  engine.cancel(run);
  loop.wait(run);
  const uint32_t out = engine.allocate(DType::kInt32, 2);
  loop.run_sync(program, {x, w, out});
  CHECK_EQ(loop.value(out) - 1, loop.value(w));
}

TEST(engine_stale_ids) {
  Loop loop;
  Engine& engine = loop.engine;
  char byte;
  Ids gone;
  for (int i = 0; i < 5000; ++i) {
    gone.push_back(engine.allocate(DType::kUint8, 1));
    engine.dispose_buffer(gone.back());
  }
  const uint32_t live = engine.allocate(DType::kUint8, 1);
  for (const uint32_t id : gone) {
    CHECK(id != live && id != 0);
    CHECK(code_of([&] { engine.read(id, &byte, 1, 0); }) == "DISPOSED");
    CHECK(code_of([&] { engine.dispose_buffer(id); }) == "DISPOSED");
  }
  for (const uint32_t id : {0u, 1u, 77u, 0xffffffffu}) {
    CHECK(code_of([&] { engine.read(id, &byte, 1, 0); }) == "DISPOSED");
    CHECK(code_of([&] { engine.dispose_executable(id); }) == "DISPOSED");
    engine.cancel(id);
  }
  const uint32_t program = load_counting(engine, 1);
  const uint32_t counter = loop.counter();
  CHECK(code_of([&] { loop.run(program, {gone[0]}); }) == "DISPOSED");
  CHECK(code_of([&] { loop.run(program, {counter}, 1, {gone[0]}); }) == "DISPOSED");
  engine.dispose_executable(program);
  CHECK(code_of([&] { loop.run(program, {counter}); }) == "DISPOSED");
  CHECK(code_of([&] { loop.run_sync(program, {counter}); }) == "DISPOSED");
  CHECK_EQ(engine.stats().runs, size_t{0});
}

TEST(engine_binding) {
  Loop loop;
  Engine& engine = loop.engine;
  const uint32_t program = load_counting(engine, 2);
  const uint32_t a = loop.counter(), b = loop.counter();
  const uint32_t real = engine.allocate(DType::kFloat32, 2),
                 longer = engine.allocate(DType::kInt32, 3);
  CHECK(code_of([&] { loop.run_sync(program, {a}); }) == "INVALID_ARGUMENT");
  CHECK(code_of([&] { loop.run_sync(program, {a, b, b}); }) == "INVALID_ARGUMENT");
  CHECK(code_of([&] { loop.run_sync(program, {a, real}); }) == "DTYPE_MISMATCH");
  CHECK(code_of([&] { loop.run_sync(program, {a, longer}); }) == "SHAPE_MISMATCH");
  CHECK(code_of([&] { loop.run_sync(program, {a, a}); }) == "INVALID_ARGUMENT");
  CHECK(code_of([&] { loop.run(program, {a, a}); }) == "INVALID_ARGUMENT");
  loop.run_sync(program, {a, b}, 3);
  CHECK(loop.value(a) == 3 && loop.value(b) == 3);
  loop.run_sync(program, {a, b}, 0);
  CHECK_EQ(loop.value(a), 3);
  // Reading one buffer through two slots is fine.
  ProgramBuilder p;
  const int x = p.slot(i32({2}), kRead), y = p.slot(i32({2}), kRead),
            out = p.slot(i32({4}), kWrite);
  p.step(Opcode::concatenate, {x, y}, {out}, {0});
  const uint32_t joined = engine.allocate(DType::kInt32, 4);
  loop.run_sync(p.load(engine), {a, a, joined});
  CHECK(loop.value(joined, 1) == 3 && loop.value(joined, 3) == 3);
}

TEST(engine_runs) {
  Loop loop;
  const uint32_t program = load_counting(loop.engine, 1);
  const uint32_t state = loop.counter();
  const End end = loop.wait(loop.run(program, {state}, 1000));
  CHECK(end.end == RunEnd::done && end.done == 1000);
  CHECK_EQ(loop.value(state), 1000);
  CHECK(loop.wait(loop.run(program, {state}, 0)).done == 0);
  // Many at once on buffers of their own, more than there are run threads.
  Ids states, runs;
  for (int i = 0; i < 200; ++i) states.push_back(loop.counter());
  for (const uint32_t s : states) runs.push_back(loop.run(program, {s}, 50));
  for (const uint32_t r : runs) CHECK_EQ(loop.wait(r).done, 50);
  for (const uint32_t s : states) CHECK_EQ(loop.value(s), 50);
  CHECK_EQ(loop.engine.stats().runs, size_t{0});
}

// Runs that write one buffer take their turns as they came; readers between two writers see what
// they should.
TEST(engine_conflicts) {
  Loop loop;
  const uint32_t count = load_counting(loop.engine, 1), copy = load_copy(loop.engine);
  const uint32_t state = loop.counter();
  Ids runs, copies;
  for (int i = 0; i < 100; ++i) {
    runs.push_back(loop.run(count, {state}));
    for (int j = 0; j < 3; ++j) {
      copies.push_back(loop.engine.allocate(DType::kInt32, 2));
      runs.push_back(loop.run(copy, {state, copies.back()}));
    }
  }
  for (const uint32_t r : runs) CHECK(loop.wait(r).end == RunEnd::done);
  for (size_t i = 0; i < copies.size(); ++i)
    CHECK_EQ(loop.value(copies[i]), static_cast<int32_t>(i / 3 + 1));
}

// A run of many steps lets others in between two of them, and they see whole steps.
TEST(engine_yields) {
  Loop loop;
  const uint32_t both = load_counting(loop.engine, 2, 3), copy = load_copy(loop.engine);
  const uint32_t a = loop.counter(), b = loop.counter();
  const uint32_t long_run = loop.run(both, {a, b}, int64_t{1} << 40);
  int32_t last = 0;
  for (int i = 0; i < 100; ++i) {
    const uint32_t out = loop.engine.allocate(DType::kInt32, 2);
    if (i % 3 == 0) {
      CHECK(loop.wait(loop.run(copy, {a, out})).end == RunEnd::done);
    } else if (i % 3 == 1) {
      loop.run_sync(copy, {a, out});
    } else {
      std::array<int32_t, 2> pair;
      loop.engine.read(a, pair.data(), 8, 0);
      loop.engine.write(out, pair.data(), 8, 0);
    }
    const int32_t now = loop.value(out);
    CHECK(now >= last);
    last = now;
    loop.engine.dispose_buffer(out);
  }
  // Two long runs on the same state take turns.
  const uint32_t second = loop.run(both, {a, b}, 500);
  CHECK_EQ(loop.wait(second).done, 500);
  CHECK(loop.ends.count(long_run) == 0);
  loop.engine.cancel(long_run);
  const End end = loop.wait(long_run);
  CHECK(end.end == RunEnd::aborted);
  CHECK_EQ(static_cast<int64_t>(loop.value(a)), end.done + 500);
  CHECK_EQ(loop.value(a), loop.value(b));
  CHECK_EQ(loop.engine.stats().runs, size_t{0});
}

TEST(engine_reports) {
  Loop loop;
  const uint32_t both = load_counting(loop.engine, 2, 3);
  const uint32_t a = loop.counter(), b = loop.counter(), aside = loop.counter();
  int reports = 0;
  int64_t last = 0;
  std::vector<std::chrono::steady_clock::time_point> times;
  loop.on_report = [&](const RunEvent& event) {
    ++reports;
    times.push_back(std::chrono::steady_clock::now());
    CHECK(event.watched->size() == 3);
    int32_t words[6];
    std::memcpy(words, event.contents, sizeof words);
    CHECK(words[1] == event.done && words[5] == event.done && words[3] == 0);
    CHECK(event.done > last);
    last = event.done;
  };
  const uint32_t run = loop.run(both, {a, b}, int64_t{1} << 40, {a, aside, b}, true);
  CHECK(loop.turn([&] { return reports >= 10; }));
  loop.engine.cancel(run);
  const End end = loop.wait(run);
  CHECK(end.end == RunEnd::aborted && end.done >= last);
  // Late ones may follow each other closely, so only their number is bounded.
  const std::chrono::duration<double, std::milli> span = times.back() - times.front();
  CHECK(span.count() >= 9 * 15);
  // While nobody drains, reports coalesce into one.
  const uint32_t again = loop.run(both, {a, b}, int64_t{1} << 40, {}, true);
  loop.on_report = [&](const RunEvent&) { ++reports; };
  reports = 0;
  std::this_thread::sleep_for(std::chrono::milliseconds(120));
  loop.engine.cancel(again);
  loop.wait(again);
  CHECK_EQ(reports, 1);
}

TEST(engine_cancel) {
  Loop loop;
  const uint32_t count = load_counting(loop.engine, 1), copy = load_copy(loop.engine);
  const uint32_t state = loop.counter(), out = loop.counter();
  const uint32_t first = loop.run(count, {state}, int64_t{1} << 40);
  const uint32_t waiting = loop.run(count, {state}, int64_t{1} << 40);
  const uint32_t behind = loop.run(copy, {state, out});
  loop.engine.cancel(waiting);
  CHECK(loop.wait(waiting).end == RunEnd::aborted);
  CHECK(loop.wait(behind).end == RunEnd::done);
  loop.engine.cancel(first);
  CHECK(loop.wait(first).end == RunEnd::aborted);
  loop.engine.cancel(first);       // ended: nothing happens
  for (int i = 0; i < 300; ++i) {  // at any moment of a short run
    const uint32_t run = loop.run(count, {state}, 200);
    loop.engine.cancel(run);
    const End end = loop.wait(run);
    CHECK(end.end == RunEnd::done ? end.done == 200 : end.end == RunEnd::aborted && end.done < 200);
  }
  CHECK_EQ(loop.engine.stats().runs, size_t{0});
}

TEST(engine_failure) {
  Loop loop;
  Engine& engine = loop.engine;
  ProgramBuilder p;
  const int x = p.slot(f32({3}), kRead), indices = p.slot(i32({2}), kRead),
            count = p.slot(i32({2}), kRead | kWrite);
  const int out = p.slot(f32({2}), kWrite), sum = p.arena(i32({2}));
  p.step(Opcode::cumsum, {count}, {sum}, {0, 0, 0});
  p.step(Opcode::slice, {sum}, {count}, {1, 0, 1, 1});
  p.step(Opcode::gather, {x, indices}, {out}, {0});
  const uint32_t program = p.load(engine);
  const uint32_t xs = engine.allocate(DType::kFloat32, 3), at = engine.allocate(DType::kInt32, 2);
  const uint32_t state = loop.counter(), outs = engine.allocate(DType::kFloat32, 2);
  const int32_t bad[2] = {1, 3}, good[2] = {0, 2};
  engine.write(at, bad, sizeof bad, 0);
  const End end = loop.wait(loop.run(program, {xs, at, state, outs}, 10));
  CHECK(end.end == RunEnd::failed && end.done == 0 && end.code == "INVALID_DATA" && end.step == 2);
  CHECK(end.message.find("index 3") != std::string::npos);
  CHECK_EQ(loop.value(state), 1);
  CHECK(code_of([&] { loop.run_sync(program, {xs, at, state, outs}); }) == "INVALID_DATA");
  engine.write(at, good, sizeof good, 0);  // the next run starts afresh
  CHECK(loop.wait(loop.run(program, {xs, at, state, outs}, 10)).end == RunEnd::done);
  loop.run_sync(program, {xs, at, state, outs});
}

TEST(engine_dispose_while_running) {
  Loop loop;
  Engine& engine = loop.engine;
  const uint32_t program = load_counting(engine, 1, 10);
  const uint32_t state = loop.counter();
  const uint32_t run = loop.run(program, {state}, int64_t{1} << 40);
  engine.dispose_buffer(state);
  engine.dispose_executable(program);
  CHECK(engine.stats().buffers == 0 && engine.stats().buffer_bytes == 8);
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  engine.cancel(run);
  CHECK(loop.wait(run).end == RunEnd::aborted);
  CHECK_EQ(engine.stats().buffer_bytes, size_t{0});
}

TEST(engine_scratch_is_shared) {
  Loop loop;
  Engine& engine = loop.engine;
  const auto with_arena = [&](int32_t elements) {
    ProgramBuilder p;
    p.step(Opcode::iota, {}, {p.arena(i32({elements}))});
    return p.load(engine);
  };
  const uint32_t large = with_arena(1 << 20), small = with_arena(16);
  loop.run_sync(small, {});
  loop.run_sync(large, {});
  loop.run_sync(small, {});
  CHECK_EQ(engine.stats().scratch_bytes, size_t{4} << 20);
  for (int i = 0; i < 100; ++i) loop.wait(loop.run(i % 2 == 0 ? small : large, {}));
  CHECK_EQ(engine.stats().scratch_bytes, size_t{4} << 20);
  engine.dispose_executable(large);
  CHECK(engine.stats().scratch_bytes < 1024);
  ProgramBuilder p;  // more than there is
  p.set_arena_bytes(kMaxArenaBytes);
  const uint32_t huge = p.load(engine);
  CHECK(code_of([&] { loop.run_sync(huge, {}); }) == "OUT_OF_MEMORY");
  CHECK(loop.wait(loop.run(huge, {})).code == "OUT_OF_MEMORY");
  loop.run_sync(small, {});
}

// At any moment: while runs wait, run, report and end.
TEST(engine_steady_state_allocates_nothing) {
  Loop loop;
  const ProgramBuilder builder = everything();
  const uint32_t executable = builder.load(loop.engine);
  Ids bound;
  const auto program = builder.decode();
  for (const SlotSpec& slot : program->slots)
    bound.push_back(loop.engine.allocate(slot.dtype, slot.elements));
  loop.run_sync(executable, bound, 2);
  const int64_t before = allocations();
  for (int i = 0; i < 100; ++i) loop.run_sync(executable, bound, 3);
  CHECK_EQ(allocations() - before, 0);
}

TEST(engine_stop) {
  for (int round = 0; round < 30; ++round) {
    Loop loop;
    const uint32_t program = load_counting(loop.engine, 2, round % 4);
    for (int i = 0; i < 6; ++i) {
      const uint32_t a = loop.counter(), b = loop.counter();
      loop.run(program, {a, b}, int64_t{1} << 40, {a}, true);
      loop.run(program, {a, b});
    }
    std::this_thread::sleep_for(std::chrono::microseconds(round * 300));
    const auto start = std::chrono::steady_clock::now();
    loop.engine.stop();
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    CHECK(took.count() < 2);
    loop.engine.drain([](const RunEvent&) { CHECK(false); });
  }
}

// Events are delivered in batches when they come faster than they are handled.
TEST(engine_wakes_once_per_batch) {
  Loop loop;
  const uint32_t program = load_counting(loop.engine, 1);
  Ids runs;
  for (int i = 0; i < 50; ++i) runs.push_back(loop.run(program, {loop.counter()}));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  for (const uint32_t run : runs) loop.wait(run);
  CHECK(loop.wakes < 25);
}

}  // namespace
}  // namespace myelin::test
