// What Col tells the search: its moves in any order, and no bounds but those of every score. The least that a game can say.
#pragma once

#include <cstddef>

#include "core/bits.h"
#include "search/search_traits.h"
#include "tests/col.h"

namespace rlscout {

template <>
class SearchTraits<col::Col> {
  using Col = col::Col;

 public:
  struct Node {
    Col::Position position;
  };
  using ChildList = Children<Node, Col::kSquares>;
  struct Knowledge {};  // nothing is learned

  static constexpr int kLeafEmpties = 0;      // no leaf routine
  static constexpr int kLocalEmpties = 0;     // all bounds are in the shared table
  static constexpr int kEnhancedEmpties = 1;  // replies are probed before they are searched
  static constexpr int kKeyWords = 1;

  explicit SearchTraits(const Col&, Knowledge = {}) {}

  static Node node(const Col::Position& position) { return {position}; }
  static Node pass(const Node& node) { return node; }  // there is no pass
  static Phase phase(const Node& node) { return Col::phase(node.position); }
  static int empties(const Node& node) { return Col::empties(node.position); }
  static int score_step() { return 2; }     // -1 or 1
  static int fold_empties() { return 0; }   // images are folded everywhere
  static int split_empties() { return 6; }  // smaller subtrees are not worth a thread

  // The low kDataBits of the last word belong to the table.
  static TableKey<kKeyWords> table_key(const Col::Position& p) {
    return {(p.own | p.opponent << Col::kSquares) << kDataBits};
  }

  static Bounds expand(const Node& node, int, ChildList& children) {
    children.size = 0;
    for_each_bit(Col::legal(node.position), [&](int square) {
      const auto move = static_cast<Move>(square);
      children.items[static_cast<std::size_t>(children.size++)] = {{Col::play(node.position, move)}, move, 0};
    });
    return {-1, 1};
  }

  static int leaf(const Node& node, int, Counters& counters) {  // a full strip
    ++counters.nodes;
    return Col::score(node.position);
  }
};

}  // namespace rlscout
