#include "search/rollout.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "core/bits.h"
#include "core/game.h"
#include "core/random.h"
#include "games/mnk/mnk.h"
#include "games/othello/othello.h"

namespace rlscout {
namespace {

// One game by itself, as the rules say it.
template <Game G>
int play_alone(const G& game, typename G::Position position, Random& random) {
  int sign = 1;
  for (; game.phase(position) != Phase::kOver; sign = -sign) {
    Move move = kPass;
    if (game.phase(position) == Phase::kMove) {
      const auto moves = game.legal(position);
      move = static_cast<Move>(nth(moves, static_cast<int>(random.below(static_cast<std::uint32_t>(count(moves))))));
    }
    position = game.play(position, move);
  }
  return sign * game.score(position);
}

// Every position of `games` random games, those before a pass and the finished ones too.
template <Game G>
std::vector<typename G::Position> positions_of(const G& game, int games) {
  std::vector<typename G::Position> positions;
  Random random(5);
  for (int i = 0; i < games; ++i) {
    auto position = game.initial();
    positions.push_back(position);
    for (Phase phase; (phase = game.phase(position)) != Phase::kOver; positions.push_back(position)) {
      const auto moves = game.legal(position);
      position = phase == Phase::kPass
                     ? game.play(position, kPass)
                     : game.play(position,
                                 static_cast<Move>(nth(
                                     moves, static_cast<int>(random.below(static_cast<std::uint32_t>(count(moves)))))));
    }
  }
  return positions;
}

template <Game G>
void check_alike(const G& game) {
  const auto positions = positions_of(game, 40);
  bool passed = false;
  for (const std::size_t together : {1, 2, 3, 4, 5, 32, 1000}) {
    std::vector<Random> randoms;
    for (std::size_t i = 0; i < positions.size(); ++i) randoms.emplace_back(9, i);
    auto alone = randoms;
    std::vector<Rollout<G>> rollouts;
    for (std::size_t i = 0; i < positions.size(); ++i) rollouts.push_back({positions[i], &randoms[i], 1000});
    for (std::size_t i = 0; i < positions.size(); i += together)
      play_rollouts(game, std::span(rollouts).subspan(i, std::min(together, positions.size() - i)));
    for (std::size_t i = 0; i < positions.size(); ++i) {
      CAPTURE(i);
      passed |= game.phase(positions[i]) == Phase::kPass;
      REQUIRE(rollouts[i].score == play_alone(game, positions[i], alone[i]));
      REQUIRE(randoms[i]() == alone[i]());
    }
  }
  CHECK(passed == (game.name().substr(0, 7) == "othello"));
}

TEST_CASE("rollouts played together end as each does by itself, and take the same random numbers") {
  check_alike(othello::Othello<8>());
  check_alike(othello::Othello<6>(othello::Scoring::kDiscs));
  check_alike(othello::Othello<4>());
  check_alike(mnk::Mnk<mnk::StaticShape<8, 8, 5>>());
  check_alike(mnk::Mnk<mnk::DynamicShape<4>>({15, 15, 5}));
}

}  // namespace
}  // namespace rlscout
