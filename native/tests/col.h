// Col (C. Vout; Conway, "On Numbers and Games", 1976) on a strip of squares, the smallest game that is worth the name: the sides
// put stones in turn, never next to one of their own; who cannot move has lost.
#pragma once

#include <bit>
#include <compare>
#include <cstdint>
#include <string>

#include "core/bits.h"
#include "core/game.h"
#include "core/hash.h"

namespace rlscout::col {

class Col {
 public:
  struct Position {
    std::uint64_t own = 0;
    std::uint64_t opponent = 0;
    friend constexpr bool operator==(const Position&, const Position&) = default;
    friend constexpr auto operator<=>(const Position&, const Position&) = default;
  };
  using MoveSet = std::uint64_t;  // bit = square
  static constexpr int kWords = 1;
  static constexpr int kSquares = 9;
  static constexpr std::uint64_t kBoard = (std::uint64_t{1} << kSquares) - 1;

  static std::string name() { return "col9"; }
  static constexpr int columns() { return kSquares; }
  static constexpr int rows() { return 1; }
  static constexpr int symmetries() { return 2; }  // the strip as it is, and from right to left
  static constexpr int max_plies() { return kSquares; }
  static constexpr int max_score() { return 1; }

  static constexpr Position initial() { return {}; }
  static constexpr MoveSet legal(const Position& p) { return kBoard & ~(p.own | p.opponent | p.own << 1 | p.own >> 1); }
  static constexpr Phase phase(const Position& p) { return legal(p) != 0 ? Phase::kMove : Phase::kOver; }
  static constexpr Position play(const Position& p, Move move) { return {p.opponent, p.own | only<MoveSet>(move)}; }
  static constexpr int score(const Position&) { return -1; }
  static constexpr int empties(const Position& p) { return kSquares - count(p.own | p.opponent); }
  static constexpr std::uint64_t key(const Position& p) { return combine(mix(p.own), p.opponent); }

  static constexpr Move transform(Move move, int symmetry) {
    return symmetry == 0 || move == kPass ? move : static_cast<Move>(kSquares - 1 - move);
  }
  static constexpr Position transform(const Position& p, int symmetry) {
    return {image(p.own, symmetry), image(p.opponent, symmetry)};
  }

  static constexpr int square(Move move) { return move; }
  static constexpr Move move_at(int square) { return static_cast<Move>(square); }
  static constexpr void pack(const Position& p, std::uint64_t* packed) {
    packed[0] = p.own;
    packed[1] = p.opponent;
  }
  static constexpr Position unpack(const std::uint64_t* packed) { return {packed[0], packed[1]}; }
  static constexpr void pack_moves(MoveSet moves, std::uint64_t* packed) { packed[0] = moves; }
  static std::string fault(const Position& p) {
    return (p.own & p.own << 1) != 0 || (p.opponent & p.opponent << 1) != 0 ? "two stones of one side are neighbours"
                                                                            : "";
  }

 private:
  static constexpr std::uint64_t image(std::uint64_t set, int symmetry) {
    std::uint64_t result = 0;
    for (; set != 0; set = without_first(set))
      result |= only<MoveSet>(transform(static_cast<Move>(first(set)), symmetry));
    return result;
  }
};

static_assert(Game<Col>);

}  // namespace rlscout::col
