// calloc is the one allocator that knows which fresh pages are zero already, so large buffers cost
// nothing until used.
#include "memory.h"

#include <cstdlib>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace myelin {
namespace {

// From this size on a block starts at a huge page and asks for them: weights and optimizer slots
// are walked end to end.
constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kHugeFrom = size_t{4} << 20;

}  // namespace

Block Block::make(size_t bytes) {
  Block block;
  const size_t alignment = bytes >= kHugeFrom ? kHugePage : kAlignment;
  const size_t padded = bytes + alignment + kAlignment;  // never empty
  if (padded < bytes) return block;
  block.start_ = std::calloc(padded, 1);
  if (block.start_ == nullptr) return block;
  const uintptr_t start = reinterpret_cast<uintptr_t>(block.start_);
  block.data_ = reinterpret_cast<std::byte*>((start + alignment - 1) & ~uintptr_t{alignment - 1});
  block.size_ = bytes;
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  if (alignment == kHugePage) madvise(block.data_, bytes & ~(kHugePage - 1), MADV_HUGEPAGE);
#endif
  return block;
}

Block::~Block() { std::free(start_); }

}  // namespace myelin
