"""Self-play: whole games under names that never repeat, whatever the batch; a promoted network takes over at once."""

from __future__ import annotations

import threading
from pathlib import Path

import numpy as np
import pytest
from networks import flat_network

from rlscout.config import load
from rlscout.games import Position, game
from rlscout.selfplay import selfplay
from rlscout.storage import SampleBatch, open_store


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


def test_the_best_network_plays(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    with open_store(tmp_path, "mnk:3,3,3") as store:
        model = store.add_model("one", flat_network("tictactoe"), 0, 1, {})
        store.set_evaluation(model, "+")
    for searches in ("1", "2"):
        samples = play(tmp_path, 4, **{"selfplay.searches": searches})
    assert set(samples.produced_by_model.tolist()) == {1}
    assert Position(game("tictactoe"), samples.positions[0], True).empties == 9
