"""Random games played by an engine, and packed positions as other shapes. All from a seed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from rlscout import native

PASS = -1


@dataclass(frozen=True)
class Playout:
    positions: NDArray[np.uint64]  # [plies + 1, 2W], the last one is finished
    moves: list[int]


def squares_of(mask: NDArray[np.uint64], squares: int) -> list[int]:
    return [square for square in range(squares) if int(mask[square // 64]) >> (square % 64) & 1]


def legal_squares(engine: native.Engine, position: NDArray[np.uint64]) -> list[int]:
    return squares_of(engine.legal(position[None])[0], engine.squares)


def choices(engine: native.Engine, position: NDArray[np.uint64]) -> list[int]:
    """The moves there are: squares, [-1] where a pass is due, none when the game is over."""
    return legal_squares(engine, position) or ([PASS] if engine.phase(position[None])[0] == 1 else [])


def step(engine: native.Engine, position: NDArray[np.uint64], move: int) -> NDArray[np.uint64]:
    after: NDArray[np.uint64] = engine.play(position[None], np.array([move], np.int32))[0]
    return after


def playout(engine: native.Engine, random: np.random.Generator) -> Playout:
    """One random game from the start; fails where it is longer than `max_plies`."""
    positions, moves = [engine.initial()], list[int]()
    while legal := choices(engine, positions[-1]):
        moves.append(int(random.choice(legal)))
        positions.append(step(engine, positions[-1], moves[-1]))
        assert len(moves) <= engine.max_plies
    return Playout(np.array(positions), moves)


def sample_positions(engine: native.Engine, games: int, seed: int) -> NDArray[np.uint64]:
    """All positions of some random games, [B, 2W]."""
    random = np.random.default_rng(seed)
    return np.concatenate([playout(engine, random).positions for _ in range(games)])


def board_of(engine: native.Engine, position: NDArray[np.uint64]) -> list[list[int]]:
    """The board of `reference_rules`: [rows][columns], 1 own, -1 opponent, 0 empty."""
    own, opponent = (
        squares_of(position[: engine.words], engine.squares),
        squares_of(position[engine.words :], engine.squares),
    )
    flat = [0] * engine.squares
    for square in own:
        flat[square] = 1
    for square in opponent:
        flat[square] = -1
    return [flat[row * engine.columns : (row + 1) * engine.columns] for row in range(engine.rows)]


def packed_of(engine: native.Engine, board: list[list[int]]) -> NDArray[np.uint64]:
    """The packed position of such a board."""
    packed = [0] * (2 * engine.words)
    for square, stone in enumerate(stone for row in board for stone in row):
        if stone != 0:
            packed[square // 64 + (0 if stone == 1 else engine.words)] |= 1 << square % 64
    return np.array(packed, np.uint64)
