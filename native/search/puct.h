// One search tree: PUCT selection (Silver et al., "Mastering the game of Go without human knowledge", 2017), packed.
//
// A node holds its position and one 16-bit prior a move. What has been visited lives in *children*, kept in the order
// in which they were opened; since every unvisited move of a node is worth the same but for its prior, only the one
// with the greatest prior can be chosen next, and selection looks at the children and at that single move.
//
//   nodes_      | Node | priors of its moves | Node | priors | ...        offsets in words of 8 bytes
//   groups_     | 4 children | 4 children | ...                           one cache line a group; a node's groups
//   adjoin
//
// A pass is no node: where the opponent must pass, the child is the position after it, with the same side to move, and
// the reference to it carries kSameSide. A finished game is no node either: its child has kOver and its exact value.
//
// Walking down (start_walk, step) changes nothing but the walk; one leaf is under way at a time, so there is no virtual
// loss.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include "core/bits.h"
#include "core/game.h"
#include "core/value.h"
#include "search/prior.h"

namespace rlscout {

struct PuctOptions {
  float c_puct = 1.5f;
  float fpu = 0.2f;     // an unvisited child is valued this much below its parent's mean
  float margin = 0.0f;  // see value_of
};

struct RootMove {
  Move move;
  float prior;
  int visits;
  float value;  // mean, for the side to move at the root; 0 where not visited
};

template <Game G>
class Tree {
 public:
  using Position = typename G::Position;

  // Address space for `expected_nodes` nodes is set aside, so that arenas stay where they are; memory is taken as nodes come.
  Tree(const G& game, const PuctOptions& options, int expected_nodes) : game_(game), options_(options) {
    const auto expected = static_cast<std::size_t>(std::min(expected_nodes, kMostReserved));
    nodes_.reserve(expected * node_bytes(static_cast<std::size_t>(game.columns() * game.rows())));
    groups_.reserve(expected + expected / 4 + 1);
    path_.resize(static_cast<std::size_t>(game.max_plies()) + 1);
    clear();
  }

  // Forgets everything; the next leaf is `root`, where a move must be due.
  void reset(const Position& root) {
    clear();
    root_position_ = root;
  }

  bool has_root() const { return root_visits_ > 0; }
  const Position& root_position() const { return root_position_; }
  // Walks that have gone through the root's children.
  int simulations() const { return std::max(root_visits_ - 1, 0); }
  // Mean of all evaluations, for the side to move at the root.
  float root_value() const { return root_value_; }
  std::size_t nodes() const { return node_count_; }
  std::size_t bytes() const {
    return nodes_.size() + groups_.size() * sizeof(Group) + path_.size() * sizeof(path_[0]) + sizeof(*this);
  }

  void start_walk() {
    depth_ = 0;
    walk_ = {root_, root_visits_, root_value_};
    if (!has_root()) leaf_ = {root_position_, game_.legal(root_position_), Phase::kMove, 0.0f, false, true, 0, kPass};
  }

  // One ply down. False when the walk has ended: leaf() is new or a finished game.
  bool step() {
    if (walk_.visits == 0) return false;  // the root itself is the leaf
    const Node& node = node_at(walk_.node);
    // The paper's U(s, a) = c P(s, a) sqrt(sum of N(s, b)) / (1 + N(s, a)).
    const float scale = options_.c_puct * std::sqrt(static_cast<float>(walk_.visits - 1));
    const Choice best = best_child(node, scale);
    if (node.opened < node.moves) {
      const float fresh = walk_.value - options_.fpu + scale * decode_prior(node.next_prior);
      if (node.opened == 0 || fresh > best.score) return open_leaf(node);
    }
    const std::uint32_t child = 4 * node.groups + static_cast<std::uint32_t>(best.index);
    const std::uint32_t reference = node_of(child);
    path_[depth_++] = child | (reference & kSameSide);
    if (reference == kOver) {
      leaf_.phase = Phase::kOver;
      leaf_.fresh = false;
      leaf_.value = -value_at(child);
      return false;
    }
    walk_ = {reference & ~kSameSide, visits_of(child), (reference & kSameSide) ? value_at(child) : -value_at(child)};
    return true;
  }

  // Asks for the next step's memory ahead of time, while other trees are served.
  void prefetch() const {
    if (!has_root()) return;
    const std::byte* node = &nodes_[8 * std::size_t{walk_.node}];
    __builtin_prefetch(node);
    __builtin_prefetch(node + sizeof(Node) - 1);  // it may straddle two lines
  }
  void prefetch_children() const {
    if (!has_root()) return;
    const Node& node = node_at(walk_.node);
    const Group* group = &groups_[node.groups];
    for (int left = node.opened; left > 0; left -= 4) __builtin_prefetch(group++);
  }

  // Where the walk ended.
  bool leaf_is_over() const { return leaf_.phase == Phase::kOver; }
  float leaf_value() const { return leaf_.value; }  // of a finished game, for its side to move
  const Position& leaf_position() const { return leaf_.position; }
  const typename G::MoveSet& leaf_moves() const { return leaf_.moves; }
  bool leaf_is_root() const { return !has_root(); }

  // Adds the leaf with its priors, in order of leaf_moves() and summing to 1; none: the uniform prior.
  void expand(std::span<const float> priors) {
    const std::uint32_t fresh = add_node(leaf_.position, static_cast<int>(count(leaf_.moves)), priors);
    if (leaf_is_root())
      root_ = fresh;
    else
      add_child(fresh | (leaf_.same_side ? kSameSide : 0));
  }

  // Adds the value of the leaf (for its side to move) to every mean on the way up.
  void back_up(float value) {
    for (int ply = depth_ - 1; ply >= 0; --ply) {
      const std::uint32_t step = path_[ply], child = step & ~kSameSide;
      if (!(step & kSameSide)) value = -value;
      Group& group = groups_[child / 4];
      const int visits = ++group.visits[child % 4];
      group.value[child % 4] += (value - group.value[child % 4]) / static_cast<float>(visits);
      // The value is now that of the side to move at the parent.
    }
    ++root_visits_;
    root_value_ += (value - root_value_) / static_cast<float>(root_visits_);
  }

  // A finished game met for the first time becomes a child; then its exact value is backed up.
  void back_up_finished() {
    if (leaf_.fresh) add_child(kOver);
    back_up(leaf_.value);
  }

  // Replaces the root's priors by (1 - weight) * prior + weight * noise, noise in order of the legal moves.
  void mix_root_priors(std::span<const float> noise, float weight) {
    std::vector<float> priors;
    for (const RootMove& move : root_moves())
      priors.push_back((1.0f - weight) * move.prior + weight * noise[priors.size()]);
    const Node before = node_at(root_);
    root_ = add_node(before.position, before.moves, priors);
    --node_count_;  // it takes the place of the old root
    Node& root = node_at(root_);
    root.groups = before.groups;
    root.opened = before.opened;
    root.capacity = before.capacity;
    PriorCode* code = priors_of(root);
    for_each_bit(game_.legal(root.position), [&](int move) {
      if (const std::uint32_t child = root_child(static_cast<Move>(move)); child != 0)
        groups_[child / 4].prior[child % 4] = std::exchange(*code, kTaken);
      ++code;
    });
    find_next(root);
  }

  // The legal moves of the root, in order.
  std::vector<RootMove> root_moves() const {
    std::vector<RootMove> moves;
    const Node& root = node_at(root_);
    for_each_bit(game_.legal(root.position), [&](int bit) {
      const Move move = static_cast<Move>(bit);
      if (const std::uint32_t child = root_child(move); child != 0)
        moves.push_back({move, decode_prior(groups_[child / 4].prior[child % 4]), visits_of(child), value_at(child)});
      else
        moves.push_back({move, decode_prior(root.uniform ? root.next_prior : priors_of(root)[moves.size()]), 0, 0.0f});
    });
    return moves;
  }

  // Makes the child `move` the root, keeping its subtree, which is copied through `scratch`; `next` is the position
  // after the move (and a pass). Without such a child the tree starts anew.
  void advance(Move move, const Position& next, Tree& scratch) {
    const std::uint32_t child = has_root() ? root_child(move) : 0;
    if (child == 0 || node_of(child) == kOver) return reset(next);
    scratch.reset(next);
    const std::uint32_t reference = node_of(child);
    scratch.root_visits_ = visits_of(child);
    scratch.root_value_ = (reference & kSameSide) ? value_at(child) : -value_at(child);
    scratch.root_ = scratch.copy_subtree(*this, reference & ~kSameSide);
    swap_contents(scratch);
  }

 private:
  static constexpr std::uint32_t kSameSide = std::uint32_t{1} << 31;
  static constexpr std::uint32_t kOver = kSameSide - 1;
  static constexpr int kMostReserved = 1 << 14;  // nodes
  static constexpr int kClasses = 7;             // blocks of 1, 2, 4, ... 64 groups

  struct Node {
    Position position;
    std::uint32_t groups;   // first group of its children
    PriorCode next_prior;   // the greatest prior without a child
    std::uint8_t next;      // and its index among the legal moves
    std::uint8_t moves;     // legal ones
    std::uint8_t opened;    // children
    std::uint8_t capacity;  // class of its block of groups plus one; 0: none
    bool uniform;           // no priors are stored: all are next_prior, and moves are opened in order
  };
  struct alignas(64) Group {
    float value[4];  // mean, for the side to move at the parent; -infinity where there is no child
    std::int32_t visits[4];
    PriorCode prior[4];
    Move move[4];
    std::uint32_t node[4];  // offset with kSameSide, or kOver
  };
  static_assert(sizeof(Group) == 64);
  struct Walk {
    std::uint32_t node;
    std::int32_t visits;
    float value;  // mean, for the side to move
  };
  struct Leaf {
    Position position;
    typename G::MoveSet moves;
    Phase phase;
    float value;
    bool same_side;  // as at the parent: the opponent passed
    bool fresh;      // not in the tree yet
    std::uint32_t parent;
    Move move;
  };
  struct Choice {
    float score;
    int index;
  };
  using Floats = float __attribute__((vector_size(16)));
  using Ints = std::int32_t __attribute__((vector_size(16)));
  using Codes = PriorCode __attribute__((vector_size(8)));
  using Words4 = std::uint32_t __attribute__((vector_size(16)));

  Node& node_at(std::uint32_t offset) {
    return *std::launder(reinterpret_cast<Node*>(&nodes_[8 * std::size_t{offset}]));
  }
  const Node& node_at(std::uint32_t offset) const {
    return *std::launder(reinterpret_cast<const Node*>(&nodes_[8 * std::size_t{offset}]));
  }
  static PriorCode* priors_of(Node& node) { return reinterpret_cast<PriorCode*>(&node + 1); }
  static const PriorCode* priors_of(const Node& node) { return reinterpret_cast<const PriorCode*>(&node + 1); }
  float value_at(std::uint32_t child) const { return groups_[child / 4].value[child % 4]; }
  int visits_of(std::uint32_t child) const { return groups_[child / 4].visits[child % 4]; }
  Move move_of(std::uint32_t child) const { return groups_[child / 4].move[child % 4]; }
  std::uint32_t node_of(std::uint32_t child) const { return groups_[child / 4].node[child % 4]; }

  // Of a node with its priors, which are padded with kTaken to whole vectors.
  static std::size_t node_bytes(std::size_t priors) { return sizeof(Node) + (priors + 3) / 4 * 4 * sizeof(PriorCode); }

  // Room for more at the end of an arena; beyond what was set aside it grows by an eighth.
  template <class T>
  static void extend(std::vector<T>& arena, std::size_t more) {
    const std::size_t size = arena.size() + more;
    if (size > arena.capacity()) arena.reserve(size + size / 8);
    arena.resize(size);
  }

  // The root's child by this move; 0: none yet.
  std::uint32_t root_child(Move move) const {
    const Node& root = node_at(root_);
    for (std::uint32_t child = 4 * root.groups; child < 4 * root.groups + root.opened; ++child)
      if (move_of(child) == move) return child;
    return 0;
  }

  void clear() {
    nodes_.clear();
    groups_.resize(1);  // group 0 is nobody's: child 0 means none
    std::fill(std::begin(free_blocks_), std::end(free_blocks_), 0u);
    root_visits_ = 0;
    root_value_ = 0.0f;
    node_count_ = 0;
    depth_ = 0;
  }

  // The child with the greatest mean + scale * prior / (1 + visits); of equals, the one opened first. Four at a time.
  Choice best_child(const Node& node, float scale) const {
    constexpr float kNone = -std::numeric_limits<float>::infinity();
    Floats best = {kNone, kNone, kNone, kNone};
    Ints best_index = {}, index = {0, 1, 2, 3};
    const Group* group = &groups_[node.groups];
    for (int left = node.opened; left > 0; left -= 4, ++group, index += 4) {
      Floats value;
      Ints visits;
      Codes codes;
      __builtin_memcpy(&value, group->value, sizeof(value));
      __builtin_memcpy(&visits, group->visits, sizeof(visits));
      __builtin_memcpy(&codes, group->prior, sizeof(codes));
      const Ints bits = (__builtin_convertvector(codes, Ints) + kPriorBias) << kPriorDroppedBits;
      const Floats score = value + scale * std::bit_cast<Floats>(bits) / __builtin_convertvector(visits + 1, Floats);
      const Ints better = score > best;
      best = better ? score : best;
      best_index = better ? index : best_index;
    }
    const auto across = [](Floats a, Floats b) { return a > b ? a : b; };
    Floats most = across(best, __builtin_shufflevector(best, best, 2, 3, 0, 1));
    most = across(most, __builtin_shufflevector(most, most, 1, 0, 3, 2));
    constexpr int kLast = std::numeric_limits<int>::max();
    Ints first = best == most ? best_index : Ints{kLast, kLast, kLast, kLast};
    const auto least = [](Ints a, Ints b) { return a < b ? a : b; };
    first = least(first, __builtin_shufflevector(first, first, 2, 3, 0, 1));
    first = least(first, __builtin_shufflevector(first, first, 1, 0, 3, 2));
    return {most[0], first[0]};
  }

  bool open_leaf(const Node& node) {
    leaf_.parent = walk_.node;
    leaf_.fresh = true;
    leaf_.move = static_cast<Move>(nth(game_.legal(node.position), node.next));
    leaf_.position = game_.play(node.position, leaf_.move);
    leaf_.moves = game_.legal(leaf_.position);
    leaf_.same_side = false;
    leaf_.phase = Phase::kMove;
    if (any(leaf_.moves)) return false;
    leaf_.phase = game_.phase(leaf_.position);
    if (leaf_.phase == Phase::kPass) {
      leaf_.position = game_.play(leaf_.position, kPass);
      leaf_.moves = game_.legal(leaf_.position);
      leaf_.same_side = true;
    } else {
      leaf_.value = value_of(game_.score(leaf_.position), game_.max_score(), options_.margin);
    }
    return false;
  }

  std::uint32_t add_node(const Position& position, int moves, std::span<const float> priors) {
    const std::size_t offset = nodes_.size();
    extend(nodes_, node_bytes(priors.size()));
    Node& node = *new (&nodes_[offset]) Node{
        position,      0, encode_prior(1.0f / static_cast<float>(moves)), 0, static_cast<std::uint8_t>(moves), 0, 0,
        priors.empty()};
    if (!priors.empty()) {
      store_priors(node, priors);
      find_next(node);
    }
    ++node_count_;
    return static_cast<std::uint32_t>(offset / 8);
  }

  // Stores the priors of a new node, four at a time.
  static void store_priors(Node& node, std::span<const float> priors) {
    PriorCode* to = priors_of(node);
    const int moves = node.moves;
    for (int i = 0; i < moves; i += 4, to += 4) {
      Floats prior = {};
      for (int lane = 0; lane < 4; ++lane)
        if (i + lane < moves) prior[lane] = priors[static_cast<std::size_t>(i + lane)];
      Codes codes;
      for (int lane = 0; lane < 4; ++lane) codes[lane] = i + lane < moves ? encode_prior(prior[lane]) : kTaken;
      __builtin_memcpy(to, &codes, sizeof(codes));
    }
  }

  // Finds the greatest prior without a child; of equals, the first. `taken` is the index of one that counts no more, or -1.
  // Each is compared as one word: its code above, the complement of its index below.
  static void find_next(Node& node, int taken = -1) {
    const PriorCode* priors = priors_of(node);
    Words4 best = {}, complement = {0xffff, 0xfffe, 0xfffd, 0xfffc};
    const std::uint32_t without = 0xffffu - static_cast<std::uint32_t>(taken);
    for (int left = node.moves; left > 0; left -= 4, priors += 4, complement -= 4) {
      Codes codes;
      __builtin_memcpy(&codes, priors, sizeof(codes));
      Words4 word = __builtin_convertvector(codes, Words4) << 16 | complement;
      word = complement == without ? Words4{} : word;
      best = word > best ? word : best;
    }
    const auto across = [](Words4 x, Words4 y) { return x > y ? x : y; };
    best = across(best, __builtin_shufflevector(best, best, 2, 3, 0, 1));
    best = across(best, __builtin_shufflevector(best, best, 1, 0, 3, 2));
    node.next_prior = static_cast<PriorCode>(best[0] >> 16);
    node.next = static_cast<std::uint8_t>(0xffffu - (best[0] & 0xffffu));
    if (taken >= 0) priors_of(node)[taken] = kTaken;
  }

  // Opens the walk's leaf as a child of its parent and ends the path there.
  void add_child(std::uint32_t reference) {
    Node& parent = node_at(leaf_.parent);
    if (parent.capacity == 0 || parent.opened == 4 << (parent.capacity - 1)) grow_children(parent);
    const std::uint32_t child = 4 * parent.groups + parent.opened++;
    Group& group = groups_[child / 4];
    group.value[child % 4] = 0.0f;
    group.visits[child % 4] = 0;
    group.prior[child % 4] = parent.next_prior;
    group.move[child % 4] = leaf_.move;
    group.node[child % 4] = reference;
    if (parent.uniform) {
      ++parent.next;
    } else {
      find_next(parent, parent.next);
    }
    path_[depth_++] = child | (reference & kSameSide);
  }

  void grow_children(Node& parent) {
    const std::uint32_t block = new_block(parent.capacity);
    if (parent.capacity > 0) {
      const int size = 1 << (parent.capacity - 1);
      std::copy_n(&groups_[parent.groups], size, &groups_[block]);
      groups_[parent.groups].node[0] = free_blocks_[parent.capacity - 1];
      free_blocks_[parent.capacity - 1] = parent.groups;
    }
    parent.groups = block;
    ++parent.capacity;
  }

  // A block of 2^size_class groups without children.
  std::uint32_t new_block(int size_class) {
    static constexpr float kNone = -std::numeric_limits<float>::infinity();
    std::uint32_t block = free_blocks_[size_class];
    const std::size_t size = std::size_t{1} << size_class;
    if (block != 0) {
      free_blocks_[size_class] = groups_[block].node[0];
    } else {
      block = static_cast<std::uint32_t>(groups_.size());
      extend(groups_, size);
    }
    std::fill_n(&groups_[block], size, Group{{kNone, kNone, kNone, kNone}, {}, {}, {}, {}});
    return block;
  }

  std::uint32_t copy_subtree(const Tree& from, std::uint32_t offset) {
    const Node& node = from.node_at(offset);
    const std::size_t bytes = node_bytes(node.uniform ? 0 : node.moves);
    const std::size_t copy = nodes_.size();
    extend(nodes_, bytes);
    std::copy_n(&from.nodes_[8 * std::size_t{offset}], bytes, &nodes_[copy]);
    ++node_count_;
    const auto copied = static_cast<std::uint32_t>(copy / 8);
    if (node.capacity == 0) return copied;
    const std::uint32_t block = new_block(node.capacity - 1);
    std::copy_n(&from.groups_[node.groups], (node.opened + 3) / 4, &groups_[block]);
    node_at(copied).groups = block;
    for (std::uint32_t child = 4 * block; child < 4 * block + node.opened; ++child) {
      const std::uint32_t reference = node_of(child);
      if (reference == kOver) continue;
      const std::uint32_t moved = copy_subtree(from, reference & ~kSameSide);
      groups_[child / 4].node[child % 4] = moved | (reference & kSameSide);
    }
    return copied;
  }

  void swap_contents(Tree& other) {
    nodes_.swap(other.nodes_);
    groups_.swap(other.groups_);
    std::swap(free_blocks_, other.free_blocks_);
    std::swap(root_position_, other.root_position_);
    std::swap(root_, other.root_);
    std::swap(root_visits_, other.root_visits_);
    std::swap(root_value_, other.root_value_);
    std::swap(node_count_, other.node_count_);
  }

  const G& game_;
  const PuctOptions options_;
  std::vector<std::byte> nodes_;
  std::vector<Group> groups_;
  std::uint32_t free_blocks_[kClasses];
  Position root_position_{};
  std::uint32_t root_ = 0;
  std::int32_t root_visits_ = 0;
  float root_value_ = 0.0f;
  std::size_t node_count_ = 0;
  std::vector<std::uint32_t> path_;
  int depth_ = 0;
  Walk walk_{};
  Leaf leaf_{};
};

}  // namespace rlscout
