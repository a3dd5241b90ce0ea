"""The network on ONNX Runtime, on the CPU: in single precision, or in 8 bits. With the packages for it, in single precision on CUDA
and TensorRT too."""

from __future__ import annotations

import re
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


Providers = list[tuple[str, dict[str, str]]]
CPU: Providers = [("CPUExecutionProvider", {})]


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
        if int8 and device not in ("auto", "cpu"):
            raise ValueError(f"backend 'onnx-int8' runs on the CPU, not on '{device}'; allowed are auto, cpu")
        providers = _providers(device)
        super().__init__(network)
        model = quantised(network, calibration, weight_levels()) if int8 else graph(network)
        self._session = _session(model, threads, providers)
        if (used := self._session.get_providers()[0]) != providers[0][0]:
            raise ValueError(f"backend 'onnx' can't use '{device}' here: ONNX Runtime fell back to {used} and told why")

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


def _providers(device: str) -> Providers:
    """What one of them can't do falls to the next. ValueError where the device is unknown, or this ONNX Runtime is without it."""
    if device in ("auto", "cpu"):
        return CPU
    if not (asked := re.fullmatch(r"(cuda|tensorrt)(?::(\d+))?", device)):
        raise ValueError(
            f"backend 'onnx' does not run on '{device}'; allowed are auto, cpu, cuda, cuda:N, tensorrt, tensorrt:N"
        )
    where = {"device_id": asked[2] or "0"}
    cuda: Providers = [("CUDAExecutionProvider", {**where, "use_tf32": "0"}), *CPU]
    wanted = cuda if asked[1] == "cuda" else [("TensorrtExecutionProvider", where), *cuda]
    if wanted[0][0] not in (here := onnxruntime.get_available_providers()):
        raise ValueError(
            f"backend 'onnx' can't use '{device}' here: ONNX Runtime has {', '.join(here)}, and no {wanted[0][0]}; "
            "`pip install onnxruntime-gpu` in place of onnxruntime"
        )
    return wanted


def _session(model: bytes, threads: int, providers: Providers = CPU) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=providers)
