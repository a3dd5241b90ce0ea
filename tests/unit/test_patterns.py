"""Pattern tables: features, fit, training; and that a table orders moves and decides nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rlscout import patterns
from rlscout.games import game
from rlscout.patterns import PatternTable, TrainOptions
from rlscout.solving import Limits, SolveOptions, solve

SMALL = TrainOptions(samples=300, exact_empties=9)


@pytest.fixture(scope="module")
def small() -> PatternTable:
    return patterns.train("othello6", SMALL, threads=2)


def test_rotations_have_the_same_features() -> None:
    rules = game("othello6")
    positions = patterns.sample_positions(rules, 12, 12, TrainOptions(samples=50))[12]
    features = rules.engine.pattern_features(positions)
    assert features.min() >= 0
    assert features.max() < rules.engine.pattern_shape[2]
    half_turn = rules.engine.transform(positions, np.full(len(positions), 3, np.uint8))
    assert (np.sort(rules.engine.pattern_features(half_turn)) == np.sort(features)).all()


def test_positions_are_distinct_and_have_a_move() -> None:
    rules = game("othello6")
    for empties, positions in patterns.sample_positions(rules, 10, 12, TrainOptions(samples=200)).items():
        assert (rules.engine.phase(positions) == 0).all()
        assert (rules.squares - patterns.stones(positions) == empties).all()
        assert len(np.unique(rules.engine.canonical(positions)[0], axis=0)) == len(positions)


def test_the_fit_finds_the_weights_that_made_the_labels() -> None:
    generator = np.random.default_rng(1)
    features = generator.integers(0, 20, (3000, 4), dtype=np.int32)
    weights = generator.normal(size=20)
    found = patterns.fit(features, weights[features].sum(axis=1), np.zeros(20), 1e-6)
    assert np.allclose(found[features].sum(axis=1), weights[features].sum(axis=1), atol=1e-3)


def test_training_repeats_whatever_the_threads_and_survives_a_file(small: PatternTable, tmp_path: Path) -> None:
    again = patterns.train("othello6", SMALL, threads=1)
    assert (again.score == small.score).all()
    assert (again.cost == small.cost).all()
    small.save(tmp_path / "table.npz")
    read = PatternTable.read(tmp_path / "table.npz")
    assert (read.packed() == small.packed()).all()
    assert (read.game, read.options, read.errors) == (small.game, small.options, small.errors)
    assert [error.empties for error in small.errors] == list(range(8, 24))


def test_the_shipped_table_knows_more_than_nothing_and_saves_nodes() -> None:
    table = patterns.load("othello6")
    assert table is not None
    assert all(error.score < 0.5 * error.score_spread for error in table.errors)
    rules = game("othello6")
    packed = patterns.sample_positions(rules, 18, 18, TrainOptions(samples=6, seed=2))[18]
    nodes = {}
    for ordering in ("static", "patterns"):
        solutions = [
            solve(rules.position(rules.engine.to_text(position, True)), SolveOptions(ordering=ordering), Limits())
            for position in packed
        ]
        nodes[ordering] = (
            sum(s.nodes for s in solutions),
            [s.score for s in solutions],
            sum(s.evaluations for s in solutions),
        )
    assert nodes["static"][1] == nodes["patterns"][1]
    assert nodes["patterns"][0] < nodes["static"][0]
    assert nodes["static"][2] == 0 < nodes["patterns"][2]


def test_a_table_of_noise_costs_time_and_never_truth() -> None:
    rules = game("othello6")
    _, stages, size, _ = rules.engine.pattern_shape
    noise = np.random.default_rng(1).integers(-(2**25), 2**25, (stages, size), dtype=np.int32)
    positions = patterns.sample_positions(rules, 16, 16, TrainOptions(samples=4))[16]
    for position in positions:
        results = []
        for options in ({}, {"patterns": noise}):
            solver = rules.engine.solver(options)  # type: ignore[arg-type]
            solver.start(position)
            assert solver.wait(300)
            results.append(solver.result())
        plain, noisy = results
        assert plain["lower"] == plain["upper"] == noisy["lower"] == noisy["upper"]
        assert plain["nodes"] != noisy["nodes"]


def test_bad_tables_are_refused() -> None:
    with pytest.raises(ValueError, match="pattern table of 3 weights"):
        game("othello6").engine.solver({"patterns": np.zeros(3, np.int32)})
    with pytest.raises(ValueError, match="no pattern tables"):
        game("tictactoe").engine.solver({"patterns": np.zeros(3, np.int32)})
    with pytest.raises(ValueError, match="no pattern tables"):
        patterns.train("tictactoe")
