#include "games/othello/othello.h"

#include "engine/engine_for.h"
#include "games/othello/search_traits.h"

namespace rlscout {
namespace {

template <int N>
std::unique_ptr<Engine> make(std::string_view name, std::string_view asked, bool parallel) {
  std::string scoring = scoring_of(name, asked, {"empties", "discs"});
  const auto rule = scoring == "discs" ? othello::Scoring::kDiscs : othello::Scoring::kEmptiesToWinner;
  return std::make_unique<EngineFor<othello::Othello<N>>>(othello::Othello<N>(rule, parallel), std::move(scoring));
}

}  // namespace

std::unique_ptr<Engine> make_othello(std::string_view name, std::string_view scoring) {
  constexpr std::string_view kParallel = ":parallel";
  const bool parallel = name.ends_with(kParallel);
  if (parallel) name.remove_suffix(kParallel.size());
  if (name == "othello4") return make<4>(name, scoring, parallel);
  if (name == "othello6") return make<6>(name, scoring, parallel);
  if (name == "othello8") return make<8>(name, scoring, parallel);
  return nullptr;
}

std::pair<std::string, std::string> describe_othello() {
  return {"othello4|othello6|othello8[:parallel]",
          "Othello on 4x4, 6x6 and 8x8 boards; :parallel for the parallel start"};
}

}  // namespace rlscout
