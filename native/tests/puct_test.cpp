#include "search/puct.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "core/arena.h"
#include "core/hash.h"
#include "games/mnk/mnk.h"
#include "games/othello/othello.h"

using namespace rlscout;

namespace {

using TicTacToe = mnk::Mnk<mnk::StaticShape<3, 3, 3>>;
using Wide = mnk::Mnk<mnk::DynamicShape<4>>;

float fake_value(std::uint64_t key) { return static_cast<float>(static_cast<int>(mix(key) >> 48) - 32768) / 32768.0f; }

template <Game G>
void walk(Tree<G>& tree) {
  tree.start_walk();
  while (tree.step()) {
  }
}

// The leaf of a walk, by hashes of its position.
template <Game G>
void answer(const G& game, Tree<G>& tree) {
  if (tree.leaf_is_over()) return tree.back_up_finished();
  const std::uint64_t key = game.key(tree.leaf_position());
  std::vector<float> priors(static_cast<std::size_t>(count(tree.leaf_moves())));
  float total = 0.0f;
  for (auto& prior : priors) total += prior = static_cast<float>(1 + (combine(key, &prior - priors.data()) >> 56));
  for (auto& prior : priors) prior /= total;
  tree.expand(priors);
  tree.back_up(fake_value(key));
}

template <Game G>
void simulate(const G& game, Tree<G>& tree) {
  walk(tree);
  answer(game, tree);
}

int total_visits(const std::vector<RootMove>& moves) {
  return std::accumulate(moves.begin(), moves.end(), 0, [](int sum, const RootMove& m) { return sum + m.visits; });
}

// The root's mean is the mean of its first evaluation and of its moves' means, by visits.
template <Game G>
void check_means(const Tree<G>& tree, float first_value) {
  double sum = first_value;
  for (const RootMove& move : tree.root_moves()) sum += static_cast<double>(move.value) * move.visits;
  CHECK(tree.root_value() == doctest::Approx(sum / (tree.simulations() + 1)).epsilon(1e-4));
}

template <Game G>
void check_tree(const G& game) {
  Arena arena(0);  // it must grow, and move
  Tree<G> tree(game, {1.5f, 0.2f, 0.1f}, arena);
  tree.reset(game.initial());
  CHECK(!tree.has_root());
  for (int i = 0; i <= 700; ++i) simulate(game, tree);
  CHECK(tree.simulations() == 700);
  CHECK(total_visits(tree.root_moves()) == 700);
  check_means(tree, fake_value(game.key(game.initial())));
  CHECK(tree.nodes() <= 701);
}

}  // namespace

TEST_CASE("visits add up and means are means") {
  check_tree(TicTacToe{});
  check_tree(othello::Othello<4>{});
  check_tree(othello::Othello<8>{});
  check_tree(Wide({15, 15, 5}));
}

TEST_CASE("a subtree that is kept is the tree it was") {
  const othello::Othello<6> game;
  Arena arena(0);
  Tree<othello::Othello<6>> tree(game, {}, arena);
  tree.reset(game.initial());
  for (int i = 0; i <= 500; ++i) simulate(game, tree);
  const auto moves = tree.root_moves();
  const RootMove best =
      *std::max_element(moves.begin(), moves.end(), [](auto& a, auto& b) { return a.visits < b.visits; });
  const auto next = game.play(game.initial(), best.move);
  tree.advance(best.move, next);
  CHECK(tree.root_position() == next);
  CHECK(tree.simulations() == best.visits - 1);
  CHECK(tree.root_value() == -best.value);
  CHECK(total_visits(tree.root_moves()) == best.visits - 1);
  check_means(tree, fake_value(game.key(next)));

  // It goes on as a tree would that was grown from this root alone: the walks below a node depend on nothing above it.
  Tree<othello::Othello<6>> anew(game, {}, arena);
  anew.reset(next);
  for (int i = 0; i < best.visits + 300; ++i) simulate(game, anew);
  for (int i = 0; i < 300; ++i) simulate(game, tree);
  const auto kept = tree.root_moves(), grown = anew.root_moves();
  for (std::size_t i = 0; i < kept.size(); ++i) {
    CHECK(kept[i].visits == grown[i].visits);
    CHECK(kept[i].value == grown[i].value);
    CHECK(kept[i].prior == grown[i].prior);
  }
}

TEST_CASE("a walk under way does not change which positions a tree has") {
  const othello::Othello<6> game;
  using Position = othello::Othello<6>::Position;
  Arena arena(0);
  Tree<othello::Othello<6>> tree(game, {}, arena);
  tree.reset(game.initial());
  for (int i = 0; i <= 200; ++i) {
    std::vector<Position> before, after;
    tree.for_each_position([&](const Position& position) { before.push_back(position); });
    CHECK(before.size() == tree.nodes());
    walk(tree);
    tree.for_each_position([&](const Position& position) { after.push_back(position); });
    CHECK(after == before);
    answer(game, tree);
  }
}

TEST_CASE("a tree stays within the lines set aside for it, even where every square is a move") {
  const Wide game({15, 15, 5});
  Arena arena(0);
  Tree<Wide> tree(game, {}, arena);
  tree.reset(game.initial());
  for (int i = 0; i < 800; ++i) simulate(game, tree);
  CHECK(arena.take() / Arena::kQuarters < Tree<Wide>::lines_for(game, 800));
}

TEST_CASE("a move that was never tried starts anew") {
  const TicTacToe game;
  Arena arena(0);
  Tree<TicTacToe> tree(game, {}, arena);
  tree.reset(game.initial());
  const auto next = game.play(game.initial(), 4);
  tree.advance(4, next);
  CHECK(!tree.has_root());
  CHECK(tree.root_position() == next);
  simulate(game, tree);
  CHECK(tree.root_moves().size() == 8);
}

TEST_CASE("noise mixes the priors of tried and untried moves") {
  const othello::Othello<8> game;
  for (const bool uniform : {false, true}) {
    Arena arena(0);
    Tree<othello::Othello<8>> tree(game, {}, arena);
    tree.reset(game.initial());
    if (uniform) {
      walk(tree);
      tree.expand({});
      tree.back_up(0.0f);
    }
    for (int i = 0; i < 3; ++i) simulate(game, tree);
    const auto before = tree.root_moves();
    const std::vector<float> noise = {0.5f, 0.0f, 0.25f, 0.25f};
    tree.mix_root_priors(noise, 0.25f);
    const auto after = tree.root_moves();
    for (std::size_t i = 0; i < 4; ++i) {
      CHECK(after[i].prior == doctest::Approx(0.75f * before[i].prior + 0.25f * noise[i]).epsilon(1e-3));
      CHECK(after[i].visits == before[i].visits);
      CHECK(after[i].value == before[i].value);
    }
    for (int i = 0; i < 100; ++i) simulate(game, tree);
    CHECK(total_visits(tree.root_moves()) == tree.simulations());
  }
}

TEST_CASE("a finished game is worth exactly its score") {
  // X X -      a win on c1; every other move lets the noise decide
  // O O -
  // - - -
  const TicTacToe game;
  Arena arena(0);
  Tree<TicTacToe> tree(game, {}, arena);
  tree.reset({0b000'000'011, 0b000'011'000});
  for (int i = 0; i <= 400; ++i) simulate(game, tree);
  for (const RootMove& move : tree.root_moves())
    if (move.move == 2) {
      CHECK(move.value == 1.0f);
      CHECK(move.visits > 300);
    }
}

TEST_CASE("a tree gives back what it does not need") {
  const othello::Othello<8> game;
  Arena arena(0);
  Tree<othello::Othello<8>> tree(game, {}, arena);
  std::uint32_t greatest[4] = {};
  auto position = game.initial();
  tree.reset(position);
  for (int ply = 0; ply < 24; ++ply) {
    while (tree.simulations() < 400) simulate(game, tree);
    const auto moves = tree.root_moves();
    const RootMove best =
        *std::max_element(moves.begin(), moves.end(), [](auto& a, auto& b) { return a.visits < b.visits; });
    position = game.play(position, best.move);
    REQUIRE(game.phase(position) == Phase::kMove);
    tree.advance(best.move, position);
    const std::uint32_t chunk = arena.take();
    arena.give_back(chunk);
    greatest[ply / 6] = std::max(greatest[ply / 6], chunk);
  }
  CHECK(greatest[3] < 2 * greatest[0] + 10 * Arena::kChunk);
  const std::size_t bytes = tree.bytes();
  tree.reset(position);
  CHECK(tree.bytes() < bytes);
  CHECK(tree.nodes() == 0);
}

TEST_CASE("a node of many moves takes no more lines than it fills") {
  using Gomoku = mnk::Mnk<mnk::StaticShape<8, 8, 5>>;
  const Gomoku game;
  Arena arena(0);
  Tree<Gomoku> tree(game, {}, arena);
  tree.reset(game.initial());
  for (int i = 0; i < 800; ++i) simulate(game, tree);
  const std::size_t nodes = 800 * (20 + 2 * 64), most_groups = 800 * 64;
  CHECK(tree.bytes() < nodes + most_groups);
}
