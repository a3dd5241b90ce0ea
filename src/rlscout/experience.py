"""What a run knows of positions: how its games ended, what its search and its networks expected; and what that is worth in discs.

    seen(store, engine)                ->  {empties: Seen}   the positions of all stored samples, each once
    Experience(engine, seen, network)  what `patterns.train` learns from beside the solver

An outcome is what imperfect play led to, a value an expectation in [-1, 1], mostly of who wins (`value_of`): neither is a score.
So some positions above those with exact labels are solved too. Values become discs by the monotone map that fits these best, and a
weighted sum of all that is known of a position, the look-ahead of the pattern table first, becomes its label. A source that adds
nothing to the others gets no weight; what each is worth alone is told in `errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rlscout.positions import repeated, stones
from rlscout.storage import read_all

if TYPE_CHECKING:
    from rlscout._native import Engine
    from rlscout.inference import Evaluator
    from rlscout.storage import Store

EVALUATED = 4096  # positions to a batch of the network
LEAST_SOLVED = 16  # to find out what sources are worth

F64 = NDArray[np.float64]
U64 = NDArray[np.uint64]
Known = dict[str, F64]
"""By source, [B], for the side to move."""

AHEAD = "table ahead"  # discs: the table of fewer empties, asked some plies ahead
OUTCOME = "outcome"  # discs, mean over the stored games through a position
SEARCH = "search"  # in [-1, 1]: the value at the root of their searches, mean
NETWORK = "network"  # in [-1, 1]
SOURCES = (OUTCOME, SEARCH, NETWORK)


@dataclass(frozen=True)
class Seen:
    """Positions of one number of empties that a run has stored, each once, canonical."""

    positions: U64  # [B, 2W]
    outcome: F64  # [B]
    search: F64  # [B]


@dataclass(frozen=True)
class SourceError:
    """What a source says of solved positions that its map and weight were not fitted to."""

    empties: int
    stored: bool  # positions of the run's games; else of the solver's trees
    source: str  # AHEAD, one of SOURCES, or "all"
    positions: int
    error: float  # of it alone: mean absolute, discs
    weight: float  # in the sum


def seen(store: Store, engine: Engine, on_read: Callable[[int], None] = lambda _: None) -> dict[int, Seen]:
    """What is known from all samples of a store, by empties; `on_read` hears of the number of samples read so far."""
    samples = read_all(store, on_read=on_read)
    if not len(samples.ids):
        return {}
    positions = engine.canonical(samples.positions)[0]
    outcome, value = samples.outcome.astype(np.float64), samples.value.astype(np.float64)
    order = np.lexsort(positions.T[::-1])
    positions, outcome, value = positions[order], outcome[order], value[order]
    first = np.flatnonzero(~repeated(positions))
    counts = np.diff(first, append=len(positions))
    each = Seen(positions[first], *(np.add.reduceat(sums, first) / counts for sums in (outcome, value)))
    empties = engine.squares - stones(each.positions)
    return {
        int(number): Seen(each.positions[at], each.outcome[at], each.search[at])
        for number in np.unique(empties)
        for at in [empties == number]
    }


class Experience:
    """What a run knows, for one training."""

    def __init__(
        self,
        engine: Engine,
        seen: dict[int, Seen],
        network: Evaluator | None = None,
        sources: Iterable[str] = SOURCES,
        solved: int = 400,
        most: int = 100_000,
        seed: int = 1,
        on_error: Callable[[SourceError], None] = lambda _: None,
    ) -> None:
        """Labels may come from `sources`, of SOURCES (ValueError for others). Where sums are fitted, `solved` positions of the run and as
        many others are solved: half of them to fit, half to tell the error. At most `most` of the seen positions of each number of
        empties are taken, at random."""
        self.errors: list[SourceError] = []
        self._engine, self._network, self._solved, self._on_error = engine, network, solved, on_error
        self._generator = np.random.default_rng(seed)
        self._sources = tuple(sources)
        unknown = [name for name in self._sources if name not in SOURCES]
        if unknown:
            raise ValueError(f"source '{unknown[0]}': allowed are {', '.join(SOURCES)}")
        self._seen = {}
        for empties, known in sorted(seen.items()):
            some = self._generator.permutation(len(known.positions))[:most]
            some = some[engine.phase(known.positions[some]) == 0]
            self._seen[empties] = Seen(known.positions[some], known.outcome[some], known.search[some])
        self._sums: dict[bool, Sum] = {}

    def positions(self, empties: int) -> U64:
        """[B, 2W]: those to learn from, with a move to make."""
        known = self._seen.get(empties)
        return np.zeros((0, 2 * self._engine.words), np.uint64) if known is None else known.positions

    def labels(self, positions: U64, ahead: F64, clamp: float, solve: Callable[[U64], F64] | None) -> F64:
        """[B]: scores of positions of one number of empties, those of `positions(empties)` first, from what the table says ahead and
        all else that is known. Where the table says more than `clamp` discs it is right enough. With `solve` the sums are fitted anew,
        else they stay those of the stage before."""
        scores = ahead.copy()
        if not self._sources or not len(positions):
            return scores
        empties = self._engine.squares - int(stones(positions[:1])[0])
        stored, near = np.arange(len(positions)) < len(self.positions(empties)), np.abs(ahead) <= clamp
        for kind in (True, False):
            at = np.flatnonzero((stored == kind) & near)
            if len(at) < LEAST_SOLVED or (solve is None and kind not in self._sums):
                continue
            known = {AHEAD: ahead[at], **self._known(positions[at], at if kind else None, empties)}
            if solve is not None:
                some = self._generator.permutation(len(at))[: self._solved]
                exact = np.clip(solve(positions[at[some]]), -clamp, clamp)
                self._measure(empties, kind, {name: values[some] for name, values in known.items()}, exact)
            scores[at] = np.clip(self._sums[kind].score(known), -clamp, clamp)
        return scores

    def _known(self, positions: U64, stored: NDArray[np.intp] | None, empties: int) -> Known:
        known: Known = {}
        if stored is not None:
            known |= {OUTCOME: self._seen[empties].outcome[stored], SEARCH: self._seen[empties].search[stored]}
        if self._network is not None and NETWORK in self._sources:
            known[NETWORK] = self._values(self._network, positions)
        return {name: values for name, values in known.items() if name in self._sources}

    def _values(self, network: Evaluator, positions: U64) -> F64:
        parts = [positions[begin : begin + EVALUATED] for begin in range(0, len(positions), EVALUATED)]
        return np.concatenate(
            [network.evaluate(part, self._engine.legal(part)).value.astype(np.float64) for part in parts]
        )

    def _measure(self, empties: int, stored: bool, known: Known, exact: F64) -> None:
        half = len(exact) // 2
        first, rest = (
            {name: values[part] for name, values in known.items()} for part in (slice(half), slice(half, None))
        )
        fitted = fit_sum(first, exact[:half])
        for name in known:
            error = float(np.abs(fitted.discs(name, rest[name]) - exact[half:]).mean())
            weight = dict(zip(fitted.names, fitted.weights.tolist(), strict=True)).get(name, 0.0)
            self._tell(SourceError(empties, stored, name, len(exact) - half, error, weight))
        error = float(np.abs(fitted.score(rest) - exact[half:]).mean())
        self._tell(SourceError(empties, stored, "all", len(exact) - half, error, 1.0))
        self._sums[stored] = fit_sum(known, exact)

    def _tell(self, error: SourceError) -> None:
        self.errors.append(error)
        self._on_error(error)


@dataclass(frozen=True)
class Sum:
    """A score as a weighted sum of what is known."""

    names: tuple[str, ...]
    weights: F64  # [names], none below 0
    maps: dict[str, tuple[F64, F64]]  # of sources in [-1, 1]: values, ascending, and their discs

    def discs(self, name: str, values: F64) -> F64:
        return np.interp(values, *self.maps[name]) if name in self.maps else values

    def score(self, known: Known) -> F64:
        total: F64 = np.stack([self.discs(name, known[name]) for name in self.names], axis=1) @ self.weights
        return total


def fit_sum(known: Known, exact: F64) -> Sum:
    """The least squares fit to exact scores; sources whose weight would be negative are left out, one after the other."""
    maps = {name: monotone(values, exact) for name, values in known.items() if name in (SEARCH, NETWORK)}
    names = tuple(known)
    while True:
        made = Sum(names, np.ones(len(names)), maps)
        columns = np.stack([made.discs(name, known[name]) for name in names], axis=1)
        weights = np.linalg.lstsq(columns, exact, rcond=None)[0]
        if len(names) == 1 or (weights >= 0).all():
            return Sum(names, np.maximum(weights, 0.0), maps)
        names = tuple(np.delete(names, weights.argmin()).tolist())


def monotone(values: F64, wanted: F64) -> tuple[F64, F64]:
    """The function of `values` that never falls and is nearest to `wanted` by least squares, as points to interpolate between: means of
    blocks by pooling adjacent violators (M. Ayer et al., 1955)."""
    order = np.argsort(values, kind="stable")
    blocks: list[tuple[float, float, int]] = []  # sums of values and of what is wanted, count
    for value, target in zip(values[order].tolist(), wanted[order].tolist(), strict=True):
        block = (value, target, 1)
        while blocks and blocks[-1][1] * block[2] >= block[1] * blocks[-1][2]:
            block = tuple(a + b for a, b in zip(blocks.pop(), block, strict=True))
        blocks.append(block)
    sums = np.array(blocks)
    return sums[:, 0] / sums[:, 2], sums[:, 1] / sums[:, 2]
