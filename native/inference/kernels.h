// The arithmetic of a quantised tower, written once for any vector (kernels_for.h) and compiled once per instruction set. All sets
// give the same integers: products are exact, sums are of int32, and what is rounded is rounded to the nearest even.
//
// A 3x3 convolution is Winograd's F(2,3) along the row (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", 2016)
// and direct along the column. A tile is two neighbouring squares y0, y1 of a row; of the four inputs d0 d1 d2 d3 around them
//
//     y0 = (d0 - d2) g0 + (d1 + d2) (g0 + g1 + g2) / 2 + (d2 - d1) (g0 - g1 + g2) / 2
//     y1 =                (d1 + d2) (g0 + g1 + g2) / 2 - (d2 - d1) (g0 - g1 + g2) / 2 + (d3 - d1) g2
//
// which is 4 products for 6. Activations are whole numbers from 0 to 127, so that each sum and difference fits 8 bits; weights are
// quantised after the transform. Taps off the board above and below are not visited.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rlscout::inference {

inline constexpr int kTerms = 4;      // sums and differences of a tile, in the order of kSum, kCross, kLeft, kRight
inline constexpr int kOutputs = 32;   // channels are padded to a multiple; weights come in blocks of so many outputs
inline constexpr int kLanes = 16;     // outputs of a block of dense weights
inline constexpr int kGroup = 4;      // inputs that are multiplied at once
inline constexpr int kHighest = 127;  // of an activation
inline constexpr std::uint8_t kZero = 128;  // stands for 0 where a term may be negative

// The order of terms. The first two belong to both outputs, and are accumulated first.
enum Term { kSum, kCross, kLeft, kRight };  // d1 + d2, d2 - d1, d0 - d2, d3 - d1

struct Board {
  int rows, columns;
  [[gnu::always_inline]] int tiles() const { return (columns + 1) / 2; }
  [[gnu::always_inline]] int squares() const { return rows * columns; }
};

// A 3x3 convolution of `channels` inputs and as many outputs over some positions.
struct Convolution {
  Board board;
  int channels;  // a multiple of kOutputs
  int positions;
  const std::uint8_t* terms;  // [positions, rows, tiles, kTerms, channels]; all but kSum are moved up by kZero
  const std::int8_t*
      weights;  // [channels / 32, 2, 3, channels / 4, 2, 32, 4]: block, pair of terms, row, group, term, output, input
  const std::int32_t*
      start;  // [4, 2, channels]: rows (1: one above, 2: one below), column of the tile; bias and what kZero adds
  const float* scale;  // [channels]: of the sum, in steps of the output
  const float*
      residual_scale;  // [channels]: of what the output holds before, in steps of the output; nullptr: nothing is added
  std::uint8_t* output;  // [positions, squares, channels]
};

// rows [count, 4 * groups] x weights [blocks, groups, kLanes, 4] -> [count, blocks * kLanes]: sums; or, with a scale, activations.
struct Product {
  int count, groups, blocks;
  std::ptrdiff_t stride;  // from row to row
  const std::uint8_t* rows;
  const std::int8_t* weights;
  const std::int32_t* start;  // [blocks * kLanes]
  const float* scale;         // the same, of the sum, in steps of the output; nullptr: sums are wanted
  std::int32_t* sums;
  std::uint8_t* output;
};

struct Kernels {
  const char* name;
  void (*convolve)(const Convolution&);
  void (*multiply)(const Product&);
};

extern const Kernels kPortable;
#ifdef __x86_64__
extern const Kernels kAvx2;
extern const Kernels kVnni;
#endif

}  // namespace rlscout::inference
