#include "search/samples.h"

#include <doctest/doctest.h>

#include <array>
#include <vector>

#include "tests/col.h"

using namespace rlscout;
using col::Col;

TEST_CASE("so many of each number of empties, every position as likely as the others") {
  std::array<int, 20> kept{};
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    Samples<Col> samples(Col::kSquares, 5, seed);
    for (std::uint64_t i = 0; i < 20; ++i) samples.offer({i, 0}, 7);
    samples.offer({99, 0}, 3);
    std::vector<Col::Position> all;
    samples.append_to(all);
    REQUIRE(all.size() == 6);
    CHECK(all[0].own == 99);  // fewest empties first
    for (std::size_t i = 1; i < all.size(); ++i) ++kept.at(all[i].own);
  }
  for (const int count : kept) CHECK(count == doctest::Approx(1000).epsilon(0.15));
}

TEST_CASE("a choice depends on the seed alone, and no capacity keeps nothing") {
  const auto chosen = [](int capacity, std::uint64_t seed) {
    Samples<Col> samples(Col::kSquares, capacity, seed);
    for (std::uint64_t i = 0; i < 1000; ++i) samples.offer({i, 0}, 5);
    std::vector<Col::Position> all;
    samples.append_to(all);
    return all;
  };
  CHECK(chosen(10, 1) == chosen(10, 1));
  CHECK(chosen(10, 1) != chosen(10, 2));
  CHECK(chosen(0, 1).empty());
}
