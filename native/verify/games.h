// The games that the checker knows. One more is a class like these and a line in AnyGame.
#pragma once

#include <optional>
#include <stdexcept>
#include <string>
#include <variant>

#include "verify/mnk.h"
#include "verify/othello.h"

namespace verify {

using AnyGame = std::variant<Othello<4>, Othello<6>, Othello<8>, Mnk<1>, Mnk<2>, Mnk<6>>;
constexpr const char* kGameNames = "othello4, othello6, othello8, mnk:M,N,K";

inline const Board& board_of(const AnyGame& game) {
  return std::visit([](const Board& board) -> const Board& { return board; }, game);
}

template <class... Games>
std::optional<std::variant<Games...>> parse_any(const std::variant<Games...>*, const std::string& name,
                                                const std::string& scoring) {
  std::optional<std::variant<Games...>> found;
  const auto take = [&found](auto game) {
    if (game) found.emplace(*std::move(game));
    return found.has_value();
  };
  (take(Games::parse(name, scoring)) || ...);
  return found;
}

// The game of a name as written in a certificate; throws std::invalid_argument for what is no game or no scoring of it.
inline AnyGame parse_game(const std::string& name, const std::string& scoring) {
  if (std::optional<AnyGame> game = parse_any(static_cast<const AnyGame*>(nullptr), name, scoring))
    return *std::move(game);
  throw std::invalid_argument("unknown game '" + name + "': allowed are " + kGameNames);
}

}  // namespace verify
