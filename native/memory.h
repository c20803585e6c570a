// Aligned memory that reports failure instead of throwing from deep inside, and the FIFO table of
// handles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <utility>
#include <vector>

namespace myelin {

// One cache line, one AVX-512 vector; ALIGNMENT in src/program/program.ts.
constexpr size_t kAlignment = 64;

// Owns zeroed memory aligned to kAlignment (large blocks to huge pages where the system has them on
// demand).
class Block {
 public:
  Block() = default;
  Block(Block&& other) noexcept { swap(other); }
  Block& operator=(Block&& other) noexcept {
    swap(other);
    return *this;
  }
  ~Block();

  // An empty block when the system has not enough; see valid().
  static Block make(size_t bytes);

  bool valid() const { return data_ != nullptr; }
  std::byte* data() const { return data_; }
  size_t size() const { return size_; }

 private:
  void swap(Block& other) {
    std::swap(data_, other.data_);
    std::swap(start_, other.start_);
    std::swap(size_, other.size_);
  }

  std::byte* data_ = nullptr;
  void* start_ = nullptr;  // what the allocator gave
  size_t size_ = 0;
};

// Ids for objects owned elsewhere: 20 bits of index, 12 of generation, so that an id outlives its
// object as an error and not as another object. Free places are used again in turn, which keeps
// generations from wrapping soon. Never 0.
template <typename T>
class HandleTable {
 public:
  // 0 when a million objects are alive.
  uint32_t add(T* value) {
    uint32_t index;
    // A short queue of free places would hand out the same few indices over and over.
    if (free_.size() > kMinFree || (places_.size() > kIndexMask && !free_.empty())) {
      index = free_.front();
      free_.pop_front();
    } else {
      if (places_.size() > kIndexMask) return 0;
      index = static_cast<uint32_t>(places_.size());
      places_.push_back({});
    }
    places_[index].value = value;
    ++live_;
    return index | (places_[index].generation << kIndexBits);
  }

  // nullptr for an id that was never given or whose object is gone.
  T* find(uint32_t id) const {
    const uint32_t index = id & kIndexMask;
    if (index >= places_.size()) return nullptr;
    const Place& place = places_[index];
    return place.generation == id >> kIndexBits ? place.value : nullptr;
  }

  T* remove(uint32_t id) {
    T* value = find(id);
    if (value == nullptr) return nullptr;
    Place& place = places_[id & kIndexMask];
    place.value = nullptr;
    place.generation = place.generation == kLastGeneration ? 1 : place.generation + 1;
    free_.push_back(id & kIndexMask);
    --live_;
    return value;
  }

  size_t live() const { return live_; }

  template <typename F>
  void each(F&& visit) const {
    for (const Place& place : places_) {
      if (place.value != nullptr) visit(*place.value);
    }
  }

 private:
  static constexpr uint32_t kIndexBits = 20;
  static constexpr uint32_t kIndexMask = (1u << kIndexBits) - 1;
  static constexpr uint32_t kLastGeneration = (1u << (32 - kIndexBits)) - 1;
  static constexpr size_t kMinFree = 64;

  struct Place {
    T* value = nullptr;
    uint32_t generation = 1;
  };
  std::vector<Place> places_;
  std::deque<uint32_t> free_;
  size_t live_ = 0;
};

}  // namespace myelin
