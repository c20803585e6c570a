// The neon level of every kernel, on 64-bit ARM.
#include "kernels.h"

#if defined(__aarch64__) || defined(_M_ARM64)
#include "simd/neon.h"
#include "all.inl.h"
#include "simd/close.h"
namespace myelin {
extern const KernelTable k_neon_table;
const KernelTable k_neon_table = neon::kTable;
}  // namespace myelin
#endif
