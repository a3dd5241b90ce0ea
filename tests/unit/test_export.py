"""Exported networks answer as the network does, in the runtime that reads them."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from networks import random_network

from rlscout.cli import execute
from rlscout.config import load as load_config
from rlscout.export import export, load
from rlscout.games import game
from rlscout.inference.calibration import random_positions
from rlscout.models import load_network
from rlscout.network import F32, Network, planes
from rlscout.storage import open_store

NETWORK = random_network("othello4")


def canaries() -> tuple[F32, F32, F32]:
    """Planes, and the values and raw policies that torch gives."""
    import torch

    from rlscout.tower import tower_of

    engine = game("othello4").engine
    positions = random_positions("othello4", 50)
    x = planes(positions, engine.legal(positions), 4, 4)
    with torch.inference_mode():
        policy, value = tower_of(NETWORK)(torch.from_numpy(x))
    return x, policy.numpy(), value.numpy()[:, None]


@pytest.mark.parametrize(("to", "tolerance"), [("onnx", 1e-5), ("onnx-int8", 0.2)])
def test_onnx(to: str, tolerance: float, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    export(NETWORK, to, tmp_path / "n.onnx")
    x, policy, value = canaries()
    given = onnxruntime.InferenceSession(tmp_path / "n.onnx").run(["policy", "value"], {"planes": x})
    assert policy.std() > 2 * tolerance
    np.testing.assert_allclose(given[0], policy, rtol=0, atol=tolerance)
    np.testing.assert_allclose(given[1], value, rtol=0, atol=tolerance)
    model = onnx.load(tmp_path / "n.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert json.loads(model.metadata_props[0].value)["game"] == "othello4"
    kinds = [node.op_type for node in model.graph.node]
    assert ("QuantizeLinear" in kinds) == (to == "onnx-int8")


def test_torchscript(tmp_path: Path) -> None:
    import torch

    export(NETWORK, "torchscript", tmp_path / "n.pt")
    x, policy, value = canaries()
    with torch.inference_mode(), pytest.warns(DeprecationWarning):
        given = torch.jit.load(tmp_path / "n.pt")(torch.from_numpy(x))
    np.testing.assert_allclose(given[0].numpy(), policy, rtol=0, atol=1e-5)
    np.testing.assert_allclose(given[1].numpy(), value, rtol=0, atol=1e-5)


def test_coreml(tmp_path: Path) -> None:
    """What it predicts only a Mac can tell."""
    coremltools = pytest.importorskip("coremltools")
    export(NETWORK, "coreml", tmp_path / "n.mlpackage")
    description = coremltools.utils.load_spec(str(tmp_path / "n.mlpackage")).description
    assert [x.name for x in description.input] == ["planes"]
    assert [x.name for x in description.output] == ["policy", "value"]
    sizes = description.input[0].type.multiArrayType.shapeRange.sizeRanges
    assert [(size.lowerBound, size.upperBound) for size in sizes] == [(1, 65536), (3, 3), (4, 4), (4, 4)]


def test_coreml_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "coremltools", None)
    monkeypatch.delitem(sys.modules, "rlscout.inference.coreml", raising=False)
    with pytest.raises(ValueError, match="coreml needs the package coremltools .*pip install coremltools"):
        export(NETWORK, "coreml", tmp_path / "n.mlpackage")


def test_the_best_network_of_a_run_with_its_samples(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxruntime")
    import threading

    from rlscout.selfplay import selfplay

    data = tmp_path / "run"
    config = load_config("othello4", {"data": str(data), "selfplay.rollout_simulations": "8"}, environment={})
    with open_store(data, "othello4") as store:
        selfplay(config, store, "0", threading.Event(), total_games=4)
        with pytest.raises(ValueError, match="no network was promoted yet in .*none yet"):
            load("best", data)
        store.set_evaluation(store.add_model("a", NETWORK.to_bytes(), 0, 5, {}), "+")
    network, samples = load("best", data)
    assert isinstance(network, Network)
    assert samples is not None and 10 < len(samples) <= 512
    assert (game("othello4").engine.phase(samples) == 0).all()
    out = tmp_path / "o4.onnx"
    assert execute(["export", "best", "--data", str(data), "--to", "onnx-int8", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert said == f"{out}: othello4, 2 blocks of 8 channels, step 0, calibrated on {len(samples)} stored samples\n"
    assert out.stat().st_size > 1000


def test_what_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ValueError, match="unknown format 'tflite'; allowed are onnx, onnx-int8, torchscript, coreml"):
        export(NETWORK, "tflite", tmp_path / "n")
    (tmp_path / "n4").write_bytes(NETWORK.to_bytes())
    for to in ("onnx", "torchscript"):
        assert execute(["export", str(tmp_path / "n4"), "--to", to, "--out", str(tmp_path / "nowhere" / "n")]) == 2
    assert capsys.readouterr().err.count("nowhere/n cannot be written: No such file or directory\n") == 2
    with pytest.raises(ValueError, match="of which run"):
        load("best", None)
    with pytest.raises(ValueError, match="no run in"):
        load("best", tmp_path)
    other = tmp_path / "n.safetensors"
    other.write_bytes(NETWORK.to_bytes())
    assert load(str(other), None)[0].header == NETWORK.header


def test_safetensors_is_what_a_network_is_read_from(tmp_path: Path) -> None:
    written, place = random_network("tictactoe"), tmp_path / "n.safetensors"
    export(written, "safetensors", place)
    assert load_network(place, "tictactoe").to_bytes() == written.to_bytes()
