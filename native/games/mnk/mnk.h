// m,n,k games: two sides fill a board of M columns and N rows in turn; K or more of one's stones in a straight line win
// (freestyle); a full board without a line is a draw. Gomoku is m,n,5.
//
// A board is a set of squares in packed order (bit = square), so a line is found by shifts and ands: bit s of
//     x & x >> d & x >> 2d & ... & x >> (K-1)d
// says that K stones stand from square s on in steps of d; `starts` keeps the squares whose line stays on the board.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "core/bits.h"
#include "core/game.h"
#include "core/hash.h"

namespace rlscout::mnk {

inline constexpr int kMaxSide = 15;
inline constexpr int kMaxSquares = kMaxSide * kMaxSide;

// The parameters, known when compiling (a common board) or when running (any board of up to 64 * W squares).
template <int M, int N, int K>
struct StaticShape {
  static constexpr int kWords = (M * N + 63) / 64;
  static constexpr int columns() { return M; }
  static constexpr int rows() { return N; }
  static constexpr int line() { return K; }
};
template <int W>
struct DynamicShape {
  static constexpr int kWords = W;
  int columns_, rows_, line_;
  constexpr int columns() const { return columns_; }
  constexpr int rows() const { return rows_; }
  constexpr int line() const { return line_; }
};

template <class Shape>
class Mnk {
 public:
  static constexpr int kWords = Shape::kWords;
  using MoveSet = std::conditional_t<kWords == 1, std::uint64_t, Bits<kWords>>;

  struct Position {
    MoveSet own{};
    MoveSet opponent{};
    friend constexpr bool operator==(const Position&, const Position&) = default;
    friend constexpr auto operator<=>(const Position&, const Position&) = default;
  };

  explicit Mnk(Shape shape = {}) : shape_(shape), symmetry_squares_(make_symmetry_squares()) {
    for (int square = 0; square < squares(); ++square) {
      const int column = square % columns(), row = square / columns();
      const bool right = column + line() <= columns(), left = column - line() >= -1, down = row + line() <= rows();
      board_ |= only<MoveSet>(square);
      if (right) starts_[0] |= only<MoveSet>(square);
      if (down) starts_[1] |= only<MoveSet>(square);
      if (right && down) starts_[2] |= only<MoveSet>(square);
      if (left && down) starts_[3] |= only<MoveSet>(square);
    }
  }

  std::string name() const {
    return "mnk:" + std::to_string(columns()) + "," + std::to_string(rows()) + "," + std::to_string(line());
  }
  constexpr int columns() const { return shape_.columns(); }
  constexpr int rows() const { return shape_.rows(); }
  constexpr int line() const { return shape_.line(); }
  constexpr int squares() const { return columns() * rows(); }
  constexpr int symmetries() const { return columns() == rows() ? 8 : 4; }
  constexpr int max_plies() const { return squares(); }
  static constexpr int max_score() { return 1; }
  MoveSet board() const { return board_; }

  // Shift of a step along each direction: right, down, down right, down left.
  constexpr std::array<int, 4> steps() const { return {1, columns(), columns() + 1, columns() - 1}; }
  // Squares from which a line of `line()` squares in direction d stays on the board.
  MoveSet starts(int direction) const { return starts_[direction]; }

  bool has_line(const MoveSet& stones) const {
    for (int direction = 0; direction < 4; ++direction)
      if (any(run_starts(stones, steps()[direction]) & starts_[direction])) return true;
    return false;
  }

  static constexpr Position initial() { return {}; }

  MoveSet legal(const Position& p) const { return has_line(p.opponent) ? MoveSet{} : board_ & ~(p.own | p.opponent); }

  // The side that has just moved may have a line; the side to move cannot.
  Phase phase(const Position& p) const { return any(legal(p)) ? Phase::kMove : Phase::kOver; }

  static constexpr Position play(const Position& p, Move move) { return {p.opponent, p.own | only<MoveSet>(move)}; }

  int score(const Position& p) const { return has_line(p.opponent) ? -1 : 0; }

  // Bounds of the score from the board alone, as docs/certificate.md defines them: lost, won by one move, or limited by the
  // potential of the open lines (2^stones each).
  std::pair<int, int> bounds_at_sight(const Position& p) const {
    if (has_line(p.opponent)) return {-1, -1};
    std::int64_t own_potential = 0, opponent_potential = 0;
    bool wins = false;
    for (int direction = 0; direction < 4; ++direction)
      for_each_bit(starts_[direction], [&](int start) {
        int own = 0, opponent = 0;
        for (int i = 0, square = start; i < line(); ++i, square += steps()[direction])
          own += contains(p.own, square), opponent += contains(p.opponent, square);
        if (own == 0) opponent_potential += std::int64_t{1} << opponent;
        if (opponent == 0) own_potential += std::int64_t{1} << own;
        wins = wins || (opponent == 0 && own == line() - 1);
      });
    if (wins) return {1, 1};
    const std::int64_t full = std::int64_t{1} << line();
    return {opponent_potential < full ? 0 : -1, 2 * own_potential < full ? 0 : 1};
  }

  constexpr int empties(const Position& p) const { return squares() - count(p.own | p.opponent); }

  static constexpr std::uint64_t key(const Position& p) { return hash(hash(0, p.own), p.opponent); }

  MoveSet transform_set(const MoveSet& set, int symmetry) const {
    MoveSet image{};
    for_each_bit(set, [&](int bit) { image |= only<MoveSet>((*symmetry_squares_)[symmetry][bit]); });
    return image;
  }
  Position transform(const Position& p, int symmetry) const {
    if (symmetry == 0) return p;
    return {transform_set(p.own, symmetry), transform_set(p.opponent, symmetry)};
  }
  Move transform(Move move, int symmetry) const {
    return move == kPass ? kPass : static_cast<Move>((*symmetry_squares_)[symmetry][move]);
  }

  static constexpr int square(Move move) { return move; }
  static constexpr Move move_at(int square) { return static_cast<Move>(square); }
  static constexpr void pack(const Position& p, std::uint64_t* packed) {
    pack_moves(p.own, packed);
    pack_moves(p.opponent, packed + kWords);
  }
  static constexpr Position unpack(const std::uint64_t* packed) {
    return {unpack_moves(packed), unpack_moves(packed + kWords)};
  }
  static constexpr void pack_moves(const MoveSet& moves, std::uint64_t* packed) {
    if constexpr (kWords == 1)
      *packed = moves;
    else
      for (int i = 0; i < kWords; ++i) packed[i] = moves.words[i];
  }

  std::string fault(const Position& p) const {
    const int own = count(p.own), opponent = count(p.opponent);
    if (own != opponent && own + 1 != opponent)
      return "the side to move has " + std::to_string(own) + " stones and its opponent " + std::to_string(opponent) +
             "; equal numbers or one less are possible";
    if (has_line(p.own)) return "the side to move already has a line of " + std::to_string(line());
    return {};
  }

 private:
  using SymmetrySquares = std::array<std::array<std::uint8_t, kMaxSquares>, 8>;

  // Bit s: stones on s, s + step, ..., s + (line - 1) * step. By doubling: runs of 1, 2, 4, ... then the rest.
  MoveSet run_starts(MoveSet stones, int step) const {
    int run = 1;
    for (; 2 * run <= line(); run *= 2) stones &= shifted(stones, run * step);
    if (run < line()) stones &= shifted(stones, (line() - run) * step);
    return stones;
  }
  static constexpr MoveSet shifted(const MoveSet& set, int shift) {
    return shift < 64 * kWords ? set >> shift : MoveSet{};
  }
  static constexpr std::uint64_t hash(std::uint64_t seed, const MoveSet& set) {
    if constexpr (kWords == 1) return combine(seed, set);
    if constexpr (kWords > 1)
      for (auto word : set.words) seed = combine(seed, word);
    return seed;
  }
  static constexpr MoveSet unpack_moves(const std::uint64_t* packed) {
    if constexpr (kWords == 1) return *packed;
    MoveSet set{};
    if constexpr (kWords > 1)
      for (int i = 0; i < kWords; ++i) set.words[i] = packed[i];
    return set;
  }
  // Bit 0 of the symmetry flips the rows, bit 1 the columns, bit 2 transposes, in this order.
  std::shared_ptr<const SymmetrySquares> make_symmetry_squares() const {
    auto table = std::make_shared<SymmetrySquares>();
    for (int symmetry = 0; symmetry < symmetries(); ++symmetry)
      for (int square = 0; square < squares(); ++square) {
        int column = square % columns(), row = square / columns();
        if (symmetry & 1) row = rows() - 1 - row;
        if (symmetry & 2) column = columns() - 1 - column;
        if (symmetry & 4) std::swap(row, column);
        (*table)[symmetry][square] = static_cast<std::uint8_t>(row * columns() + column);
      }
    return table;
  }

  [[no_unique_address]] Shape shape_;
  MoveSet board_{};
  std::array<MoveSet, 4> starts_{};
  std::shared_ptr<const SymmetrySquares> symmetry_squares_;
};

static_assert(Game<Mnk<StaticShape<3, 3, 3>>>);
static_assert(Game<Mnk<DynamicShape<4>>>);

}  // namespace rlscout::mnk
