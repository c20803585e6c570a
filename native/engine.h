// The native engine: buffers, loaded Programs, runs. One thread owns it and makes all calls; runs
// happen on the run queue's threads and report back through drain(), after `wake` has been called
// on some other thread.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "buffers.h"
#include "errors.h"
#include "program.h"
#include "run_queue.h"
#include "scratch.h"
#include "step_tuner.h"

namespace myelin {

struct Executable {
  explicit Executable(std::unique_ptr<Program> decoded)
      : program(std::move(decoded)), tuner(program->steps.size()) {}

  std::unique_ptr<Program> program;
  StepTuner tuner;
  int32_t jobs = 0;  // as in Buffer
  bool disposed = false;

  // The Program's prepared space and what its sources held when it was filled: Buffer::written of
  // each. Runs of one Program share it. A run looks at it, and fills it if need be, with its locks
  // held; so whoever fills it knows that no run that found it in
  // order is still under way, for that run would have kept the writer off the sources.
  std::mutex preparing;
  Block prepared;
  bool filled = false;
  std::vector<uint64_t> seen;
};

enum class RunEnd : uint8_t { done, aborted, failed };

// What drain() tells. A run has any number of reports and then one end.
struct RunEvent {
  uint32_t run;
  bool is_report;
  int64_t done;  // steps
  // Of a report: copies of the watched buffers, in order.
  const std::vector<Buffer*>* watched;
  const std::byte* contents;
  // Of an end.
  RunEnd end;
  const char* code;
  const std::string* message;
  int step;
};

struct EngineStats {
  const char* level;
  int threads;
  size_t buffer_bytes;
  size_t scratch_bytes;
  size_t buffers;
  size_t executables;
  size_t runs;  // that have not been collected by drain()
};

class Engine {
 public:
  // `kernels` and `pool` outlive the engine. `wake` may be called on any thread and must not call
  // back.
  Engine(const KernelTable& kernels, ThreadPool& pool, std::function<void()> wake);
  ~Engine();

  // Zero-filled. All of these throw EngineError; ids that are stale or invented have code DISPOSED.
  uint32_t allocate(DType dtype, int64_t elements);
  size_t buffer_size(uint32_t buffer) const;  // bytes
  DType buffer_dtype(uint32_t buffer) const;
  // Bytes from byte `at` of the buffer on; waits for a step that is in its way.
  void write(uint32_t buffer, const void* from, size_t bytes, int64_t at);
  void read(uint32_t buffer, void* into, size_t bytes, int64_t at);
  // Runs that use it go on; their memory is freed with the last. Returns the bytes given up.
  size_t dispose_buffer(uint32_t buffer);

  // Throws ProgramError too.
  uint32_t load(const int32_t* words, size_t count, const std::byte* constants,
                size_t constant_bytes);
  size_t prepared_bytes(uint32_t executable) const;
  // Returns the bytes given up.
  size_t dispose_executable(uint32_t executable);

  // Returns the run's id. `watch` is copied for reports, at most every kReportInterval.
  uint32_t run(uint32_t executable, const uint32_t* bound, size_t bound_count, int64_t steps,
               const uint32_t* watch, size_t watch_count, bool reports);
  void run_sync(uint32_t executable, const uint32_t* bound, size_t bound_count, int64_t steps);
  // The run ends as aborted after the step it is in, or as done if that was its last. Ids of ended
  // runs do nothing.
  void cancel(uint32_t run);

  // Calls visit(event) for everything that has happened since the last time. visit may call the
  // engine.
  void drain(const std::function<void(const RunEvent&)>& visit);

  // Ends everything after the step of the Program each thread is in, and joins the threads. Nothing
  // wakes afterwards.
  void stop();

  EngineStats stats() const;

  static constexpr std::chrono::milliseconds kReportInterval{16};

 private:
  struct Job;

  Buffer& find_buffer(uint32_t id, const char* where) const;
  Executable& find_executable(uint32_t id, const char* where) const;
  Job& take_job();
  void bind(Job& job, Executable& executable, const uint32_t* bound, size_t count,
            const char* where);
  void watch(Job& job, const uint32_t* ids, size_t count);
  void forget(Job& job);
  void free_if_unused(Buffer* buffer);
  void free_if_unused(Executable* executable);
  void copy(uint32_t id, void* outside, size_t bytes, int64_t at, bool write, const char* where);

  RunQueue::Outcome execute(Job& job);
  bool advance(Job& job);
  static bool reserve_prepared(Executable& executable);
  bool prepare(Job& job, const RunContext& context, void* const* pointers);
  void report(Job& job);
  void notify(Job& job, bool finished);

  const KernelTable& kernels_;
  ThreadPool& pool_;
  ThreadPool alone_{1};  // for steps that are faster on one thread
  const std::function<void()> wake_;

  HandleTable<Buffer> buffers_;
  HandleTable<Executable> executables_;
  HandleTable<Job> runs_;
  std::vector<std::unique_ptr<Job>> jobs_;  // all there are
  std::vector<Job*> free_jobs_;
  std::unique_ptr<Job> sync_job_;
  uint64_t list_ = 0;  // see Buffer::listed
  size_t buffer_bytes_ = 0;
  std::atomic<bool> stopped_{false};

  ScratchPool scratch_;

  std::mutex events_mutex_;
  std::vector<Job*> events_;
  std::vector<Job*> draining_;
  bool woken_ = false;

  RunQueue queue_;  // last: its threads use the rest
};

}  // namespace myelin
