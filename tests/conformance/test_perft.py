"""Leaves of the game tree against the golden counts beside each game's rules, and against the reference rules."""

from __future__ import annotations

from pathlib import Path

import pytest
from boards import ENGINES, IDS
from reference_rules import Board, Rules, rules

from rlscout import native

GAMES = Path(__file__).parents[2] / "native" / "games"
LINES = [
    line.split()
    for file in sorted(GAMES.glob("*/perft.txt"))
    for line in file.read_text("utf-8").splitlines()
    if line and not line.startswith("#")
]


def test_every_game_has_golden_counts() -> None:
    assert {folder.name for folder in GAMES.iterdir()} == {file.parent.name for file in GAMES.glob("*/perft.txt")}


@pytest.mark.parametrize(
    ("game", "depth", "leaves"),
    [pytest.param(game, int(depth), int(n), id=f"{game}-{depth}") for game, depth, n in LINES],
)
def test_golden_counts(game: str, depth: int, leaves: int) -> None:
    engine = native.engine(game)
    assert engine.perft(engine.initial(), depth) == leaves


def leaves_of(reference: Rules, board: Board, depth: int) -> int:
    if depth == 0:
        return 1
    moves = reference.legal(board)
    return sum(leaves_of(reference, reference.play(board, move), depth - 1) for move in moves) if moves else 1


@pytest.mark.parametrize("engine", ENGINES, ids=IDS)
def test_counts_of_the_reference_rules(engine: native.Engine) -> None:
    reference = rules(engine.name, engine.scoring)
    depth = 1
    while engine.perft(engine.initial(), depth + 1) <= 1500 and depth < engine.max_plies:
        depth += 1
    assert engine.perft(engine.initial(), depth) == leaves_of(reference, reference.start(), depth)
    assert engine.perft(engine.initial(), 0) == 1
