// Sets of squares: one machine word, or several.
//
// Every set of moves or stones is either a plain std::uint64_t or a Bits<W>; the free functions below work on both, so that
// generic code never asks which one it holds.
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <cstdint>
#include <type_traits>

#ifdef __BMI2__
#include <immintrin.h>
#endif

namespace rlscout {

// W words of 64 bits; bit i is bit i % 64 of word i / 64.
template <int W>
struct Bits {
  std::array<std::uint64_t, W> words{};

  friend constexpr bool operator==(const Bits&, const Bits&) = default;
  friend constexpr auto operator<=>(const Bits&, const Bits&) = default;

  constexpr Bits& operator&=(const Bits& other) {
    for (int i = 0; i < W; ++i) words[i] &= other.words[i];
    return *this;
  }
  constexpr Bits& operator|=(const Bits& other) {
    for (int i = 0; i < W; ++i) words[i] |= other.words[i];
    return *this;
  }
  constexpr Bits& operator^=(const Bits& other) {
    for (int i = 0; i < W; ++i) words[i] ^= other.words[i];
    return *this;
  }
  friend constexpr Bits operator&(Bits a, const Bits& b) { return a &= b; }
  friend constexpr Bits operator|(Bits a, const Bits& b) { return a |= b; }
  friend constexpr Bits operator^(Bits a, const Bits& b) { return a ^= b; }
  friend constexpr Bits operator~(Bits a) {
    for (auto& word : a.words) word = ~word;
    return a;
  }
  // Shifts by any count from 0 to 64 * W - 1.
  friend constexpr Bits operator>>(const Bits& a, int count) {
    const int whole = count / 64, part = count % 64;
    Bits result;
    for (int i = 0; i + whole < W; ++i) {
      result.words[i] = a.words[i + whole] >> part;
      if (part != 0 && i + whole + 1 < W) result.words[i] |= a.words[i + whole + 1] << (64 - part);
    }
    return result;
  }
  friend constexpr Bits operator<<(const Bits& a, int count) {
    const int whole = count / 64, part = count % 64;
    Bits result;
    for (int i = W - 1; i >= whole; --i) {
      result.words[i] = a.words[i - whole] << part;
      if (part != 0 && i - whole >= 1) result.words[i] |= a.words[i - whole - 1] >> (64 - part);
    }
    return result;
  }
};

constexpr bool any(std::uint64_t set) { return set != 0; }
constexpr int count(std::uint64_t set) { return std::popcount(set); }
constexpr int first(std::uint64_t set) { return std::countr_zero(set); }  // the set must not be empty
constexpr std::uint64_t without_first(std::uint64_t set) { return set & (set - 1); }
constexpr bool contains(std::uint64_t set, int bit) { return (set >> bit & 1) != 0; }

template <int W>
constexpr bool any(const Bits<W>& set) {
  std::uint64_t all = 0;
  for (auto word : set.words) all |= word;
  return all != 0;
}
template <int W>
constexpr int count(const Bits<W>& set) {
  int total = 0;
  for (auto word : set.words) total += std::popcount(word);
  return total;
}
template <int W>
constexpr int first(const Bits<W>& set) {
  for (int i = 0; i < W - 1; ++i)
    if (set.words[i] != 0) return 64 * i + std::countr_zero(set.words[i]);
  return 64 * (W - 1) + std::countr_zero(set.words[W - 1]);
}
template <int W>
constexpr Bits<W> without_first(Bits<W> set) {
  for (auto& word : set.words)
    if (word != 0) {
      word &= word - 1;
      break;
    }
  return set;
}
template <int W>
constexpr bool contains(const Bits<W>& set, int bit) {
  return (set.words[bit / 64] >> (bit % 64) & 1) != 0;
}

// The member with `index` smaller ones; the set must have more than `index` members.
constexpr int nth(std::uint64_t set, int index) {
#ifdef __BMI2__
  if (!std::is_constant_evaluated()) return std::countr_zero(_pdep_u64(std::uint64_t{1} << index, set));
#endif
  for (; index > 0; --index) set &= set - 1;
  return std::countr_zero(set);
}
template <int W>
constexpr int nth(const Bits<W>& set, int index) {
  for (int i = 0; i < W - 1; ++i) {
    const int members = std::popcount(set.words[i]);
    if (index < members) return 64 * i + nth(set.words[i], index);
    index -= members;
  }
  return 64 * (W - 1) + nth(set.words[W - 1], index);
}

// The set with just this bit.
template <class Set>
constexpr Set only(int bit) {
  if constexpr (std::is_same_v<Set, std::uint64_t>) {
    return std::uint64_t{1} << bit;
  } else {
    Set set{};
    set.words[bit / 64] = std::uint64_t{1} << (bit % 64);
    return set;
  }
}

// Calls visit(bit) for each member, lowest first.
template <class Set, class Visit>
constexpr void for_each_bit(Set set, Visit&& visit) {
  for (; any(set); set = without_first(set)) visit(first(set));
}

}  // namespace rlscout
