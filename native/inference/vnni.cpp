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
  static void finish(Sum sum, const float* scale, const float* residual_scale, std::uint8_t* p) {
    __m512 y = _mm512_mul_ps(_mm512_cvtepi32_ps(sum), _mm512_loadu_ps(scale));
    if (residual_scale != nullptr) {
      const __m512i before = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
      y = _mm512_add_ps(y, _mm512_mul_ps(_mm512_cvtepi32_ps(before), _mm512_loadu_ps(residual_scale)));
    }
    y = _mm512_min_ps(_mm512_max_ps(y, _mm512_setzero_ps()), _mm512_set1_ps(kHighest));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtepi32_epi8(_mm512_cvtps_epi32(y)));
  }
};

}  // namespace

constinit const Kernels kVnni = kernels<Vnni>("avx512-vnni");

}  // namespace rlscout::inference
