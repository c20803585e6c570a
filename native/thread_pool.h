// A pool for parallel loops: workers spin briefly between loops, then sleep; the calling thread
// works too and takes whatever chunks are left, so a worker that never wakes costs nothing but its
// share.
//
// Chunks are handed out in order, one at a time, to whoever asks; which worker runs a chunk is not
// reproducible, so results must not depend on it. Split work by its size, never by threads().
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
  void run_chunks(int worker);
  void start_workers();
  void work(int worker);
  uint64_t wait_for_loop(uint64_t seen);
  void wake(int wanted);
  void wait_until_empty();
  void leave();

  const int threads_;
  const bool spin_;  // only where every thread can have a core

  // The running loop; written while no worker is inside, read by workers that are.
  Call call_ = nullptr;
  void* fn_ = nullptr;
  int64_t count_ = 0;
  uint64_t float_mode_ = 0;

  // Apart from each other: chunk claims must not disturb the threads that watch the state.
  alignas(64) std::atomic<int64_t> next_{0};
  alignas(64) std::atomic<uint64_t> state_{0};  // loop number * 2 + open, or kStop
  std::atomic<bool> busy_{false};
  std::atomic<int> spinning_{0};
  std::atomic<int> parked_{0};
  alignas(64) std::atomic<int> inside_{0};  // workers that may touch the running loop
  std::atomic<bool> caller_waits_{false};

  std::mutex mutex_;
  std::condition_variable wake_workers_, wake_caller_;
  std::vector<std::thread> workers_;
  bool started_ = false;
};

}  // namespace myelin

#endif  // MYELIN_THREAD_POOL_H_
