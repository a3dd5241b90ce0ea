// What every game has besides its rules: a board, the range of its scores, its symmetries.
#pragma once

#include <string>
#include <vector>

namespace verify {

struct Board {
  int columns, rows;
  int max_score;                             // the least score is its negative
  std::string rule;                          // what a score counts, in words
  std::vector<std::vector<int>> symmetries;  // of the rules, the identity among them: square s goes to symmetries[i][s]

  int squares() const { return columns * rows; }
};

// For rules that know no direction: flipped rows, flipped columns, and on a square board both again transposed.
inline std::vector<std::vector<int>> all_symmetries(int columns, int rows) {
  std::vector<std::vector<int>> symmetries;
  for (int i = 0; i < (columns == rows ? 8 : 4); ++i) {
    std::vector<int>& image = symmetries.emplace_back();
    for (int square = 0; square < columns * rows; ++square) {
      const int row = i & 1 ? rows - 1 - square / columns : square / columns;
      const int column = i & 2 ? columns - 1 - square % columns : square % columns;
      image.push_back(i & 4 ? column * columns + row : row * columns + column);
    }
  }
  return symmetries;
}

// The position of a text: the squares row by row as X, O and -, a space, the side to move.
template <class Game>
typename Game::Position position_of(const Game& game, const std::string& text) {
  typename Game::Position position;
  for (int square = 0; square < game.squares(); ++square) {
    const char stone = text[static_cast<size_t>(square)];
    if (stone != '-') Game::put_stone(stone == text.back() ? position.own : position.opponent, square);
  }
  return position;
}

}  // namespace verify
