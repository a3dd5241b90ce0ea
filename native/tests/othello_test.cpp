#include "games/othello/othello.h"

#include <doctest/doctest.h>

#include <bit>
#include <cstdint>
#include <vector>

#include "core/random.h"
#include "games/othello/patterns.h"
#include "games/othello/search_traits.h"
#include "search/transposition_table.h"

namespace rlscout {
namespace {

using othello::Othello;
using othello::Position;

// Follows one ray after the other, square by square.
std::uint64_t plain_flips(std::uint64_t own, std::uint64_t opponent, int move) {
  std::uint64_t flipped = 0;
  for (int down = -1; down <= 1; ++down)
    for (int right = -1; right <= 1; ++right) {
      std::uint64_t bracket = 0;
      int row = move / 8 + down, column = move % 8 + right;
      for (; row >= 0 && row < 8 && column >= 0 && column < 8; row += down, column += right) {
        const std::uint64_t disc = std::uint64_t{1} << (8 * row + column);
        if ((own & disc) != 0) flipped |= bracket;
        if ((opponent & disc) == 0) break;
        bracket |= disc;
      }
    }
  return flipped;
}

TEST_CASE("flips and moves of any 8x8 board are those of a walk along the rays") {
  Random random(4);
  for (int i = 0; i < 2000; ++i) {
    const std::uint64_t occupied = i % 2 == 0 ? random() | random() : random();
    const std::uint64_t own = occupied & random(), opponent = occupied & ~own;
    std::uint64_t moves = 0;
    for (int move = 0; move < 64; ++move) {
      if ((occupied >> move & 1) != 0) continue;
      const std::uint64_t flipped = plain_flips(own, opponent, move);
      CHECK(othello::flipped_discs(own, opponent, move) == flipped);
      if (flipped != 0) moves |= std::uint64_t{1} << move;
    }
    CHECK(othello::legal_moves(own, opponent, Othello<8>::kBoard) == moves);
  }
}

// From a random search: no game reaches it, but a user may ask for it.
TEST_CASE("a position with 35 moves is expanded whole") {
  const Othello<8> game;
  const Position position{0x0214642020340402u, 0x0462124014426a00u};
  REQUIRE(std::popcount(game.legal(position)) == 35);
  using Traits = SearchTraits<Othello<8>>;
  Traits traits(game);
  Traits::ChildList children;
  traits.expand(Traits::node(position), 0, children);
  CHECK(children.size == 35);
}

// The tables compare keys alone: one that forgot a square would answer for another position.
TEST_CASE_TEMPLATE("every stone of a board is in its table key, clear of the data", Game, Othello<4>, Othello<6>,
                   Othello<8>) {
  using Traits = SearchTraits<Game>;
  Random random(7);
  for (int i = 0; i < 20; ++i) {
    const std::uint64_t occupied = Game::kBoard & random(), own = occupied & random();
    const Position position{own, occupied & ~own};
    const auto key = Traits::table_key(position);
    CHECK((key.back() & table_data::kMask) == 0);
    for (std::uint64_t left = Game::kBoard; left != 0; left &= left - 1) {
      const std::uint64_t stone = left & -left;
      CHECK(Traits::table_key({own ^ stone, position.opponent}) != key);
      CHECK(Traits::table_key({own, position.opponent ^ stone}) != key);
      CHECK(Traits::table_key({own ^ stone, position.opponent ^ stone}) != key);
    }
  }
}

TEST_CASE_TEMPLATE("children are predicted at once as each alone", Game, Othello<4>, Othello<6>, Othello<8>) {
  using Patterns = typename SearchTraits<Game>::Patterns;
  Random random(5);
  std::vector<std::int32_t> weights(static_cast<std::size_t>(Patterns::kStages) * Patterns::kStageSize);
  for (std::int32_t& weight : weights) weight = static_cast<std::int32_t>(random.below(1 << 20)) - (1 << 19);
  const Patterns patterns(weights);
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t occupied = Game::kBoard & (random() | random()), own = occupied & random();
    const Position parent{own, occupied & ~own};
    std::vector<Position> children;
    std::vector<std::uint64_t> added, replies;
    for (std::uint64_t moves = othello::legal_moves(parent.own, parent.opponent, Game::kBoard); moves != 0;
         moves &= moves - 1) {
      const std::uint64_t turned = othello::flipped_discs(parent.own, parent.opponent, std::countr_zero(moves));
      added.push_back(turned | (moves & -moves));
      children.push_back({parent.opponent ^ turned, parent.own | added.back()});
      replies.push_back(othello::legal_moves(children.back().own, children.back().opponent, Game::kBoard));
    }
    std::size_t seen = 0;
    patterns.predict_children(
        parent, added, replies, Patterns::kFirstStage, [&](std::size_t child, const othello::Prediction& predicted) {
          const othello::Prediction alone = patterns.predict(children[child], replies[child], Patterns::kFirstStage);
          CHECK(child == seen++);
          CHECK(predicted.score == alone.score);
          CHECK(predicted.cost == alone.cost);
        });
    CHECK(seen == children.size());
  }
}

}  // namespace
}  // namespace rlscout
