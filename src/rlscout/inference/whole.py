"""The blocks of a tower in whole numbers of 8 bits, as the tensor cores of a GPU multiply them; the rest is left as it is.

Activations are whole numbers from 0 to 255 in steps of their channel, found on calibration positions; what lies beyond is
clipped. Weights are whole numbers from -127 to 127, with a scale for each output. What blocks add to is not quantised: only
the copy of it that a convolution reads. So errors do not add up with the depth.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from rlscout.inference.calibration import TINY, activations, calibration_planes, steps_of
from rlscout.network import F32, U64, Network, convolutions

F64 = NDArray[np.float64]

HIGHEST = 255
"""Of an activation."""
WEIGHT_HIGHEST = 127
OWN = 0.7
"""See `steps_of`."""
BEGIN = 1.5 * 2**23
"""Sums begin here: as long as they move by less than 2^22, such a whole number's bits are a float's."""
SUM_HIGHEST = 2**22 - 2**17
"""Of a sum; with room for the rounding of its weights."""


class WholeLayer(NamedTuple):
    """From a sum that began at BEGIN: y = sum * scale + bias, for each output. At 255 steps, the y of a block's first layer is 1, and
    that of the tower times `full`."""

    weight: F32
    """[O, I, 3, 3]: whole numbers; the stem's are not, its sums begin at the bias."""
    bias: F32
    scale: F32
    full: F32


def whole_layers(network: Network, calibration: U64 | None = None) -> list[WholeLayer]:
    """The stem, then both layers of each block, of a network without batch norm. Steps are found on packed positions [B, 2W]; by
    default, of random games."""
    w, ones = network.weights, np.ones(network.header.architecture.channels, np.float32)
    outputs = activations(network, calibration_planes(network, calibration))
    steps = steps_of(next(outputs), HIGHEST, OWN)
    layers = [WholeLayer(w["stem.convolution.weight"], w["stem.convolution.bias"], ones, _full(steps))]
    for name in convolutions(network.header.architecture)[1:]:
        whole, of_sums = _whole(w[f"{name}.convolution.weight"], steps)
        steps = steps_of(next(outputs), HIGHEST, OWN)
        unit = _full(steps) if name.endswith("first") else ones
        scale = (of_sums * unit).astype(np.float32)
        bias = (w[f"{name}.convolution.bias"] * unit - BEGIN * scale.astype(np.float64)).astype(np.float32)
        layers.append(WholeLayer(whole, bias, scale, _full(steps)))
    return layers


def _full(steps: F32) -> F32:
    full: F32 = (1 / (HIGHEST * steps)).astype(np.float32)
    return full


def _whole(weight: F32, steps: F32) -> tuple[F32, F64]:
    """Weight [O, I, 3, 3] of inputs in `steps` [I], in whole numbers; and the scale of their sums [O], which is coarser than weights
    need only where a sum might pass SUM_HIGHEST."""
    scaled = weight.astype(np.float64) * steps[:, None, None]
    most = np.abs(scaled).max(axis=(1, 2, 3)) / WEIGHT_HIGHEST
    signed = [np.abs(scaled.clip(*side)).sum(axis=(1, 2, 3)) for side in ((0, None), (None, 0))]
    scale = np.maximum(np.maximum(most, np.maximum(*signed) * (HIGHEST / SUM_HIGHEST)), TINY)
    return np.rint(scaled / scale[:, None, None, None]).astype(np.float32), scale
