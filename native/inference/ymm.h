// 32 activations or terms of AVX2: for the files of the instruction sets that have it.
#pragma once

#include <immintrin.h>

#include "inference/kernels.h"

namespace rlscout::inference {
namespace {

struct Ymm {
  static constexpr int kCount = kBlock;
  using Bytes = __m256i;

  static Bytes zeros() { return _mm256_setzero_si256(); }
  static Bytes bytes(const std::uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)); }
  static void store(std::uint8_t* p, Bytes bytes) { _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), bytes); }
  static Bytes plus(Bytes a, Bytes b) { return _mm256_add_epi8(a, b); }
  static Bytes minus(Bytes a, Bytes b) { return _mm256_sub_epi8(a, b); }
  static Bytes raised(Bytes a) { return _mm256_xor_si256(a, _mm256_set1_epi8(-128)); }
  static Bytes clipped_plus(Bytes a, Bytes b) { return _mm256_adds_epi8(a, b); }
  static Bytes clipped_minus(Bytes a, Bytes b) { return _mm256_subs_epi8(a, b); }
  static Bytes unsigned_clipped_plus(Bytes a, Bytes b) { return _mm256_adds_epu8(a, b); }
};

}  // namespace
}  // namespace rlscout::inference
