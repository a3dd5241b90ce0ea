#include "games/mnk/mnk.h"

#include <charconv>
#include <stdexcept>

#include "engine/engine_for.h"
#include "games/mnk/search_traits.h"

namespace rlscout {
namespace {

using namespace mnk;

template <class Shape>
std::unique_ptr<Engine> make(Shape shape, std::string scoring) {
  return std::make_unique<EngineFor<Mnk<Shape>>>(Mnk<Shape>(shape), std::move(scoring));
}

// "M,N,K" in full.
bool parse(std::string_view text, int (&numbers)[3]) {
  const char* at = text.data();
  const char* end = at + text.size();
  for (int i = 0; i < 3; ++i) {
    if (i > 0 && (at == end || *at++ != ',')) return false;
    const auto [rest, error] = std::from_chars(at, end, numbers[i]);
    if (error != std::errc{}) return false;
    at = rest;
  }
  return at == end;
}

}  // namespace

std::unique_ptr<Engine> make_mnk(std::string_view name, std::string_view asked) {
  constexpr std::string_view kPrefix = "mnk:";
  if (!name.starts_with(kPrefix)) return nullptr;
  int numbers[3] = {};
  const bool read = parse(name.substr(kPrefix.size()), numbers);
  const auto [columns, rows, line] = numbers;
  if (!read || columns < 1 || rows < 1 || columns > kMaxSide || rows > kMaxSide || line < 2 ||
      line > std::max(columns, rows))
    throw std::invalid_argument("game '" + std::string(name) + "': mnk:M,N,K takes M columns and N rows of 1 to " +
                                std::to_string(kMaxSide) + " and a line K of 2 to the longer side");
  const std::string scoring = scoring_of(name, asked, {"line"});
  if (columns == 8 && rows == 8 && line == 5) return make(StaticShape<8, 8, 5>{}, scoring);
  const int words = (columns * rows + 63) / 64;
  if (words == 1) return make(DynamicShape<1>{columns, rows, line}, scoring);
  if (words == 2) return make(DynamicShape<2>{columns, rows, line}, scoring);
  if (words == 3) return make(DynamicShape<3>{columns, rows, line}, scoring);
  return make(DynamicShape<4>{columns, rows, line}, scoring);
}

std::pair<std::string, std::string> describe_mnk() {
  return {"mnk:M,N,K",
          "m,n,k games on boards of up to 15x15: K or more in a line win (tictactoe is mnk:3,3,3, gomoku8 mnk:8,8,5)"};
}

}  // namespace rlscout
