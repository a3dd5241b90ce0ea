// BatchedSearchFor<Game>: the boundary of batched searches, filled in from the template.
#pragma once

#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/game.h"
#include "engine/batched_search_job.h"
#include "search/batched_search.h"

namespace rlscout {

template <Game G>
class BatchedSearchFor : public BatchedSearchJob {
 public:
  BatchedSearchFor(const G& game, const SearchOptions& options) : game_(game), options_(options) {
    check(options);
    search_ = std::make_unique<BatchedSearch<G>>(game_, options);
  }

  // The positions are checked by the engine before.
  void set_positions(std::span<const std::uint64_t> packed) override {
    if (options_.mode != SearchMode::kAnalysis)
      throw std::invalid_argument("set_positions: only mode 'analysis' takes positions");
    const std::size_t count = packed.size() / (2 * G::kWords);
    if (count > static_cast<std::size_t>(options_.games))
      throw std::invalid_argument(std::to_string(count) + " positions: this search holds up to " +
                                  std::to_string(options_.games) + " (option games)");
    std::vector<typename G::Position> positions;
    for (std::size_t i = 0; i < count; ++i) {
      const auto position = positions.emplace_back(game_.unpack(&packed[i * 2 * G::kWords]));
      if (const Phase phase = game_.phase(position); phase != Phase::kMove)
        throw std::invalid_argument((count == 1 ? "the position" : "position " + std::to_string(i)) +
                                    (phase == Phase::kPass ? ": a pass is due" : ": the game is over") +
                                    "; a search takes positions where a move is due");
    }
    search_->set_positions(positions);
  }

  std::size_t gather(int player, std::span<std::uint64_t> positions, std::span<std::uint64_t> legal,
                     double seconds) override {
    check_player(player);
    if (!(seconds >= 0.0 && seconds <= 1e6))
      throw std::invalid_argument("seconds " + std::to_string(seconds) + ": allowed is 0 to 1000000");
    const std::size_t capacity = positions.size() / (2 * G::kWords);
    if (legal.size() != capacity * G::kWords)
      throw std::invalid_argument(std::to_string(legal.size()) + " words of legal moves for " +
                                  std::to_string(capacity) + " positions: allowed are " +
                                  std::to_string(capacity * G::kWords));
    return search_->gather(player, capacity, positions.data(), legal.data(), seconds);
  }

  void scatter(int player, Weights policy, std::span<const float> value) override {
    check_player(player);
    std::visit([&](auto weights) { scatter_weights(player, weights, value); }, policy);
  }

  void forget_answers() override { search_->forget_answers(); }
  FinishedGames take_games() override { return search_->take_games(); }

  RootStatistics root_statistics() const override {
    if (options_.mode != SearchMode::kAnalysis)
      throw std::invalid_argument("root_statistics: only mode 'analysis' keeps its roots");
    return search_->root_statistics();
  }

  bool finished() const override { return search_->finished(); }
  SearchCounters counters() const override { return search_->counters(); }
  RepeatedNodes repeated_nodes() const override { return search_->repeated_nodes(); }

 private:
  template <class Weight>
  void scatter_weights(int player, std::span<const Weight> policy, std::span<const float> value) {
    const std::size_t given = search_->leaves_given(player);
    if (value.size() != given || policy.size() != given * static_cast<std::size_t>(game_.columns() * game_.rows()))
      throw std::invalid_argument("scatter of player " + std::to_string(player) + " with " +
                                  std::to_string(value.size()) + " values and " + std::to_string(policy.size()) +
                                  " weights: the last gather gave " + std::to_string(given) + " positions of " +
                                  std::to_string(game_.columns() * game_.rows()) + " squares");
    search_->scatter(player, policy.data(), value.data());
  }

  void check_player(int player) const {
    if (player < 0 || player >= static_cast<int>(options_.players.size()))
      throw std::invalid_argument("player " + std::to_string(player) + ": this search has " +
                                  (options_.players.size() == 1 ? "player 0 only" : "players 0 and 1"));
  }

  const G game_;
  const SearchOptions options_;
  std::unique_ptr<BatchedSearch<G>> search_;
};

}  // namespace rlscout
