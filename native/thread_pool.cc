// The pool's hand-shake. A loop is published by storing an odd state_; a worker enters by counting
// itself into inside_ and then reading state_ again, the caller leaves by storing an even state_
// and then waiting for inside_ to be 0. Both sides write one variable and read the other in
// sequentially consistent order, so either the worker sees the loop closed or the caller sees the
// worker inside.
#include "thread_pool.h"

#include <chrono>
#include <system_error>

#include "cpu.h"

#if defined(__x86_64__) || defined(_M_X64)
#include <xmmintrin.h>
#endif
#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#include <signal.h>
#endif

namespace myelin {
namespace {

constexpr uint64_t kStop = ~uint64_t{0};

// Longer than the gap between the steps of a Program, shorter than anybody's patience with a core
// that is kept busy for nothing. Waking a sleeping thread costs 5 to 50 us, more on virtual
// machines.
constexpr std::chrono::microseconds kSpinTime{40};
constexpr int kPausesPerClockRead = 16;

void pause() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory");
#endif
}

// Denormal and rounding control, without the exception flags that arithmetic leaves behind.
#if defined(__x86_64__) || defined(_M_X64)
constexpr uint64_t kFlush = 0x8040, kFlags = 0x3f;  // FTZ and DAZ
uint64_t float_mode() { return _mm_getcsr() & ~kFlags; }
void set_float_mode(uint64_t mode) { _mm_setcsr(static_cast<unsigned>(mode)); }
#elif defined(__aarch64__)
constexpr uint64_t kFlush = uint64_t{1} << 24;  // FZ
uint64_t float_mode() {
  uint64_t mode;
  __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
  return mode;
}
void set_float_mode(uint64_t mode) { __asm__ volatile("msr fpcr, %0" ::"r"(mode)); }
#else
constexpr uint64_t kFlush = 0;
uint64_t float_mode() { return 0; }
void set_float_mode(uint64_t) {}
#endif

// Spins until ready() or for kSpinTime; says whether it became ready.
template <class Ready>
bool spin_until(Ready ready) {
  const auto end = std::chrono::steady_clock::now() + kSpinTime;
  do {
    for (int i = 0; i < kPausesPerClockRead; ++i) {
      if (ready()) return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return false;
}

bool is_new_loop(uint64_t state, uint64_t seen) {
  return (state & 1) != 0 && state != seen;  // kStop is odd too
}

}  // namespace

ScopedFlushDenormals::ScopedFlushDenormals() : saved_(float_mode()) {
  if ((saved_ & kFlush) != kFlush) set_float_mode(saved_ | kFlush);
}
ScopedFlushDenormals::~ScopedFlushDenormals() {
  if ((saved_ & kFlush) != kFlush) set_float_mode(saved_);
}

ThreadPool::ThreadPool(int threads)
    : threads_(threads < 1 ? 1 : threads), spin_(threads_ <= usable_cores()) {}

ThreadPool::~ThreadPool() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    state_.store(kStop);
  }
  wake_workers_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::start_workers() {
  started_ = true;
#if defined(__unix__) || defined(__APPLE__)
  // Workers inherit the mask: the process's signals belong to its own threads.
  sigset_t every, old;
  sigfillset(&every);
  pthread_sigmask(SIG_SETMASK, &every, &old);
#endif
  try {
    for (int worker = 1; worker < threads_; ++worker) {
      workers_.emplace_back([this, worker] { work(worker); });
    }
  } catch (const std::system_error&) {
  } catch (const std::bad_alloc&) {
  }
#if defined(__unix__) || defined(__APPLE__)
  pthread_sigmask(SIG_SETMASK, &old, nullptr);
#endif
}

void ThreadPool::run(int64_t count, Call call, void* fn) {
  if (count <= 0) return;
  if (busy_.load(std::memory_order_relaxed) || busy_.exchange(true, std::memory_order_acquire)) {
    for (int64_t i = 0; i < count; ++i) call(fn, i, 0);
    return;
  }
  if (!started_) start_workers();
  call_ = call;
  fn_ = fn;
  count_ = count;
  float_mode_ = float_mode();
  next_.store(0, std::memory_order_relaxed);
  const uint64_t open = state_.load(std::memory_order_relaxed) + 1;
  state_.store(open);
  const int64_t helpers = static_cast<int64_t>(workers_.size());
  wake(static_cast<int>(count - 1 < helpers ? count - 1 : helpers));
  run_chunks(0);
  state_.store(open + 1);
  if (inside_.load() != 0) wait_until_empty();
  busy_.store(false, std::memory_order_release);
}

void ThreadPool::run_chunks(int worker) {
  const Call call = call_;
  void* const fn = fn_;
  const int64_t count = count_;
  for (;;) {
    const int64_t chunk = next_.fetch_add(1, std::memory_order_relaxed);
    if (chunk >= count) return;
    call(fn, chunk, worker);
  }
}

// A worker counts itself into parked_ under the mutex before it looks at state_ for the last time,
// so reading parked_ == 0 here, after the loop was published, means that nobody can sleep through
// it.
void ThreadPool::wake(int wanted) {
  wanted -= spinning_.load();
  const int asleep = parked_.load();
  if (wanted <= 0 || asleep == 0) return;
  {
    std::lock_guard<std::mutex> lock(mutex_);
  }
  if (wanted >= asleep) {
    wake_workers_.notify_all();
  } else {
    for (int i = 0; i < wanted; ++i) wake_workers_.notify_one();
  }
}

void ThreadPool::wait_until_empty() {
  if (spin_ && spin_until([this] { return inside_.load() == 0; })) return;
  std::unique_lock<std::mutex> lock(mutex_);
  caller_waits_.store(true);
  wake_caller_.wait(lock, [this] { return inside_.load() == 0; });
  caller_waits_.store(false);
}

void ThreadPool::leave() {
  if (inside_.fetch_sub(1) == 1 && caller_waits_.load()) {
    {
      std::lock_guard<std::mutex> lock(mutex_);
    }
    wake_caller_.notify_one();
  }
}

uint64_t ThreadPool::wait_for_loop(uint64_t seen) {
  const auto ready = [this, seen] { return is_new_loop(state_.load(), seen); };
  if (spin_) {
    spinning_.fetch_add(1);
    const bool found = spin_until(ready);
    spinning_.fetch_sub(1);
    if (found) return state_.load();
  }
  std::unique_lock<std::mutex> lock(mutex_);
  parked_.fetch_add(1);
  wake_workers_.wait(lock, ready);
  parked_.fetch_sub(1);
  return state_.load();
}

void ThreadPool::work(int worker) {
  uint64_t seen = 0;
  for (;;) {
    if (wait_for_loop(seen) == kStop) return;
    inside_.fetch_add(1);
    const uint64_t state = state_.load();
    if (is_new_loop(state, seen) && state != kStop) {
      seen = state;
      set_float_mode(float_mode_);
      run_chunks(worker);
    }
    leave();
  }
}

}  // namespace myelin
