"""The network on OpenVINO, on the CPU: in single precision, in bfloat16 where the processor has it, or in 8 bits.

One stream a thread: a batch is cut into as many parts, each evaluated by one thread alone. That is faster than threads that
share a convolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np

from rlscout.inference import StagedEvaluator
from rlscout.inference.calibration import calibration_planes
from rlscout.inference.graph import calibrated, graph, weight_levels
from rlscout.network import F32, U64, Network

try:
    import openvino  # type: ignore[import-untyped]
except ImportError as error:
    raise ValueError(
        f"backend 'openvino' needs the packages onnx and openvino ({error}); `pip install onnx openvino`"
    ) from None

Precision = Literal["fp32", "bf16", "int8"]
LEAST_PART = 8
"""Positions for which a stream of its own is worth its start."""


class OpenvinoEvaluator(StagedEvaluator):
    """int8: quantised, its ranges found on `calibration` (packed positions [B, 2W]; default: of random games)."""

    def __init__(
        self,
        network: Network,
        device: str = "auto",
        threads: int = 1,
        precision: Precision = "fp32",
        calibration: U64 | None = None,
    ) -> None:
        if device not in ("auto", "cpu"):
            raise ValueError(f"backend 'openvino' runs on the CPU, not on '{device}'; allowed are auto, cpu")
        if precision == "bf16" and not has_bf16():
            raise ValueError("backend 'openvino-bf16': this processor has no bfloat16 instructions; take 'openvino'")
        if precision == "int8":
            ranges = calibrated(network, calibration_planes(network, calibration), _run)
            model = graph(network, ranges, weight_levels())
        else:
            model = graph(network)
        super().__init__(network)
        compiled = _compiled(model, threads, "bf16" if precision == "bf16" else "f32")
        self._requests = [compiled.create_infer_request() for _ in range(threads)]

    def run(self, planes: F32) -> tuple[F32, F32]:
        requests = self._requests[: max(1, len(planes) // LEAST_PART)]
        if len(requests) == 1:  # on this thread: a hand-over would take longer than a small batch
            requests[0].infer({"planes": planes}, share_inputs=True, share_outputs=True)
        else:
            for request, part in zip(requests, np.array_split(planes, len(requests)), strict=True):
                request.start_async({"planes": part}, share_inputs=True)
            for request in requests:
                request.wait()
        parts = [[request.get_tensor(name).data for request in requests] for name in ("policy", "value")]
        logits, value = (part[0] if len(part) == 1 else np.concatenate(part) for part in parts)
        return logits, value.reshape(-1)


def has_bf16() -> bool:
    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _run(model: bytes, outputs: Sequence[str], x: F32) -> Sequence[F32]:
    request = _compiled(model, 1, "f32").create_infer_request()
    request.infer({"planes": x})
    return [request.get_tensor(name).data for name in outputs]


def _compiled(model: bytes, threads: int, precision: str) -> openvino.CompiledModel:
    """Threads are not tied to cores: several processes of one host would share the same ones."""
    core = openvino.Core()
    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": threads,
        "ENABLE_CPU_PINNING": False,
    }
    return core.compile_model(core.read_model(model), "CPU", settings)
