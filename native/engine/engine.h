// The one virtual boundary: what Python may ask of a game. Each call is a whole job on arrays, never a single move.
//
// B positions, W words per bitboard, S squares. A packed position is 2 * W words: the stones of the side to move, then the
// opponent's; bit square % 64 of word square / 64. Moves are squares, -1 is a pass. Wrong arguments throw
// std::invalid_argument naming what was given and what is allowed.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/value.h"
#include "engine/batched_search_job.h"
#include "engine/solver.h"

namespace rlscout {

struct GameInfo {
  std::string name, scoring;  // scoring: what a score counts, such as "empties", "discs" or "line"
  int columns, rows, squares, words, symmetries, max_plies, min_score, max_score;
};

class Engine {
 public:
  virtual ~Engine() = default;

  virtual const GameInfo& info() const = 0;
  virtual std::vector<std::uint64_t> initial() const = 0;

  // Below, `positions` holds B packed positions one after the other; outputs are sized by the caller.
  virtual void validate(Words positions) const = 0;
  virtual void legal(Words positions, std::span<std::uint64_t> moves) const = 0;  // B * W
  virtual void phase(Words positions, std::span<std::uint8_t> phases) const = 0;  // B, see Phase
  virtual void play(Words positions, std::span<const std::int32_t> moves,
                    std::span<std::uint64_t> next) const = 0;                     // B * 2W, seen by the next side
  virtual void score(Words positions, std::span<std::int32_t> scores) const = 0;  // B, all finished
  virtual void transform(Words positions, std::span<const std::uint8_t> symmetries,
                         std::span<std::uint64_t> images) const = 0;  // B * 2W
  virtual void canonical(Words positions, std::span<std::uint64_t> images,
                         std::span<std::uint8_t> symmetries) const = 0;  // B * 2W, B
  virtual std::vector<std::int32_t> symmetry_squares() const = 0;        // [G, S]: s goes to table[g, s]
  virtual std::string to_text(Words position, bool first_to_move) const = 0;
  virtual std::pair<std::vector<std::uint64_t>, bool> from_text(std::string_view text) const = 0;

  // What a tree or a network expects of a score, in [-1, 1]: (1 - margin) * sign(score) + margin * score / max_score.
  float value_of(int score, float margin) const { return rlscout::value_of(score, info().max_score, margin); }

  // Leaves at `depth` plies; a pass is a ply, a finished game is one leaf.
  virtual std::uint64_t perft(Words position, int depth) const = 0;

  // All zero where the game has no pattern tables; else the weights of its stage that apply to each position: B * features.
  virtual PatternShape pattern_shape() const = 0;
  virtual void pattern_features(Words positions, std::span<std::int32_t> indices) const = 0;

  // Labels of positions with a move to make, whatever their order; `patterns` as in SolverOptions.
  // The exact score, and the nodes that empty tables take to refute the claim one step above it.
  virtual void exact_labels(Words positions, std::span<const std::int32_t> patterns, std::span<std::int32_t> scores,
                            std::span<std::int64_t> nodes) const = 0;
  // What the tables of fewer empties say: the score four plies ahead, log2 of the nodes of a refutation two plies ahead, in
  // the units of the weights. Throws std::invalid_argument where there is no such table.
  virtual void labels_ahead(Words positions, std::span<const std::int32_t> patterns, std::span<std::int32_t> scores,
                            std::span<std::int32_t> costs) const = 0;

  virtual std::unique_ptr<Solver> solver(const SolverOptions& options) const = 0;
  virtual std::unique_ptr<BatchedSearchJob> batched_search(const SearchOptions& options) const = 0;
};

// What callers pass who do not choose a scoring: every game takes it for its own.
inline constexpr std::string_view kDefaultScoring = "empties";

// The engine of a game by name; throws std::invalid_argument naming the families where there is none, and the scorings of the
// game where it has not this one.
std::unique_ptr<Engine> make_engine(std::string_view game, std::string_view scoring);

// Pattern of the names and one-line description of every family built in.
std::vector<std::pair<std::string, std::string>> families();

}  // namespace rlscout
