// Prior probabilities in 16 bits: a float's upper part with a small exponent, so that codes compare like the numbers
// they stand for and eight of them fit a vector register.
//
//     bit 15 .. 11  exponent: 2^-31 to 2^0        bit 10 .. 0  fraction        relative error below 2^-12
//
// Code 0 is not a number: it marks a move that has a child already.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace rlscout {

using PriorCode = std::uint16_t;
inline constexpr PriorCode kTaken = 0;
inline constexpr int kPriorDroppedBits = 12;                  // of a float's 23 fraction bits
inline constexpr std::int32_t kPriorBias = (127 - 31) << 11;  // exponent of 2^-31, above 11 fraction bits

// `prior` in [0, 1]; what is below 2^-31 becomes that.
constexpr PriorCode encode_prior(float prior) {
  const auto rounded = std::bit_cast<std::int32_t>(prior) + (1 << (kPriorDroppedBits - 1));
  return static_cast<PriorCode>(std::max((rounded >> kPriorDroppedBits) - kPriorBias, 1));
}

constexpr float decode_prior(PriorCode code) {
  return std::bit_cast<float>((static_cast<std::int32_t>(code) + kPriorBias) << kPriorDroppedBits);
}

// Four at a time.
using PriorVector = float __attribute__((vector_size(16)));
using PriorCodeVector = PriorCode __attribute__((vector_size(8)));

inline PriorCodeVector encode_priors(PriorVector priors) {
  using Ints = std::int32_t __attribute__((vector_size(16)));
  const Ints codes = ((std::bit_cast<Ints>(priors) + (1 << (kPriorDroppedBits - 1))) >> kPriorDroppedBits) - kPriorBias;
  return __builtin_convertvector(codes > 1 ? codes : Ints{1, 1, 1, 1}, PriorCodeVector);
}

inline PriorVector decode_priors(PriorCodeVector codes) {
  using Ints = std::int32_t __attribute__((vector_size(16)));
  return std::bit_cast<PriorVector>((__builtin_convertvector(codes, Ints) + kPriorBias) << kPriorDroppedBits);
}

}  // namespace rlscout
