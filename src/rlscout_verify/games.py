"""The rules: what a checker must know of a game, written for reading and shared with no other program.

A position is the pair (own, opponent) of the stones of the side to move and of the other side, each an integer with bit
`square` set for a stone on `square = row * columns + column`; row 0 is the top. Scores are those of the side to move.
"""

import re
from typing import Protocol, Self

Position = tuple[int, int]
Symmetry = list[int]
"""Square `s` goes to `symmetry[s]`."""


class Game(Protocol):
    """The rules of one game on one board. `columns` x `rows` squares; every score lies in [min_score, max_score]."""

    columns: int
    rows: int
    min_score: int
    max_score: int
    rule: str
    """What a score counts, in words."""
    symmetries: list[Symmetry]
    """Of the rules, the identity among them."""

    @classmethod
    def parse(cls, name: str, scoring: str) -> Self | None:
        """The game of a name; None for that of another game, ValueError for wrong parameters and for a scoring of others."""

    def bounds_at_sight(self, position: Position) -> tuple[int, int]:
        """(low, high) with low <= score <= high, from the board alone; low == high wherever the game is over."""

    def legal(self, position: Position) -> list[int]:
        """The squares where the side to move may play, ascending. None, with the game not over: it must pass."""

    def play(self, position: Position, square: int) -> Position:
        """The position after a legal move, seen by the side that moves next."""

    def impossible(self, position: Position) -> str | None:
        """Why no game can reach the position, as far as the rules below rely on it; None where they do not mind."""


class Othello:
    """Othello on size x size squares. The score is the difference in discs; with `scoring` "empties" the squares left
    empty at the end count for the winner."""

    def __init__(self, size: int, scoring: str) -> None:
        self.columns = self.rows = size
        self.max_score = size * size
        self.min_score = -self.max_score
        self.scoring = scoring
        self.rule = "discs, empties to the winner" if scoring == "empties" else "discs only"
        self.symmetries = all_symmetries(size, size)
        self.board = (1 << size * size) - 1
        self.rays = [self._rays_from(square) for square in range(size * size)]

    @classmethod
    def parse(cls, name: str, scoring: str) -> Self | None:
        match = re.fullmatch(r"othello([468])", name)
        if not match:
            return None
        if scoring not in ("empties", "discs"):
            raise ValueError(f"scoring '{scoring}' of {name}: allowed are empties, discs")
        return cls(int(match[1]), scoring)

    def _rays_from(self, square: int) -> list[list[int]]:
        """For each of the eight directions, the single-square masks met on the way to the edge."""
        size = self.columns
        row, column = divmod(square, size)
        rays = []
        for down, right in [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]:
            ray = []
            r, c = row + down, column + right
            while 0 <= r < size and 0 <= c < size:
                ray.append(1 << r * size + c)
                r, c = r + down, c + right
            rays.append(ray)
        return rays

    def _flips(self, position: Position, square: int) -> int:
        """The opponent's discs between a disc put on an empty square and the nearest own disc, in every direction."""
        own, opponent = position
        flips = 0
        for ray in self.rays[square]:
            run = 0
            for bit in ray:
                if opponent & bit:
                    run |= bit
                    continue
                if own & bit:
                    flips |= run
                break
        return flips

    def legal(self, position: Position) -> list[int]:
        empty = self.board & ~(position[0] | position[1])
        return [square for square in squares_of(empty) if self._flips(position, square)]

    def play(self, position: Position, square: int) -> Position:
        own, opponent = position
        flips = self._flips(position, square)
        return opponent & ~flips, own | flips | 1 << square

    def bounds_at_sight(self, position: Position) -> tuple[int, int]:
        own, opponent = position
        if self.legal(position) or self.legal((opponent, own)):
            return self.min_score, self.max_score
        score = own.bit_count() - opponent.bit_count()
        if self.scoring == "empties" and score != 0:
            empties = self.columns * self.rows - (own | opponent).bit_count()
            score += empties if score > 0 else -empties
        return score, score

    def impossible(self, position: Position) -> str | None:
        return None


class Mnk:
    """m,n,k: the first to have `in_a_row` or more stones in a line wins (score 1); a full board is a draw (score 0)."""

    min_score = -1
    max_score = 1
    rule = "1 won, 0 drawn, -1 lost"

    def __init__(self, columns: int, rows: int, in_a_row: int) -> None:
        self.columns = columns
        self.rows = rows
        self.in_a_row = in_a_row
        self.symmetries = all_symmetries(columns, rows)
        self.lines = [
            sum(1 << (row + i * down) * columns + column + i * right for i in range(in_a_row))
            for row in range(rows)
            for column in range(columns)
            for down, right in [(0, 1), (1, 0), (1, 1), (1, -1)]
            if row + (in_a_row - 1) * down < rows and 0 <= column + (in_a_row - 1) * right < columns
        ]
        self.lines = list(dict.fromkeys(self.lines))

    @classmethod
    def parse(cls, name: str, scoring: str) -> Self | None:
        match = re.fullmatch(r"mnk:([1-9]\d?),([1-9]\d?),([1-9]\d?)", name, re.ASCII)
        if not match:
            return None
        columns, rows, in_a_row = map(int, match.groups())
        if max(columns, rows, in_a_row) > 19:
            raise ValueError(f"game '{name}': m, n and k may be 1 to 19")
        if scoring != "line":
            raise ValueError(f"scoring '{scoring}' of {name}: allowed is line")
        return cls(columns, rows, in_a_row)

    def legal(self, position: Position) -> list[int]:
        board = (1 << self.columns * self.rows) - 1
        return list(squares_of(board & ~(position[0] | position[1])))

    def play(self, position: Position, square: int) -> Position:
        own, opponent = position
        return opponent, own | 1 << square

    def bounds_at_sight(self, position: Position) -> tuple[int, int]:
        """Lost where the opponent has a line; won where one move makes a line; else by the potentials of Erdos and
        Selfridge: a side whose open lines (those free of the other's stones) weigh little enough can be kept from all
        of them. A line of s stones weighs 2^s, a full one 2^k."""
        own, opponent = position
        own_potential = opponent_potential = 0
        own_wins = False
        for line in self.lines:
            if not line & own:
                opponent_potential += 1 << (line & opponent).bit_count()
                if line & opponent == line:
                    return -1, -1
            if not line & opponent:
                own_potential += 1 << (line & own).bit_count()
                own_wins = own_wins or (line & ~own).bit_count() == 1
        if own_wins:
            return 1, 1
        full = 1 << self.in_a_row
        return (0 if opponent_potential < full else -1), (0 if 2 * own_potential < full else 1)

    def impossible(self, position: Position) -> str | None:
        if any(line & position[0] == line for line in self.lines):
            return f"the side to move already has {self.in_a_row} in a row"
        return None


def squares_of(stones: int) -> list[int]:
    """The squares of the set bits, ascending."""
    squares = []
    while stones:
        lowest = stones & -stones
        squares.append(lowest.bit_length() - 1)
        stones ^= lowest
    return squares


def all_symmetries(columns: int, rows: int) -> list[Symmetry]:
    """Those of the board, for rules that know no direction: 8 on square boards, 4 on others."""
    images = []
    for transpose in (False, True) if columns == rows else (False,):
        for flip_rows in (False, True):
            for flip_columns in (False, True):
                image = []
                for square in range(columns * rows):
                    row, column = divmod(square, columns)
                    row = rows - 1 - row if flip_rows else row
                    column = columns - 1 - column if flip_columns else column
                    image.append(column * columns + row if transpose else row * columns + column)
                images.append(image)
    return images


GAMES: tuple[type[Game], ...] = (Othello, Mnk)
NAMES = "othello4, othello6, othello8, mnk:M,N,K"


def game(name: str, scoring: str) -> Game:
    """The game of a name as written in a certificate. Raises ValueError for what is no game or no scoring of it."""
    for kind in GAMES:
        if made := kind.parse(name, scoring):
            return made
    raise ValueError(f"unknown game '{name}': allowed are {NAMES}")


def position_to_text(game: Game, position: Position, x_to_move: bool) -> str:
    """The squares row by row as X, O and -, a space, and the side to move."""
    x, o = position if x_to_move else position[::-1]
    squares = ("X" if x >> s & 1 else "O" if o >> s & 1 else "-" for s in range(game.columns * game.rows))
    return f"{''.join(squares)} {'X' if x_to_move else 'O'}"


def position_from_text(game: Game, text: str) -> tuple[Position, bool]:
    """The position of a text, and whether X is to move. Raises ValueError where the text is not one of this board."""
    count = game.columns * game.rows
    if not re.fullmatch(rf"[XO-]{{{count}}} [XO]", text):
        raise ValueError(f"position '{text}': expected {count} squares of X, O or -, a space, and X or O")
    x = sum(1 << square for square in range(count) if text[square] == "X")
    o = sum(1 << square for square in range(count) if text[square] == "O")
    return ((x, o), True) if text[-1] == "X" else ((o, x), False)


def draw(game: Game, position: Position, x_to_move: bool) -> str:
    """The board as rows of text under its column letters."""
    text = position_to_text(game, position, x_to_move)
    letters = "   " + " ".join("abcdefghijklmnopqrs"[: game.columns])
    rows = (text[row * game.columns :][: game.columns] for row in range(game.rows))
    numbered = (f"{number:2} {' '.join(row)}" for number, row in enumerate(rows, start=1))
    return "\n".join([letters, *numbered, f"   {text[-1]} to move"])
