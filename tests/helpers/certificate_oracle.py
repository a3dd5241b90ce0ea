"""Plain minimax and a tiny certificate writer, with rules of their own on strings: the oracle of both checkers.

A position is its text, as in a certificate: the squares row by row, a space, the side to move. Nothing here is shared
with either checker or with the engine; only small games are within reach.
"""

import random
import zlib
from dataclasses import dataclass, field
from functools import cache, cached_property

OTHER = {"X": "O", "O": "X"}
DIRECTIONS = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]


@dataclass(frozen=True)
class OracleGame:
    """The rules of one game, by name and scoring."""

    name: str
    scoring: str

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """Columns, rows, and stones in a row (0: Othello)."""
        if self.name.startswith("othello"):
            return int(self.name[7:]), int(self.name[7:]), 0
        columns, rows, in_a_row = self.name[4:].split(",")
        return int(columns), int(rows), int(in_a_row)

    @cached_property
    def range(self) -> int:
        """The greatest score."""
        return 1 if self.shape[2] else self.shape[0] * self.shape[1]

    def walk(self, square: int, down: int, right: int) -> list[int]:
        """The squares from `square`, itself left out, to the edge."""
        columns, rows, _ = self.shape
        row, column = square // columns + down, square % columns + right
        squares = []
        while 0 <= row < rows and 0 <= column < columns:
            squares.append(row * columns + column)
            row, column = row + down, column + right
        return squares

    def flips(self, text: str, square: int) -> list[int]:
        side, flips = text[-1], []
        for down, right in DIRECTIONS:
            colours = "".join(text[s] for s in self.walk(square, down, right))
            run = len(colours) - len(colours.lstrip(OTHER[side]))
            if colours[run : run + 1] == side:
                flips += self.walk(square, down, right)[:run]
        return flips

    def moves(self, text: str) -> list[int]:
        empty = [s for s in range(len(text) - 2) if text[s] == "-"]
        return empty if self.shape[2] else [s for s in empty if self.flips(text, s)]

    def play(self, text: str, square: int) -> str:
        side = text[-1]
        changed = [square] if self.shape[2] else [square, *self.flips(text, square)]
        squares = "".join(side if s in changed else text[s] for s in range(len(text) - 2))
        return f"{squares} {OTHER[side]}"

    def passed(self, text: str) -> str:
        return text[:-1] + OTHER[text[-1]]

    def has_line(self, text: str, side: str) -> bool:
        in_a_row = self.shape[2]
        for square in range(len(text) - 2):
            for down, right in [(0, 1), (1, 0), (1, 1), (1, -1)]:
                line = [square, *self.walk(square, down, right)][:in_a_row]
                if len(line) == in_a_row and all(text[s] == side for s in line):
                    return True
        return False

    def final_score(self, text: str) -> int | None:
        """The score of a finished game for the side to move; None while it goes on."""
        if self.shape[2]:
            if self.has_line(text, OTHER[text[-1]]):
                return -1
            return None if "-" in text[:-2] else 0
        if self.moves(text) or self.moves(self.passed(text)):
            return None
        own, other, empty = text[:-2].count(text[-1]), text[:-2].count(OTHER[text[-1]]), text[:-2].count("-")
        if self.scoring == "empties" and own != other:
            return own - other + (empty if own > other else -empty)
        return own - other

    def start(self) -> str:
        columns, rows, in_a_row = self.shape
        if in_a_row:
            return "-" * columns * rows + " X"
        half = columns // 2
        squares = ["-"] * columns * rows
        squares[(half - 1) * columns + half] = squares[half * columns + half - 1] = "X"
        squares[(half - 1) * columns + half - 1] = squares[half * columns + half] = "O"
        return "".join(squares) + " X"


@cache
def reaches(game: OracleGame, text: str, bound: int) -> bool:
    """Whether the score is at least `bound`."""
    score = game.final_score(text)
    if score is not None:
        return score >= bound
    children = [game.play(text, move) for move in game.moves(text)] or [game.passed(text)]
    return any(not reaches(game, child, 1 - bound) for child in children)


def score_of(game: OracleGame, text: str) -> int:
    bound = -game.range
    while reaches(game, text, bound + 1):
        bound += 1
    return bound


def bounds_at_sight(game: OracleGame, text: str) -> tuple[int, int]:
    """docs/certificate.md, section 3."""
    score = game.final_score(text)
    if score is not None:
        return score, score
    in_a_row = game.shape[2]
    if not in_a_row:
        return -game.range, game.range
    if any(game.final_score(game.play(text, move)) == -1 for move in game.moves(text)):
        return 1, 1
    own, other = text[-1], OTHER[text[-1]]
    lines = [[text[s] for s in line] for line in lines_of(game)]
    weight = {side: sum(2 ** line.count(side) for line in lines if OTHER[side] not in line) for side in "XO"}
    return (0 if weight[other] < 2**in_a_row else -1), (0 if 2 * weight[own] < 2**in_a_row else 1)


@cache
def lines_of(game: OracleGame) -> list[list[int]]:
    columns, rows, in_a_row = game.shape
    runs = {
        tuple(sorted([square, *game.walk(square, down, right)][:in_a_row]))
        for square in range(columns * rows)
        for down, right in DIRECTIONS
    }
    return [list(run) for run in sorted(runs) if len(run) == in_a_row]


def folded(game: OracleGame, text: str) -> str:
    """The symmetric image whose stones make the least pair of numbers (own, other), square s worth 2^s."""
    columns, rows, _ = game.shape
    board = [text[row * columns : (row + 1) * columns] for row in range(rows)]
    images = []
    for _ in range(2):
        for _ in range(2):
            board = board[::-1]
            for _ in range(2):
                board = [row[::-1] for row in board]
                images.append("".join(board))
        if columns != rows:
            break
        board = ["".join(column) for column in zip(*board, strict=True)]
    own, digits = text[-1], str.maketrans
    zeros_and_ones = [digits({own: "1", OTHER[own]: "0", "-": "0"}), digits({own: "0", OTHER[own]: "1", "-": "0"})]
    least = min(images, key=lambda image: [image[::-1].translate(table) for table in zeros_and_ones])
    return f"{least} {own}"


@dataclass
class Writer:
    """Writes the proof of `lower <= score(root) <= upper`; `worst` takes the last witness that works, not the first.

    With a `forger` the claim need not be true: the file is as good as its form allows, passes over what is false at sight and
    takes any witness where none works."""

    game: OracleGame
    root: str
    lower: int
    upper: int
    leaf_empties: int = 0
    worst: bool = False
    forger: random.Random | None = None
    bits: str = ""
    counts: dict[str, int] = field(default_factory=lambda: {"positions": 0, "witnesses": 0, "leaves": 0})

    def certificate(self) -> bytes:
        if self.lower > -self.game.range:
            self.section(True, self.lower)
        if self.upper < self.game.range:
            self.section(False, self.upper)
        payload = bytes(int(self.bits[i : i + 8].ljust(8, "0"), 2) for i in range(0, len(self.bits), 8))
        header = {
            "game": self.game.name,
            "scoring": self.game.scoring,
            "position": self.root,
            "lower": self.lower,
            "upper": self.upper,
            "leaf_empties": self.leaf_empties,
            "grade": "checked",
            **self.counts,
            "bytes": len(payload),
        }
        return assemble("rlscout certificate 1", header, payload)

    def section(self, root_at_least: bool, root_bound: int) -> None:
        level: dict[str, None] = {}
        self.add(level, self.root, root_at_least, root_bound)
        while level:
            self.counts["positions"] += len(level)
            if next(iter(level))[:-2].count("-") <= self.leaf_empties:
                self.counts["leaves"] += len(level)
                return
            following: dict[str, None] = {}
            for text in level:
                at_least = (text[-1] == self.root[-1]) == root_at_least
                bound = root_bound if text[-1] == self.root[-1] else -root_bound
                for move in self.witness(text, bound) if at_least else self.game.moves(text):
                    self.add(following, self.game.play(text, move), not at_least, -bound)
            level = following

    def witness(self, text: str, bound: int) -> list[int]:
        moves = self.game.moves(text)
        working = [n for n, move in enumerate(moves) if not reaches(self.game, self.game.play(text, move), 1 - bound)]
        if self.forger:
            working = [self.forger.choice(working or range(len(moves)))]
        number = working[-1 if self.worst else 0]
        width = (len(moves) - 1).bit_length()
        self.bits += f"{number:0{width}b}" if width else ""
        self.counts["witnesses"] += 1
        return [moves[number]]

    def add(self, level: dict[str, None], text: str, at_least: bool, bound: int) -> None:
        """A section has one kind of claim for each side to move, so that the text alone names the claim."""
        low, high = bounds_at_sight(self.game, text)
        if low >= bound if at_least else high <= bound:
            return
        if high < bound if at_least else low > bound:
            assert self.forger, "the claim is false"
            return
        if not self.game.moves(text):
            self.add(level, self.game.passed(text), not at_least, -bound)
        else:
            level[folded(self.game, text)] = None


def assemble(magic: str, header: dict[str, object], payload: bytes) -> bytes:
    """A file from its parts, with the checksum that belongs to them."""
    lines = "".join([f"{magic}\n"] + [f"{name} {value}\n" for name, value in header.items()]).encode()
    return lines + f"crc32 {zlib.crc32(payload, zlib.crc32(lines)):08x}\n".encode() + payload
