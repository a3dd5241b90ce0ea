// A small random generator whose stream is a function of its seed alone, on every machine and compiler.
#pragma once

#include <cmath>
#include <cstdint>

#include "core/hash.h"

namespace rlscout {

// SplitMix64 (Steele, Lea and Flood, 2014). The standard library's distributions differ between vendors: ours do not.
class Random {
 public:
  using result_type = std::uint64_t;

  explicit constexpr Random(std::uint64_t seed, std::uint64_t stream = 0) : state_(combine(mix(seed), stream)) {}

  static constexpr result_type min() { return 0; }
  static constexpr result_type max() { return ~std::uint64_t{0}; }
  constexpr result_type operator()() { return mix(state_ += 0x9e3779b97f4a7c15u); }

  // Uniform in [0, bound), bound > 0; the bias is below bound / 2^32.
  constexpr std::uint32_t below(std::uint32_t bound) {
    return static_cast<std::uint32_t>(((*this)() >> 32) * bound >> 32);
  }
  // Uniform in [0, 1).
  constexpr double uniform() { return static_cast<double>((*this)() >> 11) * 0x1.0p-53; }

  double normal() {  // standard normal (Box and Muller)
    const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
    return radius * std::cos(6.283185307179586 * uniform());
  }

  // Gamma(shape, 1), shape > 0 (Marsaglia and Tsang, 2000): n of them, normalised, are a Dirichlet sample.
  double gamma(double shape) {
    if (shape < 1.0) return gamma(shape + 1.0) * std::pow(1.0 - uniform(), 1.0 / shape);
    const double d = shape - 1.0 / 3.0, c = 1.0 / std::sqrt(9.0 * d);
    for (;;) {
      const double x = normal(), cube_root = 1.0 + c * x;
      if (cube_root <= 0.0) continue;
      const double v = cube_root * cube_root * cube_root;
      if (std::log(1.0 - uniform()) < 0.5 * x * x + d - d * v + d * std::log(v)) return d * v;
    }
  }

 private:
  std::uint64_t state_;
};

}  // namespace rlscout
