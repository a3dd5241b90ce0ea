"""Self-play: whole games under names that never repeat, whatever the batch; a promoted network takes over at once."""

from __future__ import annotations

import threading
from concurrent.futures import Executor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from networks import flat_network
from stores import make_game

from rlscout.config import load
from rlscout.feed import Feed
from rlscout.games import Position, game
from rlscout.inference import Answer, Heads, QueuedEvaluator
from rlscout.inference.hashed import HashedEvaluator
from rlscout.network import U64
from rlscout.selfplay import Meter, StoreWatch, Uploader, selfplay
from rlscout.storage import GameSamples, Metric, SampleBatch, StoreError, open_store


def play(folder: Path, games: int, **more: str) -> SampleBatch:
    config = load("tictactoe-tiny", {"selfplay.opening_plies": "0", **more}, {})
    with open_store(folder, "mnk:3,3,3") as store:
        selfplay(config, store, "w", threading.Event(), total_games=games)
        return store.read_samples(0)


def test_samples_are_whole_games_with_exact_outcomes(tmp_path: Path) -> None:
    samples = play(tmp_path, 20)
    played = game("tictactoe")
    assert len(set(samples.games.tolist())) >= 20
    for number in set(samples.games.tolist()):
        rows = np.flatnonzero(samples.games == number)
        position = played.start
        for row in rows:
            assert position.packed.tolist() == samples.positions[row].tolist()
            assert samples.visits[row][samples.move[row]] > 0
            assert not any(samples.visits[row][s] for s in range(9) if s not in position.legal_squares)
            position = position.play([int(samples.move[row])])
        assert position.over
        outcomes = samples.outcome[rows].tolist()
        assert outcomes[-1] == -position.score()
        assert all(now == -then for now, then in zip(outcomes[1:], outcomes[:-1], strict=True))
    assert set(samples.produced_by_model.tolist()) == {0}


def test_a_restart_plays_other_games(tmp_path: Path) -> None:
    first = play(tmp_path, 5)
    both = play(tmp_path, 5)
    assert len(both.ids) > len(first.ids)
    assert both.visits[: len(first.ids)].tolist() == first.visits.tolist()
    assert both.visits[len(first.ids) :].tolist() != first.visits.tolist()


def test_a_number_of_games_is_played_without_a_rest(tmp_path: Path) -> None:
    """Whoever asks for it may train nothing, and self-play would rest for ever."""
    first = play(tmp_path, 1)
    both = play(tmp_path, 5000, **{"train.min_samples": "1", "selfplay.poll_seconds": "0.01"})
    assert len(set(both.games.tolist())) >= len(set(first.games.tolist())) + 5000


def test_the_best_network_plays(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    with open_store(tmp_path, "mnk:3,3,3") as store:
        model = store.add_model("one", flat_network("tictactoe"), 0, 1, {})
        store.set_evaluation(model, "+")
    for searches in ("1", "2"):
        samples = play(tmp_path, 4, **{"selfplay.searches": searches})
    assert set(samples.produced_by_model.tolist()) == {1}
    assert Position(game("tictactoe"), samples.positions[0], True).empties == 9


class Queued(HashedEvaluator, QueuedEvaluator):
    """Answers each batch when it is waited for, and not before."""

    busy_seconds = 0.0

    def __init__(self) -> None:
        super().__init__(9)
        self.under_way = 0

    def array(self, *shape: int) -> U64:
        return np.empty(shape, np.uint64)

    def submit(self, positions: U64, legal: U64) -> Answer:
        self.under_way += 1
        queue = self

        class Waiting:
            def result(self) -> Heads:
                queue.under_way -= 1
                queue.busy_seconds += 1e-6
                return queue.evaluate(positions, legal)

        return Waiting()


def test_a_promoted_network_is_asked_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that the network before it answered is left in the cache: the empty board, for one."""
    stopping, made = threading.Event(), 0
    with open_store(tmp_path, "mnk:3,3,3") as store:

        def promote(name: str) -> None:
            store.set_evaluation(store.add_model(name, flat_network("tictactoe"), 0, 1, {}), "+")

        class Asked(HashedEvaluator):
            def __init__(self) -> None:
                super().__init__(9)
                self.batches, self.empty_boards = 0, 0

            def evaluate(self, positions: U64, legal: U64) -> Heads:
                self.batches += 1
                self.empty_boards += int((~positions.any(axis=1)).sum())
                if self is first and self.batches == 10:
                    promote("second")
                return super().evaluate(positions, legal)

        def put(_: Uploader, games: list[GameSamples]) -> None:
            nonlocal made
            made += sum(game.produced_by_model == 2 for game in games)
            if made > 100:
                stopping.set()

        first, second = Asked(), Asked()
        networks = iter((first, second))
        monkeypatch.setattr("rlscout.selfplay.make_evaluator", lambda *_, **__: next(networks))
        monkeypatch.setattr(Uploader, "put", put)
        promote("first")
        config = load("tictactoe-tiny", {"selfplay.opening_plies": "0", "selfplay.poll_seconds": "0.01"}, {})
        selfplay(config, store, "w", stopping)
    assert first.empty_boards > 0
    assert second.empty_boards > 0


def test_idle_time_is_of_the_network_that_plays() -> None:
    search = game("tictactoe").engine.batched_search({"mode": "selfplay", "games": 1})
    feed = Feed(game("tictactoe"), search, 0, 1)
    meter = Meter([feed], 1.0, "w")
    before, after = Queued(), Queued()
    for evaluator, busy, waited, wanted in (
        (before, 3.0, 1.0, (0.25, 0.25)),
        (before, 5.0, 1.0, (0.0, 0.5)),
        (after, 1.0, 4.0, (0.75, 0.75)),
    ):
        evaluator.busy_seconds, feed.waited = busy, waited
        idle = meter._idle(evaluator, 4.0)
        assert (idle["search_idle"], idle["evaluator_idle"]) == wanted


@pytest.mark.parametrize("searches", [1, 3])
def test_an_evaluator_with_a_queue_plays_the_same_games(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, searches: int
) -> None:
    found = []
    for evaluator in (HashedEvaluator(9), queue := Queued()):
        monkeypatch.setattr("rlscout.selfplay.make_evaluator", lambda *_, chosen=evaluator, **__: chosen)
        folder = tmp_path / type(evaluator).__name__
        with open_store(folder, "mnk:3,3,3") as store:
            store.set_evaluation(store.add_model("one", flat_network("tictactoe"), 0, 1, {}), "+")
        found.append(play(folder, 12, **{"selfplay.searches": str(searches), "selfplay.report_seconds": "0.01"}))
    assert queue.under_way == 0
    visits = [sorted((played.games[i], played.visits[i].tolist()) for i in range(len(played.ids))) for played in found]
    first = {game for game, _ in visits[0]} & {game for game, _ in visits[1]}
    assert len(first) >= 12
    assert [pair for pair in visits[0] if pair[0] in first] == [pair for pair in visits[1] if pair[0] in first]


def test_who_waits_for_whom_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With one search, one of both always waits for the other."""
    monkeypatch.setattr("rlscout.selfplay.make_evaluator", lambda *_, **__: HashedEvaluator(9))
    with open_store(tmp_path, "mnk:3,3,3") as store:
        store.set_evaluation(store.add_model("one", flat_network("tictactoe"), 0, 1, {}), "+")
    play(tmp_path, 60, **{"selfplay.simulations": "400", "selfplay.report_seconds": "0.01"})
    with open_store(tmp_path, "mnk:3,3,3") as store:
        search, evaluator = (
            [metric.value for metric in store.read_metrics(name)] for name in ("search_idle", "evaluator_idle")
        )
    assert len(search) > 0
    assert all(0.0 < share < 1.0 for share in search)
    assert [a + b for a, b in zip(search, evaluator, strict=True)] == pytest.approx([1.0] * len(search), abs=1e-6)


def test_a_lead_over_training_is_forgiven_at_a_promotion(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Self-play rests far ahead of training; but a better model begins at once, and rests when it is far ahead itself."""
    monkeypatch.setattr("rlscout.selfplay.make_evaluator", lambda *_, **__: HashedEvaluator(9))
    settings = {"selfplay.lead": "2", "train.min_samples": "100", "train.batch": "10", "train.reuse": "2"}
    config = load("tictactoe-tiny", {**settings, "selfplay.poll_seconds": "3600"}, {})
    with open_store(tmp_path, "mnk:3,3,3") as store:

        def stored(samples: int) -> None:
            first = store.sample_counts().games
            store.add_games([make_game(first + i, 10, squares=9) for i in range(samples // 10)])

        def promoted(model: str) -> None:
            store.set_evaluation(store.add_model(model, flat_network("tictactoe"), 0, 1, {}), "+")
            watch._look(threading.Event())

        watch = StoreWatch(config, store, threading.Event(), 0)
        watch.close()
        stored(200)
        assert not watch._far_ahead()
        stored(800)
        assert watch._far_ahead()
        promoted("first")
        assert not watch._far_ahead()
        stored(100)
        assert not watch._far_ahead()
        stored(10)
        assert watch._far_ahead()
        store.add_metrics(
            [Metric(1.0, "train", "step", 20.0)]
        )  # has had use for 20 * 10 / 2 samples: twice as many are allowed
        assert not watch._far_ahead()
        stored(200)
        assert watch._far_ahead()
        promoted("second")
        assert not watch._far_ahead()
        store.add_metrics([Metric(2.0, "train", "step", 200.0)])  # training has caught up: nothing is left to forgive
        assert not watch._far_ahead()
        stored(890)
        assert not watch._far_ahead()
        stored(10)
        assert watch._far_ahead()


def test_a_restart_forgives_nothing_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rlscout.selfplay.make_evaluator", lambda *_, **__: HashedEvaluator(9))
    settings = {"selfplay.lead": "2", "train.min_samples": "100", "selfplay.poll_seconds": "3600"}
    config = load("tictactoe-tiny", settings, {})
    with open_store(tmp_path, "mnk:3,3,3") as store:
        store.set_evaluation(store.add_model("one", flat_network("tictactoe"), 0, 1, {}), "+")
        played = 0
        for _ in range(10):
            watch = StoreWatch(config, store, threading.Event(), 0)
            watch.close()
            for _ in range(20):
                if watch._far_ahead():
                    break
                store.add_games([make_game(played, 10, squares=9)])
                played += 1
        assert 10 * played <= 2 * 100 + 100 + 10  # the lead, what the promotion forgives, and the game that goes beyond


@pytest.mark.parametrize("queued", [False, True])
def test_a_search_waits_from_the_moment_it_has_no_more_to_do(monkeypatch: pytest.MonkeyPatch, queued: bool) -> None:
    """What an evaluation takes while the search has other work is no waiting."""
    clock = 0.0
    monkeypatch.setattr("rlscout.feed.time", SimpleNamespace(perf_counter=lambda: clock))
    evaluator = Queued() if queued else HashedEvaluator(9)

    class Pool(Executor):
        def submit(self, work: Any, /, *arguments: Any) -> Any:
            return SimpleNamespace(result=lambda: work(*arguments))

    def late(*boards: U64) -> Heads:
        nonlocal clock
        clock += 3.0
        return HashedEvaluator.evaluate(evaluator, *boards)

    monkeypatch.setattr(evaluator, "evaluate", late)
    search = game("tictactoe").engine.batched_search({"mode": "selfplay", "games": 4})
    feed = Feed(game("tictactoe"), search, 0, 4)
    for rounds in range(1, 4):
        assert feed.gather(evaluator, Pool()) > 0
        assert feed.waited == 3.0 * (rounds - 1)
        clock += 5.0  # another search has its turn
        feed.scatter()
        feed.scatter()
        assert feed.waited == 3.0 * rounds
    assert feed.evaluating == (0.0 if queued else 9.0)


def test_games_reach_a_store_that_was_away_each_once_and_past_one_that_is_refused(tmp_path: Path) -> None:
    """The answer to a write may be lost after the write was done: then it is sent again."""
    with open_store(tmp_path, "mnk:3,3,3") as store:
        sent: list[int] = []

        def add_games(games: list[GameSamples]) -> int:
            sent.append(len(games))
            added = store.add_games(games) if len(sent) != 1 else 0
            if len(sent) <= 2:
                raise StoreError("away" if len(sent) == 1 else "no answer")
            return added

        uploader = Uploader(SimpleNamespace(add_games=add_games), threading.Event(), 100)  # type: ignore[arg-type]
        uploader.put([make_game(number, 10, squares=9) for number in (1, 2)])
        uploader.put([make_game(3, 10, squares=9, model=7)])  # no such model
        uploader.put([make_game(4, 10, squares=9)])
        uploader.flush(30.0)
        assert sent == [2, 2, 2, 1, 1]
        assert (store.sample_counts().games, store.sample_counts().last_id) == (3, 30)
