// A decoded Program: what src/program/encode.ts writes, read as untrusted data and planned for one
// CPU level. docs/program.md is the text of the format and of its rules.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "memory.h"
#include "step.h"

namespace myelin {

// What a run does to a bound buffer; bits.
constexpr int32_t kRead = 1;
constexpr int32_t kWrite = 2;
constexpr int32_t kSteady = 4;  // with kRead alone: it seldom changes between runs

struct SlotSpec {
  DType dtype;
  int32_t access;  // kRead, kWrite or both; or kRead and kSteady
  int64_t elements;
};

// Where an operand lies: a base known at run time, and bytes from it.
struct OperandPlace {
  Space space;
  int32_t slot;  // bound operands only
  int64_t offset;
  int64_t bytes;
};

struct PlannedStep {
  std::unique_ptr<StepPlan> plan;
  Opcode opcode;
  int32_t inputs;        // index of the first input among the Program's operands
  int32_t outputs;       // and of the first output
  int64_t prepared = 0;  // where in the prepared space its plan's own part begins
};

struct Program {
  std::vector<SlotSpec> slots;
  std::vector<PlannedStep> steps;
  // The first `preparation` steps write the prepared space from slots that are only read. Behind
  // what they write lies what plans prepare from steady inputs. Both need to be made again only
  // when one of the slots they come from has been written.
  int32_t preparation = 0;
  std::vector<int32_t> sources;
  int64_t prepared_bytes = 0;  // of both, a multiple of kAlignment
  bool prepares() const { return preparation > 0 || prepared_bytes > 0; }
  std::vector<OperandPlace> operands;
  int64_t arena_bytes = 0;     // a multiple of kAlignment
  size_t workspace_bytes = 0;  // the largest any step asks for
  Block constants;
};

// Limits of the format, chosen to keep every size computed from a Program inside 64 bits with room
// to spare.
constexpr int64_t kMaxElements = int64_t{1} << 40;
constexpr int64_t kMaxArenaBytes = int64_t{1} << 42;

const char* opcode_name(Opcode opcode);

// Checks everything and plans every step, or throws ProgramError (StepError where one step is to
// blame) or std::bad_alloc. Never trusts a number before it has compared it with a limit or with
// the words that are left.
std::unique_ptr<Program> decode_program(const int32_t* words, size_t count,
                                        const std::byte* constants, size_t constant_bytes,
                                        const PlanContext& context);

}  // namespace myelin
