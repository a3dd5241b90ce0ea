// Which positions near the root will want hints soon: a proof stops where the first one is missing, and asking for one alone
// would cost a round trip each. This walks the proof as it is likely to go (every reply where a claim is expected to fail, the
// best undecided one where it is expected to hold) and gathers a batch.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>
#include <set>
#include <vector>

#include "core/game.h"
#include "search/claim.h"
#include "search/hints.h"
#include "search/search_traits.h"

namespace rlscout {

// `known(position)` answers a std::optional with member `bounds`: what the table holds.
template <Game G, class Known>
class WantedWalk {
  using Traits = SearchTraits<G>;
  using Node = typename Traits::Node;

 public:
  using Position = typename G::Position;

  WantedWalk(const G& game, Traits& traits, const HintMap<G>& hints, Known known, int hint_ply)
      : game_(game), traits_(traits), hints_(hints), known_(known), hint_ply_(hint_ply) {}

  // Canonical positions without hints, `missing` first.
  std::vector<Position> collect(const Claim<G>& root, const Position& missing) {
    add(missing);
    for (const bool holds : {true, false}) walk(traits_.node(root.position), root.bound, 0, holds, kBlindPlies);
    return found_;
  }

 private:
  static constexpr std::size_t kBatch = 1024;
  static constexpr int kVisits = 50'000;
  static constexpr int kBlindPlies = 2;  // how far to look ahead by static order, below positions without hints

  void walk(const Node& node, int bound, int ply, bool holds, int blind) {
    if (ply > hint_ply_ || found_.size() >= kBatch || ++visits_ > kVisits) return;
    const Phase phase = traits_.phase(node);
    const int reply_bound = traits_.score_step() - bound;
    if (phase == Phase::kOver) return;
    if (phase == Phase::kPass) return walk(traits_.pass(node), reply_bound, ply + 1, !holds, blind);
    if (decided(node.position, bound) != Verdict::kUnknown) return;
    typename Traits::ChildList children;
    Counters ignored;
    const Bounds rule = traits_.expand(node, bound, children);
    if (rule.lower >= bound || rule.upper < bound) return;
    order(traits_, node, bound, children, ignored);
    refine(traits_, node, bound, children, ignored);
    if (children.size > 1 && !hints_.order(node.position, children, bound, order_bit(traits_, traits_.empties(node)))) {
      add(node.position);
      if (--blind < 0) return;
    }
    std::vector<int> ranked(static_cast<std::size_t>(children.size));
    std::iota(ranked.begin(), ranked.end(), 0);
    std::stable_sort(ranked.begin(), ranked.end(), [&](int a, int b) {
      return children.items[static_cast<std::size_t>(a)].order > children.items[static_cast<std::size_t>(b)].order;
    });
    for (const int i : ranked) {
      const Node& child = children.items[static_cast<std::size_t>(i)].node;
      if (decided(child.position, reply_bound) != Verdict::kUnknown) continue;
      walk(child, reply_bound, ply + 1, !holds, blind);
      if (holds) break;
    }
  }

  Verdict decided(const Position& position, int bound) const {
    const auto entry = known_(position);
    if (!entry) return Verdict::kUnknown;
    return entry->bounds.lower >= bound  ? Verdict::kProved
           : entry->bounds.upper < bound ? Verdict::kDisproved
                                         : Verdict::kUnknown;
  }

  void add(const Position& position) {
    const Position least = canonical(game_, position).position;
    if (seen_.insert(least).second) found_.push_back(least);
  }

  const G& game_;
  Traits& traits_;
  const HintMap<G>& hints_;
  Known known_;
  int hint_ply_;
  int visits_ = 0;
  std::set<Position> seen_;
  std::vector<Position> found_;
};

}  // namespace rlscout
