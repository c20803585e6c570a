// Memory a run needs only while it runs: arena, workspace and the operands' addresses. Blocks are
// shared by all Programs of an engine and used again; there are as many as there were runs at once.
#pragma once

#include <cstddef>
#include <memory>
#include <mutex>
#include <vector>

#include "memory.h"

namespace myelin {

struct Scratch {
  Block memory;
  std::vector<void*> pointers;
};

class ScratchPool {
 public:
  // At least `bytes` of memory and `pointers` pointers, contents undefined; null when there is not
  // enough.
  Scratch* acquire(size_t bytes, size_t pointers);
  void release(Scratch* scratch);
  // Frees idle blocks that are larger than anything still loaded needs.
  void trim(size_t largest);
  size_t bytes() const;

 private:
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<Scratch>> all_;
  std::vector<Scratch*> idle_;
  size_t bytes_ = 0;
};

}  // namespace myelin
