// SearchTraits<Game>: what a game may tell the generic search. Nothing here can change a score: order costs time only, and
// every bound is proven by the rules of the game.
//
// A traits object belongs to one thread and may hold scratch memory. Scores of a game are multiples of score_step() on every
// line of play from positions of the same parity, so that claims move in that step.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>

#include "core/game.h"
#include "search/claim.h"

namespace rlscout {

// What the search counts. Nodes are positions entered, by the search or by a leaf routine; static evaluations of positions
// that were only looked at to order moves are counted apart.
struct Counters {
  std::uint64_t nodes = 0;
  std::uint64_t evaluations = 0;
};

template <class Node>
struct Child {
  Node node;
  Move move;
  std::int32_t order;  // the highest is tried first
};

template <class Node, int kCapacity>
struct Children {
  int size = 0;
  union {  // leaves the items as they are: a list is made at every node
    std::array<Child<Node>, kCapacity> items;
  };
  Children() {}
};

// A position in the words of a table entry: equal words mean equal positions, for one game. The low kDataBits bits of the last word are zero:
// the table keeps its data there.
template <int kWords>
using TableKey = std::array<std::uint64_t, kWords>;
inline constexpr int kDataBits = 36;

template <class T, class G>
concept SearchTraitsOf =
    std::constructible_from<T, const G&, const typename T::Knowledge&> &&  // what was learned; none by default
    requires(T traits, const T& fixed, const typename G::Position& position, const typename T::Node& node, int bound,
             Counters& counters, typename T::ChildList& children) {
      // The position and what its parent has found out about it; has a member `position`.
      requires std::same_as<std::remove_cvref_t<decltype(node.position)>, typename G::Position>;
      { fixed.node(position) } -> std::same_as<typename T::Node>;
      { fixed.pass(node) } -> std::same_as<typename T::Node>;
      { fixed.phase(node) } -> std::same_as<Phase>;
      { fixed.empties(node) } -> std::same_as<int>;
      { fixed.score_step() } -> std::same_as<int>;
      { fixed.table_key(position) } -> std::same_as<TableKey<T::kKeyWords>>;
      // Positions with at most kLeafEmpties empties are solved by leaf(), those with at most kLocalEmpties keep their bounds in
      // small tables of the thread, the others in the shared table. Replies are probed before they are searched (enhanced
      // transposition cut-off) from kEnhancedEmpties up. Positions with at least fold_empties() are folded by symmetry, and
      // subtrees of at least split_empties() may be shared between threads.
      { T::kLeafEmpties } -> std::convertible_to<int>;
      { T::kLocalEmpties } -> std::convertible_to<int>;
      { T::kEnhancedEmpties } -> std::convertible_to<int>;
      { fixed.fold_empties() } -> std::same_as<int>;
      { fixed.split_empties() } -> std::same_as<int>;
      // In phase kMove. Bounds of the score by rule, asked with the claim `score >= bound` in mind; where they do not decide
      // it, also the children: every legal move, or such a choice that the best of them settles the claim as all would.
      // Their order comes with them, or from order() and refine(), which traits may have besides.
      { traits.expand(node, bound, children) } -> std::same_as<Bounds>;
      // With at most kLeafEmpties empties: a bound v as the search returns it (v >= bound: score >= v; else score <= v).
      { traits.leaf(node, bound, counters) } -> std::same_as<int>;
    };

// Specialised in the folder of each game.
template <Game G>
class SearchTraits;

// The order of the children of a node, where expand() left it open; it may take a little time.
template <class Traits, class Node, class ChildList>
void order(Traits& traits, const Node& node, int bound, ChildList& children, Counters& counters) {
  if constexpr (requires { traits.order(node, bound, children, counters); })
    traits.order(node, bound, children, counters);
}

// A better order, which may take long: asked for what is left of the children once those are gone that the tables know.
template <class Traits, class Node, class ChildList>
void refine(Traits& traits, const Node& node, int bound, ChildList& children, Counters& counters) {
  if constexpr (requires { traits.refine(node, bound, children, counters); })
    traits.refine(node, bound, children, counters);
}

// What one bit of search cost is in the order of the children of a node; 0 where that order is no cost, as in
// games whose traits do not say.
template <class Traits>
int order_bit(const Traits& traits, int empties) {
  if constexpr (requires { traits.order_bit(empties); })
    return traits.order_bit(empties);
  else
    return 0;
}

// How many replies are searched before the others are shared between threads: one, more where the traits expect that it does not
// come to that.
template <class Traits, class Node>
int replies_before_split(const Traits& traits, const Node& node, int bound) {
  if constexpr (requires { traits.replies_before_split(node, bound); })
    return traits.replies_before_split(node, bound);
  else
    return 1;
}

}  // namespace rlscout
