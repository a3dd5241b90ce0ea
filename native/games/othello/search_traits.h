// What Othello tells the search: who moves when, the order of moves, stable discs, the last four empties.
//
// Order: near the end few replies first; further up, where a pattern table is given, least *effective cost* first. The
// effective cost of a child, in bits, is the predicted log2 of its nodes plus a penalty for the chance that it does not do
// what it is tried for: penalty = log2(1 + e^(-kSlope * margin)) / kCostWeight, with the margin in discs between the child's
// predicted score and the claim. Higher up it is looked for two, four or six plies ahead: log2 of the sum over the opponent's
// moves of 2^(the least effective cost among our replies), for that is what a proof of the child has to pay.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "core/hash.h"
#include "games/othello/flips.h"
#include "games/othello/last_empties.h"
#include "games/othello/othello.h"
#include "games/othello/patterns.h"
#include "games/othello/stability.h"
#include "search/search_traits.h"

namespace rlscout {

template <int N>
class SearchTraits<othello::Othello<N>> {
  using Game = othello::Othello<N>;
  using Position = othello::Position;
  static constexpr int kUnit = othello::Prediction::kUnit;
  static constexpr std::int32_t kUnknownScore = std::numeric_limits<std::int32_t>::max();

 public:
  struct Node {
    Position position;
    std::uint64_t moves;  // legal moves of the side to move
    std::int32_t score;   // that a table predicts for the side to move, in 1/kUnit discs
  };
  // No game is known to reach more than 33 moves at once, but a position given by a user can have more.
  using ChildList = Children<Node, N * N>;

  static constexpr int kLeafEmpties = 4;
  // On 6x6 the shared table, where a look waits for memory, is worth it from 11 empties.
  static constexpr int kLocalEmpties = N == 6 ? 10 : 8;
  static constexpr int kEnhancedEmpties = 9;
  // 6x6 and smaller boards leave room for the data beside both boards.
  static constexpr int kKeyWords = N == 8 ? 3 : 2;

  using Patterns = othello::Patterns<N>;
  using Knowledge = std::shared_ptr<const Patterns>;

  explicit SearchTraits(const Game& game, Knowledge patterns = nullptr)
      : game_(game), last_(game, score_step()), patterns_(std::move(patterns)) {
    if (patterns_ != nullptr) answered_.resize(std::size_t{1} << kLogAnswers);
  }

  static Node node(const Position& p) {
    return {p, othello::mobility<N>(p.own, p.opponent, Game::kBoard), kUnknownScore};
  }
  static Node pass(const Node& node) { return SearchTraits::node({node.position.opponent, node.position.own}); }
  static Phase phase(const Node& node) {
    if (node.moves != 0) return Phase::kMove;
    return othello::mobility<N>(node.position.opponent, node.position.own, Game::kBoard) != 0 ? Phase::kPass
                                                                                              : Phase::kOver;
  }
  static int empties(const Node& node) { return Game::empties(node.position); }
  // With the empties to the winner every score is even, for the board is.
  int score_step() const { return game_.scoring() == othello::Scoring::kEmptiesToWinner ? 2 : 1; }
  static int fold_empties() { return N * N - 10; }
  static int split_empties() { return N == 8 ? 15 : 14; }
  // Where the claim is not predicted to fail by much, one of the first replies most often proves it.
  static int replies_before_split(const Node& node, int bound) {
    return node.score != kUnknownScore && node.score + kSplitDiscs * kUnit >= bound * kUnit ? kSplitReplies : 1;
  }

  static TableKey<kKeyWords> table_key(const Position& p) {
    // The frame of a smaller board starts at bit 9 or later and is 46 bits long: 46 + 18 bits, and 28 of the second board left.
    if constexpr (N == 8)
      return {p.own, p.opponent, 0};
    else
      return {p.own >> 9 | p.opponent >> 9 << 46, p.opponent >> 27 << kDataBits};
  }

  Bounds expand(const Node& node, int bound, ChildList& children) const {
    const auto [own, opponent] = node.position;
    const int empties = SearchTraits::empties(node);
    Bounds bounds{-N * N, N * N};
    if (bound > stability_bound(empties)) {
      bounds.upper = N * N - 2 * std::popcount(othello::stable_discs<N>(opponent, own));
      if (bounds.upper < bound) return bounds;
    }
    list(node, children);
    return bounds;
  }

  void order(const Node& node, int bound, ChildList& children, Counters& counters) const {
    const int empties = SearchTraits::empties(node);
    if (predicts_replies(node, empties, bound))
      order_by_prediction(node, empties, score_step() - bound, children, counters);
    else
      order_by_board(node, empties, children);
  }

  // By what their replies' replies cost, some plies ahead.
  void refine(const Node& node, int bound, ChildList& children, Counters& counters) const {
    const int empties = SearchTraits::empties(node);
    if (patterns_ == nullptr || children.size < 2 || plies_ahead(empties - 1) == 0) return;
    const bool predicted = predicts_replies(node, empties, bound);
    if (predicted && fails_by(kLookAheadDiscs, node, bound)) return;
    look_ahead(children, empties, score_step() - bound, predicted, counters);
  }

  int order_bit(int empties) const {
    const bool predicted = Patterns::has_stage(empties - 1) || plies_ahead(empties - 1) > 0;
    return patterns_ != nullptr && predicted ? kUnit : 0;
  }

  // What the score may be, 0 where nothing is known: a few plies ahead of a table's prediction.
  int guess(const Node& node, Counters& counters) const {
    if (patterns_ == nullptr) return 0;
    const int horizon = std::clamp(empties(node) - kGuessPlies, Patterns::kFirstStage, kLastStage);
    if (empties(node) < horizon || empties(node) - horizon > kGuessPlies) return 0;
    const std::int32_t score = score_ahead(node, horizon, -kHopeless, kHopeless, counters);
    const int step = score_step();
    return std::clamp(step * static_cast<int>(std::lround(static_cast<double>(score) / (kUnit * step))), -N * N, N * N);
  }

  // What tables of fewer empties say of a node: the score four plies ahead, the cost of a proof two plies ahead.
  std::optional<othello::Prediction> ahead(const Node& node, Counters& counters) const {
    const int empties = SearchTraits::empties(node);
    if (patterns_ == nullptr || !Patterns::has_stage(empties - 4) || node.moves == 0) return std::nullopt;
    const std::int32_t score = score_ahead(node, empties - 4, -kHopeless, kHopeless, counters);
    const int claim = static_cast<int>(std::floor(static_cast<double>(score) / kUnit)) + score_step();
    std::int32_t sum = 0;
    for (std::uint64_t moves = node.moves; moves != 0; moves &= moves - 1) {
      const Node next = after(node, static_cast<Move>(std::countr_zero(moves)));
      std::int32_t least = kHopeless, cost = 0;
      for (std::uint64_t replies = next.moves; replies != 0; replies &= replies - 1) {
        const Node reply = after(next, static_cast<Move>(std::countr_zero(replies)));
        const othello::Prediction predicted = predict(reply, empties - 2, counters);
        const std::int32_t effective = effective_cost(predicted, claim);
        if (effective < least) least = effective, cost = predicted.cost;
      }
      sum = log2_sum(sum, cost);
    }
    return othello::Prediction{score, sum};
  }

  // Answers kept from look-aheads count no more: what follows counts evaluations as a new search does.
  void forget() { ++generation_; }

  int leaf(const Node& node, int bound, Counters& counters) const {
    const auto [own, opponent] = node.position;
    return last_.solve(own, opponent, Game::kBoard & ~(own | opponent), node.moves, bound, counters.nodes);
  }

 private:
  static constexpr std::uint64_t square(int row, int column) {
    return std::uint64_t{1} << (8 * (row + Game::kOffset) + column + Game::kOffset);
  }
  static constexpr std::uint64_t kCorners = square(0, 0) | square(0, N - 1) | square(N - 1, 0) | square(N - 1, N - 1);

  // Looking for stable discs costs more than it saves below this claim.
  static constexpr int stability_bound(int empties) {
    return empties <= 5 ? 4 : empties <= 8 ? 8 : empties <= 12 ? 12 : 16;
  }

  // Few replies first, corners and odd quadrants before others.
  static std::int32_t order(const Node& child, std::uint64_t disc, std::uint64_t odd, int empties) {
    const int replies = std::popcount(child.moves) + std::popcount(child.moves & kCorners);
    std::int32_t order = -kReplyWeight * replies;
    if ((disc & kCorners) != 0) order += kCornerWeight;
    if ((disc & odd) != 0) order += empties <= 12 ? kOddWeight : kOddWeight / 2;
    if (empties > 8) {
      // Empty squares next to our discs are moves the opponent may get later.
      const auto [own, opponent] = child.position;
      order -= kFrontierWeight * std::popcount(neighbours(opponent) & Game::kBoard & ~(own | opponent));
    }
    return order;
  }
  static bool fails_by(int discs, const Node& node, int bound) {
    return node.score != kUnknownScore && node.score + discs * kUnit < bound * kUnit;
  }
  // Where the claim is likely to fail every move will be searched, whatever their order.
  bool predicts_replies(const Node& node, int empties, int bound) const {
    const int least = fails_by(kFailingDiscs, node, bound) ? kFailingEmpties : kPatternEmpties;
    return patterns_ != nullptr && empties >= least && Patterns::has_stage(empties - 1);
  }

  static Node after(const Node& node, Move move) {
    const auto [own, opponent] = node.position;
    const std::uint64_t turned = othello::flips(own, opponent, move), disc = std::uint64_t{1} << move;
    return SearchTraits::node({opponent ^ turned, own | turned | disc});
  }

  othello::Prediction predict(const Node& node, int empties, Counters& counters) const {
    ++counters.evaluations;
    return patterns_->predict(node.position, node.moves, empties);
  }

  // The moves of a node: the discs that each adds to the mover's, and the replies to it.
  struct Replies {
    std::size_t size = 0;
    std::array<std::uint64_t, N * N> added, moves;

    explicit Replies(const Node& node) {
      const auto [own, opponent] = node.position;
      for (std::uint64_t left = node.moves; left != 0; left &= left - 1) {
        added[size] = othello::flips(own, opponent, std::countr_zero(left)) | (left & -left);
        moves[size] = othello::mobility<N>(opponent & ~added[size], own | added[size], Game::kBoard);
        ++size;
      }
    }
    // Those that are listed.
    Replies(const Node& node, const ChildList& children) : size(static_cast<std::size_t>(children.size)) {
      for (std::size_t i = 0; i < size; ++i) {
        const Node& child = children.items[i].node;
        added[i] = child.position.opponent & ~node.position.own;
        moves[i] = child.moves;
      }
    }
    std::span<const std::uint64_t> added_discs() const { return {added.data(), size}; }
    std::span<const std::uint64_t> their_moves() const { return {moves.data(), size}; }
  };

  // The score that the table predicts at `horizon` empties if both sides play for it, in 1/kUnit discs; fail-soft.
  std::int32_t score_ahead(const Node& node, int horizon, std::int32_t alpha, std::int32_t beta,
                           Counters& counters) const {
    const Phase phase = SearchTraits::phase(node);
    if (phase == Phase::kOver) return game_.score(node.position) * kUnit;
    if (phase == Phase::kPass) return -score_ahead(pass(node), horizon, -beta, -alpha, counters);
    const int empties = SearchTraits::empties(node);
    if (empties <= horizon) return predict(node, empties, counters).score;
    ChildList children;
    list(node, children);
    order_by_board(node, empties, children);
    std::sort(children.items.begin(), children.items.begin() + children.size,
              [](const auto& a, const auto& b) { return a.order > b.order; });
    std::int32_t best = -kHopeless;
    for (int i = 0; i < children.size && best < beta; ++i)
      best = std::max(best, -score_ahead(children.items[static_cast<std::size_t>(i)].node, horizon, -beta,
                                         -std::max(alpha, best), counters));
    return best;
  }

  // Every move, in no order yet.
  static void list(const Node& node, ChildList& children) {
    children.size = 0;
    for (std::uint64_t moves = node.moves; moves != 0; moves &= moves - 1) {
      auto& child = children.items[static_cast<std::size_t>(children.size++)];
      child.move = static_cast<Move>(std::countr_zero(moves));
      child.node = after(node, child.move);
    }
  }

  // By the board alone.
  static void order_by_board(const Node& node, int empties, ChildList& children) {
    const std::uint64_t odd = othello::odd_quadrants(Game::kBoard & ~(node.position.own | node.position.opponent));
    for (int i = 0; i < children.size; ++i) {
      auto& child = children.items[static_cast<std::size_t>(i)];
      child.order = order(child.node, std::uint64_t{1} << child.move, odd, empties);
    }
  }

  // By the effective cost of proving the child below `claim`.
  void order_by_prediction(const Node& node, int empties, int claim, ChildList& children, Counters& counters) const {
    const Replies replies(node, children);
    patterns_->predict_children(node.position, replies.added_discs(), replies.their_moves(), empties - 1,
                                [&](std::size_t i, const othello::Prediction& predicted) {
                                  auto& child = children.items[i];
                                  child.node.score = predicted.score;
                                  child.order = -effective_cost(predicted, claim);
                                });
    counters.evaluations += replies.size;
  }

  // Of proving that a node is below `claim`, in 1/kUnit bits.
  std::int32_t effective_cost(const othello::Prediction& predicted, int claim) const {
    // Half a step below the claim is the middle between what proves and what fails.
    const int margin = claim * kUnit - kUnit * score_step() / 2 - predicted.score;
    return predicted.cost + penalty(margin);
  }
  std::int32_t effective_cost(const Node& node, int empties, int claim, Counters& counters) const {
    return effective_cost(predict(node, empties, counters), claim);
  }

  // Plies that the cost of a child with so many empties is looked ahead for: an even number, leaves where the table has a stage;
  // none where no stage is near.
  static int plies_ahead(int empties) {
    if (empties - kMostPlies > kLastStage) return 0;
    int plies = empties >= kSixPlies ? 6 : empties >= kFourPlies ? 4 : empties >= kTwoPlies ? 2 : 0;
    while (empties - plies > kLastStage) plies += 2;
    return plies;
  }

  // Replaces the order of the most promising children by their cost some plies ahead; the others come after them.
  void look_ahead(ChildList& children, int empties, int claim, bool predicted, Counters& counters) const {
    std::array<std::uint8_t, N * N> ranked;
    for (int i = 0; i < children.size; ++i) ranked[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(i);
    const auto at = [&](int rank) -> auto& { return children.items[ranked[static_cast<std::size_t>(rank)]]; };
    std::sort(ranked.begin(), ranked.begin() + children.size, [&](int a, int b) {
      const auto& left = children.items[static_cast<std::size_t>(a)];
      const auto& right = children.items[static_cast<std::size_t>(b)];
      return left.order != right.order ? left.order > right.order : a < b;
    });
    const int plies = plies_ahead(empties - 1);
    const std::int32_t promising = at(0).order - kLookAheadBits * kUnit;
    std::int32_t best = kHopeless;
    for (int rank = 0; rank < children.size; ++rank) {
      auto& child = at(rank);
      if (predicted && empties < kAllMovesEmpties && (rank >= kLookAheadMoves || child.order < promising)) {
        child.order -= kHopeless;
        continue;
      }
      const std::int32_t cost = cost_ahead(child.node, empties - 1, plies, claim, best + kStopBits * kUnit, counters);
      child.order = -cost;
      best = std::min(best, cost);
    }
  }

  // log2 of the summed cost of refuting every move of `node`, `plies` ahead; ends early once it exceeds `limit`.
  std::int32_t cost_ahead(const Node& node, int empties, int plies, int claim, std::int32_t limit,
                          Counters& counters) const {
    if (plies == 0) return effective_cost(node, empties, claim, counters);
    if (node.moves == 0) {
      if (SearchTraits::phase(node) == Phase::kOver) return game_.score(node.position) < claim ? 0 : kHopeless / 2;
      return best_reply(pass(node), empties, plies, claim, limit, counters);
    }
    std::int32_t sum = 0;
    for (std::uint64_t moves = node.moves; moves != 0; moves &= moves - 1) {
      const Node next = after(node, static_cast<Move>(std::countr_zero(moves)));
      sum = log2_sum(sum, best_reply(next, empties - 1, plies - 1, claim, limit, counters));
      if (sum > limit) break;
    }
    return sum;
  }

  // The least cost among our replies.
  std::int32_t best_reply(const Node& node, int empties, int plies, int claim, std::int32_t limit,
                          Counters& counters) const {
    if (node.moves == 0) {
      const Node passed = pass(node);
      if (passed.moves == 0) return game_.score(passed.position) < claim ? 0 : kHopeless / 2;
      return cost_ahead(passed, empties, plies - 1, claim, limit, counters);
    }
    if (plies <= 1) return best_prediction(node, empties, claim, counters);
    std::int32_t least = kHopeless / 2;
    ChildList children;
    const bool predicted = Patterns::has_stage(empties - 1);
    list(node, children);
    if (predicted)
      order_by_prediction(node, empties, claim, children, counters);
    else
      order_by_board(node, empties, children);
    std::sort(children.items.begin(), children.items.begin() + children.size,
              [](const auto& a, const auto& b) { return a.order > b.order; });
    const int tried = std::min(children.size, predicted ? kReplies : kUnpredictedReplies);
    for (int i = 0; i < tried; ++i)
      least = std::min(least, cost_ahead(children.items[static_cast<std::size_t>(i)].node, empties - 1, plies - 1,
                                         claim, std::min(least, limit), counters));
    return least;
  }

  // The same one ply ahead. Look-aheads from different nodes meet the same positions: the last answers are kept.
  std::int32_t best_prediction(const Node& node, int empties, int claim, Counters& counters) const {
    const auto [own, opponent] = node.position;
    const std::uint64_t hash = mix(own ^ std::rotl(opponent, 21) ^ static_cast<std::uint64_t>(claim));
    const std::uint32_t question = generation_ << 8 | (static_cast<std::uint32_t>(claim) & 255);
    Answered& kept = answered_[hash >> (64 - kLogAnswers)];
    if (kept.own == own && kept.opponent == opponent && kept.question == question) return kept.least;
    const Replies replies(node);
    std::int32_t least = kHopeless / 2;
    patterns_->predict_children(node.position, replies.added_discs(), replies.their_moves(), empties - 1,
                                [&](std::size_t, const othello::Prediction& predicted) {
                                  least = std::min(least, effective_cost(predicted, claim));
                                });
    counters.evaluations += replies.size;
    kept = {own, opponent, question, least};
    return least;
  }

  // log2(2^a + 2^b).
  static std::int32_t log2_sum(std::int32_t a, std::int32_t b) {
    static const auto table = [] {
      std::array<std::int16_t, 16 * kUnit> gains;
      for (std::size_t i = 0; i < gains.size(); ++i)
        gains[i] =
            static_cast<std::int16_t>(std::lround(kUnit * std::log2(1.0 + std::exp2(-static_cast<double>(i) / kUnit))));
      return gains;
    }();
    const std::int32_t difference = std::abs(a - b);
    return std::max(a, b) + (difference < 16 * kUnit ? table[static_cast<std::size_t>(difference)] : 0);
  }

  static std::int32_t penalty(int margin) {
    constexpr int kMost = 64, kGrain = 16;  // discs; table steps of kGrain / kUnit discs
    static const auto table = [] {
      std::array<std::int32_t, 2 * kMost * kUnit / kGrain + 1> penalties;
      for (std::size_t i = 0; i < penalties.size(); ++i) {
        const double discs = (static_cast<double>(i) * kGrain) / kUnit - kMost;
        penalties[i] =
            static_cast<std::int32_t>(std::lround(kUnit / kCostWeight * std::log2(1.0 + std::exp(-kSlope * discs))));
      }
      return penalties;
    }();
    const int clamped = std::clamp(margin, -kMost * kUnit, kMost * kUnit);
    return table[static_cast<std::size_t>((clamped + kMost * kUnit) / kGrain)];
  }

  static std::uint64_t neighbours(std::uint64_t discs) {
    const std::uint64_t row = discs | (discs & 0x7f7f7f7f7f7f7f7fu) << 1 | (discs & 0xfefefefefefefefeu) >> 1;
    return row | row << 8 | row >> 8;
  }

  static constexpr int kReplyWeight = 8, kCornerWeight = 12, kOddWeight = 4, kFrontierWeight = 3;

  // Predictions pay from kPatternEmpties up. Costs are looked ahead for the best kLookAheadMoves that are at most
  // kLookAheadBits behind: two, four and six plies for children of so many empties; among our replies there, the best
  // kReplies go on (kUnpredictedReplies of the static order where the table has no stage). A sum that is kStopBits above
  // the best so far is not finished.
  static constexpr int kPatternEmpties = 9;
  // Where a node is predicted to be kFailingDiscs below the claim, its children are predicted from kFailingEmpties only.
  static constexpr int kFailingDiscs = 6, kFailingEmpties = 12;
  // Where it is predicted to be kLookAheadDiscs below, what its children cost is not looked ahead for.
  static constexpr int kLookAheadDiscs = 6;
  // Threads share the replies of a node that is predicted to be at most kSplitDiscs below only after kSplitReplies of them.
  static constexpr int kSplitDiscs = 3, kSplitReplies = 4;
  static constexpr int kTwoPlies = 13, kFourPlies = 18, kSixPlies = 22, kMostPlies = 6;
  static constexpr int kLookAheadMoves = N == 8 ? 6 : 4, kLookAheadBits = N == 8 ? 4 : 3, kStopBits = 1;
  // With so many empties nodes are few: every move is looked into.
  static constexpr int kAllMovesEmpties = N == 8 ? 23 : 26;
  static constexpr int kReplies = N == 8 ? 3 : 2, kUnpredictedReplies = 5;
  static constexpr double kSlope = 0.1, kCostWeight = 0.12;
  static constexpr int kLastStage = Patterns::kFirstStage + Patterns::kStages - 1;
  static constexpr std::int32_t kHopeless = 1 << 24;
  static constexpr int kGuessPlies = 10;

  static constexpr int kLogAnswers = 12;
  struct Answered {
    std::uint64_t own, opponent;
    std::uint32_t question;  // the claim, and the generation in which it was asked
    std::int32_t least;
  };

  Game game_;
  othello::LastEmpties<N> last_;
  Knowledge patterns_;
  mutable std::vector<Answered> answered_;
  std::uint32_t generation_ = 1;
};

}  // namespace rlscout
