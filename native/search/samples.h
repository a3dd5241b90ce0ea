// Positions that a search meets, chosen uniformly: so many for each number of empties, the same for the same seed.
#pragma once

#include <cstdint>
#include <vector>

#include "core/game.h"
#include "core/random.h"

namespace rlscout {

// Reservoirs, one for each number of empties (J. Vitter, "Random sampling with a reservoir", 1985, algorithm R).
template <Game G>
class Samples {
 public:
  using Position = typename G::Position;

  // At most `capacity` positions of each number of empties from 0 to `squares`; 0: none are kept.
  Samples(int squares, int capacity, std::uint64_t seed)
      : capacity_(static_cast<std::size_t>(capacity)),
        reservoirs_(static_cast<std::size_t>(squares) + 1),
        random_(seed) {}

  bool wanted() const { return capacity_ > 0; }
  // Uniform in [0, bound).
  int below(int bound) { return static_cast<int>(random_.below(static_cast<std::uint32_t>(bound))); }

  void offer(const Position& position, int empties) {
    auto& [met, kept] = reservoirs_[static_cast<std::size_t>(empties)];
    ++met;
    if (kept.size() < capacity_)
      kept.push_back(position);
    else if (const auto at = static_cast<std::size_t>(random_.uniform() * static_cast<double>(met)); at < capacity_)
      kept[at] = position;
  }

  void append_to(std::vector<Position>& all) const {
    for (const Reservoir& reservoir : reservoirs_) all.insert(all.end(), reservoir.kept.begin(), reservoir.kept.end());
  }

 private:
  struct Reservoir {
    std::uint64_t met = 0;
    std::vector<Position> kept;
  };
  std::size_t capacity_;
  std::vector<Reservoir> reservoirs_;
  Random random_;
};

}  // namespace rlscout
