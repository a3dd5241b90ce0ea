// The kernels of kernels.h for a vector V of int32 sums:
//
//     kLanes                      outputs of a vector; divides 16
//     kTilesAtOnce                tiles whose sums fit the registers; divides kTiles
//     Sum, Weights, Inputs        kLanes sums; their weights, 4 each; 4 inputs, the same for all
//     zero(), sums(p), weights(p), inputs(p), store(p, sum)
//     dot(sum, inputs, weights), add, subtract
//     finish(sums, scale, residual_scale, p)    N of them to steps of the output, sums[i] onto what is at p[i] where residual_scale
//                                               is not nullptr
//     Narrow, Wide                kBlock activations or terms, or more:
//
//     kCount                      so many Bytes
//     zeros(), bytes(p), store(p, bytes), plus, minus (modulo 256), raised (by 128, modulo 256)
//     clipped_plus, clipped_minus (signed), unsigned_clipped_plus
//
// Each is included by one file per instruction set, compiled for that set; everything here has internal linkage, as two
// versions of one function must never meet.
#pragma once

#include "inference/kernels.h"

namespace rlscout::inference {
namespace {

// The terms of a tile, from the parts along its four columns: bytes, of which all but the sums are signed.
template <class B>
[[gnu::always_inline]] inline void write_terms(const typename B::Bytes (&parts)[4][4], std::uint8_t* terms) {
  typename B::Bytes made[4][4];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    typename B::Bytes d[4];
#pragma GCC unroll 4
    for (int column = 0; column < 4; ++column) d[column] = i == kS ? B::raised(parts[i][column]) : parts[i][column];
    made[i][kS] = i == kS ? B::unsigned_clipped_plus(parts[i][1], parts[i][2]) : B::raised(B::clipped_plus(d[1], d[2]));
    made[i][kC] = B::raised(B::clipped_minus(d[2], d[1]));
    made[i][kL] = B::raised(B::clipped_minus(d[0], d[2]));
    made[i][kR] = B::raised(B::clipped_minus(d[3], d[1]));
  }
#pragma GCC unroll 16
  for (int term = 0; term < kTerms; ++term)
    B::store(terms + term * kTiles * kLine, made[kOrder[term][0]][kOrder[term][1]]);
}

// A row of tiles, the first of which is `tile`; B::kCount channels from `channel` on. `rows`: of squares.
template <class B>
void transform_row(const Transform& t, const std::uint8_t* const (&rows)[4], int tile, std::ptrdiff_t channel) {
  const std::ptrdiff_t channels = t.channels;
  typename B::Bytes parts[4][4];
  const auto take = [&](int column, int at) {
    if (column < t.board.columns) {
      typename B::Bytes d[4];
#pragma GCC unroll 4
      for (int i = 0; i < 4; ++i) d[i] = B::bytes(rows[i] + column * channels + channel);
      parts[kS][at] = B::plus(d[1], d[2]);
      parts[kC][at] = B::minus(d[2], d[1]);
      parts[kL][at] = B::minus(d[0], d[2]);
      parts[kR][at] = B::minus(d[3], d[1]);
    } else {
#pragma GCC unroll 4
      for (int part = 0; part < 4; ++part) parts[part][at] = B::zeros();
    }
  };
  take(t.board.columns, 0);
  take(0, 1);
  for (int column = 1; column <= t.board.columns; column += 2, ++tile) {
    take(column, 2);
    take(column + 1, 3);
    write_terms<B>(parts, t.terms + tile / kTiles * group_size(channels) + channel / kLine * (kTerms * kTiles * kLine) +
                              tile % kTiles * kLine + channel % kLine);
#pragma GCC unroll 4
    for (int part = 0; part < 4; ++part) parts[part][0] = parts[part][2], parts[part][1] = parts[part][3];
  }
}

template <class V>
void transform(const Transform& t) {
  const Board board = t.board;
  const std::ptrdiff_t channels = t.channels, row_step = board.columns * channels;
  int tile = 0;
  for (int position = 0; position < t.positions; ++position) {
    const std::uint8_t* const input = t.input + position * board.rows * row_step;
    for (int row = -1; row < board.rows - 1; row += 2, tile += board.tile_columns()) {
      const std::uint8_t* rows[4];
      for (int i = 0; i < 4; ++i)
        rows[i] = row + i >= 0 && row + i < board.rows ? input + (row + i) * row_step : t.nothing;
      std::ptrdiff_t channel = 0;
      for (; channel + V::Wide::kCount <= channels; channel += V::Wide::kCount)
        transform_row<typename V::Wide>(t, rows, tile, channel);
      for (; channel < channels; channel += kBlock) transform_row<typename V::Narrow>(t, rows, tile, channel);
    }
  }
}

// Adds to sums[term][tile] what terms that are together give, and moves on to the weights of the next.
template <class V, int Terms>
[[gnu::always_inline]] inline void accumulate(typename V::Sum (&sums)[Terms][V::kTilesAtOnce], std::ptrdiff_t channels,
                                              const std::uint8_t* terms, const std::int8_t*& weights) {
  for (std::ptrdiff_t line = 0; line < channels; line += kLine, terms += kTerms * kTiles * kLine)
    for (std::ptrdiff_t channel = 0, last = channels - line < kLine ? kBlock : kLine; channel < last;
         channel += 2 * kGroup)
#pragma GCC unroll 2
      for (int half = 0; half < 2 * kGroup; half += kGroup, weights += Terms * kLanes * kGroup)
#pragma GCC unroll 4
        for (int term = 0; term < Terms; ++term) {
          const typename V::Weights w = V::weights(weights + term * kLanes * kGroup);
#pragma GCC unroll 4
          for (int tile = 0; tile < V::kTilesAtOnce; ++tile)
            sums[term][tile] =
                V::dot(sums[term][tile], V::inputs(terms + (term * kTiles + tile) * kLine + channel + half), w);
        }
}

// Two sums to what they give together, and the first without the second.
template <class V>
[[gnu::always_inline]] inline void butterfly(typename V::Sum (&a)[V::kTilesAtOnce],
                                             typename V::Sum (&b)[V::kTilesAtOnce]) {
#pragma GCC unroll 4
  for (int tile = 0; tile < V::kTilesAtOnce; ++tile) {
    const typename V::Sum sum = V::add(a[tile], b[tile]);
    b[tile] = V::subtract(a[tile], b[tile]);
    a[tile] = sum;
  }
}

// A pair of terms of a column: the first belongs alike to both outputs, the second is taken off from the lower.
template <class V>
[[gnu::always_inline]] inline void accumulate_column(typename V::Sum (&upper)[V::kTilesAtOnce],
                                                     typename V::Sum (&lower)[V::kTilesAtOnce], std::ptrdiff_t channels,
                                                     const std::uint8_t* terms, const std::int8_t*& weights) {
  typename V::Sum sums[2][V::kTilesAtOnce];
#pragma GCC unroll 4
  for (int tile = 0; tile < V::kTilesAtOnce; ++tile) sums[0][tile] = sums[1][tile] = V::zero();
  accumulate<V, 2>(sums, channels, terms, weights);
  butterfly<V>(sums[0], sums[1]);
#pragma GCC unroll 4
  for (int tile = 0; tile < V::kTilesAtOnce; ++tile) {
    upper[tile] = V::add(upper[tile], sums[0][tile]);
    lower[tile] = V::add(lower[tile], sums[1][tile]);
  }
}

// kTilesAtOnce tiles of a group, kLanes outputs of each: everything stays in registers.
template <class V>
[[gnu::noinline]] void convolve_tiles(const Convolution& c, const std::uint8_t* terms, const std::int8_t* weights,
                                      const std::int32_t* squares, int first) {
  const std::ptrdiff_t channels = c.channels;
  typename V::Sum y[4][V::kTilesAtOnce];
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i)
#pragma GCC unroll 4
    for (int tile = 0; tile < V::kTilesAtOnce; ++tile) y[i][tile] = V::sums(c.start + i * channels + first);
  accumulate<V, 4>(y, channels, terms, weights);
  butterfly<V>(y[0], y[2]);
  butterfly<V>(y[1], y[3]);
  accumulate<V, 4>(y, channels, terms + 4 * kTiles * kLine, weights);
  butterfly<V>(y[0], y[1]);
  butterfly<V>(y[2], y[3]);
  accumulate_column<V>(y[0], y[2], channels, terms + 8 * kTiles * kLine, weights);
  accumulate_column<V>(y[1], y[3], channels, terms + 10 * kTiles * kLine, weights);
  accumulate<V, 4>(y, channels, terms + 12 * kTiles * kLine, weights);
#pragma GCC unroll 4
  for (int i = 0; i < 4; ++i) {
    std::uint8_t* p[V::kTilesAtOnce];
#pragma GCC unroll 4
    for (int tile = 0; tile < V::kTilesAtOnce; ++tile)
      p[tile] = c.output + squares[i * kTiles + tile] * channels + first;
    V::finish(y[i], c.scale + first, c.residual_scale != nullptr ? c.residual_scale + first : nullptr, p);
  }
}

template <class V>
void convolve(const Convolution& c) {
  const std::ptrdiff_t step = kTerms * c.channels;  // of the weights of an output
  for (int first = 0; first < c.channels; first += V::kLanes)
    for (int group = 0; group < c.groups; ++group)
      for (int tile = 0; tile < kTiles; tile += V::kTilesAtOnce)
        convolve_tiles<V>(c, c.terms + group * group_size(c.channels) + tile * kLine,
                          c.weights + first / kLanes * kLanes * step + first % kLanes * kGroup,
                          c.squares + group * 4 * kTiles + tile, first);
}

// Sets * Each rows; Each of them are finished at once.
template <class V, int Sets, int Each>
void multiply_rows(const Product& p, int row, int first) {
  const std::uint8_t* x = p.rows + row * p.stride;
  const std::int8_t* weights =
      p.weights + (static_cast<std::ptrdiff_t>(first / kLanes) * p.groups * kLanes + first % kLanes) * kGroup;
  typename V::Sum sums[Sets][Each];
#pragma GCC unroll 8
  for (int i = 0; i < Sets * Each; ++i) sums[i / Each][i % Each] = V::sums(p.start + first);
  for (std::ptrdiff_t group = 0; group < p.groups; ++group) {
    const typename V::Weights w = V::weights(weights + group * kLanes * kGroup);
#pragma GCC unroll 8
    for (int i = 0; i < Sets * Each; ++i)
      sums[i / Each][i % Each] = V::dot(sums[i / Each][i % Each], V::inputs(x + i * p.stride + group * kGroup), w);
  }
  const std::ptrdiff_t width = p.blocks * kLanes, at = row * width + first;
#pragma GCC unroll 8
  for (int set = 0; set < Sets; ++set) {
    if (p.scale != nullptr) {
      std::uint8_t* output[Each];
#pragma GCC unroll 4
      for (int i = 0; i < Each; ++i) output[i] = p.output + at + (set * Each + i) * width;
      V::finish(sums[set], p.scale + first, nullptr, output);
    } else {
#pragma GCC unroll 4
      for (int i = 0; i < Each; ++i) V::store(p.sums + at + (set * Each + i) * width, sums[set][i]);
    }
  }
}

template <class V>
void multiply(const Product& p) {
  constexpr int kRows = 8;
  for (int first = 0; first < p.blocks * kLanes; first += V::kLanes) {
    int row = 0;
    for (; row + kRows <= p.count; row += kRows)
      multiply_rows<V, kRows / V::kTilesAtOnce, V::kTilesAtOnce>(p, row, first);
    for (; row < p.count; ++row) multiply_rows<V, 1, 1>(p, row, first);
  }
}

template <class V>
constexpr Kernels kernels(const char* name) {
  static_assert(kLanes % V::kLanes == 0 && kTiles % V::kTilesAtOnce == 0);
  return {name, &transform<V>, &convolve<V>, &multiply<V>};
}

}  // namespace
}  // namespace rlscout::inference
