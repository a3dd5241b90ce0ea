// The game that docs/adding-a-game.md adds, as engine.cpp finds it.
#include <doctest/doctest.h>

#include <memory>
#include <stdexcept>
#include <string_view>

#include "core/bits.h"
#include "engine/engine.h"
#include "tests/col.h"

namespace rlscout {

std::unique_ptr<Engine> make_col(std::string_view name, std::string_view scoring);

namespace {

using col::Col;

bool wins(const Col::Position& position) {
  bool found = false;
  for_each_bit(Col::legal(position),
               [&](int square) { found = found || !wins(Col::play(position, static_cast<Move>(square))); });
  return found;
}

void check_solved(Solver& solver, const Col::Position& position) {
  const std::uint64_t packed[] = {position.own, position.opponent};
  solver.start(packed, {}, {}, {});
  REQUIRE(solver.wait(60.0));
  const SolveResult result = solver.result();
  CHECK(result.status == "proven");
  CHECK(result.lower == result.upper);
  CHECK(result.lower == (wins(position) ? 1 : -1));
}

TEST_CASE("the game of the guide is found by its name and scoring") {
  CHECK(make_col("othello6", "empties") == nullptr);
  CHECK(make_col("col9", "last")->info().scoring == "last");
  CHECK(make_col("col9", kDefaultScoring)->info().scoring == "last");
  CHECK_THROWS_AS(make_col("col9", "discs"), std::invalid_argument);
}

TEST_CASE("the game of the guide is solved as by minimax, by one thread and by three") {
  for (const int threads : {1, 3}) {
    SolverOptions options;
    options.table_mb = 1, options.threads = threads;
    const auto solver = make_col("col9", "last")->solver(options);
    check_solved(*solver, Col::initial());
    for (int square = 0; square < Col::kSquares; ++square)
      check_solved(*solver, Col::play(Col::initial(), static_cast<Move>(square)));
  }
}

}  // namespace
}  // namespace rlscout
