"""The line between a native search and a network: leaves out, answers back, without a copy."""

from __future__ import annotations

import time
from concurrent.futures import Executor
from typing import TYPE_CHECKING

import numpy as np

from rlscout.games import Game
from rlscout.inference import Answer, Evaluator, Heads, QueuedEvaluator
from rlscout.network import U64

if TYPE_CHECKING:
    from rlscout._native import BatchedSearch

GATHER_SECONDS = 0.05
"""A gather that finds no leaf to evaluate (rollouts only) returns after this long."""


class Feed:
    """The leaves of one player of one search. `gather` and `scatter` take turns; between them an evaluation may be
    under way."""

    def __init__(self, game: Game, search: BatchedSearch, player: int, batch: int) -> None:
        self.search, self.player = search, player
        self.positions = np.zeros((batch, 2 * game.words), np.uint64)
        self.legal = np.zeros((batch, game.words), np.uint64)
        self.queued = False
        """Whether the arrays are of an evaluator with a queue."""
        self.under_way: Answer | None = None
        self.waited = 0.0
        """Seconds in which the search had nothing to do."""
        self.evaluating = 0.0
        """Seconds that an evaluator without a queue took."""

    def gather(self, evaluator: Evaluator | None, pool: Executor | None = None) -> int:
        """Advances the search and hands its leaves to the evaluator; returns their number. With `pool`, they are under way when this
        returns: in the pool, or in the evaluator's own queue."""
        queue = evaluator if isinstance(evaluator, QueuedEvaluator) else None
        if queue is not None and not self.queued:
            self.positions, self.legal = (queue.array(*boards.shape) for boards in (self.positions, self.legal))
            self.queued = True
        count = self.search.gather(self.player, self.positions, self.legal, GATHER_SECONDS)
        if count == 0:
            return 0
        if evaluator is None:
            raise ValueError(f"player {self.player} of this search waits for a network, and none was given")
        positions, legal = self.positions[:count], self.legal[:count]
        if pool is None:
            heads = self._evaluate(evaluator, positions, legal)
            self.waited = self.evaluating
            self._back_up(heads)
        elif queue is not None:
            self.under_way = queue.submit(positions, legal)
        else:
            self.under_way = pool.submit(self._evaluate, evaluator, positions, legal)
        return count

    def scatter(self) -> None:
        """Backs up the evaluation under way, if there is one."""
        if self.under_way is not None:
            begin = time.perf_counter()
            heads, self.under_way = self.under_way.result(), None
            self.waited += time.perf_counter() - begin
            self._back_up(heads)

    def _evaluate(self, evaluator: Evaluator, positions: U64, legal: U64) -> Heads:
        begin = time.perf_counter()
        heads = evaluator.evaluate(positions, legal)
        self.evaluating += time.perf_counter() - begin
        return heads

    def _back_up(self, heads: Heads) -> None:
        self.search.scatter(self.player, heads.policy, heads.value)
