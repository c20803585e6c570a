// The pool's hand-shake. All of a loop's bookkeeping is one word: how many of its chunks are left
// and how many workers have taken from the back. A chunk is claimed by replacing the word, and
// while one is claimed and not finished the loop lasts, so whoever has claimed one may look at the
// rest of the loop. The caller returns when nothing is left and as many chunks are finished as were
// taken from the back. A word that has come back to an old value between a worker's look and its
// claim does no harm: the claim is then one of the loop that runs now.
#include "thread_pool.h"

#include <algorithm>
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
#if defined(__linux__)
#include <sched.h>
#endif

namespace myelin {
namespace {

// The word: the lower half counts chunks left, the upper half but its last bit those taken from the
// back; the last bit tells workers to end.
constexpr int kBackShift = 32;
constexpr uint64_t kOneBack = uint64_t{1} << kBackShift;
constexpr uint64_t kStop = uint64_t{1} << 63;
constexpr int64_t kMaxChunks = int64_t{1} << 30;  // of one loop
uint32_t left_of(uint64_t claims) { return static_cast<uint32_t>(claims); }
uint32_t back_of(uint64_t claims) { return static_cast<uint32_t>((claims & ~kStop) >> kBackShift); }

// Longer than the gap between the steps of a Program, shorter than anybody's patience with a core
// that is kept busy for nothing. Waking a sleeping thread costs 5 to 50 us, more on virtual
// machines.
constexpr std::chrono::microseconds kSpinTime{40};
// Chunks take a few microseconds; whoever takes longer to answer has lost its core to somebody. The
// thread that waits then offers its own: beside one busy process a network of 41-32-8-32-41 kept 52
// % of its speed without this and keeps 90 %, 784-512-256-10 42 and 58 %. Between 1 and 15
// microseconds it makes no difference.
constexpr std::chrono::microseconds kPatience{5};
constexpr int kPausesPerClockRead = 16;

void pause() {
#if defined(__x86_64__) || defined(_M_X64)
  _mm_pause();
#elif defined(__aarch64__)
  __asm__ volatile("isb" ::: "memory");
#endif
}

// Linux at times puts a worker on its caller's core and leaves it there for a tenth of a second and
// more, with another core idle: threads that wake each other every few microseconds look too warm
// to move. 512 x 512 products on two threads then ran at half their speed, in two starts of three.
#if defined(__linux__)
int current_cpu() { return sched_getcpu(); }

// Moves this thread to another core it may use, if there is one, and leaves it free to go on from
// there. Not more often than it makes sense where all cores are busy.
void leave_cpu(int cpu) {
  constexpr std::chrono::milliseconds kAgain{5};
  thread_local std::chrono::steady_clock::time_point next{};
  const auto now = std::chrono::steady_clock::now();
  if (now < next) return;
  next = now + kAgain;
  cpu_set_t allowed, others;
  if (cpu < 0 || cpu >= CPU_SETSIZE || sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  others = allowed;
  CPU_CLR(cpu, &others);
  if (CPU_COUNT(&others) == 0 || sched_setaffinity(0, sizeof others, &others) != 0) return;
  sched_setaffinity(0, sizeof allowed, &allowed);
}
#else
int current_cpu() { return -1; }
void leave_cpu(int) {}
#endif

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

// Spins until ready() or for kSpinTime; says whether it became ready. Beyond the first few
// microseconds it offers its core to whoever else wants it: the thread it waits for, if both have
// only one.
template <class Ready>
bool spin_until(Ready ready) {
  const auto begin = std::chrono::steady_clock::now();
  for (;;) {
    for (int i = 0; i < kPausesPerClockRead; ++i) {
      if (ready()) return true;
      pause();
    }
    const auto waited = std::chrono::steady_clock::now() - begin;
    if (waited > kSpinTime) return false;
    if (waited > kPatience) std::this_thread::yield();
  }
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
    loop_.claims.store(kStop);
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
  loop_.float_mode = float_mode();
  for (int64_t base = 0; base < count; base += kMaxChunks)
    run_loop(base, std::min(count - base, kMaxChunks), call, fn);
  busy_.store(false, std::memory_order_release);
}

void ThreadPool::run_loop(int64_t base, int64_t count, Call call, void* fn) {
  loop_.call = call;
  loop_.fn = fn;
  loop_.base = base;
  loop_.count = count;
  loop_.cpu = current_cpu();
  loop_.middle = outwards_ ? (count + threads_ - 1) / threads_ : 0;
  outwards_ = !outwards_;
  finished_.store(0, std::memory_order_relaxed);
  // The first chunk is the caller's from the start.
  uint64_t claims = static_cast<uint64_t>(count) - 1;
  // An exchange, not a store: QEMU lets the load in wake() pass a store on ARM (a store-release and
  // a load-acquire become plain moves of x86). It costs x86 the same instruction.
  loop_.claims.exchange(claims);
  const int64_t helpers = static_cast<int64_t>(workers_.size());
  wake(static_cast<int>(count - 1 < helpers ? count - 1 : helpers));
  for (int64_t turn = 0;; ++turn) {
    call(fn, loop_.chunk(turn), 0);
    claims = loop_.claims.load(std::memory_order_relaxed);
    do {
      if (left_of(claims) == 0) return wait_for_workers(back_of(claims));
    } while (!loop_.claims.compare_exchange_weak(claims, claims - 1, std::memory_order_relaxed));
  }
}

// Takes chunks from the back as long as there are some.
void ThreadPool::help(int worker) {
  uint64_t claims = loop_.claims.load(std::memory_order_relaxed);
  while (left_of(claims) != 0) {
    if (!loop_.claims.compare_exchange_weak(claims, claims - 1 + kOneBack)) continue;
    const int64_t chunk = loop_.chunk(loop_.count - 1 - back_of(claims));
    if (float_mode() != loop_.float_mode) set_float_mode(loop_.float_mode);
    if (loop_.cpu >= 0 && loop_.cpu == current_cpu()) leave_cpu(loop_.cpu);
    loop_.call(loop_.fn, chunk, worker);
    // After this the loop may be over.
    finished_.fetch_add(1);
    if (caller_waits_.load()) {
      {
        std::lock_guard<std::mutex> lock(mutex_);
      }
      wake_caller_.notify_one();
    }
    claims = loop_.claims.load(std::memory_order_relaxed);
  }
}

// A worker counts itself into parked_ under the mutex before it looks for work for the last time,
// so reading parked_ == 0 here, after the loop was published, means that nobody can sleep through
// it. Workers that are awake look by themselves.
void ThreadPool::wake(int wanted) {
  const int asleep = parked_.load();
  if (asleep == 0) return;
  wanted -= static_cast<int>(workers_.size()) - asleep;
  if (wanted <= 0) return;
  {
    std::lock_guard<std::mutex> lock(mutex_);
  }
  if (wanted >= asleep) {
    wake_workers_.notify_all();
  } else {
    for (int i = 0; i < wanted; ++i) wake_workers_.notify_one();
  }
}

void ThreadPool::wait_for_workers(uint32_t chunks) {
  const auto ready = [this, chunks] { return finished_.load(std::memory_order_acquire) == chunks; };
  if (ready() || (spin_ && spin_until(ready))) return;
  std::unique_lock<std::mutex> lock(mutex_);
  caller_waits_.exchange(true);  // as above
  wake_caller_.wait(lock, [this, chunks] { return finished_.load() == chunks; });
  caller_waits_.store(false);
}

// Returns false when it is time to end.
bool ThreadPool::wait_for_work() {
  const auto ready = [this] {
    const uint64_t claims = loop_.claims.load();
    return left_of(claims) != 0 || (claims & kStop) != 0;
  };
  if (!spin_ || !spin_until(ready)) {
    std::unique_lock<std::mutex> lock(mutex_);
    parked_.fetch_add(1);
    wake_workers_.wait(lock, ready);
    parked_.fetch_sub(1);
  }
  return (loop_.claims.load() & kStop) == 0;
}

void ThreadPool::work(int worker) {
  while (wait_for_work()) help(worker);
}

}  // namespace myelin
