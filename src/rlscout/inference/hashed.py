"""An exact fake: policy and value are a hash of the position.

The same to the last bit on every machine, batch size and thread, and cheap: with it a search can be tested to the last
visit. It knows nothing of symmetry: two images of a position are answered as strangers."""

from __future__ import annotations

import numpy as np

from rlscout.inference import Heads, check_boards
from rlscout.network import U64, bits

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def _mix(x: U64) -> U64:
    """The finaliser of splitmix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


class HashedEvaluator:
    """Weights of 1..65536 on the legal moves; values are multiples of 2^-15 in [-1, 1)."""

    def __init__(self, squares: int, seed: int = 0) -> None:
        self._squares = squares
        self._seed = np.uint64(seed)

    def evaluate(self, positions: U64, legal: U64) -> Heads:
        check_boards(positions, legal, self._squares)
        state = np.full(len(positions), self._seed, dtype=np.uint64)
        for word in positions.T:
            state = _mix((state ^ word) + _GOLDEN)
        squares = np.arange(1, self._squares + 1, dtype=np.uint64)
        draws = _mix(state[:, None] + squares * _GOLDEN) >> np.uint64(48)
        weights = (draws.astype(np.int64) + 1) * bits(legal, self._squares)
        total = np.maximum(weights.sum(axis=1, keepdims=True), 1)
        value = (_mix(state) >> np.uint64(48)).astype(np.int64) - 32768
        return Heads((weights / total).astype(np.float32), (value / 32768).astype(np.float32))
