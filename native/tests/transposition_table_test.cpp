#include "search/transposition_table.h"

#include <doctest/doctest.h>

#include "tests/table_entries.h"

using namespace rlscout;

TEST_CASE_TEMPLATE_DEFINE("a table answers what was stored for the very position", Width, every_width) {
  constexpr int kWords = Width::value;
  TranspositionTable<kWords> table(1);
  CHECK(table.bytes() <= std::size_t{1} << 20);
  CHECK_FALSE(table.probe(key_of<kWords>(1)).has_value());
  table.store(key_of<kWords>(1), entry_of(1));
  REQUIRE(table.probe(key_of<kWords>(1)).has_value());
  CHECK(same(*table.probe(key_of<kWords>(1)), entry_of(1)));
  auto neighbour = key_of<kWords>(1);
  neighbour[0] ^= std::uint64_t{1} << 63;
  CHECK_FALSE(table.probe(neighbour).has_value());
  table.clear();
  CHECK_FALSE(table.probe(key_of<kWords>(1)).has_value());
}
TEST_CASE_TEMPLATE_INVOKE(every_width, std::integral_constant<int, 2>, std::integral_constant<int, 3>,
                          std::integral_constant<int, 8>);

TEST_CASE("bounds of one position are merged, the tighter of each kept") {
  TranspositionTable<2> table(1);
  table.store(key_of<2>(1), {{-4, 64}, 3, 5});
  table.store(key_of<2>(1), {{-64, 10}, kNoMove, 2});
  table.store(key_of<2>(1), {{-10, 20}, 4, 1});
  const auto entry = table.probe(key_of<2>(1));
  REQUIRE(entry.has_value());
  CHECK(same(*entry, {{-4, 10}, 3, 5}));
}

TEST_CASE("an entry is brought back as it was given; one with impossible bounds is none") {
  TranspositionTable<3> table(1), again(1);
  table.store(key_of<3>(7), {{-4, 10}, 3, 5});
  const auto put = [&](const Bounds& bounds) {
    auto stored = key_of<3>(8);
    stored[2] |= table_data::pack({bounds, 3, 5}, 0);
    return again.insert(stored, 36);
  };
  table.for_each([&](const TableKey<3>& stored) { CHECK(again.insert(stored, 64)); });
  REQUIRE(again.probe(key_of<3>(7)).has_value());
  CHECK(same(*again.probe(key_of<3>(7)), {{-4, 10}, 3, 5}));
  for (const Bounds& bounds : {Bounds{4, 2}, Bounds{-38, 0}, Bounds{0, 38}}) CHECK_FALSE(put(bounds));
  CHECK_FALSE(again.probe(key_of<3>(8)).has_value());
  CHECK(put({-36, 36}));
}

TEST_CASE("a small table forgets all when it is cleared, and again each time") {
  LocalTable<2> table(8);
  table.store(key_of<2>(3), 8, entry_of(3));
  table.clear();
  for (std::uint32_t round = 0; round < 200; ++round) {
    CHECK_FALSE(table.probe(key_of<2>(3), 8).has_value());
    CHECK_FALSE(table.probe(key_of<2>(1), 8).has_value());
    CHECK_FALSE(table.probe(key_of<2>(2), 8).has_value());
    table.store(key_of<2>(1 + round % 2), 8, entry_of(1));
    CHECK_FALSE(table.probe(key_of<2>(2 - round % 2), 8).has_value());
    REQUIRE(table.probe(key_of<2>(1 + round % 2), 8).has_value());
    CHECK(same(*table.probe(key_of<2>(1 + round % 2), 8), entry_of(1)));
    table.clear();
  }
}

TEST_CASE("a full table forgets positions and never mixes them up") {
  TranspositionTable<2> table(1);
  const std::uint32_t positions = 200000;
  std::uint32_t found = 0;
  for (std::uint32_t i = 0; i < positions; ++i) table.store(key_of<2>(i), entry_of(i));
  for (std::uint32_t i = 0; i < positions; ++i)
    if (const auto entry = table.probe(key_of<2>(i))) {
      ++found;
      REQUIRE(same(*entry, entry_of(i)));
    }
  CHECK(found > 10000);
  CHECK(found < positions);
}
