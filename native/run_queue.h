// Who may run when, and on which thread. A job names the buffers it reads and writes and gets them
// all at once: when no buffer it writes is in use, no buffer it reads is being written, and no
// earlier waiting job wants them. Started jobs go to an idle run thread or to a new one. Nothing
// here knows what a job does.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

#include "buffers.h"

namespace myelin {

// What a running job looks at between its steps; bits.
constexpr uint32_t kCancel = 1;
constexpr uint32_t kYield = 2;  // somebody waits for one of its buffers

struct QueuedJob {
  std::vector<BufferLock> locks;  // each buffer once
  std::atomic<uint32_t> attention{0};

  // The queue's own.
  enum class State : uint8_t { idle, waiting, ready, running };
  State state = State::idle;
  bool sync = false;
  QueuedJob* next = nullptr;
  QueuedJob* previous = nullptr;
};

class RunQueue {
 public:
  // What `execute` leaves to be done. After `done` the queue does not touch the job again.
  enum class Outcome { done, again };

  // `execute` runs on a run thread with the job's locks held. To end it calls release(job), hands
  // the job on, and returns done; again puts the job behind those who wait.
  explicit RunQueue(std::function<Outcome(QueuedJob&)> execute);
  ~RunQueue() { stop(); }

  // Throws std::system_error when the system gives no thread at all; the job is then not queued.
  void submit(QueuedJob& job);
  // Takes a job out that has not started; false when it has.
  bool withdraw(QueuedJob& job);
  // Waits on the calling thread until the job has its locks; one such job at a time. release() ends
  // it.
  void acquire(QueuedJob& job);
  void release(QueuedJob& job);

  // Sets attention bits on everything that runs, and has `interrupt` called for it; then joins the
  // run threads. Jobs that have not started stay where they are.
  void stop(const std::function<void(QueuedJob&)>& interrupt = nullptr);

  // Beyond this many at once, started jobs wait for a run thread.
  static constexpr int kMaxThreads = 64;

 private:
  // Doubly linked through the jobs, so that queueing allocates nothing.
  struct JobList {
    QueuedJob* first = nullptr;
    QueuedJob* last = nullptr;
    void push(QueuedJob& job);
    void remove(QueuedJob& job);
  };
  struct Thread {
    std::thread thread;
    bool finished = false;
  };

  bool grantable(const QueuedJob& job) const;
  void want(QueuedJob& job);
  void lock(QueuedJob& job);
  void unlock(QueuedJob& job);
  void dispatch();
  void start(QueuedJob& job);
  void ask_to_yield();
  void add_thread();
  void add_thread_if_short();
  void call_thread();
  void watch(std::unique_lock<std::mutex>& guard);
  bool wait_for_job(std::unique_lock<std::mutex>& guard);
  void work(Thread& self);

  const std::function<Outcome(QueuedJob&)> execute_;
  std::mutex mutex_;
  std::condition_variable ready_changed_;  // run threads
  std::condition_variable sync_granted_;   // acquire()
  JobList waiting_, ready_, running_;
  uint64_t pass_ = 0;
  uint64_t writes_ = 0;              // locks for writing so far; see Buffer::written
  std::atomic<int> ready_count_{0};  // changed under the mutex, watched without
  int idle_ = 0;                     // run threads that wait for a job
  int freeing_ = 0;                  // and those that have released one and are about to
  int live_ = 0;
  bool starting_ =
      false;  // a thread that has been made, counts as idle, and has not come to work yet
  bool waking_ = false;    // a sleeping thread has been called and has not come yet
  bool watching_ = false;  // one idle thread has not gone to sleep yet
  const bool may_watch_;
  std::atomic<bool> stopping_{false};
  std::list<Thread> threads_;
};

}  // namespace myelin
