// Mixing of words into hash values: for tables and for choices that must be reproducible, never for identity.
#pragma once

#include <cstdint>

namespace rlscout {

// A bijection of 64-bit words in which every input bit reaches every output bit
// (variant 13 of D. Stafford's finalisers, "Better bit mixing", 2011).
constexpr std::uint64_t mix(std::uint64_t x) {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

constexpr std::uint64_t combine(std::uint64_t hash, std::uint64_t word) {
  return mix(hash + 0x9e3779b97f4a7c15u + word);
}

}  // namespace rlscout
