// Plain C++: for every other processor, and to say what the others mean.
#include <algorithm>
#include <cmath>

#include "inference/kernels_for.h"

namespace rlscout::inference {
namespace {

// The activation that is nearest to y, which is in steps. (A sum this large has no bits left for fractions.)
std::uint8_t step(float y) {
  const float bounded = y > 0.0f ? (y < kHighest ? y : kHighest) : 0.0f;
  return static_cast<std::uint8_t>(static_cast<std::int32_t>((bounded + 12582912.0f) - 12582912.0f));
}

struct Array {
  static constexpr int kCount = kBlock;
  struct Bytes {
    std::uint8_t byte[kCount];
  };

  static int clipped(int term) { return std::clamp(term, -kZero, kZero - 1); }
  template <class Of>
  static Bytes each(const Of& of) {
    Bytes made;
    for (int i = 0; i < kCount; ++i) made.byte[i] = static_cast<std::uint8_t>(of(i));
    return made;
  }
  static Bytes zeros() {
    return each([](int) { return 0; });
  }
  static Bytes bytes(const std::uint8_t* p) {
    return each([&](int i) { return p[i]; });
  }
  static void store(std::uint8_t* p, const Bytes& bytes) {
    for (int i = 0; i < kCount; ++i) p[i] = bytes.byte[i];
  }
  static Bytes plus(const Bytes& a, const Bytes& b) {
    return each([&](int i) { return a.byte[i] + b.byte[i]; });
  }
  static Bytes minus(const Bytes& a, const Bytes& b) {
    return each([&](int i) { return a.byte[i] - b.byte[i]; });
  }
  static Bytes raised(const Bytes& a) {
    return each([&](int i) { return a.byte[i] ^ kZero; });
  }
  static Bytes clipped_plus(const Bytes& a, const Bytes& b) {
    return each(
        [&](int i) { return clipped(static_cast<std::int8_t>(a.byte[i]) + static_cast<std::int8_t>(b.byte[i])); });
  }
  static Bytes clipped_minus(const Bytes& a, const Bytes& b) {
    return each(
        [&](int i) { return clipped(static_cast<std::int8_t>(a.byte[i]) - static_cast<std::int8_t>(b.byte[i])); });
  }
  static Bytes unsigned_clipped_plus(const Bytes& a, const Bytes& b) {
    return each([&](int i) { return std::min(a.byte[i] + b.byte[i], 255); });
  }
};

struct Portable {
  static constexpr int kLanes = 8, kTilesAtOnce = 2;
  struct Sum {
    std::int32_t lane[kLanes];
  };
  struct Weights {
    const std::int8_t* of;  // [kLanes, 4]
  };
  struct Inputs {
    std::int32_t x[kGroup];
  };
  using Narrow = Array;
  using Wide = Array;

  static Sum zero() { return {}; }
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
  template <int N>
  static void finish(const Sum (&sums)[N], const float* scale, const float* residual_scale,
                     std::uint8_t* const (&p)[N]) {
    for (int n = 0; n < N; ++n)
      for (int i = 0; i < kLanes; ++i) {
        float y = static_cast<float>(sums[n].lane[i]) * scale[i];
        if (residual_scale != nullptr) y = std::fma(static_cast<float>(p[n][i]), residual_scale[i], y);
        p[n][i] = step(y);
      }
  }
};

}  // namespace

constinit const Kernels kPortable = kernels<Portable>("portable");

}  // namespace rlscout::inference
