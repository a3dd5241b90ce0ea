// Discs that no sequence of legal moves can turn: a lower bound of them.
#pragma once

#include <cstdint>

#include "games/othello/othello.h"

namespace rlscout::othello {

// A disc is safe along an axis if the line there is full, if it stands at the end of the line, or if a neighbour there is a
// stable disc of its own side; it is stable if it is safe along all four. Grown to a fixed point from the discs that are
// safe without neighbours.
template <int N>
std::uint64_t stable_discs(std::uint64_t own, std::uint64_t opponent) {
  constexpr std::uint64_t kBoard = Othello<N>::kBoard;
  constexpr int kOffset = Othello<N>::kOffset;
  constexpr std::uint64_t kFirstColumn = 0x0101010101010101u << kOffset & kBoard, kLastColumn = kFirstColumn << (N - 1);
  constexpr std::uint64_t kFirstRow = std::uint64_t{0xff} << 8 * kOffset & kBoard, kLastRow = kFirstRow << 8 * (N - 1);
  constexpr std::uint64_t kEnds[4] = {kFirstColumn | kLastColumn, kFirstRow | kLastRow,
                                      kFirstColumn | kLastColumn | kFirstRow | kLastRow,
                                      kFirstColumn | kLastColumn | kFirstRow | kLastRow};
  const std::uint64_t empty = kBoard & ~(own | opponent);
  std::uint64_t safe[4], stable = own;
  for (int axis = 0; axis < 4; ++axis) {
    // Every square in line with an empty one, both ways by doubling; the masks stop at the sides of the frame.
    const int shift = kShifts[axis];
    const std::uint64_t up = axis == 1 ? ~std::uint64_t{0} : axis == 2 ? 0x7f7f7f7f7f7f7f7fu : 0xfefefefefefefefeu;
    const std::uint64_t down = axis == 1 ? ~std::uint64_t{0} : axis == 2 ? 0xfefefefefefefefeu : 0x7f7f7f7f7f7f7f7fu;
    std::uint64_t above = empty, below = empty, open_up = up, open_down = down;
    for (int step = shift; step < 8 * shift; step *= 2) {
      above |= above << step & open_up;
      below |= below >> step & open_down;
      open_up &= open_up << step;
      open_down &= open_down >> step;
    }
    safe[axis] = ~(above | below) | kEnds[axis];
    stable &= safe[axis];
  }
  for (;;) {
    std::uint64_t grown = own;
    for (int axis = 0; axis < 4; ++axis) grown &= safe[axis] | stable << kShifts[axis] | stable >> kShifts[axis];
    grown |= stable;
    if (grown == stable) return stable;
    stable = grown;
  }
}

}  // namespace rlscout::othello
