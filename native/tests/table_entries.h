// Positions and entries that tell whether what a table answers belongs together.
#pragma once

#include "search/transposition_table.h"

namespace rlscout {

// The `number`-th of a family of positions, and the one entry that is ever stored for it: what a probe returns tells
// whether its words belong together.
template <int kWords>
TableKey<kWords> key_of(std::uint32_t number) {
  TableKey<kWords> key;
  for (int i = 0; i < kWords; ++i) key[i] = combine(number, static_cast<std::uint64_t>(i));
  key[kWords - 1] &= ~table_data::kMask;
  return key;
}

inline TableEntry entry_of(std::uint32_t number) {
  const int score = static_cast<int>(number % 129) - 64;
  return {{score, score}, static_cast<Move>(number % 60), static_cast<int>(number % 40)};
}

inline bool same(const TableEntry& a, const TableEntry& b) {
  return a.bounds == b.bounds && a.move == b.move && a.cost == b.cost;
}

}  // namespace rlscout
