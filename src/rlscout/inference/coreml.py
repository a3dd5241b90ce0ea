"""The network on Core ML, Apple's runtime: converted on any system, run on a Mac only. It has not been run on one yet."""

from __future__ import annotations

import logging

import numpy as np

from rlscout.inference import StagedEvaluator
from rlscout.network import F32, PLANES, Network
from rlscout.tower import traced

try:
    logging.getLogger("coremltools").setLevel(logging.ERROR)  # it warns of every torch that it was not tested with
    import coremltools
except ImportError as error:
    raise ValueError(
        f"coreml needs the package coremltools ({error}); `pip install coremltools`, which is the extra coreml"
    ) from None

UNITS = {"auto": "ALL", "cpu": "CPU_ONLY"}
"""Of Core ML, by device: it divides a network itself among CPU, GPU and Neural Engine."""
MAX_BATCH = 65_536
"""Of one prediction; Core ML wants a bound."""


class CoremlEvaluator(StagedEvaluator):
    """Threads are Core ML's own."""

    def __init__(self, network: Network, device: str = "auto") -> None:
        if device not in UNITS:
            raise ValueError(f"backend 'coreml' does not run on '{device}'; allowed are {', '.join(UNITS)}")
        super().__init__(network)
        self._model = converted(network, device)

    def run(self, planes: F32) -> tuple[F32, F32]:
        parts = [
            self._model.predict({"planes": planes[begin : begin + MAX_BATCH]})
            for begin in range(0, len(planes), MAX_BATCH)
        ]
        logits, value = (np.concatenate([part[name] for part in parts]) for name in ("policy", "value"))
        return logits, value.reshape(-1)


def converted(network: Network, device: str = "auto") -> coremltools.models.MLModel:
    """Half precision inside, as the Neural Engine wants it; single at both ends. Batches of 1 to MAX_BATCH."""
    batch = coremltools.RangeDim(1, MAX_BATCH, default=64)
    planes = (batch, PLANES, network.header.rows, network.header.columns)
    return coremltools.convert(
        traced(network),
        inputs=[coremltools.TensorType("planes", shape=planes, dtype=np.float32)],
        outputs=[coremltools.TensorType(name, dtype=np.float32) for name in ("policy", "value")],
        minimum_deployment_target=coremltools.target.macOS13,
        compute_units=coremltools.ComputeUnit[UNITS[device]],
    )
