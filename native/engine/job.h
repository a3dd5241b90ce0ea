// One long call on a thread of its own: started, polled, stopped, waited for.
#pragma once

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <utility>

namespace rlscout {

class Job {
 public:
  ~Job() { join(); }

  bool running() const {
    std::lock_guard lock(mutex_);
    return running_;
  }

  // Throws std::logic_error while another runs, std::invalid_argument where its thread cannot be started: no job runs then.
  void start(std::function<void()> work) {
    if (running()) throw std::logic_error("a job is running: wait for it or stop it first");
    join();
    const std::lock_guard starting(mutex_);  // the work ends after this
    error_ = nullptr;
    auto attempt = [this, work = std::move(work)] {
      std::exception_ptr error;
      try {
        work();
      } catch (...) {
        error = std::current_exception();
      }
      std::lock_guard lock(mutex_);
      error_ = error;
      running_ = false;
      ended_.notify_all();
    };
    try {
      thread_ = std::thread(std::move(attempt));
    } catch (const std::exception& error) {
      error_ = std::make_exception_ptr(
          std::invalid_argument(std::string("the thread of the job cannot be started: ") + error.what()));
      std::rethrow_exception(error_);
    }
    running_ = true;
  }

  // True when the work has ended; rethrows what it threw, as often as it is asked.
  bool wait(double seconds) {
    std::unique_lock lock(mutex_);
    const bool done =
        ended_.wait_for(lock, std::chrono::duration<double>(std::min(seconds, kForever)), [this] { return !running_; });
    if (error_) std::rethrow_exception(error_);
    return done;
  }

 private:
  static constexpr double kForever = 1e8;  // seconds; more would overflow the clock

  void join() {
    if (thread_.joinable()) thread_.join();
  }

  mutable std::mutex mutex_;
  std::condition_variable ended_;
  std::thread thread_;
  std::exception_ptr error_;
  bool running_ = false;
};

}  // namespace rlscout
