// What the planners of optimizer updates share.
#pragma once

#include <cmath>
#include <cstdio>
#include <cstdlib>

#include "../step.h"

namespace myelin {

// The double a person wrote for a float32 attribute: the shortest decimal that rounds to it. 1 -
// beta taken from the float32 nearest 0.999 would be off by 1.3e-5 of itself, where Keras subtracts
// in double.
inline double as_written(float x) {
  char text[32];
  for (int digits = 6; digits < 9; ++digits) {
    std::snprintf(text, sizeof text, "%.*g", digits, static_cast<double>(x));
    const double value = std::strtod(text, nullptr);
    if (static_cast<float>(value) == x) return value;
  }
  return static_cast<double>(x);
}

// Adam's numbers for the step after `done` others, in double until the end; the sweep is left
// empty.
inline AdamStep adam_step(float rate, int32_t done, double beta1, double beta2, float epsilon) {
  const double t = static_cast<double>(done) + 1.0;
  const double correction = std::sqrt(1.0 - std::pow(beta2, t)) / (1.0 - std::pow(beta1, t));
  return {static_cast<float>(static_cast<double>(rate) * correction),
          static_cast<float>(1.0 - beta1),
          static_cast<float>(1.0 - beta2),
          epsilon,
          {}};
}

}  // namespace myelin
