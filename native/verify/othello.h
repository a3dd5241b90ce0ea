// Othello on N x N squares, N even and at most 8: the rules, written anew for the checker, and its own plain search.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "verify/board.h"

namespace verify {

template <int N>
class Othello : public Board {
 public:
  // Bit `row * N + column` is a disc on that square, row 0 at the top.
  struct Position {
    uint64_t own = 0;       // of the side to move
    uint64_t opponent = 0;  // of the other side

    auto operator<=>(const Position&) const = default;
  };
  struct Bounds {
    int low, high;
  };

  // Nothing for the name of another game; throws std::invalid_argument for a scoring that is not of this one.
  static std::optional<Othello> parse(const std::string& name, const std::string& scoring) {
    if (name != "othello" + std::to_string(N)) return {};
    if (scoring != "empties" && scoring != "discs")
      throw std::invalid_argument("scoring '" + scoring + "' of " + name + ": allowed are empties, discs");
    return Othello(scoring == "empties");
  }

  static uint64_t hash(const Position& p) { return (p.own * 0x9e3779b97f4a7c15 ^ p.opponent) * 0xd6e8feb86659fd93; }
  static bool has_stone(uint64_t stones, int square) { return stones >> square & 1; }
  static void put_stone(uint64_t& stones, int square) { stones |= uint64_t{1} << square; }
  static Position passed(const Position& p) { return {p.opponent, p.own}; }
  static int empties(const Position& p) { return N * N - std::popcount(p.own | p.opponent); }

  // Why no game can reach the position, as far as the proof relies on it.
  static std::string impossible(const Position&) { return {}; }

  // low <= score <= high from the board alone; low == high wherever the game is over.
  Bounds bounds_at_sight(const Position& p) const {
    if (moves(p) || moves(passed(p))) return {-N * N, N * N};
    return {final_score(p), final_score(p)};
  }

  // The squares where the side to move may play, ascending.
  static std::vector<int> legal(const Position& p) {
    std::vector<int> squares;
    for (uint64_t left = moves(p); left; left &= left - 1) squares.push_back(std::countr_zero(left));
    return squares;
  }

  static Position play(const Position& p, int square) {
    const uint64_t disc = uint64_t{1} << square;
    const uint64_t turned = flips(p, disc);
    return {p.opponent & ~turned, p.own | turned | disc};
  }

  // Whether score(p) >= bound, by trying every move down to finished games.
  bool reaches(const Position& p, int bound, int64_t& nodes) const { return reaches(p, moves(p), bound, nodes); }

 private:
  explicit Othello(bool empties_to_winner)
      : Board{N, N, N * N, empties_to_winner ? "discs, empties to the winner" : "discs only", all_symmetries(N, N)},
        empties_to_winner_(empties_to_winner) {}

  static constexpr uint64_t kBoard = N == 8 ? ~uint64_t{0} : (uint64_t{1} << N * N % 64) - 1;

  // The squares off the first and last column: an opponent's disc there cannot be turned by a horizontal or diagonal
  // run, and without it no run passes from one row into the next over the edge.
  static constexpr uint64_t inner_columns() {
    uint64_t inner = 0;
    for (int square = 0; square < N * N; ++square)
      if (square % N != 0 && square % N != N - 1) inner |= uint64_t{1} << square;
    return inner;
  }

  // Calls visit(run, end) for each direction, where `run` are the discs of `turnable` in unbroken rows that start
  // next to `from`, and `end` is one step behind them.
  template <class Visit>
  static void each_direction(uint64_t from, uint64_t opponent, Visit visit) {
    const uint64_t inner = opponent & inner_columns();
    const auto both = [&]<int kStep>(uint64_t turnable) {
      uint64_t up = from << kStep & turnable, down = from >> kStep & turnable;
      for (int i = 0; i < N - 3; ++i) {
        up |= up << kStep & turnable;
        down |= down >> kStep & turnable;
      }
      visit(up, up << kStep);
      visit(down, down >> kStep);
    };
    both.template operator()<1>(inner);
    both.template operator()<N - 1>(inner);
    both.template operator()<N>(opponent);
    both.template operator()<N + 1>(inner);
  }

  static uint64_t moves(const Position& p) {
    uint64_t ends = 0;
    each_direction(p.own, p.opponent, [&](uint64_t, uint64_t end) { ends |= end; });
    return ends & kBoard & ~(p.own | p.opponent);
  }

  // The opponent's discs between `disc` and own discs.
  static uint64_t flips(const Position& p, uint64_t disc) {
    uint64_t turned = 0;
    each_direction(disc, p.opponent, [&](uint64_t run, uint64_t end) { turned |= end & p.own ? run : 0; });
    return turned;
  }

  int final_score(const Position& p) const {
    const int score = std::popcount(p.own) - std::popcount(p.opponent);
    if (!empties_to_winner_ || score == 0) return score;
    return score > 0 ? score + empties(p) : score - empties(p);
  }

  bool reaches(const Position& p, uint64_t legal, int bound, int64_t& nodes) const {
    ++nodes;
    if (!legal) {
      const uint64_t replies = moves(passed(p));
      return replies ? !reaches(passed(p), replies, 1 - bound, nodes) : final_score(p) >= bound;
    }
    if (empties(p) <= kUnordered) return tries(p, legal, bound, nodes);

    struct Child {
      Position position;
      uint64_t legal;
      int replies;
    };
    std::array<Child, N * N> children;
    int count = 0;
    for (uint64_t left = legal; left; left &= left - 1) {
      Child child{play(p, std::countr_zero(left)), 0, 0};
      child.legal = moves(child.position);
      child.replies = std::popcount(child.legal);
      int at = count++;  // only for speed: fewest replies first
      for (; at > 0 && children[at - 1].replies > child.replies; --at) children[at] = children[at - 1];
      children[at] = child;
    }
    return std::any_of(children.begin(), children.begin() + count,
                       [&](const Child& child) { return !reaches(child.position, child.legal, 1 - bound, nodes); });
  }

  // The same in the order of the squares.
  bool tries(const Position& p, uint64_t legal, int bound, int64_t& nodes) const {
    for (; legal; legal &= legal - 1) {
      const Position child = play(p, std::countr_zero(legal));
      if (!reaches(child, moves(child), 1 - bound, nodes)) return true;
    }
    return false;
  }

  static constexpr int kUnordered = 4;  // up to this many empty squares ordering costs more than it saves
  bool empties_to_winner_;
};

}  // namespace verify
