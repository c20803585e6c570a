// A pool for parallel loops: workers spin briefly between loops, then sleep; the calling thread
// works too and takes whatever chunks are left, so a worker that never wakes costs nothing but its
// share.
//
// Chunks are handed out one at a time to whoever asks: the caller takes them from the front,
// workers from the back, in one loop from the ends inwards, in the next from the middle outwards.
// So most of what a thread reads was left in its own caches by the loop before, where loops cut the
// same rows in the same way, and it begins with what it touched last. Which thread runs a chunk is
// still not reproducible, so results must not depend on it. Split work by its size, never by
// threads().
#ifndef MYELIN_THREAD_POOL_H_
#define MYELIN_THREAD_POOL_H_

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace myelin {

// Flushes denormals to zero (inputs and results) on this thread; restores the old mode on exit.
// Workers take over the caller's mode for the length of a loop, so chunks agree wherever they run.
class ScopedFlushDenormals {
 public:
  ScopedFlushDenormals();
  ~ScopedFlushDenormals();
  ScopedFlushDenormals(const ScopedFlushDenormals&) = delete;
  ScopedFlushDenormals& operator=(const ScopedFlushDenormals&) = delete;

 private:
  uint64_t saved_;
};

class ThreadPool {
 public:
  // `threads` counts the caller; below 1 counts as 1. Workers start with the first loop that can
  // use them; if the system refuses to start some, the pool goes on with fewer.
  explicit ThreadPool(int threads);
  ~ThreadPool();  // no loop may be running
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }

  // Calls fn(chunk, worker) once for each chunk in [0, count), worker in [0, threads()); returns
  // when all are done. Within one loop no two running calls share a worker number. fn must not
  // throw. Loops from several threads may overlap, and loops may nest: the pool serves one at a
  // time and the others run on their own caller, as worker 0.
  template <class F>
  void parallel_for(int64_t count, F&& fn) {
    using Fn = std::remove_reference_t<F>;
    if (count == 1 || threads_ == 1) {
      for (int64_t i = 0; i < count; ++i) fn(i, 0);
      return;
    }
    run(
        count, [](void* f, int64_t chunk, int worker) { (*static_cast<Fn*>(f))(chunk, worker); },
        const_cast<void*>(static_cast<const void*>(std::addressof(fn))));
  }

 private:
  using Call = void (*)(void* fn, int64_t chunk, int worker);

  void run(int64_t count, Call call, void* fn);
  void run_loop(int64_t base, int64_t count, Call call, void* fn);
  void start_workers();
  void work(int worker);
  void help(int worker);
  bool wait_for_work();
  void wake(int wanted);
  void wait_for_workers(uint32_t chunks);

  const int threads_;
  const bool spin_;  // only where every thread can have a core

  // The running loop. A worker reads it after it has claimed a chunk, which keeps the loop alive;
  // on one cache line, so that a claim brings it all.
  struct alignas(64) Loop {
    std::atomic<uint64_t> claims{0};  // see thread_pool.cc
    Call call = nullptr;
    void* fn = nullptr;
    int64_t base = 0, count = 0;
    int64_t middle = 0;  // where a loop outwards begins; 0 for one inwards
    uint64_t float_mode = 0;
    int cpu = -1;  // where the caller is; negative where nobody can say
    int64_t chunk(int64_t turn) const {
      if (middle == 0) return base + turn;
      return base + (turn < middle ? middle - 1 - turn : count - 1 - (turn - middle));
    }
  } loop_;
  bool outwards_ = false;
  alignas(64) std::atomic<uint32_t> finished_{0};  // chunks of the loop that workers have finished
  std::atomic<bool> caller_waits_{false};
  alignas(64) std::atomic<bool> busy_{false};
  std::atomic<int> parked_{0};

  std::mutex mutex_;
  std::condition_variable wake_workers_, wake_caller_;
  std::vector<std::thread> workers_;
  bool started_ = false;
};

}  // namespace myelin

#endif  // MYELIN_THREAD_POOL_H_
