#include "tests/col.h"

#include "engine/engine_for.h"
#include "tests/col_search_traits.h"

namespace rlscout {

// Null for a name that is not of this family; std::invalid_argument for one that is, with wrong parameters or the scoring of
// another game.
std::unique_ptr<Engine> make_col(std::string_view name, std::string_view scoring) {
  if (name != "col9") return nullptr;
  return std::make_unique<EngineFor<col::Col>>(col::Col(), scoring_of(name, scoring, {"last"}));
}

std::pair<std::string, std::string> describe_col() { return {"col9", "Col on a strip of nine squares"}; }

}  // namespace rlscout
