// The arithmetic of a quantised tower, written once for any vector (kernels_for.h) and compiled once per instruction
// set. All sets give the same integers: products are exact, sums are of int32, and what is rounded is rounded to the
// nearest even.
//
// A 3x3 convolution is Winograd's F(2x2,3x3) (Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks",
// 2016), 16 products for 36. A tile is two by two neighbouring squares. In one dimension, of the four inputs d0 d1 d2
// d3 around two outputs y0 y1,
//
//     S = d1 + d2    C = d2 - d1    L = d0 - d2    R = d3 - d1    y0 = S s + C c + L l    y1 = S s - C c + R r
//     s = (g0 + g1 + g2) / 2    c = (g0 - g1 + g2) / 2    l = g0    r = g2
//
// In two, a term SC is S along the column, C along the row, and so for all 16. Activations are whole numbers from 0 to
// 127; a term is a sum or difference of four, and is clipped to 8 bits: from 0 to 255 for SS, from -128 to 127 for the
// others. Few terms of a network are that large, and its steps are chosen so (src/rlscout/inference/quantised.py).
// Weights are quantised after the transform. Squares off the board are 0.
#pragma once

#include <cstddef>
#include <cstdint>

namespace rlscout::inference {

inline constexpr int kTiles = 4;            // that are multiplied together
inline constexpr int kTerms = 16;           // of a tile
inline constexpr int kBlock = 32;           // channels are padded to a multiple
inline constexpr int kLine = 64;            // channels of a term that lie together
inline constexpr int kLanes = 16;           // outputs of a block of weights
inline constexpr int kGroup = 4;            // inputs that are multiplied at once
inline constexpr int kHighest = 127;        // of an activation
inline constexpr std::uint8_t kZero = 128;  // stands for 0 where a term may be negative

enum Part { kS, kC, kL, kR };

// The terms, along the column and along the row, in the order in which they are multiplied: four that all outputs of a
// tile have, two pairs that those of a row have, two that those of a column have, four that one has.
inline constexpr Part kOrder[kTerms][2] = {{kS, kS}, {kS, kC}, {kC, kS}, {kC, kC}, {kL, kS}, {kL, kC},
                                           {kR, kS}, {kR, kC}, {kS, kL}, {kC, kL}, {kS, kR}, {kC, kR},
                                           {kL, kL}, {kL, kR}, {kR, kL}, {kR, kR}};
[[gnu::always_inline]] constexpr int together(int term) { return term < 8 || term >= 12 ? 4 : 2; }

// Of a group of kTiles tiles, in bytes.
[[gnu::always_inline]] constexpr std::ptrdiff_t group_size(std::ptrdiff_t channels) {
  return (channels + kLine - 1) / kLine * kLine * kTiles * kTerms;
}

struct Board {
  int rows, columns;
  [[gnu::always_inline]] int tile_rows() const { return (rows + 1) / 2; }
  [[gnu::always_inline]] int tile_columns() const { return (columns + 1) / 2; }
  [[gnu::always_inline]] int tiles() const { return tile_rows() * tile_columns(); }
  [[gnu::always_inline]] int squares() const { return rows * columns; }
};

// The terms of some positions. In memory: [groups of kTiles tiles, channels / 64 rounded up, kTerms, kTiles, 64].
struct Transform {
  Board board;
  int channels;  // a multiple of kBlock
  int positions;
  const std::uint8_t* input;    // [positions, squares, channels]
  const std::uint8_t* nothing;  // [columns, channels]: zeros
  std::uint8_t* terms;
};

// A 3x3 convolution of `channels` inputs and as many outputs.
struct Convolution {
  int channels;  // a multiple of kBlock
  int groups;    // of kTiles tiles
  const std::uint8_t* terms;
  const std::int8_t*
      weights;  // [channels / 16, terms / together, channels / 4, terms together, output of 16, input of 4]
  const std::int32_t* start;    // [4, channels]: what the sums of the first four terms begin with
  const float* scale;           // [channels]: of the sum, in steps of the output
  const float* residual_scale;  // [channels]: of what the output holds before; nullptr: nothing is added
  const std::int32_t* squares;  // [groups, 4, kTiles]: of a tile's outputs, row by row
  std::uint8_t* output;         // [squares, channels]
};

// rows [count, 4 * groups] x weights [blocks, groups, kLanes, 4] -> [count, blocks * kLanes]: sums; or, with a scale,
// activations.
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
  void (*transform)(const Transform&);
  void (*convolve)(const Convolution&);
  void (*multiply)(const Product&);
};

extern const Kernels kPortable;
#ifdef __x86_64__
extern const Kernels kAvx2;
extern const Kernels kVnni;
#endif

}  // namespace rlscout::inference
