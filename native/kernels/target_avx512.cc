// The avx512 level of every kernel. Its code runs only after cpu.h has said that the CPU has the
// level.
#include "kernels.h"

#if defined(__x86_64__) || defined(_M_X64)
#include "simd/avx512.h"
#include "all.inl.h"
#include "simd/close.h"
namespace myelin {
extern const KernelTable k_avx512_table;
const KernelTable k_avx512_table = avx512::kTable;
}  // namespace myelin
#endif
