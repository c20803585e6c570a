// Persistent memory and who is using it.
#pragma once

#include <cstdint>

#include "memory.h"
#include "step.h"

namespace myelin {

struct Buffer {
  DType dtype;
  int64_t elements;
  Block memory;

  size_t bytes() const { return static_cast<size_t>(elements * bytes_of(dtype)); }

  // The owner's thread only: where a lock list being built has this buffer.
  uint64_t listed = 0;
  int32_t listed_at = 0;
  bool disposed = false;
  // Jobs that name it and have not been collected; owner's thread. Memory outlives dispose by them.
  int32_t jobs = 0;

  // Guarded by the run queue's mutex.
  int32_t readers = 0;
  bool writing = false;
  // Which of all the locks for writing was the last this buffer had; 0 for none. Tells contents
  // apart, across buffers too (all that were never written hold zeros). Holders of a lock may read
  // it without the mutex: nobody changes it meanwhile.
  uint64_t written = 0;
  // The pass of the queue in which a waiting job asked for it.
  uint64_t read_wanted = 0;
  uint64_t write_wanted = 0;
};

struct BufferLock {
  Buffer* buffer;
  bool write;
};

}  // namespace myelin
