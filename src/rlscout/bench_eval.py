"""How fast backends evaluate: a synthetic table over networks and batch sizes.

Networks have random weights, positions come from random games; boards go in and policies and values come out, as in self-play.
Without biases, the convolutions and the dense layers have none. Backends take turns at every batch size, so that what else the
machine does meanwhile meets all of them alike.
"""

from __future__ import annotations

import csv
import io
import json
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import product

import numpy as np

from rlscout.config import NetworkConfig, check_bounds
from rlscout.games import game as named
from rlscout.inference import Answer, Evaluator, QueuedEvaluator, make_evaluator
from rlscout.inference.calibration import random_positions
from rlscout.network import U64, Header, Network, shapes
from rlscout.plot import Line, plot, stacked

QUEUED = 3
"""Batches under way where the evaluator has a queue."""


@dataclass(frozen=True)
class Row:
    game: str
    backend: str
    device: str
    threads: int
    blocks: int
    channels: int
    biases: bool
    batch: int
    seconds: float
    cpu_seconds: float  # of all threads
    samples: int  # evaluated in these seconds
    ms_per_sample: float
    per_cpu_second: float  # samples


@dataclass(frozen=True)
class Asked:
    game: str = "othello8"
    backends: Sequence[str] = ("onnx",)
    blocks: Sequence[int] = (2,)
    channels: Sequence[int] = (64,)
    biases: Sequence[bool] = (True,)
    batches: Sequence[int] = (256,)
    device: str = "auto"
    threads: int = 1
    seconds: float = 0.5
    """Of each cell, at least."""


def measure(asked: Asked) -> Iterator[Row]:
    """The rows as they come. ValueError for what is unknown or not here."""
    played = named(asked.game)
    if min(asked.batches, default=0) < 1:
        raise ValueError("a batch has at least one position")
    pool = random_positions(played.name)
    legal_pool = played.engine.legal(pool)
    for blocks, channels, biases in product(asked.blocks, asked.channels, asked.biases):
        architecture = NetworkConfig(blocks=blocks, channels=channels)
        check_bounds(architecture, "network")
        network = random_network(Header(played.name, played.rows, played.columns, architecture), biases)
        evaluators = [make_evaluator(name, network, asked.device, asked.threads) for name in asked.backends]
        for batch in asked.batches:
            chosen = np.arange(batch) % len(pool)
            positions, legal = pool[chosen], legal_pool[chosen]
            for name, evaluator in zip(asked.backends, evaluators, strict=True):
                wall, cpu, samples = _timed(evaluator, positions, legal, asked.seconds)
                yield Row(
                    played.name,
                    name,
                    asked.device,
                    asked.threads,
                    blocks,
                    channels,
                    biases,
                    batch,
                    seconds=round(wall, 6),
                    cpu_seconds=round(cpu, 6),
                    samples=samples,
                    ms_per_sample=float(f"{1e3 * wall / samples:.4g}"),
                    per_cpu_second=float(f"{samples / cpu:.4g}"),
                )


def _timed(evaluator: Evaluator, positions: U64, legal: U64, seconds: float) -> tuple[float, float, int]:
    """(wall seconds, CPU seconds, positions evaluated), after two rounds that warm up."""
    evaluate_for(evaluator, positions, legal, 0.0)
    evaluate_for(evaluator, positions, legal, 0.0)
    wall, cpu = time.perf_counter(), time.process_time()
    rounds = evaluate_for(evaluator, positions, legal, seconds)
    return time.perf_counter() - wall, time.process_time() - cpu, rounds * len(positions)


def evaluate_for(evaluator: Evaluator, positions: U64, legal: U64, seconds: float) -> int:
    """The same batch again and again for so long, at least once; returns how often. A queue is kept filled."""
    if isinstance(evaluator, QueuedEvaluator):
        positions, legal = (_copied(boards, evaluator.array(*boards.shape)) for boards in (positions, legal))
    rounds, begin = 0, time.perf_counter()
    under_way: deque[Answer] = deque()
    while rounds == 0 or time.perf_counter() - begin < seconds:
        if isinstance(evaluator, QueuedEvaluator):
            under_way.append(evaluator.submit(positions, legal))
            if len(under_way) > QUEUED:
                under_way.popleft().result()
        else:
            evaluator.evaluate(positions, legal)
        rounds += 1
    for answer in under_way:
        answer.result()
    return rounds


def _copied(boards: U64, to: U64) -> U64:
    to[:] = boards
    return to


def random_network(header: Header, biases: bool = True, seed: int = 1) -> Network:
    """Weights of the spread that He et al. (2015) begin with; values of some size everywhere."""
    random = np.random.default_rng(seed)
    weights = {
        name: random.normal(0.0, (2.0 / np.prod(shape[1:])) ** 0.5 if len(shape) > 1 else 0.1 * biases, shape)
        for name, shape in shapes(header).items()
    }
    return Network(header, {name: weight.astype(np.float32) for name, weight in weights.items()})


def as_csv(rows: Sequence[Row]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(field.name for field in fields(Row))
    writer.writerows(asdict(row).values() for row in rows)
    return text.getvalue()


def as_json(row: Row) -> str:
    return json.dumps(asdict(row))


def as_text(row: Row) -> str:
    network = f"{row.blocks}x{row.channels}{'' if row.biases else ' without biases'}"
    return (
        f"{row.backend:<14} {network:<22} batch {row.batch:>5}  {row.ms_per_sample:>9.4g} ms a sample  "
        f"{row.per_cpu_second:>11,.0f} samples a CPU second  ({row.samples:,} samples, {row.seconds:.2f} s)"
    )


def as_plot(rows: Sequence[Row]) -> str:
    """An SVG file: for each network, samples a second over the batch size, a curve for each backend."""
    networks = list(dict.fromkeys((row.game, row.blocks, row.channels, row.biases) for row in rows))
    panels = []
    for network in networks:
        mine = [row for row in rows if (row.game, row.blocks, row.channels, row.biases) == network]
        lines = [
            Line(name, [(row.batch, row.samples / row.seconds) for row in mine if row.backend == name])
            for name in dict.fromkeys(row.backend for row in mine)
        ]
        game, blocks, channels, biases = network
        without = "" if biases else " without biases"
        title = f"{game}, {blocks} blocks of {channels} channels{without}: samples a second, {mine[0].threads} threads"
        panels.append(plot(title, "batch", lines, doublings=True))
    return stacked(panels)


def numbers(text: str) -> list[int]:
    """ "1,2,6" as it says; "1..64" with all doublings between: 1, 2, 4 ... 64. ValueError where it is neither."""
    found = []
    for part in text.split(","):
        first, dots, last = part.partition("..")
        try:
            low, high = int(first), int(last) if dots else int(first)
        except ValueError:
            raise ValueError(f"'{text}': write numbers as 1,2,6 or doublings as 1..4096") from None
        if low < 0 or high < low or (dots and low == 0):
            raise ValueError(f"'{text}': write numbers as 1,2,6 or doublings as 1..4096")
        found += [n for n in (low << i for i in range(64)) if n <= high] if dots else [low]
    return found
