// What the engine throws, with the codes of src/core/errors.ts, and printf into a string.
#pragma once

#include <stdexcept>
#include <string>
#include <utility>

#include "step.h"

namespace myelin {

class EngineError : public std::runtime_error {
 public:
  EngineError(const char* code, const std::string& message, int step = -1)
      : std::runtime_error(message), code_(code), step_(step) {}
  const char* code() const { return code_; }
  // The step of the Program that failed; -1 when it was none.
  int step() const { return step_; }

 private:
  const char* code_;
  int step_;
};

// A ProgramError that knows its step.
class StepError : public ProgramError {
 public:
  StepError(int step, const std::string& message) : ProgramError(message), step_(step) {}
  int step() const { return step_; }

 private:
  int step_;
};

#if defined(__GNUC__)
__attribute__((format(printf, 1, 2)))
#endif
std::string format(const char* pattern, ...);

}  // namespace myelin
