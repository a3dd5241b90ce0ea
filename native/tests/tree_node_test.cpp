#include "search/tree_node.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <new>
#include <numeric>
#include <vector>

#include "core/random.h"

using namespace rlscout;

namespace {

using Node = TreeNode<std::uint64_t>;

// Coarse, so that many are alike.
std::vector<float> drawn_priors(Random& random, int moves) {
  std::vector<float> priors;
  for (int move = 0; move < moves; ++move) priors.push_back(static_cast<float>(random.below(8)) / 8.0f);
  return priors;
}

}  // namespace

TEST_CASE("moves are opened by falling priors, of equals the first") {
  Random random(1);
  for (int moves = 1; moves <= 33; ++moves) {
    const std::vector<float> priors = drawn_priors(random, moves);
    std::vector<std::byte> memory(Node::quarters(priors.size()) * Arena::kQuarter);
    Node& node = *new (memory.data()) Node{0, kTaken, 0, static_cast<std::uint8_t>(moves), {}};
    node.store_priors(priors);
    std::vector<int> expected(priors.size());
    std::iota(expected.begin(), expected.end(), 0);
    std::ranges::stable_sort(expected, [&](int a, int b) { return priors[a] > priors[b]; });
    NextMove next{node.next_prior, node.next};
    for (const int move : expected) {
      CHECK(next.index == move);
      CHECK(next.prior == encode_prior(priors[move]));
      next = node.next_move(next.index);
    }
    CHECK(next.prior == kTaken);
  }
}

TEST_CASE("the best child is that of the formula, of equals the first, and never the header") {
  Random random(2);
  for (int opened = 1; opened <= 30; ++opened) {
    std::vector<ChildGroup> groups(static_cast<std::size_t>(opened) / 4 + 1, ChildGroup::without_children());
    groups[0].set_header({static_cast<std::uint8_t>(opened), 0, 60, 3}, {encode_prior(1.0f), 7});
    CHECK(groups[0].header().opened == opened);
    CHECK(groups[0].header().next == 7);
    const float scale = 1.5f;
    int best = 0;
    float most = 0.0f;
    for (int child = 1; child <= opened; ++child) {
      ChildGroup& group = groups[static_cast<std::size_t>(child) / 4];
      group.value[child % 4] = static_cast<float>(random.below(4)) / 4.0f;
      group.visits[child % 4] = static_cast<std::int32_t>(random.below(3));
      group.prior[child % 4] = encode_prior(static_cast<float>(random.below(4)) / 4.0f);
      const float score = group.value[child % 4] + scale * decode_prior(group.prior[child % 4]) /
                                                       static_cast<float>(group.visits[child % 4] + 1);
      if (best == 0 || score > most) best = child, most = score;
    }
    const BestChild found = best_child(groups.data(), opened, scale);
    CHECK(found.index == best);
    CHECK(found.score == most);
  }
}
