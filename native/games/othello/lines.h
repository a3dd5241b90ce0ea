// Runs of discs by plain shifts: where one may move, and what is turned.
#pragma once

#include <cstdint>

namespace rlscout::othello {

// The eight directions as four shifts, each used left and right. The mask keeps a run from wrapping round the sides.
inline constexpr int kShifts[4] = {1, 8, 7, 9};
inline constexpr std::uint64_t kInnerColumns = 0x7e7e7e7e7e7e7e7eu;
inline constexpr std::uint64_t kRunMasks[4] = {kInnerColumns, ~std::uint64_t{0}, kInnerColumns, kInnerColumns};

// The opponent's discs in a row from each of `start` on, along one direction and against it.
struct Runs {
  std::uint64_t left, right;
};
constexpr Runs runs_from(std::uint64_t start, std::uint64_t opponent, int direction) {
  const int shift = kShifts[direction];
  const std::uint64_t inner = opponent & kRunMasks[direction];
  std::uint64_t left = inner & (start << shift), right = inner & (start >> shift);
  left |= inner & (left << shift);
  right |= inner & (right >> shift);
  const std::uint64_t inner_left = inner & (inner << shift), inner_right = inner & (inner >> shift);
  left |= inner_left & (left << 2 * shift);
  right |= inner_right & (right >> 2 * shift);
  left |= inner_left & (left << 2 * shift);
  right |= inner_right & (right >> 2 * shift);
  return {left, right};
}

// Empty squares where the side owning `own` brackets opposing discs; `board` is the set of playable squares.
constexpr std::uint64_t legal_moves(std::uint64_t own, std::uint64_t opponent, std::uint64_t board) {
  std::uint64_t moves = 0;
  for (int i = 0; i < 4; ++i) {
    const auto [left, right] = runs_from(own, opponent, i);
    moves |= (left << kShifts[i]) | (right >> kShifts[i]);
  }
  return moves & board & ~(own | opponent);
}

// The opposing discs turned by a disc of `own` on bit `move`.
constexpr std::uint64_t flipped_discs(std::uint64_t own, std::uint64_t opponent, int move) {
  std::uint64_t flipped = 0;
  for (int i = 0; i < 4; ++i) {
    const auto [left, right] = runs_from(std::uint64_t{1} << move, opponent, i);
    if ((left << kShifts[i] & own) != 0) flipped |= left;
    if ((right >> kShifts[i] & own) != 0) flipped |= right;
  }
  return flipped;
}

}  // namespace rlscout::othello
