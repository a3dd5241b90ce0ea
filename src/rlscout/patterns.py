"""Pattern tables: what a linear sum over small shapes of squares says of a position, learned from the solver's own endgames.

A table predicts two things for each number of empties ("stage"): the score, and log2 of the nodes that a search takes. The
native search orders moves by them; a wrong table costs time, never truth.

    train("othello6", TrainOptions())  ->  PatternTable      positions, labels, fit
    load("othello6")                   ->  PatternTable      the one shipped with the package, None where there is none

Labels are exact up to `exact_empties`: a plain solver (no table of patterns) says score and nodes. Above, the tables of two
empties fewer are asked two plies ahead. Each stage is fitted by least squares as a correction of the stage below it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from rlscout.games import Game, game

if TYPE_CHECKING:
    from rlscout._native import Engine, Solver

UNIT = 128  # of the weights: 1/UNIT discs, 1/UNIT bits
FOLDER = "tables"
LABEL_PARTS = (
    2  # each with a solver of its own, whatever the threads: node counts, and so the table, do not depend on them
)

F64 = NDArray[np.float64]
U64 = NDArray[np.uint64]


@dataclass(frozen=True)
class TrainOptions:
    """What a table depends on, stored with it."""

    seed: int = 1
    samples: int = 60_000  # positions a stage; fewer where exact labels take long, see `exact_samples`
    exact_empties: int = 14  # labels are exact up to here
    regularisation: float = 10.0
    clamp: float = 20.0  # discs: nobody needs to know how badly a lost position is lost
    held_out: float = 0.1  # share of the positions that the reported errors are measured on


@dataclass(frozen=True)
class StageError:
    """On positions that the fit has not seen."""

    empties: int
    positions: int
    score: float  # mean absolute error, discs
    score_spread: float  # mean absolute deviation of the labels: what knowing nothing costs
    cost: float  # mean absolute error, bits
    cost_spread: float


@dataclass(frozen=True)
class PatternTable:
    """Weights of every stage: `score[stages, size]` and `cost[stages, size]` in 1/UNIT discs and bits."""

    game: str
    score: NDArray[np.int16]
    cost: NDArray[np.int16]
    options: TrainOptions
    errors: tuple[StageError, ...]

    def packed(self) -> NDArray[np.int32]:
        """One word a weight, score in the high half: one addition sums both."""
        return (self.score.astype(np.int32) << 16) + self.cost.astype(np.int32)

    def save(self, path: Path) -> None:
        about = {"game": self.game, "options": asdict(self.options), "errors": [asdict(e) for e in self.errors]}
        with path.open("wb") as file:
            np.savez_compressed(file, score=self.score, cost=self.cost, about=np.array(json.dumps(about)))

    @classmethod
    def read(cls, path: Path) -> PatternTable:
        with np.load(path, allow_pickle=False) as arrays:
            about = json.loads(str(arrays["about"]))
            return cls(
                about["game"],
                arrays["score"],
                arrays["cost"],
                TrainOptions(**about["options"]),
                tuple(StageError(**error) for error in about["errors"]),
            )


def load(name: str) -> PatternTable | None:
    """The table shipped for a game; the parallel start shares its board's."""
    file = resources.files("rlscout") / FOLDER / f"{name.split(':')[0]}.npz"
    with resources.as_file(file) as path:
        return PatternTable.read(path) if path.exists() else None


def train(
    name: str,
    options: TrainOptions | None = None,
    threads: int = 1,
    on_stage: Callable[[StageError], None] = lambda _: None,
) -> PatternTable:
    """Makes positions, labels and tables, from the fewest empties up. ValueError where the game has no pattern tables."""
    options = options or TrainOptions()
    rules = game(name)
    first, stages, size, features = rules.engine.pattern_shape
    if not features:
        raise ValueError(f"game '{name}' has no pattern tables")
    score, cost = np.zeros((stages, size)), np.zeros((stages, size))
    errors = []
    positions = sample_positions(rules, first, first + stages - 1, options)
    for stage in range(stages):
        empties = first + stage
        chosen = positions[empties]
        if empties <= options.exact_empties:
            chosen = chosen[: exact_samples(options, empties)]
            labels = exact_labels(rules.engine, chosen, threads)
        else:
            below = stage - 2
            labels = labels_ahead(rules.engine, chosen, score[below], cost[below])
        labels[0] = np.clip(labels[0], -options.clamp, options.clamp)
        test = np.arange(len(chosen)) % max(2, round(1 / options.held_out)) == 0
        images = both_mirrors(rules.engine, chosen[~test])
        for target, label in ((score, labels[0]), (cost, labels[1])):
            start = target[stage - 1] if stage else np.zeros(size)
            target[stage] = fit(images, np.tile(label[~test], 2), start, options.regularisation)
        errors.append(stage_error(rules.engine, empties, chosen[test], labels[:, test], score[stage], cost[stage]))
        on_stage(errors[-1])
    return PatternTable(name, quantised(score), quantised(cost), options, tuple(errors))


def quantised(weights: F64) -> NDArray[np.int16]:
    return np.clip(np.rint(weights * UNIT), -32768, 32767).astype(np.int16)


def exact_samples(options: TrainOptions, empties: int) -> int:
    """Fewer positions where each takes longer: half for each empty square above twelve."""
    return max(2000, options.samples >> max(0, empties - 12))


# Positions


def sample_positions(rules: Game, fewest: int, most: int, options: TrainOptions) -> dict[int, U64]:
    """Distinct positions with a move to make, by empties: from games in which a share of the moves, another one each game, is random
    and the rest leaves the opponent the fewest replies."""
    engine = rules.engine
    generator = np.random.default_rng(options.seed)
    found: dict[int, list[U64]] = {empties: [] for empties in range(fewest, most + 1)}
    for _ in range(math.ceil(2 * options.samples / 4096)):
        positions = np.repeat(engine.initial()[None], 4096, axis=0)
        noise = generator.uniform(0.1, 1.0, len(positions))
        while len(positions):
            phase = engine.phase(positions)
            positions, noise, phase = positions[phase < 2], noise[phase < 2], phase[phase < 2]
            if not len(positions):
                break
            empties = engine.squares - stones(positions)
            if empties.max() < fewest:
                break
            for number in found:
                if (empties == number).any():
                    found[number].append(positions[(empties == number) & (phase == 0)])
            positions = engine.play(positions, next_moves(engine, positions, phase, noise, generator))
    chosen: dict[int, U64] = {}
    for number, parts in found.items():
        distinct = np.unique(engine.canonical(np.concatenate(parts))[0], axis=0)
        chosen[number] = generator.permutation(distinct)[: options.samples]
    return chosen


def next_moves(
    engine: Engine, positions: U64, phase: Any, noise: F64, generator: np.random.Generator
) -> NDArray[np.int32]:
    owner, move = legal_pairs(engine, positions)
    replies = stones(engine.legal(engine.play(positions[owner], move)))
    random = generator.random(len(positions)) < noise
    key = np.where(random[owner], 0.0, replies) + generator.random(len(owner))
    moves = np.full(len(positions), -1, np.int32)
    order = np.lexsort((key, owner))
    first = np.unique(owner[order], return_index=True)[1]
    moves[owner[order][first]] = move[order][first]
    assert (moves[phase == 0] >= 0).all()
    return moves


def legal_pairs(engine: Engine, positions: U64) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Every (index of a position, legal square), in order."""
    bits = np.unpackbits(engine.legal(positions).view(np.uint8), axis=1, bitorder="little")
    owner, square = np.nonzero(bits)
    return owner, square.astype(np.int32)


def stones(words: U64) -> NDArray[np.int64]:
    counts: NDArray[np.int64] = np.bitwise_count(words).sum(axis=1, dtype=np.int64)
    return counts


# Labels: [2, B], score in discs and log2 of nodes


def exact_labels(engine: Engine, positions: U64, threads: int) -> F64:
    def solve_part(part: U64) -> F64:
        solver: Solver = engine.solver({"table_mb": 1})
        labels, nodes = np.zeros((2, len(part))), 0
        for i, position in enumerate(part):
            solver.start(position)
            solver.wait(1e6)
            result = solver.result()
            labels[:, i] = result["lower"], math.log2(1 + result["nodes"] - nodes)
            nodes = result["nodes"]
        return labels

    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(solve_part, np.array_split(positions, LABEL_PARTS))), axis=1)


def labels_ahead(engine: Engine, positions: U64, score: F64, cost: F64) -> F64:
    """The tables of two empties fewer, asked two plies ahead: the best move against the best reply; a proof that the position is not
    better pays for the best reply to every move."""
    owner, move = legal_pairs(engine, positions)
    children = engine.play(positions[owner], move)
    phase = engine.phase(children)
    value, log_nodes = np.full(len(children), -np.inf), np.zeros(len(children))
    # A child that must pass or is over is left out: such moves decide few positions and the tables say nothing of them.
    alive = np.nonzero(phase == 0)[0]
    parent, reply = legal_pairs(engine, children[alive])
    leaves = engine.play(children[alive][parent], reply)
    features = engine.pattern_features(leaves)
    leaf_score, leaf_cost = score[features].sum(axis=1), cost[features].sum(axis=1)
    order = np.lexsort((leaf_score, parent))
    best = order[np.unique(parent[order], return_index=True)[1]]
    value[alive], log_nodes[alive] = leaf_score[best], leaf_cost[best]
    labels = np.zeros((2, len(positions)))
    labels[0] = -np.inf
    np.maximum.at(labels[0], owner, value)
    np.add.at(labels[1], owner[alive], np.exp2(log_nodes[alive]))
    labels[0] = np.where(np.isfinite(labels[0]), labels[0], 0.0)
    labels[1] = np.log2(1 + labels[1])
    return labels


# Fit


def both_mirrors(engine: Engine, positions: U64) -> NDArray[np.int32]:
    """Features of the positions and of their mirror images; rotations are in the features already."""
    mirrored = engine.transform(positions, np.full(len(positions), 4, np.uint8))
    return np.concatenate([engine.pattern_features(positions), engine.pattern_features(mirrored)])


def fit(features: NDArray[np.int32], label: F64, start: F64, regularisation: float, rounds: int = 40) -> F64:
    """The weights w that minimise |X w - label|^2 + regularisation |w - start|^2, by conjugate gradients; row i of X has a one at
    each of features[i]."""

    def gather(weights: F64) -> F64:
        total: F64 = weights[features].sum(axis=1)
        return total

    def scatter(residual: F64) -> F64:
        total: F64 = np.bincount(features.ravel(), np.repeat(residual, features.shape[1]), len(start)).astype(
            np.float64
        )
        return total

    change = np.zeros_like(start)
    gradient = scatter(label - gather(start))
    direction, length = gradient.copy(), float(gradient @ gradient)
    for _ in range(rounds):
        if length < 1e-9:
            break
        curved = scatter(gather(direction)) + regularisation * direction
        step = length / float(direction @ curved)
        change += step * direction
        gradient -= step * curved
        previous, length = length, float(gradient @ gradient)
        direction = gradient + (length / previous) * direction
    return start + change


def stage_error(engine: Engine, empties: int, positions: U64, labels: F64, score: F64, cost: F64) -> StageError:
    features = engine.pattern_features(positions)
    misses = [
        float(np.abs(weights[features].sum(axis=1) - label).mean())
        for weights, label in ((score, labels[0]), (cost, labels[1]))
    ]
    spreads = [float(np.abs(label - np.median(label)).mean()) for label in labels]
    return StageError(empties, len(positions), misses[0], spreads[0], misses[1], spreads[1])
