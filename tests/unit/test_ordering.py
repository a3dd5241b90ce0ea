"""The grid of orderings: the same proofs, other costs; its rows by ply, its files, its curves."""

from __future__ import annotations

import csv
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from rlscout import ordering
from rlscout.games import game, random_positions
from rlscout.inference.hashed import HashedEvaluator
from rlscout.ordering import Asked, Grid, combinations, measure


@pytest.fixture(scope="module")
def late() -> Grid:
    kinds = ("static", "random", "patterns", "network", "network+patterns")
    positions = random_positions(game("othello6"), 3, 12, 13, seed=1)
    return measure(Asked(positions, "three", kinds, (0, 1, 3), table_mb=16), HashedEvaluator(36))


def test_random_positions_are_distinct_and_repeat() -> None:
    played = game("othello6")
    positions = random_positions(played, 20, 10, 12, seed=3)
    assert all(10 <= position.empties <= 12 and position.phase == 0 for position in positions)
    assert len({position.text for position in positions}) == 20
    assert positions == random_positions(played, 20, 10, 12, seed=3)
    assert positions != random_positions(played, 20, 10, 12, seed=4)
    with pytest.raises(ValueError, match="fewer than 100 different"):
        random_positions(game("tictactoe"), 100, 8, 8, seed=1)


def test_each_ordering_makes_a_row_and_costs_something_else(late: Grid) -> None:
    rows = {row.name: row for row in late.rows}
    assert list(rows) == [
        *("static", "random", "patterns", "network to ply 1", "network to ply 3"),
        *("network to ply 1, patterns below", "network to ply 3, patterns below"),
    ]
    assert len({row.nodes for row in late.rows}) == len(late.rows)
    assert all(row.proven == 3 for row in late.rows)
    assert 0.3 < rows["random"].first_cuts < rows["static"].first_cuts < 1.0
    assert 0 < rows["network to ply 1"].network_evaluations < rows["network to ply 3"].network_evaluations
    assert late.saved(rows["static"]) == 0.0
    assert late.saved(rows["random"]) == pytest.approx(1.0 - rows["random"].nodes / rows["static"].nodes)


def test_what_is_counted_by_ply_adds_up(late: Grid) -> None:
    for row in late.rows:
        assert row.nodes_by_ply[0] >= 3, "each position is a root, once or more"
        assert sum(row.nodes_by_ply) == row.nodes
        assert all(
            first <= cuts <= nodes
            for first, cuts, nodes in zip(row.first_cuts_by_ply, row.cut_nodes_by_ply, row.nodes_by_ply, strict=True)
        )
    lines = list(csv.DictReader(late.csv().splitlines()))
    static = [line for line in lines if line["ordering"] == "static"]
    assert sum(int(line["nodes"]) for line in static) == sum(late.rows[0].nodes_by_ply)
    assert {float(line["saved"]) for line in static} == {0.0}


def test_a_grid_survives_its_file_and_a_file_of_something_else_is_named(late: Grid, tmp_path: Path) -> None:
    assert ordering.load(tmp_path) is None
    late.save(tmp_path)
    assert ordering.load(tmp_path) == late
    (tmp_path / ordering.FILE).write_text("[]")
    with pytest.raises(ValueError, match=r"ordering\.json: not what"):
        ordering.load(tmp_path)


def test_curves_have_a_line_for_each_row(late: Grid) -> None:
    curves = [sum(e.get("fill") == "none" for e in ElementTree.fromstring(svg).iter()) for svg in late.plots()]
    assert curves == [7, 7, 6]


def test_a_limit_leaves_rows_that_say_so() -> None:
    position = game("othello6").play("e4e5d5e3f5f6d2c5")
    grid = measure(Asked([position], "one", ("static", "patterns"), table_mb=16, nodes=10_000))
    assert [row.proven for row in grid.rows] == [0, 0]
    assert "1 not proven within the limit" in grid.text()


def test_what_a_game_lacks_is_left_out_and_what_is_unknown_is_refused() -> None:
    start = [game("othello4").start]
    assert combinations(Asked(start, ""), network=False) == [("static", 0)]
    assert combinations(Asked(start, "", hint_plies=(2,)), network=True) == [("static", 0), ("network", 2)]
    with pytest.raises(ValueError, match="ordering 'statik': allowed are static, patterns"):
        combinations(Asked(start, "", ("statik",)), network=False)
