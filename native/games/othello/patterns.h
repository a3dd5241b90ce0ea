// Pattern tables: linear predictions of the score of a position and of log2 of the nodes that its search takes.
//
// A prediction is a sum of weights, one for each pattern instance: four shapes of squares under the four rotations of the
// board, and one small bucket for mobility, corner moves and parity. Weights come by number of empties; a position outside
// the stages that a table was trained for has no prediction. Nothing here is trusted: predictions order moves.
//
//        6x6, of the first rotation             8x8: the same shapes, ten squares for B
//    A A A . . .      B B B B B B
//    A A A . . .      . B . . B .      row 2: C C C C C C      row 3: D D D D D D
//    A A A . . .      . . . . . .
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#if defined(__BMI2__) || defined(__AVX2__)
#include <immintrin.h>
#endif

#include "games/othello/last_empties.h"
#include "games/othello/othello.h"

namespace rlscout::othello {

// What a table says of a position, for the side to move.
struct Prediction {
  std::int32_t score;  // in units of 1/kUnit discs
  std::int32_t cost;   // log2 of nodes, in units of 1/kUnit
  static constexpr int kUnit = 128;
};

template <int N>
class Patterns {
  using Game = Othello<N>;

  static constexpr std::uint64_t square(int row, int column) {
    return std::uint64_t{1} << (8 * (row + Game::kOffset) + column + Game::kOffset);
  }
  static constexpr std::uint64_t row(int index) {
    std::uint64_t squares = 0;
    for (int column = 0; column < N; ++column) squares |= square(index, column);
    return squares;
  }
  static constexpr std::uint64_t corner() {
    std::uint64_t squares = 0;
    for (int i = 0; i < 3; ++i)
      for (int j = 0; j < 3; ++j) squares |= square(i, j);
    return squares;
  }

  static constexpr std::array<std::uint64_t, 4> kShapes = {corner(), row(0) | square(1, 1) | square(1, N - 2), row(1),
                                                           row(2)};
  static constexpr int kMobilities = 16, kCornerMoves = 4, kOddQuadrants = 5;
  static constexpr int kBuckets = kMobilities * kCornerMoves * kOddQuadrants;

  static constexpr int power_of_three(int exponent) { return exponent == 0 ? 1 : 3 * power_of_three(exponent - 1); }

  // Where the weights of each shape begin in a stage, and at the end those of the buckets.
  static constexpr auto kOffsets = [] {
    std::array<int, kShapes.size() + 1> offsets{};
    for (std::size_t i = 0; i < kShapes.size(); ++i)
      offsets[i + 1] = offsets[i] + power_of_three(std::popcount(kShapes[i]));
    return offsets;
  }();

 public:
  static constexpr int kFirstStage = 8, kStages = N == 8 ? 20 : 18;  // empties kFirstStage .. kFirstStage + kStages - 1
  static constexpr int kFeatures = 4 * static_cast<int>(kShapes.size()) + 1;
  static constexpr int kStageSize = kOffsets.back() + kBuckets;

  // Weights [kStages, kStageSize]: score in the high half of a word, cost in the low one, both signed.
  explicit Patterns(std::span<const std::int32_t> weights) : weights_(weights.begin(), weights.end()) {
    if (weights.size() != static_cast<std::size_t>(kStages) * kStageSize)
      throw std::invalid_argument("pattern table of " + std::to_string(weights.size()) + " weights: this board takes " +
                                  std::to_string(kStages) + " x " + std::to_string(kStageSize));
  }

  static constexpr bool has_stage(int empties) { return empties >= kFirstStage && empties < kFirstStage + kStages; }

  // The weights of a stage that apply; `moves` are the legal moves of the side to move.
  static std::array<std::int32_t, kFeatures> features(const Position& p, std::uint64_t moves) {
    std::array<std::int32_t, kFeatures> indices;
    shape_features(p, indices.data());
    constexpr std::uint64_t kCorners = square(0, 0) | square(0, N - 1) | square(N - 1, 0) | square(N - 1, N - 1);
    const std::uint64_t empty = Game::kBoard & ~(p.own | p.opponent);
    int odd = 0;
    for (std::uint64_t quadrant : kQuadrants) odd += std::popcount(empty & quadrant) & 1;
    const int mobility = std::min(std::popcount(moves), kMobilities - 1);
    indices.back() =
        kOffsets.back() +
        (mobility * kCornerMoves + std::min(std::popcount(moves & kCorners), kCornerMoves - 1)) * kOddQuadrants + odd;
    return indices;
  }

  Prediction predict(const Position& p, std::uint64_t moves, int empties) const {
    const std::int32_t* stage = &weights_[static_cast<std::size_t>(empties - kFirstStage) * kStageSize];
    std::int32_t sum = 0;
    for (const std::int32_t index : features(p, moves)) sum += stage[index];
    const std::int32_t cost = static_cast<std::int16_t>(sum & 0xffff);
    return {(sum - cost) / 65536, cost};
  }

 private:
  // The index of each shape under the rotations by 0, 180, 90 and 270 degrees: a square counts 3^k for the k-th of the shape, once
  // where it is the side's to move, twice where it is the opponent's.
  static void shape_features(const Position& p, std::int32_t* indices) {
#if defined(__AVX2__)
    if constexpr (N >= 6) return shape_features_by_rows(p, indices);
#endif
    const std::uint64_t own_turned = transpose(p.own), opponent_turned = transpose(p.opponent);
    const std::uint64_t own[4] = {p.own, flip_rows(flip_columns(p.own)), flip_columns(own_turned),
                                  flip_rows(own_turned)};
    const std::uint64_t opponent[4] = {p.opponent, flip_rows(flip_columns(p.opponent)), flip_columns(opponent_turned),
                                       flip_rows(opponent_turned)};
    for (int rotation = 0; rotation < 4; ++rotation)
      for (std::size_t shape = 0; shape < kShapes.size(); ++shape)
        *indices++ = kOffsets[shape] + kTernary[extract(own[rotation], kShapes[shape])] +
                     2 * kTernary[extract(opponent[rotation], kShapes[shape])];
  }

#if defined(__AVX2__)
  // The same by bytes: every shape lies in the upper four rows of the frame, a byte a square, 0, 1 or 2 in each. What a square
  // counts is a product of two factors: one of its own, one that it shares with its neighbour.
  struct RowFactors {
    alignas(32) std::int8_t single[4][32];
    alignas(32) std::int16_t shared[4][16];
  };
  static constexpr RowFactors kRowFactors = [] {
    RowFactors factors{};
    for (std::size_t shape = 0; shape < kShapes.size(); ++shape) {
      std::int32_t counts[32]{};
      for (int bit = 0, power = 1; bit < 32; ++bit)
        if ((kShapes[shape] >> bit & 1) != 0) counts[bit] = power, power *= 3;
      for (std::size_t pair = 0; pair < 16; ++pair) {
        const std::int32_t first = counts[2 * pair], second = counts[2 * pair + 1];
        const std::int32_t shared = first != 0 ? first : second;
        factors.shared[shape][pair] = static_cast<std::int16_t>(shared);
        factors.single[shape][2 * pair] = first != 0 ? 1 : 0;
        factors.single[shape][2 * pair + 1] = static_cast<std::int8_t>(shared != 0 ? second / shared : 0);
      }
    }
    return factors;
  }();

  static void shape_features_by_rows(const Position& p, std::int32_t* indices) {
    // Turning the columns round is left to a shuffle of bytes.
    const __m256i turn = _mm256_set1_epi64x(0x0001020304050607);
    const __m256i turn4 = _mm256_add_epi8(turn, _mm256_set_epi64x(0x0808080808080808, 0, 0x0808080808080808, 0));
    const std::uint64_t own_turned = transpose(p.own), opponent_turned = transpose(p.opponent);
    const auto upper = [](std::uint64_t board) { return static_cast<std::uint32_t>(board); };
    const auto lower = [](std::uint64_t board) { return __builtin_bswap32(static_cast<std::uint32_t>(board >> 32)); };
    const __m256i digits[4] = {
        ternary_bytes(upper(p.own), upper(p.opponent)),
        _mm256_shuffle_epi8(ternary_bytes(lower(p.own), lower(p.opponent)), turn4),
        _mm256_shuffle_epi8(ternary_bytes(upper(own_turned), upper(opponent_turned)), turn4),
        ternary_bytes(lower(own_turned), lower(opponent_turned)),
    };
    const __m128i offsets = _mm_loadu_si128(reinterpret_cast<const __m128i*>(kOffsets.data()));
    for (int rotation = 0; rotation < 4; ++rotation) {
      const auto products = [&](int shape) {
        const auto single = _mm256_load_si256(reinterpret_cast<const __m256i*>(kRowFactors.single[shape]));
        const auto shared = _mm256_load_si256(reinterpret_cast<const __m256i*>(kRowFactors.shared[shape]));
        return _mm256_madd_epi16(_mm256_maddubs_epi16(digits[rotation], single), shared);
      };
      const __m256i sums =
          _mm256_hadd_epi32(_mm256_hadd_epi32(products(0), products(1)), _mm256_hadd_epi32(products(2), products(3)));
      const __m128i total = _mm_add_epi32(_mm256_castsi256_si128(sums), _mm256_extracti128_si256(sums, 1));
      _mm_storeu_si128(reinterpret_cast<__m128i*>(indices + 4 * rotation), _mm_add_epi32(total, offsets));
    }
  }

  // A byte for each of the 32 squares.
  static __m256i ternary_bytes(std::uint32_t own, std::uint32_t opponent) {
    const __m256i one = _mm256_set1_epi8(1), two = _mm256_set1_epi8(2);
    return _mm256_or_si256(_mm256_and_si256(spread_bits(own), one), _mm256_and_si256(spread_bits(opponent), two));
  }
  static __m256i spread_bits(std::uint32_t bits) {
#if defined(__AVX512BW__) && defined(__AVX512VL__)
    return _mm256_movm_epi8(bits);
#else
    const __m256i byte = _mm256_set_epi64x(0x0303030303030303, 0x0202020202020202, 0x0101010101010101, 0);
    const __m256i bit = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201u));
    const __m256i spread = _mm256_shuffle_epi8(_mm256_set1_epi32(static_cast<int>(bits)), byte);
    return _mm256_cmpeq_epi8(_mm256_and_si256(spread, bit), bit);
#endif
  }
#endif

  // Bits as digits of base 3.
  static constexpr auto kTernary = [] {
    std::array<std::int32_t, 1 << (N + 2 > 9 ? N + 2 : 9)> table{};
    for (std::size_t bits = 0; bits < table.size(); ++bits)
      for (int i = 0, power = 1; i < 10; ++i, power *= 3)
        if ((bits >> i & 1) != 0) table[bits] += power;
    return table;
  }();

  // The bits of `board` on the squares of `shape`, pushed together.
  static std::size_t extract(std::uint64_t board, std::uint64_t shape) {
#if defined(__BMI2__)
    return _pext_u64(board, shape);
#else
    std::size_t bits = 0;
    for (int at = 0; shape != 0; shape &= shape - 1, ++at) bits |= (board >> std::countr_zero(shape) & 1) << at;
    return bits;
#endif
  }

  std::vector<std::int32_t> weights_;
};

}  // namespace rlscout::othello
