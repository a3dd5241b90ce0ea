// A few threads that do the same job on different parts, again and again.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include "core/start_threads.h"

namespace rlscout {

// Threads that wait look out for a while before they sleep: jobs of a search come microseconds apart, and to wake a thread
// takes longer. They make way for whoever wants their core meanwhile.
class WorkerPool {
 public:
  // The caller of run() is one of the `threads`. Throws std::invalid_argument where the system grants fewer.
  explicit WorkerPool(int threads) {
    start_threads(threads_, threads, [this](int part) { work(part); }, [this] { end(); });
  }
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  ~WorkerPool() { end(); }

  int parts() const { return static_cast<int>(threads_.size()) + 1; }

  // Calls job(part) for each part at once and waits for all; then throws what one of them threw.
  void run(const std::function<void(int part)>& job) {
    job_ = &job;
    error_ = nullptr;
    running_.store(static_cast<int>(threads_.size()), std::memory_order_relaxed);
    if (!threads_.empty()) begin_round(false);
    attempt(job, 0);
    wait(done_, [this] { return running_.load(std::memory_order_acquire) == 0; });
    if (error_) std::rethrow_exception(error_);
  }

 private:
  static constexpr std::chrono::microseconds kLookOut{50};
  static constexpr int kLooksBetweenClocks = 32;

  // The lock keeps a thread from falling asleep between its last look and the notice.
  void begin_round(bool ending) {
    {
      const std::lock_guard lock(mutex_);
      ending_ = ending;
      round_.fetch_add(1, std::memory_order_release);
    }
    wake_.notify_all();
  }

  void end() {
    begin_round(true);
    for (auto& thread : threads_) thread.join();
  }

  void work(int part) {
    for (std::uint32_t seen = 0;; ++seen) {
      wait(wake_, [&] { return round_.load(std::memory_order_acquire) != seen; });
      if (ending_) return;
      attempt(*job_, part);
      if (running_.fetch_sub(1, std::memory_order_acq_rel) > 1) continue;
      const std::lock_guard lock(mutex_);
      done_.notify_one();
    }
  }

  template <class Condition>
  void wait(std::condition_variable& changed, Condition&& condition) {
    if (condition()) return;
    const auto end = std::chrono::steady_clock::now() + kLookOut;
    do {
      for (int look = 0; look < kLooksBetweenClocks; ++look) {
        if (condition()) return;
        pause();
      }
      std::this_thread::yield();
    } while (std::chrono::steady_clock::now() < end);
    std::unique_lock lock(mutex_);
    changed.wait(lock, condition);
  }

  // Leaves the core to whatever shares it for a moment.
  static void pause() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  void attempt(const std::function<void(int)>& job, int part) {
    try {
      job(part);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
  }

  alignas(64) std::atomic<std::uint32_t> round_{0};  // what waits looks at its own line alone
  alignas(64) std::atomic<int> running_{0};
  alignas(64) std::mutex mutex_;
  std::condition_variable wake_, done_;
  const std::function<void(int)>* job_ = nullptr;
  std::exception_ptr error_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace rlscout
