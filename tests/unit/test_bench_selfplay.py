"""The measurement of whole self-play: its figures add up. Speeds themselves are no test."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from networks import random_network

from rlscout.bench_selfplay import Asked, Speed, measure
from rlscout.cli import execute

SMALL = Asked("othello4", "1x8", 20, 4, seconds=0.2, backend="onnx")


def check(speed: Speed) -> None:
    assert speed.sims_per_s > 0
    assert speed.moves_per_s > 0
    assert 0 <= speed.search_idle <= 1
    assert speed.evaluator_idle <= 1
    assert speed.seconds > 0
    assert speed.wall_seconds > 0
    assert speed.seconds_per_1000_games > 0
    assert sum(step.share for step in speed.steps) <= 1.01


def test_with_a_network() -> None:
    pytest.importorskip("onnxruntime")
    speed = measure(SMALL)
    check(speed)
    names = [step.name for step in speed.steps]
    assert names == [
        "search, boards written",
        "boards to planes",
        "network",
        "logits to policies",
        "answers into the trees",
        "finished games taken",
        "Python in between",
    ]
    assert sum(step.share for step in speed.steps) == pytest.approx(1, abs=0.01)
    steps = {step.name: step for step in speed.steps}
    rows = speed.batch
    assert 0 < rows <= 4
    assert steps["search, boards written"].bytes == pytest.approx(24 * rows, abs=1)
    assert steps["boards to planes"].bytes == pytest.approx(3 * 16 * 4 * rows, abs=1)
    assert steps["logits to policies"].bytes == pytest.approx((16 + 1) * 4 * rows, abs=1)
    assert speed.bare_evaluations_per_s > 0
    assert speed.share_of_bare == pytest.approx(speed.evaluations_per_s / speed.bare_evaluations_per_s)
    assert speed.hit_rate == 0


def test_with_a_cache_and_two_searches() -> None:
    pytest.importorskip("onnxruntime")
    speed = measure(replace(SMALL, cache=1000, fold=True, searches=2))
    check(speed)
    assert 0.1 < speed.hit_rate < 1
    assert "hit rate" in speed.text()


@pytest.mark.parametrize("network", ["rollout", "fake"])
def test_without_a_network(network: str) -> None:
    speed = measure(Asked("mnk:4,4,4", network, 20, 3, seconds=0.2))
    check(speed)
    assert (speed.evaluations_per_s > 0) == (network == "fake")
    assert speed.bare_evaluations_per_s == 0


def test_games_are_those_in_flight() -> None:
    assert measure(Asked("mnk:4,4,4", "fake", 20, 5, searches=2, seconds=0.1)).games == 4
    with pytest.raises(ValueError, match="1 games for 2 searches: each needs one"):
        measure(Asked("mnk:4,4,4", "fake", 20, 1, searches=2))


def test_an_unknown_backend_is_refused_where_none_is_needed() -> None:
    with pytest.raises(ValueError, match="unknown backend 'onyx'; allowed are auto"):
        measure(Asked("mnk:4,4,4", "rollout", 20, 3, backend="onyx"))


def test_a_file_and_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "network"
    file.write_bytes(random_network("othello4").to_bytes())
    asked = f"bench selfplay --game othello4 --network {file} --sims 10 --games 4 --seconds 0.1 --backend torch --json"
    assert execute(asked.split()) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {"sims_per_s", "evaluations_per_s", "moves_per_s", "bytes_per_tree", "threads", "seconds"} <= set(answer)
    assert answer["backend"] == "torch"
    assert [step["name"] for step in answer["steps"]][1:3] == ["network", "answers into the trees"]
    assert execute(["bench", "selfplay", "--network", "nothing"]) == 2
    assert "rollout, fake, BLOCKSxCHANNELS (random weights) and files are allowed" in capsys.readouterr().err
