// The tuner against made-up steps, whose times differ by far more than a clock is off.
#include "../step_tuner.h"

#include <chrono>
#include <functional>

#include "test.h"

namespace myelin::test {
namespace {

void spin(int64_t microseconds) {
  const auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(microseconds);
  while (std::chrono::steady_clock::now() < until) {
  }
}

// Microseconds of each step on the pool and alone.
struct Step {
  int64_t pool, alone;
};

// Passes until the first trial is over, and then one more that must not be timed.
void run_trial(StepTuner& tuner, const std::vector<Step>& steps) {
  int timed = 0;
  for (int pass = 0; pass < 200; ++pass) {
    if (!tuner.wants_pass()) {
      if (timed > 0) return;
      continue;
    }
    ++timed;
    tuner.begin();
    for (size_t i = 0; i < steps.size(); ++i) {
      spin(tuner.pass_alone(i) ? steps[i].alone : steps[i].pool);
      tuner.note(i);
    }
    tuner.end();
  }
}

// Whether a tuner takes these steps as expected. A machine that is busy may stretch any spin, so
// that one trial may go wrong; five in a row do not.
bool takes(const std::vector<Step>& steps, const std::vector<bool>& alone) {
  for (int attempt = 0; attempt < 5; ++attempt) {
    StepTuner tuner(steps.size());
    run_trial(tuner, steps);
    bool same = true;
    for (size_t i = 0; i < steps.size(); ++i) same = same && tuner.alone(i) == alone[i];
    if (same) return true;
  }
  return false;
}

}  // namespace

TEST(step_tuner_starts_on_the_pool) {
  StepTuner tuner(3);
  for (size_t i = 0; i < 3; ++i) CHECK(!tuner.alone(i));
  CHECK(!tuner.wants_pass());  // the first passes are cold
}

TEST(step_tuner_takes_the_faster_way_of_each_step) {
  // The first is longer than any step that is tried alone.
  CHECK(takes({{400, 50}, {50, 150}, {200, 40}}, {false, false, true}));
}

TEST(step_tuner_keeps_the_pool_where_nothing_is_won) {
  CHECK(takes({{50, 100}, {50, 100}}, {false, false}));
}

TEST(step_tuner_does_not_try_beside_long_steps) {
  CHECK(takes({{2000, 100}, {10, 1}}, {false, false}));
}

TEST(step_tuner_of_no_steps) {
  StepTuner tuner(0);
  run_trial(tuner, {});
}

}  // namespace myelin::test
