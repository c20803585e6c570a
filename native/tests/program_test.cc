// The decoder: every rule of docs/program.md refuses what breaks it, and no damage to a Program
// gets past it into memory that is not the Program's.
#include <cstdlib>
#include <new>
#include <string>

#include "program_builder.h"
#include "run_apart.h"
#include "test.h"

namespace myelin::test {
namespace {

// "" when the Program is taken.
std::string complaint(const ProgramBuilder& builder) {
  try {
    builder.decode();
    return "";
  } catch (const ProgramError& error) {
    return error.what();
  }
}

void check_complaint(const char* expected, const ProgramBuilder& builder) {
  const std::string got = complaint(builder);
  const bool found = *expected == '\0' ? got.empty() : got.find(expected) != std::string::npos;
  if (!found) fail(__FILE__, __LINE__, "expected \"%s\", got \"%s\"", expected, got.c_str());
}

TEST(program_everything_decodes) {
  const ProgramBuilder builder = everything();
  CHECK(complaint(builder).empty());
  if (!complaint(builder).empty()) std::fprintf(stderr, "  %s\n", complaint(builder).c_str());
}

TEST(program_header) {
  const ProgramBuilder builder = everything();
  const std::vector<int32_t> good = builder.words();
  const auto decode = [&](const std::vector<int32_t>& words, size_t constant_bytes) -> std::string {
    try {
      decode_program(words.data(), words.size(), builder.constants().data(), constant_bytes,
                     ProgramBuilder::context());
      return "";
    } catch (const ProgramError& error) {
      return error.what();
    }
  };
  const size_t bytes = builder.constants().size();
  CHECK(decode(good, bytes).empty());
  CHECK(!decode({}, 0).empty());
  const char* expected[] = {"other data", "version 2", "opcode table"};
  for (size_t i = 0; i < 3; ++i) {
    std::vector<int32_t> bad = good;
    bad[i] ^= 1;
    CHECK(decode(bad, bytes).find(expected[i]) != std::string::npos);
  }
  for (size_t i = 3; i < 6; ++i) {
    for (const int32_t count : {-1, INT32_MAX, INT32_MIN}) {
      std::vector<int32_t> bad = good;
      bad[i] = count;
      CHECK(decode(bad, bytes).find("words left") != std::string::npos);
    }
  }
  CHECK(decode(good, bytes - 64).find("bytes of constants") != std::string::npos);
  for (size_t length = 0; length < good.size(); ++length) {
    CHECK(!decode(std::vector<int32_t>(good.begin(), good.begin() + length), bytes).empty());
  }
  std::vector<int32_t> longer = good;
  longer.push_back(0);
  CHECK(decode(longer, bytes).find("more words") != std::string::npos);
}

TEST(program_slots_and_tensors) {
  const auto with = [](auto&& add) {
    ProgramBuilder p;
    p.slot(f32({4}), kRead);
    p.set_arena_bytes(128);
    add(p);
    return p;
  };
  check_complaint("", with([](auto& p) { p.tensor(f32({32}), Space::kArena, 0, 0); }));
  check_complaint("leave its space",
                  with([](auto& p) { p.tensor(f32({33}), Space::kArena, 0, 0); }));
  check_complaint("leave its space",
                  with([](auto& p) { p.tensor(f32({17}), Space::kArena, 0, 64); }));
  check_complaint("leave its space",
                  with([](auto& p) { p.tensor(f32({0}), Space::kArena, 0, 192); }));
  check_complaint("", with([](auto& p) { p.tensor(f32({0}), Space::kArena, 0, 128); }));
  check_complaint("steps of 64", with([](auto& p) { p.tensor(f32({1}), Space::kArena, 0, 4); }));
  check_complaint("an offset from 0",
                  with([](auto& p) { p.tensor(f32({1}), Space::kArena, 0, -64); }));
  check_complaint("an offset from 0",
                  with([](auto& p) { p.tensor(f32({1}), Space::kArena, 0, int64_t{1} << 62); }));
  check_complaint("slot 0 outside", with([](auto& p) { p.tensor(f32({1}), Space::kArena, 1, 0); }));
  check_complaint("leave its space",
                  with([](auto& p) { p.tensor(f32({1}), Space::kConstant, 0, 0); }));
  check_complaint("leave its space",
                  with([](auto& p) { p.tensor(f32({1}), Space::kPrepared, 0, 0); }));
  check_complaint("a space from", with([](auto& p) { p.tensor(f32({1}), Space(4), 0, 0); }));
  check_complaint("a slot from", with([](auto& p) { p.tensor(f32({4}), Space::kBound, 1, 0); }));
  check_complaint("a slot from", with([](auto& p) { p.tensor(f32({4}), Space::kBound, -1, 0); }));
  check_complaint("offset 0", with([](auto& p) { p.tensor(f32({4}), Space::kBound, 0, 64); }));
  check_complaint("dtype is not", with([](auto& p) { p.tensor(i32({4}), Space::kBound, 0, 0); }));
  check_complaint("the 4 elements", with([](auto& p) { p.tensor(f32({3}), Space::kBound, 0, 0); }));
  check_complaint("", with([](auto& p) { p.tensor(f32({2, 2}), Space::kBound, 0, 0); }));
  check_complaint("a rank from", with([](auto& p) {
                    p.tensor(f32(std::vector<int32_t>(9, 1)), Space::kArena, 0, 0);
                  }));
  check_complaint("at least 0", with([](auto& p) { p.tensor(f32({-1}), Space::kArena, 0, 0); }));
  check_complaint("2^40",
                  with([](auto& p) { p.tensor(f32({1 << 30, 1 << 30}), Space::kArena, 0, 0); }));
  check_complaint(
      "2^40", with([](auto& p) { p.tensor(f32({0, INT32_MAX, INT32_MAX}), Space::kArena, 0, 0); }));
  const ProgramBuilder::Shape past_int64 = f32({1000, 12223203, INT32_MAX});
  check_complaint("2^40", with([&](auto& p) { p.tensor(past_int64, Space::kArena, 0, 0); }));
  check_complaint("a dtype from",
                  with([](auto& p) { p.tensor({DType(4), {1}}, Space::kArena, 0, 0); }));
  for (const int32_t access : {0, 4, 6, 7, 8}) {
    check_complaint("an access of", with([=](auto& p) { p.slot(f32({1}), access); }));
  }
  check_complaint("", with([](auto& p) { p.slot(f32({1}), kRead | kSteady); }));
  check_complaint("arena's size", with([](auto& p) { p.set_arena_bytes(int64_t{1} << 50); }));
  check_complaint("arena's size", with([](auto& p) { p.set_arena_bytes(-1); }));
}

TEST(program_preparation) {
  const auto with = [](auto&& add) {
    ProgramBuilder p;
    const int in = p.slot(i32({4}), kRead), state = p.slot(i32({4}), kRead | kWrite);
    add(p, in, state, p.prepared(i32({4})), p.arena(i32({4})));
    return p;
  };
  using I = int32_t;
  const auto sum = [](auto& p, I from, I to) { p.step(Opcode::cumsum, {from}, {to}, {0, 0, 0}); };
  const ProgramBuilder good = with([&](auto& p, I in, I state, I prepared, I scratch) {
    sum(p, in, scratch);
    sum(p, scratch, prepared);
    p.end_preparation();
    sum(p, prepared, state);
  });
  check_complaint("", good);
  CHECK(good.decode()->sources == std::vector<int32_t>{0});
  check_complaint("which is written", with([&](auto& p, I, I state, I prepared, I) {
                    sum(p, state, prepared);
                    p.end_preparation();
                  }));
  check_complaint("writes slot 1", with([&](auto& p, I in, I state, I, I) {
                    sum(p, in, state);
                    p.end_preparation();
                  }));
  check_complaint("is no preparation", with([&](auto& p, I in, I, I prepared, I scratch) {
                    sum(p, in, scratch);
                    p.end_preparation();
                    sum(p, in, prepared);
                  }));
  std::vector<int32_t> words = good.words();
  words[6] = 4;
  try {
    decode_program(words.data(), words.size(), nullptr, 0, ProgramBuilder::context());
    CHECK(false);
  } catch (const ProgramError& error) {
    CHECK(std::string(error.what()).find("steps of preparation") != std::string::npos);
  }
}

TEST(program_steps) {
  const int32_t zeros[4] = {};
  const auto with = [&](auto&& add) {
    ProgramBuilder p;
    const int in = p.slot(i32({4}), kRead), out = p.slot(i32({4}), kWrite);
    const int constant = p.constant(i32({4}), zeros), arena = p.arena(i32({4}));
    add(p, in, out, constant, arena);
    return p;
  };
  using I = int32_t;
  check_complaint(
      "", with([](auto& p, I in, I out, I, I) { p.step(Opcode::cumsum, {in}, {out}, {0, 0, 0}); }));
  check_complaint("for reading only", with([](auto& p, I in, I, I c, I) {
                    p.step(Opcode::cumsum, {c}, {in}, {0, 0, 0});
                  }));
  check_complaint("is a constant", with([](auto& p, I in, I, I c, I) {
                    p.step(Opcode::cumsum, {in}, {c}, {0, 0, 0});
                  }));
  check_complaint("for writing only", with([](auto& p, I, I out, I, I a) {
                    p.step(Opcode::cumsum, {out}, {a}, {0, 0, 0});
                  }));
  // What the Program itself has written it may read.
  check_complaint("", with([](auto& p, I in, I out, I, I a) {
                    p.step(Opcode::cumsum, {in}, {out}, {0, 0, 0});
                    p.step(Opcode::cumsum, {out}, {a}, {0, 0, 0});
                  }));
  check_complaint("a tensor from 0 to 3", with([](auto& p, I, I out, I, I) {
                    p.step(Opcode::cumsum, {4}, {out}, {0, 0, 0});
                  }));
  check_complaint("a tensor from 0 to 3", with([](auto& p, I, I out, I, I) {
                    p.step(Opcode::cumsum, {-1}, {out}, {0, 0, 0});
                  }));
  check_complaint("an opcode from",
                  with([](auto& p, I in, I out, I, I) { p.step(Opcode(-1), {in}, {out}); }));
  check_complaint("an opcode from", with([](auto& p, I in, I out, I, I) {
                    p.step(Opcode(kOpcodeCount), {in}, {out});
                  }));
  check_complaint("a flag from", with([](auto& p, I in, I out, I, I) {
                    p.step(Opcode::cumsum, {in}, {out}, {0, 2, 0});
                  }));
  check_complaint(
      "step 0 (cumsum): expected a flag, got the end",
      with([](auto& p, I in, I out, I, I) { p.step(Opcode::cumsum, {in}, {out}, {0, 0}); }));
  check_complaint("more words", with([](auto& p, I in, I out, I, I) {
                    p.step(Opcode::cumsum, {in}, {out}, {0, 0, 0, 0});
                  }));
  check_complaint("step 1 (reverse)", with([](auto& p, I in, I out, I, I) {
                    p.step(Opcode::cumsum, {in}, {out}, {0, 0, 0});
                    p.step(Opcode::reverse, {in}, {out}, {INT32_MAX, 0});
                  }));
  check_complaint("length of a list", with([](auto& p, I in, I out, I, I) {
                    p.step(Opcode::reverse, {in}, {out}, {-1});
                  }));
  // Of these the planner has the say.
  check_complaint("step 0 (cumsum)", with([](auto& p, I in, I out, I, I) {
                    p.step(Opcode::cumsum, {in}, {out}, {1, 0, 0});
                  }));
  check_complaint("step 0 (cumsum)",
                  with([](auto& p, I, I, I, I) { p.step(Opcode::cumsum, {}, {}, {0, 0, 0}); }));
}

TEST(program_chains) {
  const auto chain = [](std::vector<int32_t> attrs, Opcode opcode = Opcode::elementwise) {
    ProgramBuilder p;
    const int a = p.slot(f32({2, 3}), kRead), b = p.slot(f32({2, 3}), kRead),
              out = p.slot(f32({2, 3}), kWrite);
    p.step(opcode, {a, b}, {out}, attrs);
    return p;
  };
  const int32_t add = id(MicroOp::add_f32), tanh = id(MicroOp::tanh_f32);
  // inputs, rank, dims, inner low, high, instructions, outputs, instructions.., outputs..
  check_complaint("", chain({2, 2, 2, 3, 1, 0, 2, 1, add, 0, 1, tanh, 2, 3, 0}));
  check_complaint("a chain of 2 inputs", chain({1, 2, 2, 3, 1, 0, 1, 1, tanh, 0, 1, 0}));
  check_complaint("a chain of 1 outputs", chain({2, 2, 2, 3, 1, 0, 1, 2, add, 0, 1, 2, 0, 2, 0}));
  check_complaint("instruction 0 (add_f32): expected an operand from 0 to 1, got 2",
                  chain({2, 2, 2, 3, 1, 0, 1, 1, add, 0, 2, 2, 0}));
  check_complaint("instruction 1 (tanh_f32)",
                  chain({2, 2, 2, 3, 1, 0, 2, 1, add, 0, 1, tanh, 3, 3, 0}));
  check_complaint("an operand from", chain({2, 2, 2, 3, 1, 0, 1, 1, add, 0, -1, 2, 0}));
  check_complaint("a micro-op from", chain({2, 2, 2, 3, 1, 0, 1, 1, kMicroOpCount, 0, 1, 2, 0}));
  check_complaint("a chain output from", chain({2, 2, 2, 3, 1, 0, 1, 1, add, 0, 1, 3, 0}));
  check_complaint("a reduction from", chain({2, 2, 2, 3, 1, 0, 1, 1, add, 0, 1, 2, 5}));
  check_complaint("product of trailing", chain({2, 2, 2, 3, 2, 0, 1, 1, add, 0, 1, 2, 0}));
  check_complaint("number of instructions",
                  chain({2, 2, 2, 3, 1, 0, INT32_MAX, 1, add, 0, 1, 2, 0}));
  check_complaint("at least 0", chain({2, 2, -2, 3, 1, 0, 1, 1, add, 0, 1, 2, 0}));
  check_complaint("step 0 (elementwise)",
                  chain({2, 2, 3, 3, 1, 0, 1, 1, add, 0, 1, 2, 0}));  // does not broadcast
}

// Damage of every kind to a Program that has everything. Whatever is still taken must also run
// inside its operands; under the address sanitizer that is checked to the byte.
TEST(program_mutations) {
  const char* wanted = std::getenv("MYELIN_MUTATIONS");
  const int rounds = wanted != nullptr ? std::atoi(wanted) : 40000;
  const ProgramBuilder builder = everything();
  const std::vector<int32_t> good = builder.words();
  const size_t constant_bytes = builder.constants().size();
  constexpr int32_t kInteresting[] = {
      0,  1,  2,  3,  4,   5,   6,       7,       8,         9,         16,        64,
      -1, -2, -8, 63, 128, 255, 1 << 16, 1 << 20, INT32_MAX, INT32_MIN, 0x3f800000};
  ThreadPool pool(1);
  uint64_t state = 20260101;
  const auto random = [&](size_t below) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return static_cast<size_t>(state % below);
  };
  int taken = 0, refused = 0, ran = 0;
  for (int round = 0; round < rounds; ++round) {
    std::vector<int32_t> words = good;
    for (size_t edits = 1 + random(3); edits > 0; --edits) {
      // The first six words are covered above; most of the rounds would end there.
      const size_t at = 6 + random(words.size() - 6);
      switch (random(6)) {
        case 0:
          reinterpret_cast<uint8_t*>(&words[at])[random(4)] ^=
              static_cast<uint8_t>(1u << random(8));
          break;
        case 1:
          words[at] = kInteresting[random(std::size(kInteresting))];
          break;
        case 2:
          words[at] =
              static_cast<int32_t>(static_cast<uint32_t>(words[at]) + (random(2) == 0 ? 1u : ~0u));
          break;
        case 3:
          words[at] = words[6 + random(words.size() - 6)];
          break;
        case 4:
          words.erase(words.begin() + static_cast<std::ptrdiff_t>(at));
          break;
        default:
          words.insert(words.begin() + static_cast<std::ptrdiff_t>(at),
                       kInteresting[random(std::size(kInteresting))]);
      }
      if (words.size() < 10) break;
    }
    // Exactly as long as it says, so that reading past the end shows.
    const std::unique_ptr<int32_t[]> exact(new int32_t[words.size()]);
    std::copy(words.begin(), words.end(), exact.get());
    try {
      const auto program = decode_program(exact.get(), words.size(), builder.constants().data(),
                                          constant_bytes, ProgramBuilder::context());
      ++taken;
      ran += run_apart(*program, pool, state, 1 << 20);
    } catch (const ProgramError&) {
      ++refused;
    } catch (const std::bad_alloc&) {
      ++refused;
    }
  }
  std::printf("     %d mutations: %d refused, %d taken, %d steps run\n", rounds, refused, taken,
              ran);
  CHECK(refused > rounds / 3);
  CHECK(taken > rounds / 100);  // or the rest was not reached
}

}  // namespace
}  // namespace myelin::test
