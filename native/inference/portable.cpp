// Plain C++: for every other processor, and to say what the others mean.
#include <cmath>

#include "inference/kernels_for.h"

namespace rlscout::inference {
namespace {

// The activation that is nearest to y, which is in steps. (A sum this large has no bits left for fractions.)
std::uint8_t step(float y) {
  const float bounded = y > 0.0f ? (y < kHighest ? y : kHighest) : 0.0f;
  return static_cast<std::uint8_t>(static_cast<std::int32_t>((bounded + 12582912.0f) - 12582912.0f));
}

struct Portable {
  static constexpr int kLanes = 8, kVectors = 1;
  struct Sum {
    std::int32_t lane[kLanes];
  };
  struct Weights {
    const std::int8_t* of;  // [kLanes, 4]
  };
  struct Inputs {
    std::int32_t x[kGroup];
  };

  static Sum sums(const std::int32_t* p) {
    Sum made;
    for (int i = 0; i < kLanes; ++i) made.lane[i] = p[i];
    return made;
  }
  static Weights weights(const std::int8_t* p) { return {p}; }
  static Inputs inputs(const std::uint8_t* p) { return {{p[0], p[1], p[2], p[3]}}; }
  static void store(std::int32_t* p, const Sum& sum) {
    for (int i = 0; i < kLanes; ++i) p[i] = sum.lane[i];
  }
  static Sum dot(Sum sum, const Inputs& x, Weights w) {
    for (int i = 0; i < kLanes; ++i)
      for (int k = 0; k < kGroup; ++k) sum.lane[i] += x.x[k] * w.of[kGroup * i + k];
    return sum;
  }
  static Sum add(Sum a, const Sum& b) {
    for (int i = 0; i < kLanes; ++i) a.lane[i] += b.lane[i];
    return a;
  }
  static Sum subtract(Sum a, const Sum& b) {
    for (int i = 0; i < kLanes; ++i) a.lane[i] -= b.lane[i];
    return a;
  }
  static void finish(const Sum (&sums)[1], const float* scale, const float* residual_scale, std::uint8_t* p) {
    for (int i = 0; i < kLanes; ++i) {
      float y = static_cast<float>(sums[0].lane[i]) * scale[i];
      if (residual_scale != nullptr) y = std::fma(static_cast<float>(p[i]), residual_scale[i], y);
      p[i] = step(y);
    }
  }
  static void finish(const Sum (&a)[1], const Sum (&b)[1], const float* scale, const float* residual_scale,
                     std::uint8_t* p, std::uint8_t* q) {
    finish(a, scale, residual_scale, p);
    finish(b, scale, residual_scale, q);
  }
};

}  // namespace

constinit const Kernels kPortable = kernels<Portable>("portable");

}  // namespace rlscout::inference
