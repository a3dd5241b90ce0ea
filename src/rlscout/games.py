"""Games for Python: names, squares, moves as text, positions one can look at, and records of whole games.

The rules are native; a `Position` here is a value with colour, for people and files, above the colourless packed
position (`uint64[2 * words]`: stones of the side to move, then the opponent's) that the native core, samples and
networks share.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlscout import draw, native
from rlscout.config import nearest, path_name

SHORT_NAMES = {
    "tictactoe": "mnk:3,3,3",
    "gomoku8": "mnk:8,8,5",
    "gomoku9": "mnk:9,9,5",
    "gomoku15": "mnk:15,15,5",
}
OTHELLO_NAMES = tuple(f"othello{size}{start}" for size in (4, 6, 8) for start in ("", ":parallel"))
PASS = -1

Moves = str | int | np.integer[Any] | Iterable[str | int | np.integer[Any]]
"""Text as in `e4c5`, a square (-1: a pass), or several of either; ValueError names what is none of these."""

_TOKEN = re.compile(r"([a-zA-Z])([0-9]{1,2})|(pass|--|ps|pa)", re.IGNORECASE)


def canonical_name(name: str) -> str:
    """The engine's name of a game, which may be given by a short name (tictactoe -> mnk:3,3,3)."""
    return SHORT_NAMES.get(name.strip().lower(), name.strip())


def game(name: str, scoring: str = "empties") -> Game:
    """The game of that name, such as `othello6`, `tictactoe` or `mnk:7,7,5`; ValueError names the nearest known one.

    `scoring`: for Othello, "empties" (the winner takes the empty squares) or "discs"; other games have one of their own."""
    return _game(canonical_name(name), scoring)


@lru_cache(maxsize=32)
def _game(name: str, scoring: str) -> Game:
    try:
        engine = native.engine(name, scoring)
    except ValueError as error:
        if not str(error).startswith("unknown game"):
            raise
        hint = nearest(name, [*OTHELLO_NAMES, *SHORT_NAMES, "mnk:M,N,K"])
        raise ValueError(f"unknown game '{name}'; {hint}; `rlscout games` lists them") from None
    own = engine.name, engine.scoring
    return Game(engine) if (name, scoring) == own else _game(*own)


class Game:
    """One game: its board and its positions. Safe to share; get one by `rlscout.game(name)`. Games of one name and scoring are
    equal; a copy, and what comes out of a pickle, is the game itself."""

    def __init__(self, engine: native.Engine) -> None:
        self.engine = engine
        self.name: str = engine.name
        self.scoring: str = engine.scoring
        self.columns: int = engine.columns
        self.rows: int = engine.rows
        self.squares: int = engine.squares
        self.words: int = engine.words

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Game):
            return NotImplemented
        return (self.name, self.scoring) == (other.name, other.scoring)

    def __hash__(self) -> int:
        return hash((self.name, self.scoring))

    def __reduce__(self) -> tuple[Any, tuple[str, str]]:
        return game, (self.name, self.scoring)

    def __repr__(self) -> str:
        scoring = f", {self.scoring!r}" if self.scoring == "discs" else ""
        return f"rlscout.game({self.name!r}{scoring})"

    @property
    def file_name(self) -> str:
        """The name in those of files and folders: the short one where there is one (`tictactoe`), else as in `mnk-6-5-4`."""
        short = [name for name, full in SHORT_NAMES.items() if full == self.name]
        return short[0] if short else path_name(self.name)

    @cached_property
    def start(self) -> Position:
        """The position at ply 0; `X` is to move."""
        return Position(self, self.engine.initial(), True)

    def position(self, text: str) -> Position:
        """The position of a text: squares row by row (`X`, `O`, `-`), then the side to move, as in `--------- X`; the semicolon that
        ends it in a file of positions may stay."""
        packed, first_to_move = self.engine.from_text(text.strip().removesuffix(";").rstrip())
        return Position(self, packed, first_to_move)

    def play(self, moves: Moves) -> Position:
        """The position after `moves` from the start, as in `e4c5`; passes may be left out. See `Position.play`."""
        return self.start.play(moves)

    def square(self, name: str) -> int:
        """The number of a square: row * columns + column; ValueError names one off the board."""
        squares = self.parse_moves(name)
        if len(squares) != 1 or squares[0] == PASS:
            raise ValueError(f"'{name}' is not a square; allowed are a1 to {self.square_name(self.squares - 1)}")
        return squares[0]

    def square_name(self, square: int) -> str:
        """The name of a square, `--` for a pass (-1); ValueError where it is off the board."""
        if not PASS <= square < self.squares:
            raise ValueError(
                f"square {square} is off the board of {self.name}; allowed are 0 to {self.squares - 1}, -1: pass"
            )
        return draw.square_name(square, self.columns)

    def moves_text(self, moves: Sequence[int]) -> str:
        """Squares (-1: pass) as text, as in `e4c5--d3`."""
        return "".join(self.square_name(move) for move in moves)

    def parse_moves(self, moves: Moves) -> list[int]:
        """Squares (-1: pass) of a text such as `e4c5`, `e4 c5`, `e4, c5`, in which `--` or `pass` is a pass; of squares; of several
        of either."""
        if isinstance(moves, str):
            return self._parse_text(moves)
        if isinstance(moves, (int, np.integer)):
            return [int(moves)]
        if not isinstance(moves, Iterable):
            raise ValueError(f"moves {moves!r}: allowed are text as in e4c5, squares (-1: pass), or several of either")
        return [square for move in moves for square in self.parse_moves(move)]

    def _parse_text(self, text: str) -> list[int]:
        squares: list[int] = []
        at = 0
        while at < len(text):
            if text[at] in " ,;\t\n":
                at += 1
                continue
            token = _TOKEN.match(text, at)
            if token is None:
                raise ValueError(f"cannot read a move at '{text[at : at + 6]}'; moves look like e4c5, a pass like --")
            squares.append(self._square_of(token))
            at = token.end()
        return squares

    def _square_of(self, token: re.Match[str]) -> int:
        if token.group(3):
            return PASS
        column, row = ord(token.group(1).lower()) - ord("a"), int(token.group(2)) - 1
        if not (column < self.columns and 0 <= row < self.rows):
            last = self.square_name(self.squares - 1)
            raise ValueError(f"square '{token.group(0)}' is off the board of {self.name}; allowed are a1 to {last}")
        return row * self.columns + column


@dataclass(frozen=True, eq=False)
class Position:
    """A position of a game, with colour: an immutable value."""

    game: Game
    packed: NDArray[np.uint64]
    """[2 * words]: the stones of the side to move, then of the opponent."""
    first_to_move: bool
    """Whether the side to move is `X`, the one that moves first from the start."""

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Position):
            return NotImplemented
        return self.game == other.game and self.text == other.text

    def __hash__(self) -> int:
        return hash((self.game, self.text))

    def __repr__(self) -> str:
        scoring = " discs" if self.game.scoring == "discs" else ""
        return f"<{self.game.name}{scoring} {self.text}>"

    def __str__(self) -> str:
        return self.show()

    @cached_property
    def text(self) -> str:
        """Squares row by row, then the side to move; `Game.position` reads it back."""
        return self.game.engine.to_text(self.packed, self.first_to_move)

    @cached_property
    def key(self) -> bytes:
        """Equal for a position and its images under the symmetries of the board, whoever is to move."""
        folded: bytes = self.game.engine.canonical(self.packed[None])[0].tobytes()
        return folded

    @property
    def to_move(self) -> str:
        return "X" if self.first_to_move else "O"

    @cached_property
    def phase(self) -> int:
        """0: a move is due, 1: a pass is due, 2: the game is over."""
        return int(self.game.engine.phase(self.packed[None])[0])

    @property
    def over(self) -> bool:
        return self.phase == 2

    @property
    def empties(self) -> int:
        return self.text.split(" ")[0].count("-")

    @cached_property
    def legal_squares(self) -> list[int]:
        """Squares of the legal moves, in order; none where a pass is due or the game is over."""
        mask = self.game.engine.legal(self.packed[None])[0]
        return [s for s in range(self.game.squares) if int(mask[s // 64]) >> (s % 64) & 1]

    def legal(self) -> list[str]:
        """Names of the legal moves; `["--"]` where a pass is due, empty when the game is over."""
        if self.phase == 1:
            return ["--"]
        return [self.game.square_name(s) for s in self.legal_squares]

    def play(self, moves: Moves) -> Position:
        """The position after `moves`: names (`"e4c5"`, `["e4", "c5"]`) or squares (`22`, `[22, 26]`, -1 for a pass). Passes may be left
        out.

        ValueError names an illegal move, the position it was played in, and the legal moves."""
        position = self
        for square in self.game.parse_moves(moves):
            if position.phase == 1 and square != PASS:
                position = position._step(PASS)
            position = position._step(square)
        return position

    def _step(self, square: int) -> Position:
        fits = square == PASS if self.phase == 1 else square in self.legal_squares
        if not fits:
            allowed = " ".join(self.legal()) or "none: the game is over"
            raise ValueError(f"illegal move {self.game.square_name(square)} in {self.text}; legal: {allowed}")
        packed = self.game.engine.play(self.packed[None], np.array([square], np.int32))[0]
        return Position(self.game, packed, not self.first_to_move)

    def score(self) -> int:
        """The score of a finished game for the side to move; ValueError where the game is not over."""
        return int(self.game.engine.score(self.packed[None])[0])

    def symmetric(self) -> list[Position]:
        """The position under every symmetry of the board, the identity first."""
        count = self.game.engine.symmetries
        images = self.game.engine.transform(np.repeat(self.packed[None], count, 0), np.arange(count, dtype=np.uint8))
        return [Position(self.game, image, self.first_to_move) for image in images]

    def show(self) -> str:
        """The board as text: X, O, `.` for an empty square and `*` where a move is legal; then who is to move."""
        board = draw.board_text(
            self.text.split(" ")[0], self.game.columns, self.legal_squares if self._few_legal else ()
        )
        return f"{board}\n{self._caption()}"

    @property
    def _few_legal(self) -> bool:
        """Marking legal moves helps where not every empty square is one."""
        return len(self.legal_squares) < self.empties

    def _caption(self) -> str:
        if self.over:
            score = self.score()
            winner = "draw" if score == 0 else f"{self.to_move if score > 0 else 'XO'[self.first_to_move]} wins"
            return f"over: {winner}" + (f" by {abs(score)}" if score and self.game.name.startswith("othello") else "")
        return f"{self.to_move} to move" + (", must pass" if self.phase == 1 else "")

    def svg(self, **options: Any) -> str:
        """One SVG element; options of `rlscout.draw.board_svg`."""
        return draw.board_svg(self.text.split(" ")[0], self.game.columns, **options)

    def _repr_svg_(self) -> str:
        return self.svg(title=self._caption())

    def _repr_html_(self) -> str:
        return f"<div>{self._repr_svg_()}</div>"


def check_position(given: object) -> None:
    """ValueError where it is no `Position`, for those that are handed one by a person."""
    if not isinstance(given, Position):
        raise ValueError(f"{given!r} is not a position; `rlscout.game('othello6').play('e4c5')` gives one")


@dataclass(frozen=True)
class GameRecord:
    """A game as it was played: where it started, and every move, passes (-1) included."""

    start: Position
    moves: tuple[int, ...]

    @classmethod
    def of(cls, start: Position, moves: Moves) -> GameRecord:
        """The record of moves that may leave passes out; they are filled in, also one due after the last move."""
        filled: list[int] = []
        position = start
        for square in start.game.parse_moves(moves):
            if position.phase == 1 and square != PASS:
                position = position.play(PASS)
                filled.append(PASS)
            position = position.play(square)
            filled.append(square)
        if position.phase == 1:
            filled.append(PASS)
        return cls(start, tuple(filled))

    def positions(self) -> Iterator[Position]:
        """From the start to the last position, one more than there are moves."""
        position = self.start
        yield position
        for move in self.moves:
            position = position.play(move)
            yield position

    @property
    def last(self) -> Position:
        return self.start.play(self.moves)

    @property
    def text(self) -> str:
        return self.start.game.moves_text(self.moves)

    def score(self) -> int:
        """The result for the side that moved first in this record; ValueError where the game is not over."""
        last = self.last
        return last.score() if len(self.moves) % 2 == 0 else -last.score()


def random_positions(played: Game, count: int, low: int, high: int, seed: int) -> list[Position]:
    """Positions of random games with `low` to `high` empty squares where a move is due, no two of them alike by
    symmetry; ValueError where there are fewer than `count`."""
    if low > high:
        raise ValueError(f"{low} to {high} empty squares: the fewest come first")
    generator = random.Random(seed)
    made: list[Position] = []
    seen: set[bytes] = set()
    for _ in range(1000 * count):
        wanted = generator.randint(low, high)
        position = played.start
        while position.empties > wanted and not position.over:
            position = position.play([generator.choice(position.legal_squares) if position.phase == 0 else -1])
        if position.phase != 0 or position.empties != wanted:
            continue
        if position.key not in seen:
            seen.add(position.key)
            made.append(position)
        if len(made) == count:
            return made
    empties = f"{low}" if low == high else f"{low} to {high}"
    raise ValueError(
        f"{played.name}: fewer than {count} different random positions of {empties} empty squares: ask for fewer of them, "
        "or of other empties"
    )
