// Labels to learn from: the exact score of a position, and the nodes that the proof of it takes.
#pragma once

#include <cstdint>

#include "search/alphabeta.h"
#include "search/score.h"

namespace rlscout {

struct Label {
  int score;
  std::uint64_t nodes;  // of the claim one step above the score, refuted with empty tables
};

template <Game G>
class Labeller {
 public:
  using Position = typename G::Position;

  Labeller(const G& game, typename AlphaBeta<G>::Knowledge knowledge)
      : game_(game), prover_(game, {.table_mb = 1}, std::move(knowledge)) {}

  Label label(const Position& position) {
    ScoreSearch<G, AlphaBeta<G>> question(game_, prover_, prover_.score_step());
    Budget budget;
    SharedBounds shared;
    const Bounds all{-game_.max_score() - 1, game_.max_score() + 1};
    const int score = question.solve(position, all, prover_.guess(position), budget, shared).bounds.lower;
    prover_.clear_tables();
    const std::uint64_t before = prover_.counters().nodes;
    prover_.prove({position, score + prover_.score_step()}, budget);
    return {score, prover_.counters().nodes - before};
  }

 private:
  G game_;
  AlphaBeta<G> prover_;
};

}  // namespace rlscout
