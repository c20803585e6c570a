#include "run_queue.h"

#include <chrono>
#include <system_error>

#include "cpu.h"

namespace myelin {
namespace {

// An idle run thread costs only its stack, but a process with nothing to run should look like one.
constexpr std::chrono::seconds kIdleLife{3};

// How long a thread that has ended a run looks out for the next before it sleeps. An awaited run is
// followed by another within some microseconds, and waking a core that has gone to sleep takes up
// to 50 us on virtual machines. Measured on two virtual cores, an awaited run of one tiny step: 2.4
// us against 15 to 50 without it; 18 us against 12 to 26 where other processes keep both cores
// busy.
constexpr std::chrono::microseconds kWatch{50};

}  // namespace

void RunQueue::JobList::push(QueuedJob& job) {
  job.previous = last;
  job.next = nullptr;
  (last != nullptr ? last->next : first) = &job;
  last = &job;
}

void RunQueue::JobList::remove(QueuedJob& job) {
  (job.previous != nullptr ? job.previous->next : first) = job.next;
  (job.next != nullptr ? job.next->previous : last) = job.previous;
}

RunQueue::RunQueue(std::function<Outcome(QueuedJob&)> execute)
    : execute_(std::move(execute)), may_watch_(usable_cores() > 1) {}

void RunQueue::submit(QueuedJob& job) {
  std::lock_guard guard(mutex_);
  if (live_ == 0) add_thread();  // while something is queued there is always a thread
  job.sync = false;
  job.state = QueuedJob::State::waiting;
  waiting_.push(job);
  dispatch();
}

bool RunQueue::withdraw(QueuedJob& job) {
  std::lock_guard guard(mutex_);
  if (job.state != QueuedJob::State::waiting) return false;
  waiting_.remove(job);
  job.state = QueuedJob::State::idle;
  dispatch();
  return true;
}

void RunQueue::acquire(QueuedJob& job) {
  std::unique_lock guard(mutex_);
  job.sync = true;
  job.state = QueuedJob::State::waiting;
  waiting_.push(job);
  dispatch();
  sync_granted_.wait(guard, [&] { return job.state == QueuedJob::State::running; });
}

void RunQueue::release(QueuedJob& job) {
  std::lock_guard guard(mutex_);
  unlock(job);
  running_.remove(job);
  job.state = QueuedJob::State::idle;
  if (!job.sync) ++freeing_;
  dispatch();
}

bool RunQueue::grantable(const QueuedJob& job) const {
  for (const BufferLock& lock : job.locks) {
    const Buffer& buffer = *lock.buffer;
    if (buffer.writing || buffer.write_wanted == pass_) return false;
    if (lock.write && (buffer.readers > 0 || buffer.read_wanted == pass_)) return false;
  }
  return true;
}

void RunQueue::want(QueuedJob& job) {
  for (const BufferLock& lock : job.locks)
    (lock.write ? lock.buffer->write_wanted : lock.buffer->read_wanted) = pass_;
}

void RunQueue::lock(QueuedJob& job) {
  for (const BufferLock& lock : job.locks) {
    if (lock.write) {
      lock.buffer->writing = true;
      lock.buffer->written = ++writes_;
    } else {
      ++lock.buffer->readers;
    }
  }
}

void RunQueue::unlock(QueuedJob& job) {
  for (const BufferLock& lock : job.locks) {
    if (lock.write) {
      lock.buffer->writing = false;
    } else {
      --lock.buffer->readers;
    }
  }
}

// Starts every waiting job that may start, in order of arrival; a job that may not keeps later ones
// off its buffers.
void RunQueue::dispatch() {
  if (waiting_.first == nullptr || stopping_) return;
  ++pass_;
  for (QueuedJob* job = waiting_.first; job != nullptr;) {
    QueuedJob* next = job->next;
    if (grantable(*job)) {
      waiting_.remove(*job);
      lock(*job);
      start(*job);
    } else {
      want(*job);
    }
    job = next;
  }
  if (waiting_.first != nullptr) ask_to_yield();
}

void RunQueue::start(QueuedJob& job) {
  if (job.sync) {
    job.state = QueuedJob::State::running;
    running_.push(job);
    sync_granted_.notify_all();
    return;
  }
  job.state = QueuedJob::State::ready;
  ready_.push(job);
  ++ready_count_;
  add_thread_if_short();
  call_thread();
}

// Tells running jobs, and those about to run, that somebody waits for what they hold.
void RunQueue::ask_to_yield() {
  for (JobList* list : {&running_, &ready_}) {
    for (QueuedJob* job = list->first; job != nullptr; job = job->next) {
      for (const BufferLock& lock : job->locks) {
        const Buffer& buffer = *lock.buffer;
        if (buffer.write_wanted != pass_ && !(lock.write && buffer.read_wanted == pass_)) continue;
        job->attention.fetch_or(kYield, std::memory_order_relaxed);
        break;
      }
    }
  }
}

void RunQueue::add_thread() {
  for (auto i = threads_.begin(); i != threads_.end();) {
    if (i->finished) i->thread.join();  // it said so in its last use of the mutex
    i = i->finished ? threads_.erase(i) : std::next(i);
  }
  threads_.emplace_back();
  Thread& self = threads_.back();
  try {
    self.thread = std::thread([this, &self] { work(self); });
  } catch (const std::system_error&) {
    threads_.pop_back();
    throw;
  }
  ++live_;
  ++idle_;
  starting_ = true;
}

// One at a time, each making the next: a burst of tiny runs is over before it has cost many
// threads.
void RunQueue::add_thread_if_short() {
  if (starting_ || live_ >= kMaxThreads || idle_ + freeing_ >= ready_count_) return;
  try {
    add_thread();
  } catch (const std::system_error&) {  // the threads there are will get to it
  }
}

// Wakes one sleeping thread, unless one is coming by itself: that one calls the next if there is
// work for it. So a burst of tiny runs costs the event loop few wake-ups, which take longer than
// the runs.
void RunQueue::call_thread() {
  if (watching_ || waking_ || idle_ == 0) return;
  waking_ = true;
  ready_changed_.notify_one();
}

// Yields its core all the time: the event loop, which it is about to hear from, may need that one.
void RunQueue::watch(std::unique_lock<std::mutex>& guard) {
  if (ready_.first != nullptr || watching_ || !may_watch_) return;
  watching_ = true;
  guard.unlock();
  const auto until = std::chrono::steady_clock::now() + kWatch;
  while (ready_count_.load(std::memory_order_relaxed) == 0 &&
         !stopping_.load(std::memory_order_relaxed) && std::chrono::steady_clock::now() < until) {
    std::this_thread::yield();
  }
  guard.lock();
  watching_ = false;
}

// False when there was nothing to do for so long that the thread should end.
bool RunQueue::wait_for_job(std::unique_lock<std::mutex>& guard) {
  watch(guard);
  while (ready_.first == nullptr && !stopping_) {
    waking_ = false;
    const bool timed_out = ready_changed_.wait_for(guard, kIdleLife) == std::cv_status::timeout;
    if (timed_out && ready_.first == nullptr && waiting_.first == nullptr) return false;
  }
  return !stopping_;
}

void RunQueue::work(Thread& self) {
  std::unique_lock guard(mutex_);  // counted as idle
  starting_ = false;
  while (wait_for_job(guard)) {
    --idle_;
    QueuedJob& job = *ready_.first;
    ready_.remove(job);
    --ready_count_;
    job.state = QueuedJob::State::running;
    running_.push(job);
    waking_ = false;
    if (ready_count_ > 0) {
      add_thread_if_short();
      call_thread();
    }
    guard.unlock();
    const Outcome outcome = execute_(job);
    guard.lock();
    ++idle_;
    if (outcome == Outcome::done) {
      --freeing_;
    } else {
      unlock(job);
      running_.remove(job);
      job.attention.fetch_and(~kYield, std::memory_order_relaxed);
      job.state = QueuedJob::State::waiting;
      waiting_.push(job);
      dispatch();
    }
  }
  --idle_;
  --live_;
  self.finished = true;
}

void RunQueue::stop(const std::function<void(QueuedJob&)>& interrupt) {
  {
    std::lock_guard guard(mutex_);
    stopping_ = true;
    for (QueuedJob* job = running_.first; job != nullptr; job = job->next) {
      job->attention.fetch_or(kCancel, std::memory_order_relaxed);
      if (interrupt) interrupt(*job);
    }
    ready_changed_.notify_all();
  }
  for (Thread& thread : threads_) thread.thread.join();
  threads_.clear();
}

}  // namespace myelin
