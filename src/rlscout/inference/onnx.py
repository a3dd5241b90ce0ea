"""The network on ONNX Runtime, on the CPU: in single precision, or in 8 bits."""

from __future__ import annotations

from collections.abc import Sequence

from rlscout.inference import StagedEvaluator
from rlscout.inference.calibration import calibration_planes
from rlscout.inference.graph import SEVEN_BITS, calibrated, graph, weight_levels
from rlscout.network import F32, U64, Network

try:
    import onnxruntime  # type: ignore[import-untyped]
except ImportError as error:
    raise ValueError(
        f"backend 'onnx' needs the packages onnx and onnxruntime ({error}); `pip install onnx onnxruntime`"
    ) from None


class OnnxEvaluator(StagedEvaluator):
    """`int8`: quantised, its ranges found on `calibration` (packed positions [B, 2W]; default: of random games)."""

    def __init__(
        self,
        network: Network,
        device: str = "auto",
        threads: int = 1,
        int8: bool = False,
        calibration: U64 | None = None,
    ) -> None:
        if device not in ("auto", "cpu"):
            raise ValueError(f"backend 'onnx' runs on the CPU, not on '{device}'; allowed are auto, cpu")
        super().__init__(network)
        self._session = _session(quantised(network, calibration, weight_levels()) if int8 else graph(network), threads)

    def run(self, planes: F32) -> tuple[F32, F32]:
        logits, value = self._session.run(["policy", "value"], {"planes": planes})
        return logits, value.reshape(-1)


def quantised(network: Network, calibration: U64 | None = None, levels: int = SEVEN_BITS) -> bytes:
    """The quantised model, its ranges found on packed positions [B, 2W]; default: of random games. By default with weights of 7
    bits, which every processor multiplies alike."""
    return graph(network, calibrated(network, calibration_planes(network, calibration), _run), levels)


def _run(model: bytes, outputs: Sequence[str], x: F32) -> Sequence[F32]:
    answers: Sequence[F32] = _session(model, 1).run(list(outputs), {"planes": x})
    return answers


def _session(model: bytes, threads: int) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
