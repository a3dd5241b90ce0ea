"""`auto` takes the fastest backend that answers well enough, and measures once."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from networks import random_network

from rlscout import inference
from rlscout.inference import Heads, choice, choose, make_evaluator
from rlscout.inference.choice import REDUCED, cache_file, fastest
from rlscout.inference.hashed import HashedEvaluator
from rlscout.network import U64, Network

NETWORK = random_network("othello4")
RATES = {"onnx": 100.0, "onnx-int8": 190.0, "openvino": 110.0, "openvino-bf16": 140.0, "openvino-int8": 200.0}


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The backends of each measurement; a machine with all of RATES, and a cache of its own."""
    calls: list[tuple[str, ...]] = []

    def rates(network: Network, names: Sequence[str], threads: int, batch: int, device: str) -> dict[str, float]:
        calls.append(tuple(names))
        return {name: RATES[name] for name in names}

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(choice, "available", lambda: ["torch", *RATES])
    monkeypatch.setattr(choice, "_measured", rates)
    monkeypatch.setattr(choice.importlib.metadata, "version", lambda name: "1")
    monkeypatch.setattr(inference, "_accelerator", lambda: False)
    set_answers(monkeypatch, {})
    return calls


def set_answers(monkeypatch: pytest.MonkeyPatch, off: dict[str, float]) -> None:
    """Every backend answers the same, but for values that are off."""

    def answers(network: Network, backend: str, device: str) -> Heads:
        return Heads(np.full((4, 16), 1 / 16, np.float32), np.full(4, off.get(backend, 0.0), np.float32))

    monkeypatch.setattr(choice, "_answers", answers)


def test_the_fastest_is_measured_once(measured: list[tuple[str, ...]]) -> None:
    backend, why = choose(NETWORK, batch=64)
    assert backend == "openvino"
    assert why == "evaluations/s at batch 64, measured now: onnx 100, openvino 110"
    backend, why = choose(NETWORK, batch=64)
    assert backend == "openvino"
    assert f"measured before, {cache_file()}" in why
    assert measured == [("onnx", "openvino")]


def test_each_batch_shape_and_number_of_threads_is_measured(measured: list[tuple[str, ...]]) -> None:
    for network, threads, batch in [
        (NETWORK, 1, 64),
        (NETWORK, 1, 32),
        (NETWORK, 2, 64),
        (random_network("othello6"), 1, 64),
        (NETWORK, 1, 64),
        (NETWORK, 1, 10**6),
        (NETWORK, 1, 10**7),  # as the one before: nothing changes beyond LARGEST_BATCH
    ]:
        fastest(network, threads, batch)
    assert len(measured) == 5
    assert len(json.loads(cache_file().read_text())) == 5


def test_less_precision_where_it_will_do(measured: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    assert fastest(NETWORK, reduced=True).backend == "openvino-int8"
    assert measured == [tuple(RATES)]
    set_answers(monkeypatch, {"openvino-int8": 0.1})
    assert fastest(NETWORK, reduced=True).backend == "onnx-int8"
    set_answers(monkeypatch, dict.fromkeys(("openvino-int8", "onnx-int8"), -0.1))
    assert fastest(NETWORK, reduced=True).backend == "openvino-bf16"
    set_answers(monkeypatch, dict.fromkeys(REDUCED, 0.1))
    assert fastest(NETWORK, reduced=True).backend == "openvino"


def test_less_precision_has_to_be_worth_it(measured: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RATES, "openvino-int8", 137.0)
    monkeypatch.setitem(RATES, "onnx-int8", 137.0)
    monkeypatch.setitem(RATES, "openvino-bf16", 137.0)
    assert fastest(NETWORK, reduced=True).backend == "openvino"


def test_torch_stays_where_the_others_are_less_precise(
    measured: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "available", lambda: ["torch", "native-int8"])
    monkeypatch.setitem(RATES, "torch", 50.0)
    monkeypatch.setitem(RATES, "native-int8", 300.0)
    assert fastest(NETWORK) == ("torch", "no other is installed")
    assert fastest(NETWORK, reduced=True).backend == "native-int8"
    set_answers(monkeypatch, {"native-int8": 0.1})
    assert fastest(NETWORK, reduced=True).backend == "torch"
    assert measured == [("torch", "native-int8")]


def test_a_cache_that_cannot_be_read_or_written(measured: list[tuple[str, ...]]) -> None:
    cache_file().parent.mkdir()
    for content in ("{", "[]", '{"a": 1}'):
        cache_file().write_text(content)
        assert fastest(NETWORK).backend == "openvino"
        assert fastest(NETWORK).why.startswith("evaluations/s at batch 64, measured before")
    assert len(measured) == 3
    cache_file().unlink()
    cache_file().mkdir()  # no file can take its place
    backend, why = fastest(NETWORK)
    assert backend == "openvino"
    assert "measured now, and not remembered: " in why


def test_nothing_is_measured_without_need(measured: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch) -> None:
    assert choose(NETWORK, "cuda:1", batch=64) == ("torch", "device cuda:1 is asked for")
    monkeypatch.setattr(inference, "_accelerator", lambda: True)
    assert choose(NETWORK, batch=64) == ("torch", "an accelerator is at hand")
    assert choose(NETWORK, "cpu", batch=64)[0] == "openvino"
    monkeypatch.setattr(inference, "_installed", lambda: ["torch", "onnx"])
    assert choose(NETWORK, "cpu") == ("onnx", "it starts at once")
    monkeypatch.setattr(inference, "_installed", lambda: ["torch"])
    assert choose(NETWORK, "cpu")[0] == "torch"
    monkeypatch.setattr(choice, "available", lambda: ["torch"])
    assert fastest(NETWORK, reduced=True) == ("torch", "no other is installed")
    assert len(measured) == 1


def test_on_a_mac_coreml_is_measured_beside_torch(
    measured: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: dict[str, object] = {"coremltools": object()}
    monkeypatch.setattr(inference.importlib.util, "find_spec", found.get)
    monkeypatch.setattr(inference, "MAC", False)
    assert inference.available() == ["native-int8"]
    monkeypatch.setattr(inference, "MAC", True)
    assert inference.available() == ["coreml", "native-int8"]
    monkeypatch.setattr(inference, "_accelerator", lambda: True)
    monkeypatch.setattr(choice, "available", lambda: ["torch", "onnx", "coreml"])
    monkeypatch.setitem(RATES, "torch", 150.0)
    monkeypatch.setitem(RATES, "coreml", 200.0)
    assert choose(NETWORK, batch=64, reduced=True)[0] == "coreml"
    set_answers(monkeypatch, {"coreml": 0.1})
    assert choose(NETWORK, batch=64, reduced=True)[0] == "torch"
    assert choose(NETWORK, "cpu", batch=64, reduced=True)[0] == "onnx"
    assert measured == [("torch", "onnx", "coreml"), ("onnx", "coreml")]
    assert [key.partition("device ")[2] for key in json.loads(cache_file().read_text())] == [
        "auto; of torch, onnx, coreml",
        "cpu; of onnx, coreml",
    ]
    assert choose(NETWORK, batch=64) == choose(NETWORK) == ("torch", "an accelerator is at hand")
    found.clear()
    assert choose(NETWORK, batch=64, reduced=True) == ("torch", "an accelerator is at hand")


def test_the_measurement_itself(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """A backend that fails is left out, and told of."""

    def fails(network: Network, device: str, threads: int, calibration: U64 | None) -> HashedEvaluator:
        raise RuntimeError("no such instruction")

    monkeypatch.setitem(choice.BACKENDS, "openvino", fails)
    rates = choice._measured(NETWORK, ["hashed", "openvino", "torch"], 1, 8, "cpu")
    assert set(rates) == {"hashed", "torch"}
    assert min(rates.values()) > 0
    assert "backend openvino cannot be used" in caplog.text


def test_a_broken_installation_is_passed_over(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(inference, "_installed", lambda: ["torch", "openvino"])
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.delitem(sys.modules, "rlscout.inference.openvino", raising=False)
    assert inference.available() == ["torch"]
    assert "openvino is installed, and cannot be used" in caplog.text


def test_the_real_thing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    caplog.set_level("INFO")
    evaluator = make_evaluator("auto", NETWORK, "cpu", batch=8, reduced=True)
    assert evaluator.evaluate(np.zeros((0, 2), np.uint64), np.zeros((0, 1), np.uint64)).policy.shape == (0, 16)
    assert "evaluations/s at batch 8, measured now" in caplog.text
