// What Othello tells the search: who moves when, the order of moves, stable discs, the last four empties.
//
// Order: near the end few replies first; further up, where a pattern table is given, least *effective cost* first. The
// effective cost of a child, in bits, is the predicted log2 of its nodes plus a penalty for the chance that it does not do
// what it is tried for: penalty = log2(1 + e^(-kSlope * margin)) / kCostWeight, with the margin in discs between the child's
// predicted score and the claim. Higher up it is looked for two plies ahead: log2 of the sum over the opponent's moves of
// 2^(the least effective cost among our replies), for that is what a proof of the child has to pay.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <memory>

#include "games/othello/flips.h"
#include "games/othello/last_empties.h"
#include "games/othello/othello.h"
#include "games/othello/patterns.h"
#include "games/othello/stability.h"
#include "search/search_traits.h"

namespace rlscout {

template <int N>
class SearchTraits<othello::Othello<N>> {
  using Game = othello::Othello<N>;
  using Position = othello::Position;

 public:
  struct Node {
    Position position;
    std::uint64_t moves;  // legal moves of the side to move; not filled in at kLeafEmpties and below
  };
  // No game is known to reach more than 33 moves at once, but a position given by a user can have more.
  using ChildList = Children<Node, N * N>;

  static constexpr int kLeafEmpties = 4;
  static constexpr int kLocalEmpties = 8;
  static constexpr int kEnhancedEmpties = 7;
  // 6x6 and smaller boards leave room for the data beside both boards.
  static constexpr int kKeyWords = N == 8 ? 3 : 2;

  using Patterns = othello::Patterns<N>;
  using Knowledge = std::shared_ptr<const Patterns>;

  explicit SearchTraits(const Game& game, Knowledge patterns = nullptr)
      : game_(game), last_(game, score_step()), patterns_(std::move(patterns)) {}

  static Node node(const Position& p) { return {p, othello::mobility(p.own, p.opponent, Game::kBoard)}; }
  static Node pass(const Node& node) { return SearchTraits::node({node.position.opponent, node.position.own}); }
  static Phase phase(const Node& node) {
    if (node.moves != 0) return Phase::kMove;
    return othello::mobility(node.position.opponent, node.position.own, Game::kBoard) != 0 ? Phase::kPass
                                                                                           : Phase::kOver;
  }
  static int empties(const Node& node) { return Game::empties(node.position); }
  // With the empties to the winner every score is even, for the board is.
  int score_step() const { return game_.scoring() == othello::Scoring::kEmptiesToWinner ? 2 : 1; }
  static int fold_empties() { return N * N - 10; }
  static int split_empties() { return N == 8 ? 15 : 14; }

  static TableKey<kKeyWords> table_key(const Position& p) {
    // The frame of a smaller board starts at bit 9 or later and is 46 bits long: 46 + 18 bits, and 28 of the second board left.
    if constexpr (N == 8)
      return {p.own, p.opponent, 0};
    else
      return {p.own >> 9 | p.opponent >> 9 << 46, p.opponent >> 27 << kDataBits};
  }

  Bounds expand(const Node& node, int bound, ChildList& children, Counters& counters) {
    const auto [own, opponent] = node.position;
    const int empties = SearchTraits::empties(node);
    Bounds bounds{-N * N, N * N};
    if (bound > stability_bound(empties)) {
      bounds.upper = N * N - 2 * std::popcount(othello::stable_discs<N>(opponent, own));
      if (bounds.upper < bound) return bounds;
    }
    const std::uint64_t odd = othello::odd_quadrants(Game::kBoard & ~(own | opponent));
    const bool predicted = patterns_ != nullptr && empties >= kPatternEmpties && patterns_->has_stage(empties - 1);
    children.size = 0;
    for (std::uint64_t moves = node.moves; moves != 0; moves &= moves - 1) {
      auto& child = children.items[static_cast<std::size_t>(children.size++)];
      child.move = static_cast<Move>(std::countr_zero(moves));
      child.node = after(node, child.move);
      child.order = predicted ? -effective_cost(child.node, empties - 1, score_step() - bound, counters)
                              : order(child.node, std::uint64_t{1} << child.move, odd, empties);
    }
    if (predicted && empties >= kLookAheadEmpties && children.size > 1 && patterns_->has_stage(empties - 3))
      look_ahead(children, empties, score_step() - bound, counters);
    return bounds;
  }

  int leaf(const Node& node, int bound, Counters& counters) const {
    const auto [own, opponent] = node.position;
    return last_.solve(own, opponent, Game::kBoard & ~(own | opponent), bound, counters.nodes);
  }

 private:
  static constexpr std::uint64_t square(int row, int column) {
    return std::uint64_t{1} << (8 * (row + Game::kOffset) + column + Game::kOffset);
  }
  static constexpr std::uint64_t kCorners = square(0, 0) | square(0, N - 1) | square(N - 1, 0) | square(N - 1, N - 1);

  // Looking for stable discs costs more than it saves below this claim.
  static constexpr int stability_bound(int empties) {
    return empties <= 5 ? 4 : empties <= 8 ? 8 : empties <= 12 ? 12 : 16;
  }

  // Few replies first, corners and odd quadrants before others.
  static std::int32_t order(const Node& child, std::uint64_t disc, std::uint64_t odd, int empties) {
    const int replies = std::popcount(child.moves) + std::popcount(child.moves & kCorners);
    std::int32_t order = -kReplyWeight * replies;
    if ((disc & kCorners) != 0) order += kCornerWeight;
    if ((disc & odd) != 0) order += empties <= 12 ? kOddWeight : kOddWeight / 2;
    if (empties > 8) {
      // Empty squares next to our discs are moves the opponent may get later.
      const auto [own, opponent] = child.position;
      order -= kFrontierWeight * std::popcount(neighbours(opponent) & Game::kBoard & ~(own | opponent));
    }
    return order;
  }
  static Node after(const Node& node, Move move) {
    const auto [own, opponent] = node.position;
    const std::uint64_t turned = othello::flips(own, opponent, move), disc = std::uint64_t{1} << move;
    return SearchTraits::node({opponent ^ turned, own | turned | disc});
  }

  // Of proving that a node is below `claim`, in 1/kUnit bits.
  std::int32_t effective_cost(const Node& node, int empties, int claim, Counters& counters) const {
    ++counters.evaluations;
    const othello::Prediction predicted = patterns_->predict(node.position, node.moves, empties);
    // Half a step below the claim is the middle between what proves and what fails.
    const int margin = claim * kUnit - kUnit * score_step() / 2 - predicted.score;
    return predicted.cost + penalty(margin);
  }

  // Replaces the order of the most promising children by their cost two plies ahead; the others come after them.
  void look_ahead(ChildList& children, int empties, int claim, Counters& counters) const {
    std::array<std::uint8_t, N * N> ranked;
    for (int i = 0; i < children.size; ++i) ranked[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(i);
    const auto at = [&](int rank) -> auto& { return children.items[ranked[static_cast<std::size_t>(rank)]]; };
    std::sort(ranked.begin(), ranked.begin() + children.size, [&](int a, int b) {
      const auto& left = children.items[static_cast<std::size_t>(a)];
      const auto& right = children.items[static_cast<std::size_t>(b)];
      return left.order != right.order ? left.order > right.order : a < b;
    });
    const std::int32_t promising = at(0).order - kLookAheadBits * kUnit;
    std::int32_t best = kHopeless;
    for (int rank = 0; rank < children.size; ++rank) {
      auto& child = at(rank);
      if (rank >= kLookAheadMoves || child.order < promising) {
        child.order -= kHopeless;
        continue;
      }
      const std::int32_t cost = cost_ahead(child.node, empties - 1, claim, best + kStopBits * kUnit, counters);
      child.order = -cost;
      best = std::min(best, cost);
    }
  }

  // log2 of the summed cost of refuting every move of `node`; ends early once it exceeds `limit`.
  std::int32_t cost_ahead(const Node& node, int empties, int claim, std::int32_t limit, Counters& counters) const {
    if (node.moves == 0) return effective_cost(node, empties, claim, counters);
    std::int32_t sum = 0;
    for (std::uint64_t moves = node.moves; moves != 0; moves &= moves - 1) {
      const Node next = after(node, static_cast<Move>(std::countr_zero(moves)));
      std::int32_t least = kHopeless;
      if (next.moves == 0) {
        least = effective_cost(pass(next), empties - 1, claim, counters);
      } else {
        for (std::uint64_t replies = next.moves; replies != 0; replies &= replies - 1)
          least = std::min(least, effective_cost(after(next, static_cast<Move>(std::countr_zero(replies))), empties - 2,
                                                 claim, counters));
      }
      sum = log2_sum(sum, least);
      if (sum > limit) break;
    }
    return sum;
  }

  // log2(2^a + 2^b).
  static std::int32_t log2_sum(std::int32_t a, std::int32_t b) {
    static const auto table = [] {
      std::array<std::int16_t, 16 * kUnit> gains;
      for (std::size_t i = 0; i < gains.size(); ++i)
        gains[i] =
            static_cast<std::int16_t>(std::lround(kUnit * std::log2(1.0 + std::exp2(-static_cast<double>(i) / kUnit))));
      return gains;
    }();
    const std::int32_t difference = std::abs(a - b);
    return std::max(a, b) + (difference < 16 * kUnit ? table[static_cast<std::size_t>(difference)] : 0);
  }

  static std::int32_t penalty(int margin) {
    constexpr int kMost = 64, kGrain = 16;  // discs; table steps of kGrain / kUnit discs
    static const auto table = [] {
      std::array<std::int32_t, 2 * kMost * kUnit / kGrain + 1> penalties;
      for (std::size_t i = 0; i < penalties.size(); ++i) {
        const double discs = (static_cast<double>(i) * kGrain) / kUnit - kMost;
        penalties[i] =
            static_cast<std::int32_t>(std::lround(kUnit / kCostWeight * std::log2(1.0 + std::exp(-kSlope * discs))));
      }
      return penalties;
    }();
    const int clamped = std::clamp(margin, -kMost * kUnit, kMost * kUnit);
    return table[static_cast<std::size_t>((clamped + kMost * kUnit) / kGrain)];
  }

  static std::uint64_t neighbours(std::uint64_t discs) {
    const std::uint64_t row = discs | (discs & 0x7f7f7f7f7f7f7f7fu) << 1 | (discs & 0xfefefefefefefefeu) >> 1;
    return row | row << 8 | row >> 8;
  }

  static constexpr int kReplyWeight = 8, kCornerWeight = 12, kOddWeight = 4, kFrontierWeight = 3;

  // Predictions pay from kPatternEmpties up, looking ahead from kLookAheadEmpties, for the best few moves that are at most so
  // many bits behind; a sum this far above the best so far is not finished.
  static constexpr int kPatternEmpties = 9, kLookAheadEmpties = 15, kLookAheadMoves = 4, kLookAheadBits = 6,
                       kStopBits = 2;
  static constexpr double kSlope = 0.15, kCostWeight = 0.15;
  static constexpr int kUnit = othello::Prediction::kUnit;
  static constexpr std::int32_t kHopeless = 1 << 24;

  Game game_;
  othello::LastEmpties<N> last_;
  Knowledge patterns_;
};

}  // namespace rlscout
