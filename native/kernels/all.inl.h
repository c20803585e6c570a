// Every kernel family, compiled once per CPU level by target_<level>.cc, and the level's table.
// Each family file opens namespace myelin::MYELIN_LEVEL and an unnamed namespace inside it.

#include "wide.inl.h"
#include "math.inl.h"  // what the others compute with

#include "depthwise.inl.h"
#include "elementwise.inl.h"
#include "gemm.inl.h"
#include "gemm_pack.inl.h"
#include "brgemm.inl.h"  // after gemm: shares its tile sizes
#include "move.inl.h"
#include "pool.inl.h"
#include "pool_grad.inl.h"  // after pool: shares its windows
#include "random.inl.h"
#include "reduce.inl.h"
#include "resample.inl.h"
#include "softmax.inl.h"
#include "attention.inl.h"  // after softmax: shares its rows
#include "winograd.inl.h"
#include "norm_columns.inl.h"  // these after softmax and reduce: they share their partial rows and sums
#include "norm_rows.inl.h"
#include "optimizer.inl.h"   // after softmax: shares its partial stores
#include "recurrence.inl.h"  // after softmax, too

namespace myelin::MYELIN_LEVEL {
namespace {

constexpr KernelTable kTable = {
    MYELIN_LEVEL_NAME,
    kLanes,
    {kTileRows, kTileVectors * kLanes},
#define KERNEL(name, Signature) &name,
#include "kernels.inc"
#undef KERNEL
};

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
