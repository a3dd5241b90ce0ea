"""The solver against minimax over the reference rules: random late positions of every kind of game, passes and wipe-outs included.

A failure is shrunk to the smallest position below it that still disagrees, and said in one line.
"""

from __future__ import annotations

import numpy as np
import pytest
from playouts import choices, packed_of, step
from reference_rules import Board, Rules, rules

from rlscout import native

GAMES = [
    ("othello4", "empties", 7, 40),
    ("othello4", "discs", 7, 40),
    ("othello4:parallel", "empties", 6, 30),
    ("othello6", "empties", 6, 40),
    ("othello6", "discs", 5, 40),
    ("othello8", "empties", 5, 30),
    ("mnk:3,3,3", "empties", 6, 30),
    ("mnk:4,4,3", "empties", 6, 30),
    ("mnk:5,4,4", "empties", 6, 30),
    ("mnk:9,9,5", "empties", 5, 20),
]


def minimax(reference: Rules, board: Board) -> int:
    moves = reference.legal(board)
    if not moves:
        return reference.score(board)
    return max(-minimax(reference, reference.play(board, move)) for move in moves)


def late_board(engine: native.Engine, reference: Rules, empties: int, random: np.random.Generator) -> Board:
    position, board = engine.initial(), reference.start()
    while len(list(reference.empty_squares(board))) > empties and (legal := choices(engine, position)):
        move = int(random.choice(legal))
        position, board = step(engine, position, move), reference.play(board, move)
    return board


def answer(engine: native.Engine, solver: native.Solver, board: Board) -> tuple[int, int]:
    solver.start(packed_of(engine, board))
    assert solver.wait(60)
    result = solver.result()
    assert result["status"] == "proven"
    return result["lower"], result["upper"]


def shrunk(engine: native.Engine, reference: Rules, board: Board) -> str:
    """The smallest position below that a fresh solver gets wrong, as one line."""
    for move in reference.legal(board):
        child = reference.play(board, move)
        score = minimax(reference, child)
        if answer(engine, engine.solver({}), child) != (score, score):
            return shrunk(engine, reference, child)
    lower, upper = answer(engine, engine.solver({}), board)
    text = engine.to_text(packed_of(engine, board), True)
    return f"{engine.name} {engine.scoring} {text}: [{lower}, {upper}], minimax says {minimax(reference, board)}"


@pytest.mark.parametrize(("name", "scoring", "empties", "positions"), GAMES)
@pytest.mark.parametrize("ordering", ["static", "random"])
def test_the_solver_agrees_with_minimax(name: str, scoring: str, empties: int, positions: int, ordering: str) -> None:
    engine, reference = native.engine(name, scoring), rules(name, scoring)
    random = np.random.default_rng(len(name) + empties)
    solver = engine.solver({"table_mb": 1, "ordering": ordering, "threads": 1 + (ordering == "random")})
    for _ in range(positions):
        board = late_board(engine, reference, empties, random)
        score = minimax(reference, board)
        assert answer(engine, solver, board) == (score, score), shrunk(engine, reference, board)
