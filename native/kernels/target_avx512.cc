// The avx512 level of every kernel. Its code runs only after cpu.h has said that the CPU has the
// level.
#include "kernels.h"

#if defined(MYELIN_HAS_AVX512)
#include "simd/avx512.h"
#include "all.inl.h"
#include "simd/close.h"
namespace myelin {
extern const KernelTable k_avx512_table;
const KernelTable k_avx512_table = avx512::kTable;
}  // namespace myelin
#endif
