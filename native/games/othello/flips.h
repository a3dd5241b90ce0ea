// Fast flips and mobility: the same sets as flipped_discs and legal_moves of lines.h, by four directions at a time where
// the processor variant has AVX2.
#pragma once

#include <array>
#include <cstdint>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "games/othello/lines.h"

namespace rlscout::othello {

#if defined(__AVX2__)

namespace rays {

// The squares seen from each square along a direction of shift s (1, 8, 7, 9): upwards (bit + s) and downwards.
struct Table {
  alignas(32) std::uint64_t up[64][4];
  alignas(32) std::uint64_t down[64][4];
};
constexpr Table make() {
  Table table{};
  constexpr int kColumnSteps[4] = {1, 0, -1, 1}, kRowSteps[4] = {0, 1, 1, 1};
  for (int square = 0; square < 64; ++square)
    for (int direction = 0; direction < 4; ++direction)
      for (int distance = 1; distance < 8; ++distance)
        for (int sign : {1, -1}) {
          const int column = square % 8 + sign * distance * kColumnSteps[direction];
          const int row = square / 8 + sign * distance * kRowSteps[direction];
          if (column < 0 || column > 7 || row < 0 || row > 7) continue;
          (sign > 0 ? table.up : table.down)[square][direction] |= std::uint64_t{1} << (8 * row + column);
        }
  return table;
}
inline constexpr Table kTable = make();

inline std::uint64_t or_lanes(__m256i lanes) {
  const __m128i half = _mm_or_si128(_mm256_castsi256_si128(lanes), _mm256_extracti128_si256(lanes, 1));
  return static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_or_si128(half, _mm_unpackhi_epi64(half, half))));
}
inline __m256i broadcast(std::uint64_t board) { return _mm256_set1_epi64x(static_cast<long long>(board)); }

}  // namespace rays

[[gnu::always_inline]] inline std::uint64_t flips(std::uint64_t own, std::uint64_t opponent, int move) {
  const __m256i own4 = rays::broadcast(own), opponent4 = rays::broadcast(opponent);
  // Upwards the first square that is not the opponent's is where a carry from the move stops.
  const __m256i up = _mm256_load_si256(reinterpret_cast<const __m256i*>(rays::kTable.up[move]));
  const __m256i down = _mm256_load_si256(reinterpret_cast<const __m256i*>(rays::kTable.down[move]));
#if defined(__AVX512VL__) && defined(__AVX512CD__)
  const __m256i through = _mm256_ternarylogic_epi64(opponent4, up, up, 0xf3);  // opponent | ~up
  const __m256i stop = _mm256_add_epi64(through, rays::broadcast(std::uint64_t{2} << move));
  const __m256i end = _mm256_ternarylogic_epi64(stop, up, own4, 0x80);
  const __mmask8 ended = _mm256_test_epi64_mask(end, end);
  const __m256i flipped_up = _mm256_maskz_and_epi64(ended, _mm256_add_epi64(end, _mm256_set1_epi64x(-1)), up);
  // Downwards it is the highest one; without one of our own there nothing is above it.
  const __m256i zeros = _mm256_lzcnt_epi64(_mm256_andnot_si256(opponent4, down));
  const __m256i highest = _mm256_srlv_epi64(rays::broadcast(std::uint64_t{1} << 63), zeros);
  const __m256i beyond = _mm256_and_si256(highest, own4);
  const __m256i above = _mm256_sub_epi64(_mm256_setzero_si256(), _mm256_add_epi64(beyond, beyond));
  return rays::or_lanes(_mm256_ternarylogic_epi64(flipped_up, above, down, 0xf8));
#else
  const __m256i zero = _mm256_setzero_si256();
  const __m256i through = _mm256_or_si256(opponent4, _mm256_xor_si256(up, _mm256_set1_epi64x(-1)));
  const __m256i stop = _mm256_add_epi64(through, rays::broadcast(std::uint64_t{2} << move));
  const __m256i end = _mm256_and_si256(_mm256_and_si256(stop, up), own4);
  const __m256i below_end = _mm256_and_si256(_mm256_sub_epi64(end, _mm256_set1_epi64x(1)), up);
  const __m256i flipped_up = _mm256_andnot_si256(_mm256_cmpeq_epi64(end, zero), below_end);
  // Downwards it is the highest one: smeared down the ray, it leaves the run above it.
  const __m256i shift = _mm256_set_epi64x(9, 7, 8, 1);
  const __m256i others = _mm256_andnot_si256(opponent4, down);
  __m256i smeared = _mm256_or_si256(others, _mm256_srlv_epi64(others, shift));
  smeared = _mm256_or_si256(smeared, _mm256_srlv_epi64(smeared, _mm256_slli_epi64(shift, 1)));
  smeared = _mm256_or_si256(smeared, _mm256_srlv_epi64(smeared, _mm256_slli_epi64(shift, 2)));
  const __m256i highest = _mm256_andnot_si256(_mm256_srlv_epi64(smeared, shift), others);
  const __m256i outside = _mm256_cmpeq_epi64(_mm256_and_si256(highest, own4), zero);
  const __m256i flipped_down = _mm256_andnot_si256(outside, _mm256_andnot_si256(smeared, down));
  return rays::or_lanes(_mm256_or_si256(flipped_up, flipped_down));
#endif
}

// Of a board of N columns.
template <int N>
[[gnu::always_inline]] inline std::uint64_t mobility(std::uint64_t own, std::uint64_t opponent, std::uint64_t board) {
  const __m256i shift = _mm256_set_epi64x(9, 7, 8, 1), twice = _mm256_slli_epi64(shift, 1);
  const __m256i masks = _mm256_set_epi64x(static_cast<long long>(kRunMasks[3]), static_cast<long long>(kRunMasks[2]),
                                          static_cast<long long>(kRunMasks[1]), static_cast<long long>(kRunMasks[0]));
  const __m256i own4 = rays::broadcast(own), inner = _mm256_and_si256(rays::broadcast(opponent), masks);
  __m256i left = _mm256_and_si256(inner, _mm256_sllv_epi64(own4, shift));
  __m256i right = _mm256_and_si256(inner, _mm256_srlv_epi64(own4, shift));
  left = _mm256_or_si256(left, _mm256_and_si256(inner, _mm256_sllv_epi64(left, shift)));
  right = _mm256_or_si256(right, _mm256_and_si256(inner, _mm256_srlv_epi64(right, shift)));
  const __m256i inner_left = _mm256_and_si256(inner, _mm256_sllv_epi64(inner, shift));
  const __m256i inner_right = _mm256_srlv_epi64(inner_left, shift);
  left = _mm256_or_si256(left, _mm256_and_si256(inner_left, _mm256_sllv_epi64(left, twice)));
  right = _mm256_or_si256(right, _mm256_and_si256(inner_right, _mm256_srlv_epi64(right, twice)));
  if constexpr (N > 6) {
    left = _mm256_or_si256(left, _mm256_and_si256(inner_left, _mm256_sllv_epi64(left, twice)));
    right = _mm256_or_si256(right, _mm256_and_si256(inner_right, _mm256_srlv_epi64(right, twice)));
  }
  const __m256i moves = _mm256_or_si256(_mm256_sllv_epi64(left, shift), _mm256_srlv_epi64(right, shift));
  return rays::or_lanes(moves) & board & ~(own | opponent);
}

#else

inline std::uint64_t flips(std::uint64_t own, std::uint64_t opponent, int move) {
  return flipped_discs(own, opponent, move);
}
// Of a board of N columns.
template <int N>
std::uint64_t mobility(std::uint64_t own, std::uint64_t opponent, std::uint64_t board) {
  return legal_moves(own, opponent, board);
}

#endif

// The last empty square of a full board: twice the number of discs that `own` turns there. Every square that is not `own`
// counts as the opponent's; off the board (the frame of small boards) that turns nothing, for no own disc lies beyond.
namespace last_square {

// [place on the line][own discs of the line]: twice the discs turned along it.
inline constexpr auto kTurned = [] {
  std::array<std::array<std::uint8_t, 256>, 8> table{};
  for (int place = 0; place < 8; ++place)
    for (int own = 0; own < 256; ++own) {
      int turned = 0;
      for (int step : {1, -1}) {
        int at = place + step;
        while (at >= 0 && at < 8 && (own >> at & 1) == 0) at += step;
        if (at >= 0 && at < 8) turned += at > place ? at - place - 1 : place - at - 1;
      }
      table[static_cast<std::size_t>(place)][static_cast<std::size_t>(own)] = static_cast<std::uint8_t>(2 * turned);
    }
  return table;
}();

// The two diagonals through each square.
inline constexpr auto kDiagonals = [] {
  std::array<std::array<std::uint64_t, 2>, 64> table{};
  for (int square = 0; square < 64; ++square)
    for (int other = 0; other < 64; ++other) {
      const int columns = other % 8 - square % 8, rows = other / 8 - square / 8;
      if (columns == rows) table[static_cast<std::size_t>(square)][0] |= std::uint64_t{1} << other;
      if (columns == -rows) table[static_cast<std::size_t>(square)][1] |= std::uint64_t{1} << other;
    }
  return table;
}();

inline int turned(std::uint64_t own, int square) {
  constexpr std::uint64_t kFileA = 0x0101010101010101u;
  const int column = square & 7, row = square >> 3;
  const auto& diagonals = kDiagonals[static_cast<std::size_t>(square)];
  const auto& by_column = kTurned[static_cast<std::size_t>(column)];
  // The products gather into the top byte a column by row, a diagonal by column.
  const std::uint64_t file = ((own >> column & kFileA) * 0x0102040810204080u) >> 56;
  return by_column[own >> (8 * row) & 255] + kTurned[static_cast<std::size_t>(row)][file] +
         by_column[(own & diagonals[0]) * kFileA >> 56] + by_column[(own & diagonals[1]) * kFileA >> 56];
}

}  // namespace last_square

}  // namespace rlscout::othello
