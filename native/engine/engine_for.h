// EngineFor<Game>: the virtual boundary filled in from the templates, once for every game.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <memory>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/bits.h"
#include "core/game.h"
#include "engine/batched_search_for.h"
#include "engine/engine.h"
#include "engine/solver_for.h"
#include "search/labels.h"

namespace rlscout {

// A set of squares in packed order, one word or several.
inline bool packed_contains(const std::uint64_t* words, int square) { return words[square / 64] >> square % 64 & 1; }

inline std::string square_name(int square, int columns) {
  return static_cast<char>('a' + square % columns) + std::to_string(square / columns + 1);
}

// The scoring of a game that knows these, the default first; throws std::invalid_argument for one that it does not know.
inline std::string scoring_of(std::string_view game, std::string_view asked,
                              std::initializer_list<std::string_view> its) {
  if (std::find(its.begin(), its.end(), asked) != its.end()) return std::string(asked);
  if (asked == kDefaultScoring) return std::string(*its.begin());
  std::string allowed;
  for (const std::string_view scoring : its) allowed.append(allowed.empty() ? "'" : ", '").append(scoring).append("'");
  throw std::invalid_argument("scoring '" + std::string(asked) + "' of " + std::string(game) + ": allowed " +
                              (its.size() == 1 ? "is " : "are ") + allowed);
}

template <Game G>
std::uint64_t perft(const G& game, const typename G::Position& position, int depth) {
  if (depth == 0) return 1;
  const auto moves = game.legal(position);
  if (!any(moves)) return game.phase(position) == Phase::kOver ? 1 : perft(game, game.play(position, kPass), depth - 1);
  if (depth == 1) return static_cast<std::uint64_t>(count(moves));
  std::uint64_t leaves = 0;
  for_each_bit(moves,
               [&](int move) { leaves += perft(game, game.play(position, static_cast<Move>(move)), depth - 1); });
  return leaves;
}

template <Game G>
class EngineFor : public Engine {
 public:
  using Position = typename G::Position;
  static constexpr int kWords = G::kWords;

  EngineFor(G game, std::string scoring) : game_(std::move(game)) {
    const int squares = game_.columns() * game_.rows();
    info_ = {game_.name(), std::move(scoring), game_.columns(),   game_.rows(),       squares,
             kWords,       game_.symmetries(), game_.max_plies(), -game_.max_score(), game_.max_score()};
  }

  const GameInfo& info() const override { return info_; }

  std::vector<std::uint64_t> initial() const override {
    std::vector<std::uint64_t> packed(2 * kWords);
    game_.pack(game_.initial(), packed.data());
    return packed;
  }

  void validate(Words positions) const override {
    for (std::size_t i = 0; i < size(positions); ++i) checked(positions, i);
  }

  void legal(Words positions, std::span<std::uint64_t> moves) const override {
    for (std::size_t i = 0; i < size(positions); ++i)
      game_.pack_moves(game_.legal(checked(positions, i)), &moves[i * kWords]);
  }

  void phase(Words positions, std::span<std::uint8_t> phases) const override {
    for (std::size_t i = 0; i < size(positions); ++i)
      phases[i] = static_cast<std::uint8_t>(game_.phase(checked(positions, i)));
  }

  void play(Words positions, std::span<const std::int32_t> moves, std::span<std::uint64_t> next) const override {
    for (std::size_t i = 0; i < size(positions); ++i) {
      const Position position = checked(positions, i);
      game_.pack(game_.play(position, legal_move(position, moves[i], positions, i)), &next[i * 2 * kWords]);
    }
  }

  void score(Words positions, std::span<std::int32_t> scores) const override {
    for (std::size_t i = 0; i < size(positions); ++i) {
      const Position position = checked(positions, i);
      if (game_.phase(position) != Phase::kOver)
        throw std::invalid_argument(which(positions, i) + " is not over: a score needs a finished game");
      scores[i] = game_.score(position);
    }
  }

  void transform(Words positions, std::span<const std::uint8_t> symmetries,
                 std::span<std::uint64_t> images) const override {
    for (std::size_t i = 0; i < size(positions); ++i) {
      if (symmetries[i] >= game_.symmetries())
        throw std::invalid_argument("symmetry " + std::to_string(symmetries[i]) + " of " + which(positions, i) + ": " +
                                    info_.name + " has 0 to " + std::to_string(game_.symmetries() - 1));
      game_.pack(game_.transform(checked(positions, i), symmetries[i]), &images[i * 2 * kWords]);
    }
  }

  void canonical(Words positions, std::span<std::uint64_t> images, std::span<std::uint8_t> symmetries) const override {
    for (std::size_t i = 0; i < size(positions); ++i) {
      const auto least = rlscout::canonical(game_, checked(positions, i));
      game_.pack(least.position, &images[i * 2 * kWords]);
      symmetries[i] = static_cast<std::uint8_t>(least.symmetry);
    }
  }

  std::vector<std::int32_t> symmetry_squares() const override {
    std::vector<std::int32_t> table;
    for (int symmetry = 0; symmetry < info_.symmetries; ++symmetry)
      for (int square = 0; square < info_.squares; ++square)
        table.push_back(game_.square(game_.transform(game_.move_at(square), symmetry)));
    return table;
  }

  std::string to_text(Words position, bool first_to_move) const override {
    checked(position, 0);
    const char own = first_to_move ? 'X' : 'O', opponent = first_to_move ? 'O' : 'X';
    std::string text;
    for (int square = 0; square < info_.squares; ++square)
      text += packed_contains(&position[0], square) ? own : packed_contains(&position[kWords], square) ? opponent : '-';
    return text + ' ' + own;
  }

  std::pair<std::vector<std::uint64_t>, bool> from_text(std::string_view text) const override {
    const std::size_t squares = static_cast<std::size_t>(info_.squares);
    const std::string shape = std::to_string(squares) + " of X, O and -, row by row, a space, then X or O to move";
    if (text.size() != squares + 2 || text[squares] != ' ' || (text.back() != 'X' && text.back() != 'O'))
      throw std::invalid_argument("position '" + std::string(text) + "': " + info_.name + " takes " + shape);
    std::vector<std::uint64_t> packed(2 * kWords);
    for (std::size_t square = 0; square < squares; ++square) {
      const char stone = text[square];
      if (stone == '-') continue;
      if (stone != 'X' && stone != 'O')
        throw std::invalid_argument("position '" + std::string(text) + "': on " +
                                    square_name(static_cast<int>(square), info_.columns) + " is something else; " +
                                    info_.name + " takes " + shape);
      packed[(stone == text.back() ? 0 : kWords) + square / 64] |= std::uint64_t{1} << square % 64;
    }
    checked(packed, 0);
    return {packed, text.back() == 'X'};
  }

  std::uint64_t perft(Words position, int depth) const override {
    if (depth < 0) throw std::invalid_argument("perft of depth " + std::to_string(depth) + ": allowed are 0 and more");
    return rlscout::perft(game_, checked(position, 0), depth);
  }

  PatternShape pattern_shape() const override {
    if constexpr (requires { typename SearchTraits<G>::Patterns; }) {
      using Patterns = typename SearchTraits<G>::Patterns;
      return {Patterns::kFirstStage, Patterns::kStages, Patterns::kStageSize, Patterns::kFeatures};
    }
    return {};
  }

  void pattern_features([[maybe_unused]] Words positions,
                        [[maybe_unused]] std::span<std::int32_t> indices) const override {
    if constexpr (requires { typename SearchTraits<G>::Patterns; }) {
      for (std::size_t i = 0; i < size(positions); ++i) {
        const Position position = checked(positions, i);
        const auto features = SearchTraits<G>::Patterns::features(position, game_.legal(position));
        std::copy(features.begin(), features.end(), &indices[i * features.size()]);
      }
    }
  }

  void exact_labels(Words positions, std::span<const std::int32_t> patterns, std::span<std::int32_t> scores,
                    std::span<std::int64_t> nodes) const override {
    Labeller<G> labeller(game_, knowledge_of<G>(patterns));
    for (std::size_t i = 0; i < size(positions); ++i) {
      const Label label = labeller.label(movable(positions, i));
      scores[i] = label.score, nodes[i] = static_cast<std::int64_t>(label.nodes);
    }
  }

  void labels_ahead(Words positions, std::span<const std::int32_t> patterns,
                    [[maybe_unused]] std::span<std::int32_t> scores,
                    [[maybe_unused]] std::span<std::int32_t> costs) const override {
    auto knowledge = knowledge_of<G>(patterns);
    if constexpr (requires { typename SearchTraits<G>::Patterns; }) {
      const SearchTraits<G> traits(game_, std::move(knowledge));
      Counters counters;
      for (std::size_t i = 0; i < size(positions); ++i) {
        const auto label = traits.ahead(traits.node(movable(positions, i)), counters);
        if (!label) throw std::invalid_argument(which(positions, i) + ": no table is four plies ahead of it");
        scores[i] = label->score, costs[i] = label->cost;
      }
    } else if (!positions.empty()) {
      throw std::invalid_argument(info_.name + " has no pattern tables");
    }
  }

  std::unique_ptr<Solver> solver(const SolverOptions& options) const override {
    try {
      return std::make_unique<SolverFor<G>>(game_, info_, options);
    } catch (const std::bad_alloc&) {
      throw std::invalid_argument("table_mb " + std::to_string(options.table_mb) +
                                  ": the system has not so much memory");
    }
  }

  std::unique_ptr<BatchedSearchJob> batched_search(const SearchOptions& options) const override {
    return std::make_unique<BatchedSearchFor<G>>(game_, options);
  }

 protected:
  static std::size_t size(Words positions) { return positions.size() / (2 * kWords); }

  // What a message calls a position: by its number where there are several.
  static std::string which(Words positions, std::size_t i) {
    return size(positions) == 1 ? "the position" : "position " + std::to_string(i);
  }

  // The position, after checking that its stones can stand so.
  Position checked(Words positions, std::size_t i) const {
    const std::uint64_t* packed = &positions[i * 2 * kWords];
    for (int word = 0; word < kWords; ++word) {
      const int used = std::min(64, info_.squares - 64 * word);
      const std::uint64_t board = used == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << used) - 1;
      if ((packed[word] | packed[kWords + word]) & ~board)
        throw std::invalid_argument(which(positions, i) + " has stones off the board: " + info_.name + " has " +
                                    std::to_string(info_.squares) + " squares");
      if (packed[word] & packed[kWords + word])
        throw std::invalid_argument(which(positions, i) + " has stones of both sides on one square");
    }
    const Position position = game_.unpack(packed);
    if (const std::string fault = game_.fault(position); !fault.empty())
      throw std::invalid_argument(which(positions, i) + " cannot be: " + fault);
    return position;
  }

  Position movable(Words positions, std::size_t i) const {
    const Position position = checked(positions, i);
    if (game_.phase(position) != Phase::kMove)
      throw std::invalid_argument(which(positions, i) + " has no move: a label needs one");
    return position;
  }

  // The native move of a square that is legal in position i of a batch.
  Move legal_move(const Position& position, std::int32_t square, Words positions, std::size_t i) const {
    const Phase phase = game_.phase(position);
    if (square == kPass && phase == Phase::kPass) return kPass;
    if (square >= 0 && square < info_.squares && contains(game_.legal(position), game_.move_at(square)))
      return game_.move_at(square);
    std::string allowed;
    for_each_bit(game_.legal(position),
                 [&](int move) { allowed += ' ' + square_name(game_.square(static_cast<Move>(move)), info_.columns); });
    if (phase == Phase::kPass) allowed = " only a pass";
    if (phase == Phase::kOver) allowed = " nothing, the game is over";
    const bool on_board = square >= 0 && square < info_.squares;
    throw std::invalid_argument("illegal move " +
                                (on_board          ? square_name(square, info_.columns)
                                 : square == kPass ? std::string("pass")
                                                   : std::to_string(square)) +
                                " in " + which(positions, i) + ": allowed is" + allowed);
  }

  G game_;
  GameInfo info_;
};

}  // namespace rlscout
