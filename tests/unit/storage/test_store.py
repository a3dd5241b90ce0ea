"""What every store keeps and refuses: one suite for the local and the remote one."""

import inspect
import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from stores import make_game, serving

from rlscout.storage import (
    Certificate,
    Claim,
    CleanedUp,
    DuelGame,
    Metric,
    Store,
    StoreError,
    TrainingState,
    open_store,
    read_all,
)

ARRAYS = ("positions", "visits", "outcome", "value", "ply", "move")


@pytest.fixture(params=["local", "remote"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "local":
        with open_store(tmp_path, "othello6") as made:
            yield made
    else:
        with serving(tmp_path) as server, open_store(server.address, "othello6") as made:
            yield made


def test_samples_come_back_as_they_were_given(store: Store) -> None:
    games = [make_game(number, length=3 + number) for number in range(4)]
    assert store.add_games(games) == 4
    batch = store.read_samples(0)
    assert batch.ids.tolist() == list(range(1, 19))
    assert batch.last_id == 18
    assert batch.games.tolist() == [number + 1 for number in range(4) for _ in range(3 + number)]
    assert batch.produced_by_model.tolist() == [0] * 18
    for name in ARRAYS:
        expected = np.concatenate([getattr(game, name) for game in games])
        found = getattr(batch, name)
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype
        assert found.flags.writeable


def test_a_resent_game_is_stored_once(store: Store) -> None:
    first, second = make_game(1), make_game(2)
    assert store.add_games([first, first]) == 1
    assert store.add_games([first, second]) == 1
    assert store.add_games([second, first]) == 0
    counts = store.sample_counts()
    assert (counts.games, counts.last_id, counts.kept, counts.by_model) == (2, 10, 10, {0: 10})


def test_a_reader_gets_every_sample_once(store: Store) -> None:
    seen: list[int] = []
    last = 0
    for round_ in range(3):
        store.add_games([make_game(10 * round_ + i, length=7) for i in range(3)])
        while len((batch := store.read_samples(last, limit=4)).ids):
            seen += batch.ids.tolist()
            last = batch.last_id
    assert seen == list(range(1, 64))
    assert store.read_samples(last).last_id == last


def test_all_samples_are_read_in_as_many_calls_as_that_takes(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rlscout.storage.READ_SAMPLES", 5)
    assert (len(read_all(store).ids), read_all(store).last_id) == (0, 0)
    store.add_games([make_game(number, length=7) for number in range(2)])
    read: list[int] = []
    batch = read_all(store, on_read=read.append)
    assert (batch.ids.tolist(), batch.last_id, read) == (list(range(1, 15)), 14, [5, 10, 14])
    np.testing.assert_array_equal(batch.visits, store.read_samples(0).visits)
    assert read_all(store, 2, limit=10).ids.tolist() == list(range(3, 13))
    assert read_all(store, 4, limit=10).ids.tolist() == list(range(5, 15)), "all of the rest"
    assert len(read_all(store, 14).ids) == 0


def test_games_without_samples_are_known(store: Store) -> None:
    assert store.add_games([make_game(1, length=0), make_game(2, length=2)]) == 2
    assert store.add_games([make_game(1, length=0)]) == 0
    assert store.read_samples(0).ids.tolist() == [1, 2]
    assert store.sample_counts().games == 2


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"positions": np.zeros((5, 2), np.int64)}, "positions is int64"),
        ({"positions": np.zeros((5, 3), np.uint64)}, r"\[T, 2W\]"),
        ({"visits": np.zeros(5, np.uint16)}, "visits is uint16"),
        ({"visits": np.zeros((4, 36), np.uint16)}, "visits has 4 entries, positions 5"),
        ({"value": np.full(5, np.nan, np.float32)}, "not a number"),
        ({"outcome": np.zeros(5, np.int32)}, "outcome is int32"),
        ({"move": np.zeros(6, np.int16)}, "move has 6 entries"),
        ({"produced_by_model": 7}, "produced_by_model 7"),
        ({"visits": np.zeros((5, 64), np.uint16)}, r"\[T, 64\].*\[T, 36\]"),
    ],
)
def test_a_game_that_does_not_fit_is_refused_with_its_whole_batch(
    store: Store, change: dict[str, Any], message: str
) -> None:
    store.add_games([make_game(1)])
    with pytest.raises(ValueError, match=message):
        store.add_games([make_game(2), make_game(3, **change)])
    assert store.sample_counts().games == 1
    assert store.add_games([make_game(2)]) == 1


@pytest.mark.parametrize("limit", [0, -1, 10**9])
def test_limits_of_a_read(store: Store, limit: int) -> None:
    with pytest.raises(ValueError, match=f"limit {limit}"):
        store.read_samples(0, limit)


def test_models(store: Store) -> None:
    assert store.best_model() == 0
    assert store.pending_models() == []
    first = store.add_model("train:100", b"first", parent=0, step=100, info={"blocks": 3})
    second = store.add_model("train:200", b"second", parent=first, step=200, info={})
    assert store.add_model("train:100", b"first", parent=0, step=100, info={"blocks": 3}) == first
    assert (store.weights(first), store.weights(second)) == (b"first", b"second")
    assert store.pending_models() == [first, second]
    store.set_evaluation(first, "+")
    store.set_evaluation(first, "+")
    store.set_evaluation(second, "-")
    assert store.best_model() == first
    rows = [(m.id, m.key, m.parent, m.step, m.evaluation, m.info, m.has_weights) for m in store.models()]
    assert rows == [
        (0, "no network", 0, 0, "+", {}, False),
        (1, "train:100", 0, 100, "+", {"blocks": 3}, True),
        (2, "train:200", 1, 200, "-", {}, True),
    ]


def test_what_models_refuse(store: Store) -> None:
    model = store.add_model("a", b"", 0, 1, {})
    with pytest.raises(ValueError, match="no model 9"):
        store.add_model("b", b"", 9, 1, {})
    with pytest.raises(ValueError, match="no model 9"):
        store.weights(9)
    with pytest.raises(ValueError, match="model 0 has no weights"):
        store.weights(0)
    store.set_evaluation(model, "-")
    with pytest.raises(ValueError, match=r"model 1 is '-'.*'\+'"):
        store.set_evaluation(model, "+")
    with pytest.raises(ValueError, match="0"):
        store.set_evaluation(0, "-")
    with pytest.raises(ValueError, match="x"):
        store.set_evaluation(model, "x")  # type: ignore[arg-type]


def test_training_state_is_replaced(store: Store) -> None:
    assert store.load_training() is None
    for step in (10, 20):
        state = TrainingState(step, 7 * step, bytes([step]) * 1_000_000)
        store.save_training(state)
        store.save_training(state)
        assert store.load_training() == state


def test_a_killed_duel_goes_on(store: Store) -> None:
    model = store.add_model("a", b"", 0, 1, {})
    duel = store.open_duel(model, 0, {"simulations": 64, "seed": 1})
    assert (duel.wins, duel.draws, duel.losses, duel.llr, duel.verdict) == (0, 0, 0, None, None)
    pair = [DuelGame(0, True, 4, [19, 26, -1]), DuelGame(1, False, 0, [19])]
    for _ in range(2):
        duel = store.add_duel_games(duel.id, pair, 0.5, math.inf, -10.0, math.inf)
        assert (duel.wins, duel.draws, duel.losses) == (1, 1, 0)
    again = store.open_duel(model, 0, {"seed": 1, "simulations": 64})
    assert again == duel
    assert (again.llr, again.elo, again.elo_low, again.elo_high) == (0.5, math.inf, -10.0, math.inf)
    assert store.duel_games(duel.id) == pair
    assert store.open_duel(model, 0, {"simulations": 65, "seed": 1}).id != duel.id
    assert [d.id for d in store.duels()] == [1, 2]


def test_a_finished_duel_promotes_and_is_final(store: Store) -> None:
    model = store.add_model("a", b"", 0, 1, {})
    duel = store.open_duel(model, 0, {}).id
    store.add_duel_games(duel, [DuelGame(0, True, -1, [])], 3.0, 100.0, 50.0, 150.0)
    for _ in range(2):
        done = store.finish_duel(duel, "stronger", "+")
        assert (done.verdict, done.losses, done.elo) == ("stronger", 1, 100.0)
        assert store.best_model() == model
    assert store.add_duel_games(duel, [DuelGame(0, True, -1, [])], 0.0, 0.0, 0.0, 0.0) == done
    with pytest.raises(ValueError, match="takes no more games"):
        store.add_duel_games(duel, [DuelGame(1, True, -1, [])], 0.0, 0.0, 0.0, 0.0)
    with pytest.raises(ValueError, match=r"stronger.*weaker"):
        store.finish_duel(duel, "weaker", None)
    assert len(store.duel_games(duel)) == 1


def test_a_verdict_and_its_evaluation_come_together_or_not_at_all(store: Store) -> None:
    model = store.add_model("a", b"", 0, 1, {})
    store.set_evaluation(model, "-")
    duel = store.open_duel(model, 0, {}).id
    with pytest.raises(ValueError, match="evaluation of model 1"):
        store.finish_duel(duel, "stronger", "+")
    assert store.duels()[0].verdict is None


def test_what_duels_refuse(store: Store) -> None:
    with pytest.raises(ValueError, match="no model 5"):
        store.open_duel(5, 0, {})
    for call in (
        lambda: store.duel_games(3),
        lambda: store.finish_duel(3, "x", None),
        lambda: store.add_duel_games(3, [], 0.0, 0.0, 0.0, 0.0),
    ):
        with pytest.raises(ValueError, match="no duel 3"):
            call()


def make_claim(lower: int, upper: int, position: str = "-- X", **changes: Any) -> Claim:
    fields: dict[str, Any] = {"scoring": "empties", "nodes": 10, "evaluations": 2, "seconds": 0.5, "options": {"t": 1}}
    return Claim(position=position, lower=lower, upper=upper, **(fields | changes))


def test_claims_narrow_the_bounds(store: Store) -> None:
    assert store.bounds("empties", "-- X") is None
    first = store.add_claim(make_claim(-36, -4))
    assert store.add_claim(make_claim(-36, -4)) == first
    assert (first.id, first.options, first.upper) == (1, {"t": 1}, -4)
    second = store.add_claim(make_claim(-4, 36))
    assert store.bounds("empties", "-- X") == (-4, -4)
    assert store.bounds("discs", "-- X") is None
    other = store.add_claim(make_claim(0, 0, position="XX O"))
    assert store.claims("-- X") == [first, second]
    assert store.claims() == [first, second, other]


def test_a_contradiction_is_refused(store: Store) -> None:
    store.add_claim(make_claim(-36, -4))
    with pytest.raises(ValueError, match=r"0 <= score <= 36.*contradicts.*-36 <= score <= -4"):
        store.add_claim(make_claim(0, 36))
    with pytest.raises(ValueError, match="lower 2 is above upper 1"):
        store.add_claim(make_claim(2, 1))
    store.add_claim(make_claim(0, 36, scoring="discs"))
    assert len(store.claims()) == 2


def test_certificates(store: Store) -> None:
    claim = store.add_claim(make_claim(-4, -4)).id
    for grade in ("re-runnable", "checked", "checked"):
        store.add_certificate(Certificate("a.cert", claim, grade))  # type: ignore[arg-type]
    assert store.certificates() == [Certificate("a.cert", claim, "checked")]
    with pytest.raises(ValueError, match="no claim 8"):
        store.add_certificate(Certificate("b.cert", 8, "checked"))


def test_metrics(store: Store) -> None:
    given = [Metric(2.0, "train", "loss", 0.5), Metric(1.0, "train", "loss", 1.5), Metric(1.0, "duel", "elo", math.inf)]
    store.add_metrics(given)
    store.add_metrics(given)
    assert store.read_metrics("loss") == [given[1], given[0]]
    assert store.read_metrics("loss", since=1.5) == [given[0]]
    assert store.read_metrics("elo") == [given[2]]
    assert store.read_metrics("none") == []
    store.add_metrics([Metric(3.0, "train", "loss", math.nan)])
    assert math.isnan(store.read_metrics("loss", since=3.0)[0].value)


def test_what_has_no_place_in_the_database_is_refused(store: Store) -> None:
    with pytest.raises(ValueError, match=r"metrics\.time"):
        store.add_metrics([Metric(1.0, "a", "b", 1.0), Metric(math.nan, "a", "b", 0.0)])
    assert store.read_metrics("b") == []
    with pytest.raises(ValueError, match=r"claims\.seconds"):
        store.add_claim(make_claim(0, 1, seconds=math.nan))
    with pytest.raises(ValueError, match="too large"):
        store.read_samples(2**63)
    with pytest.raises(ValueError, match="grade|Grade|'proved'"):
        store.add_certificate(Certificate("a.cert", store.add_claim(make_claim(0, 1)).id, "proved"))  # type: ignore[arg-type]


def test_run_values(store: Store) -> None:
    store.set_run_value("phase", "learn")
    store.set_run_value("phase", "solve")
    assert store.run_values() == {"game": "othello6", "phase": "solve"}
    with pytest.raises(ValueError, match="othello6"):
        store.set_run_value("game", "othello8")
    assert store.ping().game == "othello6"


def test_the_scoring_of_a_run_is_fixed_by_the_first_that_sets_it(store: Store) -> None:
    store.set_run_value("scoring", "empties")
    store.set_run_value("scoring", "empties")
    with pytest.raises(ValueError, match="holds games scored by empties, not discs: give another folder for discs"):
        store.set_run_value("scoring", "discs")
    assert store.run_values()["scoring"] == "empties"


def test_calls_are_counted_one_by_one_whoever_calls(store: Store) -> None:
    counted: list[int] = []
    callers = [
        threading.Thread(target=lambda: counted.extend(store.count("starts") for _ in range(10))) for _ in range(4)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert sorted(counted) == list(range(40))
    assert store.count("other") == 0


def test_stones_of_both_sides_on_one_square_are_refused(store: Store) -> None:
    game = make_game(1)
    game.positions[2] |= np.uint64(1 << 20)
    with pytest.raises(ValueError, match=f"game {game.game}: position 2 has stones of both sides on one square"):
        store.add_games([game])
    assert store.sample_counts().games == 0


def test_clean_up_spares_what_training_has_not_received(store: Store) -> None:
    store.add_games([make_game(number, length=10) for number in range(10)])
    nothing = CleanedUp(0, 0, 0, False)
    assert store.clean_up(keep_samples=20, keep_models=0, keep_metrics=0) == nothing
    store.save_training(TrainingState(1, 34, b""))
    assert store.clean_up(20, 0, 0) == CleanedUp(30, 0, 0, False)
    assert store.clean_up(20, 0, 0) == nothing
    store.save_training(TrainingState(2, 100, b""))
    assert store.clean_up(25, 0, 0) == CleanedUp(40, 0, 0, False)
    assert store.read_samples(0).ids.tolist() == list(range(71, 101))
    counts = store.sample_counts()
    assert (counts.games, counts.last_id, counts.kept, counts.by_model) == (10, 100, 30, {0: 30})
    assert store.add_games([make_game(0, length=10)]) == 0  # known for ever
    store.add_games([make_game(11, length=1)])
    assert store.read_samples(100).ids.tolist() == [101]


def test_clean_up_goes_in_small_steps(store: Store) -> None:
    store.add_games([make_game(number, length=500) for number in range(101)])
    store.save_training(TrainingState(1, 50_500, b""))
    steps = []
    while not steps or steps[-1].more:
        steps.append(store.clean_up(500, 0, 0))
    assert [step.samples for step in steps] == [20_000, 20_000, 10_000]
    assert store.read_samples(0).ids[0] == 50_001


def test_clean_up_of_models_and_metrics_goes_in_small_steps(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rlscout.storage.local.CLEAN_MODELS", 3)
    monkeypatch.setattr("rlscout.storage.local.CLEAN_METRICS", 40)
    for number in range(1, 12):
        store.add_model(str(number), b"w", 0, number, {})
        store.set_evaluation(number, "+" if number == 2 else "-")
    store.add_metrics([Metric(float(t), "a", name, 0.0) for t in range(50) for name in "bc"])
    steps = []
    while not steps or steps[-1].more:
        steps.append(store.clean_up(0, 3, 10))
    assert [(step.models, step.metrics) for step in steps] == [(3, 40), (3, 40), (1, 10)]
    assert [model.id for model in store.models() if model.has_weights] == [2, 9, 10, 11]
    assert [metric.time for metric in store.read_metrics("b")] == [45.0, 46.0, 47.0, 48.0, 49.0]


def test_clean_up_of_models_and_metrics(store: Store) -> None:
    for number in range(1, 6):
        store.add_model(str(number), b"w", 0, number, {})
    for number, evaluation in ((1, "-"), (2, "+"), (3, "-"), (4, "-")):
        store.set_evaluation(number, evaluation)  # type: ignore[arg-type]
    store.add_metrics([Metric(float(t), "a", "b", 0.0) for t in range(10)])
    assert store.clean_up(0, 1, 4) == CleanedUp(0, 2, 6, False)
    assert [model.id for model in store.models() if model.has_weights] == [2, 4, 5]
    assert [metric.time for metric in store.read_metrics("b")] == [6.0, 7.0, 8.0, 9.0]
    with pytest.raises(ValueError, match="cleaned up"):
        store.weights(1)
    with pytest.raises(ValueError, match="not below 0"):
        store.clean_up(-1, 0, 0)


def test_threads_share_a_store(store: Store) -> None:
    def write(first: int) -> None:
        added.extend(store.add_games([make_game(number)]) for number in range(first, first + 20))

    added: list[int] = []
    threads = [threading.Thread(target=write, args=(first,)) for first in (0, 10, 20, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(added), sum(added)) == (80, 50)
    assert store.read_samples(0).ids.tolist() == list(range(1, 251))


def test_a_closed_store_says_so(store: Store) -> None:
    store.close()
    with pytest.raises(StoreError):
        store.models()


def test_help_tells_of_every_method(store: Store) -> None:
    methods = [name for name in dir(Store) if not name.startswith("_")]
    assert len(methods) > 20
    assert [name for name in methods if not inspect.getdoc(getattr(store, name))] == []


def test_a_game_is_known_by_all_its_names(tmp_path: Path) -> None:
    for name in ("tictactoe", "mnk:3,3,3", "TicTacToe", None):
        with open_store(tmp_path, name) as opened:
            assert opened.ping().game == "mnk:3,3,3"
    with pytest.raises(ValueError, match="holds the game mnk:3,3,3, not mnk:8,8,5"):
        open_store(tmp_path, "gomoku8")
