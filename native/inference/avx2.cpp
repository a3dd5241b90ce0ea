// AVX2: bytes widened to 16 bits, where the sum of two products always fits. (A product of bytes, added in pairs to 16 bits, would
// saturate.)
#include <immintrin.h>

#include <cstring>

#include "inference/kernels_for.h"
#include "inference/ymm.h"

namespace rlscout::inference {
namespace {

struct Avx2 {
  static constexpr int kLanes = 8, kTilesAtOnce = 2;
  using Sum = __m256i;
  struct Pair {
    __m256i even, odd;  // of the four bytes
  };
  using Weights = Pair;
  using Inputs = Pair;
  using Narrow = Ymm;
  using Wide = Ymm;

  static Sum zero() { return _mm256_setzero_si256(); }
  static Sum sums(const std::int32_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static Weights weights(const std::int8_t* p) {
    const __m256i w = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p));
    return {_mm256_srai_epi16(_mm256_slli_epi16(w, 8), 8), _mm256_srai_epi16(w, 8)};
  }
  static Inputs inputs(const std::uint8_t* p) {
    int four;
    std::memcpy(&four, p, sizeof four);
    const __m256i x = _mm256_set1_epi32(four);
    return {_mm256_and_si256(x, _mm256_set1_epi16(0xff)), _mm256_srli_epi16(x, 8)};
  }
  static void store(std::int32_t* p, Sum sum) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), sum); }
  static Sum dot(Sum sum, Inputs x, Weights w) {
    return add(add(sum, _mm256_madd_epi16(x.even, w.even)), _mm256_madd_epi16(x.odd, w.odd));
  }
  static Sum add(Sum a, Sum b) { return _mm256_add_epi32(a, b); }
  static Sum subtract(Sum a, Sum b) { return _mm256_sub_epi32(a, b); }
  template <int N>
  static void finish(const Sum (&sums)[N], const float* scale, const float* residual_scale,
                     std::uint8_t* const (&p)[N]) {
    for (int i = 0; i < N; ++i) {
      __m256 y = _mm256_mul_ps(_mm256_cvtepi32_ps(sums[i]), _mm256_loadu_ps(scale));
      if (residual_scale != nullptr) {
        const __m256i before = _mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p[i])));
        y = _mm256_fmadd_ps(_mm256_cvtepi32_ps(before), _mm256_loadu_ps(residual_scale), y);
      }
      const __m256i whole = _mm256_cvtps_epi32(y);
      const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(whole), _mm256_extracti128_si256(whole, 1));
      const __m128i bytes = _mm_min_epu8(_mm_packus_epi16(words, words), _mm_set1_epi8(kHighest));
      _mm_storel_epi64(reinterpret_cast<__m128i*>(p[i]), bytes);
    }
  }
};

}  // namespace

constinit const Kernels kAvx2 = kernels<Avx2>("avx2");

}  // namespace rlscout::inference
