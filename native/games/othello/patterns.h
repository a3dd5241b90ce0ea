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

#if defined(__BMI2__)
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
    const std::uint64_t own_turned = transpose(p.own), opponent_turned = transpose(p.opponent);
    // The rotations: 0, 180, 90 and 270 degrees.
    const std::uint64_t own[4] = {p.own, flip_rows(flip_columns(p.own)), flip_columns(own_turned),
                                  flip_rows(own_turned)};
    const std::uint64_t opponent[4] = {p.opponent, flip_rows(flip_columns(p.opponent)), flip_columns(opponent_turned),
                                       flip_rows(opponent_turned)};
    std::size_t at = 0;
    for (std::size_t shape = 0; shape < kShapes.size(); ++shape)
      for (int rotation = 0; rotation < 4; ++rotation)
        indices[at++] = kOffsets[shape] + kTernary[extract(own[rotation], kShapes[shape])] +
                        2 * kTernary[extract(opponent[rotation], kShapes[shape])];
    constexpr std::uint64_t kCorners = square(0, 0) | square(0, N - 1) | square(N - 1, 0) | square(N - 1, N - 1);
    const std::uint64_t empty = Game::kBoard & ~(p.own | p.opponent);
    int odd = 0;
    for (std::uint64_t quadrant : kQuadrants) odd += std::popcount(empty & quadrant) & 1;
    const int mobility = std::min(std::popcount(moves), kMobilities - 1);
    indices[at] =
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
