// The table from opcode to planner: expanded from the generated list, so an opcode without a
// planner does not link.
#include "../step.h"

namespace myelin {

PlanFunction planner_of(Opcode opcode) {
  static constexpr PlanFunction kPlanners[] = {
#define MYELIN_X(name, attrs) plan_##name,
      MYELIN_OPCODES(MYELIN_X)
#undef MYELIN_X
  };
  return kPlanners[static_cast<int32_t>(opcode)];
}

}  // namespace myelin
