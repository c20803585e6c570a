#include "step_tuner.h"

#include <algorithm>
#include <limits>

namespace myelin {
namespace {

// Passes before the first trial: caches are cold and memory is new.
constexpr int64_t kFirstTrial = 2;
// Passes of each way, one after the other: data that the way before left in another core's cache
// makes the first slow. The shortest of them counts, so that interruptions do not.
constexpr int kRounds = 4;
// Steps that take longer on the pool gain from it whatever a hand-over costs; running them alone
// for a trial would be felt.
constexpr int64_t kLongStep = 300'000;  // ns
// Passes between two trials: soon again at first, since the first trial may have met bad weather,
// then four times as many each time, up to so much time and no more than one pass in a hundred.
constexpr int64_t kFirstPause = 200;
constexpr int64_t kPause = 500'000'000;  // ns
constexpr int64_t kMinLongPause = 100 * kRounds * 3;
// Another way than the pool must be this much faster: percent.
constexpr int64_t kMargin = 3;

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

int64_t nanoseconds(std::chrono::steady_clock::duration d) {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(d).count();
}

}  // namespace

StepTuner::StepTuner(size_t steps)
    : steps_(steps),
      alone_(new std::atomic<bool>[steps]()),
      short_(steps),
      mixed_(steps),
      until_trial_(kFirstTrial),
      pause_(kFirstPause) {
  for (auto& times : times_) times.assign(steps, kNever);
  std::fill(totals_, totals_ + kWays, kNever);
}

bool StepTuner::pass_alone(size_t step) const {
  return way_ == kPool ? false : way_ == kAlone ? short_[step] : mixed_[step];
}

void StepTuner::begin() { begun_ = last_ = Clock::now(); }

void StepTuner::note(size_t step) {
  const Clock::time_point now = Clock::now();
  if (way_ != kMixed) {
    int64_t& shortest = times_[way_][step];
    shortest = std::min(shortest, nanoseconds(now - last_));
  }
  last_ = now;
}

void StepTuner::end() {
  int64_t& shortest = totals_[way_];
  shortest = std::min(shortest, nanoseconds(last_ - begun_));
  ++pass_;
  if (pass_ == 1) {
    int64_t worth = 0;
    for (size_t i = 0; i < steps_; ++i) {
      short_[i] = times_[kPool][i] < kLongStep;
      if (short_[i]) worth += times_[kPool][i];
    }
    // Nothing to win beside the long steps.
    if (worth * 100 < totals_[kPool] * kMargin) return settle(kPool);
  }
  if (pass_ == 2 * kRounds) choose_mixed();
  if (pass_ < kWays * kRounds) {
    way_ = static_cast<Way>(pass_ / kRounds);
    return;
  }
  const int64_t enough = totals_[kPool] - totals_[kPool] * kMargin / 100;
  Way best = totals_[kMixed] <= totals_[kAlone] ? kMixed : kAlone;
  settle(totals_[best] <= enough ? best : kPool);
}

void StepTuner::choose_mixed() {
  for (size_t i = 0; i < steps_; ++i) {
    mixed_[i] = short_[i] && times_[kAlone][i] <= times_[kPool][i];
  }
}

void StepTuner::settle(Way way) {
  way_ = way;
  for (size_t i = 0; i < steps_; ++i) {
    alone_[i].store(pass_alone(i), std::memory_order_relaxed);
  }
  const int64_t pass = std::max<int64_t>(totals_[way], 1);
  until_trial_ = std::min(pause_, std::max(kMinLongPause, kPause / pass));
  pause_ = until_trial_ * 4;
  pass_ = 0;
  way_ = kPool;
  for (auto& times : times_) std::fill(times.begin(), times.end(), kNever);
  std::fill(totals_, totals_ + kWays, kNever);
}

}  // namespace myelin
