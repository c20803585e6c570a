// Published binaries only: what a newer C++ library asks of a newer C library, so that the binary
// runs from glibc 2.28 on. scripts/prebuild.mjs sees to the functions that have an older version
// under the same name.
#ifdef MYELIN_OLD_GLIBC
#include <pthread.h>
#include <time.h>

extern "C" {

/// Since 2.35; -1 says "not found", and the unwinder walks the loaded objects as it did before.
int _dl_find_object(void*, void*) { return -1; }

/// Since 2.32; lets counters do without atomic instructions while there is one thread. There are
/// always more here.
char __libc_single_threaded = 0;

/// Since 2.30. Waits by the wall clock for what is left: a clock that is set meanwhile makes one
/// wait shorter or longer.
int pthread_cond_clockwait(pthread_cond_t* condition, pthread_mutex_t* mutex, clockid_t clock,
                           const struct timespec* until) {
  struct timespec now, wall;
  clock_gettime(clock, &now);
  clock_gettime(CLOCK_REALTIME, &wall);
  constexpr long kSecond = 1000000000;
  wall.tv_sec += until->tv_sec - now.tv_sec;
  wall.tv_nsec += until->tv_nsec - now.tv_nsec;
  if (wall.tv_nsec < 0) {
    wall.tv_nsec += kSecond;
    wall.tv_sec--;
  } else if (wall.tv_nsec >= kSecond) {
    wall.tv_nsec -= kSecond;
    wall.tv_sec++;
  }
  return pthread_cond_timedwait(condition, mutex, &wall);
}
}
#endif
