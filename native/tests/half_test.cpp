#include "core/half.h"

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

using namespace rlscout;

namespace {

// By the definition: sign, five bits of exponent, ten of fraction.
double by_definition(int bits) {
  const int exponent = bits >> 10 & 31, fraction = bits & 1023;
  const double sign = bits >> 15 ? -1.0 : 1.0;
  if (exponent == 31) return fraction ? std::nan("") : sign * std::numeric_limits<double>::infinity();
  return sign * (exponent ? std::ldexp(1024 + fraction, exponent - 25) : std::ldexp(fraction, -24));
}

bool same(float a, double b) { return std::isnan(b) ? std::isnan(a) : a == b && std::signbit(a) == std::signbit(b); }

}  // namespace

TEST_CASE("every half is the float it stands for") {
  int wrong = 0;
  for (int bits = 0; bits < 1 << 16; ++bits)
    wrong += !same(Half{static_cast<std::uint16_t>(bits)}, by_definition(bits));
  CHECK(wrong == 0);
}

TEST_CASE("so it is where the processor cannot convert") {
  static_assert(Half{0x0001} == 0x1p-24f);
  static_assert(Half{0x03ff} == 1023 * 0x1p-24f);
  static_assert(Half{0x0400} == 0x1p-14f);
  static_assert(Half{0x3555} == 1365 * 0x1p-12f);
  static_assert(Half{0xbc00} == -1.0f);
  static_assert(Half{0x7bff} == 65504.0f);
  static_assert(Half{0x7c00} == std::numeric_limits<float>::infinity());
  static_assert(Half{0x7e00} != Half{0x7e00});
}

TEST_CASE("weights that are surely good are finite and not negative") {
  const auto all = [](auto weight, auto bad) {
    std::vector<decltype(weight)> weights(67, weight);
    CHECK(surely_good(weights.data(), weights.size()));
    for (const std::size_t at : {0, 31, 66}) {
      std::swap(weights[at], bad);
      CHECK(!surely_good(weights.data(), weights.size()));
      std::swap(weights[at], bad);
    }
  };
  for (const float good : {0.0f, 0x1p-140f, 0.25f, 3e38f})
    for (const float bad : {-1.0f, -0x1p-140f, std::numeric_limits<float>::infinity(), std::nanf("")}) all(good, bad);
  for (const std::uint16_t good : {0x0000, 0x0001, 0x3400, 0x7bff})
    for (const std::uint16_t bad : {0xbc00, 0x8001, 0x7c00, 0x7e00, 0xfe00}) all(Half{good}, Half{bad});
}
