"""The measurement of the search: its figures add up. Speeds themselves are no test."""

from __future__ import annotations

import json

import pytest

from rlscout.bench_mcts import measure
from rlscout.cli import execute


@pytest.mark.parametrize("network", ["rollout", "fake"])
def test_figures_add_up(network: str) -> None:
    speed = measure("mnk:4,4,4", network, simulations=20, games=3, seconds=0.2)
    assert speed.sims_per_s > 0
    assert speed.moves_per_s > 0
    assert (speed.evaluations_per_s > 0) == (network == "fake")
    assert speed.evaluations_per_s <= speed.sims_per_s * 1.1
    assert 1 <= speed.nodes_per_tree <= 3 * 21
    assert json.loads(speed.json())["threads"] == 1
    assert speed.hit_rate == 0
    # A game of 4x4 has at most 16 moves.
    assert 0 < speed.seconds_per_1000_games <= 1000 * 16 / speed.moves_per_s * speed.wall_seconds / speed.seconds * 1.01
    assert speed.text().startswith(f"mnk:4,4,4, {network}, 20 simulations a move, 3 games, 1 threads: ")


def test_with_the_cache(capsys: pytest.CaptureFixture[str]) -> None:
    asked = "bench mcts --game mnk:4,4,4 --network fake --sims 20 --games 3 --seconds 0.2 --cache"
    assert execute([*asked.split(), "on", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["cache"] == 131_072
    assert 0.1 < answer["hit_rate"] < 1
    assert answer["evaluations_per_s"] < 0.9 * answer["sims_per_s"]
    assert execute([*asked.split(), "on"]) == 0
    assert "kB a tree with its share of the cache (" in (text := capsys.readouterr().out)
    assert "; hit rate " in text
    assert execute([*asked.split(), "off"]) == 0
    assert "hit rate" not in capsys.readouterr().out


def test_a_network_is_measured_as_in_self_play(capsys: pytest.CaptureFixture[str]) -> None:
    asked = "bench mcts --game mnk:4,4,4 --network 1x8 --backend native-int8 --sims 20 --games 3 --seconds 0.2 --json"
    assert execute(asked.split()) == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["network"], answer["backend"], answer["simulations"]) == ("1x8", "native-int8", 20)
    assert answer["evaluations_per_s"] > 0
    assert answer["bare_evaluations_per_s"] > 0
    assert execute(["bench", "mcts", "--network", "real"]) == 2
    assert "network 'real': rollout, fake, BLOCKSxCHANNELS (random weights) and files" in capsys.readouterr().err


def test_unknown_network() -> None:
    with pytest.raises(ValueError, match="network 'real': 'rollout' and 'fake' are allowed"):
        measure("mnk:3,3,3", "real")
