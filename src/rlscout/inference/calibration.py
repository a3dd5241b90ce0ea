"""Positions on which a quantised network finds its ranges."""

from __future__ import annotations

import numpy as np

from rlscout.games import game
from rlscout.network import F32, U64, Network, bits, planes

POSITIONS = 512
RANDOM_GAMES = 64


def calibration_planes(network: Network, positions: U64 | None = None) -> F32:
    """Planes [B, 3, rows, columns] of positions [B, 2W] of the network's game; where none are given, of random games."""
    played = game(network.header.game)
    chosen = random_positions(network.header.game) if positions is None else positions
    return planes(chosen, played.engine.legal(chosen), played.rows, played.columns)


def random_positions(name: str, count: int = POSITIONS, seed: int = 1) -> U64:
    """At most `count` different positions where a move is due, [B, 2W], drawn from whole random games."""
    different = np.unique(_random_games(name, seed), axis=0)
    return np.random.default_rng(seed).permutation(different)[:count]


def mean_moves(name: str) -> float:
    """Moves of a random game, passes left out."""
    return len(_random_games(name, seed=1)) / RANDOM_GAMES


def _random_games(name: str, seed: int) -> U64:
    """All positions of some random games where a move is due."""
    engine = game(name).engine
    random = np.random.default_rng(seed)
    boards = np.tile(engine.initial(), (RANDOM_GAMES, 1))
    met: list[U64] = []
    while len(boards := boards[(phases := engine.phase(boards)) != 2]):
        met.append(boards[phases[phases != 2] == 0])
        legal = engine.legal(boards)
        draws = random.random((len(boards), engine.squares)) * bits(legal, engine.squares)
        boards = engine.play(boards, np.where(legal.any(axis=1), draws.argmax(axis=1), -1).astype(np.int32))
    return np.concatenate(met)
