"""The CUDA kernel of a small network, without a GPU: its threads are fibers of a CPU (helpers/cuda_on_cpu.h)."""

from __future__ import annotations

import ctypes
import shutil
import subprocess
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from networks import network
from numpy.typing import NDArray

from rlscout.config import NetworkConfig
from rlscout.games import game
from rlscout.inference import make_evaluator
from rlscout.inference.calibration import random_positions
from rlscout.inference.fused import Fused, fused, source
from rlscout.inference.whole import BEGIN, whole_layers
from rlscout.network import F32, U64, Header, Network, bits, folded, planes

F64 = NDArray[np.float64]

COMPILER = shutil.which("c++")
HELPERS = Path(__file__).parents[1] / "helpers"
HOPPER = 232448
"""Bytes of shared memory a block may have."""
ENTRY = """
struct Arguments {
  const u64 *positions, *legal; int count; const Words4* stages; const Words2 *planes, *policy_weights, *hidden_weights;
  const float* terms; u16* policy; float* value;
};
static Arguments given;
extern "C" void run(const u64* positions, const u64* legal, int count, const Words4* stages, const Words2* planes, const Words2* policy_weights,
                    const Words2* hidden_weights, const float* terms, u16* policy, float* value) {
  given = {positions, legal, count, stages, planes, policy_weights, hidden_weights, terms, policy, value};
  for (blockIdx.x = 0; blockIdx.x * WARPS < count; ++blockIdx.x)
    fibers::run_block([] {
      tower(given.positions, given.legal, given.count, given.stages, given.planes, given.policy_weights, given.hidden_weights, given.terms,
            given.policy, given.value);
    });
}
"""


def answers(
    header: Header,
    shared_bytes: int,
    bits: int,
    positions: U64,
    legal: U64,
    folder: Path,
    calibration: U64 | None = None,
) -> tuple[F32, F32]:
    """Of the kernel, compiled for a CPU."""
    shape = fused(header, shared_bytes, bits)
    assert shape is not None
    loaded = compiled_for_cpu(shape, folder)
    weights = shape.weights(network(header), calibration)
    policy = np.full((len(positions) + 1, header.squares), 7.0, np.float16)
    value = np.full(len(positions) + 1, 7.0, np.float32)
    pointer = [array.ctypes.data_as(ctypes.c_void_p) for array in (positions, legal, *weights, policy, value)]
    loaded.run(*pointer[:2], len(positions), *pointer[2:])
    assert (policy[-1] == 7).all()
    assert value[-1] == 7
    assert ctypes.c_int.in_dll(loaded, "bank_conflicts").value == 0
    return policy[:-1].astype(np.float32), value[:-1]


def compiled_for_cpu(shape: Fused, folder: Path) -> ctypes.CDLL:
    (folder / "tower.cpp").write_text(source() + ENTRY)
    library = folder / "tower.so"
    defines = [f"-D{name}={value}" for name, value in shape.macros().items()]
    subprocess.run(
        [
            str(COMPILER), "-std=c++20", "-O2", "-march=native", "-shared", "-fPIC", "-w", f"-I{HELPERS}", *defines,
            "-o", str(library), str(folder / "tower.cpp"),
        ],
        check=True,
    )  # fmt: skip
    return ctypes.CDLL(str(library))


SHAPES = {
    "othello8": (Header("othello8", 8, 8, NetworkConfig(2, 64)), HOPPER),
    "mnk:8,5,4, batch norm, little shared memory": (Header("mnk:8,5,4", 5, 8, NetworkConfig(1, 20, batch_norm=True)), 60 << 10),
    "othello6": (Header("othello6", 6, 6, NetworkConfig(1, 32, 3, 2, 20)), HOPPER),
    "mnk:4,3,3": (Header("mnk:4,3,3", 3, 4, NetworkConfig(0, 16, 1, 1, 12)), HOPPER),
    "mnk:7,5,4": (Header("mnk:7,5,4", 5, 7, NetworkConfig(1, 48, 20, 5, 100)), HOPPER),
}  # fmt: skip


def canaries(header: Header) -> tuple[U64, U64]:
    positions = random_positions(header.game, 11)
    legal = game(header.game).engine.legal(positions)
    legal[-1] = 0
    return positions, legal


def convolved(x: F64, weight: NDArray[np.floating]) -> F64:
    """x [B, I, rows, columns], weight [O, I, 3, 3] -> [B, O, rows, columns]"""
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)]), (3, 3), axis=(2, 3))
    made: F64 = np.einsum("birckl,oikl->borc", windows, weight.astype(np.float64), optimize=True)
    return made


def whole_answers(network: Network, positions: U64, legal: U64, calibration: U64 | None = None) -> tuple[F64, F64]:
    """Of the tower in whole numbers of 8 bits, in NumPy."""
    plain = folded(network)
    w, h = plain.weights, plain.header

    def half(x: NDArray[np.floating]) -> F64:
        return x.astype(np.float16).astype(np.float64)

    def whole(x: F64) -> F64:
        return np.rint(255 * x.clip(0, 1))

    def channels(x: F32) -> F32:
        return x[:, None, None]

    def head(x: F64, name: str) -> F64:
        planes = np.einsum("birc,oi->borc", x, half(w[f"{name}_planes.weight"][:, :, 0, 0]))
        return half((planes + channels(w[f"{name}_planes.bias"])).clip(0)).reshape(len(x), -1)

    def dense(x: F64, name: str) -> F64:
        return x @ half(w[f"{name}.weight"]).T + w[f"{name}.bias"]

    stem, *blocks = whole_layers(plain, calibration)
    sums = convolved(planes(positions, legal, h.rows, h.columns), half(stem.weight))
    x = (sums + channels(stem.bias)).clip(0)
    read = whole(x * channels(stem.full))
    for first, second in zip(blocks[::2], blocks[1::2], strict=True):
        inside = whole((convolved(read, first.weight) + BEGIN) * channels(first.scale) + channels(first.bias))
        sums = (convolved(inside, second.weight) + BEGIN) * channels(second.scale) + channels(second.bias)
        x = (half(x) + sums).clip(0)
        read = whole(x * channels(second.full))
    weights = np.exp(dense(head(half(x), "policy"), "policy")) * bits(legal, h.squares)
    hidden = dense(head(half(x), "value"), "value_hidden").clip(0)
    value = np.tanh(hidden @ w["value.weight"][0] + w["value.bias"])
    return weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300), value


@pytest.mark.skipif(COMPILER is None, reason="no C++ compiler")
@pytest.mark.parametrize("name", SHAPES)
def test_the_kernel_answers_as_the_network(name: str, tmp_path: Path) -> None:
    header, shared_bytes = SHAPES[name]
    positions, legal = canaries(header)
    policy, value = answers(header, shared_bytes, 16, positions, legal, tmp_path)
    wanted = make_evaluator("torch", network(header), "cpu").evaluate(positions, legal)
    assert np.std(wanted.value) > 0.01
    np.testing.assert_allclose(policy, wanted.policy, rtol=0, atol=3e-3)
    np.testing.assert_allclose(value, wanted.value, rtol=0, atol=3e-3)
    assert (policy[bits(legal, header.squares) == 0] == 0).all()


SAME = 3e-4, 1e-4
"""Policy, whose half precision it is; value."""


@pytest.mark.skipif(COMPILER is None, reason="no C++ compiler")
@pytest.mark.parametrize("name", SHAPES)
def test_the_kernel_in_8_bits(name: str, tmp_path: Path) -> None:
    """Beside the same numbers in NumPy, and beside the network itself: off by 0.0026 (policy) and 0.0044 (value) at most."""
    header, shared_bytes = SHAPES[name]
    positions, legal = canaries(header)
    given = answers(header, shared_bytes, 8, positions, legal, tmp_path, positions)
    same = whole_answers(network(header), positions, legal, positions)
    wanted = make_evaluator("torch", network(header), "cpu").evaluate(positions, legal)
    for head, as_numpy, as_network, tolerance in zip(given, same, wanted, SAME, strict=True):
        np.testing.assert_allclose(head, as_numpy, rtol=0, atol=tolerance)
        np.testing.assert_allclose(head, as_network, rtol=0, atol=0.01)
    assert (given[0][bits(legal, header.squares) == 0] == 0).all()


@pytest.mark.skipif(COMPILER is None, reason="no C++ compiler")
def test_what_is_beyond_the_ranges_of_8_bits_is_clipped(tmp_path: Path) -> None:
    header, shared_bytes = SHAPES["othello6"]
    positions, legal = canaries(header)
    few = game(header.game).engine.initial().reshape(1, -1)
    given = answers(header, shared_bytes, 8, positions, legal, tmp_path, few)
    same, unclipped = (whole_answers(network(header), positions, legal, ranges) for ranges in (few, None))
    assert np.abs(same[1] - unclipped[1]).max() > 0.01
    for head, as_numpy, tolerance in zip(given, same, SAME, strict=True):
        np.testing.assert_allclose(head, as_numpy, rtol=0, atol=tolerance)


def test_whole_sums_stay_within_their_bits() -> None:
    """Also where all weights of an output are alike, which 127 for each would be too many for."""
    header = Header("othello8", 8, 8, NetworkConfig(1, 64))
    plain = network(header)
    for weights in (plain.weights, {name: np.abs(w) * 0 + np.float32(0.01) for name, w in plain.weights.items()}):
        for layer in whole_layers(Network(header, weights), random_positions(header.game, 8))[1:]:
            most = np.maximum(
                *(np.abs(layer.weight.clip(*side)).sum(axis=(1, 2, 3)) for side in ((0, None), (None, 0)))
            )
            assert (255 * most < 2**22).all()
            assert (np.abs(layer.weight).max(axis=(1, 2, 3)) >= 27).all()
            assert np.abs(layer.weight).max() <= 127


def test_ranges_of_8_bits_come_from_the_calibration() -> None:
    header = Header("othello6", 6, 6, NetworkConfig(1, 32))
    few = game(header.game).engine.initial().reshape(1, -1)
    for narrow, wide in zip(whole_layers(network(header), few), whole_layers(network(header)), strict=True):
        assert (narrow.full >= wide.full).all()
        assert narrow.full.mean() > 1.05 * wide.full.mean()


def test_networks_of_a_shape_share_a_kernel() -> None:
    header = Header("othello6", 6, 6, NetworkConfig(1, 32))
    assert fused(header, HOPPER) == fused(replace(header, step=3, parent=2, version="1"), HOPPER)
    assert fused(header, HOPPER) != fused(header, HOPPER, 8)


@pytest.mark.parametrize(
    "header",
    [
        Header("mnk:9,9,5", 9, 9, NetworkConfig()),
        Header("othello8", 8, 8, NetworkConfig(2, 65)),
        Header("othello8", 8, 8, NetworkConfig(2, 64, policy_channels=62, value_channels=3)),
    ],
    ids=["board", "tower", "heads"],
)
def test_what_does_not_fit(header: Header) -> None:
    assert fused(header, HOPPER) is None


class Event:
    """Of CUDA: what it is asked for is done already."""

    milliseconds = 0.0

    def __init__(self, **_: bool) -> None: ...

    def record(self) -> None:
        Event.milliseconds += 1.0
        self.at = Event.milliseconds

    def synchronize(self) -> None: ...

    def elapsed_time(self, other: Event) -> float:
        return other.at - self.at


@pytest.mark.skipif(COMPILER is None, reason="no C++ compiler")
def test_the_queue_on_the_way_to_the_kernel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything between the arrays of a search and the arguments of the kernel, with a CPU in the place of the GPU."""
    import torch

    from rlscout.inference import QueuedEvaluator, cuda

    def compiled(shape: Fused, _: torch.device) -> Callable[[int, int], None]:
        kernel = compiled_for_cpu(shape, tmp_path)

        def launch(count: int, arguments: int) -> None:
            places = (ctypes.c_void_p * 10).from_address(arguments)
            given = [ctypes.c_void_p(ctypes.c_void_p.from_address(place or 0).value) for place in places]
            assert ctypes.c_int.from_address(places[2] or 0).value == count
            kernel.run(*given[:2], count, *given[3:])

        return launch

    empty = torch.empty
    monkeypatch.setattr(torch, "empty", lambda *shape, pin_memory=False, **more: empty(*shape, **more))
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (9, 0))
    for name in ("stream", "device"):
        monkeypatch.setattr(torch.cuda, name, lambda _: nullcontext())
    monkeypatch.setattr(torch.cuda, "synchronize", lambda _: None)
    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(cuda.importlib.util, "find_spec", lambda _: True)
    monkeypatch.setattr(cuda, "_stream", lambda _: None)
    monkeypatch.setattr(cuda, "_shared_bytes", lambda _: HOPPER)
    monkeypatch.setattr(cuda, "_compiled", compiled)

    header = SHAPES["othello6"][0]
    evaluator = cuda.CudaEvaluator(network(header), torch.device("cpu"))
    assert isinstance(evaluator, QueuedEvaluator)
    assert evaluator.kernel == "fused"
    positions, legal = canaries(header)
    wanted = make_evaluator("torch", network(header), "cpu").evaluate(positions, legal)
    boards, moves = evaluator.array(20, 2), evaluator.array(20, 1)
    boards[:11], moves[:11] = positions, legal
    under_way = [(size, evaluator.submit(boards[:size], moves[:size])) for size in (11, 0, 3, 11)]
    for size, answer in under_way:
        policy, value = answer.result()
        assert (policy.dtype, value.dtype, policy.shape) == (np.float16, np.float32, (size, 36))
        np.testing.assert_allclose(policy, wanted.policy[:size], rtol=0, atol=3e-3)
        np.testing.assert_allclose(value, wanted.value[:size], rtol=0, atol=3e-3)
    assert evaluator.busy_seconds == pytest.approx(0.004)  # each from its begin to its end, one tick later
