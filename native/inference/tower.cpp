#include "inference/tower.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <new>
#include <stdexcept>

#include "core/worker_pool.h"
#include "inference/kernels.h"

namespace rlscout::inference {
namespace {

constexpr int kPositions = 16;  // whose dense layers are multiplied together
constexpr int kNear =
    1 << 18;                   // bytes of terms: so many positions go through the convolutions together, layer by layer
constexpr int kStemShift = 5;  // the stem's sums are in steps / 32
constexpr int kStemMost = 10900;      // three of these are added in 16 bits
constexpr int kMostChannels = 2048;   // with more, sums of a convolution might not fit 32 bits
constexpr int kMostInputs = 1 << 17;  // of a dense layer, for the same reason
constexpr float kMostScale = 1.0f;  // more would be a step for one of a sum, and might not fit 32 bits, as a residual's
constexpr float kMostResidualScale = 1 << 20;

// Memory that vectors of 64 bytes do not cross.
template <class T>
struct Aligned {
  using value_type = T;
  static constexpr std::align_val_t kAlignment{64};
  Aligned() = default;
  template <class U>
  Aligned(const Aligned<U>&) {}
  T* allocate(std::size_t n) { return static_cast<T*>(::operator new(n * sizeof(T), kAlignment)); }
  void deallocate(T* p, std::size_t) { ::operator delete(p, kAlignment); }
  friend bool operator==(const Aligned&, const Aligned&) { return true; }
};
template <class T>
using Array = std::vector<T, Aligned<T>>;

constexpr int padded(int n, int to) { return (n + to - 1) / to * to; }
std::size_t size(int n) { return static_cast<std::size_t>(n); }

template <class T>
void require(std::span<const T> tensor, std::size_t wanted, const char* name) {
  if (tensor.size() != wanted)
    throw std::invalid_argument(std::string(name) + " has " + std::to_string(tensor.size()) +
                                " numbers: " + std::to_string(wanted) + " are allowed");
}

const Kernels& kernels_of([[maybe_unused]] std::string_view name) {
#ifdef __x86_64__
  for (const Kernels* kernels : {&kVnni, &kAvx2})
    if (kernels->name == name) return *kernels;
#endif
  return kPortable;
}

// Bits `first` to `first + count` of a board.
std::uint64_t row_of(const std::uint64_t* board, int first, int count) {
  const int word = first / 64, bit = first % 64;
  std::uint64_t row = board[word] >> bit;
  if (bit + count > 64) row |= board[word + 1] << (64 - bit);
  return row & ((std::uint64_t{1} << count) - 1);
}

// The planes are exclusive, so a square is one of four things, and three neighbours in a row one of 64: the first
// convolution is a sum of three rows of a table.
class Stem {
 public:
  Stem(const Quantised& q, Board board, int channels)
      : board_(board), channels_(channels), table_(3 * 64 * size(channels)) {
    for (int dy = 0; dy < 3; ++dy)
      for (int index = 0; index < 64; ++index)
        for (int channel = 0; channel < q.channels; ++channel) {
          int sum = dy == 1 ? q.stem_bias[size(channel)] + (1 << (kStemShift - 1)) : 0;  // to the nearest step
          for (int dx = 0; dx < 3; ++dx)
            if (const int content = (index >> dx & 1) | (index >> (3 + dx) & 1) << 1; content != 0)
              sum += q.stem_weight[size(((channel * 3 + content - 1) * 3 + dy) * 3 + dx)];
          table_[size((dy * 64 + index) * channels + channel)] =
              static_cast<std::int16_t>(std::clamp(sum, -kStemMost, kStemMost));
        }
  }

  // -> [squares, channels]
  void run(const std::uint64_t* position, const std::uint64_t* legal, std::size_t words, std::uint8_t* output) const {
    // Contents of a square: 0 empty, 1 own stone, 2 opponent's, 3 legal move. Rows -1 and `rows` are empty, as columns
    // are.
    std::array<std::uint64_t, 2> low_high[66] = {};
    for (int row = 0; row < board_.rows; ++row) {
      const int first = row * board_.columns;
      const std::uint64_t moves = row_of(legal, first, board_.columns);
      low_high[row + 1] = {(row_of(position, first, board_.columns) | moves) << 1,
                           (row_of(position + words, first, board_.columns) | moves) << 1};
    }
    for (int row = 0; row < board_.rows; ++row)
      for (int column = 0; column < board_.columns; ++column) {
        const std::int16_t* terms[3];
        for (int dy = 0; dy < 3; ++dy) {
          const auto [low, high] = low_high[row + dy];
          const auto index = (low >> column & 7) | (high >> column & 7) << 3;
          terms[dy] = &table_[(size(dy) * 64 + index) * size(channels_)];
        }
        for (int channel = 0, last = channels_; channel < last; channel += kBlock, output += kBlock)
          add(terms[0] + channel, terms[1] + channel, terms[2] + channel, output);
      }
  }

 private:
  // kBlock channels of a square.
  static void add(const std::int16_t* __restrict a, const std::int16_t* __restrict b, const std::int16_t* __restrict c,
                  std::uint8_t* __restrict output) {
    using Words [[gnu::vector_size(kBlock * sizeof(std::int16_t))]] = std::int16_t;
    using Bytes [[gnu::vector_size(kBlock)]] = std::uint8_t;
    Words words[3];
    std::memcpy(&words[0], a, sizeof words[0]);
    std::memcpy(&words[1], b, sizeof words[1]);
    std::memcpy(&words[2], c, sizeof words[2]);
    const Words steps = (words[0] + words[1] + words[2]) >> kStemShift, none = {}, most = none + std::int16_t{kHighest};
    const Words positive = steps > none ? steps : none;
    const auto bytes = __builtin_convertvector(positive < most ? positive : most, Bytes);
    std::memcpy(output, &bytes, sizeof bytes);
  }

  Board board_;
  int channels_;
  Array<std::int16_t> table_;  // [3, 64, channels]
};

// One 3x3 convolution of a block, its weights in the order of kernels.h.
class BlockLayer {
 public:
  BlockLayer(const Quantised& q, int layer, int channels)
      : weights_(kTerms * size(channels) * size(channels)),
        start_(4 * size(channels)),
        scale_(size(channels)),
        residual_scale_(size(layer % 2 * channels)) {
    std::int8_t* next = weights_.data();
    const auto weight = [&](int output, int input, Part column, Part row) -> std::int8_t {
      if (output >= q.channels || input >= q.channels) return 0;
      const std::size_t at = (size(layer) * size(q.channels) + size(output)) * size(q.channels) + size(input);
      return q.block_weight[(at * 4 + column) * 4 + row];
    };
    for (int block = 0; block < channels; block += kLanes)
      for (int first = 0; first < kTerms; first += together(first))
        for (int group = 0; group < channels; group += kGroup)
          for (int term = first; term < first + together(first); ++term)
            for (int output = block; output < block + kLanes; ++output)
              for (int input = group; input < group + kGroup; ++input)
                *next++ = weight(output, input, kOrder[term][0], kOrder[term][1]);
    for (int output = 0; output < q.channels; ++output) {
      scale_[size(output)] = std::min(q.block_scale[size(layer * q.channels + output)], kMostScale);
      if (layer % 2 != 0)
        residual_scale_[size(output)] =
            std::min(q.residual_scale[size(layer / 2 * q.channels + output)], kMostResidualScale);
      std::int32_t sums[4][4] = {};  // of weights whose terms are moved up
      for (const auto [column, row] : kOrder)
        if (column != kS || row != kS)
          for (int input = 0; input < q.channels; ++input) sums[column][row] += weight(output, input, column, row);
      // What kZero adds to the four outputs is taken off where the first four terms begin, as the outputs are sums and
      // differences of these.
      std::int32_t starts[4];
      for (int term = 0; term < 4; ++term)
        starts[term] = q.block_bias[size((layer * q.channels + output) * 4 + term)] -
                       kZero * sums[kOrder[term][0]][kOrder[term][1]];
      for (const int down : {1, -1})
        for (const int right : {1, -1}) {
          const Part column = down > 0 ? kL : kR, row = right > 0 ? kL : kR;
          const std::int32_t added =
              sums[column][kS] + right * sums[column][kC] + sums[kS][row] + down * sums[kC][row] + sums[column][row];
          for (int term = 0; term < 4; ++term)
            starts[term] -=
                kZero / 4 * added * (kOrder[term][0] == kC ? down : 1) * (kOrder[term][1] == kC ? right : 1);
        }
      for (int term = 0; term < 4; ++term) start_[size(term * channels + output)] = starts[term];
    }
  }

  void fill(Convolution& c) const {
    c.weights = weights_.data();
    c.start = start_.data();
    c.scale = scale_.data();
    c.residual_scale = residual_scale_.empty() ? nullptr : residual_scale_.data();
  }

 private:
  Array<std::int8_t> weights_;
  Array<std::int32_t> start_;
  Array<float> scale_, residual_scale_;
};

// A product whose inputs are [count, inputs], `inputs` a multiple of 4; its outputs are padded to a multiple of kLanes.
class Dense {
 public:
  // weight(output, input)
  template <class Weight>
  Dense(int outputs, int inputs, const Weight& weight)
      : start(size(padded(outputs, kLanes))), inputs_(inputs), weights_(start.size() * size(inputs)) {
    std::int8_t* next = weights_.data();
    for (int block = 0; block < width(); block += kLanes)
      for (int group = 0; group < inputs; group += kGroup)
        for (int output = block; output < block + kLanes; ++output)
          for (int input = group; input < group + kGroup; ++input)
            *next++ = output < outputs ? weight(output, input) : std::int8_t{0};
  }

  int width() const { return static_cast<int>(start.size()); }

  void run(const Kernels& kernels, int count, const std::uint8_t* rows, std::int32_t* sums,
           const float* scale = nullptr, std::uint8_t* output = nullptr, std::ptrdiff_t stride = 0) const {
    kernels.multiply({count, inputs_ / kGroup, width() / kLanes, stride != 0 ? stride : inputs_, rows, weights_.data(),
                      start.data(), scale, sums, output});
  }

  // What one row's sums are worth: outputs [scale.size()].
  void values(const std::int32_t* sums, int row, const std::vector<float>& scale, const std::vector<float>& bias,
              float* outputs) const {
    sums += row * width();
    const float *scales = scale.data(), *biases = bias.data();
    for (std::size_t i = 0; i < scale.size(); ++i) outputs[i] = static_cast<float>(sums[i]) * scales[i] + biases[i];
  }

  Array<std::int32_t> start;

 private:
  int inputs_;
  Array<std::int8_t> weights_;
};

// [groups, 4, kTiles]: where the outputs of the tiles of some positions go; those off the board, and the tiles that
// fill the last group, to a square behind all others.
std::vector<std::int32_t> squares_of_tiles(Board board, int positions) {
  const int tiles = padded(positions * board.tiles(), kTiles);
  std::vector<std::int32_t> squares(size(4 * tiles), positions * board.squares());
  for (int tile = 0; tile < positions * board.tiles(); ++tile) {
    const int position = tile / board.tiles(), of_board = tile % board.tiles();
    for (int output = 0; output < 4; ++output) {
      const int row = of_board / board.tile_columns() * 2 + output / 2;
      const int column = of_board % board.tile_columns() * 2 + output % 2;
      if (row < board.rows && column < board.columns)
        squares[size((tile / kTiles * 4 + output) * kTiles + tile % kTiles)] =
            position * board.squares() + row * board.columns + column;
    }
  }
  return squares;
}

// From [outputs, planes, squares] to the order of a row of a head: squares, then planes, of which there are `width`
// with padding.
auto by_square(std::span<const std::int8_t> weight, int squares, int planes, int width) {
  return [=](int output, int input) -> std::int8_t {
    const int square = input / width, plane = input % width;
    if (plane >= planes) return 0;
    return weight[(size(output) * size(planes) + size(plane)) * size(squares) + size(square)];
  };
}

}  // namespace

std::vector<std::string> instruction_sets() {
  std::vector<std::string> names;
#ifdef __x86_64__
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq"))
    names.emplace_back(kVnni.name);
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) names.emplace_back(kAvx2.name);
#endif
  names.emplace_back(kPortable.name);
  return names;
}

struct [[gnu::visibility("hidden")]] Tower::Layers {
  // What a thread writes on.
  struct Scratch {
    Array<std::uint8_t> activations, inside, terms, heads, policy, value;
    Array<std::int32_t> sums;
    std::vector<float> hidden;
  };

  Layers(const Quantised& q, int threads, const Kernels& chosen)
      : kernels(chosen),
        board{q.rows, q.columns},
        words(size((board.squares() + 63) / 64)),
        channels(padded(q.channels, kBlock)),
        policy_channels(q.policy_channels),
        value_channels(q.value_channels),
        policy_width(padded(q.policy_channels, kGroup)),
        value_width(padded(q.value_channels, kGroup)),
        near(std::clamp(kNear / (kTerms * channels * board.tiles()), 1, kPositions)),
        tile_squares(squares_of_tiles(board, near)),
        nothing(size(board.columns * channels)),
        stem(q, board, channels),
        heads(policy_width + value_width, channels,
              [&](int output, int input) -> std::int8_t {
                const int plane = head_plane(output);
                if (plane < 0 || input >= q.channels) return 0;
                return q.head_weight[size(plane * q.channels + input)];
              }),
        policy(board.squares(), board.squares() * policy_width,
               by_square(q.policy_weight, board.squares(), policy_channels, policy_width)),
        hidden_values(q.hidden, board.squares() * value_width,
                      by_square(q.hidden_weight, board.squares(), value_channels, value_width)),
        head_scale(size(heads.width())),
        policy_scale(q.policy_scale.begin(), q.policy_scale.end()),
        policy_bias(q.policy_bias.begin(), q.policy_bias.end()),
        hidden_scale(q.hidden_scale.begin(), q.hidden_scale.end()),
        hidden_bias(q.hidden_bias.begin(), q.hidden_bias.end()),
        value_weight(q.value_weight.begin(), q.value_weight.end()),
        value_bias(q.value_bias[0]),
        workers(threads) {
    for (int layer = 0; layer < 2 * q.blocks; ++layer) layers.emplace_back(q, layer, channels);
    for (int output = 0; output < policy_width + value_width; ++output)
      if (const int plane = head_plane(output); plane >= 0) {
        heads.start[size(output)] = q.head_bias[size(plane)];
        head_scale[size(output)] = std::min(q.head_scale[size(plane)], kMostScale);
      }
    const std::size_t squares = size(board.squares()), activations = (size(near) * squares + 1) * size(channels);
    for (int part = 0; part < threads; ++part) {
      Scratch s;
      s.activations.resize(activations);
      s.inside.resize(activations);
      s.terms.resize(tile_squares.size() / (4 * kTiles) * static_cast<std::size_t>(group_size(channels)));
      s.heads.resize(squares * size(heads.width()));
      s.policy.resize(size(kPositions) * squares * size(policy_width));
      s.value.resize(size(kPositions) * squares * size(value_width));
      s.sums.resize(size(kPositions * std::max(policy.width(), hidden_values.width())));
      s.hidden.resize(size(q.hidden));
      scratch.push_back(std::move(s));
    }
  }

  // Which plane of the heads an output is: the policy's, padded, then the value's. -1: none.
  int head_plane(int output) const {
    if (output < policy_width) return output < policy_channels ? output : -1;
    return output - policy_width < value_channels ? policy_channels + output - policy_width : -1;
  }

  // At most `near` positions, up to the planes of the heads.
  void run_planes(Scratch& s, int count, const std::uint64_t* positions, const std::uint64_t* legal,
                  std::uint8_t* policy_row, std::uint8_t* value_row) const {
    const std::ptrdiff_t squares = board.squares(), plane = squares * channels;
    for (int i = 0; i < count; ++i)
      stem.run(positions + 2 * words * size(i), legal + words * size(i), words, s.activations.data() + i * plane);
    Convolution c{};
    c.channels = channels;
    c.groups = padded(count * board.tiles(), kTiles) / kTiles;
    c.terms = s.terms.data();
    c.squares = tile_squares.data();
    for (std::size_t layer = 0; layer < layers.size(); ++layer) {
      Array<std::uint8_t>&input = layer % 2 ? s.inside : s.activations, &output = layer % 2 ? s.activations : s.inside;
      kernels.transform({board, channels, count, input.data(), nothing.data(), s.terms.data()});
      layers[layer].fill(c);
      c.output = output.data();
      kernels.convolve(c);
    }
    for (int i = 0; i < count; ++i) {
      heads.run(kernels, board.squares(), s.activations.data() + i * plane, nullptr, head_scale.data(), s.heads.data());
      for (const std::uint8_t* of_square = s.heads.data(); of_square < s.heads.data() + squares * heads.width();
           of_square += heads.width()) {
        for (int p = 0; p < policy_width; p += kGroup, policy_row += kGroup)
          std::memcpy(policy_row, of_square + p, kGroup);
        for (int v = 0; v < value_width; v += kGroup, value_row += kGroup)
          std::memcpy(value_row, of_square + policy_width + v, kGroup);
      }
    }
  }

  // At most kPositions of them.
  void run(Scratch& s, int count, const std::uint64_t* positions, const std::uint64_t* legal, float* logits,
           float* values) const {
    const std::ptrdiff_t squares = board.squares();
    for (int first = 0; first < count; first += near)
      run_planes(s, std::min(near, count - first), positions + 2 * words * size(first), legal + words * size(first),
                 s.policy.data() + first * squares * policy_width, s.value.data() + first * squares * value_width);
    policy.run(kernels, count, s.policy.data(), s.sums.data());
    for (int i = 0; i < count; ++i) policy.values(s.sums.data(), i, policy_scale, policy_bias, logits + i * squares);
    hidden_values.run(kernels, count, s.value.data(), s.sums.data());
    for (int i = 0; i < count; ++i) {
      hidden_values.values(s.sums.data(), i, hidden_scale, hidden_bias, s.hidden.data());
      float sum = value_bias;
      for (std::size_t h = 0; h < value_weight.size(); ++h) sum += std::max(s.hidden[h], 0.0f) * value_weight[h];
      values[i] = std::clamp(std::tanh(sum), -1.0f, 1.0f);
    }
  }

  const Kernels& kernels;
  Board board;
  std::size_t words;
  int channels;                                                    // padded
  int policy_channels, value_channels, policy_width, value_width;  // padded to whole groups
  int near;  // positions that go through the convolutions together
  std::vector<std::int32_t> tile_squares;
  Array<std::uint8_t> nothing;
  Stem stem;
  std::vector<BlockLayer> layers;
  Dense heads, policy, hidden_values;
  Array<float> head_scale;
  std::vector<float> policy_scale, policy_bias, hidden_scale, hidden_bias, value_weight;
  float value_bias;
  std::vector<Scratch> scratch;
  WorkerPool workers;
};

Tower::Tower(const Quantised& q, int threads, std::string_view instructions) {
  const auto sets = instruction_sets();
  if (std::find(sets.begin(), sets.end(), instructions) == sets.end())
    throw std::invalid_argument("instructions '" + std::string(instructions) + "': not on this processor");
  if (threads < 1) throw std::invalid_argument("threads " + std::to_string(threads) + ": at least 1 is allowed");
  if (std::min({q.rows, q.columns}) < 1 || std::max(q.rows, q.columns) > 62)
    throw std::invalid_argument("a board of " + std::to_string(q.columns) + " x " + std::to_string(q.rows) +
                                ": 1 to 62 are allowed");
  if (std::min({q.channels, q.policy_channels, q.value_channels, q.hidden}) < 1 || q.blocks < 0)
    throw std::invalid_argument("a network without channels");
  if (q.channels > kMostChannels || std::max(q.policy_channels, q.value_channels) * q.rows * q.columns > kMostInputs)
    throw std::invalid_argument("a network of " + std::to_string(q.channels) + " channels, heads of " +
                                std::to_string(q.policy_channels) + " and " + std::to_string(q.value_channels) +
                                ": sums of 32 bits hold " + std::to_string(kMostChannels) + " channels, and heads of " +
                                std::to_string(kMostInputs) + " numbers");
  const std::size_t squares = size(q.rows * q.columns), channels = size(q.channels), layers = 2 * size(q.blocks);
  const std::size_t heads = size(q.policy_channels + q.value_channels), hidden = size(q.hidden);
  require(q.stem_weight, channels * 27, "stem_weight");
  require(q.stem_bias, channels, "stem_bias");
  require(q.block_weight, layers * channels * channels * kTerms, "block_weight");
  require(q.block_bias, layers * channels * 4, "block_bias");
  require(q.block_scale, layers * channels, "block_scale");
  require(q.residual_scale, layers / 2 * channels, "residual_scale");
  require(q.head_weight, heads * channels, "head_weight");
  require(q.head_bias, heads, "head_bias");
  require(q.head_scale, heads, "head_scale");
  require(q.policy_weight, squares * size(q.policy_channels) * squares, "policy_weight");
  require(q.policy_scale, squares, "policy_scale");
  require(q.policy_bias, squares, "policy_bias");
  require(q.hidden_weight, hidden * size(q.value_channels) * squares, "hidden_weight");
  require(q.hidden_scale, hidden, "hidden_scale");
  require(q.hidden_bias, hidden, "hidden_bias");
  require(q.value_weight, hidden, "value_weight");
  require(q.value_bias, 1, "value_bias");
  layers_ = std::make_unique<Layers>(q, threads, kernels_of(instructions));
}

Tower::Tower(Tower&&) noexcept = default;
Tower::~Tower() = default;

std::size_t Tower::words() const { return layers_->words; }
std::size_t Tower::squares() const { return size(layers_->board.squares()); }
std::string_view Tower::instructions() const { return layers_->kernels.name; }

void Tower::evaluate(std::span<const std::uint64_t> positions, std::span<const std::uint64_t> legal,
                     std::span<float> logits, std::span<float> values) {
  Layers& layers = *layers_;
  const std::size_t chunks = (values.size() + kPositions - 1) / kPositions, parts = size(layers.workers.parts());
  const auto work = [&](int part) {
    const std::size_t last = std::min(values.size(), chunks * size(part + 1) / parts * kPositions);
    for (std::size_t first = chunks * size(part) / parts * kPositions; first < last; first += kPositions)
      layers.run(layers.scratch[size(part)], static_cast<int>(std::min<std::size_t>(kPositions, last - first)),
                 &positions[2 * layers.words * first], &legal[layers.words * first], &logits[squares() * first],
                 &values[first]);
  };
  if (parts == 1) {
    work(0);
  } else {
    layers.workers.run(work);
  }
}

}  // namespace rlscout::inference
