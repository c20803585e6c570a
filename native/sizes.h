// Division of sizes, and multiples of them.
#ifndef MYELIN_SIZES_H_
#define MYELIN_SIZES_H_

#include <cstdint>

namespace myelin {

inline int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }
inline int64_t round_up(int64_t a, int64_t b) { return ceil_div(a, b) * b; }

}  // namespace myelin

#endif  // MYELIN_SIZES_H_
