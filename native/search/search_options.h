// What a batched search is asked for, and what it answers. Squares, packed positions: see engine/engine.h.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace rlscout {

enum class SearchMode : std::uint8_t {
  kSelfplay,  // games of one player against itself
  kDuel,      // player 0 against player 1: games 2i and 2i + 1 share an opening, colours swapped
  kAnalysis,  // one search on each given position
};

enum class Player : std::uint8_t {
  kNetwork,   // leaves are given out and answered
  kRollouts,  // leaves are valued by one random game each, with a uniform prior
};

struct SearchOptions {
  SearchMode mode = SearchMode::kSelfplay;
  std::vector<Player> players = {Player::kNetwork};
  int games = 64;                // in flight, one tree for each player
  std::int64_t total_games = 0;  // 0: for ever
  std::int64_t first_game = 0;
  int simulations = 100;  // walks below the root when a move is chosen; those kept from the last move count
  float c_puct = 1.5f;
  float fpu = 0.2f;
  float noise_alpha = 0.0f;  // Dirichlet(alpha * 10 / n) over the n legal moves of the root; 0: none
  float noise_weight = 0.25f;
  float temperature = 1.0f;  // moves are drawn by visits^(1 / temperature) below ply `temperature_plies`
  int temperature_plies = 0;
  int opening_plies = 0;  // random moves before the search begins; in self-play, at most so many
  float margin = 0.0f;    // see value_of
  bool reuse_tree = true;
  bool symmetries = true;  // evaluate each position under a symmetry drawn by hash(seed, position)
  bool fold = false;       // then all images of a position are given out as the same one
  std::int64_t cache = 0;  // answers of the network that are kept, shared out to the threads; with one player alone
  std::uint64_t seed = 0;
  int threads = 1;
};

// Games one after the other; of each array the part of a game follows that of the game before.
struct FinishedGames {
  std::vector<std::int64_t> game;            // one a game:
  std::vector<std::int32_t> length;          //   positions searched
  std::vector<std::int32_t> score;           //   for the side that moved first at ply 0
  std::vector<std::uint8_t> player_first;    //   who that was
  std::vector<std::int32_t> opening_length;  //   random moves before the first search, passes left out
  std::vector<std::int32_t> opening;         // one a random move: the square
  std::vector<std::uint64_t> positions;      // one a searched position: 2W words
  std::vector<std::uint16_t> visits;         //   S, by square
  std::vector<float> value;                  //   of the root, side to move
  std::vector<std::int32_t> outcome;         //   final score, side to move
  std::vector<std::int32_t> move;            //   the square played
  std::vector<std::int32_t> ply;             //   from the start of the game
  std::vector<std::uint8_t> player;          //   who searched

  void append(const FinishedGames& other) {
    const auto add = [](auto& to, const auto& from) { to.insert(to.end(), from.begin(), from.end()); };
    add(game, other.game);
    add(length, other.length);
    add(score, other.score);
    add(player_first, other.player_first);
    add(opening_length, other.opening_length);
    add(opening, other.opening);
    add(positions, other.positions);
    add(visits, other.visits);
    add(value, other.value);
    add(outcome, other.outcome);
    add(move, other.move);
    add(ply, other.ply);
    add(player, other.player);
  }
};

// Of B roots with S squares.
struct RootStatistics {
  std::vector<std::int32_t> visits;  // [B, S]
  std::vector<float> prior;          // [B, S]
  std::vector<float> value;       // [B, S] mean value of a move for the side to move at the root; NaN where not visited
  std::vector<float> root_value;  // [B]
};

struct SearchCounters {
  std::int64_t simulations = 0, evaluations = 0, rollouts = 0, moves = 0, games = 0;
  std::int64_t known = 0;       // leaves whose answer was kept from before
  std::int64_t nodes = 0;       // in the trees now
  std::int64_t tree_bytes = 0;  // bytes that these take
};

// How often a tree meets a position again.
struct RepeatedNodes {
  std::int64_t nodes = 0;
  std::int64_t repeated = 0;  // whose position, images folded, another node of the same tree has: all but one of each
};

}  // namespace rlscout
