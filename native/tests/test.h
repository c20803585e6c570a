// A tiny test harness: TEST(name) { ... } registers a function, CHECK macros record failures and go
// on. MYELIN_TARGET limits level-dependent tests to one CPU level.
#ifndef MYELIN_TESTS_TEST_H_
#define MYELIN_TESTS_TEST_H_

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <vector>

#include "../kernels/kernels.h"

namespace myelin::test {

struct Case {
  const char* name;
  void (*run)();
  Case* next;
};

struct State {
  Case* first = nullptr;
  Case** last = &first;
  int failures = 0;  // of the running case
};
State& state();

struct Register {
  Case entry;
  Register(const char* name, void (*run)()) : entry{name, run, nullptr} {
    *state().last = &entry;
    state().last = &entry.next;
  }
};

// Prints the first few failures of a case in full. Not for use from several threads at once.
void fail(const char* file, int line, const char* format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

// Levels that were compiled in, that this CPU has, and that MYELIN_TARGET allows.
std::vector<const KernelTable*> levels();

// Deterministic noise in [-1, 1); a counter hash, so that any index can be asked for.
inline float noise(uint64_t seed, uint64_t index) {
  uint64_t x = seed * 0x9e3779b97f4a7c15u + index + 1;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  x ^= x >> 31;
  return static_cast<float>(static_cast<int32_t>(x >> 40) - (1 << 23)) / float(1 << 23);
}
inline void fill_noise(std::vector<float>& v, uint64_t seed) {
  for (size_t i = 0; i < v.size(); ++i) v[i] = noise(seed, i);
}

}  // namespace myelin::test

#define TEST(name)                                                     \
  static void test_##name();                                           \
  static ::myelin::test::Register register_##name(#name, test_##name); \
  static void test_##name()

#define CHECK(condition)                                                          \
  do {                                                                            \
    if (!(condition)) ::myelin::test::fail(__FILE__, __LINE__, "%s", #condition); \
  } while (0)

#define CHECK_EQ(a, b)                                                                  \
  do {                                                                                  \
    const auto check_a = (a);                                                           \
    const auto check_b = (b);                                                           \
    if (!(check_a == check_b))                                                          \
      ::myelin::test::fail(__FILE__, __LINE__, "%s == %s: %.9g, %.9g", #a, #b,          \
                           static_cast<double>(check_a), static_cast<double>(check_b)); \
  } while (0)

#define CHECK_NEAR(a, b, tolerance)                                                            \
  do {                                                                                         \
    const double check_a = (a), check_b = (b), check_t = (tolerance);                          \
    if (!(std::fabs(check_a - check_b) <= check_t))                                            \
      ::myelin::test::fail(__FILE__, __LINE__, "%s near %s: %.9g, %.9g, allowed %.3g", #a, #b, \
                           check_a, check_b, check_t);                                         \
  } while (0)

#endif  // MYELIN_TESTS_TEST_H_
