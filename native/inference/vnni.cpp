// AVX-512 with VNNI: 64 products an instruction.
#include <immintrin.h>

#include <cstring>

#include "inference/kernels_for.h"
#include "inference/ymm.h"

namespace rlscout::inference {
namespace {

struct Zmm {
  static constexpr int kCount = kLine;
  using Bytes = __m512i;

  static Bytes zeros() { return _mm512_setzero_si512(); }
  static Bytes bytes(const std::uint8_t* p) { return _mm512_loadu_si512(p); }
  static void store(std::uint8_t* p, Bytes bytes) { _mm512_storeu_si512(p, bytes); }
  static Bytes plus(Bytes a, Bytes b) { return _mm512_add_epi8(a, b); }
  static Bytes minus(Bytes a, Bytes b) { return _mm512_sub_epi8(a, b); }
  static Bytes raised(Bytes a) { return _mm512_xor_si512(a, _mm512_set1_epi8(-128)); }
  static Bytes clipped_plus(Bytes a, Bytes b) { return _mm512_adds_epi8(a, b); }
  static Bytes clipped_minus(Bytes a, Bytes b) { return _mm512_subs_epi8(a, b); }
  static Bytes unsigned_clipped_plus(Bytes a, Bytes b) { return _mm512_adds_epu8(a, b); }
};

struct Vnni {
  static constexpr int kLanes = 16, kTilesAtOnce = 4;
  using Sum [[gnu::vector_size(64)]] = std::int32_t;  // GCC 12 copies a __m512i from loop to loop
  using Weights = __m512i;
  using Inputs = __m512i;
  using Narrow = Ymm;
  using Wide = Zmm;

  static Sum zero() { return Sum{}; }
  static Sum sums(const std::int32_t* p) { return Sum(_mm512_loadu_si512(p)); }
  static Weights weights(const std::int8_t* p) { return _mm512_loadu_si512(p); }
  static Inputs inputs(const std::uint8_t* p) {
    int four;
    std::memcpy(&four, p, sizeof four);
    return _mm512_set1_epi32(four);
  }
  static void store(std::int32_t* p, Sum sum) { _mm512_storeu_si512(p, __m512i(sum)); }
  static Sum dot(Sum sum, Inputs x, Weights w) { return Sum(_mm512_dpbusd_epi32(__m512i(sum), x, w)); }
  static Sum add(Sum a, Sum b) { return a + b; }
  static Sum subtract(Sum a, Sum b) { return a - b; }
  // In steps; what is below 0 or above the highest goes when it is packed.
  static __m512i steps(Sum sum, const float* scale, const float* residual_scale, const std::uint8_t* p) {
    __m512 y = _mm512_mul_ps(_mm512_cvtepi32_ps(__m512i(sum)), _mm512_loadu_ps(scale));
    if (residual_scale != nullptr) {
      const __m512i before = _mm512_cvtepu8_epi32(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
      y = _mm512_fmadd_ps(_mm512_cvtepi32_ps(before), _mm512_loadu_ps(residual_scale), y);
    }
    return _mm512_cvtps_epi32(y);
  }
  static void store(std::uint8_t* p, __m128i bytes) { _mm_storeu_si128(reinterpret_cast<__m128i*>(p), bytes); }
  // Packing goes by lanes of 128 bits: four outputs of each vector in turn.
  static void finish(const Sum (&sums)[4], const float* scale, const float* residual_scale,
                     std::uint8_t* const (&p)[4]) {
    const __m512i first =
        _mm512_packs_epi32(steps(sums[0], scale, residual_scale, p[0]), steps(sums[1], scale, residual_scale, p[1]));
    const __m512i second =
        _mm512_packs_epi32(steps(sums[2], scale, residual_scale, p[2]), steps(sums[3], scale, residual_scale, p[3]));
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    const __m512i packed = _mm512_min_epu8(_mm512_packus_epi16(first, second), _mm512_set1_epi8(kHighest));
    const __m512i all = _mm512_permutexvar_epi32(order, packed);
    store(p[0], _mm512_castsi512_si128(all));
    store(p[1], _mm512_extracti32x4_epi32(all, 1));
    store(p[2], _mm512_extracti32x4_epi32(all, 2));
    store(p[3], _mm512_extracti32x4_epi32(all, 3));
  }
  static void finish(const Sum (&sums)[1], const float* scale, const float* residual_scale,
                     std::uint8_t* const (&p)[1]) {
    finish({sums[0], sums[0], sums[0], sums[0]}, scale, residual_scale, {p[0], p[0], p[0], p[0]});
  }
};

}  // namespace

constinit const Kernels kVnni = kernels<Vnni>("avx512-vnni");

}  // namespace rlscout::inference
