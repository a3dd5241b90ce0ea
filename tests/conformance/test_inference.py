"""Every backend gives the answers of a network written out in NumPy, to the same canary positions."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from networks import network
from numpy.typing import NDArray

from rlscout import inference
from rlscout.config import NetworkConfig
from rlscout.games import game
from rlscout.inference import BACKENDS, NEEDS_CUDA, Evaluator, best_moves, make_evaluator
from rlscout.inference.calibration import random_positions
from rlscout.inference.hashed import HashedEvaluator
from rlscout.network import F32, U64, Header, Network, bits, folded, planes

SMALL = NetworkConfig(blocks=2, channels=8, policy_channels=3, value_channels=2, value_hidden=16)
HEADERS = [
    Header("othello6", 6, 6, SMALL),
    Header("othello6", 6, 6, replace(SMALL, batch_norm=True)),
    Header("mnk:4,3,3", 3, 4, replace(SMALL, blocks=0)),
    Header("mnk:15,15,5", 15, 15, replace(SMALL, blocks=1)),
]
NAMES = [f"{h.game}{' with batch norm' * h.architecture.batch_norm}" for h in HEADERS]
NEEDED = {"onnx": ["onnx", "onnxruntime"], "openvino": ["onnx", "openvino"], "coreml": ["coremltools"]}
TOLERANCE = {
    "openvino-bf16": (0.01, 0.015),
    "onnx-int8": (0.03, 0.06),
    "openvino-int8": (0.03, 0.06),
    "coreml": (0.01, 0.015),  # as bfloat16, until a Mac has measured it
    "native-int8": (0.03, 0.06),
}
"""Policy, value: about twice the greatest difference met on these canaries; docs/adding-a-backend.md has a trained network's."""


def missing(backend: str) -> list[str]:
    """What this machine lacks for a backend."""
    lacking = [name for name in NEEDED.get(backend.partition("-")[0], []) if importlib.util.find_spec(name) is None]
    if backend == "coreml" and not inference.MAC:
        return ["a Mac", *lacking]
    if lacking or backend != "openvino-bf16":
        return lacking
    from rlscout.inference.openvino import has_bf16

    return [] if has_bf16() else ["bfloat16 instructions"]


def needs(backend: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(bool(missing(backend)), reason=f"not here: {', '.join(missing(backend))}")


def has_cuda() -> bool:
    import torch

    return torch.cuda.is_available()


ALL_BACKENDS = [pytest.param(name, marks=needs(name)) for name in BACKENDS if name not in NEEDS_CUDA]
NETWORK_BACKENDS = [backend for backend in ALL_BACKENDS if backend.values != ("hashed",)]
EIGHT_BITS = [backend for backend in ALL_BACKENDS if str(backend.values[0]).endswith("int8")]


def canaries(header: Header, count: int = 40) -> tuple[U64, U64]:
    """Boards of random stones; some empty squares are legal; the last position has no legal move."""
    generator = np.random.default_rng(header.squares)
    words = -(-header.squares // 64)
    content = generator.integers(0, 4, (count, header.squares))
    content[-1] = 0
    boards = np.zeros((count, 3, words * 8), np.uint8)
    for plane in range(3):
        packed = np.packbits(content == plane + 1, axis=1, bitorder="little")
        boards[:, plane, : packed.shape[1]] = packed
    boards = boards.view("<u8").astype(np.uint64)
    return boards[:, :2].reshape(count, -1), boards[:, 2]


def convolve(x: F32, weight: F32, bias: F32) -> F32:
    """x [B, I, rows, columns] with weight [O, I, k, k], zero padding."""
    k = weight.shape[2]
    padded = np.pad(x, [(0, 0), (0, 0), (k // 2, k // 2), (k // 2, k // 2)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (k, k), axis=(2, 3))
    return np.einsum("birckl,oikl->borc", windows, weight) + bias[:, None, None]


def reference(network: Network, positions: U64, legal: U64) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The tower of `network.py`'s docstring, batch norm unfolded, in double precision."""
    h, w = network.header, {name: weight.astype(np.float64) for name, weight in network.weights.items()}

    def convolution(x, name):
        if not h.architecture.batch_norm:
            return convolve(x, w[f"{name}.convolution.weight"], w[f"{name}.convolution.bias"])
        x = convolve(x, w[f"{name}.convolution.weight"], np.zeros(len(w[f"{name}.norm.bias"])))
        gamma, beta, mean, variance = (
            w[f"{name}.norm.{part}"][:, None, None] for part in ("weight", "bias", "running_mean", "running_var")
        )
        return (x - mean) / np.sqrt(variance + 1e-5) * gamma + beta

    def dense(x, name):
        return x @ w[f"{name}.weight"].T + w[f"{name}.bias"]

    def head(x, name):
        return np.maximum(convolve(x, w[f"{name}.weight"], w[f"{name}.bias"]), 0).reshape(len(x), -1)

    x = np.maximum(convolution(planes(positions, legal, h.rows, h.columns).astype(np.float64), "stem"), 0)
    for i in range(h.architecture.blocks):
        inside = np.maximum(convolution(x, f"blocks.{i}.first"), 0)
        x = np.maximum(x + convolution(inside, f"blocks.{i}.second"), 0)
    weights = np.exp(dense(head(x, "policy_planes"), "policy")) * bits(legal, h.squares)
    policy = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
    hidden = np.maximum(dense(head(x, "value_planes"), "value_hidden"), 0)
    return policy, np.tanh(dense(hidden, "value"))[:, 0]


@pytest.mark.parametrize("backend", NETWORK_BACKENDS)
@pytest.mark.parametrize("header", HEADERS, ids=NAMES)
def test_answers_are_those_of_the_network(backend: str, header: Header) -> None:
    positions, legal = canaries(header)
    policy, value = make_evaluator(backend, network(header), "cpu").evaluate(positions, legal)
    wanted_policy, wanted_value = reference(network(header), positions, legal)
    assert np.std(wanted_value) > 0.01 and np.std(wanted_policy) > 0.005, "canaries that all look alike test nothing"
    policy_tolerance, value_tolerance = TOLERANCE.get(backend, (2e-5, 2e-5))
    np.testing.assert_allclose(policy, wanted_policy, rtol=0, atol=policy_tolerance)
    np.testing.assert_allclose(value, wanted_value, rtol=0, atol=value_tolerance)


@pytest.mark.parametrize("backend", ALL_BACKENDS)
def test_contract_of_the_heads(backend: str) -> None:
    header = HEADERS[0]
    positions, legal = canaries(header)
    evaluator = make_evaluator(backend, network(header), "cpu")
    policy, value = evaluator.evaluate(positions, legal)
    assert (policy.dtype, value.dtype) == (np.float32, np.float32)
    assert policy.shape == (40, 36)
    assert value.shape == (40,)
    assert (policy >= 0).all()
    assert (policy[bits(legal, 36) == 0] == 0).all()
    np.testing.assert_allclose(policy.sum(axis=1), [1.0] * 39 + [0.0], atol=1e-6)
    assert (np.abs(value) <= 1).all()
    tolerance = 2e-6 if backend not in TOLERANCE else 2e-3  # a batch of another size is summed in another order
    for size in (0, 1, 7):
        some = evaluator.evaluate(positions[:size], legal[:size])
        np.testing.assert_allclose(some.policy, policy[:size], rtol=0, atol=tolerance)
        np.testing.assert_allclose(some.value, value[:size], rtol=0, atol=tolerance)
    moves = best_moves(policy, legal)
    assert moves[-1] == -1
    assert (policy[np.arange(39), moves[:-1]] == policy[:-1].max(axis=1)).all()


def check_what_is_refused(evaluator: Evaluator, header: Header) -> None:
    """Boards of another type or size, and a single one."""
    positions, legal = canaries(header, 4)
    w = legal.shape[1]
    wider = np.zeros((4, 3 * w), np.uint64)
    good = f"allowed are positions uint64[B, {2 * w}] and legal moves uint64[B, {w}]"
    for given, moves, named in [
        (positions.astype(np.int64), legal, f"positions int64[4, {2 * w}]"),
        (positions.astype(np.float64), legal.astype(np.float64), f"legal moves float64[4, {w}]"),
        (positions.astype(np.int64), legal.astype(np.int64), f"legal moves int64[4, {w}]"),
        (positions[0], legal[0], f"positions uint64[{2 * w}], legal moves uint64[{w}]"),
        (positions[:3], legal, f"positions uint64[3, {2 * w}]"),
        (positions, wider, f"legal moves uint64[4, {3 * w}]"),
        (np.concatenate([positions, positions], 1), np.concatenate([legal, legal], 1), f"positions uint64[4, {4 * w}]"),
        (positions.tolist(), legal, "positions list"),
    ]:
        with pytest.raises(ValueError, match=f"{re.escape(named)}.*{re.escape(good)}"):
            evaluator.evaluate(given, moves)


@pytest.mark.parametrize("backend", ALL_BACKENDS)
@pytest.mark.parametrize("header", [HEADERS[0], HEADERS[3]], ids=[NAMES[0], NAMES[3]])
def test_boards_that_are_none_are_refused(backend: str, header: Header) -> None:
    check_what_is_refused(make_evaluator(backend, network(header), "cpu"), header)


@pytest.mark.parametrize("backend", NETWORK_BACKENDS)
def test_a_value_never_passes_one_by_a_rounding_of_the_runtime(backend: str) -> None:
    header = HEADERS[0]
    sure = network(header)
    steep = {**sure.weights, "value.weight": sure.weights["value.weight"] * np.float32(8.0)}
    positions, legal = canaries(header, 2000)
    value = make_evaluator(backend, Network(header, steep), "cpu").evaluate(positions, legal).value
    assert (np.abs(value) > 0.999).sum() > 20, "canaries that do not saturate test nothing"
    assert (np.abs(value) <= 1).all()


CUDA_HEADERS = [
    *HEADERS,
    Header("othello8", 8, 8, replace(SMALL, channels=64)),
    Header("othello8", 8, 8, replace(SMALL, channels=72, blocks=1)),
]
HALF = 4e-3
"""Half precision: about twice the greatest difference met on these canaries."""
CUDA_TOLERANCE = {"fused": HALF, "fused-int8": 0.02, "graphs": HALF}
"""By kernel; in 8 bits also about twice the greatest difference."""


@pytest.mark.parametrize("header", CUDA_HEADERS, ids=[f"{h.game}-{i}" for i, h in enumerate(CUDA_HEADERS)])
def test_the_layers_for_cuda_in_half_precision(header: Header) -> None:
    """The same layers on a CPU: only the graphs are missing."""
    import torch

    from rlscout.inference.cuda import Graphs

    positions, legal = canaries(header)
    layers = Graphs(network(header), torch.device("cpu"))
    policy, value = layers.forward(torch.from_numpy(np.concatenate([positions, legal], 1).view(np.int64)))
    wanted_policy, wanted_value = reference(network(header), positions, legal)
    np.testing.assert_allclose(policy.float().numpy(), wanted_policy, rtol=0, atol=HALF)
    np.testing.assert_allclose(value.numpy(), wanted_value, rtol=0, atol=HALF)


@pytest.mark.skipif(not has_cuda(), reason="no CUDA device")
@pytest.mark.parametrize("kernel", CUDA_TOLERANCE)
@pytest.mark.parametrize("header", CUDA_HEADERS, ids=[f"{h.game}-{i}" for i, h in enumerate(CUDA_HEADERS)])
def test_cuda_answers_as_the_network(header: Header, kernel: str) -> None:
    import torch

    from rlscout.inference.cuda import CudaEvaluator
    from rlscout.inference.fused import fused

    if kernel != "graphs" and fused(header, 1 << 17) is None:
        pytest.skip("does not fit")
    positions, legal = canaries(header)
    evaluator = CudaEvaluator(network(header), torch.device("cuda"), kernel)
    wanted, tolerance = reference(network(header), positions, legal), CUDA_TOLERANCE[kernel]
    many = [evaluator.submit(positions[:size], legal[:size]) for size in (40, 1, 0, 33, 40, 17, 40)]
    for size, answer in zip((40, 1, 0, 33, 40, 17, 40), many, strict=True):
        policy, value = answer.result()
        assert (policy.dtype, value.dtype, policy.shape) == (np.float16, np.float32, (size, header.squares))
        np.testing.assert_allclose(policy.astype(float), wanted[0][:size], rtol=0, atol=tolerance)
        np.testing.assert_allclose(value, wanted[1][:size], rtol=0, atol=tolerance)
        assert (policy[bits(legal[:size], header.squares) == 0] == 0).all()
        assert (np.abs(value) <= 1).all()
    assert evaluator.busy_seconds > 0
    check_what_is_refused(evaluator, header)


def test_folding_changes_no_answer() -> None:
    positions, legal = canaries(HEADERS[1])
    whole, plain = network(HEADERS[1]), folded(network(HEADERS[1]))
    for given, wanted in zip(reference(plain, positions, legal), reference(whole, positions, legal), strict=True):
        np.testing.assert_allclose(given, wanted, atol=1e-5)


def test_the_hashed_answers_are_exact() -> None:
    """Golden: a change here changes every test that counts visits."""
    positions, legal = np.array([[5, 10], [10, 5]], np.uint64), np.array([[0b10110000], [0b10110000]], np.uint64)
    policy, value = HashedEvaluator(9).evaluate(positions, legal)
    assert (policy * 2**24).astype(int).tolist() == [
        [0, 0, 0, 0, 17851, 8434571, 0, 8324794, 0],
        [0, 0, 0, 0, 7132058, 5812238, 0, 3832919, 0],
    ]
    assert (value * 2**15).astype(int).tolist() == [32042, 8280]
    other = HashedEvaluator(9, seed=1).evaluate(positions, legal)
    assert other.value.tolist() != value.tolist()


def test_bad_requests_are_refused_by_name() -> None:
    with pytest.raises(
        ValueError,
        match="unknown backend 'onyx'; allowed are auto, torch, torch-int8, onnx, onnx-int8, openvino, .*, hashed",
    ):
        make_evaluator("onyx", network(HEADERS[0]))
    with pytest.raises(ValueError, match="device 'gpu' can't be used here"):
        make_evaluator("torch", network(HEADERS[0]), "gpu")


@pytest.mark.parametrize("backend", [b for b in NETWORK_BACKENDS if b.values[0] not in ("torch", "onnx", "coreml")])
def test_other_backends_are_for_the_cpu(backend: str) -> None:
    name = backend if backend.startswith("onnx") else backend.partition("-")[0]
    with pytest.raises(ValueError, match=f"'{name}' runs on the CPU, not on 'cuda'"):
        make_evaluator(backend, network(HEADERS[0]), "cuda")


@needs("onnx")
def test_onnx_takes_the_providers_of_a_gpu_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    import onnxruntime

    class Session:
        """Takes the providers that a library without a driver would drop, where `falls`."""

        falls = False

        def __init__(self, model: bytes, options: object, providers: list[tuple[str, dict[str, str]]]) -> None:
            self.asked = providers

        def get_providers(self) -> list[str]:
            return [name for name, _ in self.asked[2 * self.falls :]]

    def made(device: str) -> list[tuple[str, dict[str, str]]]:
        evaluator: Any = make_evaluator("onnx", network(HEADERS[0]), device)
        asked: list[tuple[str, dict[str, str]]] = evaluator._session.asked
        return asked

    with pytest.raises(ValueError, match="backend 'onnx' does not run on 'mps'; allowed are auto, cpu, cuda, cuda:N, "):
        made("mps")
    here = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: here)
    monkeypatch.setattr(onnxruntime, "InferenceSession", Session)
    with pytest.raises(ValueError, match="can't use 'tensorrt' here: .*no TensorrtExecutionProvider; `pip install"):
        made("tensorrt")
    assert [name for name, _ in made("cpu")] == here[1:]
    cuda = [("CUDAExecutionProvider", {"device_id": "1", "use_tf32": "0"}), ("CPUExecutionProvider", {})]
    assert made("cuda:1") == cuda
    assert made("cuda")[0][1]["device_id"] == "0"
    here.insert(0, "TensorrtExecutionProvider")
    assert made("tensorrt:1") == [("TensorrtExecutionProvider", {"device_id": "1"}), *cuda]
    monkeypatch.setattr(Session, "falls", True)
    with pytest.raises(ValueError, match="can't use 'tensorrt' here: ONNX Runtime fell back to CPUExecutionProvider"):
        made("tensorrt")


@pytest.mark.parametrize("backend", NEEDS_CUDA)
def test_others_are_for_cuda(backend: str) -> None:
    with pytest.raises(ValueError, match=f"'{backend}' runs on CUDA, not on 'cpu'"):
        make_evaluator(backend, network(HEADERS[0]), "cpu")


@pytest.mark.parametrize(
    "module", [pytest.param("onnx", marks=needs("onnx")), pytest.param("openvino", marks=needs("openvino"))]
)
def test_others_run_without_torch(module: str) -> None:
    code = f"import sys, rlscout.inference.{module}, rlscout.inference.hashed; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.fixture
def apple(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A Mac with coremltools whose networks are run by torch: what was asked for, and the batches that were predicted."""
    asked = SimpleNamespace(units="", batches=[])

    def convert(traced: Any, *, inputs: Any, outputs: list[str], compute_units: str, **_: object) -> SimpleNamespace:
        import torch

        (least, most), *board = inputs[0][1]
        asked.units = compute_units

        def predict(data: dict[str, Any]) -> dict[str, F32]:
            x = data[inputs[0][0]]
            assert isinstance(x, np.ndarray) and x.dtype == np.float32
            assert least <= len(x) <= most and list(x.shape[1:]) == board
            asked.batches.append(len(x))
            return {name: y.detach().numpy() for name, y in zip(outputs, traced(torch.from_numpy(x)), strict=True)}

        return SimpleNamespace(predict=predict)

    coremltools = SimpleNamespace(
        convert=convert,
        RangeDim=lambda least, most, default: (least, most),
        TensorType=lambda name, shape=(), dtype=None: (name, shape) if shape else name,
        ComputeUnit={name: name for name in ("ALL", "CPU_ONLY")},
        target=SimpleNamespace(macOS13=13),
    )
    monkeypatch.setattr(inference, "MAC", True)
    monkeypatch.setitem(sys.modules, "coremltools", coremltools)
    monkeypatch.setitem(sys.modules, "rlscout.inference.coreml", None)  # so that the one with the fake goes again
    del sys.modules["rlscout.inference.coreml"]
    return asked


@pytest.mark.parametrize("header", HEADERS, ids=NAMES)
def test_coreml_on_a_runtime_that_is_faked(
    header: Header, apple: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    test_contract_of_the_heads("coreml")
    apple.batches.clear()
    monkeypatch.setattr(sys.modules["rlscout.inference.coreml"], "MAX_BATCH", 16)
    positions, legal = canaries(header)
    heads = make_evaluator("coreml", network(header)).evaluate(positions, legal)
    assert (apple.units, apple.batches) == ("ALL", [16, 16, 8])
    for given, wanted in zip(heads, reference(network(header), positions, legal), strict=True):
        np.testing.assert_allclose(given, wanted, rtol=0, atol=2e-5)
    make_evaluator("coreml", network(header), "cpu").evaluate(positions[:16], legal[:16])
    assert (apple.units, apple.batches[3:]) == ("CPU_ONLY", [16])
    with pytest.raises(ValueError, match="backend 'coreml' does not run on 'mps'; allowed are auto, cpu"):
        make_evaluator("coreml", network(header), "mps")


def test_coreml_says_what_is_missing(apple: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "coremltools", None)
    with pytest.raises(ValueError, match="coreml needs the package coremltools .*pip install .*the extra coreml"):
        make_evaluator("coreml", network(HEADERS[0]))
    monkeypatch.setattr(inference, "MAC", False)
    with pytest.raises(ValueError, match="backend 'coreml' runs on a Mac only; `rlscout export --to coreml`"):
        make_evaluator("coreml", network(HEADERS[0]))


@pytest.mark.parametrize("backend", ["onnx", "openvino"])
def test_a_missing_library_is_said_in_words(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, NEEDED[backend][-1], None)
    monkeypatch.delitem(sys.modules, f"rlscout.inference.{backend}", raising=False)
    with pytest.raises(ValueError, match=f"backend '{backend}' needs the packages .*pip install"):
        make_evaluator(backend, network(HEADERS[0]))


@needs("openvino")
def test_streams_answer_as_one() -> None:
    header = HEADERS[0]
    positions, legal = canaries(header, 37)
    alone, many = (make_evaluator("openvino", network(header), "cpu", threads) for threads in (1, 3))
    for given, wanted in zip(many.evaluate(positions, legal), alone.evaluate(positions, legal), strict=True):
        np.testing.assert_allclose(given, wanted, rtol=0, atol=2e-6)


@pytest.mark.parametrize("backend", NETWORK_BACKENDS)
def test_a_network_without_biases(backend: str) -> None:
    """Biases of zero are left out of the graph."""
    header = HEADERS[0]
    positions, legal = canaries(header)
    bare = Network(header, {n: w * (not n.endswith("bias")) for n, w in network(header).weights.items()})
    given, wanted = make_evaluator(backend, bare, "cpu").evaluate(positions, legal), reference(bare, positions, legal)
    for head, other, tolerance in zip(given, wanted, TOLERANCE.get(backend, (2e-5, 2e-5)), strict=True):
        np.testing.assert_allclose(head, other, rtol=0, atol=tolerance)


@pytest.mark.parametrize("backend", EIGHT_BITS)
def test_ranges_come_from_the_calibration(backend: str) -> None:
    """What is beyond the ranges is clipped: those of the first board alone serve other boards worse."""
    header = HEADERS[3]
    positions, legal = canaries(header)
    wanted = reference(network(header), positions, legal)[1]

    def error(calibration: U64 | None) -> float:
        return float(
            np.abs(
                make_evaluator(backend, network(header), "cpu", 1, calibration).evaluate(positions, legal).value
                - wanted
            ).mean()
        )

    empty = np.zeros((1, positions.shape[1]), np.uint64)
    assert error(empty) > 2 * error(None)


@pytest.mark.parametrize("backend", EIGHT_BITS)
def test_a_fresh_network_has_8_bits_too(backend: str) -> None:
    """Its blocks give nothing but zeros, and some channels have a bias alone."""
    header = HEADERS[0]
    positions, legal = canaries(header)
    fresh = {n: w * (0 if "second" in n and "bias" not in n else 1) for n, w in network(header).weights.items()}
    given = make_evaluator(backend, Network(header, fresh), "cpu").evaluate(positions, legal)
    wanted = reference(Network(header, fresh), positions, legal)
    np.testing.assert_allclose(given.policy, wanted[0], rtol=0, atol=TOLERANCE[backend][0])
    np.testing.assert_allclose(given.value, wanted[1], rtol=0, atol=TOLERANCE[backend][1])


@needs("onnx")
def test_quantised_weights_stay_within_their_bits() -> None:
    """7 bits unless the processor is known to take 8, as in files for others."""
    import onnx
    from onnx import numpy_helper

    from rlscout.inference.graph import EIGHT_BITS, SEVEN_BITS, weight_levels
    from rlscout.inference.onnx import quantised

    def greatest(model: bytes) -> int:
        tensors = [numpy_helper.to_array(tensor) for tensor in onnx.load_from_string(model).graph.initializer]
        return max(int(np.abs(tensor.astype(int)).max()) for tensor in tensors if tensor.dtype == np.int8)

    assert greatest(quantised(network(HEADERS[0]))) == 63 == SEVEN_BITS
    assert greatest(quantised(network(HEADERS[0]), None, EIGHT_BITS)) == 127
    assert weight_levels() in (SEVEN_BITS, EIGHT_BITS)


@pytest.mark.parametrize("name", ["othello6", "mnk:5,5,5"])
def test_random_positions(name: str) -> None:
    """Due moves of whole games, none twice, the same from the same seed."""
    engine = game(name).engine
    positions = random_positions(name, 300)
    assert (engine.phase(positions) == 0).all()
    assert len(np.unique(positions, axis=0)) == len(positions) == 300
    stones = bits(positions, 128).sum(axis=1)
    assert np.ptp(stones) > 0.6 * engine.squares
    np.testing.assert_array_equal(positions, random_positions(name, 300))
    assert not np.array_equal(positions, random_positions(name, 300, seed=2))
