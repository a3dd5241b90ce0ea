// Many games at once, one leaf a tree and round: gather() takes the leaves of many trees, scatter() brings the answers.
//
// The slots are dealt out to the threads once and for all; a thread walks down several trees in turn, so that one
// tree's memory arrives while another is served. A tree that is answered walks on to its next leaf at once, while what it
// touched is near; gather() then finds the leaves written.
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

#include "core/arena.h"
#include "core/game.h"
#include "core/half.h"
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
    const auto slots = static_cast<std::size_t>(options.games), parts = static_cast<std::size_t>(pool_.parts());
    const std::size_t lines = Tree<G>::lines_for(game, options.simulations) * options.players.size();
    const std::size_t entries = static_cast<std::size_t>(options.cache) / parts;
    slots_.reserve(slots);
    parts_.reserve(parts);
    for (std::size_t i = 0; i < parts; ++i) {
      const std::size_t first = slots * i / parts, end = slots * (i + 1) / parts;
      Part& part = parts_.emplace_back(first, end, Arena((end - first) * lines), AnswerCache<G>(entries, squares()));
      for (std::size_t slot = first; slot < end; ++slot) slots_.emplace_back(shared_, part.place);
    }
    if (options.mode != SearchMode::kAnalysis)
      for (auto& slot : slots_) slot.begin_next_game();
    find_searching();
  }

  // Mode kAnalysis: a search on each of these, from anew; a move must be due in each.
  void set_positions(std::span<const typename G::Position> positions) {
    roots_ = positions.size();
    for (std::size_t i = 0; i < slots_.size(); ++i)
      if (i < roots_)
        slots_[i].begin_analysis(positions[i], shared_.options.first_game + static_cast<std::int64_t>(i));
      else
        slots_[i].rest();
    find_searching();
  }

  // Searches on until every game waits for a network or `seconds` have passed; then gives out up to `capacity` leaves
  // of `player`, packed, and returns how many.
  std::size_t gather(int player, std::size_t capacity, std::uint64_t* positions, std::uint64_t* legal, double seconds) {
    if (const std::size_t given = leaves_given(player); given > 0)
      throw std::invalid_argument("gather of player " + std::to_string(player) +
                                  " before scatter: " + std::to_string(given) + " leaves still wait for their answers");
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    given_before_forgetting_[player] = false;
    if (std::any_of(parts_.begin(), parts_.end(), [](const Part& part) { return !part.searching.empty(); }))
      run([&](Part& part) { advance(part, deadline); });
    const std::size_t given = share_out(player, capacity);
    run([&](Part& part) {
      const std::size_t row = part.row[player];
      part.waiting[player].give(part.given[player], positions + row * 2 * G::kWords, legal + row * G::kWords);
      part.place.counters.evaluations += static_cast<std::int64_t>(part.given[player].size());
    });
    return given;
  }

  std::size_t leaves_given(int player) const {
    std::size_t given = 0;
    for (const Part& part : parts_) given += part.given[player].size();
    return given;
  }

  // The answers to the last gather of `player`, row by row: policy [n, S] of floats or halves, value [n]. Nothing changes where
  // one is faulty.
  template <class Weight>
  void scatter(int player, const Weight* policy, const float* value) {
    run([&](Part& part) { find_fault(part, player, policy, value); });
    for (const Part& part : parts_)
      if (!part.fault.empty()) throw std::invalid_argument(part.fault);
    run([&](Part& part) { answer(part, player, policy, value); });
  }

  // Another network answers from now on: what is kept of the old one goes, and what is still out is not kept.
  void forget_answers() {
    for (auto& part : parts_) part.place.answers.forget();
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
    RootStatistics all;
    all.visits.resize(roots_ * squares());
    all.prior.resize(roots_ * squares());
    all.value.resize(roots_ * squares(), std::numeric_limits<float>::quiet_NaN());
    for (std::size_t i = 0; i < roots_; ++i) {
      const auto& tree = slots_[i].trees()[0];
      all.root_value.push_back(tree.root_value());
      if (!tree.has_root()) continue;
      for (const RootMove& move : tree.root_moves()) {
        const std::size_t at = i * squares() + static_cast<std::size_t>(shared_.game.square(move.move));
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
    for (const auto& part : parts_) {
      const SearchCounters& one = part.place.counters;
      all.simulations += one.simulations;
      all.evaluations += one.evaluations;
      all.known += one.known;
      all.rollouts += one.rollouts;
      all.moves += one.moves;
      all.games += one.games;
    }
    for (const auto& slot : slots_)
      for (const auto& tree : slot.trees()) {
        all.nodes += static_cast<std::int64_t>(tree.nodes());
        all.tree_bytes += static_cast<std::int64_t>(tree.bytes());
      }
    return all;
  }

  RepeatedNodes repeated_nodes() const {
    RepeatedNodes all;
    std::vector<typename G::Position> positions;
    for (const auto& slot : slots_)
      for (const auto& tree : slot.trees()) {
        positions.clear();
        tree.for_each_position(
            [&](const auto& position) { positions.push_back(canonical(shared_.game, position).position); });
        std::sort(positions.begin(), positions.end());
        all.nodes += static_cast<std::int64_t>(positions.size());
        all.repeated += positions.end() - std::unique(positions.begin(), positions.end());
      }
    return all;
  }

 private:
  using Deadline = std::chrono::time_point<std::chrono::steady_clock, std::chrono::duration<double>>;
  static constexpr std::size_t kTogether = 12;  // trees walked in turn
  static constexpr std::size_t kAhead = 4;  // answers between a request for memory and the next, which depends on it
  static constexpr std::size_t kEnoughRollouts = 32;  // to be played together
  static constexpr int kStepsBetweenClocks = 4096;
  static constexpr std::chrono::milliseconds kWalkOn{50};  // after answers, where further ones are known for ever
  static constexpr std::uint32_t kNoSlot = std::numeric_limits<std::uint32_t>::max();

  // Leaves written and not given out yet.
  struct Leaves {
    std::vector<std::uint32_t> slots;
    std::vector<std::uint64_t> positions, legal;

    void add(std::uint32_t number, const Slot& slot) {
      const std::size_t leaf = slots.size();
      slots.push_back(number);
      positions.resize((leaf + 1) * 2 * G::kWords);
      legal.resize((leaf + 1) * G::kWords);
      slot.write_leaf(&positions[leaf * 2 * G::kWords], &legal[leaf * G::kWords]);
    }

    // The first of them: as many as `given` has places, which it is told the slots of.
    void give(std::span<std::uint32_t> given, std::uint64_t* positions_to, std::uint64_t* legal_to) {
      const auto take = [count = given.size()](auto& from, auto* to, std::size_t width) {
        const auto end = from.begin() + static_cast<std::ptrdiff_t>(count * width);
        std::copy(from.begin(), end, to);
        from.erase(from.begin(), end);
      };
      take(slots, given.data(), 1);
      take(positions, positions_to, 2 * G::kWords);
      take(legal, legal_to, G::kWords);
    }

    void clear() { slots.clear(), positions.clear(), legal.clear(); }
  };

  // What one thread has: slots and their memory; where each slot stands that is not idle.
  struct alignas(64) Part {
    Part(std::size_t first_, std::size_t end_, Arena arena, AnswerCache<G> answers)
        : first(first_), end(end_), place{std::move(arena), std::move(answers)} {}

    std::size_t first, end;  // slots
    Workplace<G> place;
    std::vector<std::uint32_t> searching;
    std::vector<std::uint32_t> rollouts_due;  // whose leaves wait for a random game
    std::vector<Rollout<G>> rollouts;
    Leaves waiting[2];                    // by player
    std::vector<std::uint32_t> given[2];  // by player: whose leaves are out
    std::size_t row[2] = {};              // of the first of those in the batch
    std::string fault;                    // of an answer
  };

  std::size_t squares() const { return static_cast<std::size_t>(shared_.game.columns() * shared_.game.rows()); }

  template <class Job>
  void run(Job&& job) {
    pool_.run([&](int part) { job(parts_[static_cast<std::size_t>(part)]); });
  }

  bool has_player(Player kind) const {
    const auto& players = shared_.options.players;
    return std::find(players.begin(), players.end(), kind) != players.end();
  }

  // No leaf waits or is out: all begins.
  void find_searching() {
    for (Part& part : parts_) {
      for (auto& waiting : part.waiting) waiting.clear();
      for (auto& given : part.given) given.clear();
      part.searching.clear();
      for (std::size_t i = part.first; i < part.end; ++i)
        if (slots_[i].state() == State::kSearching) part.searching.push_back(static_cast<std::uint32_t>(i));
    }
  }

  // Decides which part gives out how many leaves, and in which rows: alike where there are more than `capacity`, which leaves
  // each thread its share of the work. Returns their number.
  std::size_t share_out(int player, std::size_t capacity) {
    std::size_t left = capacity, row = 0;
    for (std::size_t i = 0; i < parts_.size(); ++i) {
      const std::size_t waits = parts_[i].waiting[player].slots.size();
      const std::size_t given = std::min(waits, capacity * (i + 1) / parts_.size() - capacity * i / parts_.size());
      parts_[i].given[player].resize(given);
      left -= given;
    }
    for (Part& part : parts_) {
      auto& given = part.given[player];
      const std::size_t more = std::min(left, part.waiting[player].slots.size() - given.size());
      given.resize(given.size() + more);
      left -= more;
      part.row[player] = row;
      row += given.size();
    }
    return row;
  }

  void advance(Part& part, Deadline deadline) {
    std::vector<std::uint32_t> searching;
    std::size_t next = 0;
    walk_to_leaves(part, deadline, [&] {
      if (next == searching.size()) {  // rollouts may have brought more
        searching.clear();
        searching.swap(part.searching);
        next = 0;
        if (searching.empty()) return kNoSlot;
      }
      slots_[searching[next]].prefetch();
      return searching[next++];
    });
  }

  // Walks down kTogether trees at once, one ply each in turn; where a walk ends with a leaf, the slot that next() brings comes in.
  // Rollouts are played when it brings none and enough of them wait, or nothing else is left to do. All that is left when time is
  // up is put down to go on later.
  template <class Next>
  void walk_to_leaves(Part& part, Deadline deadline, Next&& next) {
    std::uint32_t walking[kTogether];
    std::size_t count = 0;
    const auto next_or_played = [&] {
      const std::uint32_t slot = next();
      if (slot != kNoSlot || part.rollouts_due.size() < (count == 0 ? 1 : kEnoughRollouts)) return slot;
      play_due(part);
      return next();
    };
    for (int steps = 1;; ++steps) {
      while (count < kTogether && (walking[count] = next_or_played()) != kNoSlot) ++count;
      if (count == 0) return;
      for (std::size_t i = 0; i < count; ++i) slots_[walking[i]].prefetch_children();
      std::size_t going_on = 0;
      for (std::size_t i = 0; i < count; ++i) {
        Slot& slot = slots_[walking[i]];
        if (slot.step())
          walking[going_on++] = walking[i];
        else if (slot.state() == State::kLeafWaits)
          part.waiting[slot.player()].add(walking[i], slot);
        else if (slot.state() == State::kRolloutWaits)
          part.rollouts_due.push_back(walking[i]);
      }
      count = going_on;
      if (steps % kStepsBetweenClocks == 0 && std::chrono::steady_clock::now() >= deadline) break;
    }
    play_due(part);
    std::vector<std::uint32_t> left(walking, walking + count);
    for (std::uint32_t slot = next(); slot != kNoSlot; slot = next()) left.push_back(slot);
    part.searching.insert(part.searching.end(), left.begin(), left.end());
  }

  // Plays the rollouts that wait; their games search on.
  void play_due(Part& part) {
    auto& due = part.rollouts_due;
    part.rollouts.clear();
    for (const std::uint32_t slot : due) part.rollouts.push_back(slots_[slot].rollout());
    play_rollouts(shared_.game, std::span(part.rollouts));
    for (std::size_t i = 0; i < due.size(); ++i) {
      if (i + kAhead < due.size()) slots_[due[i + kAhead]].prefetch_path();
      Slot& slot = slots_[due[i]];
      slot.take_score(part.rollouts[i].score);
      if (slot.state() == State::kSearching) part.searching.push_back(due[i]);
    }
    due.clear();
  }

  template <class Weight>
  void find_fault(Part& part, int player, const Weight* policy, const float* value) {
    part.fault.clear();
    const std::size_t begin = part.row[player], end = begin + part.given[player].size();
    if (surely_good(policy + begin * squares(), (end - begin) * squares()) &&
        std::all_of(value + begin, value + end, [](float v) { return v >= -1.0f && v <= 1.0f; }))
      return;
    for (std::size_t row = begin; row < end && part.fault.empty(); ++row)
      if (const std::string fault = slots_[part.given[player][row - begin]].fault(policy + row * squares(), value[row]);
          !fault.empty())
        part.fault = "row " + std::to_string(row) + " has " + fault;
  }

  // Backs the answers up, and walks on from each. Where a player's rollouts would follow, that is left to gather().
  template <class Weight>
  void answer(Part& part, int player, const Weight* policy, const float* value) {
    const auto given = std::exchange(part.given[player], {});
    const bool keep = !given_before_forgetting_[player];
    const std::size_t squares = this->squares();
    std::size_t i = 0;
    policy += part.row[player] * squares;
    value += part.row[player];
    const auto next = [&] {
      for (; i < given.size(); ++i) {
        if (i + 3 * kAhead < given.size()) slots_[given[i + 3 * kAhead]].prefetch_slot();
        if (i + 2 * kAhead < given.size()) slots_[given[i + 2 * kAhead]].prefetch_tree();
        if (i + kAhead < given.size()) slots_[given[i + kAhead]].prefetch_path();
        Slot& slot = slots_[given[i]];
        slot.answer(policy + i * squares, value[i], keep);
        if (slot.state() == State::kSearching) return given[i++];
      }
      return kNoSlot;
    };
    if (has_player(Player::kRollouts))
      for (std::uint32_t slot = next(); slot != kNoSlot; slot = next()) part.searching.push_back(slot);
    else
      walk_to_leaves(part, std::chrono::steady_clock::now() + kWalkOn, next);
  }

  SearchShared<G> shared_;
  WorkerPool pool_;
  std::vector<Part> parts_;  // one a thread
  std::vector<Slot> slots_;
  bool given_before_forgetting_[2] = {};
  std::size_t roots_ = 0;  // of the analysis
};

}  // namespace rlscout
