// One search tree: PUCT selection (Silver et al., "Mastering the game of Go without human knowledge", 2017), packed.
//
// A node holds its position and one 16-bit prior a move. What has been visited lives in *children*, kept in the order
// in which they were opened; since every unvisited move of a node is worth the same but for its prior, only the one
// with the greatest prior can be chosen next, and selection looks at the children and at that single move.
//
// How both lie in memory: tree_node.h. What leads to a node is the place of its first group, or of the node itself where
// it has no children (it was visited once). A walk passes through groups alone, and reads a node only to open one of its
// moves. A chunk of memory fills from below by whole lines, and from above by nodes that take more than one, or half of one.
//
// A pass is no node: where the opponent must pass, the child is the position after it, with the same side to move, and
// the reference to it carries kSameSide. A finished game is no node either: its child has kOver and its exact value.
//
// Walking down (start_walk, step) changes no mean and no count; it ends with the leaf as a child without visits, of no node yet.
// One leaf is under way at a time, so there is no virtual loss.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <new>
#include <span>
#include <utility>
#include <vector>

#include "core/arena.h"
#include "core/bits.h"
#include "core/game.h"
#include "core/prefetch.h"
#include "core/value.h"
#include "search/prior.h"
#include "search/tree_node.h"

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
class alignas(64) Tree {
 public:
  using Position = typename G::Position;

  // Its memory comes from the arena, where the chunks stay its own until it forgets them.
  Tree(const G& game, const PuctOptions& options, Arena& arena) : game_(game), arena_(arena), options_(options) {
    far_path_.resize(static_cast<std::size_t>(std::max(game.max_plies() + 1 - kNear, 0)));
    clear();
  }

  // Lines that a tree of so many nodes takes, rather too many than too few.
  static std::size_t lines_for(const G& game, int nodes) {
    const auto squares = static_cast<std::size_t>(game.columns() * game.rows());
    const std::size_t node = (Node::quarters(squares) + Arena::kQuarters - 1) / Arena::kQuarters;
    return static_cast<std::size_t>(std::min(nodes, kMostReserved)) * (node + 1) + Arena::kChunk / Arena::kQuarters;
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
    return chunks_.size() * Arena::kChunk * Arena::kQuarter + far_path_.size() * sizeof(far_path_[0]) + sizeof(*this);
  }

  void start_walk() {
    depth_ = 0;
    walk_ = {root_, kNone, root_visits_, root_value_};
    if (!has_root()) leaf_ = {root_position_, game_.legal(root_position_), Phase::kMove, 0.0f};
  }

  // One ply down, or aside to the node whose move is to be opened. False when the walk has ended: leaf() is new or a finished game.
  bool step() {
    if (walk_.visits == 0) return false;  // the root itself is the leaf
    if (walk_.visits == 1) return open_leaf();
    const Group* groups = group_at(walk_.at);
    const Group::Header header = groups->header();
    // The paper's U(s, a) = c P(s, a) sqrt(sum of N(s, b)) / (1 + N(s, a)).
    const float scale = options_.c_puct * std::sqrt(static_cast<float>(walk_.visits - 1));
    const BestChild best = best_child(groups, header.opened, scale);
    if (header.opened < header.moves &&
        walk_.value - options_.fpu + scale * decode_prior(groups->prior[0]) > best.score) {
      walk_ = {groups->node[0], walk_.at, 1, walk_.value};
      return true;
    }
    const std::uint32_t child = walk_.at + static_cast<std::uint32_t>(best.index);
    const std::uint32_t reference = node_of(child);
    path(depth_++) = child | (reference & kSameSide);
    if (reference == kOver) {
      leaf_.phase = Phase::kOver;
      leaf_.value = -value_at(child);
      return false;
    }
    walk_ = {reference & ~kSameSide, kNone, visits_of(child),
             (reference & kSameSide) ? value_at(child) : -value_at(child)};
    return true;
  }

  // Asks for the next step's memory ahead of time, while other trees are served.
  void prefetch() const {
    if (!has_root()) return;
    rlscout::prefetch(arena_.at(walk_.at));
    if (walk_.visits > 1) return;
    if (nodes_are_long()) rlscout::prefetch(arena_.at(walk_.at) + sizeof(Arena::Line));
    prefetch_lines_to_take();
  }
  void prefetch_children() const {
    if (walk_.visits < 2) return;
    const Group* group = group_at(walk_.at);
    for (int left = group->header().opened - 3; left > 0; left -= 4) rlscout::prefetch(++group);
  }

  // Ask, one some time after the other, for the memory that expand() and back_up() will use.
  void prefetch_tree() const {
    const auto* end = reinterpret_cast<const std::byte*>(&near_path_[kNear]);
    for (const auto* line = reinterpret_cast<const std::byte*>(this); line < end; line += 64) rlscout::prefetch(line);
  }
  void prefetch_path() const {
    for (int ply = std::min(depth_, kNear) - 1; ply >= 0; --ply)
      rlscout::prefetch(group_at(near_path_[ply] & ~kSameSide));
    prefetch_lines_to_take();
  }

  // Where the walk ended.
  bool leaf_is_over() const { return leaf_.phase == Phase::kOver; }
  const Position& leaf_position() const { return leaf_.position; }
  const typename G::MoveSet& leaf_moves() const { return leaf_.moves; }
  bool leaf_is_root() const { return !has_root(); }

  // Adds the leaf with its priors, in order of leaf_moves() and summing to 1; none: the uniform prior.
  void expand(std::span<const float> priors) {
    lead_to(add_node(leaf_.position, static_cast<int>(count(leaf_.moves)), priors));
  }

  // Adds the value of the leaf (for its side to move) to every mean on the way up.
  void back_up(float value) {
    for (int ply = depth_ - 1; ply >= 0; --ply) {
      const std::uint32_t step = path(ply), child = step & ~kSameSide;
      if (!(step & kSameSide)) value = -value;
      Group& group = *group_at(child);
      const int visits = ++group.visits[child % 4];
      group.value[child % 4] += (value - group.value[child % 4]) / static_cast<float>(visits);
      // The value is now that of the side to move at the parent.
    }
    ++root_visits_;
    root_value_ += (value - root_value_) / static_cast<float>(root_visits_);
  }

  // Where the walk ended with a finished game: its exact value is backed up.
  void back_up_finished() { back_up(leaf_.value); }

  // Replaces the root's priors by (1 - weight) * prior + weight * noise, noise in order of the legal moves.
  void mix_root_priors(std::span<const float> noise, float weight) {
    std::vector<float> priors;
    for (const RootMove& move : root_moves())
      priors.push_back((1.0f - weight) * move.prior + weight * noise[priors.size()]);
    const std::uint32_t after = add_node(root_position_, root_node().moves, priors);
    --node_count_;  // it takes the place of the old root
    if (!root_opened_) {
      root_ = after;
      return;
    }
    PriorCode* code = node_at(after).priors();
    for_each_bit(game_.legal(root_position_), [&](int move) {
      if (const std::uint32_t child = root_child(static_cast<Move>(move)); child != 0)
        group_at(child)->prior[child % 4] = std::exchange(*code, kTaken);
      ++code;
    });
    Group& first = *group_at(root_);
    first.node[0] = after;
    first.set_header(first.header(), node_at(after).next_move());
  }

  // The legal moves of the root, in order.
  std::vector<RootMove> root_moves() const {
    std::vector<RootMove> moves;
    const Node& root = root_node();
    for_each_bit(game_.legal(root_position_), [&](int bit) {
      const Move move = static_cast<Move>(bit);
      if (const std::uint32_t child = root_child(move); child != 0)
        moves.push_back({move, prior_of(child), visits_of(child), value_at(child)});
      else
        moves.push_back(
            {move, decode_prior(root.uniform() ? root.greatest_prior() : root.priors()[moves.size()]), 0, 0.0f});
    });
    return moves;
  }

  // Makes the child `move` the root, keeping its subtree, which is copied to new chunks; `next` is the position after the
  // move (and a pass). Without such a child the tree starts anew.
  void advance(Move move, const Position& next) {
    const std::uint32_t child = root_child(move);
    if (child == 0 || node_of(child) == kOver) return reset(next);
    const std::uint32_t reference = node_of(child);
    const int visits = visits_of(child);
    const float value = (reference & kSameSide) ? value_at(child) : -value_at(child);
    const auto old = std::exchange(chunks_, {});
    reset(next);
    root_ = copy_subtree(reference & ~kSameSide, visits);
    root_opened_ = visits > 1;
    root_visits_ = visits;
    root_value_ = value;
    for (const std::uint32_t chunk : old) arena_.give_back(chunk);
  }

  template <class Visit>
  void for_each_position(Visit&& visit) const {
    // What a walk under way has just opened was visited once, and has children already.
    if (has_root()) visit_subtree(root_, root_opened_, depth_ < 2 ? 0 : path(depth_ - 2) & ~kSameSide, visit);
  }

 private:
  using Node = TreeNode<Position>;
  using Group = ChildGroup;

  static constexpr std::uint32_t kSameSide = std::uint32_t{1} << 31;
  static constexpr std::uint32_t kOver = kSameSide - 1;
  static constexpr std::uint32_t kNone = kSameSide - 1;
  static constexpr std::uint32_t kLane = Arena::kQuarters - 1;
  static constexpr std::uint32_t kHalf = Arena::kQuarters / 2;
  static constexpr int kMostReserved = 1 << 14;  // nodes
  static constexpr int kNear = 13;               // plies of a walk that lie with the tree, as most do
  static constexpr int kClasses = 7;             // blocks of 1, 2, 4, ... 64 groups
  static_assert(Arena::kQuarters << (kClasses - 1) <= Arena::kChunk &&
                Arena::kMostLines <= kSameSide / Arena::kQuarters);

  struct Walk {
    std::uint32_t at;       // a node to be opened, or the first group of one that has been before
    std::uint32_t opening;  // the first group of the node to be opened, or kNone
    std::int32_t visits;    // 1: to be opened
    float value;            // mean, for the side to move
  };
  struct Leaf {
    Position position;
    typename G::MoveSet moves;
    Phase phase;
    float value;
  };
  Node& node_at(std::uint32_t place) { return *std::launder(reinterpret_cast<Node*>(arena_.at(place))); }
  const Node& node_at(std::uint32_t place) const {
    return *std::launder(reinterpret_cast<const Node*>(arena_.at(place)));
  }
  // Also of a child.
  Group* group_at(std::uint32_t place) { return std::launder(reinterpret_cast<Group*>(arena_.at(place & ~kLane))); }
  const Group* group_at(std::uint32_t place) const {
    return std::launder(reinterpret_cast<const Group*>(arena_.at(place & ~kLane)));
  }
  std::uint32_t& path(int ply) {
    return ply < kNear ? near_path_[ply] : far_path_[static_cast<std::size_t>(ply - kNear)];
  }
  std::uint32_t path(int ply) const {
    return ply < kNear ? near_path_[ply] : far_path_[static_cast<std::size_t>(ply - kNear)];
  }

  // Of a child, whose number is the place of its group, plus its lane; never 0, the lane of a header.
  float value_at(std::uint32_t child) const { return group_at(child)->value[child % 4]; }
  int visits_of(std::uint32_t child) const { return group_at(child)->visits[child % 4]; }
  float prior_of(std::uint32_t child) const { return decode_prior(group_at(child)->prior[child % 4]); }
  Move move_of(std::uint32_t child) const { return group_at(child)->move[child % 4]; }
  std::uint32_t node_of(std::uint32_t child) const { return group_at(child)->node[child % 4]; }

  const Node& root_node() const { return node_at(root_opened_ ? group_at(root_)->node[0] : root_); }

  // The root's child by this move; 0: none yet.
  std::uint32_t root_child(Move move) const {
    if (!root_opened_) return 0;
    const std::uint32_t first = root_ + 1, end = first + group_at(root_)->header().opened;
    for (std::uint32_t child = first; child < end; ++child)
      if (move_of(child) == move) return child;
    return 0;
  }

  void clear() {
    for (const std::uint32_t chunk : chunks_) arena_.give_back(chunk);
    chunks_.clear();
    free_begin_ = free_end_ = 0;
    std::fill(std::begin(free_blocks_), std::end(free_blocks_), kNone);
    root_opened_ = false;
    root_visits_ = 0;
    root_value_ = 0.0f;
    node_count_ = 0;
    depth_ = 0;
    walk_ = {};
  }

  // For a node of so many priors. One of a line or less has the line to itself, so that a miss brings all of it; without
  // priors it takes half of one, where two fit.
  std::uint32_t take_node(std::size_t priors) {
    const std::uint32_t count = Node::quarters(priors);
    if (priors == 0 && count == kHalf)
      free_end_ -= free_end_ % kHalf;
    else if (count <= Arena::kQuarters)
      return take_lines(1);
    if (free_end_ - free_begin_ < count) take_chunk();
    return free_end_ -= count;
  }

  // On end, a chunk at most.
  std::uint32_t take_lines(std::uint32_t count) {
    if (count == 1 && free_blocks_[0] != kNone)
      return std::exchange(free_blocks_[0], group_at(free_blocks_[0])->node[0]);
    if (free_end_ - free_begin_ < count * Arena::kQuarters) take_chunk();
    return std::exchange(free_begin_, free_begin_ + count * Arena::kQuarters);
  }

  // The lines that are left of the last one are taken one by one.
  void take_chunk() {
    for (; free_end_ - free_begin_ >= Arena::kQuarters; free_begin_ += Arena::kQuarters) give_back(free_begin_, 0);
    free_begin_ = chunks_.emplace_back(arena_.take());
    free_end_ = free_begin_ + Arena::kChunk;
  }

  // Those of the last chunk, at least.
  bool nodes_are_long() const { return free_end_ % Arena::kChunk != 0; }

  void prefetch_lines_to_take() const {
    if (free_blocks_[0] != kNone)
      rlscout::prefetch(arena_.at(free_blocks_[0]));
    else if (free_begin_ < free_end_)
      rlscout::prefetch(arena_.at(free_begin_));
    if (nodes_are_long())
      for (std::size_t line = 1; line <= 2; ++line)
        rlscout::prefetch(arena_.at(free_end_) - line * sizeof(Arena::Line));
  }

  void give_back(std::uint32_t block, int size_class) {
    Group* group = new (arena_.at(block)) Group;
    group->node[0] = std::exchange(free_blocks_[size_class], block);
  }

  bool open_leaf() {
    const Node& node = node_at(walk_.at);
    const int next = walk_.opening == kNone ? node.next : group_at(walk_.opening)->header().next;
    const auto move = static_cast<Move>(nth(game_.legal(node.position), next));
    std::uint32_t same_side = 0;
    leaf_.position = game_.play(node.position, move);
    leaf_.moves = game_.legal(leaf_.position);
    leaf_.phase = any(leaf_.moves) ? Phase::kMove : game_.phase(leaf_.position);
    if (leaf_.phase == Phase::kPass) {
      leaf_.position = game_.play(leaf_.position, kPass);
      leaf_.moves = game_.legal(leaf_.position);
      leaf_.phase = Phase::kMove;
      same_side = kSameSide;
    } else if (leaf_.phase == Phase::kOver) {
      leaf_.value = value_of(game_.score(leaf_.position), game_.max_score(), options_.margin);
    }
    path(depth_++) = add_child(move) | same_side;
    return false;
  }

  std::uint32_t add_node(const Position& position, int moves, std::span<const float> priors) {
    const std::uint32_t place = take_node(priors.size());
    Node* node = new (arena_.at(place)) Node{position, kTaken, 0, static_cast<std::uint8_t>(moves), {}};
    if (!priors.empty()) node->store_priors(priors);
    ++node_count_;
    return place;
  }

  // A child of the node to be opened, as that of a finished game until expand() knows better. What was just written to new lines
  // is not read back: it might have to wait for them.
  std::uint32_t add_child(Move move) {
    const Node& parent = node_at(walk_.at);
    Group::Header header{0, parent.next, parent.moves, 0};
    PriorCode prior = parent.greatest_prior();
    std::uint32_t groups = walk_.opening;
    if (groups == kNone) {
      groups = new_block(0);
      group_at(groups)->node[0] = walk_.at;
      root_opened_ |= depth_ == 0;
      lead_to(groups);
    } else {
      header = group_at(groups)->header();
      prior = group_at(groups)->prior[0];
      if (header.opened + 1 == 4 << header.size_class) {
        groups = new_block(header.size_class + 1);
        std::copy_n(group_at(walk_.opening), 1 << header.size_class, group_at(groups));
        give_back(walk_.opening, header.size_class++);
        lead_to(groups);
      }
    }
    const std::uint32_t child = groups + ++header.opened;
    Group& group = *group_at(child);
    group.value[child % 4] = 0.0f;
    group.visits[child % 4] = 0;
    group.prior[child % 4] = prior;
    group.move[child % 4] = move;
    group.node[child % 4] = kOver;
    Node& node = node_at(walk_.at);  // memory may have moved
    const NextMove next =
        node.uniform() ? NextMove{prior, static_cast<std::uint8_t>(header.next + 1)} : node.next_move(header.next);
    group_at(groups)->set_header(header, next);
    return child;
  }

  // What the path ends at leads to this node, or these groups.
  std::uint32_t lead_to(std::uint32_t place) {
    if (depth_ == 0) return root_ = place;
    const std::uint32_t last = path(depth_ - 1), child = last & ~kSameSide;
    group_at(child)->node[child % 4] = place | (last & kSameSide);
    return place;
  }

  // A block of 2^size_class groups without children.
  std::uint32_t new_block(int size_class) {
    std::uint32_t block = free_blocks_[size_class];
    if (block != kNone)
      free_blocks_[size_class] = group_at(block)->node[0];
    else
      block = take_lines(1u << size_class);
    std::fill_n(group_at(block), 1 << size_class, Group::without_children());
    return block;
  }

  std::uint32_t copy_node(std::uint32_t from) {
    const std::size_t priors = node_at(from).uniform() ? 0 : node_at(from).moves;
    const std::uint32_t to = take_node(priors);
    std::copy_n(arena_.at(from), Node::quarters(priors) * Arena::kQuarter, arena_.at(to));
    ++node_count_;
    return to;
  }

  // The node itself comes last: its memory arrives while its children are served.
  std::uint32_t copy_subtree(std::uint32_t from, int visits) {
    if (visits == 1) return copy_node(from);
    const Group::Header header = group_at(from)->header();
    const std::uint32_t node = group_at(from)->node[0];
    rlscout::prefetch(arena_.at(node));
    const std::uint32_t to = new_block(header.size_class);
    std::copy_n(group_at(from), header.opened / 4 + 1, group_at(to));
    const std::uint32_t first = to + 1, end = first + header.opened;
    for (std::uint32_t child = first; child < end; ++child)
      if (node_of(child) != kOver) rlscout::prefetch(arena_.at(node_of(child) & ~kSameSide));
    for (std::uint32_t child = first; child < end; ++child) {
      const std::uint32_t reference = node_of(child);
      if (reference == kOver) continue;
      const std::uint32_t moved = copy_subtree(reference & ~kSameSide, visits_of(child));
      group_at(child)->node[child % 4] = moved | (reference & kSameSide);
    }
    const std::uint32_t copied = copy_node(node);
    group_at(to)->node[0] = copied;
    return to;
  }

  template <class Visit>
  void visit_subtree(std::uint32_t at, bool opened, std::uint32_t just_opened, Visit& visit) const {
    if (!opened) return visit(node_at(at).position);
    visit(node_at(group_at(at)->node[0]).position);
    const std::uint32_t first = at + 1, end = first + group_at(at)->header().opened;
    for (std::uint32_t child = first; child < end; ++child)
      if (const std::uint32_t reference = node_of(child); reference != kOver)
        visit_subtree(reference & ~kSameSide, visits_of(child) > 1 || child == just_opened, just_opened, visit);
  }

  // First what every walk needs, in few cache lines.
  const G& game_;
  Arena& arena_;
  const PuctOptions options_;
  std::uint32_t root_ = 0;
  std::int32_t root_visits_ = 0;
  float root_value_ = 0.0f;
  bool root_opened_ = false;  // then root_ is its first group
  int depth_ = 0;
  Walk walk_{};
  Leaf leaf_{};
  std::uint32_t node_count_ = 0;
  std::uint32_t free_begin_ = 0, free_end_ = 0;  // of the last chunk
  std::uint32_t free_blocks_[kClasses];
  std::uint32_t near_path_[kNear] = {};
  std::vector<std::uint32_t> far_path_;
  std::vector<std::uint32_t> chunks_;
  Position root_position_{};
};

}  // namespace rlscout
