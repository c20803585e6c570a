// The border to JavaScript: unpacks arguments, calls the engine, turns errors and events into
// JavaScript's. No arithmetic, no globals: everything hangs on the environment, so worker threads
// each have their own. src/engine/binding.ts types what is exported here.
#include <napi.h>

#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include "cpu.h"
#include "engine.h"

#ifndef MYELIN_VERSION
#define MYELIN_VERSION "unknown"
#endif

namespace myelin {
namespace {

Napi::Error coded_error(Napi::Env env, const char* code, const std::string& message,
                        int step = -1) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code));
  if (step >= 0) error.Set("step", Napi::Number::New(env, step));
  return error;
}

// Runs `body`, turning the engine's exceptions into JavaScript ones.
template <typename F>
Napi::Value translated(Napi::Env env, F&& body) {
  try {
    return body();
  } catch (const EngineError& error) {
    throw coded_error(env, error.code(), error.what(), error.step());
  } catch (const StepError& error) {
    throw coded_error(env, "INVALID_PROGRAM", error.what(), error.step());
  } catch (const ProgramError& error) {
    throw coded_error(env, "INVALID_PROGRAM", error.what());
  } catch (const std::bad_alloc&) {
    throw coded_error(env, "OUT_OF_MEMORY", "the system has no more memory to give");
  }
}

// ---- Arguments. TypeScript has checked them; these only make sure that nothing else can crash.
// ----

Napi::Error wrong_argument(Napi::Env env, const char* expected) {
  return coded_error(env, "INVALID_ARGUMENT", std::string("native: expected ") + expected);
}

uint32_t id_at(const Napi::CallbackInfo& info, size_t index) {
  uint32_t value = 0;
  if (napi_get_value_uint32(info.Env(), info[index], &value) != napi_ok)
    throw wrong_argument(info.Env(), "an id");
  return value;
}

int64_t integer_at(const Napi::CallbackInfo& info, size_t index) {
  int64_t value = 0;
  if (napi_get_value_int64(info.Env(), info[index], &value) != napi_ok || value < 0) {
    throw wrong_argument(info.Env(), "an integer of at least 0");
  }
  return value;
}

struct View {
  napi_typedarray_type type;
  size_t length;
  void* data;
};

View view_at(const Napi::CallbackInfo& info, size_t index) {
  View view;
  napi_value buffer;
  size_t offset;
  // Much faster than Napi::TypedArray, which asks twice.
  if (napi_get_typedarray_info(info.Env(), info[index], &view.type, &view.length, &view.data,
                               &buffer, &offset) != napi_ok) {
    throw wrong_argument(info.Env(), "a typed array");
  }
  return view;
}

View view_at(const Napi::CallbackInfo& info, size_t index, napi_typedarray_type type,
             const char* expected) {
  const View view = view_at(info, index);
  if (view.type != type) throw wrong_argument(info.Env(), expected);
  return view;
}

napi_typedarray_type array_type(DType dtype) {
  switch (dtype) {
    case DType::kFloat32:
      return napi_float32_array;
    case DType::kInt32:
      return napi_int32_array;
    default:
      return napi_uint8_array;
  }
}

// ---- One engine of one environment ----

// Wakes the event loop from any thread while the loop is there to be woken.
class Waker {
 public:
  void open(napi_threadsafe_function function) {
    std::lock_guard guard(mutex_);
    function_ = function;
  }
  void close() {
    std::lock_guard guard(mutex_);
    function_ = nullptr;
  }
  void wake() {
    std::lock_guard guard(mutex_);
    if (function_ != nullptr)
      napi_call_threadsafe_function(function_, nullptr, napi_tsfn_nonblocking);
  }

 private:
  std::mutex mutex_;
  napi_threadsafe_function function_ = nullptr;
};

class EngineHandle {
 public:
  EngineHandle(Napi::Env env, const KernelTable& kernels, ThreadPool& pool, Napi::Function listener)
      : env_(env),
        waker_(std::make_shared<Waker>()),
        engine_(kernels, pool, [waker = waker_] { waker->wake(); }) {
    const auto finalize = [](napi_env, void* data, void*) {
      const auto* waker = static_cast<std::shared_ptr<Waker>*>(data);
      (*waker)->close();
      delete waker;
    };
    auto kept = std::make_unique<std::shared_ptr<Waker>>(waker_);
    const napi_status status =
        napi_create_threadsafe_function(env, listener, nullptr, Napi::String::New(env, "myelin"), 0,
                                        1, kept.get(), finalize, this, on_wake, &function_);
    if (status != napi_ok) throw Napi::Error::New(env);
    kept.release();
    waker_->open(function_);
    napi_unref_threadsafe_function(env, function_);
    // Hooks run in reverse: after the function's own, which would leave the threads with a dead
    // one, comes too late.
    napi_add_env_cleanup_hook(env, on_cleanup, this);
  }

  ~EngineHandle() {
    if (!stopped_) napi_remove_env_cleanup_hook(env_, on_cleanup, this);
    stop();
  }

  Engine& engine() { return engine_; }

  // The process stays alive while something runs.
  void run_started() {
    if (running_++ == 0) napi_ref_threadsafe_function(env_, function_);
  }

 private:
  static void on_cleanup(void* data) { static_cast<EngineHandle*>(data)->stop(); }

  void stop() {
    if (stopped_) return;
    stopped_ = true;
    engine_.stop();
    waker_->close();
    napi_release_threadsafe_function(function_, napi_tsfn_release);
  }

  static void on_wake(napi_env env, napi_value listener, void* context, void*) {
    if (env == nullptr || listener == nullptr) return;  // the environment is going away
    static_cast<EngineHandle*>(context)->deliver(env, listener);
  }

  // Calls listener(run, kind, done, payload) for each event; TypeScript catches whatever users'
  // callbacks throw.
  void deliver(Napi::Env env, napi_value listener) {
    napi_value undefined = env.Undefined();
    engine_.drain([&](const RunEvent& event) {
      if (!event.is_report && --running_ == 0) napi_unref_threadsafe_function(env, function_);
      Napi::HandleScope scope(env);
      try {
        napi_value payload = undefined;
        const char* kind = "report";
        if (event.is_report) {
          payload = contents(env, event);
        } else if (event.end == RunEnd::failed) {
          kind = "failed";
          payload = coded_error(env, event.code, *event.message, event.step).Value();
        } else {
          kind = event.end == RunEnd::done ? "done" : "aborted";
        }
        napi_value arguments[] = {Napi::Number::New(env, event.run), Napi::String::New(env, kind),
                                  Napi::Number::New(env, static_cast<double>(event.done)), payload};
        napi_call_function(env, undefined, listener, 4, arguments, nullptr);
      } catch (const Napi::Error&) {
        // Out of memory, or a worker being terminated: there is nobody left to tell.
      }
    });
  }

  static napi_value contents(Napi::Env env, const RunEvent& event) {
    Napi::Array arrays = Napi::Array::New(env, event.watched->size());
    const std::byte* from = event.contents;
    uint32_t index = 0;
    for (const Buffer* buffer : *event.watched) {
      const size_t bytes = buffer->bytes();
      void* into = nullptr;
      napi_value memory, array;
      if (napi_create_arraybuffer(env, bytes, &into, &memory) != napi_ok)
        throw Napi::Error::New(env);
      if (bytes > 0) std::memcpy(into, from, bytes);
      const size_t length = static_cast<size_t>(buffer->elements);
      if (napi_create_typedarray(env, array_type(buffer->dtype), length, memory, 0, &array) !=
          napi_ok) {
        throw Napi::Error::New(env);
      }
      arrays[index++] = array;
      from += bytes;
    }
    return arrays;
  }

  napi_env env_;
  std::shared_ptr<Waker> waker_;
  napi_threadsafe_function function_ = nullptr;
  int64_t running_ = 0;
  bool stopped_ = false;
  Engine engine_;
};

// What an environment holds. Destroyed with it, after the cleanup hooks.
struct Instance {
  std::map<int, std::unique_ptr<ThreadPool>> pools;  // by number of threads
  std::vector<std::unique_ptr<EngineHandle>> engines;
};

// ---- Functions of an engine; each has its EngineHandle as data ----

EngineHandle& handle_of(const Napi::CallbackInfo& info) {
  return *static_cast<EngineHandle*>(info.Data());
}
Engine& engine_of(const Napi::CallbackInfo& info) { return handle_of(info).engine(); }

// allocate(dtype, elements) -> buffer
Napi::Value allocate(const Napi::CallbackInfo& info) {
  const uint32_t dtype = id_at(info, 0);
  if (dtype > static_cast<uint32_t>(DType::kUint8)) throw wrong_argument(info.Env(), "a dtype");
  return translated(info.Env(), [&]() -> Napi::Value {
    Engine& engine = engine_of(info);
    const uint32_t id = engine.allocate(static_cast<DType>(dtype), integer_at(info, 1));
    // The collector cannot see what a handle holds; this is how it learns that collecting handles
    // is worth it.
    Napi::MemoryManagement::AdjustExternalMemory(info.Env(),
                                                 static_cast<int64_t>(engine.buffer_size(id)));
    return Napi::Number::New(info.Env(), id);
  });
}

template <bool kWriting>
Napi::Value copy(const Napi::CallbackInfo& info) {
  const View view = view_at(info, 1);
  const int64_t at = integer_at(info, 2);
  return translated(info.Env(), [&] {
    Engine& engine = engine_of(info);
    const uint32_t id = id_at(info, 0);
    const DType dtype = engine.buffer_dtype(id);
    if (view.type != array_type(dtype))
      throw wrong_argument(info.Env(), "a typed array of the buffer's dtype");
    const int64_t width = bytes_of(dtype);
    if (at > kMaxElements) throw wrong_argument(info.Env(), "a place inside the buffer");
    const size_t bytes = view.length * static_cast<size_t>(width);
    if (kWriting) {
      engine.write(id, view.data, bytes, at * width);
    } else {
      engine.read(id, view.data, bytes, at * width);
    }
    return info.Env().Undefined();
  });
}

// disposeBuffer(buffer)
Napi::Value dispose_buffer(const Napi::CallbackInfo& info) {
  return translated(info.Env(), [&] {
    const size_t bytes = engine_of(info).dispose_buffer(id_at(info, 0));
    Napi::MemoryManagement::AdjustExternalMemory(info.Env(), -static_cast<int64_t>(bytes));
    return info.Env().Undefined();
  });
}

// load(words: Int32Array, constants: Uint8Array) -> executable
Napi::Value load(const Napi::CallbackInfo& info) {
  const View words = view_at(info, 0, napi_int32_array, "an Int32Array");
  const View constants = view_at(info, 1, napi_uint8_array, "a Uint8Array");
  return translated(info.Env(), [&]() -> Napi::Value {
    // A copy, for another thread may share these words and change them between a check and its use.
    const int32_t* begin = static_cast<const int32_t*>(words.data);
    const std::vector<int32_t> copied(begin, begin + words.length);
    const auto* bytes = static_cast<const std::byte*>(constants.data);
    Engine& engine = engine_of(info);
    const uint32_t id = engine.load(copied.data(), copied.size(), bytes, constants.length);
    // As with buffers: what the handle holds, told to the collector.
    Napi::MemoryManagement::AdjustExternalMemory(info.Env(),
                                                 static_cast<int64_t>(engine.prepared_bytes(id)));
    return Napi::Number::New(info.Env(), id);
  });
}

// preparedBytes(executable) -> bytes
Napi::Value prepared_bytes(const Napi::CallbackInfo& info) {
  return translated(info.Env(), [&]() -> Napi::Value {
    const size_t bytes = engine_of(info).prepared_bytes(id_at(info, 0));
    return Napi::Number::New(info.Env(), static_cast<double>(bytes));
  });
}

// disposeExecutable(executable)
Napi::Value dispose_executable(const Napi::CallbackInfo& info) {
  return translated(info.Env(), [&] {
    const size_t bytes = engine_of(info).dispose_executable(id_at(info, 0));
    Napi::MemoryManagement::AdjustExternalMemory(info.Env(), -static_cast<int64_t>(bytes));
    return info.Env().Undefined();
  });
}

// The first `count` ids of a typed array that TypeScript uses again and again.
const uint32_t* ids_at(const Napi::CallbackInfo& info, size_t index, size_t count) {
  const View view = view_at(info, index, napi_uint32_array, "a Uint32Array");
  if (view.length < count) throw wrong_argument(info.Env(), "as many ids as it says");
  return static_cast<const uint32_t*>(view.data);
}

// run(executable, ids: Uint32Array, bound, watched, steps, reports) -> run; ids holds the bound and
// then the watched.
Napi::Value run(const Napi::CallbackInfo& info) {
  const size_t bound = id_at(info, 2), watched = id_at(info, 3);
  const uint32_t* ids = ids_at(info, 1, bound + watched);
  return translated(info.Env(), [&]() -> Napi::Value {
    const bool reports = Napi::Value(info[5]).ToBoolean();
    const uint32_t id = engine_of(info).run(id_at(info, 0), ids, bound, integer_at(info, 4),
                                            ids + bound, watched, reports);
    handle_of(info).run_started();
    return Napi::Number::New(info.Env(), id);
  });
}

// runSync(executable, ids: Uint32Array, bound, steps)
Napi::Value run_sync(const Napi::CallbackInfo& info) {
  const size_t bound = id_at(info, 2);
  const uint32_t* ids = ids_at(info, 1, bound);
  return translated(info.Env(), [&] {
    engine_of(info).run_sync(id_at(info, 0), ids, bound, integer_at(info, 3));
    return info.Env().Undefined();
  });
}

// cancel(run)
Napi::Value cancel(const Napi::CallbackInfo& info) {
  engine_of(info).cancel(id_at(info, 0));
  return info.Env().Undefined();
}

// info() -> {level, threads, bufferBytes, arenaBytes, buffers, executables, runs}
Napi::Value stats(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  const EngineStats stats = engine_of(info).stats();
  Napi::Object object = Napi::Object::New(env);
  object.Set("level", stats.level);
  const auto set = [&](const char* name, size_t value) {
    object.Set(name, static_cast<double>(value));
  };
  set("threads", static_cast<size_t>(stats.threads));
  set("bufferBytes", stats.buffer_bytes);
  set("arenaBytes", stats.scratch_bytes);
  set("buffers", stats.buffers);
  set("executables", stats.executables);
  set("runs", stats.runs);
  return object;
}

// ---- Functions of the module ----

// createEngine(level, threads, listener); level "" is the best there is, threads 0 as many as this
// process may use.
Napi::Value create_engine(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsString() || !info[2].IsFunction())
    throw wrong_argument(env, "a level, a count and a function");
  const std::string name = info[0].As<Napi::String>();
  CpuLevel level = detect_best();
  if (!name.empty() && !parse_level(name.c_str(), &level)) {
    throw coded_error(env, "ENGINE_UNAVAILABLE", "unknown CPU level \"" + name + "\"");
  }
  const KernelTable* kernels = kernel_table(level);
  if (kernels == nullptr || !supported(level)) {
    throw coded_error(env, "ENGINE_UNAVAILABLE",
                      "this CPU does not have level \"" + name + "\", its best is \"" +
                          level_name(detect_best()) + '"');
  }
  const int64_t asked = integer_at(info, 1);
  const int threads = asked == 0 ? usable_cores() : static_cast<int>(asked < 1024 ? asked : 1024);

  Instance& instance = *env.GetInstanceData<Instance>();
  std::unique_ptr<ThreadPool>& pool = instance.pools[threads];
  if (pool == nullptr) pool = std::make_unique<ThreadPool>(threads);
  instance.engines.push_back(
      std::make_unique<EngineHandle>(env, *kernels, *pool, info[2].As<Napi::Function>()));
  void* data = instance.engines.back().get();

  Napi::Object engine = Napi::Object::New(env);
  engine.Set("allocate", Napi::Function::New<allocate>(env, "allocate", data));
  engine.Set("write", Napi::Function::New<copy<true>>(env, "write", data));
  engine.Set("read", Napi::Function::New<copy<false>>(env, "read", data));
  engine.Set("disposeBuffer", Napi::Function::New<dispose_buffer>(env, "disposeBuffer", data));
  engine.Set("load", Napi::Function::New<load>(env, "load", data));
  engine.Set("preparedBytes", Napi::Function::New<prepared_bytes>(env, "preparedBytes", data));
  engine.Set("disposeExecutable",
             Napi::Function::New<dispose_executable>(env, "disposeExecutable", data));
  engine.Set("run", Napi::Function::New<run>(env, "run", data));
  engine.Set("runSync", Napi::Function::New<run_sync>(env, "runSync", data));
  engine.Set("cancel", Napi::Function::New<cancel>(env, "cancel", data));
  engine.Set("info", Napi::Function::New<stats>(env, "info", data));
  return engine;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
  env.SetInstanceData(new Instance());
  exports.Set("version", MYELIN_VERSION);
  exports.Set("opcodeHash", Napi::Number::New(env, kOpcodeHash));
  exports.Set("programVersion", Napi::Number::New(env, kProgramVersion));
  Napi::Array levels = Napi::Array::New(env);
  for (const CpuLevel level : kAllCpuLevels) {
    if (kernel_table(level) != nullptr && supported(level))
      levels[levels.Length()] = Napi::String::New(env, level_name(level));
  }
  exports.Set("levels", levels);
  exports.Set("createEngine", Napi::Function::New<create_engine>(env, "createEngine"));
  return exports;
}

NODE_API_MODULE(myelin, init)

}  // namespace
}  // namespace myelin
