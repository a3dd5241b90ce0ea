// The witness moves of a proof are numbered by squares, whatever the layout of a game's bits.
#include "search/certificate.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "core/bits.h"
#include "tests/col.h"

namespace rlscout {
namespace {

using col::Col;

// Col with its bits from right to left.
class BackwardsCol : public Col {
 public:
  static constexpr int square(Move move) { return kSquares - 1 - move; }
  static constexpr Move move_at(int square) { return static_cast<Move>(kSquares - 1 - square); }
  static constexpr void pack(const Position& p, std::uint64_t* packed) { Col::pack(transform(p, 1), packed); }
  static constexpr Position unpack(const std::uint64_t* packed) { return transform(Col::unpack(packed), 1); }
  static constexpr void pack_moves(MoveSet moves, std::uint64_t* packed) { *packed = transform({moves, 0}, 1).own; }
};

static_assert(Game<BackwardsCol>);

// Tries every move by squares, and keeps nothing.
template <Game G>
struct Minimax {
  struct Known {
    Bounds bounds;
    int cost;
  };
  static std::optional<Known> known(const typename G::Position&) { return {}; }

  static Proof prove(const Claim<G>& claim, Budget&) {
    Proof proof{Verdict::kProved, claim.bound, kNoMove};
    if (claim.bound <= -1) return proof;
    for (int square = 0; square < G::kSquares; ++square) {
      const Move move = G::move_at(square);
      if (contains(G::legal(claim.position), move) && !wins(G::play(claim.position, move)))
        return {Verdict::kProved, 1, move};
    }
    return {Verdict::kDisproved, -1, kNoMove};
  }
  static bool wins(const typename G::Position& position) {
    bool found = false;
    for_each_bit(G::legal(position),
                 [&](int move) { found = found || !wins(G::play(position, static_cast<Move>(move))); });
    return found;
  }
};

template <Game G>
std::string certificate() {
  const G game;
  Minimax<G> prover;
  CertificateWalk<G, Minimax<G>> walk(game, prover, 0);
  const int score = prover.wins(game.initial()) ? 1 : -1;
  Budget budget;
  REQUIRE(walk.walk(game.initial(), {score, score}, budget) == Verdict::kProved);
  return certificate_file("col9", "last", "--------- X", {score, score}, 0, walk.witnesses());
}

TEST_CASE("a certificate does not tell in which layout its moves were found") {
  // crc32 80e8726d is what tests/unit/test_adding_a_game_to_the_checker.py checks.
  CHECK(certificate<Col>().find("crc32 80e8726d") != std::string::npos);
  CHECK(certificate<BackwardsCol>() == certificate<Col>());
}

}  // namespace
}  // namespace rlscout
