"""The native rules against slow ones written again on nested lists: the same moves, positions and results in random games."""

from __future__ import annotations

import numpy as np
import pytest
from boards import ENGINES, IDS
from numpy.typing import NDArray
from playouts import board_of, choices, packed_of, step
from reference_rules import Mnk, rules, swapped

from rlscout import native


@pytest.mark.parametrize("engine", ENGINES, ids=IDS)
def test_random_games_are_the_same(engine: native.Engine) -> None:
    reference = rules(engine.name, engine.scoring)
    random = np.random.default_rng(8)
    for _ in range(max(2, 600 // engine.squares)):
        position, board = engine.initial(), reference.start()
        while True:
            assert board_of(engine, position) == board
            legal = reference.legal(board)
            assert choices(engine, position) == legal
            if not legal:
                break
            move = int(random.choice(legal))
            position, board = step(engine, position, move), reference.play(board, move)
        assert engine.score(position[None])[0] == reference.score(board)
        assert other_side_scores(engine, position) in (None, reference.score(swapped(board)))


def other_side_scores(engine: native.Engine, position: NDArray[np.uint64]) -> int | None:
    """The score with the other side to move; None where it could not be, or the game then goes on."""
    try:
        return int(engine.score(np.roll(position, engine.words)[None])[0])
    except ValueError:
        return None


SHAPES = [(3, 3, 3), (4, 4, 4), (7, 8, 5), (8, 8, 5), (9, 9, 5), (15, 15, 5), (15, 1, 3), (11, 12, 5)]


@pytest.mark.parametrize(("columns", "rows", "line"), SHAPES)
def test_every_line_wins_and_none_wraps_round_an_edge(columns: int, rows: int, line: int) -> None:
    """K and K + 1 stones at equal distances in square numbers, whether or not they stand in line on the board."""
    reference, engine = Mnk(columns, rows, line), native.engine(f"mnk:{columns},{rows},{line}")
    squares, wins = columns * rows, 0
    for length in (line, line + 1):
        for distance in {1, columns - 1, columns, columns + 1} - {0}:
            for first in range(squares - (length - 1) * distance):
                stones = [first + i * distance for i in range(length)]
                others = [s for s in range(squares) if s not in stones]
                board = reference.start()
                for square in stones:
                    board[square // columns][square % columns] = -1
                for square in others[:: max(1, len(others) // length)][:length]:
                    board[square // columns][square % columns] = 1
                position = packed_of(engine, board)[None]
                if reference.opponent_has_line(swapped(board)) or len(others) < length - 1:
                    with pytest.raises(ValueError, match="the position cannot be"):
                        engine.phase(position)
                    continue
                won = reference.opponent_has_line(board)
                wins += won
                assert engine.phase(position)[0] == (2 if won or not reference.legal(board) else 0)
                assert not won or engine.score(position)[0] == -1
    assert wins > 0
