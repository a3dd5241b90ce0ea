// What may end a search early: nodes, seconds, a stop from outside. Ending early is a result, never an error.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <limits>

namespace rlscout {

struct Limits {
  std::uint64_t nodes = std::numeric_limits<std::uint64_t>::max();
  double seconds = std::numeric_limits<double>::infinity();
};

// The budget of one job, shared by its threads. Each thread reports the nodes it has entered every few thousand nodes and is
// told whether to go on; with one thread the node at which a limit of nodes ends the search is always the same.
class Budget {
 public:
  explicit Budget(Limits limits = {}) : limits_(limits), begin_(Clock::now()) {}

  // Adds the nodes entered since the caller's last report. False: unwind, what is not finished is unknown.
  bool spend(std::uint64_t nodes) {
    const std::uint64_t total = nodes_.fetch_add(nodes, std::memory_order_relaxed) + nodes;
    if (total >= limits_.nodes || seconds() >= limits_.seconds) exhausted_.store(true, std::memory_order_relaxed);
    return !ended();
  }

  // A request from another thread to end soon.
  void stop() { stopped_.store(true, std::memory_order_relaxed); }

  bool ended() const { return stopped() || exhausted_.load(std::memory_order_relaxed); }
  bool stopped() const { return stopped_.load(std::memory_order_relaxed); }
  std::uint64_t nodes() const { return nodes_.load(std::memory_order_relaxed); }
  double seconds() const { return std::chrono::duration<double>(Clock::now() - begin_).count(); }

 private:
  using Clock = std::chrono::steady_clock;

  Limits limits_;
  Clock::time_point begin_;
  std::atomic<std::uint64_t> nodes_{0};
  std::atomic<bool> exhausted_{false}, stopped_{false};
};

}  // namespace rlscout
