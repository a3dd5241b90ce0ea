// What a tree or a network expects of an exact score.
#pragma once

namespace rlscout {

// In [-1, 1], for the side the score is for: (1 - margin) * sign(score) + margin * score / max_score.
constexpr float value_of(int score, int max_score, float margin) {
  const float sign = static_cast<float>((score > 0) - (score < 0));
  return (1.0f - margin) * sign + margin * static_cast<float>(score) / static_cast<float>(max_score);
}

}  // namespace rlscout
