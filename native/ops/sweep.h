// One pass over many tensors: cut into pieces by their sizes alone, small tensors sharing a chunk.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "../thread_pool.h"

namespace myelin {

struct Piece {
  int32_t tensor;
  int64_t begin, count;
};

class Sweep {
 public:
  explicit Sweep(const std::vector<int64_t>& sizes) {
    int64_t room = 0;
    for (size_t t = 0; t < sizes.size(); ++t) {
      for (int64_t begin = 0; begin < sizes[t];) {
        if (room < kSmallest) {
          starts_.push_back(pieces_.size());
          room = kGrain;
        }
        const int64_t count = std::min(room, sizes[t] - begin);
        pieces_.push_back({static_cast<int32_t>(t), begin, count});
        begin += count;
        room -= count;
      }
    }
    starts_.push_back(pieces_.size());
  }

  // In the order of the tensors.
  const std::vector<Piece>& pieces() const { return pieces_; }

  template <class F>
  void each(ThreadPool& pool, const F& f) const {
    pool.parallel_for(static_cast<int64_t>(starts_.size()) - 1, [&](int64_t chunk, int) {
      const auto c = static_cast<size_t>(chunk);
      for (size_t p = starts_[c]; p < starts_[c + 1]; ++p) f(pieces_[p]);
    });
  }

 private:
  // Elements one thread takes at a time; at 7 streams of 4 bytes this is some 0.4 MB of traffic.
  static constexpr int64_t kGrain = 16384;
  static constexpr int64_t kSmallest = 1024;  // a piece is not worth starting for less
  std::vector<Piece> pieces_;
  std::vector<size_t> starts_;
};

}  // namespace myelin
