// Hints: a read-only map from positions near the root to what a deep network thinks of them. They order moves, nothing else.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/game.h"

namespace rlscout {

template <Game G>
class HintMap {
 public:
  using Position = typename G::Position;

  struct Hint {
    std::vector<float> policy;  // by square of the canonical position
    float value;                // of the side to move, in [-1, 1]
  };

  explicit HintMap(const G& game) : game_(game) {}

  // Of a position in any of its symmetric images; the policy is the position's own, by square.
  void add(const Position& position, const float* policy, float value) {
    const auto least = canonical(game_, position);
    const int squares = game_.columns() * game_.rows();
    Hint hint{std::vector<float>(static_cast<std::size_t>(squares)), value};
    for (int square = 0; square < squares; ++square)
      hint.policy[static_cast<std::size_t>(image(square, least.symmetry))] = policy[square];
    hints_.insert_or_assign(least.position, std::move(hint));
  }

  // P(score >= bound) where the value is v: scores are taken to be spread about their mean as a logistic distribution whose scale
  // is kSpread of the greatest score, and v to be P(score > 0) - P(score < 0). Not less than kLeastChance.
  float chance(float value, int bound) const {
    constexpr float kSpread = 2.0f / 9.0f, kLeastChance = 0.02f, kSure = 0.999f;
    const float most = std::clamp(value, -kSure, kSure);
    const float mean = std::log((1.0f + most) / (1.0f - most));  // in scales, as what follows
    const float claim = (static_cast<float>(bound) - 0.5f) / (kSpread * static_cast<float>(game_.max_score()));
    return std::max(1.0f / (1.0f + std::exp(claim - mean)), kLeastChance);
  }

  bool contains(const Position& position) const { return hints_.contains(canonical(game_, position).position); }
  void clear() { hints_.clear(); }

  // Sets the order of the children of a hinted position, where they have none that speaks of cost (`bit` is 0): by the value of a
  // child where it is hinted too (the parent's own stands in where it is not), the policy deciding between near equals. Where
  // their order is a cost already, of which `bit` is one bit, a child that is not likely to prove the claim `score >= bound`
  // costs more: kDoubt bits for each time that its chance is halved. False where the position has no hint.
  template <class ChildList>
  bool order(const Position& position, ChildList& children, int bound, int bit) const {
    const auto least = canonical(game_, position);
    const auto parent = hints_.find(least.position);
    if (parent == hints_.end()) return false;
    constexpr float kValueScale = 1e6f, kPolicyScale = 1e5f, kMost = 1e9f, kDoubt = 1.0f;
    for (int i = 0; i < children.size; ++i) {
      auto& child = children.items[static_cast<std::size_t>(i)];
      const auto hint = hints_.find(canonical(game_, child.node.position).position);
      const float value = hint != hints_.end() ? -hint->second.value : parent->second.value;
      const float policy =
          parent->second.policy[static_cast<std::size_t>(image(game_.square(child.move), least.symmetry))];
      const float promise = bit > 0 ? static_cast<float>(bit) * kDoubt * std::log2(chance(value, bound))
                                    : kValueScale * value + kPolicyScale * policy;
      // A broken network may promise anything, also what is no number.
      const std::int32_t given = promise > -kMost && promise < kMost ? static_cast<std::int32_t>(promise) : 0;
      child.order = bit > 0 ? child.order + given : given;
    }
    return true;
  }

 private:
  struct Hash {
    std::size_t operator()(const Position& position) const { return static_cast<std::size_t>(game.key(position)); }
    G game;
  };

  int image(int square, int symmetry) const { return game_.square(game_.transform(game_.move_at(square), symmetry)); }

  G game_;
  std::unordered_map<Position, Hint, Hash> hints_{16, Hash{game_}};
};

}  // namespace rlscout
