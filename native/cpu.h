// What this machine can do: its CPU level and how many cores this process may really use.
#ifndef MYELIN_CPU_H_
#define MYELIN_CPU_H_

// The levels that are compiled in. Every ARM of 64 bits has NEON, so that portable code is for x86
// from before 2013 and for other architectures. Of Macs with Intel few had AVX-512, and compilers
// for them disagree on how to ask for it.
#if defined(__aarch64__) || defined(_M_ARM64)
#define MYELIN_HAS_NEON 1
#else
#define MYELIN_HAS_PORTABLE 1
#if defined(__x86_64__) || defined(_M_X64)
#define MYELIN_HAS_AVX2 1
#if !defined(__APPLE__)
#define MYELIN_HAS_AVX512 1
#endif
#endif
#endif

namespace myelin {

// Ordered from the least to the most demanding within one architecture.
enum class CpuLevel { portable, avx2, avx512, neon };
inline constexpr CpuLevel kAllCpuLevels[] = {CpuLevel::portable, CpuLevel::avx2, CpuLevel::avx512,
                                             CpuLevel::neon};

// Both CPU and operating system (saved registers) have what the level's kernels use.
bool supported(CpuLevel level);
CpuLevel detect_best();

const char* level_name(CpuLevel level);
// "portable", "avx2", "avx512" or "neon"; false for anything else, with *level untouched.
bool parse_level(const char* name, CpuLevel* level);

// Cores for compute threads: hardware threads, cut by the affinity mask and by the container's CPU
// quota (cgroup v1 or v2, whole cores), at least 1. Reads the system anew on each call.
int usable_cores();

}  // namespace myelin

#endif  // MYELIN_CPU_H_
