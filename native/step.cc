// RunStatus: the one thing steps share between threads besides their operands.
#include "step.h"

namespace myelin {

void RunStatus::fail(std::string message) {
  if (claimed_.exchange(true, std::memory_order_acq_rel)) return;
  message_ = std::move(message);
  failed_.store(true, std::memory_order_release);
}

void RunStatus::clear() {
  if (!claimed_.load(std::memory_order_relaxed)) return;
  message_.clear();
  failed_.store(false, std::memory_order_relaxed);
  claimed_.store(false, std::memory_order_release);
}

}  // namespace myelin
