// The avx2 level of every kernel. Its code runs only after cpu.h has said that the CPU has the
// level.
#include "kernels.h"

#if defined(MYELIN_HAS_AVX2)
#include "simd/avx2.h"
#include "all.inl.h"
#include "simd/close.h"
namespace myelin {
extern const KernelTable k_avx2_table;
const KernelTable k_avx2_table = avx2::kTable;
}  // namespace myelin
#endif
