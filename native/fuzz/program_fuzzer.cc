// libFuzzer over the Program decoder, and over the kernels that whatever it takes leads to. Built
// by native/CMakeLists.txt with clang and -DMYELIN_FUZZ=ON; docs/program.md has the command.
//
// The input is the words of a Program without its first three, which the harness knows better; the
// constants are zeros, as many as the Program says, up to a page.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <new>
#include <string>
#include <vector>

#include "../program.h"
#include "../tests/program_builder.h"
#include "../tests/run_apart.h"

// Puts a seed into every corpus folder it is given: finding the shape of a Program by itself would
// take it long.
extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  const std::vector<int32_t> words = myelin::test::everything().words();
  for (int i = 1; i < *argc; ++i) {
    if ((*argv)[i][0] == '-') continue;
    std::FILE* file = std::fopen((std::string((*argv)[i]) + "/everything").c_str(), "wb");
    if (file == nullptr) continue;
    std::fwrite(words.data() + 3, sizeof(int32_t), words.size() - 3, file);
    std::fclose(file);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace myelin;
  static ThreadPool pool(1);
  std::vector<int32_t> words(3 + size / sizeof(int32_t));
  words[0] = kProgramMagic;
  words[1] = kProgramVersion;
  words[2] = kOpcodeHash;
  if (size >= sizeof(int32_t))
    std::memcpy(&words[3], data, size / sizeof(int32_t) * sizeof(int32_t));
  // Words 9 and 10 say how many bytes of constants there are.
  const size_t claimed = words.size() > 10 && words[10] == 0 ? static_cast<uint32_t>(words[9]) : 0;
  const std::vector<std::byte> constants(claimed < 4096 ? claimed : 4096);
  try {
    const PlanContext context = {*kernel_table(detect_best()), 2};
    const auto program =
        decode_program(words.data(), words.size(), constants.data(), constants.size(), context);
    test::run_apart(*program, pool, size, 1 << 18);
  } catch (const ProgramError&) {
  } catch (const std::bad_alloc&) {
  }
  return 0;
}
