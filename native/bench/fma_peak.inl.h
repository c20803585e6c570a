// The multiply-add peak of one core at one level: independent chains in registers, no memory.

namespace myelin::MYELIN_LEVEL {
namespace {

MYELIN_NOINLINE float fma_loop(int64_t steps, float x) {
  constexpr int kChains = kVectorRegisters == 32 ? 24 : 12;
  Vec acc[kChains];
  // Different starts, or the compiler folds the chains into one.
  MYELIN_UNROLL for (int i = 0; i < kChains; ++i) acc[i] = broadcast(x * static_cast<float>(i));
  const Vec scale = broadcast(x), shift = broadcast(x * 0.5f);
  for (int64_t p = 0; p < steps; ++p) {
    MYELIN_UNROLL for (int i = 0; i < kChains; ++i) acc[i] = fma(acc[i], scale, shift);
  }
  Vec sum = zero();
  MYELIN_UNROLL for (int i = 0; i < kChains; ++i) sum = sum + acc[i];
  return reduce_add(sum);
}
constexpr double kFlopPerStep = 2.0 * kLanes * (kVectorRegisters == 32 ? 24 : 12);

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
