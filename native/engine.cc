#include "engine.h"

#include <algorithm>
#include <cstring>
#include <new>
#include <system_error>

#include "passes.h"

namespace myelin {
namespace {

using Clock = std::chrono::steady_clock;

const char* dtype_name(DType dtype) {
  static constexpr const char* kNames[] = {"float32", "int32", "bool", "uint8"};
  return kNames[static_cast<int32_t>(dtype)];
}

// Looks at the clock rarely enough to cost nothing beside steps of a microsecond, and often enough
// to be a quarter of a millisecond late at most once it knows the step.
class Pacer {
 public:
  explicit Pacer(bool on)
      : left_(on ? 1 : -1), last_look_(on ? Clock::now() : Clock::time_point()) {
    last_report_ = last_look_;
  }

  // Once per step; true when a report is due.
  bool due() {
    if (--left_ != 0) return false;  // stays below zero when off
    const Clock::time_point now = Clock::now();
    const Clock::duration since = now - last_look_;
    last_look_ = now;
    if (since < kLook / 2 && stride_ < kMaxStride) stride_ *= 2;
    if (since > kLook * 2 && stride_ > 1) stride_ /= 2;
    left_ = stride_;
    if (now - last_report_ < Engine::kReportInterval) return false;
    last_report_ = now;
    return true;
  }

 private:
  static constexpr std::chrono::microseconds kLook{250};
  static constexpr int64_t kMaxStride = 1 << 16;

  int64_t left_;
  int64_t stride_ = 1;
  Clock::time_point last_look_, last_report_;
};

}  // namespace

struct Engine::Job : QueuedJob {
  uint32_t id = 0;
  Executable* executable = nullptr;
  std::vector<Buffer*> bound, watched;
  int64_t steps = 0;
  bool reports = false;

  // The running thread's, then the owner's.
  int64_t done = 0;
  RunStatus status;
  RunEnd end = RunEnd::done;
  const char* code = nullptr;
  std::string message;
  int step = -1;

  // Written by the running thread while false, by the owner while true.
  std::atomic<bool> report_full{false};
  int64_t report_done = 0;
  std::vector<std::byte> report;

  // Guarded by events_mutex_.
  bool notified = false;
  bool finished = false;
  bool collect = false;  // the owner's copy of it

  void fail(const char* with_code, std::string with_message, int at_step = -1) {
    end = RunEnd::failed;
    code = with_code;
    message = std::move(with_message);
    step = at_step;
  }
};

Engine::Engine(const KernelTable& kernels, ThreadPool& pool, std::function<void()> wake)
    : kernels_(kernels),
      pool_(pool),
      wake_(std::move(wake)),
      sync_job_(std::make_unique<Job>()),
      queue_([this](QueuedJob& job) { return execute(static_cast<Job&>(job)); }) {}

Engine::~Engine() {
  stop();
  for (const auto& job : jobs_) {
    if (job->executable != nullptr) forget(*job);
  }
  buffers_.each([](Buffer& buffer) { delete &buffer; });
  executables_.each([](Executable& executable) { delete &executable; });
}

void Engine::stop() {
  {
    std::lock_guard guard(events_mutex_);
    stopped_.store(true, std::memory_order_relaxed);
  }
  // A failed status ends the pass through the Program at its next step; nobody will look at the
  // state it leaves.
  queue_.stop([](QueuedJob& job) { static_cast<Job&>(job).status.fail("stopped"); });
}

// ---- Buffers ----

Buffer& Engine::find_buffer(uint32_t id, const char* where) const {
  Buffer* buffer = buffers_.find(id);
  if (buffer == nullptr)
    throw EngineError("DISPOSED", format("%s: expected a live buffer, got one disposed of", where));
  return *buffer;
}

uint32_t Engine::allocate(DType dtype, int64_t elements) {
  if (elements < 0 || elements > kMaxElements) {
    throw EngineError("INVALID_ARGUMENT", format("allocate: expected 0 to 2^40 elements, got %lld",
                                                 static_cast<long long>(elements)));
  }
  auto buffer = std::make_unique<Buffer>();
  buffer->dtype = dtype;
  buffer->elements = elements;
  buffer->memory = Block::make(buffer->bytes());
  if (!buffer->memory.valid()) {
    throw EngineError("OUT_OF_MEMORY",
                      format("allocate: the system has no %zu bytes to give", buffer->bytes()));
  }
  const uint32_t id = buffers_.add(buffer.get());
  if (id == 0) throw EngineError("OUT_OF_MEMORY", "allocate: too many live buffers");
  buffer_bytes_ += buffer->bytes();
  buffer.release();
  return id;
}

size_t Engine::buffer_size(uint32_t buffer) const { return find_buffer(buffer, "buffer").bytes(); }
DType Engine::buffer_dtype(uint32_t buffer) const { return find_buffer(buffer, "buffer").dtype; }

void Engine::copy(uint32_t id, void* outside, size_t bytes, int64_t at, bool write,
                  const char* where) {
  Buffer& buffer = find_buffer(id, where);
  const size_t size = buffer.bytes();
  if (at < 0 || static_cast<uint64_t>(at) > size || bytes > size - static_cast<size_t>(at)) {
    throw EngineError("INVALID_ARGUMENT",
                      format("%s: %zu bytes from byte %lld on leave the buffer's %zu bytes", where,
                             bytes, static_cast<long long>(at), size));
  }
  if (bytes == 0) return;
  sync_job_->locks.assign(1, {&buffer, write});
  queue_.acquire(*sync_job_);
  std::byte* inside = buffer.memory.data() + at;
  if (write) {
    std::memcpy(inside, outside, bytes);
  } else {
    std::memcpy(outside, inside, bytes);
  }
  queue_.release(*sync_job_);
}

void Engine::write(uint32_t buffer, const void* from, size_t bytes, int64_t at) {
  copy(buffer, const_cast<void*>(from), bytes, at, true, "write");
}

void Engine::read(uint32_t buffer, void* into, size_t bytes, int64_t at) {
  copy(buffer, into, bytes, at, false, "read");
}

size_t Engine::dispose_buffer(uint32_t id) {
  Buffer& buffer = find_buffer(id, "dispose");
  const size_t bytes = buffer.bytes();
  buffers_.remove(id);
  buffer.disposed = true;
  free_if_unused(&buffer);
  return bytes;
}

void Engine::free_if_unused(Buffer* buffer) {
  if (!buffer->disposed || buffer->jobs > 0) return;
  buffer_bytes_ -= buffer->bytes();
  delete buffer;
}

// ---- Executables ----

Executable& Engine::find_executable(uint32_t id, const char* where) const {
  Executable* executable = executables_.find(id);
  if (executable == nullptr) {
    throw EngineError("DISPOSED",
                      format("%s: expected a live executable, got one disposed of", where));
  }
  return *executable;
}

uint32_t Engine::load(const int32_t* words, size_t count, const std::byte* constants,
                      size_t constant_bytes) {
  auto executable = std::make_unique<Executable>(
      decode_program(words, count, constants, constant_bytes, {kernels_, pool_.threads()}));
  const size_t bytes = static_cast<size_t>(executable->program->prepared_bytes);
  executable->seen.reserve(executable->program->sources.size());
  const uint32_t id = executables_.add(executable.get());
  if (id == 0) throw EngineError("OUT_OF_MEMORY", "load: too many live executables");
  buffer_bytes_ += bytes;
  executable.release();
  return id;
}

size_t Engine::prepared_bytes(uint32_t executable) const {
  return static_cast<size_t>(find_executable(executable, "executable").program->prepared_bytes);
}

size_t Engine::dispose_executable(uint32_t id) {
  Executable& executable = find_executable(id, "dispose");
  const size_t bytes = static_cast<size_t>(executable.program->prepared_bytes);
  executables_.remove(id);
  executable.disposed = true;
  free_if_unused(&executable);
  size_t largest = 0;
  executables_.each([&](const Executable& other) {
    largest = std::max(
        largest, static_cast<size_t>(other.program->arena_bytes) + other.program->workspace_bytes);
  });
  scratch_.trim(largest);
  return bytes;
}

void Engine::free_if_unused(Executable* executable) {
  if (!executable->disposed || executable->jobs > 0) return;
  buffer_bytes_ -= static_cast<size_t>(executable->program->prepared_bytes);
  delete executable;
}

// ---- Runs, on the owner's thread ----

Engine::Job& Engine::take_job() {
  if (free_jobs_.empty()) {
    free_jobs_.reserve(jobs_.size() + 1);
    jobs_.push_back(std::make_unique<Job>());
    free_jobs_.push_back(jobs_.back().get());
  }
  Job& job = *free_jobs_.back();
  free_jobs_.pop_back();
  return job;
}

// Checks the buffers against the Program's slots and fills in what the job runs on.
void Engine::bind(Job& job, Executable& executable, const uint32_t* bound, size_t count,
                  const char* where) {
  const std::vector<SlotSpec>& slots = executable.program->slots;
  if (count != slots.size()) {
    throw EngineError("INVALID_ARGUMENT",
                      format("%s: expected %zu buffers, got %zu", where, slots.size(), count));
  }
  ++list_;
  job.bound.clear();
  job.watched.clear();
  job.locks.clear();
  for (size_t i = 0; i < count; ++i) {
    Buffer& buffer = find_buffer(bound[i], where);
    const SlotSpec& slot = slots[i];
    if (buffer.dtype != slot.dtype || buffer.elements != slot.elements) {
      throw EngineError(buffer.dtype != slot.dtype ? "DTYPE_MISMATCH" : "SHAPE_MISMATCH",
                        format("%s: slot %zu: expected %s of %lld elements, got %s of %lld", where,
                               i, dtype_name(slot.dtype), static_cast<long long>(slot.elements),
                               dtype_name(buffer.dtype), static_cast<long long>(buffer.elements)));
    }
    const bool write = (slot.access & kWrite) != 0;
    if (buffer.listed != list_) {
      buffer.listed = list_;
      buffer.listed_at = static_cast<int32_t>(job.locks.size());
      job.locks.push_back({&buffer, write});
    } else if (write || job.locks[buffer.listed_at].write) {
      throw EngineError(
          "INVALID_ARGUMENT",
          format("%s: slot %zu: expected a buffer of its own, for it or its other slot is written",
                 where, i));
    }
    job.bound.push_back(&buffer);
  }
  job.executable = &executable;
  job.attention.store(0, std::memory_order_relaxed);
  job.status.clear();
  job.done = 0;
  job.end = RunEnd::done;
}

void Engine::watch(Job& job, const uint32_t* ids, size_t count) {
  size_t bytes = 0;
  for (size_t i = 0; i < count; ++i) {
    Buffer& buffer = find_buffer(ids[i], "run: watch");
    job.watched.push_back(&buffer);
    bytes += buffer.bytes();
    if (buffer.listed == list_) continue;
    buffer.listed = list_;
    job.locks.push_back({&buffer, false});
  }
  job.report.resize(std::max<size_t>(bytes, 1));  // so that its address is never null
}

uint32_t Engine::run(uint32_t executable, const uint32_t* bound, size_t bound_count, int64_t steps,
                     const uint32_t* watched, size_t watch_count, bool reports) {
  Job& job = take_job();
  uint32_t id = 0;
  try {
    bind(job, find_executable(executable, "run"), bound, bound_count, "run");
    watch(job, watched, watch_count);
    id = runs_.add(&job);
    if (id == 0) throw EngineError("OUT_OF_MEMORY", "run: too many runs at once");
    job.id = id;
    job.steps = steps;
    job.reports = reports;
    job.finished = job.notified = false;
    job.report_full.store(false, std::memory_order_relaxed);
    queue_.submit(job);
  } catch (...) {
    if (id != 0) runs_.remove(id);
    job.executable = nullptr;
    free_jobs_.push_back(&job);
    try {
      throw;
    } catch (const std::system_error&) {
      throw EngineError("OUT_OF_MEMORY", "run: the system has no thread to give");
    }
  }
  // The job may have ended by now, but it is collected on this thread only.
  ++job.executable->jobs;
  for (const BufferLock& lock : job.locks) ++lock.buffer->jobs;
  return id;
}

void Engine::forget(Job& job) {
  for (const BufferLock& lock : job.locks) {
    --lock.buffer->jobs;
    free_if_unused(lock.buffer);
  }
  --job.executable->jobs;
  free_if_unused(job.executable);
  job.executable = nullptr;
}

void Engine::run_sync(uint32_t executable, const uint32_t* bound, size_t bound_count,
                      int64_t steps) {
  Job& job = *sync_job_;
  bind(job, find_executable(executable, "runSync"), bound, bound_count, "runSync");
  job.steps = steps;
  queue_.acquire(job);
  advance(job);
  queue_.release(job);
  job.executable = nullptr;
  if (job.end == RunEnd::failed) throw EngineError(job.code, job.message, job.step);
}

void Engine::cancel(uint32_t run) {
  Job* job = runs_.find(run);
  if (job == nullptr) return;
  job->attention.fetch_or(kCancel, std::memory_order_relaxed);
  if (!queue_.withdraw(*job)) return;
  job->end = RunEnd::aborted;
  notify(*job, true);
}

void Engine::drain(const std::function<void(const RunEvent&)>& visit) {
  {
    std::lock_guard guard(events_mutex_);
    woken_ = false;
    if (stopped_.load(std::memory_order_relaxed)) return;
    draining_.swap(events_);
    for (Job* job : draining_) {
      job->notified = false;
      job->collect = job->finished;
    }
  }
  for (Job* drained : draining_) {
    Job& job = *drained;
    RunEvent event = {};
    event.run = job.id;
    if (job.report_full.load(std::memory_order_acquire)) {
      event.is_report = true;
      event.done = job.report_done;
      event.watched = &job.watched;
      event.contents = job.report.data();
      visit(event);
      job.report_full.store(false, std::memory_order_release);
    }
    if (!job.collect) continue;
    event = {};
    event.run = job.id;
    event.done = job.done;
    event.end = job.end;
    event.code = job.code;
    event.message = &job.message;
    event.step = job.step;
    runs_.remove(job.id);
    visit(event);
    forget(job);
    free_jobs_.push_back(&job);
  }
  draining_.clear();
}

EngineStats Engine::stats() const {
  return {kernels_.level,  pool_.threads(),     buffer_bytes_, scratch_.bytes(),
          buffers_.live(), executables_.live(), runs_.live()};
}

// ---- Runs, on their own threads ----

RunQueue::Outcome Engine::execute(Job& job) {
  if (!advance(job)) return RunQueue::Outcome::again;
  queue_.release(job);
  notify(job, true);
  return RunQueue::Outcome::done;
}

// Runs steps until the end, or until somebody waits for the job's buffers: then false.
bool Engine::advance(Job& job) {
  const Program& program = *job.executable->program;
  const size_t arena = static_cast<size_t>(program.arena_bytes);
  Scratch* scratch = scratch_.acquire(arena + program.workspace_bytes, program.operands.size());
  if (scratch == nullptr) {
    job.fail("OUT_OF_MEMORY", format("run: the system has no %zu bytes of scratch to give",
                                     arena + program.workspace_bytes));
    return true;
  }
  bool ended = true;
  try {
    ScopedFlushDenormals flush;
    void** const pointers = scratch->pointers.data();
    const bool has_space = reserve_prepared(*job.executable);
    if (!has_space) job.fail("OUT_OF_MEMORY", "run: the system has no memory for what is prepared");
    bind_operands(program, *scratch, job.executable->prepared, job.bound, pointers);
    std::byte* const workspace = scratch->memory.data() + arena;
    Contexts contexts = {{kernels_, pool_, workspace, job.status},
                         {kernels_, alone_, workspace, job.status}};
    StepTuner& tuner = job.executable->tuner;
    std::unique_lock<std::mutex> trials(tuner.mutex, std::defer_lock);
    const bool may_try = pool_.threads() > 1 && trials.try_lock();
    Pacer pacer(job.reports);
    const bool ready = has_space && prepare(job, contexts.pool, pointers);
    for (bool first = true; ready && job.done < job.steps; first = false) {
      const uint32_t attention = job.attention.load(std::memory_order_relaxed);
      if (attention != 0) {
        if ((attention & kCancel) != 0) {
          job.end = RunEnd::aborted;
          break;
        }
        if (!first && !job.sync) {
          ended = false;
          break;
        }
      }
      const auto pass = may_try && tuner.wants_pass() ? run_timed_pass : run_pass;
      const int failed = pass(program, contexts, tuner, job.executable->prepared, pointers);
      if (failed >= 0) {
        job.fail("INVALID_DATA", job.status.message(), failed);
        break;
      }
      ++job.done;
      if (pacer.due() && job.done < job.steps) report(job);
    }
  } catch (const std::exception& error) {  // a step has none to throw but bad_alloc
    job.fail("INTERNAL", format("run: %s", error.what()));
  }
  scratch_.release(scratch);
  return ended;
}

// Makes the Program's prepared space with its first run.
bool Engine::reserve_prepared(Executable& executable) {
  if (!executable.program->prepares()) return true;
  std::lock_guard guard(executable.preparing);
  if (!executable.prepared.valid()) {
    executable.prepared = Block::make(static_cast<size_t>(executable.program->prepared_bytes));
  }
  return executable.prepared.valid();
}

// Fills the Program's prepared space unless it holds what would come out again. False when a step
// failed.
bool Engine::prepare(Job& job, const RunContext& context, void* const* pointers) {
  const Program& program = *job.executable->program;
  if (!program.prepares() || job.done == job.steps) return true;
  std::lock_guard guard(job.executable->preparing);
  std::vector<uint64_t>& seen = job.executable->seen;
  const std::vector<int32_t>& sources = program.sources;
  bool fresh = job.executable->filled;
  for (size_t i = 0; i < sources.size() && fresh; ++i) {
    fresh = seen[i] == job.bound[static_cast<size_t>(sources[i])]->written;
  }
  if (fresh) return true;
  job.executable->filled = false;
  const Block& prepared = job.executable->prepared;
  const int failed = run_preparation(program, context, prepared, pointers);
  if (failed >= 0) {
    job.fail("INVALID_DATA", job.status.message(), failed);
    return false;
  }
  for (auto i = static_cast<size_t>(program.preparation); i < program.steps.size(); ++i) {
    const PlannedStep& step = program.steps[i];
    if (step.plan->prepared_bytes() == 0) continue;
    RunContext own = context;
    own.prepared = prepared.data() + step.prepared;
    step.plan->prepare(own, pointers + step.inputs);
  }
  seen.clear();
  for (const int32_t slot : sources) seen.push_back(job.bound[static_cast<size_t>(slot)]->written);
  job.executable->filled = true;
  return true;
}

void Engine::report(Job& job) {
  if (job.report_full.load(std::memory_order_acquire))
    return;  // the owner has not even seen the last one
  std::byte* into = job.report.data();
  for (const Buffer* buffer : job.watched) {
    std::memcpy(into, buffer->memory.data(), buffer->bytes());
    into += buffer->bytes();
  }
  job.report_done = job.done;
  job.report_full.store(true, std::memory_order_release);
  notify(job, false);
}

// After notify(job, true) the job belongs to the owner.
void Engine::notify(Job& job, bool finished) {
  std::lock_guard guard(events_mutex_);
  if (finished) job.finished = true;
  if (!job.notified) {
    job.notified = true;
    events_.push_back(&job);
  }
  if (woken_ || stopped_.load(std::memory_order_relaxed)) return;
  woken_ = true;
  wake_();
}

}  // namespace myelin
