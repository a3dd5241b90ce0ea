// The one currency of exact search: a claim about a position, and what became of it.
#pragma once

#include <concepts>

#include "core/game.h"
#include "search/limits.h"

namespace rlscout {

// score(position) >= bound, for the side to move.
template <Game G>
struct Claim {
  typename G::Position position;
  int bound;
};

inline constexpr Move kNoMove = -2;

enum class Verdict : std::uint8_t {
  kUnknown,    // a limit was met
  kProved,     // score >= bound
  kDisproved,  // score < bound
};

struct Bounds {
  int lower, upper;  // lower <= score <= upper is proven
  bool exact() const { return lower == upper; }
  friend bool operator==(const Bounds&, const Bounds&) = default;
};

// A verdict and what was proven on the way.
//   kProved:     score >= score_bound, which is >= the claim's bound, and `move` reaches it (kPass where the side must pass,
//                kNoMove where the position is over or the bound follows from a rule alone)
//   kDisproved:  score <= score_bound, which is < the claim's bound; `move` means nothing
struct Proof {
  Verdict verdict = Verdict::kUnknown;
  int score_bound = 0;
  Move move = kNoMove;
};

template <class P, class G>
concept Prover = requires(P& prover, const Claim<G>& claim, Budget& budget) {
  { prover.prove(claim, budget) } -> std::same_as<Proof>;
};

}  // namespace rlscout
