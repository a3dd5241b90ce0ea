"""The rules of every game once more: slow, on nested lists, and sharing nothing with the native ones. The oracle of the tests.

A board is `board[row][column]` with 1 for a stone of the side to move, -1 for one of its opponent, 0 for an empty square.
"""

from __future__ import annotations

from collections.abc import Iterator

Board = list[list[int]]
Square = tuple[int, int]  # row, column
PASS = -1


class Rules:
    """A game by its engine name; `legal` and `play` speak of square numbers, -1 is a pass."""

    def __init__(self, columns: int, rows: int) -> None:
        self.columns, self.rows = columns, rows

    def start(self) -> Board:
        return [[0] * self.columns for _ in range(self.rows)]

    def empty_squares(self, board: Board) -> Iterator[Square]:
        return ((r, c) for r in range(self.rows) for c in range(self.columns) if board[r][c] == 0)

    def ray(self, square: Square, step: Square) -> list[Square]:
        """The squares after `square` in one direction, up to the edge."""
        (row, column), (down, right) = square, step
        ray: list[Square] = []
        while 0 <= (row := row + down) < self.rows and 0 <= (column := column + right) < self.columns:
            ray.append((row, column))
        return ray

    def legal(self, board: Board) -> list[int]:
        """Squares to move to; [-1] where a pass is due; empty when the game is over."""
        raise NotImplementedError

    def play(self, board: Board, move: int) -> Board:
        raise NotImplementedError

    def score(self, board: Board) -> int:
        raise NotImplementedError


ALL_STEPS = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1) if (down, right) != (0, 0)]


def swapped(board: Board) -> Board:
    return [[-stone for stone in row] for row in board]


class Othello(Rules):
    def __init__(self, size: int, parallel: bool, scoring: str) -> None:
        super().__init__(size, size)
        self.parallel, self.scoring = parallel, scoring

    def start(self) -> Board:
        board, low, high = super().start(), self.rows // 2 - 1, self.rows // 2
        board[high][low] = 1
        board[high][high] = 1 if self.parallel else -1
        board[low][low] = -1
        board[low][high] = -1 if self.parallel else 1
        return board

    def flips(self, board: Board, square: Square) -> list[Square]:
        flipped: list[Square] = []
        for step in ALL_STEPS:
            bracket: list[Square] = []
            for row, column in self.ray(square, step):
                if board[row][column] == 1:
                    flipped += bracket
                if board[row][column] != -1:
                    break
                bracket.append((row, column))
        return flipped

    def moves(self, board: Board) -> list[int]:
        return [r * self.columns + c for r, c in self.empty_squares(board) if self.flips(board, (r, c))]

    def legal(self, board: Board) -> list[int]:
        return self.moves(board) or ([PASS] if self.moves(swapped(board)) else [])

    def play(self, board: Board, move: int) -> Board:
        after = [list(row) for row in board]
        if move != PASS:
            square = divmod(move, self.columns)
            for row, column in [square, *self.flips(board, square)]:
                after[row][column] = 1
        return swapped(after)

    def score(self, board: Board) -> int:
        difference = sum(map(sum, board))
        empties = len(list(self.empty_squares(board)))
        if self.scoring == "discs" or difference == 0:
            return difference
        return difference + empties if difference > 0 else difference - empties


class Mnk(Rules):
    def __init__(self, columns: int, rows: int, line: int) -> None:
        super().__init__(columns, rows)
        squares = [(row, column) for row in range(rows) for column in range(columns)]
        runs = [[s, *self.ray(s, step)][:line] for s in squares for step in ((0, 1), (1, 0), (1, 1), (1, -1))]
        self.lines = [run for run in runs if len(run) == line]

    def opponent_has_line(self, board: Board) -> bool:
        return any(all(board[row][column] == -1 for row, column in line) for line in self.lines)

    def legal(self, board: Board) -> list[int]:
        if self.opponent_has_line(board):
            return []
        return [r * self.columns + c for r, c in self.empty_squares(board)]

    def play(self, board: Board, move: int) -> Board:
        after = [list(row) for row in board]
        row, column = divmod(move, self.columns)
        after[row][column] = 1
        return swapped(after)

    def score(self, board: Board) -> int:
        return -1 if self.opponent_has_line(board) else 0


def rules(name: str, scoring: str = "empties") -> Rules:
    family, _, parameters = name.partition(":")
    if family == "mnk":
        columns, rows, line = map(int, parameters.split(","))
        return Mnk(columns, rows, line)
    return Othello(int(family.removeprefix("othello")), parameters == "parallel", scoring)
