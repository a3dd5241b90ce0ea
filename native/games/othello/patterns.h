// Pattern tables: linear predictions of the score of a position and of log2 of the nodes that its search takes.
//
// A prediction is a sum of weights, one for each pattern instance: a few shapes of squares in every place that the symmetries
// of the board bring them to, and one small bucket for mobility, corner moves and parity. Weights come by number of empties; a
// position outside the stages that a table was trained for has no prediction. Nothing here is trusted: predictions order moves.
//
//    3x3 and 2x4 corners      B B B B B B      row 2: C C C C C C     diagonals:  E F . . . .
//                             . B . . B .      row 3: D D D D D D                 . E F . . .   and so on
//
// The index of an instance is a number in base 3 with a digit for each square: 0 empty, 1 the side's to move, 2 the
// opponent's. It is linear in the squares, so that a part of a row adds to all indices at once: one row of a table, 16 bits an instance.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

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
  // From a square on, as far as the board goes.
  static constexpr std::uint64_t line(int row, int column, int row_step, int column_step) {
    std::uint64_t squares = 0;
    for (; row < N && column < N; row += row_step, column += column_step) squares |= square(row, column);
    return squares;
  }
  static constexpr std::uint64_t row(int index) { return line(index, 0, 0, 1); }
  static constexpr std::uint64_t diagonal(int column) { return line(0, column, 1, 1); }
  static constexpr std::uint64_t corner(int rows, int columns) {
    std::uint64_t squares = 0;
    for (int i = 0; i < rows; ++i)
      for (int j = 0; j < columns; ++j) squares |= square(i, j);
    return squares;
  }
  static constexpr std::uint64_t edge() { return row(0) | square(1, 1) | square(1, N - 2); }

  static constexpr std::array kShapes = {corner(3, 3), edge(), row(1), row(2), corner(2, 4), diagonal(0), diagonal(1)};
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

  // Shape `shape` turned by `way`: quarter turns, from 4 on of its mirror image.
  struct Instance {
    std::size_t shape = 0;
    int way = 0;
  };
  static constexpr std::uint64_t turned(std::uint64_t disc, int way) {
    int row = std::countr_zero(disc) / 8 - Game::kOffset, column = std::countr_zero(disc) % 8 - Game::kOffset;
    if (way >= 4) std::swap(row, column);
    for (int turn = 0; turn < way % 4; ++turn) {
      const int old_row = row;
      row = column;
      column = N - 1 - old_row;
    }
    return square(row, column);
  }
  static constexpr std::uint64_t squares(Instance instance) {
    std::uint64_t squares = 0;
    for (std::uint64_t left = kShapes[instance.shape]; left != 0; left &= left - 1)
      squares |= turned(left & -left, instance.way);
    return squares;
  }
  // Every place once: a shape that a symmetry maps to itself has fewer than eight.
  static constexpr auto kPlaces = [] {
    struct {
      std::array<Instance, 8 * kShapes.size()> instances;
      std::size_t size = 0;
    } places{};
    for (std::size_t shape = 0; shape < kShapes.size(); ++shape)
      for (int way = 0; way < 8; ++way) {
        bool found = false;
        for (int other = 0; other < way; ++other) found |= squares({shape, other}) == squares({shape, way});
        if (!found) places.instances[places.size++] = {shape, way};
      }
    return places;
  }();
  static constexpr std::size_t kInstances = kPlaces.size, kLanes = (kInstances + 15) / 16 * 16;

 public:
  static constexpr int kFirstStage = 8, kStages = N == 8 ? 20 : 18;  // empties kFirstStage .. kFirstStage + kStages - 1
  static constexpr int kFeatures = static_cast<int>(kInstances) + 1;
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
    std::array<std::int32_t, kFeatures> found;
    const Indices indices = indices_of(p);
    for (std::size_t i = 0; i < kInstances; ++i) found[i] = offset(i) + indices[i];
    found.back() = bucket(odd_quadrants_of(p), moves);
    return found;
  }

  Prediction predict(const Position& p, std::uint64_t moves, int empties) const {
    return sum(stage(empties), indices_of(p), bucket(odd_quadrants_of(p), moves));
  }

  // The same for what moves (not passes) make of `parent`, each given by the discs that it adds to the mover's: the new one and
  // those turned. `empties` and `moves` are the children's. Calls visit(index, prediction) for each in turn.
  template <class Visit>
  void predict_children(const Position& parent, std::span<const std::uint64_t> added,
                        std::span<const std::uint64_t> moves, int empties, Visit&& visit) const {
    const std::int32_t* weights = stage(empties);
    Lanes twice{}, both{};
    add(parent.own, twice);
    add(parent.opponent, both);
    both += 2 * twice;
    const unsigned odd = odd_quadrants_of(parent);
    // All indices are written before the first is read: small loads of what a wide store has just written wait for it.
    Found found;
    for (std::size_t i = 0; i < added.size(); ++i) {
      // Sides change: a disc that is turned counted 1 for the other side and counts 2, the new one 2.
      const auto placed = static_cast<std::size_t>(std::countr_zero(added[i] & ~parent.opponent));
      Lanes sums = both;
      add(added[i], sums);
      add_counts(kSquareCounts.counts[placed], sums);
      std::memcpy(&found.indices[i], &sums, sizeof sums);
      found.buckets[i] = bucket(odd ^ 1U << (placed / 32 * 2 + placed % 8 / 4), moves[i]);
    }
    for (std::size_t i = 0; i < added.size(); ++i) visit(i, sum(weights, found.indices[i], found.buckets[i]));
  }

 private:
  using Indices = std::array<std::uint16_t, kLanes>;
  using Lanes [[gnu::vector_size(sizeof(Indices))]] = std::uint16_t;
  struct Found {
    alignas(64) std::array<Indices, N * N> indices;
    std::array<std::int32_t, N * N> buckets;
    Found() {}  // leaves the arrays as they are
  };

  // What the squares of a row that are in a set count in each instance; on 8x8 of half a row, so that the table stays small.
  static constexpr int kWidth = N > 6 ? N / 2 : N, kParts = N * N / kWidth;
  static constexpr std::uint64_t part_of(std::uint64_t set, int part) {
    const int first = part * kWidth;
    return set >> (8 * (first / N + Game::kOffset) + first % N + Game::kOffset) & ((1 << kWidth) - 1);
  }
  struct Parts {
    alignas(64) Indices counts[kParts][1 << kWidth];
  };
  static constexpr Parts kPartCounts = [] {
    Parts parts{};
    for (std::size_t lane = 0; lane < kInstances; ++lane) {
      const auto [shape, way] = kPlaces.instances[lane];
      int power = 1;
      for (std::uint64_t left = kShapes[shape]; left != 0; left &= left - 1, power *= 3) {
        const std::uint64_t disc = turned(left & -left, way);
        for (int part = 0; part < kParts; ++part)
          for (std::size_t bits = 0; bits < 1 << kWidth; ++bits)
            if ((bits & part_of(disc, part)) != 0)
              parts.counts[part][bits][lane] = static_cast<std::uint16_t>(parts.counts[part][bits][lane] + power);
      }
    }
    return parts;
  }();

  // The same of single squares.
  struct Squares {
    alignas(64) Indices counts[64];
  };
  static constexpr Squares kSquareCounts = [] {
    Squares squares{};
    for (std::uint64_t left = Game::kBoard; left != 0; left &= left - 1)
      for (int part = 0; part < kParts; ++part)
        if (const std::uint64_t bits = part_of(left & -left, part); bits != 0)
          squares.counts[std::countr_zero(left)] = kPartCounts.counts[part][bits];
    return squares;
  }();

  static void add_counts(const Indices& indices, Lanes& sums) {
    Lanes counts;
    std::memcpy(&counts, &indices, sizeof counts);
    sums += counts;
  }
  static void add(std::uint64_t set, Lanes& sums) {
#pragma GCC unroll 16
    for (int part = 0; part < kParts; ++part) add_counts(kPartCounts.counts[part][part_of(set, part)], sums);
  }
  static Indices stored(const Lanes& sums) {
    Indices indices;
    std::memcpy(&indices, &sums, sizeof indices);
    asm("" : "+m"(indices));  // read back from memory: to extract them from the register one by one takes longer
    return indices;
  }
  static Indices indices_of(const Position& p) {
    Lanes own{}, opponent{};
    add(p.own, own);
    add(p.opponent, opponent);
    return stored(own + 2 * opponent);
  }
  static constexpr std::int32_t offset(std::size_t instance) { return kOffsets[kPlaces.instances[instance].shape]; }

  // A bit for each quadrant with an odd number of empties.
  static unsigned odd_quadrants_of(const Position& p) {
    const std::uint64_t empty = Game::kBoard & ~(p.own | p.opponent);
    unsigned odd = 0;
    for (unsigned i = 0; i < 4; ++i) odd |= (static_cast<unsigned>(std::popcount(empty & kQuadrants[i])) & 1) << i;
    return odd;
  }
  static std::int32_t bucket(unsigned odd_quadrants, std::uint64_t moves) {
    constexpr std::uint64_t kCorners = square(0, 0) | square(0, N - 1) | square(N - 1, 0) | square(N - 1, N - 1);
    const int mobility = std::min(std::popcount(moves), kMobilities - 1);
    const int corner_moves = std::min(std::popcount(moves & kCorners), kCornerMoves - 1);
    return kOffsets.back() + (mobility * kCornerMoves + corner_moves) * kOddQuadrants + std::popcount(odd_quadrants);
  }

  const std::int32_t* stage(int empties) const {
    return &weights_[static_cast<std::size_t>(empties - kFirstStage) * kStageSize];
  }
  static Prediction sum(const std::int32_t* weights, const Indices& indices, std::int32_t bucket) {
    std::int32_t sum = weights[bucket];
#pragma GCC unroll 64
    for (std::size_t i = 0; i < kInstances; ++i) sum += weights[offset(i) + indices[i]];
    const std::int32_t cost = static_cast<std::int16_t>(sum & 0xffff);
    return {(sum - cost) / 65536, cost};
  }

  std::vector<std::int32_t> weights_;
};

}  // namespace rlscout::othello
