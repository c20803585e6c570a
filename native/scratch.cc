#include "scratch.h"

#include <algorithm>
#include <new>

namespace myelin {

Scratch* ScratchPool::acquire(size_t bytes, size_t pointers) {
  std::lock_guard guard(mutex_);
  try {
    if (idle_.empty()) {
      idle_.reserve(all_.size() + 1);  // so that release never allocates
      all_.push_back(std::make_unique<Scratch>());
      idle_.push_back(all_.back().get());
    }
    // The smallest block that will do, or the largest to grow: a small run beside a large one
    // leaves it its block.
    const auto better = [bytes](const Scratch* a, const Scratch* b) {
      const size_t x = a->memory.size(), y = b->memory.size();
      return x >= bytes && y >= bytes ? x < y : x > y;
    };
    const auto best = std::min_element(idle_.begin(), idle_.end(), better);
    Scratch* scratch = *best;
    if (scratch->memory.size() < bytes || !scratch->memory.valid()) {
      bytes_ -= scratch->memory.size();
      scratch->memory = Block();  // first, so that both never exist at once
      scratch->memory = Block::make(bytes);
      if (!scratch->memory.valid()) return nullptr;
      bytes_ += bytes;
    }
    if (scratch->pointers.size() < pointers) scratch->pointers.resize(pointers);
    *best = idle_.back();
    idle_.pop_back();
    return scratch;
  } catch (const std::bad_alloc&) {
    return nullptr;
  }
}

void ScratchPool::release(Scratch* scratch) {
  std::lock_guard guard(mutex_);
  idle_.push_back(scratch);
}

void ScratchPool::trim(size_t largest) {
  std::lock_guard guard(mutex_);
  for (Scratch* scratch : idle_) {
    if (scratch->memory.size() <= largest) continue;
    bytes_ -= scratch->memory.size();
    scratch->memory = Block();
  }
}

size_t ScratchPool::bytes() const {
  std::lock_guard guard(mutex_);
  return bytes_;
}

}  // namespace myelin
