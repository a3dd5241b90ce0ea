// What generic code assumes of a game, on random games of every family and of the game that docs/adding-a-game.md adds.
#include "core/game.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <vector>

#include "core/bits.h"
#include "core/random.h"
#include "games/mnk/mnk.h"
#include "games/othello/othello.h"
#include "tests/col.h"

namespace rlscout {
namespace {

template <Game G>
using Packed = std::array<std::uint64_t, 2 * G::kWords>;

template <Game G>
Packed<G> packed_of(const G& game, const typename G::Position& position) {
  Packed<G> packed;
  game.pack(position, packed.data());
  return packed;
}

// Squares go through pack and back, moves through squares, and a pass stays a pass.
template <Game G>
void check_layout(const G& game, const typename G::Position& position) {
  CHECK(game.unpack(packed_of(game, position).data()) == position);
  CHECK(game.fault(position).empty());
  std::array<std::uint64_t, G::kWords> legal{};
  game.pack_moves(game.legal(position), legal.data());
  int moves = 0;
  for (const auto word : legal) moves += count(word);
  CHECK(moves == count(game.legal(position)));
  for_each_bit(game.legal(position), [&](int bit) {
    const Move move = static_cast<Move>(bit);
    const int square = game.square(move);
    CHECK(game.move_at(square) == move);
    CHECK((legal[static_cast<std::size_t>(square / 64)] >> square % 64 & 1) == 1);
  });
}

// Rules commute with symmetries; all images have one canonical position.
template <Game G>
void check_symmetries(const G& game, const typename G::Position& position) {
  const auto least = canonical(game, position);
  CHECK(game.transform(position, 0) == position);
  CHECK(game.transform(position, least.symmetry) == least.position);
  for (int symmetry = 0; symmetry < game.symmetries(); ++symmetry) {
    const auto image = game.transform(position, symmetry);
    CHECK(canonical(game, image).position == least.position);
    CHECK(game.phase(image) == game.phase(position));
    CHECK(game.empties(image) == game.empties(position));
    CHECK(game.transform(kPass, symmetry) == kPass);
    typename G::MoveSet legal{};
    for_each_bit(game.legal(position), [&](int bit) {
      const Move move = static_cast<Move>(bit), moved = game.transform(move, symmetry);
      legal |= only<typename G::MoveSet>(moved);
      CHECK(game.play(image, moved) == game.transform(game.play(position, move), symmetry));
    });
    CHECK(legal == game.legal(image));
    if (game.phase(position) == Phase::kOver) CHECK(game.score(image) == game.score(position));
  }
}

template <Game G>
void check_random_games(const G& game, int games) {
  CAPTURE(game.name());
  Random random(17);
  for (int i = 0; i < games; ++i) {
    auto position = game.initial();
    int plies = 0;
    for (;; ++plies) {
      check_layout(game, position);
      if (plies % 4 == 0) check_symmetries(game, position);
      const auto legal = game.legal(position);
      const Phase phase = game.phase(position);
      CHECK(any(legal) == (phase == Phase::kMove));
      if (phase == Phase::kOver) break;
      const auto before = position;
      if (phase == Phase::kPass) {
        position = game.play(position, kPass);
        CHECK(game.phase(position) == Phase::kMove);
      } else {
        position = game.play(position, static_cast<Move>(nth(legal, static_cast<int>(random.below(count(legal))))));
        CHECK(game.empties(position) == game.empties(before) - 1);
      }
      CHECK(game.key(position) != game.key(before));
    }
    CHECK(plies <= game.max_plies());
    CHECK(game.score(position) <= game.max_score());
    CHECK(game.score(position) >= -game.max_score());
  }
}

// A board known when compiling plays as the same board known when running.
template <int M, int N, int K>
void check_shapes_agree() {
  const mnk::Mnk fixed(mnk::StaticShape<M, N, K>{});
  const mnk::Mnk dynamic(mnk::DynamicShape<(M * N + 63) / 64>{M, N, K});
  CHECK(fixed.name() == dynamic.name());
  Random random(5);
  auto position = fixed.initial();
  auto twin = dynamic.initial();
  while (fixed.phase(position) == Phase::kMove) {
    CHECK(fixed.legal(position) == dynamic.legal(twin));
    const auto legal = fixed.legal(position);
    const Move move = static_cast<Move>(nth(legal, static_cast<int>(random.below(count(legal)))));
    position = fixed.play(position, move);
    twin = dynamic.play(twin, move);
  }
  CHECK(dynamic.phase(twin) == Phase::kOver);
  CHECK(fixed.score(position) == dynamic.score(twin));
}

TEST_CASE("Othello is a game") {
  check_random_games(othello::Othello<4>(), 20);
  check_random_games(othello::Othello<6>(othello::Scoring::kDiscs, true), 10);
  check_random_games(othello::Othello<8>(), 5);
}

TEST_CASE("m,n,k games are games, in one word and in several") {
  check_random_games(mnk::Mnk(mnk::StaticShape<3, 3, 3>{}), 30);
  check_random_games(mnk::Mnk(mnk::DynamicShape<1>{15, 1, 3}), 20);
  check_random_games(mnk::Mnk(mnk::DynamicShape<1>{7, 8, 5}), 5);
  check_random_games(mnk::Mnk(mnk::DynamicShape<2>{9, 9, 5}), 3);
  check_random_games(mnk::Mnk(mnk::DynamicShape<3>{11, 12, 5}), 2);
  check_random_games(mnk::Mnk(mnk::StaticShape<15, 15, 5>{}), 1);
}

TEST_CASE("m,n,k boards known when compiling and when running are the same games") {
  check_shapes_agree<3, 3, 3>();
  check_shapes_agree<8, 8, 5>();
  check_shapes_agree<15, 15, 5>();
}

TEST_CASE("the game of the guide is a game") { check_random_games(col::Col(), 30); }

}  // namespace
}  // namespace rlscout
