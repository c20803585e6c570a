// Whether a step of a Program deserves more than one thread is found out by trying. How long two
// threads take to hand work over depends on where the system has put them (100 ns a round trip
// between neighbours, 540 ns between cores with caches of their own, more where a core is shared),
// and it changes while a program runs; the sizes of a step, which decide how its work is cut, do
// not say. Results do not depend on it: the same chunks run, on one thread or on several.
#ifndef MYELIN_STEP_TUNER_H_
#define MYELIN_STEP_TUNER_H_

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace myelin {

// Times a few whole passes over a Program's steps each way: every step on the pool; short steps on
// one thread; each step where it was faster. The fastest of the three stays until the next trial.
// One run at a time makes trials, others go by what is known.
class StepTuner {
 public:
  explicit StepTuner(size_t steps);

  // Any thread.
  bool alone(size_t step) const { return alone_[step].load(std::memory_order_relaxed); }

  // Held by the run that makes trials.
  std::mutex mutex;

  // With the mutex held, before a pass: whether it is to be timed. Then pass_alone(), begin(),
  // note(step) after each step and end().
  bool wants_pass() { return --until_trial_ < 0; }
  bool pass_alone(size_t step) const;
  void begin();
  void note(size_t step);
  void end();

 private:
  using Clock = std::chrono::steady_clock;
  enum Way { kPool, kAlone, kMixed, kWays };

  void settle(Way way);
  void choose_mixed();

  const size_t steps_;
  const std::unique_ptr<std::atomic<bool>[]> alone_;
  std::vector<int64_t> times_[2];  // shortest of each step so far, ns: on the pool, alone
  std::vector<bool> short_, mixed_;
  int64_t totals_[kWays];  // shortest of whole passes
  int64_t until_trial_;
  int64_t pause_;  // passes until the trial after this one, at most
  int pass_ = 0;   // of the trial
  Way way_ = kPool;
  Clock::time_point begun_, last_;
};

}  // namespace myelin

#endif  // MYELIN_STEP_TUNER_H_
