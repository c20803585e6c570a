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

}  // namespace

TEST(step_tuner_starts_on_the_pool) {
  StepTuner tuner(3);
  for (size_t i = 0; i < 3; ++i) CHECK(!tuner.alone(i));
  CHECK(!tuner.wants_pass());  // the first passes are cold
}

TEST(step_tuner_takes_the_faster_way_of_each_step) {
  StepTuner tuner(3);
  run_trial(tuner, {{400, 50}, {50, 150}, {200, 40}});
  CHECK(!tuner.alone(0));  // longer than any step that is tried alone
  CHECK(!tuner.alone(1));
  CHECK(tuner.alone(2));
}

TEST(step_tuner_keeps_the_pool_where_nothing_is_won) {
  StepTuner tuner(2);
  run_trial(tuner, {{50, 100}, {50, 100}});
  for (size_t i = 0; i < 2; ++i) CHECK(!tuner.alone(i));
}

TEST(step_tuner_does_not_try_beside_long_steps) {
  StepTuner tuner(2);
  run_trial(tuner, {{2000, 100}, {10, 1}});
  for (size_t i = 0; i < 2; ++i) CHECK(!tuner.alone(i));
}

TEST(step_tuner_of_no_steps) {
  StepTuner tuner(0);
  run_trial(tuner, {});
}

}  // namespace myelin::test
