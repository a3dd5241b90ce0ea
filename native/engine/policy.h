// From a network's logits to a policy.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace rlscout {

// Rows of logits [n, squares] and of legal moves [n, words] -> policies [n, squares]: exp(logit), normalised over the legal
// squares; 0 elsewhere, all 0 where no square is legal. Bits beyond the board are no squares.
inline void masked_softmax(std::span<const float> logits, std::span<const std::uint64_t> legal, std::size_t squares,
                           std::span<float> policies) {
  const std::size_t words = squares == 0 ? 0 : (squares + 63) / 64;
  std::fill(policies.begin(), policies.end(), 0.0f);
  for (std::size_t row = 0; squares > 0 && row * squares < logits.size(); ++row) {
    const float* logit = &logits[row * squares];
    float* policy = &policies[row * squares];
    const auto for_each_legal = [&](auto&& visit) {
      for (std::size_t word = 0; word < words; ++word)
        for (std::uint64_t left = legal[row * words + word]; left != 0; left &= left - 1)
          if (const std::size_t square = 64 * word + static_cast<std::size_t>(std::countr_zero(left)); square < squares)
            visit(square);
    };
    float highest = std::numeric_limits<float>::lowest(), total = 0.0f;
    for_each_legal([&](std::size_t square) { highest = std::max(highest, logit[square]); });
    for_each_legal([&](std::size_t square) { total += policy[square] = std::exp(logit[square] - highest); });
    for_each_legal([&](std::size_t square) { policy[square] /= total; });
  }
}

}  // namespace rlscout
