// What Othello tells the search: who moves when, the order of moves, stable discs, the last four empties.
#pragma once

#include <bit>
#include <cstdint>

#include "games/othello/flips.h"
#include "games/othello/last_empties.h"
#include "games/othello/othello.h"
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

  explicit SearchTraits(const Game& game) : game_(game), last_(game, score_step()) {}

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

  Bounds expand(const Node& node, int bound, ChildList& children, Counters&) {
    const auto [own, opponent] = node.position;
    const int empties = SearchTraits::empties(node);
    Bounds bounds{-N * N, N * N};
    if (bound > stability_bound(empties)) {
      bounds.upper = N * N - 2 * std::popcount(othello::stable_discs<N>(opponent, own));
      if (bounds.upper < bound) return bounds;
    }
    const std::uint64_t empty = Game::kBoard & ~(own | opponent);
    const std::uint64_t odd = othello::odd_quadrants(empty);
    children.size = 0;
    for (std::uint64_t moves = node.moves; moves != 0; moves &= moves - 1) {
      const int move = std::countr_zero(moves);
      const std::uint64_t disc = std::uint64_t{1} << move;
      const std::uint64_t turned = othello::flips(own, opponent, move);
      auto& child = children.items[static_cast<std::size_t>(children.size++)];
      child.move = static_cast<Move>(move);
      child.node.position = {opponent ^ turned, own | turned | disc};
      child.node.moves = othello::mobility(opponent ^ turned, own | turned | disc, Game::kBoard);
      child.order = order(child.node, disc, odd, empties);
    }
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
  static std::uint64_t neighbours(std::uint64_t discs) {
    const std::uint64_t row = discs | (discs & 0x7f7f7f7f7f7f7f7fu) << 1 | (discs & 0xfefefefefefefefeu) >> 1;
    return row | row << 8 | row >> 8;
  }

  static constexpr int kReplyWeight = 8, kCornerWeight = 12, kOddWeight = 4, kFrontierWeight = 3;

  Game game_;
  othello::LastEmpties<N> last_;
};

}  // namespace rlscout
