// Splits: the replies of one node, shared between threads ("young brothers wait", R. Feldmann, 1993: the eldest was searched
// alone and did not settle the node). The owner of a split works on it like its helpers, then waits for them and, meanwhile,
// helps at splits below its own, so that no thread waits for work that nobody does.
//
// One mutex guards every split: splits are large (many thousand nodes a reply), so it is rarely contended.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>
#include <vector>

#include "core/game.h"
#include "core/start_threads.h"

namespace rlscout {

template <class Node, class ChildList>
struct Split {
  Split(const Split* outer, const ChildList& list, int claim, int at_ply, int at_empties, int best_so_far, Move move)
      : parent(outer),
        children(list),
        bound(claim),
        ply(at_ply),
        empties(at_empties),
        best(best_so_far),
        best_move(move) {}

  const Split* const parent;  // the split its owner was working in
  const ChildList& children;
  const int bound, ply, empties;
  std::atomic<bool> cut{false};  // settled: everyone below unwinds

  // Guarded by the pool.
  std::uint8_t order[256];
  int size = 0, next = 0;  // order[next .. size) is not begun
  int helpers = 0;         // threads inside, its owner apart
  int best;
  Move best_move;

  bool has_work() const { return next < size && !cut.load(std::memory_order_relaxed); }
};

template <class Node, class ChildList>
class SplitPool {
  using SplitPoint = Split<Node, ChildList>;
  using ChildOf = std::remove_cvref_t<decltype(std::declval<ChildList>().items[0])>;

 public:
  explicit SplitPool(int threads) : count_(threads) {}

  // Starts helper threads 1 .. threads - 1, each running serve(index) until close(). Throws std::invalid_argument where the system
  // grants fewer; the pool is closed then.
  template <class Serve>
  void open(Serve serve) {
    closed_ = false;
    start_threads(threads_, count_, serve, [this] { close(); });
  }
  void close() {
    {
      std::lock_guard lock(mutex_);
      closed_ = true;
    }
    changed_.notify_all();
    for (auto& thread : threads_) thread.join();
    threads_.clear();
  }

  bool has_idle() const { return idle_.load(std::memory_order_relaxed) > 0; }

  // The open split nearest the root, entered as a helper; null when the pool closes.
  SplitPoint* wait_for_work() {
    std::unique_lock lock(mutex_);
    ++idle_;
    SplitPoint* split = nullptr;
    changed_.wait(lock, [&] { return closed_ || (split = largest(nullptr)) != nullptr; });
    --idle_;
    if (closed_) return nullptr;
    ++split->helpers;
    return split;
  }

  void publish(SplitPoint& split) {
    {
      std::lock_guard lock(mutex_);
      open_.push_back(&split);
    }
    changed_.notify_all();
  }

  // By the owner, when no reply is left: closes the split and waits for its helpers. Returns a split below it to help at, or
  // null once all have left.
  SplitPoint* withdraw(SplitPoint& split) {
    std::unique_lock lock(mutex_);
    std::erase(open_, &split);
    SplitPoint* below = nullptr;
    ++idle_;  // so that the helpers share what they work on
    changed_.wait(lock, [&] { return split.helpers == 0 || (below = largest(&split)) != nullptr; });
    --idle_;
    if (split.helpers == 0) return nullptr;
    ++below->helpers;
    return below;
  }

  // The next reply to search, null when none is left to this thread.
  const ChildOf* take(SplitPoint& split, bool interrupted) {
    std::lock_guard lock(mutex_);
    if (interrupted || !split.has_work()) return nullptr;
    return &split.children.items[split.order[split.next++]];
  }

  // The value of a reply for the side to move at the split; nothing where its search was interrupted.
  void finish(SplitPoint& split, const ChildOf& child, int value, bool interrupted) {
    if (interrupted) return;
    std::lock_guard lock(mutex_);
    if (value > split.best) split.best = value, split.best_move = child.move;
    if (split.best >= split.bound) split.cut.store(true, std::memory_order_relaxed);
  }

  // By a helper: the split may be gone when this returns.
  void leave(SplitPoint& split) {
    {
      std::lock_guard lock(mutex_);
      --split.helpers;
    }
    changed_.notify_all();
  }

 private:
  // The open split with work and most empties, below `ancestor` where one is given.
  SplitPoint* largest(const SplitPoint* ancestor) const {
    SplitPoint* found = nullptr;
    for (SplitPoint* split : open_)
      if (split->has_work() && (found == nullptr || split->empties > found->empties) &&
          (ancestor == nullptr || descends(split, ancestor)))
        found = split;
    return found;
  }
  static bool descends(const SplitPoint* split, const SplitPoint* ancestor) {
    for (; split != nullptr; split = split->parent)
      if (split == ancestor) return true;
    return false;
  }

  const int count_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<SplitPoint*> open_;
  std::vector<std::thread> threads_;
  std::atomic<int> idle_{0};
  bool closed_ = false;
};

}  // namespace rlscout
