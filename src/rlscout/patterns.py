"""Pattern tables: what a linear sum over small shapes of squares says of a position, learned from the solver's own endgames.

A table predicts two things for each number of empties ("stage"): the score, and log2 of the nodes that it takes to refute the
claim one step above it. The native search orders moves by them; a wrong table costs time, never truth.

    train("othello6", TrainOptions())  ->  PatternTable      positions, labels, fit
    load("othello6")                   ->  PatternTable      the one shipped with the package, None where there is none

Training goes in rounds. The first takes its positions from games of a player that leaves few replies, the others from the
search trees of the solver ordered by the tables of the round before: the tables are asked about such positions. Every round is
fitted to the positions of all rounds so far. Labels are exact up to `exact_empties`; above, the tables of fewer empties are asked
a few plies ahead. Each stage is fitted by least squares as a correction of the stage below it, its neighbours counting half.
With the experience of a run (experience.py) its stored positions join in from the first round on, and in the last one what it knows
corrects the scores that are not exact.

All games begin at the parallel start, so that the ordinary start and its openings remain for measuring what a table is worth.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from importlib import resources
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from rlscout.experience import Experience, SourceError
from rlscout.files import write_whole
from rlscout.games import Game, game
from rlscout.positions import distinct, not_among, stones

if TYPE_CHECKING:
    from rlscout._native import Engine

UNIT = 128  # of the weights: 1/UNIT discs, 1/UNIT bits
FOLDER = "tables"
LABEL_BATCH = 500  # positions to a native call
NO_TABLE = np.zeros(0, np.int32)
# Stages above the exact ones where some positions are solved, to find out what the experience of a run is worth.
SOLVED_ABOVE = (1, 3, 5)
LEAST_SAMPLES = 20  # new positions a stage in the first round: one of them is held out
ROOTS_ABOVE = 2  # the last stage: some of the trees begin there

F64 = NDArray[np.float64]
U64 = NDArray[np.uint64]


@dataclass(frozen=True)
class TrainOptions:
    """What a table depends on, stored with it."""

    seed: int = 1
    samples: int = 48_000  # new positions a stage in the last round, half as many in each one before
    rounds: int = 3
    roots: int = 100  # positions whose trees are sampled in a round, the more even half of twice as many
    root_empties: int = 22
    root_nodes: int = 10_000_000  # at most, of each tree
    exact_empties: int = 13  # labels are exact up to here
    regularisation: float = 5.0  # of the score's weights
    cost_regularisation: float = 30.0
    clamp: float = 20.0  # discs: nobody needs to know how badly a lost position is lost, nor what refuting it costs
    held_out: float = 0.05  # share of the positions that the reported errors are measured on
    experience: str = ""  # what a run gave, in words


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
    sources: tuple[SourceError, ...] = ()  # of labels, where a run gave some

    def packed(self) -> NDArray[np.int32]:
        return packed(np.stack([self.score, self.cost]) / UNIT)

    def save(self, path: Path) -> None:
        about = {"game": self.game, "options": asdict(self.options), "errors": [asdict(e) for e in self.errors]}
        about["sources"] = [asdict(e) for e in self.sources]
        file = BytesIO()
        np.savez_compressed(file, score=self.score, cost=self.cost, about=np.array(json.dumps(about)))
        write_whole(path, file.getvalue())

    @classmethod
    def read(cls, path: Path, name: str | None = None) -> PatternTable:
        """ValueError where the file is no pattern table or, with `name`, one of another board than that game's."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                about = json.loads(str(arrays["about"]))
                table = cls(
                    about["game"],
                    arrays["score"],
                    arrays["cost"],
                    TrainOptions(**about["options"]),
                    tuple(StageError(**error) for error in about["errors"]),
                    tuple(SourceError(**error) for error in about.get("sources", [])),
                )
        except (AttributeError, BadZipFile, EOFError, IndexError, KeyError, TypeError, ValueError):
            # Not numpy's own words: of a file without arrays they recommend to unpickle it.
            raise ValueError(f"{path}: not a table that `rlscout patterns train` has written") from None
        if name is not None and board_of(table.game) != board_of(name):
            raise ValueError(f"{path}: a pattern table of {table.game}, not of {name}")
        return table


def board_of(name: str) -> str:
    """The game without its start: `othello6` of `othello6:parallel`."""
    return name.split(":")[0]


def load(name: str) -> PatternTable | None:
    """The table shipped for a game; the parallel start shares its board's."""
    file = resources.files("rlscout") / FOLDER / f"{board_of(name)}.npz"
    with resources.as_file(file) as path:
        return PatternTable.read(path) if path.exists() else None


def train(
    name: str,
    options: TrainOptions | None = None,
    threads: int = 1,
    on_stage: Callable[[StageError], None] = lambda _: None,
    experience: Experience | None = None,
    tell: Callable[[str], None] = lambda _: None,
) -> PatternTable:
    """Makes positions, labels and tables, round by round; `on_stage` hears of every stage of every round, `tell` what is under way.
    The table doesn't depend on `threads`. ValueError where the game can have no pattern tables, and for options that leave nothing to
    learn from."""
    options = options or TrainOptions()
    rules = game(name)
    first, stages, _, _ = shape_of(rules)
    highest = first + stages - 1
    if not first + 3 <= options.exact_empties <= highest or options.rounds < 1:
        raise ValueError(
            f"exact_empties {options.exact_empties}, rounds {options.rounds}: allowed are {first + 3} (the stage above asks"
            f" the table of four empties fewer) to {highest}, 1 and more"
        )
    least = LEAST_SAMPLES << options.rounds - 1
    if options.samples < least or options.roots < 1:
        raise ValueError(
            f"samples {options.samples}, roots {options.roots}: allowed are {least} and more (the first of {options.rounds} rounds"
            f" takes {LEAST_SAMPLES} of them), 1 and more"
        )
    if not first <= options.root_empties <= highest:
        raise ValueError(f"root_empties {options.root_empties}: allowed are {first} to {highest}")
    if not name.endswith(":parallel"):
        rules = game(f"{name}:parallel")
    table: PatternTable | None = None
    positions: dict[int, U64] = {}
    exact: dict[int, F64] = {}
    for number in range(options.rounds):
        now = replace(options, samples=options.samples >> (options.rounds - 1 - number), seed=options.seed + number)
        progress = f"round {number + 1} of {options.rounds}"
        tell(f"{progress}: looking for positions")
        for empties, found in positions_for(rules, now, table).items():
            known = positions.get(empties)
            if known is None:
                known = found[:0] if experience is None else experience.positions(empties)
            first_new = len(known) if empties in positions else 0
            positions[empties] = np.concatenate([known, not_among(found, known)])
            if empties <= options.exact_empties:
                new = positions[empties][first_new:]
                tell(f"{progress}: solving {len(new):,} positions of {empties} empties")
                labels = exact_labels(rules.engine, new, NO_TABLE if table is None else table.packed(), threads)
                exact[empties] = np.concatenate([exact.get(empties, labels[:, :0]), labels], axis=1)
        last = number == options.rounds - 1
        table = fit_stages(rules.engine, positions, exact, now, threads, on_stage, experience if last else None)
    assert table is not None
    return replace(table, game=name, options=options)


def shape_of(rules: Game) -> tuple[int, int, int, int]:
    """First stage, stages, size of a stage, features of a position. ValueError where the game has no pattern tables, or its board is too
    small to learn one from."""
    first, stages, size, features = rules.engine.pattern_shape
    if not features:
        raise ValueError(f"game '{rules.name}' has no pattern tables")
    most = first + stages - 1 + ROOTS_ABOVE
    if rules.start.empties < most:
        raise ValueError(
            f"game '{rules.name}' begins with {rules.start.empties} empty squares, too few for pattern tables: allowed are boards with"
            f" {most} and more, as othello6"
        )
    return first, stages, size, features


def fit_stages(
    engine: Engine,
    positions: dict[int, U64],
    exact: dict[int, F64],
    options: TrainOptions,
    threads: int,
    on_stage: Callable[[StageError], None],
    experience: Experience | None,
) -> PatternTable:
    """Weights, and labels where they are not exact, from the fewest empties up."""
    first, stages, _, _ = engine.pattern_shape
    classes = feature_classes(engine)
    images = np.bincount(classes)
    weights = np.zeros((2, stages, len(images)))
    errors = []
    known: dict[int, Labelled] = {}
    for stage in range(stages):
        empties = first + stage
        for number in (empties, empties + 1):  # the stage above counts too where its labels do not wait for this one
            if number not in known and number in exact:
                known[number] = labelled(engine, classes, positions[number], exact[number], options)
        if empties not in known:
            below = packed(weights[..., classes])
            ahead = labels_ahead(engine, positions[empties], below, threads)
            if experience is not None:
                above = empties - options.exact_empties
                solve = partial(solved, engine, below, threads) if above in SOLVED_ABOVE else None
                ahead[0] = experience.labels(positions[empties], ahead[0], options.clamp, solve)
            known[empties] = labelled(engine, classes, positions[empties], ahead, options)
        near = [
            (known[number], 1.0 if number == empties else 0.5)
            for number in range(empties - 1, empties + 2)
            if number in known
        ]
        features = np.concatenate([part.features for part, _ in near], axis=1)
        for target, regularisation in enumerate((options.regularisation, options.cost_regularisation)):
            label = np.concatenate([part.labels[target] for part, _ in near])
            weight = np.concatenate([part.weights[target] * share for part, share in near])
            start = weights[target, stage - 1] if stage else np.zeros(len(images))
            weights[target, stage] = fit(features, label, weight, start, regularisation * images / 2)
        errors.append(stage_error(empties, known[empties], weights[:, stage]))
        on_stage(errors[-1])
        known.pop(empties - 1, None)
    score, cost = quantised(weights[..., classes])
    sources = () if experience is None else tuple(experience.errors)
    return PatternTable(engine.name, score, cost, options, tuple(errors), sources)


def quantised(weights: F64) -> NDArray[np.int16]:
    return np.clip(np.rint(weights * UNIT), -32768, 32767).astype(np.int16)


def packed(weights: F64) -> NDArray[np.int32]:
    """One word a weight, score in the high half: one addition sums both."""
    score, cost = quantised(weights).astype(np.int32)
    words: NDArray[np.int32] = (score << 16) + cost
    return words


# Positions


def positions_for(rules: Game, options: TrainOptions, before: PatternTable | None) -> dict[int, U64]:
    """Distinct positions with a move to make, by empties: of games in the first round; after it of the trees of the solver, and a
    tenth of games, or as many as there are where trees have few."""
    first, stages, _, _ = rules.engine.pattern_shape
    last = first + stages - 1
    games = sample_positions(rules, first, last + ROOTS_ABOVE, options)
    if before is None:
        return games
    generator = np.random.default_rng(options.seed)
    deep = sample_positions(
        rules, options.root_empties, options.root_empties, replace(options, samples=2 * options.roots)
    )
    roots = [
        *even(rules.engine, deep[options.root_empties], before)[: options.roots],
        *games[last + ROOTS_ABOVE][: options.roots // 4],
    ]
    trees = tree_positions(rules.engine, np.array(roots), options, before)
    chosen: dict[int, U64] = {}
    for number in range(first, last + 1):
        some = np.concatenate(
            [trees[number], games[number][: max(options.samples // 10, (options.samples - len(trees[number])) // 4)]]
        )
        chosen[number] = generator.permutation(distinct(some))[: options.samples]
    return chosen


def even(engine: Engine, positions: U64, table: PatternTable) -> U64:
    """Positions of one number of empties, those first that the table thinks nearest to a draw: play that is worth solving is."""
    stage = engine.squares - int(stones(positions[:1])[0]) - engine.pattern_shape[0]
    scores = table.score[stage].astype(np.int64)[engine.pattern_features(positions)].sum(axis=1)
    ordered: U64 = positions[np.argsort(np.abs(scores), kind="stable")]
    return ordered


def tree_positions(engine: Engine, roots: U64, options: TrainOptions, table: PatternTable) -> dict[int, U64]:
    """Distinct positions that the solver considered below the roots, by empties."""
    solver = engine.solver(
        {"table_mb": 8, "patterns": table.packed(), "samples": 2 * options.samples, "seed": options.seed}
    )
    for root in roots:
        solver.start(root, nodes=options.root_nodes)
        while not solver.wait(0.1):
            pass
    positions = solver.samples()
    empties = engine.squares - stones(positions)
    first, stages, _, _ = engine.pattern_shape
    generator = np.random.default_rng(options.seed)
    found: dict[int, U64] = {}
    for number in range(first, first + stages):
        met = positions[empties == number]
        met = distinct(engine.canonical(met[engine.phase(met) == 0])[0])
        found[number] = generator.permutation(met)[: options.samples]
    return found


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
        met = distinct(engine.canonical(np.concatenate(parts))[0])
        chosen[number] = generator.permutation(met)[: options.samples]
    return chosen


def next_moves(
    engine: Engine, positions: U64, phase: Any, noise: F64, generator: np.random.Generator
) -> NDArray[np.int32]:
    owner, move = legal_pairs(engine, positions)
    replies = stones(engine.legal(engine.play(positions[owner], move)))
    random = generator.random(len(positions)) < noise
    key = np.where(random[owner], 0.0, replies) + generator.random(len(owner))
    moves = np.full(len(positions), -1, np.int32)
    first = np.flatnonzero(np.diff(owner, prepend=-1))
    least = np.repeat(np.minimum.reduceat(key, first), np.diff(first, append=len(owner)))
    moves[owner[key == least]] = move[key == least]
    assert (moves[phase == 0] >= 0).all()
    return moves


def legal_pairs(engine: Engine, positions: U64) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Every (index of a position, legal square), in order."""
    bits = np.unpackbits(engine.legal(positions).view(np.uint8), axis=1, bitorder="little")
    owner, square = np.nonzero(bits)
    return owner, square.astype(np.int32)


# Labels: [2, B], score in discs and log2 of nodes


def exact_labels(engine: Engine, positions: U64, patterns: NDArray[np.int32], threads: int) -> F64:
    score, nodes = in_batches(lambda batch: engine.exact_labels(batch, patterns), positions, threads)
    return np.stack([score, np.log2(1.0 + nodes)])


def solved(engine: Engine, patterns: NDArray[np.int32], threads: int, positions: U64) -> F64:
    score: F64 = exact_labels(engine, positions, patterns, threads)[0]
    return score


def labels_ahead(engine: Engine, positions: U64, patterns: NDArray[np.int32], threads: int) -> F64:
    return in_batches(lambda batch: engine.labels_ahead(batch, patterns), positions, threads) / UNIT


def in_batches(label: Callable[[U64], tuple[Any, Any]], positions: U64, threads: int) -> F64:
    batches = [positions[i : i + LABEL_BATCH] for i in range(0, len(positions), LABEL_BATCH)]
    with ThreadPoolExecutor(threads) as pool:
        found = [np.stack([np.asarray(part, np.float64) for part in pair]) for pair in pool.map(label, batches)]
    return np.concatenate([np.zeros((2, 0)), *found], axis=1)


@dataclass(frozen=True)
class Labelled:
    """Positions of one stage: M to learn from, T to test on, chosen at random. Features are classes of `feature_classes`."""

    features: NDArray[np.intp]  # [features, M]
    labels: F64  # [2, M]
    weights: F64  # [2, M]: 0 for the cost of positions that are won or lost by far
    test_features: NDArray[np.intp]  # [features, T]
    test_labels: F64  # [2, T]
    test_weights: F64  # [2, T]


def labelled(engine: Engine, classes: NDArray[np.intp], positions: U64, labels: F64, options: TrainOptions) -> Labelled:
    weights = np.stack([np.ones(len(positions)), np.abs(labels[0]) <= options.clamp])
    labels = np.stack([np.clip(labels[0], -options.clamp, options.clamp), labels[1]])
    drawn = np.random.default_rng(options.seed).permutation(len(positions))
    test = drawn < round(len(positions) * options.held_out)
    features = classes[engine.pattern_features(positions)]
    return Labelled(
        np.ascontiguousarray(features[~test].T),  # feature by feature: what is met at random stays in the cache
        labels[:, ~test],
        weights[:, ~test],
        features[test].T,
        labels[:, test],
        weights[:, test],
    )


# Fit


def feature_classes(engine: Engine) -> NDArray[np.intp]:
    """[size]: the number of the class that a weight shares its value with: those of one shape that a symmetry of the board makes of
    each other. Rotations lead to another instance of the shape with the same weights; mirrors may read its squares in another order."""
    squares, size = engine.squares, engine.pattern_shape[2]
    boards = np.zeros((squares + 1, 2 * engine.words), np.uint64)
    for square in range(squares):
        boards[square + 1, square // 64] = 1 << square % 64
    read = engine.pattern_features(boards)[:, :-1].astype(
        np.intp
    )  # the last one is of moves and parity, not of squares
    offsets, powers = read[0], read[1:] - read[0]  # [I], [squares, I]: what a disc of the side to move adds
    least = np.arange(size)
    for offset, instance in zip(*np.unique(offsets, return_index=True), strict=True):
        shape = np.flatnonzero(powers[:, instance])
        digits = np.arange(3 ** len(shape))[:, None] // powers[shape, instance] % 3
        own = least[offset : offset + len(digits)]
        for image in engine.symmetry_squares():
            for other in np.flatnonzero(offsets == offset):
                if (powers[image[shape], other] > 0).all():
                    np.minimum(own, offset + digits @ powers[image[shape], other], out=own)
    return np.unique(least, return_inverse=True)[1]


def fit(features: NDArray[np.intp], label: F64, weight: F64, start: F64, regularisation: F64, steps: int = 12) -> F64:
    """The weights w that minimise sum of weight * (X w - label)^2 + sum of regularisation * (w - start)^2; row i of X counts the
    features [:, i]. By conjugate gradients, preconditioned by the diagonal: how often each weight is met differs by orders of magnitude."""
    row = np.empty(len(label))

    def gather(weights: F64) -> F64:
        total = np.zeros(len(label))
        for column in features:
            total += np.take(weights, column, out=row, mode="clip")
        return total

    def scatter(residual: F64) -> F64:
        total, weighted = np.zeros(len(start)), residual * weight
        for column in features:
            total += np.bincount(column, weighted, len(start))
        return total

    change = np.zeros_like(start)
    diagonal = scatter(np.ones(len(label))) + regularisation
    gradient = scatter(label - gather(start))
    direction = gradient / diagonal
    length = float(gradient @ direction)
    for _ in range(steps):
        if length < 1e-9:
            break
        curved = scatter(gather(direction)) + regularisation * direction
        step = length / float(direction @ curved)
        change += step * direction
        gradient -= step * curved
        scaled = gradient / diagonal
        previous, length = length, float(gradient @ scaled)
        direction = scaled + (length / previous) * direction
    return start + change


def stage_error(empties: int, known: Labelled, weights: F64) -> StageError:
    misses, spreads = [], []
    for target in range(2):
        counted = known.test_weights[target] > 0
        label = known.test_labels[target, counted]
        predicted = weights[target][known.test_features[:, counted]].sum(axis=0)
        misses.append(float(np.abs(predicted - label).mean()))
        spreads.append(float(np.abs(label - np.median(label)).mean()))
    return StageError(empties, len(known.test_labels[0]), misses[0], spreads[0], misses[1], spreads[1])
