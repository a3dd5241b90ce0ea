"""Packed positions of one game as the rows of an array, uint64[B, 2W]."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

U64 = NDArray[np.uint64]


def distinct(positions: U64) -> U64:
    """Each once, sorted."""
    ordered: U64 = positions[np.lexsort(positions.T[::-1])]
    return ordered[~repeated(ordered)]


def not_among(positions: U64, known: U64) -> U64:
    """Those of `positions`, distinct ones, that are not among `known`."""
    both = np.concatenate([known, positions])
    order = np.lexsort(both.T[::-1])  # stable: what is known comes before what is the same
    old = np.zeros(len(both), bool)
    old[order] = repeated(both[order])
    new: U64 = positions[~old[len(known) :]]
    return new


def repeated(ordered: U64) -> NDArray[np.bool_]:
    """[B]: whether a row is the one before it."""
    same = np.zeros(len(ordered), bool)
    same[1:] = (ordered[1:] == ordered[:-1]).all(axis=1)
    return same


def stones(words: U64) -> NDArray[np.int64]:
    """[B]: how many are on the board, or squares in a set of them [B, W]."""
    counts: NDArray[np.int64] = np.bitwise_count(words).sum(axis=1, dtype=np.int64)
    return counts
