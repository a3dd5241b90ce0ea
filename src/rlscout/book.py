"""The opening book: the exact score of every position after the first plies of a game, folded by symmetry.

    make(game("othello6"), 4, SolveOptions())  ->  Book     proves every position after 4 plies; the others follow from these
    load("othello6")                           ->  Book     the one shipped with the package, None where there is none

The file is text: `%` begins a comment, the first of which names game and scoring; every other line is a position, a semicolon and the
score for the side to move. Nothing in a book is taken on trust by the solver: it answers people, and `rlscout solve --certificate`
proves any entry again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from rlscout.files import write_whole
from rlscout.games import Game, Position, game
from rlscout.solving import Limits, Proof, Solution, SolveOptions, solve_with

FOLDER = "tables"


@dataclass(frozen=True)
class Book:
    """Scores for the side to move, by the key of a position (see `Position.key`)."""

    game: str
    scoring: str
    about: str  # how it was made
    scores: dict[bytes, int]
    positions: tuple[Position, ...]  # those of `scores`, in the same order: by ply, then as met

    def score(self, position: Position) -> int | None:
        """None where the position is not in the book, nor any image of it."""
        if (position.game.name, position.game.scoring) != (self.game, self.scoring):
            return None
        return self.scores.get(position.key)

    def moves(self, position: Position) -> dict[int, int]:
        """Square -> score for the side to move at `position`, of the legal moves that lead to a position of the book."""
        found = {move: self.score(position.play([move])) for move in position.legal_squares}
        return {move: -score for move, score in found.items() if score is not None}

    def save(self, path: Path) -> None:
        lines = [f"% {_title(self.game, self.scoring)}", *(f"% {line}" for line in self.about.splitlines())]
        lines += [
            f"{position.text}; {score:+d}" for position, score in zip(self.positions, self.scores.values(), strict=True)
        ]
        write_whole(path, "\n".join(lines) + "\n")

    @classmethod
    def read(cls, played: Game, path: Path) -> Book:
        """ValueError names the line at fault, or the game that the book is of."""
        about: list[str] = []
        scores: dict[bytes, int] = {}
        positions: list[Position] = []
        title, _, content = path.read_text(encoding="utf-8").partition("\n")
        wanted = f"% {_title(played.name, played.scoring)}"
        if title != wanted:
            raise ValueError(f"{path}: begins with {title[:80]!r}, a book of this game with {wanted!r}")
        for number, line in enumerate(content.splitlines(), 2):
            if line.startswith("%"):
                about.append(line[1:].strip())
                continue
            text, _, score = line.partition(";")
            try:
                position = played.position(text)
                scores[position.key] = int(score)
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}") from None
            positions.append(position)
        return cls(played.name, played.scoring, "\n".join(about), scores, tuple(positions))


def _title(name: str, scoring: str) -> str:
    return f"{name}, scoring {scoring}"


def load(name: str) -> Book | None:
    """The book shipped for a game."""
    played = game(name)
    file = resources.files("rlscout") / FOLDER / f"{played.file_name}.book"
    with resources.as_file(file) as path:
        return Book.read(played, path) if path.exists() else None


def positions_after(played: Game, plies: int) -> list[list[Position]]:
    """For 0 to `plies` plies (a pass is one) the positions that can be reached, one for each class of images; finished games apart."""
    layers = [[played.start]]
    for _ in range(plies):
        following: dict[bytes, Position] = {}
        for position in layers[-1]:
            for move in position.legal_squares or [-1]:
                after = position.play([move])
                if not after.over:
                    following.setdefault(after.key, after)
        layers.append(list(following.values()))
    return layers


def make(
    played: Game,
    plies: int,
    options: SolveOptions,
    about: str,
    on_proof: Callable[[int, int, Solution], None] = lambda number, all, solution: None,
    draft: Path | None = None,
) -> Book:
    """Proves the score of every position after `plies` plies; those before follow from them, move by move.

    `on_proof` hears of each: its number, the number of all, the solution. `draft` keeps what is proven so far: made again with it, after
    whatever ended the first time, a book goes on from there. ValueError where it is no book of this game."""
    layers = positions_after(played, plies)
    proof = Proof(played, options)
    scores = Book.read(played, draft).scores if draft is not None and draft.exists() else {}
    for number, position in enumerate(layers[-1], 1):
        if position.key in scores:
            continue
        solution = solve_with(proof, position, Limits())  # no limit: it ends proven
        if not solution.proven:
            raise RuntimeError(f"{position.text}: not proven but {solution.status}")
        scores[position.key] = solution.lower
        if draft is not None:
            _book(played, about, layers[-1:], scores).save(draft)
        on_proof(number, len(layers[-1]), solution)
    for layer in reversed(layers[:-1]):
        for position in layer:
            scores.setdefault(
                position.key, max(_after(position, move, scores) for move in position.legal_squares or [-1])
            )
    return _book(played, about, layers, scores)


def _book(played: Game, about: str, layers: list[list[Position]], scores: dict[bytes, int]) -> Book:
    """Of those positions whose scores are known."""
    known = {p.key: p for layer in layers for p in layer if p.key in scores}
    return Book(played.name, played.scoring, about, {key: scores[key] for key in known}, tuple(known.values()))


def _after(position: Position, move: int, scores: dict[bytes, int]) -> int:
    """The score of a move."""
    after = position.play([move])
    return -(after.score() if after.over else scores[after.key])
