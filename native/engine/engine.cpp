#include "engine/engine.h"

#include <stdexcept>

// Generated from the folders of native/games: RLSCOUT_GAME(name) for each.
// A folder defines these two; make_<name> returns null for a name that is not of its family, and refuses a scoring that is not
// of its games.
#define RLSCOUT_GAME(game)                                                              \
  namespace rlscout {                                                                   \
  std::unique_ptr<Engine> make_##game(std::string_view name, std::string_view scoring); \
  std::pair<std::string, std::string> describe_##game();                                \
  }
#include "games_list.inc"
#undef RLSCOUT_GAME

namespace rlscout {

std::unique_ptr<Engine> make_engine(std::string_view game, std::string_view scoring) {
#define RLSCOUT_GAME(name) \
  if (auto engine = make_##name(game, scoring)) return engine;
#include "games_list.inc"
#undef RLSCOUT_GAME
  std::string known;
  for (const auto& [pattern, description] : families()) known += (known.empty() ? "" : ", ") + pattern;
  throw std::invalid_argument("unknown game '" + std::string(game) + "': known are " + known);
}

std::vector<std::pair<std::string, std::string>> families() {
  return {
#define RLSCOUT_GAME(name) describe_##name(),
#include "games_list.inc"
#undef RLSCOUT_GAME
  };
}

}  // namespace rlscout
