#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "core/hash.h"
#include "core/worker_pool.h"
#include "games/mnk/mnk.h"
#include "games/othello/othello.h"
#include "search/batched_search.h"

using namespace rlscout;

namespace {

using TicTacToe = mnk::Mnk<mnk::StaticShape<3, 3, 3>>;

// Plays a run to its end; leaves are answered by hashes.
template <Game G>
FinishedGames play(const G& game, const SearchOptions& options) {
  constexpr std::size_t kBatch = 5;
  const std::size_t squares = static_cast<std::size_t>(game.columns() * game.rows());
  BatchedSearch<G> search(game, options);
  std::vector<std::uint64_t> positions(kBatch * 2 * G::kWords), legal(kBatch * G::kWords);
  FinishedGames all;
  while (!search.finished()) {
    for (int player = 0; player < static_cast<int>(options.players.size()); ++player) {
      const std::size_t n = search.gather(player, kBatch, positions.data(), legal.data(), 0.01);
      std::vector<float> policy(n * squares), value(n);
      for (std::size_t i = 0; i < n; ++i) {
        std::uint64_t state = 0;
        for (std::size_t word = 0; word < 2 * G::kWords; ++word)
          state = combine(state, positions[i * 2 * G::kWords + word]);
        for (std::size_t s = 0; s < squares; ++s) policy[i * squares + s] = static_cast<float>(combine(state, s) >> 50);
        value[i] = static_cast<float>(mix(state) >> 40) * 0x1p-23f - 1.0f;
      }
      search.scatter(player, policy.data(), value.data());
    }
    all.append(search.take_games());
  }
  CHECK(search.counters().games == options.total_games);
  return all;
}

// The moves of each game, by its number.
std::set<std::pair<std::int64_t, std::vector<std::int32_t>>> moves_by_game(const FinishedGames& games) {
  std::set<std::pair<std::int64_t, std::vector<std::int32_t>>> all;
  auto move = games.move.begin();
  for (std::size_t i = 0; i < games.game.size(); move += games.length[i++])
    all.insert({games.game[i], {move, move + games.length[i]}});
  return all;
}

SearchOptions small_run() {
  SearchOptions options;
  options.total_games = 12;
  options.simulations = 30;
  options.noise_alpha = 1.0f;
  options.temperature_plies = 4;
  options.seed = 5;
  return options;
}

template <Game G>
void check_repeatable(const G& game, SearchOptions options) {
  options.games = 1;
  const auto alone = moves_by_game(play(game, options));
  CHECK(alone.size() == 12);
  options.games = 7;
  options.threads = 2;
  CHECK(moves_by_game(play(game, options)) == alone);
  if (options.mode == SearchMode::kDuel) return;
  options.cache = 300;
  CHECK(moves_by_game(play(game, options)) == alone);
}

}  // namespace

TEST_CASE("games repeat whatever the slots and threads") {
  SearchOptions options = small_run();
  check_repeatable(TicTacToe{}, options);
  check_repeatable(othello::Othello<6>{}, options);
  options.fold = true;
  check_repeatable(mnk::Mnk<mnk::DynamicShape<2>>({9, 8, 5}), options);
  options.players = {Player::kRollouts};
  check_repeatable(othello::Othello<6>{}, options);
  options.mode = SearchMode::kDuel;
  options.players = {Player::kNetwork, Player::kRollouts};
  options.opening_plies = 2;
  check_repeatable(othello::Othello<4>{}, options);
}

TEST_CASE("openings differ until the game has no more") {
  const TicTacToe game;
  Openings<TicTacToe> openings(game, 1, 3);
  std::set<TicTacToe::Position> seen;
  for (std::size_t i = 0; i < 200; ++i) {
    const auto opening = openings[i];
    CHECK(game.phase(opening.standing.position) == Phase::kMove);
    CHECK(opening.standing.ply == static_cast<int>(opening.moves.size()));
    seen.insert(canonical(game, opening.standing.position).position);
  }
  CHECK(seen.size() == 200);
  CHECK(openings[7].moves == Openings<TicTacToe>(game, 1, 3)[7].moves);
}

TEST_CASE("a pool does every part and hands on what was thrown") {
  WorkerPool pool(3);
  std::atomic<int> sum = 0;
  for (int round = 0; round < 100; ++round) pool.run([&](int part) { sum += part + 1; });
  CHECK(sum == 600);
  CHECK_THROWS_AS(pool.run([](int part) {
    if (part == 2) throw std::invalid_argument("part 2");
  }),
                  std::invalid_argument);
  pool.run([&](int) { ++sum; });
  CHECK(sum == 603);
}

TEST_CASE("a pool wakes its threads after any pause, and waits for the slow") {
  WorkerPool pool(3);
  int done[3] = {};  // plain: what a part wrote in one round it and the caller read in the next
  for (int round = 0; round < 40; ++round) {
    const std::chrono::microseconds pause(round % 8 * 20);  // around the time for which threads look out
    std::this_thread::sleep_for(pause);
    pool.run([&](int part) {
      if (part == round % 3) std::this_thread::sleep_for(pause);
      ++done[part];
    });
    for (const int count : done) CHECK(count == round + 1);
  }
}
