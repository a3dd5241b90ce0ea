"""Where a network runs. Backends differ in speed, never in meaning: tests/conformance holds each to the same answers.

evaluator = make_evaluator("auto", network)
policy, value = evaluator.evaluate(positions, legal)
"""

from __future__ import annotations

import importlib.util
import logging
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from rlscout.native import masked_softmax
from rlscout.network import F16, F32, U64, Network, bits, planes

log = logging.getLogger(__name__)

MAC = sys.platform == "darwin"


class Heads(NamedTuple):
    """What a network says of `B` positions, for the side to move."""

    policy: F32 | F16
    """[B, S]: probabilities, float32 or float16; 0 on illegal squares, sum 1 (all 0 where there is no legal move)."""
    value: F32
    """[B]: expected value in [-1, 1]."""


class Evaluator(Protocol):
    """A network on a device. Not safe to call from two threads at once."""

    def evaluate(self, positions: U64, legal: U64) -> Heads:
        """Packed positions [B, 2W] and their legal moves [B, W]; B may be 0 and may change from call to call. ValueError where an
        array has another type or shape."""


def check_boards(positions: U64, legal: U64, squares: int) -> None:
    """For evaluators of a board of so many squares: ValueError where what they are given are no boards of its size."""
    words, boards = (squares + 63) // 64, (positions, legal)
    arrays = all(isinstance(part, np.ndarray) and part.dtype == np.uint64 for part in boards)
    if arrays and legal.shape[1:] == (words,) and positions.shape == (len(legal), 2 * words):
        return
    given = [
        f"{part.dtype}{list(part.shape)}" if isinstance(part, np.ndarray) else type(part).__name__ for part in boards
    ]
    raise ValueError(
        f"positions {given[0]}, legal moves {given[1]}: with {squares} squares, allowed are positions uint64[B, {2 * words}] and legal "
        f"moves uint64[B, {words}]"
    )


class Answer(Protocol):
    """What will have been said of a batch: of an evaluation that is queued, or runs on another thread."""

    def result(self) -> Heads:
        """Waits for it."""


class QueuedEvaluator(ABC):
    """An evaluator that works on its own while batches are made: several may be under way. No protocol: which one it is, is asked
    for each batch, and of a protocol that takes longer than all else between two batches."""

    @abstractmethod
    def submit(self, positions: U64, legal: U64) -> Answer:
        """As `evaluate`, without waiting; the arrays must stay as they are until the answer is there."""

    def evaluate(self, positions: U64, legal: U64) -> Heads:
        return self.submit(positions, legal).result()

    @abstractmethod
    def array(self, *shape: int) -> U64:
        """From where boards go to the evaluator fastest; any other array will do."""

    @property
    @abstractmethod
    def busy_seconds(self) -> float:
        """In which at least one batch was under way, of those that were waited for."""


class StagedEvaluator(ABC):
    """What backends on a CPU have in common: boards to planes, planes through a runtime, logits to a policy."""

    def __init__(self, network: Network) -> None:
        self._rows, self._columns = network.header.rows, network.header.columns

    def evaluate(self, positions: U64, legal: U64) -> Heads:
        x = self.planes(positions, legal)
        if not len(x):
            return Heads(x.reshape(0, self._rows * self._columns), x.reshape(0))
        return heads_of(*self.run(x), legal)

    def planes(self, positions: U64, legal: U64) -> F32:
        check_boards(positions, legal, self._rows * self._columns)
        return planes(positions, legal, self._rows, self._columns)

    @abstractmethod
    def run(self, planes: F32) -> tuple[F32, F32]:
        """planes [B, 3, rows, columns], B > 0 -> logits [B, S], value [B]; both may be the runtime's own memory, until the next
        call."""


Maker = Callable[[Network, str, int, U64 | None], Evaluator]
"""(network, device, threads, calibration) -> evaluator. Loads the backend's library, which nothing did before."""


def _torch(network: Network, device: str, threads: int, calibration: U64 | None) -> Evaluator:
    from rlscout.inference.torch import TorchEvaluator, torch_device

    found = torch_device(device)
    if found.type == "cuda":
        from rlscout.inference.cuda import CudaEvaluator

        return CudaEvaluator(network, found)
    return TorchEvaluator(network, found, threads)


def _torch_int8(network: Network, device: str, threads: int, calibration: U64 | None) -> Evaluator:
    from rlscout.inference.torch import torch_device

    found = torch_device(device)
    if found.type != "cuda":
        raise ValueError(
            f"backend 'torch-int8' runs on CUDA, not on '{found.type}'; take 'torch', or a backend for the CPU"
        )
    from rlscout.inference.cuda import CudaEvaluator

    return CudaEvaluator(network, found, "fused-int8", calibration)


def _onnx(int8: bool) -> Maker:
    def make(network: Network, device: str, threads: int, calibration: U64 | None) -> Evaluator:
        from rlscout.inference.onnx import OnnxEvaluator

        return OnnxEvaluator(network, device, threads, int8, calibration)

    return make


def _openvino(precision: Literal["fp32", "bf16", "int8"]) -> Maker:
    def make(network: Network, device: str, threads: int, calibration: U64 | None) -> Evaluator:
        from rlscout.inference.openvino import OpenvinoEvaluator

        return OpenvinoEvaluator(network, device, threads, precision, calibration)

    return make


def _coreml(network: Network, device: str, threads: int, calibration: U64 | None) -> Evaluator:
    if not MAC:
        raise ValueError("backend 'coreml' runs on a Mac only; `rlscout export --to coreml` writes files here for one")
    from rlscout.inference.coreml import CoremlEvaluator

    return CoremlEvaluator(network, device)


def _native(network: Network, device: str, threads: int, calibration: U64 | None) -> Evaluator:
    from rlscout.inference.native import NativeEvaluator

    return NativeEvaluator(network, device, threads, calibration)


def _hashed(network: Network, device: str, threads: int, calibration: U64 | None) -> Evaluator:
    from rlscout.inference.hashed import HashedEvaluator

    return HashedEvaluator(network.header.squares)


BACKENDS: dict[str, Maker] = {
    "torch": _torch,
    "torch-int8": _torch_int8,
    "onnx": _onnx(int8=False),
    "onnx-int8": _onnx(int8=True),
    "openvino": _openvino("fp32"),
    "openvino-bf16": _openvino("bf16"),
    "openvino-int8": _openvino("int8"),
    "coreml": _coreml,
    "native-int8": _native,
    "hashed": _hashed,
}
"""By name. The number behind a name tells of less than single precision: faster, and a little off."""
NEEDS_CUDA = ("torch-int8",)


_LIBRARIES = {
    "torch": ["torch"],
    "onnx": ["onnx", "onnxruntime"],
    "openvino": ["onnx", "openvino"],
    "coreml": ["coremltools"],
    "native": [],
}


def _installed() -> list[str]:
    here = {name: libraries for name, libraries in _LIBRARIES.items() if name != "coreml" or MAC}
    return [name for name, needed in here.items() if all(importlib.util.find_spec(lib) for lib in needed)]


def available() -> list[str]:
    """The backends of networks that run on this CPU: their libraries are installed, and the processor has their numbers."""
    installed = _installed()
    names = [name for name in BACKENDS if name.partition("-")[0] in installed and name not in NEEDS_CUDA]
    if "openvino-bf16" in names:
        try:
            from rlscout.inference.openvino import has_bf16

            usable = has_bf16()
        except Exception:  # whatever an installation that is broken may raise
            log.warning("openvino is installed, and cannot be used", exc_info=True)
            return [name for name in names if not name.startswith("openvino")]
        if not usable:
            names.remove("openvino-bf16")
    return names


def check_backend(backend: str) -> None:
    """ValueError where there is none of that name."""
    if backend != "auto" and backend not in BACKENDS:
        raise ValueError(f"unknown backend '{backend}'; allowed are auto, {', '.join(BACKENDS)}")


def make_evaluator(
    backend: str,
    network: Network,
    device: str = "auto",
    threads: int = 1,
    calibration: U64 | None = None,
    *,
    batch: int | None = None,
    reduced: bool = False,
) -> Evaluator:
    """`backend` "auto": see `choose`. `threads` are of the CPU. Backends of 8 bits find their ranges on `calibration`, packed
    positions [B, 2W] of the network's game; by default, of random games.

    Raises ValueError for an unknown backend or device, and where the backend's library is missing."""
    if backend == "auto":
        backend, why = choose(network, device, threads, batch, reduced)
        log.info("backend %s: %s", backend, why)
    check_backend(backend)
    return BACKENDS[backend](network, device, threads, calibration)


def choose(
    network: Network, device: str = "auto", threads: int = 1, batch: int | None = None, reduced: bool = False
) -> tuple[str, str]:
    """A backend, and why: torch where an accelerator is at hand or asked for. Else, and on a Mac where coreml may be faster still,
    the fastest for a `batch` of that size, measured once (`choice.py`), with `reduced` also among those of less than single
    precision. Without a batch nothing is measured: onnx where it is installed, which starts at once and does well with few
    positions."""
    if device not in ("auto", "cpu"):
        return "torch", f"device {device} is asked for"
    at_hand = device == "auto" and _accelerator()
    if at_hand and not (batch is not None and reduced and "coreml" in _installed()):
        return "torch", "an accelerator is at hand"
    if batch is not None:
        from rlscout.inference.choice import fastest

        return fastest(network, threads, batch, reduced, "auto" if at_hand else "cpu")
    return ("onnx", "it starts at once") if "onnx" in _installed() else ("torch", "onnx is not installed")


def _accelerator() -> bool:
    """Whether a driver is there. Cheap: torch itself is asked only when it is loaded."""
    return Path("/proc/driver/nvidia/version").exists() or MAC


def heads_of(logits: F32, value: F32, legal: U64) -> Heads:
    """What a tower gave, as the contract has it: logits [B, S], value [B], legal [B, W]. A runtime's tanh may be off by an ulp
    beyond 1, and a search refuses that."""
    return Heads(masked_softmax(logits, legal), np.clip(value, -1.0, 1.0))


def best_moves(policy: F32 | F16, legal: U64) -> NDArray[np.int32]:
    """The legal square of highest probability (the first of equals), -1 where none is legal: [B, S], [B, W] -> [B]."""
    allowed = bits(legal, policy.shape[1]).astype(bool)
    moves = np.where(allowed, policy, -1.0).argmax(axis=1).astype(np.int32)
    return np.where(allowed.any(axis=1), moves, np.int32(-1))
