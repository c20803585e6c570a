// The pool: every chunk exactly once, overlapping and nested callers, sleeping workers, denormals.
#include <atomic>
#include <chrono>
#include <limits>
#include <thread>

#include "../thread_pool.h"
#include "test.h"

using namespace myelin;

TEST(pool_runs_every_chunk_once) {
  for (const int threads : {-1, 1, 2, 3, 8}) {
    ThreadPool pool(threads);
    CHECK_EQ(pool.threads(), threads < 1 ? 1 : threads);
    for (const int64_t count : {0, 1, 2, 3, 7, 64, 1000}) {
      for (int repeat = 0; repeat < 20; ++repeat) {
        std::vector<std::atomic<int>> seen(static_cast<size_t>(count));
        std::atomic<int> bad{0};
        pool.parallel_for(count, [&](int64_t chunk, int worker) {
          seen[static_cast<size_t>(chunk)].fetch_add(1);
          if (worker < 0 || worker >= pool.threads()) bad.fetch_add(1);
        });
        for (auto& times : seen) CHECK_EQ(times.load(), 1);
        CHECK_EQ(bad.load(), 0);
      }
    }
  }
}

TEST(pool_workers_have_their_own_numbers) {
  ThreadPool pool(4);
  std::vector<std::atomic<int>> inside(4);
  std::atomic<int> clashes{0};
  for (int repeat = 0; repeat < 200; ++repeat) {
    pool.parallel_for(40, [&](int64_t, int worker) {
      if (inside[static_cast<size_t>(worker)].fetch_add(1) != 0) clashes.fetch_add(1);
      inside[static_cast<size_t>(worker)].fetch_sub(1);
    });
  }
  CHECK_EQ(clashes.load(), 0);
}

TEST(pool_publishes_plain_memory) {
  ThreadPool pool(3);
  std::vector<int64_t> values(300);
  for (int64_t round = 1; round <= 300; ++round) {
    pool.parallel_for(300, [&](int64_t i, int) { values[static_cast<size_t>(i)] += round * i; });
  }
  for (int64_t i = 0; i < 300; ++i) CHECK_EQ(values[static_cast<size_t>(i)], i * 300 * 301 / 2);
}

TEST(pool_serves_overlapping_callers) {
  ThreadPool pool(3);
  std::atomic<int64_t> total{0};
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int repeat = 0; repeat < 500; ++repeat) {
        int64_t own[16] = {};
        pool.parallel_for(16, [&](int64_t chunk, int) { own[chunk] = chunk + 1; });
        for (const int64_t x : own) total.fetch_add(x);
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK_EQ(total.load(), 4 * 500 * 136);
}

TEST(pool_nests) {
  ThreadPool pool(4);
  std::atomic<int> calls{0};
  pool.parallel_for(8, [&](int64_t, int) {
    pool.parallel_for(8, [&](int64_t, int worker) { calls.fetch_add(1 + worker); });
  });
  CHECK_EQ(calls.load(), 64);  // inner loops run on their caller, as worker 0
}

TEST(pool_wakes_sleeping_workers) {
  ThreadPool pool(2);
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    // Both threads must take part: each of two chunks waits for the other, but not for ever.
    std::atomic<int> arrived{0};
    pool.parallel_for(2, [&](int64_t, int) {
      arrived.fetch_add(1);
      const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
      while (arrived.load() < 2 && std::chrono::steady_clock::now() < end) {
        std::this_thread::yield();
      }
    });
    CHECK_EQ(arrived.load(), 2);
  }
}

TEST(pool_unused_and_short_lived) {
  for (int i = 0; i < 50; ++i) {
    ThreadPool unused(4), used(4);
    used.parallel_for(4, [](int64_t, int) {});
  }
}

#if defined(__x86_64__) || defined(_M_X64) || defined(__aarch64__)
TEST(pool_shares_the_denormal_mode) {
  ThreadPool pool(3);
  const auto count_flushed = [&] {
    std::atomic<int> flushed{0};
    pool.parallel_for(64, [&](int64_t, int) {
      volatile float tiny = std::numeric_limits<float>::min();
      volatile float half = tiny * 0.5f;
      flushed.fetch_add(half == 0.0f);
      std::this_thread::yield();
    });
    return flushed.load();
  };
  for (int round = 0; round < 10; ++round) {
    CHECK_EQ(count_flushed(), 0);
    {
      ScopedFlushDenormals flush;
      CHECK_EQ(count_flushed(), 64);
      {
        ScopedFlushDenormals again;
      }
      CHECK_EQ(count_flushed(), 64);
    }
  }
}
#endif
