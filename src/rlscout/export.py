"""A network as a file: as this package keeps it (safetensors), or as other programs run it: ONNX, ONNX in 8 bits, TorchScript,
Core ML.

Each of the others takes planes [batch, 3, rows, columns] (own stones, opponent's stones, legal moves, as 0 and 1) and gives `policy`, the
logits of all squares [batch, S], and `value` for the side to move, [batch, 1]. Batch norm is folded.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from rlscout.files import write_whole
from rlscout.models import named
from rlscout.network import U64, Network
from rlscout.storage import open_run

NEWEST = 20_000
"""Stored samples among which those of the calibration are drawn."""


def load(model: str, data: Path | None, calibration: int = 512) -> tuple[Network, U64 | None]:
    """The network by its name (see `models.named`), of the run in `data` or of a file; and positions [B, 2W] of that run's newest
    samples, drawn at random, None without `data`. ValueError where something is not there."""
    if data is None:
        return named(model, None).network, None
    with open_run(data) as store:
        network = named(model, store, store.ping().game).network
        positions = store.read_samples(max(0, store.sample_counts().last_id - NEWEST), NEWEST).positions
    return network, np.random.default_rng(1).permutation(positions)[:calibration] if len(positions) else None


def export(network: Network, to: str, out: Path, calibration: U64 | None = None) -> None:
    """Writes the file (for Core ML, a folder). 8-bit ranges are found on `calibration`, packed positions [B, 2W]; default: of
    random games. ValueError where the format is unknown, or what it needs is not installed."""
    if to not in FORMATS:
        raise ValueError(f"unknown format '{to}'; allowed are {', '.join(FORMATS)}")
    FORMATS[to](network, out, calibration)


def _onnx(network: Network, out: Path, calibration: U64 | None) -> None:
    from rlscout.inference.graph import graph

    write_whole(out, graph(network))


def _onnx_int8(network: Network, out: Path, calibration: U64 | None) -> None:
    from rlscout.inference.onnx import quantised

    write_whole(out, quantised(network, calibration))


def _torchscript(network: Network, out: Path, calibration: U64 | None) -> None:
    from rlscout.tower import traced

    write_whole(out, traced(network).save_to_buffer())


def _coreml(network: Network, out: Path, calibration: U64 | None) -> None:
    from rlscout.inference.coreml import converted

    converted(network).save(str(out))


def _safetensors(network: Network, out: Path, calibration: U64 | None) -> None:
    write_whole(out, network.to_bytes())


FORMATS: dict[str, Callable[[Network, Path, U64 | None], None]] = {
    "onnx": _onnx,
    "onnx-int8": _onnx_int8,
    "torchscript": _torchscript,
    "coreml": _coreml,
    "safetensors": _safetensors,
}
SUFFIXES = {
    "onnx": ".onnx",
    "onnx-int8": ".int8.onnx",
    "torchscript": ".pt",
    "coreml": ".mlpackage",
    "safetensors": ".safetensors",
}
