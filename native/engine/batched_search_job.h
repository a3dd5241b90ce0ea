// BatchedSearch as Python sees it: the virtual boundary of search/batched_search.h, which checks what it is given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <variant>

#include "core/half.h"
#include "search/search_options.h"

namespace rlscout {

// Of policies, as the network gives them.
using Weights = std::variant<std::span<const float>, std::span<const Half>>;

class BatchedSearchJob {
 public:
  virtual ~BatchedSearchJob() = default;

  // src/rlscout/_native.pyi has the contract of each.
  virtual void set_positions(std::span<const std::uint64_t> positions) = 0;
  virtual std::size_t gather(int player, std::span<std::uint64_t> positions, std::span<std::uint64_t> legal,
                             double seconds) = 0;
  virtual void scatter(int player, Weights policy, std::span<const float> value) = 0;
  virtual void forget_answers() = 0;
  virtual FinishedGames take_games() = 0;
  virtual RootStatistics root_statistics() const = 0;
  virtual bool finished() const = 0;
  virtual SearchCounters counters() const = 0;
  virtual RepeatedNodes repeated_nodes() const = 0;
};

// By the names of _native.pyi; std::invalid_argument for others, as for options that make no sense.
SearchMode search_mode(std::string_view name);
Player search_player(std::string_view name);
void check(const SearchOptions& options);

}  // namespace rlscout
