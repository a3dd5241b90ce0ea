#include "core/half.h"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>

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
