"""The solver against minimax over the reference rules: random late positions of every kind of game, passes and wipe-outs included.

Boards that no game reaches, windows of any kind, searches in sittings, full tables; best moves and lines are played out. A failure
is shrunk to the smallest position below it that still disagrees, and said in one line.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from boards import ENGINES, IDS
from playouts import PASS, choices, packed_of, step
from reference_rules import Board, Rules, rules

from rlscout import native


def late(engine: native.Engine) -> tuple[int, int]:
    """How many empty squares minimax takes on, and how many positions of them; on large boards the reference rules are slow."""
    return (6, 40) if engine.squares <= 36 else (5, 20) if engine.squares <= 100 else (4, 10)


pytestmark = pytest.mark.parametrize("engine", ENGINES, ids=IDS)


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


@pytest.mark.parametrize("ordering", ["static", "random"])
def test_the_solver_agrees_with_minimax(engine: native.Engine, ordering: str) -> None:
    reference, (empties, positions) = rules(engine.name, engine.scoring), late(engine)
    random = np.random.default_rng(len(engine.name) + empties)
    solver = engine.solver({"table_mb": 1, "ordering": ordering, "threads": 1 + (ordering == "random")})
    for _ in range(positions):
        board = late_board(engine, reference, empties, random)
        score = minimax(reference, board)
        assert answer(engine, solver, board) == (score, score), shrunk(engine, reference, board)


@dataclass(frozen=True)
class Question:
    """How a solver is asked for the score of a board: its options, the window, nodes a sitting, and whether it has been asked for
    the replies before, so that its table is full of bounds."""

    options: native.SolverOptions
    window: tuple[int | None, int | None]
    nodes: int | None
    warm: bool

    @classmethod
    def draw(cls, engine: native.Engine, random: np.random.Generator) -> Question:
        window: tuple[int | None, int | None] = (None, None)
        if random.random() < 0.6:
            lower = int(random.integers(engine.min_score - 1, engine.max_score + 1))
            window = (lower, lower + int(random.integers(1, 5)))
        ordering = str(random.choice(["static", "random"]))
        options: native.SolverOptions = {"table_mb": 1, "ordering": ordering, "threads": int(random.integers(1, 3))}
        nodes = int(random.integers(1, 200)) if random.random() < 0.3 else None
        return cls(options, window, nodes, bool(random.random() < 0.5))

    def ask(self, engine: native.Engine, reference: Rules, board: Board) -> native.SolveResult:
        solver = engine.solver(self.options)
        if self.warm:
            for move in reference.legal(board):
                child = packed_of(engine, reference.play(board, move))
                solver.start(child, lower=-1, upper=1)
                assert solver.wait(60)
        nodes = self.nodes
        while True:
            solver.start(packed_of(engine, board), *self.window, nodes=nodes)
            assert solver.wait(60)
            if (result := solver.result())["status"] != "limit":
                return result
            assert nodes is not None
            nodes *= 2


def complaint(engine: native.Engine, reference: Rules, board: Board, question: Question) -> str | None:
    """What is wrong with the answer: bounds, the move said to reach the lower one, the line said to end in the score."""
    score, result = minimax(reference, board), question.ask(engine, reference, board)
    lower, upper, line = result["lower"], result["upper"], list(result["principal_variation"])
    least, most = question.window
    if not lower <= score <= upper:
        return f"[{lower}, {upper}], minimax says {score}"
    inside = least is None or most is None or (lower < most and upper > least)
    if result["status"] != "proven" or (inside and lower != upper):
        return f"{result['status']} with [{lower}, {upper}]"
    legal, move = reference.legal(board), result["best_move"]
    if not legal:
        return None if line == [] else f"a line of {line} after the end"
    if move == PASS and line == [] and (question.nodes is not None or (least is not None and lower <= least)):
        return None  # a limit cut in, or no lower bound was asked for and the least score is no news
    if move not in legal:
        return f"best move {move}, not of {legal}"
    if -minimax(reference, reference.play(board, move)) < lower:
        return f"best move {move} does not reach {lower}"
    if lower == upper:
        end, sign = board, 1
        for at, move in enumerate(line):
            if move not in reference.legal(end):
                return f"the line {line} breaks the rules at {at}"
            end, sign = reference.play(end, move), -sign
        early = bool(reference.legal(end)) and question.nodes is not None  # a limit may cut a line short
        if sign * minimax(reference, end) != score or (reference.legal(end) and not early):
            return f"the line {line} does not end in {score}"
    return None


def recoloured(engine: native.Engine, board: Board, random: np.random.Generator) -> Board:
    """The board with a share of its stones given to one side or exchanged: mostly one that no game reaches. As it was where the
    game does not know such a board."""
    share, side = random.random(), int(random.choice([-1, 0, 1]))
    changed = [[(side or -stone) if stone and random.random() < share else stone for stone in row] for row in board]
    try:
        engine.validate(packed_of(engine, changed)[None])
    except ValueError:
        return board
    return changed


def fuzz(engine: native.Engine, empties: int, seed: int, rounds: int) -> None:
    reference, random = rules(engine.name, engine.scoring), np.random.default_rng(seed)
    for _ in range(rounds):
        board = late_board(engine, reference, int(random.integers(0, empties + 1)), random)
        if random.random() < 0.6 and len(list(reference.empty_squares(board))) <= empties:
            board = recoloured(engine, board, random)
        question = Question.draw(engine, random)
        if complaint(engine, reference, board, question):
            pytest.fail(smallest(engine, reference, board, question))


def smallest(engine: native.Engine, reference: Rules, board: Board, question: Question) -> str:
    """One line: the last position below that the same question still goes wrong for."""
    for move in reference.legal(board):
        if complaint(engine, reference, child := reference.play(board, move), question):
            return smallest(engine, reference, child, question)
    text = engine.to_text(packed_of(engine, board), True)
    return f"{engine.name} {engine.scoring} {text} {question}: {complaint(engine, reference, board, question)}"


def test_any_question_about_any_board(engine: native.Engine) -> None:
    empties, positions = late(engine)
    fuzz(engine, empties - 1, seed=1, rounds=positions)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2, 12))
def test_any_question_for_long(engine: native.Engine, seed: int) -> None:
    empties, positions = late(engine)
    fuzz(engine, empties, seed, rounds=20 * positions)
