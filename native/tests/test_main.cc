// Runs the registered tests: all of them, or those whose name contains the first argument.
#include <chrono>
#include <cstdarg>
#include <cstdlib>
#include <cstring>

#include "test.h"

namespace myelin::test {

State& state() {
  static State s;
  return s;
}

void fail(const char* file, int line, const char* format, ...) {
  constexpr int kShown = 10;
  if (++state().failures > kShown) return;
  std::fprintf(stderr, "  %s:%d: ", file, line);
  va_list args;
  va_start(args, format);
  std::vfprintf(stderr, format, args);
  va_end(args);
  std::fputc('\n', stderr);
}

std::vector<const KernelTable*> levels() {
  const char* wanted = std::getenv("MYELIN_TARGET");
  std::vector<const KernelTable*> result;
  for (const CpuLevel level : kAllCpuLevels) {
    const KernelTable* table = kernel_table(level);
    if (table == nullptr || !supported(level)) continue;
    if (wanted != nullptr && *wanted != '\0' && std::strcmp(wanted, table->level) != 0) continue;
    result.push_back(table);
  }
  return result;
}

}  // namespace myelin::test

int main(int argc, char** argv) {
  using namespace myelin::test;
  if (levels().empty()) {
    std::fprintf(stderr, "MYELIN_TARGET names no level that this CPU has\n");
    return 2;
  }
  int ran = 0, failed = 0;
  for (Case* test = state().first; test != nullptr; test = test->next) {
    if (argc > 1 && std::strstr(test->name, argv[1]) == nullptr) continue;
    state().failures = 0;
    const auto start = std::chrono::steady_clock::now();
    test->run();
    const std::chrono::duration<double, std::milli> time = std::chrono::steady_clock::now() - start;
    ++ran;
    failed += state().failures > 0;
    if (state().failures > 0) {
      std::printf("FAIL %s (%d checks)\n", test->name, state().failures);
    } else {
      std::printf("ok   %s (%.0f ms)\n", test->name, time.count());
    }
    std::fflush(stdout);
  }
  std::printf("%d tests, %d failed\n", ran, failed);
  return failed > 0 || ran == 0;
}
