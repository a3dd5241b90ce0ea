"""Where a network runs. Backends differ in speed, never in meaning: tests/conformance holds each to the same answers.

evaluator = make_evaluator("auto", network)
policy, value = evaluator.evaluate(positions, legal)
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from rlscout.network import F32, U64, Network, bits


class Heads(NamedTuple):
    """What a network says of `B` positions, for the side to move."""

    policy: F32
    """[B, S]: probabilities; 0 on illegal squares, sum 1 (all 0 where there is no legal move)."""
    value: F32
    """[B]: expected value in [-1, 1]."""


class Evaluator(Protocol):
    """A network on a device. Not safe to call from two threads at once."""

    def evaluate(self, positions: U64, legal: U64) -> Heads:
        """Packed positions [B, 2W] and their legal moves [B, W]; B may be 0 and may change from call to call."""


def _torch(network: Network, device: str, threads: int) -> Evaluator:
    from rlscout.inference.torch import TorchEvaluator

    return TorchEvaluator(network, device, threads)


def _onnx(network: Network, device: str, threads: int) -> Evaluator:
    from rlscout.inference.onnx import OnnxEvaluator

    return OnnxEvaluator(network, device, threads)


def _hashed(network: Network, device: str, threads: int) -> Evaluator:
    from rlscout.inference.hashed import HashedEvaluator

    return HashedEvaluator(network.header.squares)


BACKENDS: dict[str, Callable[[Network, str, int], Evaluator]] = {"torch": _torch, "onnx": _onnx, "hashed": _hashed}
"""Name -> (network, device, threads) -> evaluator. A backend's library is loaded when it is asked for, not before."""


def make_evaluator(backend: str, network: Network, device: str = "auto", threads: int = 1) -> Evaluator:
    """`backend` "auto": torch where an accelerator is at hand or asked for, else onnx where it is installed (faster on
    a CPU, most of all on small batches; and it starts without loading torch). `threads` are of the CPU.

    Raises ValueError for an unknown backend or device, and where the backend's library is missing."""
    if backend == "auto":
        accelerated = device not in ("auto", "cpu") or (device == "auto" and _accelerator())
        has_onnx = all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime"))
        backend = "torch" if accelerated or not has_onnx else "onnx"
    if backend not in BACKENDS:
        raise ValueError(f"unknown backend '{backend}'; allowed are auto, {', '.join(BACKENDS)}")
    return BACKENDS[backend](network, device, threads)


def _accelerator() -> bool:
    """Whether a driver is there. Cheap: torch itself is asked only when it is loaded."""
    return Path("/proc/driver/nvidia/version").exists() or sys.platform == "darwin"


def heads_of(logits: F32, value: F32, legal: U64) -> Heads:
    """What a tower gave, as the contract has it: logits [B, S], value [B], legal [B, W]. A runtime's tanh may be off by an ulp
    beyond 1, and a search refuses that."""
    return Heads(masked_softmax(logits, legal), np.clip(value, -1.0, 1.0))


def masked_softmax(logits: F32, legal: U64) -> F32:
    """Probabilities over legal moves: logits [B, S], legal [B, W] -> [B, S]."""
    allowed = bits(legal, logits.shape[1]).astype(bool)
    shifted = np.where(allowed, logits, -np.inf)
    highest = shifted.max(axis=1, keepdims=True, initial=np.finfo(np.float32).min)
    weights: F32 = np.exp(shifted - highest, dtype=np.float32)
    weights /= np.maximum(weights.sum(axis=1, keepdims=True), np.finfo(np.float32).tiny)
    return weights


def best_moves(policy: F32, legal: U64) -> NDArray[np.int32]:
    """The legal square of highest probability (the first of equals), -1 where none is legal: [B, S], [B, W] -> [B]."""
    allowed = bits(legal, policy.shape[1]).astype(bool)
    moves = np.where(allowed, policy, -1.0).argmax(axis=1).astype(np.int32)
    return np.where(allowed.any(axis=1), moves, np.int32(-1))
