"""Self-play: games of the best network against itself, for ever; before the first network, of random rollouts.

    gather -> evaluator -> scatter, and whole games to the store in the background

A newly promoted network is loaded by a thread of its own and takes over between two batches: no game stops. Games are
acknowledged by the store before they are forgotten here; what was not acknowledged is sent again, and the store keeps
each game once.
"""

from __future__ import annotations

import hashlib
import logging
import queue
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Literal

import numpy as np

from rlscout.config import Config, device_of
from rlscout.feed import Feed
from rlscout.games import Game, game
from rlscout.inference import Evaluator, QueuedEvaluator, check_backend, make_evaluator
from rlscout.network import read_network
from rlscout.process import Every, patiently
from rlscout.storage import GameSamples, Metric, Store

if TYPE_CHECKING:
    from rlscout._native import FinishedGames, SearchCounters, SearchOptions

log = logging.getLogger(__name__)

FLUSH_SECONDS = 5.0
"""How long the last games may take to reach the store when self-play is asked to stop."""
LOG_SECONDS = 30.0
"""How often the log says how fast games are played."""
FORGIVEN = "selfplay.forgiven"
"""The run value that says which promoted model was forgiven how many samples."""
CLOSE_SECONDS = 1.0
"""How long a thread of the background may take to notice that it is not needed any more."""


def selfplay(
    config: Config, store: Store, worker: str, stopping: threading.Event, total_games: int = 0, rank: int = 0
) -> None:
    """Plays until `stopping` is set, and rests where it is far ahead of training (`selfplay.lead`); or, without a rest, until
    `total_games` games are played. `worker` must be unique among those that run at a time; `rank`, which of the processes of
    this host it is, chooses its device."""
    played = game(config.game, config.scoring)
    check_backend(config.search.backend)  # now, not when the first network comes
    start = patiently(lambda: _next_start(store, worker), stopping, log)
    if start is None:
        return
    name = f"{worker}.{start}"
    uploader = Uploader(store, stopping, config.selfplay.queue_games)
    watch = StoreWatch(config, store, stopping, rank)
    log.info("self-play %s begins", name)
    first_game = 0
    try:
        while not stopping.is_set():
            model, evaluator = watch.newest()
            first_game += _play(
                config, played, name, first_game, model, evaluator, watch, uploader, stopping, total_games
            )
            if total_games and first_game >= total_games:
                return
    finally:
        uploader.flush(FLUSH_SECONDS)
        watch.close()
        log.info("self-play %s ends after %d games", name, first_game)


def _next_start(store: Store, worker: str) -> int:
    """How often this worker was started before: part of the names of its games and of its seed, so that none
    repeats."""
    return store.count(f"selfplay.{worker}.starts")


def _play(
    config: Config,
    played: Game,
    name: str,
    first_game: int,
    model: int,
    evaluator: Evaluator | None,
    watch: StoreWatch,
    uploader: Uploader,
    stopping: threading.Event,
    total_games: int,
) -> int:
    """Plays with one kind of player, rollouts or networks, until the other kind is due; returns the number of games
    finished."""
    settings = config.selfplay
    searches = [
        played.engine.batched_search(_options(config, name, first_game, index, evaluator is not None))
        for index in range(settings.searches)
    ]
    feeds = [Feed(played, search, 0, settings.batch) for search in searches]
    meter = Meter(feeds, settings.report_seconds, f"selfplay.{name.rpartition('.')[0]}")
    finished = 0
    with ThreadPoolExecutor(1, "evaluator") as pool:
        while not stopping.is_set():
            for index, feed in enumerate(feeds):
                feed.scatter()
                feed.gather(evaluator, pool if len(feeds) > 1 else None)
                games = feed.search.take_games()
                if len(games["game"]):
                    finished += len(games["game"])
                    uploader.put(samples_of(games, f"{name}.{first_game}.{index}", model))
            uploader.report(meter.read(evaluator))
            if total_games and first_game + finished >= total_games:
                break
            while watch.resting and not total_games and not stopping.wait(0.1):
                uploader.report(meter.read(evaluator))
            newest, other = watch.newest()
            if newest != model:
                log.info("model %d takes over from model %d", newest, model)
                if evaluator is None:
                    break
                model, evaluator = newest, other
                for feed in feeds:
                    feed.search.forget_answers()
        for feed in feeds:
            feed.scatter()
    return finished


def _options(config: Config, name: str, first_game: int, index: int, network: bool) -> SearchOptions:
    settings, search = config.selfplay, config.search
    return {
        "mode": "selfplay",
        "players": ["network" if network else "rollouts"],
        "games": max(1, settings.games // settings.searches),
        "total_games": 0,
        "simulations": settings.simulations if network else settings.rollout_simulations,
        "c_puct": search.c_puct,
        "fpu": search.fpu,
        "noise_alpha": settings.noise_alpha,
        "noise_weight": settings.noise_weight,
        "temperature": settings.temperature,
        "temperature_plies": settings.temperature_plies,
        "opening_plies": settings.opening_plies,
        "margin": search.margin,
        "reuse_tree": settings.reuse_tree,
        "symmetries": search.symmetries,
        "fold": settings.fold,
        "cache": settings.cache // settings.searches if network else 0,
        "seed": seed_of(config.seed, name, str(first_game), str(index)),
        "threads": settings.threads,
    }


def seed_of(seed: int, *names: str) -> int:
    """A seed for each name, the same on every machine."""
    text = "/".join([str(seed), *names]).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little") >> 1


def samples_of(games: FinishedGames, name: str, model: int) -> list[GameSamples]:
    """Finished games as the store takes them."""
    made = []
    end = 0
    for number, length in zip(games["game"].tolist(), games["length"].tolist(), strict=True):
        begin, end = end, end + length
        if length == 0:
            continue
        part = slice(begin, end)
        made.append(
            GameSamples(
                game=f"{name}:{number}",
                produced_by_model=model,
                positions=games["positions"][part],
                visits=games["visits"][part],
                outcome=games["outcome"][part].astype(np.int16),
                value=games["value"][part],
                ply=games["ply"][part].astype(np.int16),
                move=games["move"][part].astype(np.int16),
            )
        )
    return made


class Meter:
    """Speeds between two reports, from the counters of the searches; and how long each side had nothing to do."""

    NAMES: tuple[Literal["simulations", "evaluations", "known", "rollouts", "moves", "games"], ...] = (
        "simulations",
        "evaluations",
        "known",
        "rollouts",
        "moves",
        "games",
    )

    def __init__(self, feeds: list[Feed], seconds: float, source: str) -> None:
        self.feeds, self.due, self.source = feeds, Every(seconds), source
        self.log_due = Every(LOG_SECONDS)
        self.before = self._sum()
        self.time = time.monotonic()
        self.evaluator: Evaluator | None = None
        self.waited = self.busy = 0.0

    def _sum(self) -> dict[str, int]:
        counters: list[SearchCounters] = [feed.search.counters() for feed in self.feeds]
        return {name: sum(c[name] for c in counters) for name in self.NAMES}

    def _idle(self, evaluator: Evaluator, seconds: float) -> dict[str, float]:
        """Shares of these seconds since the last call."""
        waited = sum(feed.waited for feed in self.feeds)
        busy = sum(feed.evaluating for feed in self.feeds)
        if isinstance(evaluator, QueuedEvaluator):
            busy = evaluator.busy_seconds
            self.busy = self.busy if evaluator is self.evaluator else 0.0
        idle = {"search_idle": (waited - self.waited) / seconds, "evaluator_idle": 1.0 - (busy - self.busy) / seconds}
        self.evaluator, self.waited, self.busy = evaluator, waited, busy
        return {name: min(max(share, 0.0), 1.0) for name, share in idle.items()}

    def read(self, evaluator: Evaluator | None) -> list[Metric]:
        """Empty until a report is due. `evaluator`: that of the searches; None: rollouts."""
        if not self.due():
            return []
        now, counters = time.monotonic(), self._sum()
        seconds = now - self.time
        made = {name: counters[name] - self.before[name] for name in counters}
        self.before, self.time = counters, now
        asked, known = made["evaluations"], made.pop("known")
        values = {f"{name}_per_second": made[name] / seconds for name in made}
        if evaluator is not None:
            values |= self._idle(evaluator, seconds)
        if self.log_due():
            log.info(
                "%s", ", ".join(f"{made[name] / seconds:,.0f} {name}/s" for name in made if made[name]) or "resting"
            )
        if asked + known:
            values["cache_hit_rate"] = known / (asked + known)
        if made["moves"]:
            values["ms_per_move"] = 1e3 * seconds / made["moves"]
        if made["simulations"]:
            values["us_per_simulation"] = 1e6 * seconds / made["simulations"]
        stamp = time.time()
        return [Metric(stamp, self.source, name, value) for name, value in values.items()]


class Uploader:
    """Sends games and metrics to the store in the background, in order, until they are acknowledged."""

    def __init__(self, store: Store, stopping: threading.Event, queue_games: int) -> None:
        self.store, self.stopping, self.queue_games = store, stopping, queue_games
        self.items: queue.Queue[list[GameSamples] | list[Metric]] = queue.Queue()
        self.waiting = 0  # games in the queue
        self.free = threading.Condition()
        self.ending = threading.Event()
        threading.Thread(target=self._run, daemon=True, name="uploader").start()

    def put(self, games: list[GameSamples]) -> None:
        """Queues whole games; waits while too many are queued, so that a store that is away is not outrun."""
        with self.free:
            while self.waiting > self.queue_games and not self.stopping.is_set():
                self.free.wait(0.2)
            self.waiting += len(games)
        self.items.put(games)

    def report(self, metrics: list[Metric]) -> None:
        if metrics:
            self.items.put(metrics)

    def flush(self, seconds: float) -> None:
        """Waits until all is acknowledged, at most so long; what is left is logged and lost (it was never
        acknowledged)."""
        deadline = time.monotonic() + seconds
        while self.items.unfinished_tasks and time.monotonic() < deadline:
            time.sleep(0.02)
        self.ending.set()
        if self.items.unfinished_tasks:
            log.warning("%d games did not reach the store", self.waiting)

    def _run(self) -> None:
        while not self.ending.is_set():
            item = self.items.get()
            games = [entry for entry in item if isinstance(entry, GameSamples)]
            metrics = [entry for entry in item if isinstance(entry, Metric)]
            try:
                if games:
                    patiently(lambda games=games: self.store.add_games(games), self.ending, log)  # type: ignore[misc]
                if metrics:
                    patiently(lambda metrics=metrics: self._add_metrics(metrics), self.ending, log)  # type: ignore[misc]
            except Exception:  # the thread must live: other games wait behind these
                log.exception("the store refuses %d games", len(games))
            self.items.task_done()
            with self.free:
                self.waiting -= len(games)
                self.free.notify_all()

    def _add_metrics(self, metrics: list[Metric]) -> None:
        """With them goes the number of samples ever stored, whoever played them."""
        stored = float(self.store.sample_counts().last_id)
        self.store.add_metrics([*metrics, Metric(metrics[-1].time, "selfplay", "samples", stored)])


class StoreWatch:
    """What the store says of others: the newest promoted network, loaded in the background, and how far training is."""

    def __init__(self, config: Config, store: Store, stopping: threading.Event, rank: int) -> None:
        self.config, self.store = config, store
        self.device = device_of(config.search.device, rank)
        self.ending = threading.Event()
        self.game = game(config.game, config.scoring).name
        self.found: tuple[int, Evaluator | None] = (0, None)
        self.resting = False
        self.promoted = False
        self.trained = 0.0  # samples that training has had use for
        self.excused = 0.0  # samples that are forgiven: what is left of the lead of the models before
        self.told = 0.0  # when, by its own clock, training told that
        self._look(stopping)
        self.thread = threading.Thread(target=self._run, daemon=True, name="networks")
        self.thread.start()

    def close(self) -> None:
        self.ending.set()
        self.thread.join(timeout=CLOSE_SECONDS)

    def newest(self) -> tuple[int, Evaluator | None]:
        """(model id, evaluator); (0, None) before the first promotion."""
        return self.found

    def _run(self) -> None:
        while not self.ending.wait(self.config.selfplay.poll_seconds):
            try:
                self._look(self.ending)
                rest = patiently(self._far_ahead, self.ending, log)
            except Exception:  # whatever it was: self-play goes on with the network it has
                log.exception("the best model cannot be used; going on with model %d", self.found[0])
                continue
            if rest is not None and rest != self.resting:
                log.debug("self-play %s", "rests" if rest else "goes on")
                self.resting = rest

    def _far_ahead(self) -> bool:
        """Whether there are far more samples than training, as far as it has told, has had use for."""
        settings, lead = self.config.train, self.config.selfplay.lead
        if not lead:
            return False
        lead = max(1.0, lead)  # less would let training use up all samples, and self-play rest for ever
        for metric in self.store.read_metrics("step", self.told)[-1:]:
            self.told, self.trained = metric.time, metric.value * settings.batch / settings.reuse
        ahead = self.store.sample_counts().last_id - lead * (settings.min_samples + self.trained)
        # What an older model played in excess is no reason for a better one to rest; once training has caught up with it, it excuses
        # nothing more.
        least = max(0.0, ahead + settings.min_samples)
        if self.promoted:
            self.excused, self.promoted = self._forgiven(least), False
        self.excused = min(self.excused, least)
        return ahead > self.excused

    def _forgiven(self, samples: float) -> float:
        """What the promotion of the best model forgives: a restart forgives nothing anew."""
        model, _, before = self.store.run_values().get(FORGIVEN, "").partition(" ")
        if model == str(self.found[0]):
            return float(before)
        self.store.set_run_value(FORGIVEN, f"{self.found[0]} {samples:.0f}")
        return samples

    def _look(self, ending: threading.Event) -> None:
        best = patiently(self.store.best_model, ending, log)
        if best is None or best == self.found[0]:
            return
        weights = patiently(lambda: self.store.weights(best), ending, log)
        if weights is None:
            return
        search, settings = self.config.search, self.config.selfplay
        network = read_network(weights, self.game)
        batch = min(settings.batch, max(1, settings.games // settings.searches))
        evaluator = make_evaluator(
            search.backend, network, self.device, search.network_threads, batch=batch, reduced=True
        )
        self.promoted = self.found[0] != best
        self.found = (best, evaluator)
