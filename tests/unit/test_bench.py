"""The signature of the native search against its golden file; measurements of strength on a small game."""

from __future__ import annotations

import json
from pathlib import Path

from rlscout import bench
from rlscout.config import Config
from rlscout.games import game

GOLDEN = Path(__file__).parents[1] / "golden" / "bench.txt"


def test_the_signature_is_the_golden_one() -> None:
    """A change of the search that is meant: `rlscout bench > tests/golden/bench.txt`, and "Bench: N" in the commit."""
    assert bench.signature_table() == GOLDEN.read_text()


def test_strength_judges_by_exact_scores() -> None:
    answer = json.loads(bench.strength(Config(), game("tictactoe"), None, 12, 6, 400, seed=1, as_json=True))
    players = answer["players"]
    share, _, loss, _ = players["rollouts, 400 simulations"]
    random_share, _, random_loss, _ = players["random"]
    assert share > random_share
    assert loss < random_loss
    assert "keeps the score" in bench.strength(Config(), game("tictactoe"), None, 3, 6, 10, seed=1, as_json=False)
