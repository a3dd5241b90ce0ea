// AVX-512 with VNNI: 64 products an instruction.
#include <immintrin.h>

#include <cstring>

#include "inference/kernels_for.h"

namespace rlscout::inference {
namespace {

struct Vnni {
  static constexpr int kLanes = 16, kVectors = 2;
  using Sum = __m512i;
  using Weights = __m512i;
  using Inputs = __m512i;

  static Sum sums(const std::int32_t* p) { return _mm512_loadu_si512(p); }
  static Weights weights(const std::int8_t* p) { return _mm512_loadu_si512(p); }
  static Inputs inputs(const std::uint8_t* p) {
    int four;
    std::memcpy(&four, p, sizeof four);
    return _mm512_set1_epi32(four);
  }
  static void store(std::int32_t* p, Sum sum) { _mm512_storeu_si512(p, sum); }
  static Sum dot(Sum sum, Inputs x, Weights w) { return _mm512_dpbusd_epi32(sum, x, w); }
  static Sum add(Sum a, Sum b) { return _mm512_add_epi32(a, b); }
  static Sum subtract(Sum a, Sum b) { return _mm512_sub_epi32(a, b); }
  // In steps, and no more than the highest; what is below 0 goes when it is packed.
  static __m512i steps(Sum sum, const float* scale, const float* residual_scale, const std::uint8_t* p) {
    __m512 y = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), _mm512_loadu_ps(scale));
    if (residual_scale != nullptr) {
      const __m512i before = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
      y = _mm512_fmadd_ps(_mm512_cvtepi32_ps(before), _mm512_loadu_ps(residual_scale), y);
    }
    return _mm512_cvtps_epi32(_mm512_min_ps(y, _mm512_set1_ps(kHighest)));
  }
  template <int N>
  static void finish(const Sum (&sums)[N], const float* scale, const float* residual_scale, std::uint8_t* p) {
    for (int v = 0; v < N; ++v) {
      const int at = v * kLanes;
      const __m512i whole =
          steps(sums[v], scale + at, residual_scale != nullptr ? residual_scale + at : nullptr, p + at);
      _mm_storeu_si128(reinterpret_cast<__m128i*>(p + at),
                       _mm512_cvtepi32_epi8(_mm512_max_epi32(whole, _mm512_setzero_si512())));
    }
  }
  // Packing goes by lanes of 128 bits: four outputs of one vector, four of the other, and so for the second square.
  static void finish(const Sum (&a)[2], const Sum (&b)[2], const float* scale, const float* residual_scale,
                     std::uint8_t* p, std::uint8_t* q) {
    const float* const added = residual_scale != nullptr ? residual_scale + kLanes : nullptr;
    const __m512i first =
        _mm512_packs_epi32(steps(a[0], scale, residual_scale, p), steps(a[1], scale + kLanes, added, p + kLanes));
    const __m512i second =
        _mm512_packs_epi32(steps(b[0], scale, residual_scale, q), steps(b[1], scale + kLanes, added, q + kLanes));
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i both = _mm512_permutexvar_epi32(order, _mm512_packus_epi16(first, second));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_castsi512_si256(both));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(q), _mm512_extracti64x4_epi64(both, 1));
  }
};

}  // namespace

constinit const Kernels kVnni = kernels<Vnni>("avx512-vnni");

}  // namespace rlscout::inference
