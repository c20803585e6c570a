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

// Groups of kLanes / 2 blocks worked on side by side: one alone waits for its multiplications. Four
// are the fastest (40 % over one), even with 16 registers.
constexpr int kPhiloxGroups = 4;
constexpr int kPhiloxVectors = 2 * kPhiloxGroups;
constexpr int64_t kPhiloxWords = kPhiloxVectors * kLanes;

// The next kPhiloxWords words, in order. `block` is a multiple of kLanes / 2, so no lane carries
// into the high word.
MYELIN_INLINE void philox_blocks(const PhiloxState& s, uint64_t block, VecI* out) {
  const VecI m0 = broadcast(static_cast<int32_t>(0xd2511f53u));
  const VecI m1 = broadcast(static_cast<int32_t>(0xcd9e8d57u));
  VecI c0[kPhiloxGroups], c1[kPhiloxGroups], c2[kPhiloxGroups], c3[kPhiloxGroups];
  MYELIN_UNROLL
  for (int g = 0; g < kPhiloxGroups; ++g) {
    const uint64_t first = block + static_cast<uint64_t>(g * kLanes / 2);
    c0[g] = broadcast(static_cast<int32_t>(static_cast<uint32_t>(first))) + s.lanes;
    c1[g] = broadcast(static_cast<int32_t>(static_cast<uint32_t>(first >> 32)));
    c2[g] = s.stream;
    c3[g] = s.step;
  }
  MYELIN_UNROLL
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const VecI low = s.keys_low[round], high = s.keys_high[round];
    MYELIN_UNROLL
    for (int g = 0; g < kPhiloxGroups; ++g) {
      const VecI p0 = mul_pairs_u32(c0[g], m0), p1 = mul_pairs_u32(c2[g], m1);
      c0[g] = high_words(p1) ^ (c1[g] ^ low);
      c1[g] = p1;
      c2[g] = high_words(p0) ^ (c3[g] ^ high);
      c3[g] = p0;
    }
  }
  MYELIN_UNROLL
  for (int g = 0; g < kPhiloxGroups; ++g) {
    out[2 * g] = join_words(c0[g], c1[g]);
    out[2 * g + 1] = join_words(c2[g], c3[g]);
    zip_pairs(out[2 * g], out[2 * g + 1]);
  }
}

void random_bits(uint32_t key_low, uint32_t key_high, uint32_t stream, uint32_t step,
                 int64_t first_block, int64_t n, int32_t* out) {
  const PhiloxState state = philox_state(key_low, key_high, stream, step);
  for (int64_t i = 0; i < n; i += kPhiloxWords) {
    VecI words[kPhiloxVectors];
    philox_blocks(state, static_cast<uint64_t>(first_block + i / 4), words);
    MYELIN_UNROLL
    for (int k = 0; k < kPhiloxVectors; ++k) {
      const int64_t left = n - i - k * kLanes;
      if (left >= kLanes) {
        store(out + i + k * kLanes, words[k]);
      } else if (left > 0) {
        store_partial(out + i + k * kLanes, words[k], left);
      }
    }
  }
}

void random_mask(uint32_t key_low, uint32_t key_high, uint32_t stream, uint32_t step,
                 int64_t first_block, int64_t n, int32_t threshold, uint8_t* out) {
  const PhiloxState state = philox_state(key_low, key_high, stream, step);
  const VecI below = broadcast(threshold - 1), one = broadcast(1), none = zero_i();
  for (int64_t i = 0; i < n; i += kPhiloxWords) {
    VecI words[kPhiloxVectors];
    philox_blocks(state, static_cast<uint64_t>(first_block + i / 4), words);
    MYELIN_UNROLL
    for (int k = 0; k < kPhiloxVectors; ++k) {
      const int64_t left = n - i - k * kLanes;
      const VecI kept = select(shr<8>(words[k]) > below, one, none);
      if (left >= kLanes) {
        store_u8(out + i + k * kLanes, kept);
      } else if (left > 0) {
        store_u8_partial(out + i + k * kLanes, kept, left);
      }
    }
  }
}

}  // namespace
}  // namespace myelin::MYELIN_LEVEL
