// The portable level of every kernel, which always exists, and the choice among the levels' tables.
#include "kernels.h"

#include "simd/portable.h"
#include "all.inl.h"
#include "simd/close.h"

namespace myelin {

#if defined(__x86_64__) || defined(_M_X64)
extern const KernelTable k_avx2_table;
extern const KernelTable k_avx512_table;
#elif defined(__aarch64__) || defined(_M_ARM64)
extern const KernelTable k_neon_table;
#endif

const KernelTable* kernel_table(CpuLevel level) {
  switch (level) {
    case CpuLevel::portable:
      return &portable::kTable;
#if defined(__x86_64__) || defined(_M_X64)
    case CpuLevel::avx2:
      return &k_avx2_table;
    case CpuLevel::avx512:
      return &k_avx512_table;
#elif defined(__aarch64__) || defined(_M_ARM64)
    case CpuLevel::neon:
      return &k_neon_table;
#endif
    default:
      return nullptr;
  }
}

}  // namespace myelin
