// A network's answers, kept for positions that come again, in whatever game: for one thread.
//
// Whole positions are compared, so that a hit is never a collision. Each position has one place, where the newest stays.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/game.h"
#include "core/hash.h"

namespace rlscout {

template <Game G>
class AnswerCache {
 public:
  using Position = typename G::Position;

  struct Answer {
    const float* policy;  // by square; null: not known
    float value;
  };

  // `entries` is rounded up to a power of two; 0: nothing is kept.
  AnswerCache(std::size_t entries, std::size_t squares)
      : squares_(squares), entries_(entries == 0 ? 0 : std::bit_ceil(entries)), policies_(entries_.size() * squares) {}

  bool keeps() const { return !entries_.empty(); }

  Answer find(const Position& position, std::uint64_t key) const {
    const std::size_t at = place(key);
    if (!entries_[at].known || !(entries_[at].position == position)) return {nullptr, 0.0f};
    return {&policies_[at * squares_], entries_[at].value};
  }

  // Weights of any type are kept as floats.
  template <class Weight>
  void keep(const Position& position, std::uint64_t key, const Weight* policy, float value) {
    const std::size_t at = place(key);
    entries_[at] = {position, value, true};
    std::copy_n(policy, squares_, policies_.begin() + static_cast<std::ptrdiff_t>(at * squares_));
  }

  void forget() { std::fill(entries_.begin(), entries_.end(), Entry{}); }

 private:
  struct Entry {
    Position position{};
    float value = 0.0f;
    bool known = false;
  };

  std::size_t place(std::uint64_t key) const { return static_cast<std::size_t>(mix(key)) & (entries_.size() - 1); }

  std::size_t squares_;
  std::vector<Entry> entries_;
  std::vector<float> policies_;  // a row of squares an entry
};

}  // namespace rlscout
