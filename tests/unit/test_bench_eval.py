"""The synthetic table of evaluations: its rows, file and picture. Speeds themselves are no test."""

from __future__ import annotations

import csv
import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from pathlib import Path

import pytest

from rlscout.bench_eval import Asked, as_plot, measure, numbers, random_network
from rlscout.cli import execute
from rlscout.config import NetworkConfig
from rlscout.inference import available
from rlscout.network import Header


def test_the_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    table, picture = tmp_path / "eval.csv", tmp_path / "eval.svg"
    asked = "bench eval --game othello4 --backend torch,hashed --blocks 0,1 --channels 4 --biases both --batch 1,3"
    assert execute([*asked.split(), "--seconds", "0.001", "--csv", str(table), "--plot", str(picture)]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2 * 2 * 2 * 2
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert [(row["blocks"], row["biases"], row["batch"], row["backend"]) for row in rows[:5]] == [
        ("0", "True", "1", "torch"),
        ("0", "True", "1", "hashed"),
        ("0", "True", "3", "torch"),
        ("0", "True", "3", "hashed"),
        ("0", "False", "1", "torch"),
    ]
    for row in rows:
        assert int(row["samples"]) % int(row["batch"]) == 0
        assert float(row["seconds"]) >= 0.001
        assert float(row["ms_per_sample"]) == pytest.approx(1e3 * float(row["seconds"]) / int(row["samples"]), 1e-3)
    curves = [e for e in ElementTree.fromstring(picture.read_text()).iter() if e.get("fill") == "none"]
    assert len(curves) == 2 * 2 * 2


def test_json_and_many_curves(capsys: pytest.CaptureFixture[str]) -> None:
    asked = "bench eval --game tictactoe --backend hashed --blocks 0 --channels 4 --batch 1..4 --seconds 0 --json"
    assert execute(asked.split()) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["batch"] for row in rows] == [1, 2, 4]
    assert rows[0]["game"] == "mnk:3,3,3"
    many = [*measure(Asked("othello4", ["hashed"] * 5, [0], [4], batches=[1, 2], seconds=0))]
    svg = as_plot([replace(row, backend=f"b{i % 5}") for i, row in enumerate(many)])
    assert len({e.get("y") for e in ElementTree.fromstring(svg).iter() if (e.text or "").startswith("b")} - {None}) >= 5


def test_numbers() -> None:
    assert numbers("1,2,6") == [1, 2, 6]
    assert numbers("1..4096") == [1 << i for i in range(13)]
    assert numbers("3..20,7") == [3, 6, 12, 7]
    for wrong in ("", "a", "4..1", "0..8", "-1", "1..", "1.5"):
        with pytest.raises(ValueError, match="write numbers as 1,2,6 or doublings as 1..4096"):
            numbers(wrong)


def test_networks_without_biases() -> None:
    header = Header("othello4", 4, 4, NetworkConfig(blocks=1, channels=4))
    weights = random_network(header, biases=False).weights
    assert {name for name, weight in weights.items() if not weight.any()} == {n for n in weights if n.endswith("bias")}
    assert all(weight.any() for weight in random_network(header).weights.values())


def test_bad_requests(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["bench", "eval", "--backend", "onyx"]) == 2
    assert execute(["bench", "eval", "--backend", "hashed", "--batch", "0"]) == 2
    said = capsys.readouterr().err
    assert "unknown backend 'onyx'" in said
    assert "a batch has at least one position" in said
    assert "torch" in available()
    assert "hashed" not in available()
