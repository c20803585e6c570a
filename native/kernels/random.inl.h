// Philox4x32-10, one block a lane; contract in random.h.

namespace myelin::MYELIN_LEVEL {
namespace {

void random_bits(uint32_t key_low, uint32_t key_high, uint32_t stream, uint32_t step,
                 int64_t first_block, int64_t n, int32_t* out) {
  constexpr int kRounds = 10;
  constexpr int64_t kWords = 4 * kLanes;
  VecI keys_low[kRounds], keys_high[kRounds];
  for (int i = 0; i < kRounds; ++i) {
    keys_low[i] = broadcast(static_cast<int32_t>(key_low));
    keys_high[i] = broadcast(static_cast<int32_t>(key_high));
    key_low += 0x9e3779b9u;
    key_high += 0xbb67ae85u;
  }
  const VecI m0 = broadcast(static_cast<int32_t>(0xd2511f53u));
  const VecI m1 = broadcast(static_cast<int32_t>(0xcd9e8d57u));
  // Lane 4 * l + j holds block j * kLanes / 4 + l: after the transpose, vector j then holds whole
  // blocks in order.
  int32_t order[kLanes];
  for (int i = 0; i < kLanes; ++i) order[i] = i % 4 * (kLanes / 4) + i / 4;
  const VecI lanes = load(order);
  for (int64_t i = 0; i < n; i += kWords) {
    // The first block of a group is a multiple of kLanes, so no lane carries into the high word.
    const uint64_t block = static_cast<uint64_t>(first_block) + static_cast<uint64_t>(i) / 4;
    VecI c0 = broadcast(static_cast<int32_t>(static_cast<uint32_t>(block))) + lanes;
    VecI c1 = broadcast(static_cast<int32_t>(static_cast<uint32_t>(block >> 32)));
    VecI c2 = broadcast(static_cast<int32_t>(stream));
    VecI c3 = broadcast(static_cast<int32_t>(step));
    MYELIN_UNROLL
    for (int round = 0; round < kRounds; ++round) {
      const VecI high0 = mulhi_u32(c0, m0), low0 = c0 * m0;
      const VecI high1 = mulhi_u32(c2, m1), low1 = c2 * m1;
      c0 = high1 ^ c1 ^ keys_low[round];
      c1 = low1;
      c2 = high0 ^ c3 ^ keys_high[round];
      c3 = low0;
    }
    Vec v[4] = {as_float(c0), as_float(c1), as_float(c2), as_float(c3)};
    transpose_blocks(v[0], v[1], v[2], v[3]);
    if (n - i >= kWords) {
      MYELIN_UNROLL
      for (int j = 0; j < 4; ++j) store(out + i + j * kLanes, as_int(v[j]));
    } else {
      for (int64_t j = 0; j < 4 && n - i > j * kLanes; ++j) {
        const int64_t m = n - i - j * kLanes;
        store_partial(out + i + j * kLanes, as_int(v[j]), m < kLanes ? m : kLanes);
      }
    }
  }
}

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
