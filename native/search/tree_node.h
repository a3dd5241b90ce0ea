// What a tree of puct.h is made of, as it lies in memory: nodes with the priors of their moves, and their children in groups of
// four, which are compared as vectors.
//
//   node        | position | priors of its moves |                        a cache line, or more of them by quarters
//   groups      | header, 3 children | 4 children | 4 children | ...      one line each; lane 0 of the first is the header
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

#include "core/arena.h"
#include "core/game.h"
#include "search/prior.h"

namespace rlscout {

// Of the moves of a node without a child, the one with the greatest prior.
struct NextMove {
  PriorCode prior;
  std::uint8_t index;  // among the legal moves
};

struct alignas(64) ChildGroup {
  // In place of the first child of the first group. There too: value -infinity, the greatest prior without a child, the node.
  struct Header {
    std::uint8_t opened;      // children
    std::uint8_t next;        // index of the greatest prior without a child among the legal moves
    std::uint8_t moves;       // legal ones
    std::uint8_t size_class;  // of the block of groups
  };

  float value[4];  // mean, for the side to move at the parent; -infinity where there is no child
  std::int32_t visits[4];
  PriorCode prior[4];
  Move move[4];
  std::uint32_t node[4];  // what a child leads to, see puct.h

  static constexpr ChildGroup without_children() {
    constexpr float kWorst = -std::numeric_limits<float>::infinity();
    return {{kWorst, kWorst, kWorst, kWorst}, {}, {}, {}, {}};
  }

  // Of the first group.
  Header header() const { return std::bit_cast<Header>(visits[0]); }
  void set_header(Header header, NextMove next) {
    header.next = next.index;
    prior[0] = next.prior;
    visits[0] = std::bit_cast<std::int32_t>(header);
  }
};
static_assert(sizeof(ChildGroup) == sizeof(Arena::Line) && sizeof(ChildGroup::Header) == sizeof(std::int32_t));

struct BestChild {
  float score;
  int index;  // 1 and more: lane 0 is the header
};

// The child with the greatest mean + scale * prior / (1 + visits); of equals, the one opened first. Four at a time. The
// header, as a child, is worth -infinity, or is no number.
inline BestChild best_child(const ChildGroup* group, int opened, float scale) {
  using Floats = PriorVector;
  using Ints = std::int32_t __attribute__((vector_size(16)));
  constexpr float kLowest = -std::numeric_limits<float>::infinity();
  Floats best = {kLowest, kLowest, kLowest, kLowest};
  Ints best_index = {}, index = {0, 1, 2, 3};
  for (int left = opened + 1; left > 0; left -= 4, ++group, index += 4) {
    Floats value;
    Ints visits;
    PriorCodeVector codes;
    __builtin_memcpy(&value, group->value, sizeof(value));
    __builtin_memcpy(&visits, group->visits, sizeof(visits));
    __builtin_memcpy(&codes, group->prior, sizeof(codes));
    const Floats score = value + scale * decode_priors(codes) / __builtin_convertvector(visits + 1, Floats);
    const Ints better = score > best;
    best = better ? score : best;
    best_index = better ? index : best_index;
  }
  const auto across = [](Floats a, Floats b) { return a > b ? a : b; };
  Floats most = across(best, __builtin_shufflevector(best, best, 2, 3, 0, 1));
  most = across(most, __builtin_shufflevector(most, most, 1, 0, 3, 2));
  constexpr int kLast = std::numeric_limits<int>::max();
  Ints first = best == most ? best_index : Ints{kLast, kLast, kLast, kLast};
  const auto least = [](Ints a, Ints b) { return a < b ? a : b; };
  first = least(first, __builtin_shufflevector(first, first, 2, 3, 0, 1));
  first = least(first, __builtin_shufflevector(first, first, 1, 0, 3, 2));
  return {most[0], first[0]};
}

// The greatest of priors added four at a time; of equals, the first. Each is compared as one word: its code above, the
// complement of its index below.
class GreatestPrior {
 public:
  void add(PriorCodeVector four, int first) {
    constexpr Words kComplement = {0xffff, 0xfffe, 0xfffd, 0xfffc};
    const Words word = __builtin_convertvector(four, Words) << 16 | (kComplement - static_cast<std::uint32_t>(first));
    best_ = word > best_ ? word : best_;
  }
  NextMove next() const {
    const auto across = [](Words x, Words y) { return x > y ? x : y; };
    Words best = across(best_, __builtin_shufflevector(best_, best_, 2, 3, 0, 1));
    best = across(best, __builtin_shufflevector(best, best, 1, 0, 3, 2));
    return {static_cast<PriorCode>(best[0] >> 16), static_cast<std::uint8_t>(0xffffu - (best[0] & 0xffffu))};
  }

 private:
  using Words = std::uint32_t __attribute__((vector_size(16)));
  Words best_ = {};
};

template <class Position>
struct TreeNode {
  Position position;
  PriorCode next_prior;  // as it was made: the greatest prior; kTaken: see uniform()
  std::uint8_t next;     // and its index among the legal moves
  std::uint8_t moves;    // legal ones
  PriorCode priors_[2];  // the first; the others follow

  // Of a node with so many priors, of which there is room for a vector at least.
  static constexpr std::uint32_t quarters(std::size_t priors) {
    const std::size_t bytes = offsetof(TreeNode, priors_) + std::max<std::size_t>(priors, 4) * sizeof(PriorCode);
    return static_cast<std::uint32_t>((bytes + Arena::kQuarter - 1) / Arena::kQuarter);
  }

  // No priors are stored: all are alike, and moves are opened in order.
  bool uniform() const { return next_prior == kTaken; }
  PriorCode* priors() { return priors_; }
  const PriorCode* priors() const { return priors_; }
  PriorCode greatest_prior() const { return uniform() ? encode_prior(1.0f / static_cast<float>(moves)) : next_prior; }

  // Of a new node.
  void store_priors(std::span<const float> given) {
    GreatestPrior greatest;
    for_each_four(static_cast<int>(given.size()), [&](int first) {
      PriorVector four = {};
      if (given.size() >= 4)
        __builtin_memcpy(&four, given.data() + first, sizeof(four));
      else
        for (std::size_t lane = 0; lane < given.size(); ++lane) four[lane] = given[lane];
      const PriorCodeVector codes =
          kLanes < static_cast<PriorCode>(given.size()) ? encode_priors(four) : PriorCodeVector{};
      __builtin_memcpy(priors() + first, &codes, sizeof(codes));
      greatest.add(codes, first);
    });
    const NextMove found = greatest.next();
    next_prior = found.prior;
    next = found.index;
  }

  // The move to be opened next; the one of index `taken` has a child by now (-1: none has anew).
  NextMove next_move(int taken = -1) {
    GreatestPrior greatest;
    for_each_four(moves, [&](int first) {
      PriorCodeVector codes;
      __builtin_memcpy(&codes, priors() + first, sizeof(codes));
      greatest.add(kLanes == static_cast<PriorCode>(taken - first) ? PriorCodeVector{} : codes, first);
    });
    if (taken >= 0) priors()[taken] = kTaken;
    return greatest.next();
  }

 private:
  static constexpr PriorCodeVector kLanes = {0, 1, 2, 3};

  // Calls for the first of each four moves; the last four overlap those before, where there are more than four.
  template <class Each>
  static void for_each_four(int moves, Each&& each) {
    const int last = std::max(moves - 4, 0);
    for (int first = 0; first < last + 4; first += 4) each(std::min(first, last));
  }
};

}  // namespace rlscout
