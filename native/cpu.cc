// CPU detection without compiler run-time support: cpuid and xgetbv by hand (__builtin_cpu_supports
// needs a symbol that not every toolchain links), and the operating system's view of usable cores.
#include "cpu.h"

#include <cstdint>
#include <cstdio>
#include <cstring>
#include <thread>

#if defined(__x86_64__) || defined(_M_X64)
#define MYELIN_X86 1
#if defined(_MSC_VER) && !defined(__clang__)
#include <intrin.h>
#else
#include <cpuid.h>
#endif
#endif

#if defined(__linux__)
#include <sched.h>
#elif defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#include <windows.h>
#elif defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace myelin {
namespace {

#if defined(MYELIN_X86)
struct Registers {
  uint32_t a = 0, b = 0, c = 0, d = 0;
};

Registers cpuid(uint32_t leaf, uint32_t subleaf) {
  Registers r;
#if defined(_MSC_VER) && !defined(__clang__)
  int out[4];
  __cpuidex(out, static_cast<int>(leaf), static_cast<int>(subleaf));
  r = {uint32_t(out[0]), uint32_t(out[1]), uint32_t(out[2]), uint32_t(out[3])};
#else
  __cpuid_count(leaf, subleaf, r.a, r.b, r.c, r.d);
#endif
  return r;
}

uint64_t xgetbv() {
#if defined(_MSC_VER) && !defined(__clang__)
  return _xgetbv(0);
#else
  uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (uint64_t{high} << 32) | low;
#endif
}

bool bit(uint32_t word, int index) { return (word >> index) & 1; }

CpuLevel detect_x86() {
  if (cpuid(0, 0).a < 7) return CpuLevel::portable;
  const Registers one = cpuid(1, 0), seven = cpuid(7, 0);
  const bool fma = bit(one.c, 12), osxsave = bit(one.c, 27), avx = bit(one.c, 28);
  if (!osxsave || !avx || !fma || !bit(seven.b, 5)) return CpuLevel::portable;
  const uint64_t saved = xgetbv();
  if ((saved & 0x06) != 0x06) return CpuLevel::portable;  // xmm and ymm
#if defined(MYELIN_HAS_AVX512)
  const bool f = bit(seven.b, 16), dq = bit(seven.b, 17), bw = bit(seven.b, 30);
  const bool vl = bit(seven.b, 31);
  const bool zmm = (saved & 0xe0) == 0xe0;  // opmask, both zmm halves
  if (f && dq && bw && vl && zmm) return CpuLevel::avx512;
#endif
  return CpuLevel::avx2;
}
#endif

#if defined(__linux__)
// Reads up to two integers of a small file; "max" counts as -1. Returns how many were read.
int read_numbers(const char* path, long long* first, long long* second) {
  std::FILE* file = std::fopen(path, "r");
  if (file == nullptr) return 0;
  char text[128] = {};
  const size_t length = std::fread(text, 1, sizeof text - 1, file);
  std::fclose(file);
  if (length == 0) return 0;
  if (std::strncmp(text, "max", 3) == 0) {
    *first = -1;
    return std::sscanf(text + 3, "%lld", second) == 1 ? 2 : 1;
  }
  const int count = std::sscanf(text, "%lld %lld", first, second);
  return count < 0 ? 0 : count;
}

// Whole cores: of one and a half, two threads would use up what they may before the period ends,
// and wait for the next one in the middle of a step.
int cores_of(long long quota, long long period) {
  if (quota <= 0 || period <= 0) return 0;
  return quota < period ? 1 : static_cast<int>(quota / period);
}

void keep_smaller(int* best, int candidate) {
  if (candidate > 0 && (*best == 0 || candidate < *best)) *best = candidate;
}

// The path of this process's cgroup for a controller ("" is version 2), from /proc/self/cgroup.
bool own_cgroup(const char* controller, char* out, size_t size) {
  std::FILE* file = std::fopen("/proc/self/cgroup", "r");
  if (file == nullptr) return false;
  char line[1024];
  bool found = false;
  while (!found && std::fgets(line, sizeof line, file) != nullptr) {
    char* names = std::strchr(line, ':');
    char* path = names == nullptr ? nullptr : std::strchr(names + 1, ':');
    if (path == nullptr) continue;
    *path++ = '\0';
    path[std::strcspn(path, "\n")] = '\0';
    ++names;
    if (*controller == '\0') {
      found = *names == '\0';
    } else {
      for (char* name = names; name != nullptr && !found;) {
        const size_t length = std::strcspn(name, ",");
        found = length == std::strlen(controller) && std::strncmp(name, controller, length) == 0;
        name = name[length] == ',' ? name + length + 1 : nullptr;
      }
    }
    if (found) std::snprintf(out, size, "%s", path);
  }
  std::fclose(file);
  return found;
}

// A limit may sit on any ancestor, so the path is walked up to the root; 0 means no limit. Inside a
// container the path often does not exist below the mount, but the root of the mount is its own
// group.
int cgroup_quota() {
  int best = 0;
  char path[1024], file[1400];
  for (const bool v2 : {true, false}) {
    if (!own_cgroup(v2 ? "" : "cpu", path, sizeof path)) std::strcpy(path, "/");
    const char* base = v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/cpu";
    for (bool more = true; more;) {
      if (std::strcmp(path, "/") == 0) path[0] = '\0';
      long long quota = -1, period = -1, unused = 0;
      if (v2) {
        std::snprintf(file, sizeof file, "%s%s/cpu.max", base, path);
        if (read_numbers(file, &quota, &period) == 2) keep_smaller(&best, cores_of(quota, period));
      } else {
        std::snprintf(file, sizeof file, "%s%s/cpu.cfs_quota_us", base, path);
        const bool has_quota = read_numbers(file, &quota, &unused) >= 1;
        std::snprintf(file, sizeof file, "%s%s/cpu.cfs_period_us", base, path);
        if (has_quota && read_numbers(file, &period, &unused) >= 1) {
          keep_smaller(&best, cores_of(quota, period));
        }
      }
      char* slash = std::strrchr(path, '/');
      more = slash != nullptr;
      if (more) *slash = '\0';
    }
  }
  return best;
}
#endif

}  // namespace

CpuLevel detect_best() {
#if defined(MYELIN_X86)
  static const CpuLevel level = detect_x86();
  return level;
#elif defined(__aarch64__) || defined(_M_ARM64)
  return CpuLevel::neon;
#else
  return CpuLevel::portable;
#endif
}

bool supported(CpuLevel level) {
  const CpuLevel best = detect_best();
  switch (level) {
    case CpuLevel::portable:
      return best != CpuLevel::neon;
    case CpuLevel::avx2:
      return best == CpuLevel::avx2 || best == CpuLevel::avx512;
    case CpuLevel::avx512:
    case CpuLevel::neon:
      return best == level;
  }
  return false;
}

const char* level_name(CpuLevel level) {
  switch (level) {
    case CpuLevel::portable:
      return "portable";
    case CpuLevel::avx2:
      return "avx2";
    case CpuLevel::avx512:
      return "avx512";
    case CpuLevel::neon:
      return "neon";
  }
  return "unknown";
}

bool parse_level(const char* name, CpuLevel* level) {
  for (const CpuLevel candidate : kAllCpuLevels) {
    if (std::strcmp(name, level_name(candidate)) == 0) {
      *level = candidate;
      return true;
    }
  }
  return false;
}

int usable_cores() {
  int cores = static_cast<int>(std::thread::hardware_concurrency());
  if (cores < 1) cores = 1;
#if defined(__linux__)
  // Machines with more than 1024 hardware threads make this call fail; they keep the full count.
  cpu_set_t set;
  CPU_ZERO(&set);
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    const int allowed = CPU_COUNT(&set);
    if (allowed > 0 && allowed < cores) cores = allowed;
  }
  const int quota = cgroup_quota();
  if (quota > 0 && quota < cores) cores = quota;
#elif defined(_WIN32)
  DWORD_PTR process = 0, system = 0;
  if (GetProcessAffinityMask(GetCurrentProcess(), &process, &system)) {
    int allowed = 0;
    for (; process != 0; process &= process - 1) ++allowed;
    if (allowed > 0 && allowed < cores) cores = allowed;
  }
#elif defined(__APPLE__)
  // Efficiency cores would hold the others back at every barrier: count the fast ones only.
  int fast = 0;
  size_t size = sizeof fast;
  if (sysctlbyname("hw.perflevel0.logicalcpu", &fast, &size, nullptr, 0) == 0 && fast > 0 &&
      fast < cores) {
    cores = fast;
  }
#endif
  return cores;
}

}  // namespace myelin
