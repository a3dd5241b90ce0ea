"""The measurement of the search: its figures add up. Speeds themselves are no test."""

from __future__ import annotations

import json

import pytest

from rlscout.bench_mcts import measure


@pytest.mark.parametrize("network", ["rollout", "fake"])
def test_figures_add_up(network: str) -> None:
    speed = measure("mnk:4,4,4", network, simulations=20, games=3, seconds=0.2)  # type: ignore[arg-type]
    assert speed.sims_per_s > 0
    assert speed.moves_per_s > 0
    assert (speed.evaluations_per_s > 0) == (network == "fake")
    assert speed.evaluations_per_s <= speed.sims_per_s * 1.1
    assert 1 <= speed.nodes_per_tree <= 3 * 21
    assert json.loads(speed.json())["threads"] == 1
    assert speed.text().startswith(f"mnk:4,4,4, {network}, 20 simulations a move, 3 games, 1 threads: ")


def test_unknown_network() -> None:
    with pytest.raises(ValueError, match="network 'real': 'rollout' and 'fake' are allowed"):
        measure("mnk:3,3,3", "real")  # type: ignore[arg-type]
