"""Duels: a verdict from pairs in order, the same after any interruption; whole games in the store."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from msgspec.structs import replace
from networks import flat_network

from rlscout.config import Config, DuelConfig, load
from rlscout.duel import describe, duel, duel_forever
from rlscout.games import game
from rlscout.storage import Duel, Store, StoreError, open_store

pytest.importorskip("onnxruntime")


class StopAfter(threading.Event):
    """Is set once it was asked a number of times."""

    def __init__(self, questions: int) -> None:
        super().__init__()
        self.questions = questions

    def is_set(self) -> bool:
        self.questions -= 1
        return self.questions < 0 or super().is_set()


def settings(**more: str) -> Config:
    """A duel of 40 pairs that no result decides earlier."""
    duels = {"duel.alpha": "1e-6", "duel.beta": "1e-6", "duel.simulations": "20", "duel.max_pairs": "40"}
    return load("tictactoe-tiny", {**duels, **more}, {})


def with_candidate(folder: Path) -> Store:
    store = open_store(folder, "mnk:3,3,3")
    store.add_model("one", flat_network("tictactoe"), 0, 1, {})
    return store


def essence(found: Duel | None) -> tuple[object, ...]:
    assert found is not None
    return found.wins, found.draws, found.losses, found.llr, found.elo, found.verdict


def test_a_duel_that_was_interrupted_ends_alike(tmp_path: Path) -> None:
    config = settings()
    with with_candidate(tmp_path / "whole") as store:
        whole = duel(config, store, 1, 0, threading.Event())
        assert [model.evaluation for model in store.models()][1] in ("+", "-")
    with with_candidate(tmp_path / "pieces") as store:
        pieces, sittings = None, 0
        while pieces is None:
            pieces = duel(config, store, 1, 0, StopAfter(100))
            sittings += 1
            assert sittings < 50
        assert essence(pieces) == essence(whole)
        games = store.duel_games(pieces.id)
    assert sittings > 1
    assert [entry.number for entry in games] == list(range(len(games)))
    assert len(games) == pieces.wins + pieces.draws + pieces.losses


def test_no_verdict_without_the_games_it_rests_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store is away when the deciding games are to be kept, and back a moment later; meanwhile the duel is asked to stop."""
    stopping = threading.Event()

    def away(*_: object) -> Duel:
        stopping.set()
        raise StoreError("away")

    with with_candidate(tmp_path) as store:
        config = settings(**{"duel.max_pairs": "1"})
        with monkeypatch.context() as context:
            context.setattr(store, "add_duel_games", away)
            assert duel(config, store, 1, 0, stopping) is None
        assert store.duels()[0].verdict is None
        assert store.pending_models() == [1]
        ended = duel(config, store, 1, 0, threading.Event())
        assert ended is not None
        assert len(store.duel_games(ended.id)) == 2


def test_what_the_store_was_not_told_is_not_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The store is away when the verdict is to be kept, and the duel is asked to stop."""
    stopping = threading.Event()

    def away(*_: object) -> Duel:
        stopping.set()
        raise StoreError("away")

    caplog.set_level("INFO", logger="rlscout.duel")
    with with_candidate(tmp_path) as store:
        config = settings(**{"duel.max_pairs": "1"})
        with monkeypatch.context() as context:
            context.setattr(store, "finish_duel", away)
            assert duel(config, store, 1, 0, stopping) is None
        assert store.pending_models() == [1]
        assert not any(line in caplog.text for line in ("promoted", "refused"))
        assert duel(config, store, 1, 0, threading.Event()) is not None
        assert any(line in caplog.text for line in ("promoted", "refused"))


@pytest.mark.parametrize("call", ["best_model", "open_duel", "duel_games", "weights", "finish_duel"])
def test_a_duel_waits_for_a_store_that_is_away(call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stopping = threading.Event()
    with with_candidate(tmp_path) as store:
        there, asked = getattr(store, call), []

        def away_at_first(*arguments: object) -> object:
            asked.append(arguments)
            if len(asked) == 1:
                raise StoreError("away")
            return there(*arguments)

        monkeypatch.setattr(store, call, away_at_first)
        finish = store.finish_duel

        def finished(*arguments: object) -> object:
            made = finish(*arguments)  # type: ignore[arg-type]
            stopping.set()
            return made

        monkeypatch.setattr(store, "finish_duel", finished)
        duel_forever(settings(**{"duel.max_pairs": "2"}), store, stopping)
        assert len(asked) > 1
        assert store.models()[1].evaluation is not None


def test_stored_games_replay_to_their_scores_and_swap_colours(tmp_path: Path) -> None:
    with with_candidate(tmp_path) as store:
        found = duel(settings(**{"duel.max_pairs": "12"}), store, 1, 0, threading.Event())
        assert found is not None
        games = store.duel_games(found.id)
    start = game("tictactoe").start
    for first, second in zip(games[0::2], games[1::2], strict=True):
        assert first.candidate_first != second.candidate_first
        for entry in (first, second):
            end = start.play(entry.moves)
            x_score = end.score() if end.first_to_move else -end.score()
            assert entry.score == (x_score if entry.candidate_first else -x_score)
    assert "model 1 against rollouts" in describe(found, DuelConfig())
    under_way = replace(found, verdict=None, elo=1.0, elo_low=0.0, elo_high=2.0, llr=0.5)
    rule = "promoted at +2.94, as +60 Elo rather than +0; refused at -2.94"
    assert rule in describe(under_way, DuelConfig())
    assert rule not in describe(found, DuelConfig())


def test_a_flat_network_does_not_beat_rollouts_and_older_candidates_are_refused(tmp_path: Path) -> None:
    config = settings(**{"duel.elo0": "0", "duel.elo1": "300", "duel.poll_seconds": "0.01"})
    with with_candidate(tmp_path) as store:
        store.add_model("two", flat_network("tictactoe"), 0, 2, {})
        stopping = threading.Event()
        worker = threading.Thread(target=duel_forever, args=(config, store, stopping))
        worker.start()
        while store.pending_models() and worker.is_alive():
            stopping.wait(0.05)
        stopping.set()
        worker.join()
        assert [model.evaluation for model in store.models()][1:] == ["-", "-"]
        assert [found.candidate for found in store.duels()] == [2]
        assert store.best_model() == 0
