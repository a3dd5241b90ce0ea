// The kernels of kernels.h for a vector V of int32 sums:
//
//     kLanes                      outputs of a vector
//     kVectors                    vectors that are accumulated side by side; kLanes * kVectors divides 32
//     Sum, Weights, Inputs        kLanes sums; their weights, 4 each; 4 inputs, the same for all
//     sums(p), weights(p), inputs(p), store(p, sum)
//     dot(sum, inputs, weights), add, subtract
//     finish(sums, scale, residual_scale, p)    one or more of them to steps of the output, onto what is at p where residual_scale
//                                               is not nullptr; finish(sums, sums, ..., p, p) does two squares
//
// Each is included by one file per instruction set, compiled for that set; everything here has internal linkage, as two versions of
// one function must never meet.
#pragma once

#include "inference/kernels.h"

namespace rlscout::inference {
namespace {

// Adds to sums[term][tile] what one row of inputs gives for a pair of terms.
template <class V, int Tiles>
[[gnu::always_inline]] inline void accumulate(typename V::Sum (&sums)[2][Tiles][V::kVectors], const std::uint8_t* terms,
                                              std::ptrdiff_t channels, const std::int8_t* weights) {
  const std::ptrdiff_t tile_step = kTerms * channels;
  for (std::ptrdiff_t channel = 0; channel < channels; channel += kGroup) {
#pragma GCC unroll 2
    for (int term = 0; term < 2; ++term) {
      typename V::Weights w[V::kVectors];
#pragma GCC unroll 4
      for (int v = 0; v < V::kVectors; ++v) w[v] = V::weights(weights + (term * kOutputs + v * V::kLanes) * kGroup);
#pragma GCC unroll 5
      for (int tile = 0; tile < Tiles; ++tile) {
        const typename V::Inputs x = V::inputs(terms + tile * tile_step + term * channels + channel);
#pragma GCC unroll 4
        for (int v = 0; v < V::kVectors; ++v) sums[term][tile][v] = V::dot(sums[term][tile][v], x, w[v]);
      }
    }
    weights += 2 * kOutputs * kGroup;
  }
}

// Some tiles of one row, kLanes * kVectors outputs from `first` on.
template <class V, int Tiles>
void convolve_tiles(const Convolution& c, int position, int row, int tile, int first) {
  const std::ptrdiff_t channels = c.channels;
  const std::ptrdiff_t row_step = c.board.tiles() * kTerms * channels;
  const std::uint8_t* terms =
      c.terms + (static_cast<std::ptrdiff_t>(position) * c.board.rows + row) * row_step + tile * kTerms * channels;
  const int above = row > 0, below = row + 1 < c.board.rows;
  const std::ptrdiff_t tap = channels / kGroup * 2 * kOutputs * kGroup;
  const std::int8_t* weights = c.weights + first / kOutputs * 6 * tap + first % kOutputs * kGroup;
  typename V::Sum sums[2][Tiles][V::kVectors] = {};
  for (int dy = -above; dy <= below; ++dy)
    accumulate<V, Tiles>(sums, terms + dy * row_step, channels, weights + (1 + dy) * tap);
  const std::int32_t* start = c.start + (above + 2 * below) * 2 * channels + first;
#pragma GCC unroll 4
  for (int v = 0; v < V::kVectors; ++v) {
    const typename V::Sum even = V::sums(start + v * V::kLanes), odd = V::sums(start + channels + v * V::kLanes);
#pragma GCC unroll 5
    for (int i = 0; i < Tiles; ++i) {
      const typename V::Sum both = sums[0][i][v], cross = sums[1][i][v];
      sums[0][i][v] = V::add(V::add(both, cross), even);
      sums[1][i][v] = V::add(V::subtract(both, cross), odd);
    }
  }
  for (int dy = -above; dy <= below; ++dy)
    accumulate<V, Tiles>(sums, terms + dy * row_step + 2 * channels, channels, weights + (4 + dy) * tap);
  std::uint8_t* output =
      c.output +
      (static_cast<std::ptrdiff_t>(position) * c.board.squares() + row * c.board.columns + 2 * tile) * channels + first;
  const bool whole = 2 * (tile + Tiles) <= c.board.columns;
#pragma GCC unroll 5
  for (int i = 0; i < Tiles; ++i) {
    std::uint8_t* const p = output + 2 * i * channels;
    const float* const added = c.residual_scale != nullptr ? c.residual_scale + first : nullptr;
    if (i < Tiles - 1 || whole) {
      V::finish(sums[0][i], sums[1][i], c.scale + first, added, p, p + channels);
    } else {
      V::finish(sums[0][i], c.scale + first, added, p);
    }
  }
}

template <class V>
void convolve(const Convolution& c) {
  constexpr int kMost = 5;
  const int tiles = c.board.tiles();
  const int parts = (tiles + kMost - 1) / kMost;
  for (int first = 0; first < c.channels; first += V::kLanes * V::kVectors)
    for (int position = 0; position < c.positions; ++position)
      for (int row = 0; row < c.board.rows; ++row)
        for (int part = 0; part < parts; ++part) {
          const int tile = tiles * part / parts;
          switch (tiles * (part + 1) / parts - tile) {
            case 1:
              convolve_tiles<V, 1>(c, position, row, tile, first);
              break;
            case 2:
              convolve_tiles<V, 2>(c, position, row, tile, first);
              break;
            case 3:
              convolve_tiles<V, 3>(c, position, row, tile, first);
              break;
            case 4:
              convolve_tiles<V, 4>(c, position, row, tile, first);
              break;
            default:
              convolve_tiles<V, kMost>(c, position, row, tile, first);
          }
        }
}

template <class V, int Rows>
void multiply_rows(const Product& p, int row, int first) {
  const std::uint8_t* x = p.rows + row * p.stride;
  const std::int8_t* weights =
      p.weights + (static_cast<std::ptrdiff_t>(first / kLanes) * p.groups * kLanes + first % kLanes) * kGroup;
  typename V::Sum sums[Rows][1];
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i) sums[i][0] = V::sums(p.start + first);
  for (std::ptrdiff_t group = 0; group < p.groups; ++group) {
    const typename V::Weights w = V::weights(weights + group * kLanes * kGroup);
#pragma GCC unroll 8
    for (int i = 0; i < Rows; ++i) sums[i][0] = V::dot(sums[i][0], V::inputs(x + i * p.stride + group * kGroup), w);
  }
#pragma GCC unroll 8
  for (int i = 0; i < Rows; ++i) {
    const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(row + i) * p.blocks * kLanes + first;
    if (p.scale != nullptr) {
      V::finish(sums[i], p.scale + first, nullptr, p.output + at);
    } else {
      V::store(p.sums + at, sums[i][0]);
    }
  }
}

template <class V>
void multiply(const Product& p) {
  constexpr int kRows = 8;
  for (int first = 0; first < p.blocks * kLanes; first += V::kLanes) {
    int row = 0;
    for (; row + kRows <= p.count; row += kRows) multiply_rows<V, kRows>(p, row, first);
    for (; row < p.count; ++row) multiply_rows<V, 1>(p, row, first);
  }
}

template <class V>
constexpr Kernels kernels(const char* name) {
  static_assert(kOutputs % (V::kLanes * V::kVectors) == 0 && kLanes % V::kLanes == 0);
  return {name, &convolve<V>, &multiply<V>};
}

}  // namespace
}  // namespace rlscout::inference
