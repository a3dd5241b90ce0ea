#include "engine/batched_search_job.h"

#include <limits>
#include <stdexcept>
#include <string>

namespace rlscout {
namespace {

std::string text(double number) {
  std::string digits = std::to_string(number);
  digits.erase(digits.find_last_not_of('0') + 1);
  if (digits.back() == '.') digits.pop_back();
  return digits;
}

// NaN is never between.
void check_range(const char* name, double given, double least, double most) {
  if (given >= least && given <= most) return;
  const std::string top = most == std::numeric_limits<double>::infinity() ? " or more" : " to " + text(most);
  throw std::invalid_argument(std::string(name) + " " + text(given) + ": allowed is " + text(least) + top);
}

}  // namespace

SearchMode search_mode(std::string_view name) {
  if (name == "selfplay") return SearchMode::kSelfplay;
  if (name == "duel") return SearchMode::kDuel;
  if (name == "analysis") return SearchMode::kAnalysis;
  throw std::invalid_argument("mode '" + std::string(name) + "': allowed are 'selfplay', 'duel' and 'analysis'");
}

Player search_player(std::string_view name) {
  if (name == "network") return Player::kNetwork;
  if (name == "rollouts") return Player::kRollouts;
  throw std::invalid_argument("player '" + std::string(name) + "': allowed are 'network' and 'rollouts'");
}

void check(const SearchOptions& options) {
  constexpr double kAny = std::numeric_limits<double>::infinity();
  const std::size_t players = options.mode == SearchMode::kDuel ? 2 : 1;
  if (options.players.size() != players)
    throw std::invalid_argument(std::to_string(options.players.size()) + " players: this mode takes " +
                                std::to_string(players));
  check_range("games", options.games, 1, 1'000'000);
  check_range("total_games", static_cast<double>(options.total_games), 0, kAny);
  check_range("first_game", static_cast<double>(options.first_game), 0, kAny);
  if (options.mode == SearchMode::kDuel && (options.total_games % 2 != 0 || options.first_game % 2 != 0))
    throw std::invalid_argument("a duel of " + std::to_string(options.total_games) + " games from game " +
                                std::to_string(options.first_game) + ": both must be even, games are played in pairs");
  // Openings are drawn from pair 0 on, whatever the first game.
  if (options.mode == SearchMode::kDuel) check_range("first_game", static_cast<double>(options.first_game), 0, 2e6);
  // Analyses may be as long as memory allows; the visits of samples are stored in 16 bits.
  check_range("simulations", options.simulations, 1, options.mode == SearchMode::kAnalysis ? 10'000'000 : 65'535);
  check_range("c_puct", options.c_puct, 0, 1000);
  check_range("fpu", options.fpu, -2, 2);
  check_range("noise_alpha", options.noise_alpha, 0, 1000);
  check_range("noise_weight", options.noise_weight, 0, 1);
  check_range("temperature", options.temperature, 0.01, 100);
  check_range("temperature_plies", options.temperature_plies, 0, kAny);
  check_range("opening_plies", options.opening_plies, 0, kAny);
  check_range("margin", options.margin, 0, 1);
  check_range("threads", options.threads, 1, 1024);
  check_range("cache", static_cast<double>(options.cache), 0, 1e9);
  if (options.cache > 0 && players == 2)
    throw std::invalid_argument("cache " + std::to_string(options.cache) + ": answers are kept of one player alone");
}

}  // namespace rlscout
