// The Game concept: what every game gives, and all that generic code may assume.
//
// A game is a cheap value that holds its rules (for a family: its parameters); a position is a small trivially copyable
// value *seen by the side to move*: its stones, then the opponent's. Rules are pure functions of positions. There is no
// colour, no history, no heap and no virtual call here; colours live in text and in game records.
//
// Moves are bits of a MoveSet in the layout that suits the game. Squares (row * columns + column, row 0 on top) are what
// the world outside native code sees; square() and move_at() convert.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <type_traits>

namespace rlscout {

using Move = std::int16_t;
inline constexpr Move kPass = -1;

enum class Phase : std::uint8_t {
  kMove,  // legal() is not empty
  kPass,  // the side to move has no move, the opponent has: play(p, kPass) is the only way on
  kOver,  // score() is defined
};

// Besides what the concept asks for, a game may have:
//   std::pair<int, int> bounds_at_sight(position): what the rules show of a score, equal to section 3 of docs/certificate.md,
//     by which the checkers go. Without it only finished games are settled at sight.
//   std::string certificate_name(): its name in certificates, where name() says more than the rules.
template <class G>
concept Game = std::is_trivially_copyable_v<typename G::Position> && std::totally_ordered<typename G::Position> &&
               requires(const G& game, const typename G::Position& position, Move move, int symmetry,
                        std::uint64_t* packed, const std::uint64_t* words) {
                 typename G::MoveSet;
                 { G::kWords } -> std::convertible_to<int>;  // words of one packed bitboard
                 { game.name() } -> std::convertible_to<std::string>;
                 { game.columns() } -> std::convertible_to<int>;
                 { game.rows() } -> std::convertible_to<int>;
                 { game.symmetries() } -> std::convertible_to<int>;  // index 0 is the identity
                 { game.max_plies() } -> std::convertible_to<int>;   // passes included
                 { game.max_score() } -> std::convertible_to<int>;   // the least score is its negative
                 { game.initial() } -> std::same_as<typename G::Position>;
                 // Empty where the side to move must pass or the game is over.
                 { game.legal(position) } -> std::same_as<typename G::MoveSet>;
                 { game.phase(position) } -> std::same_as<Phase>;
                 // The position after a legal move (kPass in phase kPass), seen by the other side.
                 { game.play(position, move) } -> std::same_as<typename G::Position>;
                 // The exact result of a finished position, for the side to move.
                 { game.score(position) } -> std::convertible_to<int>;
                 { game.empties(position) } -> std::convertible_to<int>;
                 { game.key(position) } -> std::same_as<std::uint64_t>;  // a hash, never an identity
                 { game.transform(position, symmetry) } -> std::same_as<typename G::Position>;
                 { game.transform(move, symmetry) } -> std::same_as<Move>;
                 { game.square(move) } -> std::convertible_to<int>;
                 { game.move_at(move) } -> std::same_as<Move>;  // takes a square
                 game.pack(position, packed);                   // 2 * kWords words, see ARCHITECTURE.md
                 { game.unpack(words) } -> std::same_as<typename G::Position>;
                 game.pack_moves(game.legal(position), packed);  // kWords words, bit = square
                 // What is wrong with a position of disjoint stones on the board; empty where nothing is.
                 { game.fault(position) } -> std::same_as<std::string>;
               };

// The least of the symmetric images of a position, and the symmetry that leads there.
template <Game G>
struct Canonical {
  typename G::Position position;
  int symmetry;
};

template <Game G>
Canonical<G> canonical(const G& game, const typename G::Position& position) {
  Canonical<G> least{position, 0};
  for (int symmetry = 1; symmetry < game.symmetries(); ++symmetry) {
    const auto image = game.transform(position, symmetry);
    if (image < least.position) least = {image, symmetry};
  }
  return least;
}

}  // namespace rlscout
