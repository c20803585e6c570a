// The clocks of the benchmarks, in seconds.
#ifndef MYELIN_BENCH_STOPWATCH_H_
#define MYELIN_BENCH_STOPWATCH_H_

#include <chrono>
#include <ctime>

namespace myelin {

inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Time for a measurement: on one thread its own processor time, which leaves out what neighbours
// take away (though not the caches they empty); on several threads there is only the clock on the
// wall.
inline double stopwatch(int threads) {
#if defined(CLOCK_THREAD_CPUTIME_ID)
  timespec t;
  if (threads == 1 && clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) == 0) {
    return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
  }
#endif
  (void)threads;
  return now();
}

}  // namespace myelin

#endif  // MYELIN_BENCH_STOPWATCH_H_
