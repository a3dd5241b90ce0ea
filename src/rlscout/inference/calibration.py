"""Positions on which a quantised network finds its ranges."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from rlscout.games import game
from rlscout.network import F32, U64, Network, bits, planes

POSITIONS = 512
RANDOM_GAMES = 64

TINY = np.float32(np.finfo(np.float32).tiny * 2**40)
"""The least scale: of channels that give nothing."""


def calibration_planes(network: Network, positions: U64 | None = None) -> F32:
    """Planes [B, 3, rows, columns] of positions [B, 2W] of the network's game; where none are given, of random games."""
    played = game(network.header.game)
    chosen = random_positions(network.header.game) if positions is None else positions
    return planes(chosen, played.engine.legal(chosen), played.rows, played.columns)


def activations(network: Network, planes: F32) -> Iterator[F32]:
    """What relu leaves of the tower's layers in order, the stem, then both of each block, for planes [B, 3, rows, columns]: each
    [B, rows, columns, C]. The network is one without batch norm."""
    x = np.maximum(_convolved(planes.transpose(0, 2, 3, 1), network, "stem"), 0)
    yield x
    for block in range(network.header.architecture.blocks):
        inside = np.maximum(_convolved(x, network, f"blocks.{block}.first"), 0)
        yield inside
        x = np.maximum(x + _convolved(inside, network, f"blocks.{block}.second"), 0)
        yield x


def _convolved(x: F32, network: Network, name: str) -> F32:
    """x [B, rows, columns, I] -> [B, rows, columns, O], as a product for each of the 9 squares around."""
    weight = network.weights[f"{name}.convolution.weight"]
    rows, columns = x.shape[1:3]
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)])
    y = np.zeros((*x.shape[:3], len(weight)), np.float32)
    for row in range(3):
        for column in range(3):
            y += padded[:, row : row + rows, column : column + columns] @ weight[:, :, row, column].T
    return y + network.weights[f"{name}.convolution.bias"]


def steps_of(activations: F32, highest: int, own: float) -> F32:
    """A step for each channel of [..., C], so that the greatest activations are `highest` steps; between that of the layer's
    greatest (`own` 0) and that of the channel's own (1)."""
    greatest = activations.reshape(-1, activations.shape[-1]).max(axis=0)
    most = max(float(greatest.max()), 1e-4)
    shares: F32 = np.maximum(greatest / most, 1 / 16) ** own
    return (shares * (most / highest)).astype(np.float32)


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
