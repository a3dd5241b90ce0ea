"""A small network as one CUDA kernel (tower.cu): its source for an architecture, and its weights in the order of the tensor cores.

Everything here is NumPy; `cuda.py` compiles and launches. The kernel is tested without a GPU, on fibers that play its threads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from importlib.resources import files
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from rlscout.inference.whole import whole_layers
from rlscout.network import F32, PLANES, U64, Header, Network, convolutions, folded

F16 = NDArray[np.float16]
U8 = NDArray[np.uint8]
T = TypeVar("T", bound=np.generic)

MOST_POSITIONS = 8
"""That a block works on: as many as a product of the dense layers has rows."""
LINE = 128
"""Bytes of a square: its channels in half precision, at most 64."""
ZEROS = 256
"""Bytes of what stands for squares off the board."""
STEM_INPUTS = 32
"""Three planes of 3x3, and zeros."""


class Weights(NamedTuple):
    """The kernel's arguments, in its order."""

    stages: U8
    """The stem, then the 3x3 convolutions a row of taps at a time; each padded to the same size."""
    planes: F16
    policy: F16
    hidden: F16
    terms: F32
    """Biases of all layers in order, in a tower of 8 bits with what else `WholeLayer` has; those of the value's last layer behind its
    weights."""


@dataclass(frozen=True)
class Fused:
    """What is compiled for networks of one shape, on a device with so much shared memory a block."""

    header: Header
    bits: int
    """Of the numbers that the blocks multiply: 16, half precision; 8, whole numbers."""
    positions: int
    """A block works on."""
    shared_bytes: int

    @property
    def threads(self) -> int:
        return 32 * self.positions

    @property
    def channels(self) -> int:
        """Those of the tower, padded with zeros."""
        return _padded(self.header.architecture.channels, 256 // self.bits)

    def macros(self) -> dict[str, int]:
        a = self.header.architecture
        return {
            "BITS": self.bits,
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

    def weights(self, network: Network, calibration: U64 | None = None) -> Weights:
        """Those of a network of this shape; 8 bits find their ranges on packed positions [B, 2W], by default of random games."""
        a, plain = self.header.architecture, folded(network)
        w, squares, channels = plain.weights, self.header.squares, self.channels
        names = convolutions(a)
        kernels = [w[f"{name}.convolution.weight"] for name in names]
        terms = [_grown(w[f"{name}.convolution.bias"], channels) for name in names]
        if self.bits == 8:
            layers = whole_layers(plain, calibration)
            kernels[1:] = [layer.weight for layer in layers[1:]]
            terms = [_grown(part, channels) for layer in layers for part in (layer.bias, layer.scale, layer.full)]
        stages = [
            fragments(_grown(kernels[0].reshape(a.channels, 9 * PLANES), channels, STEM_INPUTS).astype(np.float16), 16)
        ]
        for kernel in kernels[1:]:
            taps = _grown(kernel, channels, channels, 3, 3).astype(np.int8 if self.bits == 8 else np.float16)
            stages += [np.stack([fragments(taps[:, :, row, tap], 16) for tap in range(3)]) for row in range(3)]
        heads = np.concatenate([w["policy_planes.weight"], w["value_planes.weight"]])[:, :, 0, 0]
        head_bias = np.concatenate([w["policy_planes.bias"], w["value_planes.bias"]])
        outputs, units = _padded(squares, 8), _padded(a.value_hidden, 8)

        def dense(weight: F32, outputs: int, inputs: int) -> F16:
            return fragments(_grown(weight, outputs, inputs).astype(np.float16), 8).ravel()

        return Weights(
            np.concatenate([_grown(_bytes(stage), _stage_bytes(channels, self.bits)) for stage in stages]),
            dense(heads, _padded(len(heads), 8), channels),
            dense(w["policy.weight"], outputs, _padded(a.policy_channels * squares, 16)),
            dense(w["value_hidden.weight"], units, _padded(a.value_channels * squares, 16)),
            np.concatenate(
                [
                    *terms,
                    _grown(head_bias, _padded(len(heads), 8)),
                    _grown(w["policy.bias"], outputs),
                    _grown(w["value_hidden.bias"], units),
                    _grown(w["value.weight"][0], units),
                    w["value.bias"],
                ]
            ).astype(np.float32),
        )


def fused(header: Header, most_shared_bytes: int, bits: int = 16) -> Fused | None:
    """None where the kernel does not fit: boards beyond 64 squares, towers beyond 64 channels, wide heads, little memory."""
    a, squares = header.architecture, header.squares
    heads = sum(_padded(planes * squares, 16) for planes in (a.policy_channels, a.value_channels))
    if squares > 64 or a.channels > 64 or 2 * heads > squares * LINE or a.policy_channels + a.value_channels > 32:
        return None
    fixed = 2 * _stage_bytes(_padded(a.channels, 256 // bits), bits) + ZEROS
    each = 2 * _padded(squares, 2) * LINE + 16 + 4 * (_padded(squares, 8) + _padded(a.value_hidden, 8))
    positions = min(MOST_POSITIONS, (most_shared_bytes - fixed) // each)
    shape = replace(header, step=0, parent=0, version="")
    return Fused(shape, bits, positions, fixed + positions * each) if positions > 0 else None


def source() -> str:
    return files("rlscout.inference").joinpath("tower.cu").read_text("utf-8")


def fragments(weight: NDArray[T], columns: int) -> NDArray[T]:
    """weight [outputs, inputs] of float16 or int8 as the right matrices of mma.m16n8k16 or m16n8k32: [inputs / depth, outputs /
    columns, 32 lanes, words, numbers], for each lane the words that it holds of `columns` outputs. Of 8 columns, they are outputs
    in their order; of 16, in an order that gives each lane four outputs in a row of the product."""
    outputs, inputs = weight.shape
    count = 4 // weight.itemsize  # of a word
    lane, word, number = np.ogrid[:32, : columns // 4, :count]
    step = np.arange(inputs // (8 * count)).reshape(-1, 1, 1, 1, 1)
    tile = np.arange(outputs // columns).reshape(-1, 1, 1, 1)
    column, second = lane // 4, word // 2
    order = column if columns == 8 else 4 * (column // 2) + 2 * second + column % 2
    given = 8 * count * step + 4 * count * (word % 2) + count * (lane % 4) + number
    made: NDArray[T] = weight[columns * tile + order, given]
    return made


def _stage_bytes(channels: int, bits: int) -> int:
    return max(3 * channels * channels * bits // 8, STEM_INPUTS * channels * 2)


def _bytes(array: NDArray[Any]) -> U8:
    return np.ascontiguousarray(array).view(np.uint8).ravel()


def _padded(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


def _grown(array: NDArray[T], *shape: int) -> NDArray[T]:
    """With zeros behind, up to that shape."""
    return np.pad(array, [(0, size - had) for size, had in zip(shape, array.shape, strict=True)])
