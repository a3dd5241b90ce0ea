// The search against a plain minimax without table, bounds or order: every game, tiny tables, odd windows, several threads.
#include "search/alphabeta.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <vector>

#include "core/random.h"
#include "games/mnk/search_traits.h"
#include "games/othello/search_traits.h"
#include "search/score.h"

using namespace rlscout;

namespace {

template <Game G>
int minimax(const G& game, const typename G::Position& position) {
  const Phase phase = game.phase(position);
  if (phase == Phase::kOver) return game.score(position);
  if (phase == Phase::kPass) return -minimax(game, game.play(position, kPass));
  int best = -1000;
  for_each_bit(game.legal(position),
               [&](int move) { best = std::max(best, -minimax(game, game.play(position, static_cast<Move>(move)))); });
  return best;
}

// A position that random moves lead to, with at most `empties` empty squares or over.
template <Game G>
typename G::Position random_position(const G& game, int empties, Random& random) {
  auto position = game.initial();
  while (game.empties(position) > empties && game.phase(position) != Phase::kOver) {
    const auto moves = game.legal(position);
    int skip = any(moves) ? static_cast<int>(random.below(static_cast<std::uint32_t>(count(moves)))) : 0;
    Move move = kPass;
    for_each_bit(moves, [&](int bit) {
      if (skip-- == 0) move = static_cast<Move>(bit);
    });
    position = game.play(position, move);
  }
  return position;
}

// The same with a share of the stones moved to one side, or to the other: mostly a board that no game reaches, with stones
// of one side alone now and then. As it was where the game does not know such a board.
template <Game G>
typename G::Position recoloured(const G& game, const typename G::Position& position, Random& random) {
  std::uint64_t stones[2 * G::kWords];
  game.pack(position, stones);
  const std::uint32_t share = random.below(101), side = random.below(3);  // 2: whichever it is not on
  for (int square = 0; square < game.columns() * game.rows(); ++square)
    for (const std::uint32_t from : {0u, 1u}) {
      std::uint64_t& here = stones[from * G::kWords + static_cast<unsigned>(square / 64)];
      std::uint64_t& there = stones[(1 - from) * G::kWords + static_cast<unsigned>(square / 64)];
      const std::uint64_t stone = std::uint64_t{1} << square % 64;
      if ((here & stone) == 0 || from == side) continue;
      if (random.below(100) < share) here ^= stone, there ^= stone;
      break;
    }
  const auto changed = game.unpack(stones);
  return game.fault(changed).empty() ? changed : position;
}

template <Game G>
void check_against_minimax(const G& game, int empties, int positions, const AlphaBetaOptions& options) {
  Random random(20, static_cast<std::uint64_t>(empties));
  AlphaBeta<G> search(game, options);
  ScoreSearch<G, AlphaBeta<G>> question(game, search, search.score_step());
  for (int i = 0; i < positions; ++i) {
    auto position = random_position(game, empties, random);
    if (i % 2 == 1 && game.empties(position) <= empties) position = recoloured(game, position, random);
    const int score = minimax(game, position);
    const int bound =
        static_cast<int>(random.below(static_cast<std::uint32_t>(2 * game.max_score() + 1))) - game.max_score();
    CAPTURE(game.name());
    CAPTURE(i);
    CAPTURE(bound);
    Budget budget;
    const Proof proof = search.prove({position, bound}, budget);
    REQUIRE(proof.verdict == (score >= bound ? Verdict::kProved : Verdict::kDisproved));
    if (proof.verdict == Verdict::kProved) REQUIRE((proof.score_bound >= bound && proof.score_bound <= score));
    if (proof.verdict == Verdict::kDisproved) REQUIRE((proof.score_bound < bound && proof.score_bound >= score));
    SharedBounds shared;
    const Answer answer =
        question.solve(position, {-game.max_score() - 1, game.max_score() + 1}, bound, budget, shared);
    REQUIRE(answer.bounds == Bounds{score, score});
    if (game.phase(position) == Phase::kMove) {
      REQUIRE(answer.move >= 0);
      REQUIRE(contains(game.legal(position), answer.move));
      REQUIRE(-minimax(game, game.play(position, answer.move)) == score);
    }
    // Any window, also one whose ends are no possible scores, is settled from one side or by the score.
    const int lower =
        static_cast<int>(random.below(static_cast<std::uint32_t>(2 * game.max_score() + 1))) - game.max_score() - 1;
    const Bounds window{lower, lower + 1 + static_cast<int>(random.below(4))};
    CAPTURE(window.lower);
    CAPTURE(window.upper);
    const Bounds bounds = question.solve(position, window, bound, budget, shared).bounds;
    REQUIRE((bounds.lower <= score && score <= bounds.upper));
    REQUIRE((bounds.exact() || bounds.lower >= window.upper || bounds.upper <= window.lower));
    // Asked again: the move kept beside the lower bound reaches it, whatever failed high and low meanwhile.
    const Proof again = search.prove({position, score}, budget);
    REQUIRE(again.verdict == Verdict::kProved);
    if (again.move >= 0) REQUIRE(-minimax(game, game.play(position, again.move)) >= again.score_bound);
    if (const auto known = search.known(position)) {
      REQUIRE((known->bounds.lower <= score && score <= known->bounds.upper));
      if (known->bounds.lower > -game.max_score() && known->move >= 0)
        REQUIRE(-minimax(game, game.play(position, known->move)) >= known->bounds.lower);
    }
  }
}

}  // namespace

TEST_CASE("Othello of all sizes and both scorings agrees with minimax") {
  using othello::Othello, othello::Scoring;
  for (const Scoring scoring : {Scoring::kEmptiesToWinner, Scoring::kDiscs}) {
    for (const Ordering ordering : {Ordering::kStatic, Ordering::kRandom}) {
      const AlphaBetaOptions options{.table_mb = 0, .ordering = ordering, .seed = 3, .statistics = true};
      check_against_minimax(Othello<4>(scoring), 9, 60, options);
      check_against_minimax(Othello<4>(scoring), 7, 60, options);
      check_against_minimax(Othello<6>(scoring), 7, 60, options);
      check_against_minimax(Othello<6>(scoring), 5, 60, options);
      check_against_minimax(Othello<6>(scoring), 3, 60, options);
      check_against_minimax(Othello<8>(scoring), 6, 60, options);
      check_against_minimax(Othello<8>(scoring), 2, 60, options);
    }
  }
}

TEST_CASE("m,n,k games agree with minimax") {
  using namespace mnk;
  const AlphaBetaOptions options{.table_mb = 0};
  check_against_minimax(Mnk<StaticShape<3, 3, 3>>(), 9, 4, options);
  check_against_minimax(Mnk<StaticShape<3, 3, 3>>(), 7, 60, options);
  check_against_minimax(Mnk(DynamicShape<1>{4, 3, 3}), 8, 60, options);
  check_against_minimax(Mnk(DynamicShape<1>{4, 4, 4}), 8, 60, options);
  check_against_minimax(Mnk(DynamicShape<1>{5, 4, 4}), 7, 60, options);
  check_against_minimax(Mnk(DynamicShape<1>{5, 5, 3}), 7, 60, options);
  check_against_minimax(Mnk(DynamicShape<2>{9, 8, 5}), 6, 60, options);
  check_against_minimax(Mnk(DynamicShape<2>{9, 8, 4}), 6, 30, options);
}

TEST_CASE("threads that share one small table give the score of one thread, and moves that reach it") {
  using Game = othello::Othello<6>;
  const Game game;
  Random random(4);
  AlphaBeta<Game> threads(game, {.table_mb = 1, .threads = 4});
  AlphaBeta<Game> alone(game, {.table_mb = 1});
  SharedBounds shared;
  Budget budget;
  for (int i = 0; i < 16; ++i) {
    const auto position = random_position(game, 17, random);
    const Bounds all{-37, 37};
    const auto many = ScoreSearch(game, threads, 2).solve(position, all, 0, budget, shared);
    const auto one = ScoreSearch(game, alone, 2).solve(position, all, 0, budget, shared);
    CHECK(many.bounds == one.bounds);
    CHECK(many.bounds.exact());
    // What a thread was told to leave, as another had settled the split, is no value: claims below a negative score find it out.
    for (int bound = one.bounds.lower - 4; bound <= one.bounds.lower + 4; bound += 2) {
      threads.clear_tables();
      const Proof proof = threads.prove({position, bound}, budget);
      CAPTURE(bound);
      REQUIRE(proof.verdict == (one.bounds.lower >= bound ? Verdict::kProved : Verdict::kDisproved));
      if (proof.verdict == Verdict::kDisproved) {
        CHECK(proof.score_bound >= one.bounds.lower);
        continue;
      }
      CHECK(proof.score_bound <= one.bounds.lower);
      if (proof.move < 0) continue;
      const Claim<Game> reply{game.play(position, proof.move), 2 - proof.score_bound};
      CHECK(alone.prove(reply, budget).verdict == Verdict::kDisproved);
    }
  }
}

TEST_CASE("with cleared tables a proof counts what it counted the first time") {
  using Game = othello::Othello<6>;
  using Patterns = SearchTraits<Game>::Patterns;
  Random random(6);
  std::vector<std::int32_t> weights(static_cast<std::size_t>(Patterns::kStages) * Patterns::kStageSize);
  for (std::int32_t& weight : weights) weight = static_cast<std::int32_t>(random.below(1 << 20)) - (1 << 19);
  const Game game;
  AlphaBeta<Game> search(game, {.table_mb = 1}, std::make_shared<const Patterns>(weights));
  const auto position = random_position(game, 16, random);
  const auto counted = [&] {
    const Counters before = search.counters();
    Budget budget;
    search.prove({position, 2}, budget);
    const Counters after = search.counters();
    search.clear_tables();
    return std::pair{after.nodes - before.nodes, after.evaluations - before.evaluations};
  };
  const auto first = counted();
  CHECK(first.second > 0);
  for (int i = 0; i < 3; ++i) CHECK(counted() == first);
}

TEST_CASE("a search that met its limit leaves nothing false behind") {
  const othello::Othello<6> game;
  Random random(5);
  for (int i = 0; i < 4; ++i) {
    const auto position = random_position(game, 14, random);
    AlphaBeta<othello::Othello<6>> whole(game, {.table_mb = 1});
    AlphaBeta<othello::Othello<6>> pieces(game, {.table_mb = 1});
    SharedBounds shared;
    const Bounds all{-37, 37};
    Budget unlimited;
    const auto expected = ScoreSearch(game, whole, 2).solve(position, all, 0, unlimited, shared);
    for (;;) {
      Budget budget({.nodes = 4096});
      const auto answer = ScoreSearch(game, pieces, 2).solve(position, all, 0, budget, shared);
      REQUIRE(answer.bounds.lower <= expected.bounds.lower);
      REQUIRE(answer.bounds.upper >= expected.bounds.upper);
      if (answer.bounds.exact()) break;
    }
  }
}

TEST_CASE("fast flips and mobility are those of the rules; stable discs stay") {
  using namespace othello;
  Random random(6);
  for (int i = 0; i < 2000; ++i) {
    const std::uint64_t own = random() & random(), opponent = ~own & random();
    REQUIRE(mobility<8>(own, opponent, Othello<8>::kBoard) == legal_moves(own, opponent, Othello<8>::kBoard));
    for_each_bit(~(own | opponent),
                 [&](int move) { REQUIRE(flips(own, opponent, move) == flipped_discs(own, opponent, move)); });
    const int last = static_cast<int>(random.below(64));
    const std::uint64_t mine = own & ~only<std::uint64_t>(last), others = ~mine & ~only<std::uint64_t>(last);
    REQUIRE(last_square::turned(mine, last) == 2 * count(flipped_discs(mine, others, last)));
  }
  const Othello<6> game;
  for (int i = 0; i < 200; ++i) {
    auto position = random_position(game, 14, random);
    const std::uint64_t stable = stable_discs<6>(position.own, position.opponent);
    for (bool own = true; game.phase(position) != Phase::kOver; own = !own) {
      REQUIRE((stable & ~(own ? position.own : position.opponent)) == 0);
      const auto moves = game.legal(position);
      position = game.play(position, any(moves) ? static_cast<Move>(first(moves)) : kPass);
    }
  }
}
