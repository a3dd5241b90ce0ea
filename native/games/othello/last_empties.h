// The last one to four empty squares, played out without tables or lists: two thirds of all nodes are here.
//
// Every routine returns a bound v in the sense of the search: v >= bound means score >= v, else score <= v. It counts each
// position that it enters. `bound` is a claim of the side that owns `own`.
#pragma once

#include <array>
#include <cstdint>
#include <limits>

#include "games/othello/flips.h"
#include "games/othello/othello.h"

namespace rlscout::othello {

// Quadrants of 4x4 squares; on a smaller board its own quarters, for it lies in the middle.
//
// Parity: the side that moves last in a region gains, so regions with an odd number of empty squares come first.
inline constexpr std::uint64_t kQuadrants[4] = {0x000000000f0f0f0fu, 0x00000000f0f0f0f0u, 0x0f0f0f0f00000000u,
                                                0xf0f0f0f000000000u};

// The squares of all quadrants with an odd number of empties.
inline std::uint64_t odd_quadrants(std::uint64_t empty) {
  std::uint64_t odd = 0;
  for (std::uint64_t quadrant : kQuadrants) odd |= (std::popcount(empty & quadrant) & 1) != 0 ? quadrant : 0;
  return odd;
}

inline constexpr auto kNeighbours = [] {
  std::array<std::uint64_t, 64> table{};
  for (int square = 0; square < 64; ++square) {
    const std::uint64_t disc = std::uint64_t{1} << square;
    const std::uint64_t inner = (disc & 0xfefefefefefefefeu) >> 1 | (disc & 0x7f7f7f7f7f7f7f7fu) << 1 | disc;
    table[static_cast<std::size_t>(square)] = (inner | inner << 8 | inner >> 8) & ~disc;
  }
  return table;
}();

template <int N>
class LastEmpties {
  using Game = Othello<N>;
  static constexpr int kNone = -std::numeric_limits<int>::max();

 public:
  LastEmpties(const Game& game, int step) : game_(game), step_(step) {}

  // One to four empties, none passed yet; `moves` are the legal ones.
  int solve(std::uint64_t own, std::uint64_t opponent, std::uint64_t empty, std::uint64_t moves, int bound,
            std::uint64_t& nodes) const {
    switch (std::popcount(empty)) {
      case 0:
        ++nodes;
        return game_.score({own, opponent});
      case 1:
        return one(own, std::countr_zero(empty), nodes);
      case 2:
        return two<false>(own, opponent, empty, bound, nodes);
      case 3:
        return three<false>(own, opponent, empty, bound, nodes);
      default:
        return four(own, opponent, empty, moves, bound, nodes);
    }
  }

 private:
  // The exact score.
  int one(std::uint64_t own, int square, std::uint64_t& nodes) const {
    ++nodes;
    const int difference = 2 * std::popcount(own) - (N * N - 1);  // odd
    if (const int turned = last_square::turned(own, square)) return difference + turned + 1;
    const std::uint64_t opponent = Game::kBoard & ~own & ~(std::uint64_t{1} << square);
    if (const int turned = last_square::turned(opponent, square)) return difference - turned - 1;
    if (game_.scoring() == Scoring::kDiscs) return difference;
    return difference > 0 ? difference + 1 : difference - 1;
  }

  template <bool kPassed>
  int two(std::uint64_t own, std::uint64_t opponent, std::uint64_t empty, int bound, std::uint64_t& nodes) const {
    ++nodes;
    const int first = std::countr_zero(empty), second = 63 - std::countl_zero(empty);
    int best = kNone;
    if (const std::uint64_t turned = turned_at(own, opponent, first)) {
      best = -one(opponent ^ turned, second, nodes);
      if (best >= bound) return best;
    }
    if (const std::uint64_t turned = turned_at(own, opponent, second)) {
      const int value = -one(opponent ^ turned, first, nodes);
      return value > best ? value : best;
    }
    if (best != kNone) return best;
    if constexpr (kPassed)
      return game_.score({own, opponent});
    else
      return -two<true>(opponent, own, empty, step_ - bound, nodes);
  }

  template <bool kPassed>
  int three(std::uint64_t own, std::uint64_t opponent, std::uint64_t empty, int bound, std::uint64_t& nodes) const {
    ++nodes;
    int best = kNone;
    // Odd are all quadrants with an empty square, or, of a pair and one alone, that of the latter: it comes first.
    const int first = std::countr_zero(empty & odd_quadrants(empty));
    const std::uint64_t others = empty ^ std::uint64_t{1} << first;
    const auto try_square = [&](int square) {
      const std::uint64_t turned = turned_at(own, opponent, square);
      if (turned == 0) return false;
      const std::uint64_t disc = std::uint64_t{1} << square;
      const int value = -two<false>(opponent ^ turned, own | turned | disc, empty ^ disc, step_ - bound, nodes);
      best = value > best ? value : best;
      return best >= bound;
    };
    if (try_square(first)) return best;
    if (try_square(std::countr_zero(others))) return best;
    if (try_square(63 - std::countl_zero(others))) return best;
    if (best != kNone) return best;
    if constexpr (kPassed)
      return game_.score({own, opponent});
    else
      return -three<true>(opponent, own, empty, step_ - bound, nodes);
  }

  int four(std::uint64_t own, std::uint64_t opponent, std::uint64_t empty, std::uint64_t moves, int bound,
           std::uint64_t& nodes) const {
    ++nodes;
    if (moves == 0) {
      moves = mobility<N>(opponent, own, Game::kBoard);
      if (moves == 0) return game_.score({own, opponent});
      return -four(opponent, own, empty, moves, step_ - bound, nodes);
    }
    int best = kNone;
    const std::uint64_t odd = odd_quadrants(empty);
    do {
      const std::uint64_t first = (moves & odd) != 0 ? moves & odd : moves, disc = first & -first;
      const std::uint64_t turned = flips(own, opponent, std::countr_zero(first));
      const int value = -three<false>(opponent ^ turned, own | turned | disc, empty ^ disc, step_ - bound, nodes);
      best = value > best ? value : best;
      moves ^= disc;
    } while (moves != 0 && best < bound);
    return best;
  }

  // Nothing is turned without an opposing neighbour, and that is quick to see.
  static std::uint64_t turned_at(std::uint64_t own, std::uint64_t opponent, int square) {
    return (kNeighbours[static_cast<std::size_t>(square)] & opponent) != 0 ? flips(own, opponent, square) : 0;
  }

  Game game_;
  int step_;
};

}  // namespace rlscout::othello
