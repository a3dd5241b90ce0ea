"""The signature of the native search against its golden file; measurements of strength and ordering on a small game."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rlscout import bench
from rlscout.config import Config
from rlscout.games import game
from rlscout.inference.hashed import HashedEvaluator

GOLDEN = Path(__file__).parents[1] / "golden" / "bench.txt"


def test_the_signature_is_the_golden_one() -> None:
    """A change of the search that is meant: `rlscout bench > tests/golden/bench.txt`, and "Bench: N" in the commit."""
    assert bench.signature_table() == GOLDEN.read_text()


def test_random_positions_are_distinct_and_repeat() -> None:
    played = game("othello6")
    positions = bench.random_positions(played, 20, 10, 12, seed=3)
    assert all(10 <= position.empties <= 12 and position.phase == 0 for position in positions)
    assert len({position.text for position in positions}) == 20
    assert positions == bench.random_positions(played, 20, 10, 12, seed=3)
    assert positions != bench.random_positions(played, 20, 10, 12, seed=4)
    with pytest.raises(ValueError, match="fewer than 100 different"):
        bench.random_positions(game("tictactoe"), 100, 8, 8, seed=1)


def test_strength_judges_by_exact_scores() -> None:
    answer = json.loads(bench.strength(Config(), game("tictactoe"), None, 12, 6, 400, seed=1, as_json=True))
    players = answer["players"]
    share, _, loss, _ = players["rollouts, 400 simulations"]
    random_share, _, random_loss, _ = players["random"]
    assert share > random_share
    assert loss < random_loss
    assert "keeps the score" in bench.strength(Config(), game("tictactoe"), None, 3, 6, 10, seed=1, as_json=False)


def test_orderings_agree_on_scores_and_differ_in_nodes() -> None:
    answer = json.loads(bench.ordering(Config(), game("othello6"), None, 3, (10, 11), (), seed=1, as_json=True))
    orderings = answer["orderings"]
    assert len({orderings[name]["nodes"] for name in ("static", "random", "patterns")}) == 3
    assert 0.3 < orderings["random"]["first_cuts"] < orderings["static"]["first_cuts"] < 1.0
    assert "all scores agree" in bench.ordering(Config(), game("othello6"), None, 1, (8, 8), (), seed=1, as_json=False)


def test_the_network_orders_down_to_each_ply_that_is_asked_for() -> None:
    evaluator = HashedEvaluator(16)
    answer = json.loads(bench.ordering(Config(), game("othello4"), evaluator, 2, (9, 10), (1, 3), seed=1, as_json=True))
    orderings = answer["orderings"]
    asked = [orderings[f"network to ply {ply}"]["network_evaluations"] for ply in (1, 3)]
    assert 0 < asked[0] < asked[1]
