// Null-window alpha-beta over an exact transposition table: one prover for every game.
//
// A null window is a claim, score >= bound; the score itself is found claim by claim (score.h). What a game knows of itself
// (order, bounds by rule, the last few empties, symmetry) comes through SearchTraits; threads share subtrees by splits.
//
// Contract of every bound v that a search of a node for `bound` returns (fail-soft):
//     v >= bound   =>  score(node) >= v, and the best move of the node reaches v
//     v <  bound   =>  score(node) <= v
// The only other way out is an interruption (a limit, a missing hint, a cut in a split above): then the value means nothing,
// is stored nowhere, and every frame returns at once.
#pragma once

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdint>
#include <exception>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "core/game.h"
#include "core/hash.h"
#include "search/claim.h"
#include "search/hints.h"
#include "search/limits.h"
#include "search/samples.h"
#include "search/search_traits.h"
#include "search/split.h"
#include "search/transposition_table.h"
#include "search/wanted.h"

namespace rlscout {

enum class Ordering : std::uint8_t { kStatic, kRandom };

struct AlphaBetaOptions {
  int table_mb = 64;
  int threads = 1;
  Ordering ordering = Ordering::kStatic;
  std::uint64_t seed = 0;  // of the random order
  int hint_ply = 0;        // positions from the root to this ply wait for hints; 0: none does
  bool statistics = false;
  int samples = 0;  // positions kept for each number of empties, by each thread
};

struct PlyStatistics {
  std::uint64_t nodes = 0, cut_nodes = 0, first_cuts = 0;  // nodes inside a leaf routine count where it was entered
};

// How far the claim under work has come, readable from any thread.
struct SearchProgress {
  std::atomic<int> ply{0};        // of the move last completed nearest the root
  std::atomic<double> done{0.0};  // rough share of the tree, 0 to 1
};

template <Game G>
class AlphaBeta {
  using Traits = SearchTraits<G>;
  static_assert(SearchTraitsOf<Traits, G>);
  using Node = typename Traits::Node;
  using ChildList = typename Traits::ChildList;
  using Key = TableKey<Traits::kKeyWords>;

 public:
  using Position = typename G::Position;

  using Knowledge = typename Traits::Knowledge;

  AlphaBeta(const G& game, const AlphaBetaOptions& options, Knowledge knowledge = {})
      : game_(game),
        options_(options),
        knowledge_(std::move(knowledge)),
        table_(options.table_mb),
        hints_(game),
        pool_(options.threads) {
    wait_for_hints(true);
    for (int i = 0; i < options.threads; ++i) workers_.push_back(std::make_unique<Worker>(*this));
  }

  const G& game() const { return game_; }
  int score_step() const { return workers_[0]->traits_.score_step(); }

  // What the score of a position may be, by what the traits know; 0 where they know nothing.
  int guess(const Position& position) {
    Worker& main = *workers_[0];
    if constexpr (requires { main.traits_.guess(main.traits_.node(position), main.counters_); })
      return main.traits_.guess(main.traits_.node(position), main.counters_);
    else
      return 0;
  }

  // Counts into `budget`; kUnknown when it ends first or when hints are missing (then wanted() is not empty). What a thread of the
  // search throws ends the proof and is thrown from here; the next proof works.
  Proof prove(const Claim<G>& claim, Budget& budget) {
    budget_ = &budget;
    halt_ = budget.ended();
    root_ = claim;
    wanted_.clear();
    Worker& main = *workers_[0];
    const int bound = round_up(claim.bound);
    pool_.open([this](int helper) { workers_[static_cast<std::size_t>(helper)]->serve(); });
    const int value = guarded([&] { return main.search_root(claim.position, bound); });
    pool_.close();
    for (auto& worker : workers_) worker->report();
    if (error_) std::rethrow_exception(std::exchange(error_, nullptr));
    if (halt_) return {};
    return {value >= bound ? Verdict::kProved : Verdict::kDisproved, value, main.root_move_};
  }

  // What the table knows of a position or of its images under symmetry; the move is the position's own.
  std::optional<TableEntry> known(const Position& position) const {
    const Traits& traits = workers_[0]->traits_;
    const auto probe = [&](const Slot& slot) {
      auto entry = table_.probe(slot.key);
      if (entry) entry->move = unfold(entry->move, slot.symmetry);
      return entry;
    };
    const Node node = traits.node(position);
    if (traits.empties(node) >= traits.fold_empties()) return probe(slot_of(traits, node));
    std::optional<TableEntry> best;
    for (int symmetry = 0; symmetry < game_.symmetries(); ++symmetry) {
      auto entry = probe({traits.table_key(game_.transform(position, symmetry)), symmetry});
      if (!entry) continue;
      if (best) merge(*entry, *best);
      best = entry;
    }
    return best;
  }

  // From now on what the table holds is the first to be replaced: for a new question, or a smaller one.
  void age_table() { table_.new_generation(); }

  // What is known of positions, to be kept or brought back.
  TranspositionTable<Traits::kKeyWords>& table() { return table_; }
  const TranspositionTable<Traits::kKeyWords>& table() const { return table_; }

  // Forgets what the tables hold: the next proof takes as many nodes as if it were the first.
  void clear_tables() {
    table_.clear();
    for (auto& worker : workers_) worker->clear_table();
  }

  // Forgets tables, hints, samples and counters.
  void reset() {
    table_.clear();
    hints_.clear();
    for (auto& worker : workers_) worker = std::make_unique<Worker>(*this);
  }

  // Whether positions near the root wait for hints (the start), or are ordered without where there are none.
  void wait_for_hints(bool wait) { hint_ply_ = wait && options_.hint_ply > 0 ? options_.hint_ply : -1; }

  // Hints, and the positions (canonical) whose lack ended the last proof.
  HintMap<G>& hints() { return hints_; }
  const std::vector<Position>& wanted() const { return wanted_; }

  const SearchProgress& progress() const { return progress_; }
  Counters counters() const {
    Counters total;
    for (const auto& worker : workers_)
      total.nodes += worker->counters_.nodes, total.evaluations += worker->counters_.evaluations;
    return total;
  }
  // Positions that were considered as replies, sampled by number of empties since the last reset.
  std::vector<Position> samples() const {
    std::vector<Position> all;
    for (const auto& worker : workers_) worker->samples_.append_to(all);
    return all;
  }
  // By ply below the claim's position, [max_plies + 1]; empty without statistics.
  std::vector<PlyStatistics> statistics() const {
    std::vector<PlyStatistics> total(workers_[0]->plies_.size());
    for (const auto& worker : workers_)
      for (std::size_t ply = 0; ply < total.size(); ++ply) {
        total[ply].nodes += worker->plies_[ply].nodes;
        total[ply].cut_nodes += worker->plies_[ply].cut_nodes;
        total[ply].first_cuts += worker->plies_[ply].first_cuts;
      }
    return total;
  }

 private:
  // Where a position is kept: its words, folded by symmetry near the root.
  struct Slot {
    Key key;
    int symmetry;  // leads from the position to the one stored
  };

  Slot slot_of(const Traits& traits, const Node& node) const {
    if (traits.empties(node) < traits.fold_empties()) return {traits.table_key(node.position), 0};
    const auto least = canonical(game_, node.position);
    return {traits.table_key(least.position), least.symmetry};
  }
  Move fold(Move move, int symmetry) const { return move < 0 ? move : game_.transform(move, symmetry); }
  // The inverse: the symmetries are flips and a transposition, so the inverse is found among them.
  Move unfold(Move move, int symmetry) const {
    if (move < 0 || symmetry == 0) return move;
    for (int inverse = 0; inverse < game_.symmetries(); ++inverse)
      if (game_.transform(game_.transform(move, inverse), symmetry) == move) return game_.transform(move, inverse);
    return kNoMove;
  }
  // The least score that is possible and not below `bound`.
  int round_up(int bound) const {
    const int step = score_step();
    while ((bound + game_.max_score()) % step != 0) ++bound;
    return bound;
  }

  // The value of a part of the search, by any thread. What it throws is kept and ends the search: a helper has nobody to throw to, and
  // other threads may be inside a split of the thread that throws.
  template <class Part>
  int guarded(Part&& part) {
    try {
      return part();
    } catch (...) {
      const std::lock_guard lock(error_mutex_);
      if (!error_) error_ = std::current_exception();
      halt_ = true;
      return 0;
    }
  }

  class Worker;

  G game_;
  AlphaBetaOptions options_;
  Knowledge knowledge_;
  TranspositionTable<Traits::kKeyWords> table_;
  HintMap<G> hints_;
  SplitPool<Node, ChildList> pool_;
  std::vector<std::unique_ptr<Worker>> workers_;
  Claim<G> root_{};
  Budget* budget_ = nullptr;
  int hint_ply_;                   // the deepest ply that waits for hints, -1: none does
  std::atomic<bool> halt_{false};  // a limit was met, a hint is missing, or a thread has thrown
  std::mutex error_mutex_;
  std::exception_ptr error_;  // the first that a thread of the proof threw
  SearchProgress progress_;
  std::vector<Position> wanted_;  // written by the thread that raised halt_, read when all have ended
};

// One thread of the search: the recursion, and what it needs for itself.
template <Game G>
class AlphaBeta<G>::Worker {
 public:
  explicit Worker(AlphaBeta& shared)
      : traits_(shared.game_, shared.knowledge_),
        samples_(shared.game_.columns() * shared.game_.rows(), shared.options_.samples, shared.options_.seed),
        shared_(shared),
        local_(Traits::kLocalEmpties),
        step_(traits_.score_step()) {
    if (shared.options_.statistics) plies_.resize(static_cast<std::size_t>(shared.game_.max_plies()) + 1);
  }

  int search_root(const Position& position, int bound) {
    const Node root = traits_.node(position);
    root_move_ = kNoMove;
    done_begin_[0] = 0.0, done_width_[0] = 1.0;
    main_ = true;
    // A root of few empties is searched as any other, so that it has a move.
    if constexpr (Traits::kLocalEmpties > 0)
      if (traits_.empties(root) <= Traits::kLocalEmpties) return search<false>(root, bound, 0);
    return search<true>(root, bound, 0);
  }

  // As a helper: work on the splits of others until the pool closes.
  void serve() {
    while (auto* split = shared_.pool_.wait_for_work()) help(*split);
  }

  void clear_table() {
    local_.clear();
    if constexpr (requires { traits_.forget(); }) traits_.forget();
  }

  // Tells the budget of the nodes since the last report.
  void report() {
    if (!shared_.budget_->spend(counters_.nodes - reported_)) shared_.halt_ = true;
    reported_ = counters_.nodes;
  }

  Traits traits_;
  Counters counters_;
  std::vector<PlyStatistics> plies_;
  Samples<G> samples_;
  Move root_move_ = kNoMove;

 private:
  using SplitPoint = Split<Node, ChildList>;
  static constexpr std::uint64_t kReportNodes = 4096;
  static constexpr int kProgressPlies = 6;

  // kShared: the node and its kin live in the shared table, may be split, hinted and interrupted. Otherwise the subtree is
  // small: it runs to its end, over the tables of this thread.
  template <bool kShared>
  int search(const Node& node, int bound, int ply) {
    // 1. Small subtrees, finished games and passes.
    const int empties = traits_.empties(node);
    if constexpr (kShared) {
      if constexpr (Traits::kLocalEmpties > 0)
        if (empties <= Traits::kLocalEmpties) return search<false>(node, bound, ply);
      if (counters_.nodes - reported_ >= kReportNodes) report();
      if (interrupted()) return 0;
    } else {
      if (empties <= Traits::kLeafEmpties && ply > 0) return leaf(node, bound, ply);
    }
    enter(ply);
    const Phase phase = traits_.phase(node);
    if (phase == Phase::kOver) return shared_.game_.score(node.position);
    if (phase == Phase::kPass) {
      if (ply == 0) root_move_ = kPass;
      return -search<kShared>(traits_.pass(node), step_ - bound, ply + 1);
    }

    // 2. What is known already, from the tables and by rule.
    const std::uint64_t nodes_before = counters_.nodes;
    Bounds bounds{-shared_.game_.max_score(), shared_.game_.max_score()};
    Move table_move = kNoMove;
    const Slot slot = kShared ? shared_.slot_of(traits_, node) : Slot{traits_.table_key(node.position), 0};
    if (const auto entry = kShared ? shared_.table_.probe(slot.key) : local_.probe(slot.key, empties)) {
      bounds = entry->bounds;
      table_move = shared_.unfold(entry->move, slot.symmetry);
      if (bounds.lower >= bound) {
        if (ply == 0) root_move_ = table_move;
        return bounds.lower;
      }
      if (bounds.upper < bound) return bounds.upper;
    }
    ChildList children;
    const Bounds rule = traits_.expand(node, bound, children);
    if (rule.lower >= bound) return rule.lower;
    if (rule.upper < bound) return rule.upper;
    if (samples_.wanted() && children.size > 1)
      samples_.offer(children.items[static_cast<std::size_t>(samples_.below(children.size))].node.position,
                     empties - 1);

    // 3. What the tables know of the replies, and the order of those that are left.
    int best = -std::numeric_limits<int>::max();
    Move best_move = kNoMove;
    if (empties >= Traits::kEnhancedEmpties)
      probe_replies(node, children, bound, best, best_move);
    else
      order(traits_, node, bound, children, counters_);
    if (best < bound) refine(traits_, node, bound, children, counters_);
    if constexpr (kShared)
      if (shared_.options_.hint_ply > 0 && ply <= shared_.options_.hint_ply && children.size > 1 &&
          !shared_.hints_.order(node.position, children, bound, order_bit(traits_, empties)) &&
          ply <= shared_.hint_ply_) {
        want(node.position);
        return 0;
      }
    if (shared_.options_.ordering == Ordering::kRandom) shuffle(children);
    Picker picker(children, table_move);

    // 4. The replies, best first; those after the first may go to other threads.
    for (int tried = 0; best < bound && picker.left() > 0; ++tried) {
      if constexpr (kShared)
        if (tried >= replies_before_split(traits_, node, bound) && picker.left() > 1 &&
            empties >= traits_.split_empties() && shared_.pool_.has_idle()) {
          share(children, picker, bound, ply, empties, best, best_move);
          if (interrupted()) return 0;
          break;
        }
      const int at = picker.take();
      const auto& child = children.items[static_cast<std::size_t>(at)];
      if constexpr (kShared) begin_child(ply, tried, tried + 1 + picker.left());
      const int value = -search<kShared>(child.node, step_ - bound, ply + 1);
      if constexpr (kShared) {
        if (interrupted()) return 0;
        end_child(ply);
      }
      if (value > best) best = value, best_move = child.move;
      if (best >= bound) count_cut(ply, tried);
    }

    // 5. The bound, kept for every later question about this position.
    // A move that reaches the lower bound proven before stays beside it: what fails low now reaches nothing.
    const bool witnessed = bounds.lower > -shared_.game_.max_score();
    const Move kept = best < bound && witnessed ? table_move : best_move;
    if (best >= bound)
      bounds.lower = std::max(bounds.lower, best);
    else
      bounds.upper = std::min(bounds.upper, best);
    if (ply == 0) root_move_ = best_move;
    const TableEntry entry{bounds, shared_.fold(kept, slot.symmetry), log2_of(counters_.nodes - nodes_before)};
    if constexpr (kShared)
      shared_.table_.store(slot.key, entry);
    else
      local_.store(slot.key, empties, entry);
    return best;
  }

  int leaf(const Node& node, int bound, int ply) {
    const std::uint64_t before = counters_.nodes;
    const int value = traits_.leaf(node, bound, counters_);
    if (!plies_.empty()) plies_[static_cast<std::size_t>(ply)].nodes += counters_.nodes - before;
    return value;
  }

  // Picks children in descending order; equals in the order of the list.
  class Picker {
   public:
    Picker(const ChildList& children, Move table_move) : size_(children.size) {
      for (int i = 0; i < size_; ++i) {
        const auto& child = children.items[static_cast<std::size_t>(i)];
        keys_[i] = key(child.move == table_move ? std::numeric_limits<std::int32_t>::max() : child.order, i);
      }
    }
    int left() const { return size_; }
    int take() {
      int at = 0;
      for (int i = 1; i < size_; ++i) at = keys_[i] > keys_[at] ? i : at;
      const int index = 255 - static_cast<int>(keys_[at] & 255);
      keys_[at] = keys_[--size_];
      return index;
    }

   private:
    static std::int64_t key(std::int32_t order, int index) { return std::int64_t{order} * 256 + (255 - index); }
    int size_;
    std::int64_t keys_[std::tuple_size_v<decltype(ChildList::items)>];
  };

  // Enhanced transposition cut-off (J. Schaeffer and A. Plaat, 1996): a reply known to be good enough ends the node, one
  // known to fail needs no search: neither is left among the children. The others are ordered while the lines of the shared table come.
  void probe_replies(const Node& node, ChildList& children, int bound, int& best, Move& best_move) {
    const int empties = traits_.empties(children.items[0].node);
    const bool local = empties <= Traits::kLocalEmpties;
    Key keys[std::tuple_size_v<decltype(ChildList::items)>];
    for (int i = 0; i < children.size; ++i) {
      const Node& child = children.items[static_cast<std::size_t>(i)].node;
      keys[i] = local ? traits_.table_key(child.position) : shared_.slot_of(traits_, child).key;
      if (!local) shared_.table_.prefetch(keys[i]);
    }
    order(traits_, node, bound, children, counters_);
    int left = 0;
    for (int i = 0; i < children.size; ++i) {
      const auto child = children.items[static_cast<std::size_t>(i)];
      if (const auto entry = local ? local_.probe(keys[i], empties) : shared_.table_.probe(keys[i])) {
        const bool proves = -entry->bounds.upper >= bound;
        const bool fails = -entry->bounds.lower < bound;
        const int value = proves ? -entry->bounds.upper : -entry->bounds.lower;
        if ((proves || fails) && value > best) best = value, best_move = child.move;
        if (proves || fails) continue;
      }
      children.items[static_cast<std::size_t>(left++)] = child;
    }
    children.size = left;
  }

  // Opens the replies that are left to the other threads and works on them too.
  void share(const ChildList& children, Picker& picker, int bound, int ply, int empties, int& best, Move& best_move) {
    SplitPoint split(split_, children, bound, ply, empties, best, best_move);
    while (picker.left() > 0) split.order[split.size++] = static_cast<std::uint8_t>(picker.take());
    shared_.pool_.publish(split);
    join(split);
    // While helpers are still inside, help them: only splits below this one, so that it ends as soon as it can.
    while (auto* below = shared_.pool_.withdraw(split)) help(*below);
    best = split.best, best_move = split.best_move;
    if (best >= bound) count_cut(ply, 1);
  }

  // Works on a split until none of its replies is left or one of them has settled it.
  void join(SplitPoint& split) {
    const SplitPoint* const outer = std::exchange(split_, &split);
    while (const auto* child = shared_.pool_.take(split, interrupted())) {
      const int value = -shared_.guarded([&] { return search<true>(child->node, step_ - split.bound, split.ply + 1); });
      shared_.pool_.finish(split, *child, value, interrupted());
    }
    split_ = outer;
  }

  void help(SplitPoint& split) {
    join(split);
    shared_.pool_.leave(split);
  }

  bool interrupted() const {
    if (shared_.halt_.load(std::memory_order_relaxed)) return true;
    for (const SplitPoint* split = split_; split != nullptr; split = split->parent)
      if (split->cut.load(std::memory_order_relaxed)) return true;
    return false;
  }

  void shuffle(ChildList& children) const {
    for (int i = 0; i < children.size; ++i) {
      auto& child = children.items[static_cast<std::size_t>(i)];
      child.order =
          static_cast<std::int32_t>(combine(shared_.options_.seed, shared_.game_.key(child.node.position)) >> 33);
    }
  }

  // Ends the search and lists positions that are likely to be asked for next, this one first.
  void want(const Position& position) {
    if (shared_.halt_.exchange(true)) return;
    const auto known = [this](const Position& at) { return shared_.known(at); };
    WantedWalk<G, decltype(known)> walk(shared_.game_, traits_, shared_.hints_, known, shared_.options_.hint_ply);
    shared_.wanted_ = walk.collect(shared_.root_, position);
  }

  void enter(int ply) {
    ++counters_.nodes;
    if (!plies_.empty()) ++plies_[static_cast<std::size_t>(ply)].nodes;
  }
  void count_cut(int ply, int tried) {
    if (plies_.empty()) return;
    ++plies_[static_cast<std::size_t>(ply)].cut_nodes;
    if (tried == 0) ++plies_[static_cast<std::size_t>(ply)].first_cuts;
  }
  void begin_child(int ply, int done, int all) {
    if (!main_ || ply >= kProgressPlies) return;
    done_width_[ply + 1] = done_width_[ply] / all;
    done_begin_[ply + 1] = done_begin_[ply] + done_width_[ply + 1] * done;
  }
  void end_child(int ply) {
    if (!main_ || ply >= kProgressPlies) return;
    shared_.progress_.ply.store(ply + 1, std::memory_order_relaxed);
    shared_.progress_.done.store(done_begin_[ply + 1] + done_width_[ply + 1], std::memory_order_relaxed);
  }
  static int log2_of(std::uint64_t nodes) { return std::bit_width(nodes | 1) - 1; }

  AlphaBeta& shared_;
  LocalTable<Traits::kKeyWords> local_;
  int step_;
  const SplitPoint* split_ = nullptr;  // the innermost split this thread works in
  std::uint64_t reported_ = 0;
  bool main_ = false;
  double done_begin_[kProgressPlies + 1]{}, done_width_[kProgressPlies + 1]{};
};

}  // namespace rlscout
