// A few threads that do the same job on different parts, again and again.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace rlscout {

class WorkerPool {
 public:
  // The caller of run() is one of the `threads`.
  explicit WorkerPool(int threads) {
    for (int part = 1; part < threads; ++part) threads_.emplace_back([this, part] { work(part); });
  }
  WorkerPool(const WorkerPool&) = delete;
  WorkerPool& operator=(const WorkerPool&) = delete;
  ~WorkerPool() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wake_.notify_all();
    for (auto& thread : threads_) thread.join();
  }

  int parts() const { return static_cast<int>(threads_.size()) + 1; }

  // Calls job(part) for each part at once and waits for all; then throws what one of them threw.
  void run(const std::function<void(int part)>& job) {
    {
      const std::lock_guard lock(mutex_);
      job_ = &job;
      error_ = nullptr;
      running_ = static_cast<int>(threads_.size());
      ++round_;
    }
    wake_.notify_all();
    attempt(job, 0);
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return running_ == 0; });
    if (error_) std::rethrow_exception(error_);
  }

 private:
  void work(int part) {
    std::uint64_t seen = 0;
    for (;;) {
      const std::function<void(int)>* job;
      {
        std::unique_lock lock(mutex_);
        wake_.wait(lock, [&] { return ending_ || round_ != seen; });
        if (ending_) return;
        seen = round_;
        job = job_;
      }
      attempt(*job, part);
      const std::lock_guard lock(mutex_);
      if (--running_ == 0) done_.notify_one();
    }
  }

  void attempt(const std::function<void(int)>& job, int part) {
    try {
      job(part);
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
  }

  std::mutex mutex_;
  std::condition_variable wake_, done_;
  const std::function<void(int)>* job_ = nullptr;
  std::exception_ptr error_;
  std::uint64_t round_ = 0;
  int running_ = 0;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace rlscout
