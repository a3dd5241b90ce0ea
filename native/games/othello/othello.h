// Othello on 4x4, 6x6 and 8x8 boards.
//
// Every board is the middle of an 8x8 frame, one byte a row, so that all sizes share one set of shifts:
//
//       N = 8                 N = 6                  N = 4
//   bit 0 .. 7 = row 1    . . . . . . . .        . . . . . . . .
//   bit 8 .. 15 = row 2   . 9 ........14 .       . . . . . . . .      square (row, column) is bit
//   ...                   . 17 ...... 22 .       . . 18 .. 21 . .     8 * (row + kOffset) + column + kOffset
//
// On the smaller boards the frame's empty border stops every run of discs by itself; on 8x8 the masks of lines.h do.
#pragma once

#include <bit>
#include <compare>
#include <cstdint>
#include <string>

#include "core/bits.h"
#include "core/game.h"
#include "core/hash.h"
#include "games/othello/flips.h"

namespace rlscout::othello {

struct Position {
  std::uint64_t own = 0;
  std::uint64_t opponent = 0;
  friend constexpr bool operator==(const Position&, const Position&) = default;
  friend constexpr auto operator<=>(const Position&, const Position&) = default;
};

enum class Scoring : std::uint8_t {
  kEmptiesToWinner,  // the winner takes the empty squares (tournaments, FFO)
  kDiscs,            // discs only
};

constexpr std::uint64_t flip_rows(std::uint64_t x) {  // row 1 <-> row 8
  x = (x >> 8 & 0x00ff00ff00ff00ffu) | (x & 0x00ff00ff00ff00ffu) << 8;
  x = (x >> 16 & 0x0000ffff0000ffffu) | (x & 0x0000ffff0000ffffu) << 16;
  return x >> 32 | x << 32;
}
constexpr std::uint64_t flip_columns(std::uint64_t x) {  // column a <-> column h
  x = (x >> 1 & 0x5555555555555555u) | (x & 0x5555555555555555u) << 1;
  x = (x >> 2 & 0x3333333333333333u) | (x & 0x3333333333333333u) << 2;
  return (x >> 4 & 0x0f0f0f0f0f0f0f0fu) | (x & 0x0f0f0f0f0f0f0f0fu) << 4;
}
constexpr std::uint64_t transpose(std::uint64_t x) {  // a1-h8 diagonal stays
  std::uint64_t t = (x ^ x >> 7) & 0x00aa00aa00aa00aau;
  x ^= t ^ t << 7;
  t = (x ^ x >> 14) & 0x0000cccc0000ccccu;
  x ^= t ^ t << 14;
  t = (x ^ x >> 28) & 0x00000000f0f0f0f0u;
  return x ^ t ^ t << 28;
}

template <int N>
class Othello {
  static_assert(N == 4 || N == 6 || N == 8);

 public:
  using Position = othello::Position;
  using MoveSet = std::uint64_t;
  static constexpr int kWords = 1;
  static constexpr int kOffset = (8 - N) / 2;
  static constexpr std::uint64_t kBoard = [] {
    std::uint64_t board = 0;
    for (int row = 0; row < N; ++row) board |= ((std::uint64_t{1} << N) - 1) << (8 * (row + kOffset) + kOffset);
    return board;
  }();

  explicit constexpr Othello(Scoring scoring = Scoring::kEmptiesToWinner, bool parallel = false)
      : scoring_(scoring), parallel_(parallel) {}

  std::string name() const { return certificate_name() + (parallel_ ? ":parallel" : ""); }
  static std::string certificate_name() { return "othello" + std::to_string(N); }  // the rules, whatever the start
  Scoring scoring() const { return scoring_; }
  static constexpr int columns() { return N; }
  static constexpr int rows() { return N; }
  static constexpr int symmetries() { return 8; }
  // Two passes end the game, so at most one follows each move.
  static constexpr int max_plies() { return 2 * (N * N - 4); }
  static constexpr int max_score() { return N * N; }

  // X (the side to move) on the rising diagonal, O on the falling one; parallel: O above, X below.
  constexpr Position initial() const {
    constexpr std::uint64_t nw = bit(N / 2 - 1, N / 2 - 1), ne = bit(N / 2 - 1, N / 2);
    constexpr std::uint64_t sw = bit(N / 2, N / 2 - 1), se = bit(N / 2, N / 2);
    return parallel_ ? Position{sw | se, nw | ne} : Position{ne | sw, nw | se};
  }

  static MoveSet legal(const Position& p) { return mobility<N>(p.own, p.opponent, kBoard); }

  static Phase phase(const Position& p) {
    if (legal(p) != 0) return Phase::kMove;
    return legal({p.opponent, p.own}) != 0 ? Phase::kPass : Phase::kOver;
  }

  static Position play(const Position& p, Move move) {
    if (move == kPass) return {p.opponent, p.own};
    const std::uint64_t flipped = flips(p.own, p.opponent, move);
    return {p.opponent ^ flipped, p.own | flipped | std::uint64_t{1} << move};
  }

  constexpr int score(const Position& p) const {
    const int difference = std::popcount(p.own) - std::popcount(p.opponent);
    if (scoring_ == Scoring::kDiscs || difference == 0) return difference;
    return difference > 0 ? difference + empties(p) : difference - empties(p);
  }

  static constexpr int empties(const Position& p) { return N * N - std::popcount(p.own | p.opponent); }
  static constexpr std::uint64_t key(const Position& p) { return combine(mix(p.own), p.opponent); }

  // Bit 0 of the symmetry flips the rows, bit 1 the columns, bit 2 transposes, in this order.
  static constexpr std::uint64_t transform_board(std::uint64_t board, int symmetry) {
    if (symmetry & 1) board = flip_rows(board);
    if (symmetry & 2) board = flip_columns(board);
    if (symmetry & 4) board = transpose(board);
    return board;
  }
  static constexpr Position transform(const Position& p, int symmetry) {
    return {transform_board(p.own, symmetry), transform_board(p.opponent, symmetry)};
  }
  static constexpr Move transform(Move move, int symmetry) {
    if (move == kPass) return kPass;
    return static_cast<Move>(std::countr_zero(transform_board(std::uint64_t{1} << move, symmetry)));
  }

  static constexpr int square(Move move) { return (move / 8 - kOffset) * N + move % 8 - kOffset; }
  static constexpr Move move_at(int square) {
    return static_cast<Move>(8 * (square / N + kOffset) + square % N + kOffset);
  }
  static constexpr void pack(const Position& p, std::uint64_t* packed) {
    packed[0] = compact(p.own);
    packed[1] = compact(p.opponent);
  }
  static constexpr Position unpack(const std::uint64_t* packed) { return {spread(packed[0]), spread(packed[1])}; }
  static constexpr void pack_moves(MoveSet moves, std::uint64_t* packed) { packed[0] = compact(moves); }

  static std::string fault(const Position&) { return {}; }

 private:
  static constexpr std::uint64_t bit(int row, int column) {
    return std::uint64_t{1} << (8 * (row + kOffset) + column + kOffset);
  }
  // Between the frame's layout and N bits a row.
  static constexpr std::uint64_t compact(std::uint64_t board) {
    if constexpr (N == 8) return board;
    std::uint64_t packed = 0;
    for (int row = 0; row < N; ++row)
      packed |= (board >> (8 * (row + kOffset) + kOffset) & ((1u << N) - 1)) << (N * row);
    return packed;
  }
  static constexpr std::uint64_t spread(std::uint64_t packed) {
    if constexpr (N == 8) return packed;
    std::uint64_t board = 0;
    for (int row = 0; row < N; ++row)
      board |= (packed >> (N * row) & ((1u << N) - 1)) << (8 * (row + kOffset) + kOffset);
    return board;
  }

  Scoring scoring_;
  bool parallel_;
};

static_assert(Game<Othello<8>>);

}  // namespace rlscout::othello
