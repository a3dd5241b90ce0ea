// A quantised network: packed positions in, logits and values out. Everything but the last sums of the value is in whole numbers,
// and the same on every processor, for every batch and any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rlscout::inference {

// What src/rlscout/inference/quantised.py makes of a network (its docstring has the meaning of each number). `C` channels, `S`
// squares, `L` convolutions: two for each block; `P`, `V`, `H`: planes of the heads, hidden values.
struct Quantised {
  int rows, columns, channels, blocks, policy_channels, value_channels, hidden;
  std::span<const std::int16_t> stem_weight;   // [C, 3, 3, 3]
  std::span<const std::int16_t> stem_bias;     // [C]
  std::span<const std::int8_t> block_weight;   // [L, C, C, 4, 4]: output, input, parts of a term (kernels.h)
  std::span<const std::int32_t> block_bias;    // [L, C, 2, 2]: of the first four terms
  std::span<const float> block_scale;          // [L, C]
  std::span<const float> residual_scale;       // [L / 2, C]
  std::span<const std::int8_t> head_weight;    // [P + V, C]
  std::span<const std::int32_t> head_bias;     // [P + V]
  std::span<const float> head_scale;           // [P + V]
  std::span<const std::int8_t> policy_weight;  // [S, P, S]
  std::span<const float> policy_scale;         // [S]
  std::span<const float> policy_bias;          // [S]
  std::span<const std::int8_t> hidden_weight;  // [H, V, S]
  std::span<const float> hidden_scale;         // [H]
  std::span<const float> hidden_bias;          // [H]
  std::span<const float> value_weight;         // [H]
  std::span<const float> value_bias;           // [1]
};

// The instruction sets that this processor has, fastest first; "portable" is always there.
std::vector<std::string> instruction_sets();

class Tower {
 public:
  // Throws std::invalid_argument for a board or network beyond its limits, for tensors of wrong sizes and for an
  // unknown instruction set. Stem weights and scales beyond their range are taken as its end, so that no sum overflows.
  Tower(const Quantised& network, int threads, std::string_view instructions);
  Tower(Tower&&) noexcept;
  ~Tower();

  std::size_t words() const;  // of a board
  std::size_t squares() const;
  std::string_view instructions() const;

  // positions [n, 2 * words], legal [n, words] -> logits [n, squares], values [n]. One call at a time.
  void evaluate(std::span<const std::uint64_t> positions, std::span<const std::uint64_t> legal, std::span<float> logits,
                std::span<float> values);

 private:
  struct Layers;
  std::unique_ptr<Layers> layers_;
};

}  // namespace rlscout::inference
