// The root question, "what is the score?", answered claim by claim: null windows from both sides until they meet.
//
// The score is not told in advance. Each claim is placed at the last bound found (MTD(f), A. Plaat et al., 1996), starting
// from a guess; a bound that is proven stays proven, whatever ends the search.
#pragma once

#include <algorithm>
#include <atomic>
#include <limits>
#include <vector>

#include "core/game.h"
#include "search/claim.h"
#include "search/search_traits.h"

namespace rlscout {

// Proven so far, readable from any thread.
struct SharedBounds {
  std::atomic<int> lower, upper;
};

struct Answer {
  Bounds bounds;
  Move move =
      kNoMove;  // reaches bounds.lower; kPass where the side must pass; kNoMove where none is known (see witness)
};

// The score of a position as far as `window` asks: done when the bounds meet, or lower >= window.upper, or
// upper <= window.lower. The prover keeps what it learned, so that a search that met a limit may be repeated and goes on.
template <Game G, class P>
  requires Prover<P, G>
class ScoreSearch {
 public:
  using Position = typename G::Position;

  ScoreSearch(const G& game, P& prover, int step) : game_(game), prover_(prover), step_(step) {}

  Answer solve(const Position& position, Bounds window, int guess, Budget& budget, SharedBounds& shared) {
    Answer answer{{-game_.max_score(), game_.max_score()}, kNoMove};
    if (game_.phase(position) == Phase::kOver) {
      answer.bounds = {game_.score(position), game_.score(position)};
      publish(answer.bounds, shared);
      return answer;
    }
    int claim = guess;
    while (!settled(answer.bounds, window)) {
      // Where a bound of the window is no possible score the least claim may be above the greatest, which then is asked.
      claim = std::min(std::max(claim, std::max(answer.bounds.lower, window.lower) + step_),
                       std::min(answer.bounds.upper, window.upper));
      const Proof proof = prover_.prove({position, claim}, budget);
      if (proof.verdict == Verdict::kUnknown) return answer;
      if (proof.verdict == Verdict::kProved) {
        answer = {{proof.score_bound, answer.bounds.upper}, proof.move};
        claim = proof.score_bound + step_;
      } else {
        answer.bounds.upper = std::min(answer.bounds.upper, proof.score_bound);
        claim = proof.score_bound;
      }
      publish(answer.bounds, shared);
    }
    // Where positions wait for hints none may be found: see witness.
    if (answer.move == kNoMove && answer.bounds.lower > window.lower)
      answer.move = witness({position, answer.bounds.lower}, budget);
    return answer;
  }

  // The line of play that the proof of an exact score runs along; ends early where the budget does.
  std::vector<Move> principal_variation(Position position, const Answer& answer, Budget& budget) {
    std::vector<Move> line;
    int score = answer.bounds.lower;
    for (Move move = answer.move; move != kNoMove;) {
      line.push_back(move);
      position = game_.play(position, move);
      score = -score;
      if (!answer.bounds.exact() || budget.ended()) break;
      const Phase phase = game_.phase(position);
      move = phase == Phase::kOver ? kNoMove : phase == Phase::kPass ? kPass : witness({position, score}, budget);
    }
    return line;
  }

  // A move that reaches a claim which holds; kNoMove where the budget ends first.
  Move witness(const Claim<G>& claim, Budget& budget) {
    if (game_.phase(claim.position) == Phase::kPass) return kPass;
    const Proof proof = prover_.prove(claim, budget);
    if (proof.verdict == Verdict::kUnknown) return kNoMove;
    if (proof.move != kNoMove) return proof.move;
    // Proven by a rule that names no move: one of them keeps the opponent below step - bound.
    Move found = kNoMove;
    for_each_bit(game_.legal(claim.position), [&](int bit) {
      const Move move = static_cast<Move>(bit);
      if (found != kNoMove) return;
      const Position next = game_.play(claim.position, move);
      if (game_.phase(next) == Phase::kOver) {
        if (-game_.score(next) >= claim.bound) found = move;
      } else if (prover_.prove({next, step_ - claim.bound}, budget).verdict == Verdict::kDisproved) {
        found = move;
      }
    });
    return found;
  }

 private:
  static bool settled(const Bounds& bounds, const Bounds& window) {
    return bounds.exact() || bounds.lower >= window.upper || bounds.upper <= window.lower;
  }
  static void publish(const Bounds& bounds, SharedBounds& shared) {
    shared.lower.store(bounds.lower, std::memory_order_relaxed);
    shared.upper.store(bounds.upper, std::memory_order_relaxed);
  }

  const G& game_;
  P& prover_;
  int step_;
};

}  // namespace rlscout
