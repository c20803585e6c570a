// Philox4x32-10, one block in each pair of lanes; contracts in random.h. A round needs both halves
// of two products: multiplied pair by pair they come as one, and what stands in the other lanes of
// the pairs meanwhile does no harm.

namespace myelin::MYELIN_LEVEL {
namespace {

constexpr int kPhiloxRounds = 10;

struct PhiloxState {
  VecI keys_low[kPhiloxRounds], keys_high[kPhiloxRounds];
  VecI stream, step;
  VecI lanes;  // the block of each pair, counted from the group's first
};

MYELIN_INLINE PhiloxState philox_state(uint32_t low, uint32_t high, uint32_t stream,
                                       uint32_t step) {
  PhiloxState state;
  for (int i = 0; i < kPhiloxRounds; ++i) {
    state.keys_low[i] = broadcast(static_cast<int32_t>(low));
    state.keys_high[i] = broadcast(static_cast<int32_t>(high));
    low += 0x9e3779b9u;
    high += 0xbb67ae85u;
  }
  state.stream = broadcast(static_cast<int32_t>(stream));
  state.step = broadcast(static_cast<int32_t>(step));
  // zip_pairs puts the first pair of each four lanes into the first vector, the second into the
  // second.
  int32_t order[kLanes] = {};
  for (int pair = 0; pair < kLanes / 2; ++pair)
    order[2 * pair] = pair % 2 * (kLanes / 4) + pair / 2;
  state.lanes = load(order);
  return state;
}

// The words of kLanes / 2 blocks, two vectors in order. `block` is a multiple of kLanes / 2, so no
// lane carries into the high word.
MYELIN_INLINE void philox_blocks(const PhiloxState& s, uint64_t block, VecI& first, VecI& second) {
  const VecI m0 = broadcast(static_cast<int32_t>(0xd2511f53u));
  const VecI m1 = broadcast(static_cast<int32_t>(0xcd9e8d57u));
  VecI c0 = broadcast(static_cast<int32_t>(static_cast<uint32_t>(block))) + s.lanes;
  VecI c1 = broadcast(static_cast<int32_t>(static_cast<uint32_t>(block >> 32)));
  VecI c2 = s.stream, c3 = s.step;
  MYELIN_UNROLL
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const VecI p0 = mul_pairs_u32(c0, m0), p1 = mul_pairs_u32(c2, m1);
    c0 = high_words(p1) ^ c1 ^ s.keys_low[round];
    c1 = p1;
    c2 = high_words(p0) ^ c3 ^ s.keys_high[round];
    c3 = p0;
  }
  first = join_words(c0, c1);
  second = join_words(c2, c3);
  zip_pairs(first, second);
}

void random_bits(uint32_t key_low, uint32_t key_high, uint32_t stream, uint32_t step,
                 int64_t first_block, int64_t n, int32_t* out) {
  constexpr int64_t kWords = 2 * kLanes;
  const PhiloxState state = philox_state(key_low, key_high, stream, step);
  for (int64_t i = 0; i < n; i += kWords) {
    VecI a, b;
    philox_blocks(state, static_cast<uint64_t>(first_block + i / 4), a, b);
    if (n - i >= kWords) {
      store(out + i, a);
      store(out + i + kLanes, b);
    } else {
      const int64_t left = n - i;
      store_partial(out + i, a, left < kLanes ? left : kLanes);
      if (left > kLanes) store_partial(out + i + kLanes, b, left - kLanes);
    }
  }
}

void random_mask(uint32_t key_low, uint32_t key_high, uint32_t stream, uint32_t step,
                 int64_t first_block, int64_t n, int32_t threshold, uint8_t* out) {
  constexpr int64_t kWords = 2 * kLanes;
  const PhiloxState state = philox_state(key_low, key_high, stream, step);
  const VecI below = broadcast(threshold - 1), one = broadcast(1), none = zero_i();
  for (int64_t i = 0; i < n; i += kWords) {
    VecI a, b;
    philox_blocks(state, static_cast<uint64_t>(first_block + i / 4), a, b);
    a = select(shr<8>(a) > below, one, none);
    b = select(shr<8>(b) > below, one, none);
    if (n - i >= kWords) {
      store_u8(out + i, a);
      store_u8(out + i + kLanes, b);
    } else {
      const int64_t left = n - i;
      store_u8_partial(out + i, a, left < kLanes ? left : kLanes);
      if (left > kLanes) store_u8_partial(out + i + kLanes, b, left - kLanes);
    }
  }
}

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
