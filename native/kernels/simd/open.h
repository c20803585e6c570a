// Shared beginnings of every simd/<level>.h: attribute macros only. No include guard is needed
// beyond the macros' own; the level headers may be included one after another in one file (tests).
#ifndef MYELIN_SIMD_OPEN_H_
#define MYELIN_SIMD_OPEN_H_

#include <cstddef>
#include <cstdint>

#if defined(__GNUC__) || defined(__clang__)
#define MYELIN_INLINE inline __attribute__((always_inline))
#define MYELIN_NOINLINE __attribute__((noinline))
#define MYELIN_RESTRICT __restrict__
#else
#error "myelin's kernels need GCC or clang (clang-cl on Windows)"
#endif

// Full unrolling keeps register arrays in registers; without it GCC copies them through the stack.
#if defined(__clang__)
#define MYELIN_UNROLL _Pragma("clang loop unroll(full)")
#else
#define MYELIN_UNROLL _Pragma("GCC unroll 64")
#endif

#if defined(__x86_64__) || defined(_M_X64)
// GCC 12's own AVX-512 intrinsics start from an uninitialised value on purpose and warn about it.
#if !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif
#include <immintrin.h>
#if !defined(__clang__)
#pragma GCC diagnostic pop
#endif
#endif

#endif  // MYELIN_SIMD_OPEN_H_

// Contraction: fuse only where fma() is written. GCC has no usable pragma for it, so the build
// passes -ffp-contract=off for the whole addon; clang obeys this one at file scope as well.
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif
