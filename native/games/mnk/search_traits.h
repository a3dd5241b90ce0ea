// What m,n,k games tell the search: forced moves, lines that can no longer be made, Breaker's potential, the order of moves.
//
// Everything comes from one pass over the lines of the board. A line is *open* to a side while the other has no stone on it.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "games/mnk/mnk.h"
#include "search/search_traits.h"

namespace rlscout {

template <class Shape>
class SearchTraits<mnk::Mnk<Shape>> {
  using Game = mnk::Mnk<Shape>;
  using Position = typename Game::Position;
  using Set = typename Game::MoveSet;

 public:
  struct Node {
    Position position;
  };
  using ChildList = Children<Node, std::min(64 * Game::kWords, mnk::kMaxSquares)>;

  static constexpr int kLeafEmpties = 0;
  static constexpr int kLocalEmpties = 0;
  static constexpr int kEnhancedEmpties = 1;
  static constexpr int kKeyWords = 2 * Game::kWords + 1;

  struct Knowledge {};  // nothing is learned

  explicit SearchTraits(const Game& game, Knowledge = {}) : game_(game), lines_(make_lines(game)) {}

  static Node node(const Position& p) { return {p}; }
  static Node pass(const Node& node) { return node; }  // no m,n,k game has a pass
  Phase phase(const Node& node) const {
    if (game_.has_line(node.position.opponent)) return Phase::kOver;
    return empties(node) > 0 ? Phase::kMove : Phase::kOver;
  }
  int empties(const Node& node) const { return game_.empties(node.position); }
  static int score_step() { return 1; }
  // Symmetric images meet again only while few stones stand, and finding the least one is slow.
  int fold_empties() const { return game_.squares() <= 16 ? 0 : game_.squares() - 8; }
  int split_empties() const { return game_.squares() <= 25 ? 12 : game_.squares() / 2; }

  static TableKey<kKeyWords> table_key(const Position& p) {
    TableKey<kKeyWords> key{};
    Game::pack(p, key.data());
    return key;
  }

  // The bounds are:
  //   1      a square completes a line;
  //   -1     the opponent threatens to complete lines on two squares, and we do not complete one first;
  //   >= 0   the opponent can be kept from every line, <= 0 we can: no line is open, or its side, as Maker, has a potential
  //          (sum of 2^-(squares missing) over its open lines) below 1/2 when it is to move, below 1 when the other side is
  //          (P. Erdos and J. Selfridge, 1973: then Breaker, picking the square of most potential, breaks every line).
  // With one threat to meet, its square is the only child: any other move loses at once.
  Bounds expand(const Node& node, int bound, ChildList& children) {
    const auto& [own, opponent] = node.position;
    const Set empty = game_.board() & ~(own | opponent);
    const int line = game_.line();
    std::array<std::int32_t, mnk::kMaxSquares> weight{};
    Set threats{};
    double own_potential = 0.0, opponent_potential = 0.0;
    for (const Set& squares : *lines_) {
      const bool has_own = any(squares & own), has_opponent = any(squares & opponent);
      if (has_own && has_opponent) continue;
      const Set missing = squares & empty;
      const int left = count(missing), stones = line - left;
      if (left == 1 && has_own) return {1, 1};
      if (left == 1 && has_opponent) threats |= missing;
      const double potential = kPotential[static_cast<std::size_t>(left)];
      if (!has_opponent) own_potential += potential;
      if (!has_own) opponent_potential += potential;
      // A line that we extend counts a little more than one that we block.
      const std::int32_t gain = !has_opponent ? 3 : 2;
      for_each_bit(missing, [&](int square) {
        weight[static_cast<std::size_t>(square)] += gain << 2 * std::min(stones, kMostStones);
      });
    }
    const int forced = count(threats);
    if (forced >= 2) return {-1, -1};
    const Bounds bounds{opponent_potential < 1.0 ? 0 : -1, own_potential < 0.5 ? 0 : 1};
    if (bounds.lower >= bound || bounds.upper < bound) return bounds;
    children.size = 0;
    for_each_bit(forced == 1 ? threats : empty, [&](int square) {
      auto& child = children.items[static_cast<std::size_t>(children.size++)];
      child.move = static_cast<Move>(square);
      child.node.position = Game::play(node.position, child.move);
      child.order = weight[static_cast<std::size_t>(square)];
    });
    return bounds;
  }

  int leaf(const Node& node, int, Counters& counters) const {  // a full board
    ++counters.nodes;
    return game_.score(node.position);
  }

 private:
  // 2^-squares missing.
  static constexpr auto kPotential = [] {
    std::array<double, mnk::kMaxSide + 1> table{1.0};
    for (std::size_t i = 1; i < table.size(); ++i) table[i] = table[i - 1] / 2;
    return table;
  }();

  static constexpr int kMostStones = 9;  // beyond, weights would overflow

  static std::shared_ptr<const std::vector<Set>> make_lines(const Game& game) {
    auto lines = std::make_shared<std::vector<Set>>();
    for (int direction = 0; direction < 4; ++direction)
      for_each_bit(game.starts(direction), [&](int start) {
        Set line{};
        for (int i = 0; i < game.line(); ++i)
          line |= only<Set>(start + i * game.steps()[static_cast<std::size_t>(direction)]);
        lines->push_back(line);
      });
    return lines;
  }

  Game game_;
  std::shared_ptr<const std::vector<Set>> lines_;
};

}  // namespace rlscout
