// m,n,k games: the first to have K or more stones in a line wins. The rules, written anew for the checker, and its own
// search.
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

// Boards of up to 64 * kWords squares.
template <int kWords>
class Mnk : public Board {
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

  // Nothing for the name of another game or for a board of other words; throws std::invalid_argument for wrong parameters and
  // a scoring that is not of this game.
  static std::optional<Mnk> parse(const std::string& name, const std::string& scoring) {
    std::array<int, 3> numbers{};
    const std::string prefix = "mnk:";
    if (!name.starts_with(prefix)) return {};
    size_t at = prefix.size();
    for (size_t i = 0; i < numbers.size(); ++i) {
      const size_t end = i + 1 < numbers.size() ? name.find(',', at) : name.size();
      if (end == std::string::npos) return {};
      const std::string digits = name.substr(at, end - at);
      if (digits.empty() || digits.size() > 2 || digits[0] == '0' ||
          digits.find_first_not_of("0123456789") != std::string::npos)
        return {};
      numbers[i] = std::stoi(digits);
      at = end + 1;
    }
    const auto [columns, rows, in_a_row] = numbers;
    if (std::max({columns, rows, in_a_row}) > 19)
      throw std::invalid_argument("game '" + name + "': m, n and k may be 1 to 19");
    if (scoring != "line") throw std::invalid_argument("scoring '" + scoring + "' of " + name + ": allowed is line");
    const int words = columns * rows <= 64 ? 1 : columns * rows <= 128 ? 2 : 6;
    return words == kWords ? std::optional(Mnk(columns, rows, in_a_row)) : std::nullopt;
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
    int count = squares();
    for (int w = 0; w < kWords; ++w) count -= std::popcount(p.own[w] | p.opponent[w]);
    return count;
  }

  // Why no game can reach the position, as far as the proof relies on it.
  std::string impossible(const Position& p) const {
    for (const Stones& line : lines_) {
      bool full = true;
      for (int w = 0; w < kWords; ++w) full = full && (line[w] & ~p.own[w]) == 0;
      if (full) return "the side to move already has " + std::to_string(in_a_row_) + " in a row";
    }
    return {};
  }

  Bounds bounds_at_sight(const Position& p) const { return look(p).bounds; }

  std::vector<int> legal(const Position& p) const {
    std::vector<int> moves;
    for (int square = 0; square < squares(); ++square)
      if (is_empty(p, square)) moves.push_back(square);
    return moves;
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
    for (int square = 0; square < squares(); ++square)
      if (is_empty(p, square) && !reaches(play(p, square), 1 - bound, nodes)) return true;
    return false;
  }

 private:
  Mnk(int columns, int rows, int in_a_row)
      : Board{columns, rows, 1, "1 won, 0 drawn, -1 lost", all_symmetries(columns, rows)}, in_a_row_(in_a_row) {
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

  struct Sight {
    Bounds bounds;
    int forced;  // a square that the opponent must not get, since it makes a line there: any other move loses; -1:
                 // none
  };

  bool is_empty(const Position& p, int square) const {
    return !has_stone(p.own, square) && !has_stone(p.opponent, square);
  }

  // Lost where the opponent has a line; won where one move makes a line; else by the potentials of Erdos and Selfridge: a
  // side whose open lines (those free of the other's stones) weigh little enough can be kept from all of them. A line of s
  // stones weighs 2^s, a full one 2^K.
  Sight look(const Position& p) const {
    int64_t own_potential = 0, opponent_potential = 0;
    bool own_wins = false;
    int forced = -1;
    for (const Stones& line : lines_) {
      int own = 0, opponent = 0;
      for (int w = 0; w < kWords; ++w) {
        own += std::popcount(line[w] & p.own[w]);
        opponent += std::popcount(line[w] & p.opponent[w]);
      }
      if (own == 0) {
        if (opponent == in_a_row_) return {{-1, -1}, -1};
        if (opponent == in_a_row_ - 1) forced = missing_square(line, p.opponent);
        opponent_potential += int64_t{1} << opponent;
      }
      if (opponent == 0) {
        own_potential += int64_t{1} << own;
        own_wins |= own == in_a_row_ - 1;
      }
    }
    if (own_wins) return {{1, 1}, -1};
    const int64_t full = int64_t{1} << in_a_row_;
    return {{opponent_potential < full ? 0 : -1, 2 * own_potential < full ? 0 : 1}, forced};
  }

  // The one square of a line without a stone.
  static int missing_square(const Stones& line, const Stones& stones) {
    for (int w = 0; w < kWords; ++w)
      if (const uint64_t missing = line[w] & ~stones[w]) return 64 * (kWords - 1 - w) + std::countr_zero(missing);
    return -1;
  }

  int in_a_row_;
  std::vector<Stones> lines_;
};

}  // namespace verify
