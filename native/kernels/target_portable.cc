// The portable level of every kernel, and the choice among the levels' tables.
#include "kernels.h"

#if defined(MYELIN_HAS_PORTABLE)
#include "simd/portable.h"
#include "all.inl.h"
#include "simd/close.h"
#endif

namespace myelin {

#if defined(MYELIN_HAS_AVX2)
extern const KernelTable k_avx2_table;
#endif
#if defined(MYELIN_HAS_AVX512)
extern const KernelTable k_avx512_table;
#endif
#if defined(MYELIN_HAS_NEON)
extern const KernelTable k_neon_table;
#endif

const KernelTable* kernel_table(CpuLevel level) {
  switch (level) {
#if defined(MYELIN_HAS_PORTABLE)
    case CpuLevel::portable:
      return &portable::kTable;
#endif
#if defined(MYELIN_HAS_AVX2)
    case CpuLevel::avx2:
      return &k_avx2_table;
#endif
#if defined(MYELIN_HAS_AVX512)
    case CpuLevel::avx512:
      return &k_avx512_table;
#endif
#if defined(MYELIN_HAS_NEON)
    case CpuLevel::neon:
      return &k_neon_table;
#endif
    default:
      return nullptr;
  }
}

}  // namespace myelin
