// Walks the proof in a certificate and refuses it at the first position that is not as claimed.
//
// A claim says of a position in which a move is due that its score is at least or at most some bound. Up the tree the
// bound only changes sign, so within one section of the proof (one bound of the root) kind and section give the bound.
// The walk goes level by level, from the empty squares of the root downwards, one list of claims a level:
//   * "at least b" needs one move to a position with "at most -b": the next witness move of the file.
//   * "at most b" needs every move to lead to a position with "at least -b".
// Positions are folded by the symmetries of the board and no level lists a claim twice: whole positions are compared, a
// hash only says where to look. What the rules settle at sight is not listed at all, and a list at `leaf_empties` empty
// squares is settled by the game's own search.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "verify/certificate.h"

namespace verify {

// The file is no proof. Where one position is at fault it is given as text, with what was claimed of it.
struct ProofError : std::runtime_error {
  explicit ProofError(const std::string& reason, std::string at_fault = {}, std::string claimed = {})
      : runtime_error(reason), position(std::move(at_fault)), statement(std::move(claimed)) {}
  std::string position;
  std::string statement;
};

struct Counts {
  int64_t positions = 0;
  int64_t witnesses = 0;
  int64_t leaves = 0;
  int64_t nodes = 0;
};

using Progress = std::function<void(const std::string&)>;

enum class Kind : uint8_t { kAtLeast, kAtMost };

inline Kind other(Kind kind) { return kind == Kind::kAtLeast ? Kind::kAtMost : Kind::kAtLeast; }

template <class Position>
struct Claim {
  Position position;
  Kind kind;

  bool operator==(const Claim&) const = default;
};

// The claims of one level in the order in which they came, each once.
template <class Game>
class Level {
 public:
  using Item = Claim<typename Game::Position>;

  const std::vector<Item>& claims() const { return claims_; }

  // Where the claim stands or would stand: an index into the slots. A slot holds 1 + the number of a claim, 0: none.
  size_t find(const Item& claim) {
    if (2 * (claims_.size() + 1) > slots_.size()) grow();
    size_t slot = first_slot(claim);
    while (slots_[slot] && claims_[slots_[slot] - 1] != claim) slot = (slot + 1) % slots_.size();
    return slot;
  }
  bool holds(size_t slot) const { return slots_[slot] != 0; }
  void append(const Item& claim, size_t slot) {
    claims_.push_back(claim);
    slots_[slot] = static_cast<uint32_t>(claims_.size());
  }

 private:
  size_t first_slot(const Item& claim) const {
    const uint64_t hash = Game::hash(claim.position) ^ static_cast<uint64_t>(claim.kind);
    return (hash ^ hash >> 32) % slots_.size();
  }
  void grow() {
    slots_.assign(std::max<size_t>(64, 2 * slots_.size()), 0);
    for (size_t i = 0; i < claims_.size(); ++i) {
      size_t slot = first_slot(claims_[i]);
      while (slots_[slot]) slot = (slot + 1) % slots_.size();
      slots_[slot] = static_cast<uint32_t>(i + 1);
    }
  }

  std::vector<Item> claims_;
  std::vector<uint32_t> slots_;
};

// One check of one certificate; `progress` is told, every second or so, how far it is.
template <class Game>
class Checker {
 public:
  using Position = typename Game::Position;

  Checker(const Game& game, const Certificate& certificate, Counts& counts, Progress progress)
      : game_(game),
        certificate_(certificate),
        counts_(counts),
        progress_(std::move(progress)),
        witnesses_({certificate.payload.begin(),
                    certificate.payload.begin() +
                        std::min<std::ptrdiff_t>(certificate.bytes, std::ssize(certificate.payload))}) {}

  // Throws ProofError. A fault of a position is found before a fault of the file.
  void check() {
    if (certificate_.lower > certificate_.upper) {
      section_ = {"lower", Kind::kAtLeast, certificate_.lower};
      refuse("the lower bound is above the upper bound", {root(), Kind::kAtLeast});
    }
    if (certificate_.lower > -game_.max_score) check_section({"lower", Kind::kAtLeast, certificate_.lower});
    if (certificate_.upper < game_.max_score) check_section({"upper", Kind::kAtMost, certificate_.upper});
    check_file();
  }

 private:
  using Claim = verify::Claim<Position>;

  // The proof of one bound of the root: its kind, and the bound.
  struct Section {
    const char* name;
    Kind kind;
    int64_t bound;

    int bound_of(Kind k) const { return static_cast<int>(k == kind ? bound : -bound); }
  };

  void check_section(const Section& section) {
    section_ = section;
    Level<Game> level;
    add(level, {root(), section.kind});
    for (int empties = game_.empties(root()); !level.claims().empty(); --empties) {
      if (empties <= certificate_.leaf_empties) return search_leaves(level);
      level = expand(level, empties);
    }
  }

  // Settles a claim at sight or puts it on the list of its level, after a pass where one is due.
  void add(Level<Game>& level, Claim claim) {
    const int bound = section_.bound_of(claim.kind);
    const auto [low, high] = game_.bounds_at_sight(claim.position);
    if (claim.kind == Kind::kAtLeast ? low >= bound : high <= bound) return;
    if (claim.kind == Kind::kAtLeast ? high < bound : low > bound)
      refuse("the rules show that the score is not as claimed", claim);
    if (game_.legal(claim.position).empty()) return add(level, {Game::passed(claim.position), other(claim.kind)});
    claim.position = fold(claim.position);
    const size_t slot = level.find(claim);
    if (level.holds(slot)) return;
    if (counts_.positions == certificate_.positions)
      refuse("the proof needs more positions than the header states", claim);
    ++counts_.positions;
    level.append(claim, slot);
  }

  // The list of the next level: the children of these claims, in order.
  Level<Game> expand(const Level<Game>& level, int empties) {
    Level<Game> following;
    int64_t number = 0;
    for (const Claim& claim : level.claims()) {
      report(std::to_string(empties) + " empty squares", number++, std::ssize(level.claims()));
      std::vector<int> moves = game_.legal(claim.position);
      if (claim.kind == Kind::kAtLeast) moves = {witness(claim, moves)};
      for (const int move : moves) add(following, {Game::play(claim.position, move), other(claim.kind)});
    }
    return following;
  }

  int witness(const Claim& claim, const std::vector<int>& moves) {
    const int number = witnesses_.next(static_cast<int>(moves.size()));
    if (number < 0) refuse("the witness move is missing: the payload ends", claim);
    if (number >= std::ssize(moves))
      refuse("witness number " + std::to_string(number) + ", but there are " + std::to_string(moves.size()) + " moves",
             claim);
    ++counts_.witnesses;
    return moves[static_cast<size_t>(number)];
  }

  void search_leaves(const Level<Game>& level) {
    int64_t number = 0;
    for (const Claim& claim : level.claims()) {
      report("leaves", number++, std::ssize(level.claims()));
      ++counts_.leaves;
      const int bound = section_.bound_of(claim.kind);
      const bool holds = claim.kind == Kind::kAtLeast ? game_.reaches(claim.position, bound, counts_.nodes)
                                                      : !game_.reaches(claim.position, bound + 1, counts_.nodes);
      if (!holds) refuse("a search shows that the score is not as claimed", claim);
    }
  }

  // The proof is sound; what the file says of itself must be true as well.
  void check_file() const {
    if (std::ssize(certificate_.payload) != certificate_.bytes || witnesses_.bytes_read() != certificate_.bytes)
      throw ProofError("the length of the payload is not that of the proof and of the header");
    if (!witnesses_.padded_with_zeros()) throw ProofError("the bits after the last witness move are not zero");
    check_count("positions", certificate_.positions, counts_.positions);
    check_count("witnesses", certificate_.witnesses, counts_.witnesses);
    check_count("leaves", certificate_.leaves, counts_.leaves);
    if (certificate_.crc32 != certificate_.actual_crc32)
      throw ProofError("the checksum does not match: the file was damaged or changed");
  }
  static void check_count(const std::string& name, int64_t stated, int64_t counted) {
    if (stated == counted) return;
    throw ProofError("the header states " + name + " " + std::to_string(stated) + ", the proof has " +
                     std::to_string(counted));
  }

  Position root() const { return position_of(game_, certificate_.position); }

  std::string to_text(const Claim& claim) const {
    // Kind and side to move alternate together, passes included.
    const bool x_to_move = certificate_.x_to_move() == (claim.kind == section_.kind);
    std::string text;
    for (int square = 0; square < game_.squares(); ++square) {
      const bool own = Game::has_stone(claim.position.own, square);
      const bool opponent = Game::has_stone(claim.position.opponent, square);
      text += own || opponent ? (own == x_to_move ? 'X' : 'O') : '-';
    }
    return text + (x_to_move ? " X" : " O");
  }

  [[noreturn]] void refuse(const std::string& reason, const Claim& claim) const {
    throw ProofError(
        reason, to_text(claim),
        (claim.kind == Kind::kAtLeast ? "score >= " : "score <= ") + std::to_string(section_.bound_of(claim.kind)));
  }

  // The least of the symmetric images, compared as numbers, the stones of the side to move first.
  Position fold(const Position& position) const {
    Position least = position;
    for (const std::vector<int>& image : game_.symmetries) {
      Position mapped;
      for (int square = 0; square < game_.squares(); ++square) {
        if (Game::has_stone(position.own, square)) Game::put_stone(mapped.own, image[static_cast<size_t>(square)]);
        if (Game::has_stone(position.opponent, square))
          Game::put_stone(mapped.opponent, image[static_cast<size_t>(square)]);
      }
      least = std::min(least, mapped);
    }
    return least;
  }

  void report(const std::string& where, int64_t number, int64_t count) {
    if (number % 16 != 0 || std::chrono::steady_clock::now() < next_report_) return;
    next_report_ = std::chrono::steady_clock::now() + std::chrono::seconds(1);
    progress_(std::string(section_.name) + " bound: " + where + ", " + std::to_string(number) + " of " +
              std::to_string(count) + " positions");
  }

  const Game& game_;
  const Certificate& certificate_;
  Counts& counts_;
  Progress progress_;
  Witnesses witnesses_;
  Section section_{"lower", Kind::kAtLeast, 0};
  std::chrono::steady_clock::time_point next_report_ = std::chrono::steady_clock::now() + std::chrono::seconds(1);
};

}  // namespace verify
