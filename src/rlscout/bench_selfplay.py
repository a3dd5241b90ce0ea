"""How fast self-play is, whole: search, boards out, network, answers back; and where the time goes.

Rates are per CPU second of this process (all threads), so that another process on the machine spoils them less; wall seconds
stand beside them. Self-play and the evaluator alone, on the same boards at once, take turns of half a second, and their CPU
seconds are compared (wall seconds, where the evaluator is a device of its own): what self-play does not reach of the bare rate
is the price of all the rest.
"""

from __future__ import annotations

import json
import re
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np
import psutil

from rlscout.bench_eval import evaluate_for, random_network
from rlscout.bench_mcts import ANSWERS, fake_answers, seconds_per_1000_games
from rlscout.config import NetworkConfig, check_bounds
from rlscout.feed import Feed
from rlscout.games import Game
from rlscout.games import game as named
from rlscout.inference import (
    Answer,
    Evaluator,
    Heads,
    QueuedEvaluator,
    StagedEvaluator,
    check_backend,
    choose,
    heads_of,
    make_evaluator,
)
from rlscout.network import F16, F32, U64, Header, Network, read_network

if TYPE_CHECKING:
    from rlscout._native import BatchedSearch, FinishedGames, SearchOptions

T = TypeVar("T")

TURN_SECONDS = 0.5


@dataclass(frozen=True)
class Asked:
    game: str = "othello8"
    network: str = "2x64"
    """rollout, fake (answers at once), BLOCKSxCHANNELS (random weights), or a file."""
    simulations: int = 800
    games: int = 64
    threads: int = 1
    """Of each search; and of the evaluator."""
    searches: int = 1
    seconds: float = 5.0
    backend: str = "auto"
    device: str = "auto"
    cache: int = 0
    """Answers kept across games."""
    fold: bool = False
    """Whether images of a position are evaluated as one, which the cache then finds again."""
    symmetries: bool = True
    """Whether each position is evaluated as a random image of itself."""
    reduced: bool = True
    """Whether auto may take less than single precision."""


@dataclass(frozen=True)
class Step:
    """What happens in a round, in order; a round is one batch."""

    name: str
    bytes: int  # written
    microseconds: float  # of CPU, all threads; of wall time where searches overlap
    share: float  # of the round


@dataclass(frozen=True)
class Speed:
    game: str
    network: str
    backend: str
    why: str  # this backend
    simulations: int  # a move
    games: int  # in flight
    threads: int
    searches: int
    cache: int
    sims_per_s: float
    evaluations_per_s: float  # by the network
    wall_evaluations_per_s: float
    moves_per_s: float
    bare_evaluations_per_s: (
        float  # of the same evaluator on the same boards, no search; 0 without a network; a device: by wall
    )
    share_of_bare: float
    hit_rate: float  # of the cache
    batch: float  # mean
    repeated_nodes: float  # share of a tree's nodes whose position, images folded, it has already
    bytes_per_tree: float  # growth of resident memory over the number of games in flight
    search_idle: float  # share of the wall time in which no search runs
    evaluator_idle: float
    seconds_per_1000_games: float  # wall, of games as long as random ones
    seconds: float  # CPU
    wall_seconds: float
    steps: tuple[Step, ...]

    def json(self) -> str:
        return json.dumps(asdict(self))

    def text(self) -> str:
        lines = [
            f"{self.game}, {self.network} on {self.backend} ({self.why})",
            f"{self.simulations} simulations a move, {self.games} games, {self.searches} searches, {self.threads} threads, "
            f"a cache of {self.cache:,} answers, batches of {self.batch:,.0f}",
            f"a CPU second: {self.sims_per_s:,.0f} simulations, {self.evaluations_per_s:,.0f} evaluations, "
            f"{self.moves_per_s:,.1f} moves ({self.seconds:.1f} CPU s, {self.wall_seconds:.1f} s: "
            f"{self.wall_evaluations_per_s:,.0f} evaluations a second); "
            f"1000 games in {self.seconds_per_1000_games:,.0f} s",
            f"{self.bytes_per_tree / 1000:,.0f} kB a tree, {self.repeated_nodes:.1%} of its nodes are a position it has already",
            f"idle: search {self.search_idle:.0%}, evaluator "
            f"{self.evaluator_idle:.0%} of the time" + (f"; hit rate {self.hit_rate:.1%}" if self.cache else ""),
        ]
        if self.bare_evaluations_per_s:
            lines.append(
                f"the evaluator alone: {self.bare_evaluations_per_s:,.0f} evaluations a second; self-play reaches "
                f"{self.share_of_bare:.1%}"
            )
        lines += [f"{'a round':<28} {'bytes':>10} {'µs' if self.searches > 1 else 'CPU µs':>10} {'share':>7}"]
        lines += [f"{s.name:<28} {s.bytes:>10,} {s.microseconds:>10,.1f} {s.share:>7.1%}" for s in self.steps]
        return "\n".join(lines)


class _Instant:
    """The fake network: it answers at once."""

    def __init__(self, squares: int, batch: int) -> None:
        self._policies, self._values = fake_answers(squares, batch)
        self._turn = 0

    def evaluate(self, positions: U64, legal: U64) -> Heads:
        self._turn = (self._turn + 1) % ANSWERS
        return Heads(self._policies[self._turn, : len(positions)], self._values[self._turn, : len(positions)])


class _Clock:
    """Wall seconds, CPU seconds and bytes by step."""

    def __init__(self) -> None:
        self.wall: dict[str, float] = defaultdict(float)
        self.cpu: dict[str, float] = defaultdict(float)
        self.bytes: dict[str, int] = defaultdict(int)

    def __call__(self, name: str, call: Callable[[], T], size: Callable[[T], int] = lambda _: 0) -> T:
        begin, cpu = time.perf_counter(), time.process_time()
        made = call()
        self.wall[name] += time.perf_counter() - begin
        self.cpu[name] += time.process_time() - cpu
        self.bytes[name] += size(made)
        return made


WALK = "search, boards written"
PLANES = "boards to planes"
NETWORK = "network"
POLICY = "logits to policies"
QUEUE = "boards to the queue"
WAIT = "waiting for answers"
BACK_UP = "answers into the trees"
GAMES = "finished games taken"
BETWEEN = "Python in between"


class _Timed:
    """An evaluator whose stages are timed, where it has any."""

    def __init__(self, evaluator: Evaluator | None, clock: _Clock) -> None:
        self.evaluator, self.clock = evaluator, clock
        self.evaluated = 0
        self.boards: tuple[U64, U64] | None = None  # the largest batch so far

    def idle(self, seconds: float) -> float:
        """Share of the wall time."""
        return 1.0 - sum(self.clock.wall.get(stage, 0.0) for stage in (PLANES, NETWORK, POLICY)) / seconds

    def begin_turn(self) -> None:
        """Self-play goes on, after a turn of the evaluator alone."""

    def end_turn(self) -> None:
        """And rests again."""

    def _note(self, positions: U64, legal: U64) -> None:
        self.evaluated += len(positions)
        if self.boards is None or len(positions) > len(self.boards[0]):
            self.boards = positions.copy(), legal.copy()

    def evaluate(self, positions: U64, legal: U64) -> Heads:
        self._note(positions, legal)
        evaluator = self.evaluator
        assert evaluator is not None
        if not isinstance(evaluator, StagedEvaluator) or not len(positions):
            return self.clock(NETWORK, lambda: evaluator.evaluate(positions, legal), _size)
        x = self.clock(PLANES, lambda: evaluator.planes(positions, legal), lambda x: x.nbytes)
        logits, value = self.clock(NETWORK, lambda: evaluator.run(x), _size)
        return self.clock(POLICY, lambda: heads_of(logits, value, legal), _size)


class _TimedQueue(_Timed, QueuedEvaluator):
    """The same with a queue."""

    def __init__(self, evaluator: QueuedEvaluator, clock: _Clock) -> None:
        super().__init__(evaluator, clock)
        self.queue, self._before = evaluator, evaluator.busy_seconds
        self._busy = 0.0

    @property
    def busy_seconds(self) -> float:
        return self.queue.busy_seconds

    def array(self, *shape: int) -> U64:
        return self.queue.array(*shape)

    def submit(self, positions: U64, legal: U64) -> Answer:
        self._note(positions, legal)
        size = positions.nbytes + legal.nbytes
        return _TimedAnswer(self.clock(QUEUE, lambda: self.queue.submit(positions, legal), lambda _: size), self.clock)

    def begin_turn(self) -> None:
        self._before = self.queue.busy_seconds

    def end_turn(self) -> None:
        self._busy += self.queue.busy_seconds - self._before

    def idle(self, seconds: float) -> float:
        return 1.0 - self._busy / seconds


class _TimedAnswer:
    def __init__(self, answer: Answer, clock: _Clock) -> None:
        self.answer, self.clock = answer, clock

    def result(self) -> Heads:
        return self.clock(WAIT, self.answer.result, _size)


def _size(heads: tuple[F32 | F16, F32]) -> int:
    return sum(head.nbytes for head in heads)


class _TimedSearch:
    """A search whose calls are timed."""

    def __init__(self, search: BatchedSearch, clock: _Clock) -> None:
        self.search, self.clock = search, clock

    def gather(self, player: int, positions: U64, legal: U64, seconds: float) -> int:
        row = positions[:1].nbytes + legal[:1].nbytes
        return self.clock(
            WALK, lambda: self.search.gather(player, positions, legal, seconds), lambda count: count * row
        )

    def scatter(self, player: int, policy: F32 | F16, value: F32) -> None:
        self.clock(BACK_UP, lambda: self.search.scatter(player, policy, value))

    def take_games(self) -> FinishedGames:
        return self.clock(
            GAMES,
            self.search.take_games,
            lambda games: games["positions"].nbytes + games["visits"].nbytes,
        )


def measure(asked: Asked) -> Speed:
    """Plays for about `seconds` of wall time, until a move is made at least, and evaluates alone for as long where there is a network.

    Raises ValueError for an unknown game, network or backend and for counts out of range."""
    played = named(asked.game)
    if asked.searches > asked.games:
        raise ValueError(f"{asked.games} games for {asked.searches} searches: each needs one")
    check_backend(asked.backend)
    in_flight = asked.games // asked.searches
    games = in_flight * asked.searches
    backend, why, evaluator = _evaluator(asked, played, in_flight)
    if evaluator is not None:
        start = np.tile(played.engine.initial(), (in_flight, 1))
        evaluator.evaluate(start, played.engine.legal(start))  # takes the memory that it needs
    searches = [played.engine.batched_search(_options(asked, in_flight, i)) for i in range(asked.searches)]
    resident = psutil.Process().memory_info().rss
    loop = _Loop(played, searches, evaluator, in_flight)
    bare_count, bare_seconds, begin = 0, 0.0, time.perf_counter()
    limit = asked.seconds * (1 if evaluator is None else 2)
    while time.perf_counter() - begin < limit or not any(search.counters()["moves"] for search in searches):
        loop.turn()
        if evaluator is not None and backend != "fake" and loop.timed.boards is not None:
            count, seconds = _alone(evaluator, *loop.timed.boards)
            bare_count, bare_seconds = bare_count + count, bare_seconds + seconds
    counters = [search.counters() for search in searches]
    simulations, moves = (sum(c[name] for c in counters) for name in ("simulations", "moves"))
    bare = bare_count / bare_seconds if bare_seconds else 0.0
    rate, wall_rate = (loop.timed.evaluated / seconds for seconds in (loop.cpu, loop.wall))
    known = sum(c["known"] for c in counters)
    nodes, repeated = np.sum([search.repeated_nodes() for search in searches], axis=0)
    return Speed(
        played.name,
        asked.network,
        backend,
        why,
        asked.simulations,
        games,
        asked.threads,
        asked.searches,
        asked.cache,
        sims_per_s=simulations / loop.cpu,
        evaluations_per_s=rate,
        wall_evaluations_per_s=wall_rate,
        moves_per_s=moves / loop.cpu,
        bare_evaluations_per_s=bare,
        share_of_bare=(wall_rate if isinstance(evaluator, QueuedEvaluator) else rate) / bare if bare else 0.0,
        hit_rate=known / max(1, known + loop.timed.evaluated),
        batch=loop.timed.evaluated / max(1, loop.rounds),
        repeated_nodes=repeated / max(1, nodes),
        bytes_per_tree=(psutil.Process().memory_info().rss - resident) / games,
        search_idle=1.0 - sum(loop.clock.wall[name] for name in (WALK, BACK_UP, GAMES)) / loop.wall,
        evaluator_idle=loop.timed.idle(loop.wall),
        seconds_per_1000_games=seconds_per_1000_games(played.name, loop.wall, moves, simulations / asked.simulations),
        seconds=loop.cpu,
        wall_seconds=loop.wall,
        steps=loop.steps(),
    )


def _evaluator(asked: Asked, played: Game, batch: int) -> tuple[str, str, Evaluator | None]:
    """(name, why this one, evaluator)"""
    if asked.network == "rollout":
        return "rollout", "no network", None
    if asked.network == "fake":
        return "fake", "answers drawn before the clock starts", _Instant(played.squares, batch)
    network = _network(asked.network, played)
    name, why = asked.backend, "asked for"
    if name == "auto":
        name, why = choose(network, asked.device, asked.threads, batch, asked.reduced)
    return name, why, make_evaluator(name, network, asked.device, asked.threads)


def _network(name: str, played: Game) -> Network:
    if shape := re.fullmatch(r"(\d+)x(\d+)", name):
        architecture = NetworkConfig(blocks=int(shape[1]), channels=int(shape[2]))
        check_bounds(architecture, "network")
        return random_network(Header(played.name, played.rows, played.columns, architecture))
    if not Path(name).is_file():
        raise ValueError(f"network '{name}': rollout, fake, BLOCKSxCHANNELS (random weights) and files are allowed")
    return read_network(Path(name), played.name)


def _options(asked: Asked, games: int, index: int) -> SearchOptions:
    return {
        "mode": "selfplay",
        "players": ["rollouts" if asked.network == "rollout" else "network"],
        "games": games,
        "simulations": asked.simulations,
        "temperature_plies": 16,
        "noise_alpha": 1.0,
        "noise_weight": 0.25,
        "opening_plies": 4,
        "symmetries": asked.symmetries,
        "fold": asked.fold,
        "cache": asked.cache // asked.searches,
        "seed": index + 1,
        "threads": asked.threads,
    }


def _alone(evaluator: Evaluator, positions: U64, legal: U64) -> tuple[int, float]:
    """(positions evaluated, seconds) of a turn of the evaluator alone: of CPU, or of wall time where it has a queue."""
    clock = time.perf_counter if isinstance(evaluator, QueuedEvaluator) else time.process_time
    begin = clock()
    rounds = evaluate_for(evaluator, positions, legal, TURN_SECONDS)
    return rounds * len(positions), clock() - begin


class _Loop:
    """The loop of self-play, without a store; the sums of its turns."""

    def __init__(self, played: Game, searches: list[BatchedSearch], evaluator: Evaluator | None, batch: int) -> None:
        self.clock = _Clock()
        self.timed = (
            _TimedQueue(evaluator, self.clock)
            if isinstance(evaluator, QueuedEvaluator)
            else _Timed(evaluator, self.clock)
        )
        self.feeds = [Feed(played, cast("BatchedSearch", _TimedSearch(s, self.clock)), 0, batch) for s in searches]
        self.rounds, self.wall, self.cpu = 0, 0.0, 0.0

    def turn(self) -> None:
        self.timed.begin_turn()
        begin, cpu = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(1, "evaluator") if len(self.feeds) > 1 else nullcontext() as pool:
            while time.perf_counter() - begin < TURN_SECONDS:
                for feed in self.feeds:
                    feed.scatter()
                    count = feed.gather(None if self.timed.evaluator is None else self.timed, pool)
                    self.rounds += count > 0
                    feed.search.take_games()
            for feed in self.feeds:
                feed.scatter()
        self.wall += time.perf_counter() - begin
        self.cpu += time.process_time() - cpu
        self.timed.end_turn()

    def steps(self) -> tuple[Step, ...]:
        """Each step of a round, and what Python takes in between."""
        alone = len(self.feeds) == 1  # else two things happen at once, and CPU seconds are of both
        seconds, whole = (dict(self.clock.cpu), self.cpu) if alone else (dict(self.clock.wall), self.wall)
        if alone:
            seconds[BETWEEN] = whole - sum(seconds.values())
        rounds = max(1, self.rounds)
        return tuple(
            Step(name, self.clock.bytes[name] // rounds, 1e6 * seconds[name] / rounds, seconds[name] / whole)
            for name in (WALK, QUEUE, PLANES, NETWORK, POLICY, WAIT, BACK_UP, GAMES, BETWEEN)
            if name in seconds
        )
