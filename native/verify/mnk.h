// m,n,k games: the first to have K or more stones in a line wins. The rules, written anew for the checker, and its own
// search.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <string>
#include <vector>

namespace verify {

// Boards of up to 64 * kWords squares.
template <int kWords>
class Mnk {
 public:
  // A set of squares as one number of 64 * kWords bits, its highest word first, so that arrays compare as numbers do.
  using Stones = std::array<uint64_t, kWords>;

  struct Position {
    Stones own{};       // of the side to move
    Stones opponent{};  // of the other side

    auto operator<=>(const Position&) const = default;
  };
  struct Bounds {
    int low, high;
  };

  Mnk(int columns, int rows, int in_a_row) : squares_(columns * rows) {
    for (int row = 0; row < rows; ++row)
      for (int column = 0; column < columns; ++column)
        for (const auto [down, right] : {std::array{0, 1}, {1, 0}, {1, 1}, {1, -1}}) {
          const int last_row = row + (in_a_row - 1) * down, last_column = column + (in_a_row - 1) * right;
          if (last_row >= rows || last_column < 0 || last_column >= columns) continue;
          Stones line{};
          for (int i = 0; i < in_a_row; ++i) put_stone(line, (row + i * down) * columns + column + i * right);
          lines_.push_back(line);
        }
  }

  static uint64_t hash(const Position& p) {
    uint64_t hash = 0;
    for (int w = 0; w < kWords; ++w) {
      hash = (hash ^ p.own[w]) * 0x9e3779b97f4a7c15;
      hash = (hash ^ hash >> 32 ^ p.opponent[w]) * 0xd6e8feb86659fd93;
    }
    return hash;
  }
  static bool has_stone(const Stones& stones, int square) {
    return stones[kWords - 1 - square / 64] >> square % 64 & 1;
  }
  static void put_stone(Stones& stones, int square) { stones[kWords - 1 - square / 64] |= uint64_t{1} << square % 64; }
  static Position passed(const Position& p) { return {p.opponent, p.own}; }

  int empties(const Position& p) const {
    int count = squares_;
    for (int w = 0; w < kWords; ++w) count -= std::popcount(p.own[w] | p.opponent[w]);
    return count;
  }

  Bounds bounds_at_sight(const Position& p) const { return look(p).bounds; }

  std::vector<int> legal(const Position& p) const {
    std::vector<int> squares;
    for (int square = 0; square < squares_; ++square)
      if (is_empty(p, square)) squares.push_back(square);
    return squares;
  }

  static Position play(const Position& p, int square) {
    Position child = passed(p);
    put_stone(child.opponent, square);
    return child;
  }

  // Whether score(p) >= bound, by trying every move down to what the rules settle.
  bool reaches(const Position& p, int bound, int64_t& nodes) const {
    ++nodes;
    const Sight sight = look(p);
    if (sight.bounds.low >= bound || sight.bounds.high < bound) return sight.bounds.low >= bound;
    if (sight.forced >= 0) return !reaches(play(p, sight.forced), 1 - bound, nodes);
    for (int square = 0; square < squares_; ++square)
      if (is_empty(p, square) && !reaches(play(p, square), 1 - bound, nodes)) return true;
    return false;
  }

 private:
  struct Sight {
    Bounds bounds;
    int forced;  // a square that the opponent must not get, since it makes a line there: any other move loses; -1:
                 // none
  };

  bool is_empty(const Position& p, int square) const {
    return !has_stone(p.own, square) && !has_stone(p.opponent, square);
  }

  // Lost where the opponent has a line; won where one move makes a line; and without a line free of the other side's
  // stones a side cannot win any more. On a full board nobody has such a line, which makes it a draw.
  Sight look(const Position& p) const {
    bool own_open = false, opponent_open = false, own_wins = false;
    int forced = -1;
    for (const Stones& line : lines_) {
      Stones without_own{}, without_opponent{};
      uint64_t own = 0, opponent = 0;
      int own_missing = 0, opponent_missing = 0;
      for (int w = 0; w < kWords; ++w) {
        own |= line[w] & p.own[w];
        opponent |= line[w] & p.opponent[w];
        without_own[w] = line[w] & ~p.own[w];
        without_opponent[w] = line[w] & ~p.opponent[w];
        own_missing += std::popcount(without_own[w]);
        opponent_missing += std::popcount(without_opponent[w]);
      }
      if (!own) {
        if (opponent_missing == 0) return {{-1, -1}, -1};
        if (opponent_missing == 1) forced = only_square(without_opponent);
        opponent_open = true;
      }
      if (!opponent) {
        own_open = true;
        own_wins |= own_missing == 1;
      }
    }
    if (own_wins) return {{1, 1}, -1};
    return {{opponent_open ? -1 : 0, own_open ? 1 : 0}, forced};
  }

  static int only_square(const Stones& stones) {
    for (int w = 0; w < kWords; ++w)
      if (stones[w]) return 64 * (kWords - 1 - w) + std::countr_zero(stones[w]);
    return -1;
  }

  int squares_;
  std::vector<Stones> lines_;
};

}  // namespace verify
