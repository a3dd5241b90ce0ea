// A game played to its end by uniformly random legal moves: what a leaf is worth without a network.
#pragma once

#include "core/bits.h"
#include "core/game.h"
#include "core/random.h"

namespace rlscout {

// The exact score of the random game, for the side to move at `position`.
template <Game G>
int random_rollout(const G& game, typename G::Position position, Random& random) {
  for (int sign = 1;; sign = -sign) {
    const auto moves = game.legal(position);
    if (any(moves)) {
      const int choice = static_cast<int>(random.below(static_cast<std::uint32_t>(count(moves))));
      position = game.play(position, static_cast<Move>(nth(moves, choice)));
    } else if (game.phase(position) == Phase::kPass) {
      position = game.play(position, kPass);
    } else {
      return sign * game.score(position);
    }
  }
}

}  // namespace rlscout
