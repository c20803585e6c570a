// Contracts of the random bits: Philox4x32-10 (Salmon et al., SC 2011), as src/core/random.ts
// defines it.
#ifndef MYELIN_KERNELS_RANDOM_H_
#define MYELIN_KERNELS_RANDOM_H_

#include <cstdint>

namespace myelin {

// Block b is four words; words 4 * b .. 4 * b + 3 of the sequence. Its counter is (b low, b high,
// stream, step). Writes n words from block first_block on, which must be a multiple of 16; n may
// end inside a block.
using RandomBits = void(uint32_t key_low, uint32_t key_high, uint32_t stream, uint32_t step,
                        int64_t first_block, int64_t n, int32_t* out);

// The same words, as 1 where the upper 24 bits are at least `threshold`, 0 elsewhere.
using RandomMask = void(uint32_t key_low, uint32_t key_high, uint32_t stream, uint32_t step,
                        int64_t first_block, int64_t n, int32_t threshold, uint8_t* out);

}  // namespace myelin

#endif  // MYELIN_KERNELS_RANDOM_H_
