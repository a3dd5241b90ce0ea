#include "core/bits.h"

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

#include "core/random.h"

namespace rlscout {
namespace {

// The members, lowest first, one by one.
template <class Set>
std::vector<int> members(const Set& set, int size) {
  std::vector<int> bits;
  for (int bit = 0; bit < size; ++bit)
    if (contains(set, bit)) bits.push_back(bit);
  return bits;
}

template <class Set>
void check_sets(int size) {
  Random random(static_cast<std::uint64_t>(size));
  for (int i = 0; i < 50; ++i) {
    Set set{};
    const int wanted = i == 0 ? 0 : static_cast<int>(random.below(static_cast<std::uint32_t>(size)));
    for (int j = 0; j < wanted; ++j) set |= only<Set>(static_cast<int>(random.below(static_cast<std::uint32_t>(size))));
    const std::vector<int> bits = members(set, size);
    CHECK(any(set) == !bits.empty());
    CHECK(count(set) == static_cast<int>(bits.size()));
    CHECK(members(Set(~set), size).size() == static_cast<std::size_t>(size) - bits.size());
    std::vector<int> visited;
    for_each_bit(set, [&](int bit) { visited.push_back(bit); });
    CHECK(visited == bits);
    for (std::size_t j = 0; j < bits.size(); ++j) CHECK(nth(set, static_cast<int>(j)) == bits[j]);
    for (int shift = 0; shift < size; ++shift) {
      std::vector<int> up, down;
      for (const int bit : bits) {
        if (bit + shift < size) up.push_back(bit + shift);
        if (bit - shift >= 0) down.push_back(bit - shift);
      }
      CHECK(members(Set(set << shift), size) == up);
      CHECK(members(Set(set >> shift), size) == down);
    }
  }
}

TEST_CASE("sets of one word and of several answer alike") {
  check_sets<std::uint64_t>(64);
  check_sets<Bits<2>>(128);
  check_sets<Bits<3>>(192);
  check_sets<Bits<4>>(256);
}

TEST_CASE("set operations work word by word") {
  const Bits<2> a{{0b1100, 1}}, b{{0b1010, 3}};
  CHECK((a & b) == Bits<2>{{0b1000, 1}});
  CHECK((a | b) == Bits<2>{{0b1110, 3}});
  CHECK((a ^ b) == Bits<2>{{0b0110, 2}});
  CHECK(a > b);
}

}  // namespace
}  // namespace rlscout
