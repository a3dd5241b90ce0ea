#include "search/answer_cache.h"

#include <doctest/doctest.h>

#include <array>
#include <cstddef>
#include <cstdint>

#include "games/othello/othello.h"

using namespace rlscout;

namespace {

using Small = othello::Othello<4>;
using Policy = std::array<float, 16>;

Policy policy_of(float first) {
  Policy policy{};
  policy[0] = first, policy[15] = first + 0.5f;
  return policy;
}

}  // namespace

TEST_CASE("answers are kept for whole positions, the newest in each place") {
  const Small game;
  const auto start = game.initial();
  auto other = start;
  other.own ^= 1;
  AnswerCache<Small> cache(1, 16);  // one place for all
  CHECK(cache.keeps());
  CHECK(cache.find(start, game.key(start)).policy == nullptr);
  CHECK(cache.find(Small::Position{}, game.key(Small::Position{})).policy ==
        nullptr);  // the empty board is a position too
  cache.keep(start, game.key(start), policy_of(1.0f).data(), 0.25f);
  const auto known = cache.find(start, game.key(start));
  REQUIRE(known.policy != nullptr);
  CHECK(known.policy[0] == 1.0f);
  CHECK(known.policy[15] == 1.5f);
  CHECK(known.value == 0.25f);
  CHECK(cache.find(other, game.key(start)).policy == nullptr);  // the same hash is not enough
  cache.keep(other, game.key(other), policy_of(2.0f).data(), -1.0f);
  CHECK(cache.find(start, game.key(start)).policy == nullptr);
  CHECK(cache.find(other, game.key(other)).policy[0] == 2.0f);
  cache.forget();
  CHECK(cache.find(other, game.key(other)).policy == nullptr);
}

TEST_CASE("without places nothing is kept") { CHECK(!AnswerCache<Small>(0, 16).keeps()); }
