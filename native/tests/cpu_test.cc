// CPU levels and names; the numbers depend on the machine, so only their consistency is checked.
#include "../cpu.h"

#include <cstring>

#include "test.h"

using namespace myelin;

TEST(cpu_level_names) {
  for (const CpuLevel level : kAllCpuLevels) {
    CpuLevel parsed = CpuLevel::portable;
    CHECK(parse_level(level_name(level), &parsed));
    CHECK(parsed == level);
  }
  CpuLevel untouched = CpuLevel::avx2;
  for (const char* name : {"", "AVX2", "avx", "avx5122", "sse2"}) {
    CHECK(!parse_level(name, &untouched));
  }
  CHECK(untouched == CpuLevel::avx2);
}

TEST(cpu_detection_is_consistent) {
  CHECK(supported(CpuLevel::portable) != supported(CpuLevel::neon));
  CHECK(supported(detect_best()));
  if (supported(CpuLevel::avx512)) CHECK(supported(CpuLevel::avx2));
  CHECK(!(supported(CpuLevel::avx2) && supported(CpuLevel::neon)));
  CHECK(usable_cores() >= 1);
}

TEST(cpu_tables) {
  for (const CpuLevel level : kAllCpuLevels) {
    const KernelTable* table = kernel_table(level);
    if (supported(level)) CHECK(table != nullptr);
    if (table == nullptr) continue;
    CHECK(std::strcmp(table->level, level_name(level)) == 0);
    CHECK(table->lanes >= 4);
  }
}
