// Random openings of which no two are the same position, in any of its symmetric forms.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <set>
#include <vector>

#include "core/bits.h"
#include "core/game.h"
#include "core/random.h"

namespace rlscout {

// A position on the way: who is to move, and how far from the start. A move is due.
template <Game G>
struct Standing {
  typename G::Position position;
  bool first_to_move = true;  // the side that moved at ply 0
  int ply = 0;                // passes included

  static Standing start(const G& game) { return {game.initial()}; }

  // After a move, and after the pass that it may force.
  Standing after(const G& game, Move move) const {
    Standing next{game.play(position, move), !first_to_move, ply + 1};
    if (game.phase(next.position) == Phase::kPass) next = {game.play(next.position, kPass), first_to_move, ply + 2};
    return next;
  }
};

template <Game G>
struct Opening {
  Standing<G> standing;
  std::vector<Move> moves;  // without passes
};

// `moves` uniformly random moves from the start; stops short of a move that would end the game.
template <Game G>
Opening<G> random_opening(const G& game, int moves, Random& random) {
  Opening<G> opening{Standing<G>::start(game), {}};
  for (; moves > 0; --moves) {
    const auto legal = game.legal(opening.standing.position);
    const auto choice = static_cast<int>(random.below(static_cast<std::uint32_t>(count(legal))));
    const Move move = static_cast<Move>(nth(legal, choice));
    const auto next = opening.standing.after(game, move);
    if (game.phase(next.position) == Phase::kOver) break;
    opening.standing = next;
    opening.moves.push_back(move);
  }
  return opening;
}

// Opening i is a function of the seed alone. Where kDraws draws of `moves` random moves bring nothing new, the opening
// is made one move longer, then another; a game that has fewer openings than are asked for repeats them in the end.
template <Game G>
class Openings {
 public:
  Openings(const G& game, int moves, std::uint64_t seed) : game_(game), moves_(moves), seed_(seed) {}

  // Safe to call from several threads.
  Opening<G> operator[](std::size_t i) {
    const std::lock_guard lock(mutex_);
    while (openings_.size() <= i) openings_.push_back(draw());
    return openings_[i];
  }

 private:
  static constexpr int kDraws = 32;
  static constexpr std::uint64_t kStream = 0x6f70656e696e6773;  // apart from the streams of the games

  Opening<G> draw() {
    Random random(mix(seed_) ^ kStream, openings_.size());
    Opening<G> opening = random_opening(game_, moves_, random);
    for (int draw = 1; !seen_.insert(canonical(game_, opening.standing.position).position).second; ++draw) {
      const int moves = moves_ + draw / kDraws;
      if (moves > game_.max_plies()) break;
      opening = random_opening(game_, moves, random);
    }
    return opening;
  }

  const G& game_;
  const int moves_;
  const std::uint64_t seed_;
  std::mutex mutex_;
  std::vector<Opening<G>> openings_;
  std::set<typename G::Position> seen_;
};

}  // namespace rlscout
