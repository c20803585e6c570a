// The kernel table: one function pointer per line of kernels.inc, filled once per CPU level.
// Kernels have no threads, allocate nothing and never see N-API; callers split the work.
//
// To add a family: its signatures with their contracts (shapes, strides, alignment, aliasing, zero
// sizes, splittable or not) in <family>.h, included below; the code in <family>.inl.h, included in
// all.inl.h; one KERNEL line per function in kernels.inc. Nothing else lists kernels.
//
// Unless a contract says otherwise: pointers need only the alignment of their element, sizes of
// zero do nothing, outputs do not overlap inputs except where both are the very same address.
#ifndef MYELIN_KERNELS_KERNELS_H_
#define MYELIN_KERNELS_KERNELS_H_

#include <cstddef>
#include <cstdint>

#include "../cpu.h"
#include "../opcodes.h"
#include "attention.h"
#include "brgemm.h"
#include "depthwise.h"
#include "elementwise.h"
#include "gemm.h"
#include "move.h"
#include "norm.h"
#include "optimizer.h"
#include "pool.h"
#include "random.h"
#include "recurrence.h"
#include "reduce.h"
#include "resample.h"
#include "softmax.h"
#include "winograd.h"

namespace myelin {

struct KernelTable {
  const char* level;
  int lanes;
  GemmShape gemm_shape;
#define KERNEL(name, Signature) Signature* name;
#include "kernels.inc"
#undef KERNEL
};

// nullptr when the level was not compiled in for this architecture. Does not ask whether this CPU
// has the level: see supported() in cpu.h.
const KernelTable* kernel_table(CpuLevel level);

}  // namespace myelin

#endif  // MYELIN_KERNELS_KERNELS_H_
