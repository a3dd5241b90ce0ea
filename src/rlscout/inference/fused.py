"""A small network as one CUDA kernel (tower.cu): its source for an architecture, and its weights in the order of the tensor cores.

Everything here is NumPy; `cuda.py` compiles and launches. The kernel is tested without a GPU, on fibers that play its threads."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlscout.network import F32, PLANES, Header, Network, folded

F16 = NDArray[np.float16]

MOST_POSITIONS = 8
"""That a block works on: as many as a product of the dense layers has rows."""
LINE = 128
"""Bytes of a square: its channels in half precision, at most 64."""


class Weights(NamedTuple):
    """The kernel's arguments, in its order."""

    stages: F16
    """The stem, then the 3x3 convolutions a row of taps at a time; each padded to the same size."""
    planes: F16
    policy: F16
    hidden: F16
    biases: F32
    """Of all layers in order; those of the value's last layer behind its weights."""


@dataclass(frozen=True)
class Fused:
    """What is compiled for networks of one shape, on a device with so much shared memory a block."""

    header: Header
    positions: int
    """A block works on."""
    shared_bytes: int

    @property
    def threads(self) -> int:
        return 32 * self.positions

    @property
    def channels(self) -> int:
        """Those of the tower, padded with zeros."""
        return _padded(self.header.architecture.channels, 16)

    def macros(self) -> dict[str, int]:
        a = self.header.architecture
        return {
            "ROWS": self.header.rows,
            "COLUMNS": self.header.columns,
            "CHANNELS": self.channels,
            "BLOCKS": a.blocks,
            "POLICY_CHANNELS": a.policy_channels,
            "VALUE_CHANNELS": a.value_channels,
            "VALUE_HIDDEN": a.value_hidden,
            "WARPS": self.positions,
            "SHARED_BYTES": self.shared_bytes,
        }

    def weights(self, network: Network) -> Weights:
        """Those of a network of this shape."""
        a, w = self.header.architecture, folded(network).weights
        squares, channels = self.header.squares, self.channels
        names = ["stem", *(f"blocks.{i}.{part}" for i in range(a.blocks) for part in ("first", "second"))]

        def bias(name: str, size: int) -> F32:
            return _grown(w[f"{name}.bias"], size)

        stem = w["stem.convolution.weight"].reshape(a.channels, 9 * PLANES)
        stages = [fragments(_grown(stem, channels, 32), 16).ravel()]
        for name in names[1:]:
            taps = _grown(w[f"{name}.convolution.weight"], channels, channels, 3, 3)
            stages += [
                np.concatenate([fragments(taps[:, :, row, tap], 16).ravel() for tap in range(3)]) for row in range(3)
            ]
        size = _stage_bytes(channels) // 2
        heads = np.concatenate([w["policy_planes.weight"], w["value_planes.weight"]])[:, :, 0, 0]
        head_bias = np.concatenate([w["policy_planes.bias"], w["value_planes.bias"]])
        outputs, units = _padded(squares, 8), _padded(a.value_hidden, 8)
        return Weights(
            np.concatenate([_grown(stage, size) for stage in stages]),
            fragments(_grown(heads, _padded(len(heads), 8), channels), 8).ravel(),
            fragments(_grown(w["policy.weight"], outputs, _padded(a.policy_channels * squares, 16)), 8).ravel(),
            fragments(_grown(w["value_hidden.weight"], units, _padded(a.value_channels * squares, 16)), 8).ravel(),
            np.concatenate(
                [
                    *(bias(f"{name}.convolution", channels) for name in names),
                    _grown(head_bias, _padded(len(heads), 8)),
                    bias("policy", outputs),
                    bias("value_hidden", units),
                    _grown(w["value.weight"][0], units),
                    w["value.bias"],
                ]
            ).astype(np.float32),
        )


def fused(header: Header, most_shared_bytes: int) -> Fused | None:
    """None where the kernel does not fit: boards beyond 64 squares, towers beyond 64 channels, wide heads, little memory."""
    a, squares = header.architecture, header.squares
    heads = sum(_padded(planes * squares, 16) for planes in (a.policy_channels, a.value_channels))
    if squares > 64 or a.channels > 64 or 2 * heads > squares * LINE or a.policy_channels + a.value_channels > 32:
        return None
    fixed = 2 * _stage_bytes(_padded(a.channels, 16)) + LINE
    each = 2 * squares * LINE + 16 + 4 * (_padded(squares, 8) + _padded(a.value_hidden, 8))
    positions = min(MOST_POSITIONS, (most_shared_bytes - fixed) // each)
    return Fused(header, positions, fixed + positions * each) if positions > 0 else None


def source() -> str:
    return files("rlscout.inference").joinpath("tower.cu").read_text("utf-8")


def fragments(weight: F32, columns: int) -> F16:
    """weight [outputs, inputs] as the right matrices of mma.m16n8k16: [inputs / 16, outputs / columns, 32 lanes, words, 2], for
    each lane the words that it holds of `columns` (8 or 16) outputs."""
    outputs, inputs = weight.shape
    lane, word, half = np.ogrid[:32, : columns // 4, :2]
    step = np.arange(inputs // 16).reshape(-1, 1, 1, 1, 1)
    tile = np.arange(outputs // columns).reshape(-1, 1, 1, 1)
    output, given = columns * tile + 8 * (word // 2) + lane // 4, 16 * step + 2 * (lane % 4) + 8 * (word % 2) + half
    made: F16 = weight.astype(np.float16)[output, given]
    return made


def _stage_bytes(channels: int) -> int:
    return max(3 * channels // 16, 2) * (channels // 16) * 512


def _padded(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def _grown(array: NDArray[np.floating], *shape: int) -> NDArray[np.floating]:
    """With zeros behind, up to that shape."""
    return np.pad(array, [(0, size - had) for size, had in zip(shape, array.shape, strict=True)])
