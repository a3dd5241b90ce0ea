"""PUCT written for reading: one object a node, recursion, one position at a time. Float32 throughout, as in native code."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlscout import native
from rlscout.network import bits

F = np.float32
ZERO = F(0)


def stored_prior(prior: np.float32) -> np.float32:
    """What 11 bits of fraction leave of a prior, rounded to nearest; at least 2^-31 and one step."""
    code = (int(prior.view(np.uint32)) + (1 << 11) >> 12) - ((127 - 31) << 11)
    return np.uint32(max(code, 1) + ((127 - 31) << 11) << 12).view(F)


@dataclass(eq=False)
class Node:
    position: NDArray[np.uint64]
    same_side: bool  # the side to move is the one that moved at the parent: the opponent passed
    over: np.float32 | None = None  # the exact value of a finished game
    visits: int = 0
    value: np.float32 = ZERO  # mean, for the side to move here
    priors: dict[int, np.float32] = field(default_factory=dict)  # by square
    children: dict[int, Node] = field(default_factory=dict)  # in the order in which they were opened

    def add(self, value: np.float32) -> None:
        self.visits += 1
        self.value += (value - self.value) / F(self.visits)


class ReferenceTree:
    def __init__(
        self,
        engine: native.Engine,
        position: NDArray[np.uint64],
        evaluator: Any,
        c_puct: float,
        fpu: float,
        margin: float,
    ) -> None:
        self._engine, self._evaluator = engine, evaluator
        self._c_puct, self._fpu, self._margin = F(c_puct), F(fpu), margin
        self.root = Node(position, same_side=False)

    def simulate(self) -> None:
        self._walk(self.root)

    def _walk(self, node: Node) -> np.float32:
        """The value of the leaf that the walk ends in, for the side to move at `node`."""
        if node.over is not None:
            value = node.over
        elif node.visits == 0:
            value = self._expand(node)
        else:
            move = self._select(node)
            child = node.children.setdefault(move, self._after(node.position, move))
            value = self._walk(child)
            value = value if child.same_side else -value
        node.add(value)
        return value

    def _expand(self, node: Node) -> np.float32:
        legal = self._engine.legal(node.position[None])
        heads = self._evaluator.evaluate(node.position[None], legal)
        moves = [int(square) for square in np.flatnonzero(bits(legal, self._engine.squares)[0])]
        total = F(0)
        for move in moves:
            total += heads.policy[0][move]
        node.priors = {move: stored_prior(heads.policy[0][move] / total) for move in moves}
        return F(heads.value[0])

    def _select(self, node: Node) -> int:
        scale = self._c_puct * np.sqrt(F(node.visits - 1))
        best, best_score = -1, F(-np.inf)
        for move, child in node.children.items():
            value = child.value if child.same_side else -child.value
            score = value + scale * node.priors[move] / F(child.visits + 1)
            if score > best_score:
                best, best_score = move, score
        fresh = [move for move in node.priors if move not in node.children]
        if fresh:
            move = max(fresh, key=lambda square: node.priors[square])
            if not node.children or node.value - self._fpu + scale * node.priors[move] > best_score:
                best = move
        return best

    def _after(self, position: NDArray[np.uint64], move: int) -> Node:
        child = Node(self._engine.play(position[None], np.array([move], np.int32))[0], same_side=False)
        phase = self._engine.phase(child.position[None])[0]
        if phase == 1:
            child.position, child.same_side = self._engine.play(child.position[None], np.array([-1], np.int32))[0], True
        if phase == 2:
            child.over = F(self._engine.values(self._engine.score(child.position[None]), self._margin)[0])
        return child

    def visits(self) -> NDArray[np.int32]:
        counts = np.zeros(self._engine.squares, np.int32)
        for move, child in self.root.children.items():
            counts[move] = child.visits
        return counts

    def values(self) -> NDArray[np.float32]:
        means = np.full(self._engine.squares, np.nan, F)
        for move, child in self.root.children.items():
            means[move] = child.value if child.same_side else -child.value
        return means

    def priors(self) -> NDArray[np.float32]:
        priors = np.zeros(self._engine.squares, F)
        for move, prior in self.root.priors.items():
            priors[move] = prior
        return priors
