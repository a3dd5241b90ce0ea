// Many games at once, one leaf a tree and round: gather() takes the leaves of many trees, scatter() brings the answers.
//
// The slots are dealt out to the threads once and for all; a thread walks down several trees in turn, so that one
// tree's memory arrives while another is served. No thread ever waits for another inside a round.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>
#include <memory>
#include <mutex>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "core/game.h"
#include "core/worker_pool.h"
#include "search/game_slot.h"
#include "search/search_options.h"

namespace rlscout {

template <Game G>
class BatchedSearch {
 public:
  using Slot = GameSlot<G>;
  using State = typename Slot::State;

  BatchedSearch(const G& game, const SearchOptions& options)
      : shared_(game, options), pool_(std::min(options.threads, options.games)) {
    slots_.reserve(static_cast<std::size_t>(options.games));
    for (int slot = 0; slot < options.games; ++slot) slots_.emplace_back(shared_);
    const auto parts = static_cast<std::size_t>(pool_.parts());
    const auto squares = static_cast<std::size_t>(game.columns() * game.rows());
    const auto entries = static_cast<std::size_t>(options.cache) / parts;
    for (std::size_t part = 0; part < parts; ++part)
      places_.push_back({Slot::new_tree(shared_), AnswerCache<G>(entries, squares)});
    if (options.mode != SearchMode::kAnalysis)
      for (auto& slot : slots_) slot.begin_next_game();
  }

  // Mode kAnalysis: a search on each of these, from anew; a move must be due in each.
  void set_positions(std::span<const typename G::Position> positions) {
    for (auto& given : given_) given.clear();
    roots_ = positions.size();
    for (std::size_t i = 0; i < roots_; ++i)
      slots_[i].begin_analysis(positions[i], shared_.options.first_game + static_cast<std::int64_t>(i));
  }

  // Searches on until every game waits for a network or `seconds` have passed; then gives out up to `capacity` leaves
  // of `player`, packed, and returns how many.
  std::size_t gather(int player, std::size_t capacity, std::uint64_t* positions, std::uint64_t* legal, double seconds) {
    auto& given = given_[player];
    if (!given.empty())
      throw std::invalid_argument("gather of player " + std::to_string(player) + " before scatter: " +
                                  std::to_string(given.size()) + " leaves still wait for their answers");
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    given_before_forgetting_[player] = false;
    pool_.run([&](int part) { advance(part, deadline); });
    for (std::size_t i = 0; i < slots_.size() && given.size() < capacity; ++i)
      if (slots_[i].state() == State::kLeafWaits && slots_[i].player() == player) given.push_back(i);
    for_each_given(player, [&](Slot& slot, std::size_t row, int) {
      slot.give_leaf(positions + row * 2 * G::kWords, legal + row * G::kWords);
    });
    return given.size();
  }

  std::size_t leaves_given(int player) const { return given_[player].size(); }

  // The answers to the last gather of `player`, row by row: policy [n, S] of floats or halves, value [n]. Nothing changes where
  // one is faulty.
  template <class Weight>
  void scatter(int player, const Weight* policy, const float* value) {
    const std::size_t squares = static_cast<std::size_t>(shared_.game.columns() * shared_.game.rows());
    for_each_given(player, [&](Slot& slot, std::size_t row, int) {
      if (const std::string fault = slot.fault(policy + row * squares, value[row]); !fault.empty())
        throw std::invalid_argument("row " + std::to_string(row) + " has " + fault);
    });
    const bool keep = !given_before_forgetting_[player];
    for_each_given(player, [&](Slot& slot, std::size_t row, int part) {
      slot.answer(policy + row * squares, value[row], places_[static_cast<std::size_t>(part)], keep);
    });
    given_[player].clear();
  }

  // Another network answers from now on: what is kept of the old one goes, and what is still out is not kept.
  void forget_answers() {
    for (auto& place : places_) place.answers.forget();
    for (bool& before : given_before_forgetting_) before = true;
  }

  // Games finished since the last call, by number.
  FinishedGames take_games() {
    std::vector<FinishedGames> games;
    {
      const std::lock_guard lock(shared_.finished_mutex);
      games.swap(shared_.finished);
    }
    std::sort(games.begin(), games.end(), [](const auto& a, const auto& b) { return a.game[0] < b.game[0]; });
    FinishedGames all;
    for (const auto& game : games) all.append(game);
    return all;
  }

  RootStatistics root_statistics() const {
    const std::size_t squares = static_cast<std::size_t>(shared_.game.columns() * shared_.game.rows());
    RootStatistics all;
    all.visits.resize(roots_ * squares);
    all.prior.resize(roots_ * squares);
    all.value.resize(roots_ * squares, std::numeric_limits<float>::quiet_NaN());
    for (std::size_t i = 0; i < roots_; ++i) {
      const auto& tree = slots_[i].trees()[0];
      all.root_value.push_back(tree.root_value());
      if (!tree.has_root()) continue;
      for (const RootMove& move : tree.root_moves()) {
        const std::size_t at = i * squares + static_cast<std::size_t>(shared_.game.square(move.move));
        all.visits[at] = move.visits;
        all.prior[at] = move.prior;
        if (move.visits > 0) all.value[at] = move.value;
      }
    }
    return all;
  }

  bool finished() const {
    return std::all_of(slots_.begin(), slots_.end(), [](const Slot& slot) { return slot.state() == State::kIdle; });
  }

  SearchCounters counters() const {
    SearchCounters all;
    for (const auto& slot : slots_) {
      const SearchCounters& one = slot.counters();
      all.simulations += one.simulations;
      all.evaluations += one.evaluations;
      all.known += one.known;
      all.rollouts += one.rollouts;
      all.moves += one.moves;
      all.games += one.games;
      for (const auto& tree : slot.trees()) add_memory(all, tree);
    }
    for (const auto& place : places_) add_memory(all, place.scratch);
    return all;
  }

 private:
  using Deadline = std::chrono::time_point<std::chrono::steady_clock, std::chrono::duration<double>>;
  static constexpr std::size_t kTogether = 16;  // trees walked in turn
  static constexpr int kStepsBetweenClocks = 4096;

  std::size_t first_slot(int part) const {
    return slots_.size() * static_cast<std::size_t>(part) / static_cast<std::size_t>(pool_.parts());
  }

  void advance(int part, Deadline deadline) {
    const auto& players = shared_.options.players;
    if (std::count(players.begin(), players.end(), Player::kNetwork) == 0)
      play_rollouts(part, deadline);
    else
      walk_to_leaves(part, deadline);
  }

  // Without a network no game ever waits: each has its turn with the cache to itself.
  void play_rollouts(int part, Deadline deadline) {
    for (bool left = true; left;) {
      left = false;
      for (std::size_t i = first_slot(part); i < first_slot(part + 1); ++i) {
        int steps = kStepsBetweenClocks;
        while (steps > 0 && slots_[i].state() == State::kSearching)
          slots_[i].step(places_[static_cast<std::size_t>(part)]), --steps;
        left |= slots_[i].state() == State::kSearching;
        if (std::chrono::steady_clock::now() >= deadline) return;
      }
    }
  }

  // Walks down kTogether trees at once, one ply each in turn; where a walk ends with a leaf, the next tree comes in.
  void walk_to_leaves(int part, Deadline deadline) {
    Slot* walking[kTogether];
    std::size_t count = 0, next = first_slot(part);
    const std::size_t end = first_slot(part + 1);
    for (int steps = 1;; ++steps) {
      for (; count < kTogether && next < end; ++next)
        if (slots_[next].state() == State::kSearching) (walking[count++] = &slots_[next])->prefetch();
      if (count == 0) return;
      for (std::size_t i = 0; i < count; ++i) walking[i]->prefetch_children();
      std::size_t going_on = 0;
      for (std::size_t i = 0; i < count; ++i)
        if (walking[i]->step(places_[static_cast<std::size_t>(part)])) walking[going_on++] = walking[i];
      count = going_on;
      if (steps % kStepsBetweenClocks == 0 && std::chrono::steady_clock::now() >= deadline) return;
    }
  }

  // Calls visit(slot, row, part) for each leaf given out, each on the thread of its slot.
  template <class Visit>
  void for_each_given(int player, Visit&& visit) {
    const auto& given = given_[player];
    pool_.run([&](int part) {
      auto row = std::lower_bound(given.begin(), given.end(), first_slot(part));
      const auto end = std::lower_bound(row, given.end(), first_slot(part + 1));
      for (; row != end; ++row) visit(slots_[*row], static_cast<std::size_t>(row - given.begin()), part);
    });
  }

  static void add_memory(SearchCounters& counters, const Tree<G>& tree) {
    counters.nodes += static_cast<std::int64_t>(tree.nodes());
    counters.tree_bytes += static_cast<std::int64_t>(tree.bytes());
  }

  SearchShared<G> shared_;
  WorkerPool pool_;
  std::vector<Slot> slots_;
  std::vector<Workplace<G>> places_;   // one a thread
  std::vector<std::size_t> given_[2];  // by player: slots whose leaves are out, ascending
  bool given_before_forgetting_[2] = {};
  std::size_t roots_ = 0;  // of the analysis
};

}  // namespace rlscout
