// Extracts a certificate: the witness moves of a proof, in the order in which a checker will ask for them, and the file that
// holds them. docs/certificate.md defines walk and file; its words (claim, level, add, fold, at sight) are used here.
//
// The prover's table says which move proves a claim; nothing is taken from it on faith that the checker could not confirm:
// every witness leads to a claim that the table holds as proven or that is proved again here, so what the table lost, and
// what a cut by rule left without a witness, only costs time.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/bits.h"
#include "core/game.h"
#include "search/claim.h"
#include "search/limits.h"

namespace rlscout {

// What the walk collected: counts as in the header, and the witness moves.
struct Witnesses {
  std::int64_t positions = 0, witnesses = 0, leaves = 0;
  std::vector<std::uint8_t> payload;
  int free_bits = 0;  // of the last byte

  // Appends a number below `choices` in as many bits as the largest of them takes, the highest bit first.
  void append(int number, int choices) {
    for (int bit = std::bit_width(static_cast<unsigned>(choices - 1)) - 1; bit >= 0; --bit) {
      if (free_bits == 0) payload.push_back(0), free_bits = 8;
      payload.back() |= static_cast<std::uint8_t>((number >> bit & 1) << --free_bits);
    }
  }
};

// The name of a game in a certificate, which has no use for a variant of its start ("othello6:parallel").
template <Game G>
std::string certificate_name(const G& game) {
  if constexpr (requires { game.certificate_name(); })
    return game.certificate_name();
  else
    return game.name();
}

// The whole file. `position` is the root as text.
inline std::string certificate_file(std::string_view game, std::string_view scoring, std::string_view position,
                                    Bounds bounds, int leaf_empties, const Witnesses& proof) {
  std::string file = "rlscout certificate 1\n";
  const auto line = [&](std::string_view name, std::string_view value) {
    file.append(name).append(" ").append(value).append("\n");
  };
  line("game", game);
  line("scoring", scoring);
  line("position", position);
  line("lower", std::to_string(bounds.lower));
  line("upper", std::to_string(bounds.upper));
  line("leaf_empties", std::to_string(leaf_empties));
  line("grade", "checked");
  line("positions", std::to_string(proof.positions));
  line("witnesses", std::to_string(proof.witnesses));
  line("leaves", std::to_string(proof.leaves));
  line("bytes", std::to_string(proof.payload.size()));
  std::uint32_t crc = ~0u;  // CRC-32 as in zlib, bit by bit
  const auto sum = [&](std::uint8_t byte) {
    crc ^= byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  };
  for (const char c : file) sum(static_cast<std::uint8_t>(c));
  for (const std::uint8_t byte : proof.payload) sum(byte);
  std::string digits;
  for (int shift = 28; shift >= 0; shift -= 4) digits += "0123456789abcdef"[~crc >> shift & 15];
  line("crc32", digits);
  return file.append(proof.payload.begin(), proof.payload.end());
}

// P is a prover with a table to ask: known(position) -> optional entry with bounds and cost.
template <Game G, class P>
  requires Prover<P, G>
class CertificateWalk {
 public:
  using Position = typename G::Position;

  CertificateWalk(const G& game, P& prover, int leaf_empties)
      : game_(game), prover_(prover), leaf_empties_(leaf_empties) {}

  // Walks the proof of bounds.lower <= score(root) <= bounds.upper. kDisproved: that is not so; kUnknown: the budget ended.
  Verdict walk(const Position& root, Bounds bounds, Budget& budget) {
    budget_ = &budget;
    for (const Section section : {Section{Kind::kAtLeast, bounds.lower}, Section{Kind::kAtMost, bounds.upper}}) {
      section_ = section;
      const bool vacuous =
          section.kind == Kind::kAtLeast ? section.bound <= -game_.max_score() : section.bound >= game_.max_score();
      const Verdict verdict = vacuous ? Verdict::kProved : walk_section(root);
      if (verdict != Verdict::kProved) return verdict;
      done_.store(0.5);
    }
    done_.store(1.0);
    return Verdict::kProved;
  }

  const Witnesses& witnesses() const { return witnesses_; }
  double done() const {
    return done_.load(std::memory_order_relaxed);
  }  // rough share, 0 to 1, readable from any thread

 private:
  enum class Kind : std::uint8_t { kAtLeast, kAtMost };
  static Kind other(Kind kind) { return kind == Kind::kAtLeast ? Kind::kAtMost : Kind::kAtLeast; }

  struct Section {
    Kind kind;  // of the root's claim, and its bound
    int bound;
  };
  struct Listed {
    Position position;
    Kind kind;
    bool operator==(const Listed&) const = default;
  };
  struct Hash {
    const G* game;
    std::size_t operator()(const Listed& claim) const {
      return game->key(claim.position) + static_cast<std::size_t>(claim.kind);
    }
  };
  struct Level {
    explicit Level(const G& game) : known(16, Hash{&game}) {}
    void add(const Listed& claim) {
      if (known.insert(claim).second) claims.push_back(claim);
    }
    std::vector<Listed> claims;
    std::unordered_set<Listed, Hash> known;
  };
  // A claim settled at sight (or false at sight), or the one to be listed for it.
  struct Reduced {
    Verdict at_sight;  // kUnknown: `claim` is to be listed
    Listed claim;
  };

  int bound_of(Kind kind) const { return kind == section_.kind ? section_.bound : -section_.bound; }

  Verdict walk_section(const Position& root) {
    const double begin = done();
    const int top = game_.empties(root);
    const Reduced reduced = reduce(root, section_.kind);
    if (reduced.at_sight != Verdict::kUnknown) return reduced.at_sight;
    const auto entry = prover_.known(reduced.claim.position);
    if (!entry || !implies(entry->bounds, reduced.claim))
      if (const Verdict verdict = prove(reduced.claim); verdict != Verdict::kProved) return verdict;
    Level level(game_);
    level.add(reduced.claim);
    for (int empties = top; !level.claims.empty(); --empties) {
      witnesses_.positions += std::ssize(level.claims);
      if (empties <= leaf_empties_) {
        witnesses_.leaves += std::ssize(level.claims);
        break;
      }
      std::optional<Level> following = expand(level);
      if (!following) return Verdict::kUnknown;
      level = std::move(*following);
      done_.store(begin + 0.5 * (top - empties + 1) / (top - leaf_empties_ + 1));
    }
    return Verdict::kProved;
  }

  // Calls visit(move) for every legal move in ascending order of squares, which need not be that of a game's bits.
  template <class Visit>
  void for_each_move(const Position& position, Visit visit) const {
    std::array<std::uint64_t, G::kWords> squares;
    game_.pack_moves(game_.legal(position), squares.data());
    for (int word = 0; word < G::kWords; ++word)
      for_each_bit(squares[static_cast<std::size_t>(word)], [&](int bit) { visit(game_.move_at(64 * word + bit)); });
  }

  // The next level; nothing where the budget ends.
  std::optional<Level> expand(const Level& level) {
    Level following(game_);
    std::vector<Reduced> children;
    for (const Listed& claim : level.claims) {
      if (++walked_ % 1024 == 0) budget_->spend(0);
      if (budget_->ended()) return std::nullopt;
      children.clear();
      for_each_move(claim.position, [&](Move move) {
        children.push_back(reduce(game_.play(claim.position, move), other(claim.kind)));
      });
      if (claim.kind == Kind::kAtLeast) {
        const int chosen = witness(claim, children, following);
        if (chosen < 0) return std::nullopt;
        witnesses_.append(chosen, static_cast<int>(children.size()));
        ++witnesses_.witnesses;
        children = {children[static_cast<std::size_t>(chosen)]};
      }
      for (const Reduced& child : children)
        if (child.at_sight == Verdict::kUnknown) following.add(child.claim);
    }
    return following;
  }

  // The number of a child that proves a true claim "at least", the cheapest for the checker as far as one can see; -1: the
  // budget ended.
  int witness(const Listed& claim, const std::vector<Reduced>& children, const Level& following) {
    // 1. Nothing more to check: settled at sight, or listed already.
    const int count = static_cast<int>(children.size());
    for (int i = 0; i < count; ++i)
      if (children[static_cast<std::size_t>(i)].at_sight == Verdict::kProved) return i;
    for (int i = 0; i < count; ++i) {
      const Reduced& child = children[static_cast<std::size_t>(i)];
      if (child.at_sight == Verdict::kUnknown && following.known.contains(child.claim)) return i;
    }
    // 2. Proven, says the table: the one whose proof took the least.
    int best = -1, least = 0;
    for (int i = 0; i < count; ++i) {
      const Reduced& child = children[static_cast<std::size_t>(i)];
      if (child.at_sight != Verdict::kUnknown) continue;
      const auto entry = prover_.known(child.claim.position);
      if (entry && implies(entry->bounds, child.claim) && (best < 0 || entry->cost < least))
        best = i, least = entry->cost;
    }
    if (best >= 0) return best;
    // 3. To be proved again: first the move that a search of the claim names, then any.
    const Proof proof = prover_.prove({claim.position, bound_of(claim.kind)}, *budget_);
    int named = 0, at = 0;
    for_each_move(claim.position, [&](Move move) {
      if (move == proof.move) named = at;
      ++at;
    });
    for (int i = 0; i < count && !budget_->ended(); ++i) {
      const int number = i == 0 ? named : i <= named ? i - 1 : i;
      const Reduced& child = children[static_cast<std::size_t>(number)];
      if (child.at_sight == Verdict::kUnknown && prove(child.claim) == Verdict::kProved) return number;
    }
    return -1;
  }

  bool implies(const Bounds& bounds, const Listed& claim) const {
    return claim.kind == Kind::kAtLeast ? bounds.lower >= bound_of(claim.kind) : bounds.upper <= bound_of(claim.kind);
  }

  Verdict prove(const Listed& claim) {
    if (claim.kind == Kind::kAtLeast) return prover_.prove({claim.position, bound_of(claim.kind)}, *budget_).verdict;
    switch (prover_.prove({claim.position, bound_of(claim.kind) + 1}, *budget_).verdict) {
      case Verdict::kProved:
        return Verdict::kDisproved;
      case Verdict::kDisproved:
        return Verdict::kProved;
      default:
        return Verdict::kUnknown;
    }
  }

  // At sight, or after a pass where one is due, or folded: the first three steps of "add".
  Reduced reduce(Position position, Kind kind) const {
    for (;;) {
      const auto [low, high] = at_sight(position);
      const int bound = bound_of(kind);
      if (kind == Kind::kAtLeast ? low >= bound : high <= bound) return {Verdict::kProved, {}};
      if (kind == Kind::kAtLeast ? high < bound : low > bound) return {Verdict::kDisproved, {}};
      if (game_.phase(position) != Phase::kPass) return {Verdict::kUnknown, {fold(position), kind}};
      position = game_.play(position, kPass);
      kind = other(kind);
    }
  }

  std::pair<int, int> at_sight(const Position& position) const {
    if constexpr (requires { game_.bounds_at_sight(position); }) return game_.bounds_at_sight(position);
    if (game_.phase(position) == Phase::kOver) return {game_.score(position), game_.score(position)};
    return {-game_.max_score(), game_.max_score()};
  }

  // The least image: packed stones read as numbers, own before opponent's.
  Position fold(const Position& position) const {
    Position least = position;
    auto least_number = number(position);
    for (int symmetry = 1; symmetry < game_.symmetries(); ++symmetry) {
      const Position image = game_.transform(position, symmetry);
      if (const auto image_number = number(image); image_number < least_number)
        least = image, least_number = image_number;
    }
    return least;
  }
  auto number(const Position& position) const {
    std::array<std::uint64_t, 2 * G::kWords> words;
    game_.pack(position, words.data());
    std::reverse(words.begin(), words.begin() + G::kWords);
    std::reverse(words.begin() + G::kWords, words.end());
    return words;
  }

  const G& game_;
  P& prover_;
  int leaf_empties_;
  Budget* budget_ = nullptr;
  Section section_{};
  Witnesses witnesses_;
  std::int64_t walked_ = 0;
  std::atomic<double> done_{0.0};
};

}  // namespace rlscout
