#include "search/hints.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>
#include <vector>

#include "games/othello/search_traits.h"

using namespace rlscout;

namespace {

using Board = othello::Othello<6>;
using Traits = SearchTraits<Board>;

// The start, its children, and hints of both.
struct Start {
  Board game;
  Traits traits{game};
  Traits::Node root = traits.node(game.initial());
  Traits::ChildList children;
  HintMap<Board> hints{game};

  Start() { traits.expand(root, 0, children); }

  void hint(const Traits::Node& node, float value) {
    const std::vector<float> policy(36, 1.0f / 36);
    hints.add(node.position, policy.data(), value);
  }
  std::int32_t order_of_first(int bound, int bit) {
    for (int i = 0; i < children.size; ++i) children.items[static_cast<std::size_t>(i)].order = -100;
    REQUIRE(hints.order(root.position, children, bound, bit));
    return children.items[0].order;
  }
};

}  // namespace

TEST_CASE("the chance of a claim: about half where it is to win and nothing is known, more for less, less for more") {
  const HintMap<Board> hints{Board{}};
  CHECK(hints.chance(0.0f, 1) < 0.5f);
  CHECK(hints.chance(0.0f, 0) > 0.5f);
  CHECK(hints.chance(0.0f, 1) + hints.chance(0.0f, 0) == doctest::Approx(1.0));
  for (const float value : {-1.0f, -0.7f, 0.0f, 0.4f, 1.0f})
    for (int bound = -36; bound < 36; ++bound) {
      CHECK(hints.chance(value, bound) >= hints.chance(value, bound + 1));
      CHECK(hints.chance(value, bound) <= hints.chance(std::min(value + 0.1f, 1.0f), bound));
      CHECK(hints.chance(value, bound) >= 0.02f);
      CHECK(hints.chance(value, bound) <= 1.0f);
    }
}

TEST_CASE("a child costs more the less likely it proves the claim") {
  Start start;
  CHECK(!start.hints.order(start.root.position, start.children, 0, 100));
  start.hint(start.root, 0.0f);
  start.hint(start.children.items[0].node, -0.5f);  // good for the side to move at the root
  CHECK(start.order_of_first(4, 100) > start.order_of_first(12, 100));
  CHECK(start.order_of_first(-36, 100) > -102);
  CHECK(start.order_of_first(36, 100) < -300);
}

TEST_CASE("without a cost the order is that of the values, whatever the claim; what is no number orders nothing") {
  Start start;
  start.hint(start.root, 0.0f);
  start.hint(start.children.items[0].node, -0.5f);
  CHECK(start.order_of_first(12, 0) > 400'000);
  CHECK(start.order_of_first(12, 0) == start.order_of_first(-12, 0));
  start.hint(start.children.items[0].node, std::numeric_limits<float>::quiet_NaN());
  CHECK(start.order_of_first(0, 0) == 0);
  CHECK(start.order_of_first(0, 100) == -100);
}
