"""An evaluator that remembers: what was asked before, in whatever game, is answered without the network.

Whole positions are compared, never hashes alone. A position has one place in the table and gives way to the next one that
wants it. An answer is kept as it was given, to the bit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from rlscout.inference import Evaluator, Heads
from rlscout.network import F32, U64

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class CachedEvaluator:
    """`entries` is rounded up to a power of two; an entry takes 4 * S + 16 * W + 4 bytes."""

    def __init__(self, evaluator: Evaluator, squares: int, words: int, entries: int = 1 << 17) -> None:
        self._evaluator = evaluator
        self._shift = np.uint64(64 - max(1, (entries - 1).bit_length()))
        size = 1 << (64 - int(self._shift))
        self._positions: U64 = np.full((size, 2 * words), ~np.uint64(0))  # no position: stones of both on every square
        self._policy: F32 = np.zeros((size, squares), np.float32)
        self._value: F32 = np.zeros(size, np.float32)
        self.asked = 0
        """Positions so far."""
        self.evaluated = 0
        """Of these, by the network."""

    def evaluate(self, positions: U64, legal: U64) -> Heads:
        places = self._places(positions)
        known = (self._positions[places] == positions).all(axis=1)
        policy, value = self._policy[places], self._value[places]
        new = np.flatnonzero(~known)
        self.asked += len(positions)
        self.evaluated += len(new)
        if len(new):
            fresh = self._evaluator.evaluate(positions[new], legal[new])
            policy[new], value[new] = fresh
            taken = places[new]
            self._positions[taken], self._policy[taken], self._value[taken] = positions[new], fresh.policy, fresh.value
        return Heads(policy, value)

    def _places(self, positions: U64) -> NDArray[np.intp]:
        """Fibonacci hashing, word by word."""
        mixed = np.zeros(len(positions), np.uint64)
        for word in positions.T:
            mixed = (mixed ^ word ^ (word >> np.uint64(32))) * _MULTIPLIER
        return (mixed >> self._shift).astype(np.intp)
