"""What a run knows: positions once, values as discs, sums that ignore what does not help; and training with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from networks import random_network
from stores import make_game

from rlscout import patterns
from rlscout.cli import execute
from rlscout.experience import AHEAD, NETWORK, OUTCOME, SEARCH, Experience, Seen, fit_sum, monotone, seen
from rlscout.games import game
from rlscout.inference import Heads
from rlscout.inference.hashed import HashedEvaluator
from rlscout.network import U64
from rlscout.patterns import PatternTable, TrainOptions
from rlscout.positions import stones
from rlscout.storage import GameSamples, open_store

TINY = TrainOptions(samples=100, rounds=1, exact_empties=11)


def played(name: str, empties: range, count: int, seed: int = 3) -> GameSamples:
    """Positions of random games as samples of one game; outcome and value are made of the number of stones."""
    rules = game(name)
    found = patterns.sample_positions(rules, empties.start, empties.stop - 1, TrainOptions(samples=count, seed=seed))
    positions = np.concatenate([some[:count] for some in found.values()])
    return make_game(
        seed,
        len(positions),
        squares=rules.squares,
        positions=positions,
        outcome=stones(positions).astype("<i2"),
        value=(stones(positions) / 100).astype("<f4"),
        ply=np.zeros(len(positions), "<i2"),
        move=np.zeros(len(positions), "<i2"),
    )


def test_positions_are_seen_once_and_means_taken_over_their_images(tmp_path: Path) -> None:
    engine = game("othello6").engine
    first = played("othello6", range(12, 14), 20)
    count = len(first.positions)
    images = engine.transform(first.positions, np.arange(count, dtype=np.uint8) % 8)
    second = make_game(
        4,
        count,
        positions=images,
        outcome=(first.outcome + 10).astype("<i2"),
        value=np.zeros(count, "<f4"),
    )
    with open_store(tmp_path, "othello6") as store:
        assert seen(store, engine) == {}
        store.add_games([first, second])
        read: list[int] = []
        found = seen(store, engine, read.append)
    assert read == [2 * count]
    assert sorted(found) == [12, 13]
    for empties, known in found.items():
        assert len(known.positions) == 20 == len(np.unique(known.positions, axis=0))
        assert (engine.canonical(known.positions)[0] == known.positions).all()
        assert known.outcome.tolist() == [36 - empties + 5] * 20
        assert known.search == pytest.approx((36 - empties) / 200)


def test_a_monotone_map_never_falls_and_keeps_what_is_monotone() -> None:
    generator = np.random.default_rng(1)
    values = generator.uniform(-1, 1, 200)
    knots, discs = monotone(values, np.round(10 * values**3))
    assert np.interp(values, knots, discs) == pytest.approx(np.round(10 * values**3), abs=1.0)
    knots, discs = monotone(values, 10 * values**3 + generator.normal(0, 5, 200))
    assert (np.diff(knots) > 0).all()
    assert (np.diff(discs) >= 0).all()
    assert np.abs(np.interp(values, knots, discs) - 10 * values**3).mean() < 2
    assert monotone(np.array([0.5, 0.5, -1.0]), np.array([1.0, 3.0, 8.0]))[1].tolist() == [4.0]


def test_a_sum_takes_what_helps_and_nothing_else() -> None:
    generator = np.random.default_rng(2)
    exact = generator.integers(-10, 11, 2000).astype(float)
    known = {
        AHEAD: exact + generator.normal(0, 2, 2000),
        NETWORK: np.tanh((exact + generator.normal(0, 2, 2000)) / 8),
        SEARCH: generator.uniform(-1, 1, 2000),
        OUTCOME: -exact + generator.normal(0, 20, 2000),
    }
    found = fit_sum(known, exact)
    assert OUTCOME not in found.names  # it would have to count against itself
    weights = dict(zip(found.names, found.weights.tolist(), strict=True))
    assert 0.3 < weights[AHEAD] < 0.7
    assert 0.3 < weights[NETWORK] < 0.7
    assert weights.get(SEARCH, 0.0) < 0.05
    assert np.abs(found.score(known) - exact).mean() < 0.8 * np.abs(known[AHEAD] - exact).mean()


class Oracle:
    """A network that knows the score, up to an odd scale."""

    def evaluate(self, positions: U64, legal: U64) -> Heads:
        scores = game("othello6").engine.exact_labels(positions, np.zeros(0, np.int32))[0]
        return Heads(np.zeros((len(positions), 36), np.float32), np.tanh(scores / 20).astype(np.float32))


def test_labels_follow_a_network_that_knows_better() -> None:
    engine = game("othello6").engine
    positions = patterns.sample_positions(game("othello6"), 10, 10, TrainOptions(samples=120))[10]
    exact = np.clip(engine.exact_labels(positions, np.zeros(0, np.int32))[0], -20.0, 20.0)
    ahead = np.random.default_rng(1).normal(0, 5, 120)
    ahead[7] = 30.0
    experience = Experience(engine, {}, Oracle(), solved=80)
    first = experience.labels(positions, ahead, 20.0, None)
    assert (first == ahead).all()  # before a sum is fitted the table alone counts
    found = experience.labels(
        positions, ahead, 20.0, lambda some: engine.exact_labels(some, np.zeros(0, np.int32))[0] * 1.0
    )
    assert found[7] == 30.0  # nobody needs to know better
    assert np.abs(np.delete(found - exact, 7)).mean() < 1.5 < np.abs(ahead - exact).mean()
    errors = {error.source: error.error for error in experience.errors}
    assert errors[NETWORK] < 2 < errors[AHEAD]
    assert experience.labels(positions, ahead, 20.0, None) == pytest.approx(found)


def test_only_sources_that_exist_are_taken() -> None:
    with pytest.raises(ValueError, match="source 'luck': allowed are outcome, search, network"):
        Experience(game("othello6").engine, {}, sources=["luck"])


def test_training_takes_in_what_a_run_has_stored(tmp_path: Path) -> None:
    engine = game("othello6").engine
    with open_store(tmp_path, "othello6") as store:
        store.add_games([played("othello6", range(9, 15), 60)])
        known = seen(store, engine)
    experience = Experience(engine, known, HashedEvaluator(36), solved=20, most=50)
    assert len(experience.positions(12)) == 50
    assert len(experience.positions(30)) == 0
    table = patterns.train("othello6", TINY, experience=experience)
    assert table.sources == tuple(experience.errors)
    told = {(error.empties, error.stored, error.source) for error in table.sources}
    assert {
        (12, True, OUTCOME),
        (12, True, SEARCH),
        (12, False, NETWORK),
        (14, True, "all"),
        (16, False, AHEAD),
    } <= told
    assert not any(error.stored for error in table.sources if error.empties > 14)
    table.save(tmp_path / "table.npz")
    assert PatternTable.read(tmp_path / "table.npz").sources == table.sources
    held_out = {error.empties: error.positions for error in table.errors}
    assert held_out[10] > TINY.held_out * TINY.samples >= held_out[15]


def test_positions_alone_leave_labels_to_the_table() -> None:
    engine = game("othello6").engine
    positions = patterns.sample_positions(game("othello6"), 12, 12, TrainOptions(samples=10))[12]
    known = {12: Seen(engine.canonical(positions)[0], np.full(10, 30.0), np.ones(10))}
    experience = Experience(engine, known, sources=())
    ahead = np.arange(10.0)
    assert (experience.labels(experience.positions(12), ahead, 5.0, lambda some: 0 * ahead[: len(some)]) == ahead).all()
    assert experience.errors == []


def test_the_command_tells_what_each_source_gave(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with open_store(tmp_path, "othello6") as store:
        store.add_games([played("othello6", range(9, 15), 60)])
        store.add_model("m", random_network("othello6").to_bytes(), 0, 1, {})
    small = ["--samples", "60", "--rounds", "1", "--exact-empties", "11", "--data", str(tmp_path), "--out"]
    assert execute(["patterns", "train", "othello6:parallel", "--model", "1", *small, str(tmp_path / "t.npz")]) == 0
    out = capsys.readouterr().out
    assert "12 empties  games  search" in out
    assert "12 empties  trees  network" in out
    read = PatternTable.read(tmp_path / "t.npz", "othello6")
    assert read.options.experience.startswith(
        "othello6: 360 samples, network of step 0; scores from: outcome, search, network"
    )
    assert execute(["solve", "othello6", "--patterns", str(tmp_path / "t.npz"), "--nodes", "1000"]) == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["othello6", "--data", "nowhere"], "no run in nowhere"),
        (["othello6", "--data", "empty"], "--data empty: the run has no samples"),
        (["othello8", "--data", "empty"], "--data empty: a run of othello6, not of othello8"),
        (["othello6", "--data", "full", "--model", "best"], "model best: no network was promoted yet"),
        (["othello6", "--data", "full", "--model", "7"], "model 7"),
        (["othello6", "--data", "full", "--model", "last"], "model last: no such file; allowed are best, the number"),
        (["othello6", "--data", "full", "--model", "1"], "this network plays othello4, not othello6"),
        (["othello6", "--data", "full", "--sources", "luck"], "source 'luck': allowed are outcome, search, network"),
        (
            ["othello6", "--data", "full", "--sources", "outcome,network"],
            "--model names the network of --sources network",
        ),
        (["othello6", "--data", "full", "--sources", "none", "--model", "best"], "give both, or none of them"),
        (["othello6", "--data", "full", "--stored", "-1"], '"-1" for --stored. 0 and more are allowed'),
        (
            ["othello6", "--model", "best"],
            "--model best corrects by what it makes of the positions of a run: give --data DIR too",
        ),
        (["othello6", "--stored", "5"], "--sources and --stored are of the positions of a run: give --data DIR too"),
        (["othello6", "--sources", "outcome"], "--sources and --stored are of the positions of a run"),
        (["tictactoe", "--data", "full"], "no pattern tables"),
    ],
)
def test_what_is_missing_is_said_in_a_line(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_store(tmp_path / "empty", "othello6"):
        pass
    with open_store(tmp_path / "full", "othello6") as store:
        store.add_games([played("othello6", range(9, 10), 5)])
        store.add_model("m", random_network("othello4").to_bytes(), 0, 1, {})
    assert execute(["patterns", "train", *arguments, "--out", "t.npz"]) == 2
    err = capsys.readouterr().err
    assert message in err.splitlines()[-1]
    assert err.splitlines()[-1].startswith("rlscout: ")


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.npz"
    path.write_bytes(b"no table")
    with pytest.raises(ValueError, match="not a table that `rlscout patterns train` has written"):
        PatternTable.read(path)
    np.savez(path, score=np.zeros(3))
    with pytest.raises(ValueError, match="not a table that `rlscout patterns train` has written"):
        PatternTable.read(path)
    table = patterns.load("othello8")
    assert table is not None
    table.save(path)
    with pytest.raises(ValueError, match="a pattern table of othello8, not of othello6:parallel"):
        PatternTable.read(path, "othello6:parallel")
