// Numbers in 16 bits (IEEE 754 binary16), as accelerators give them: storage alone, all sums are of floats.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#ifdef __F16C__
#include <immintrin.h>
#endif

namespace rlscout {

struct Half {
  std::uint16_t bits;

  // Exact: every half is a float.
  constexpr operator float() const {
#ifdef __F16C__
    if (!std::is_constant_evaluated()) return _cvtsh_ss(bits);
#endif
    const std::uint32_t magnitude = bits & 0x7fffu;
    const float value = magnitude < 0x0400  // no leading one: multiples of 2^-24
                            ? static_cast<float>(magnitude) * 0x1p-24f
                            : std::bit_cast<float>((magnitude << 13) + (magnitude < 0x7c00 ? 112u << 23 : 224u << 23));
    return bits & 0x8000 ? -value : value;
  }
};

// Whether all of these are finite and >= 0, as far as a fast look tells: false of a zero with a sign.
template <class Float>
bool surely_good(const Float* weights, std::size_t count) {
  using Halves = std::uint16_t __attribute__((vector_size(32)));
  using Floats = std::uint32_t __attribute__((vector_size(32)));
  using Vector = std::conditional_t<sizeof(Float) == 2, Halves, Floats>;
  using Bits = std::conditional_t<sizeof(Float) == 2, std::uint16_t, std::uint32_t>;
  constexpr std::size_t kLanes = sizeof(Vector) / sizeof(Bits);
  constexpr Bits kInfinity = sizeof(Float) == 2 ? 0x7c00 : 0x7f80'0000;
  Vector greatest = {};
  std::size_t i = 0;
  for (Vector bits; i + kLanes <= count; i += kLanes) {
    __builtin_memcpy(&bits, weights + i, sizeof(bits));
    greatest = bits > greatest ? bits : greatest;
  }
  bool good = true;
  for (; i < count; ++i) good &= std::bit_cast<Bits>(weights[i]) < kInfinity;
  for (std::size_t lane = 0; lane < kLanes; ++lane) good &= greatest[lane] < kInfinity;
  return good;
}

}  // namespace rlscout
