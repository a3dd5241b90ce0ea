"""A network in whole numbers of 8 bits, as the native module runs it.

Activations are whole numbers from 0 to 127 in steps of their channel, found on calibration positions; what lies beyond
is clipped. Weights are whole numbers from -127 to 127, with a scale for each output. A layer's sum times `scale` is its
output in steps. The 3x3 convolutions of the blocks are quantised in the domain of Winograd's F(2x2,3x3)
(native/inference/kernels.h has the formula), which takes 16 products for 36. Its terms, sums and differences of four
activations, are clipped to 8 bits; steps leave some room, so that few are. What rounding and clipping take from an
output on average (on the calibration positions) is given back with its bias (Nagel et al., "Data-Free Quantization
Through Weight Equalization and Bias Correction", 2019). The stem is a table of sums, in 32nds of a step; what the dense
layers sum up is made single precision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlscout.inference.calibration import TINY, activations, calibration_planes, steps_of
from rlscout.network import F32, U64, Network, folded

HIGHEST = 127
"""Of an activation, and of a weight."""
STEM_FRACTIONS = 32
STEM_HIGHEST = 2**15 - 1
WEIGHT_PARTS = np.array([[0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [1, 0, 0], [0, 0, 1]], np.float32)
"""From three weights in a row to those of the sum, the difference, the left and the right part of four inputs."""
OUTPUT_PARTS = np.array([[1, 1, 1, 0], [1, -1, 0, 1]], np.float32)
"""From the four products to the two outputs."""
HALVES = np.array([[0.5, 0.5], [0.5, -0.5]], np.float32)
"""From two outputs to what both share, and what the first has more than that and the second less."""
ROOM = 1.3
"""Steps of what a block reads are so much coarser than the greatest activations need: terms have more bits than activations."""
OWN = 0.7
"""How much of its own a channel's step has: more is finer for the activation, and coarser for the weights that multiply it."""

Tensors = dict[str, NDArray[Any]]


def quantised(network: Network, calibration: U64 | None = None) -> Tensors:
    """The tensors of `rlscout.native.Tower`, by name. Steps are found on packed positions [B, 2W]; default: of random games."""
    plain = folded(network)
    return _Quantiser(plain, calibration_planes(plain, calibration)).tensors()


class _Quantiser:
    """Follows the calibration positions through the network in single precision, and quantises layer by layer."""

    def __init__(self, network: Network, planes: F32) -> None:
        self.weights, self.header = network.weights, network.header
        self.outputs = activations(network, planes)

    def tensors(self) -> Tensors:
        a = self.header.architecture
        steps = _steps(x := next(self.outputs), ROOM)
        made = self.stem(steps)
        layers: list[Tensors] = []
        residual_scales = np.zeros((a.blocks, a.channels), np.float32)
        for block in range(a.blocks):
            first, second = f"blocks.{block}.first", f"blocks.{block}.second"
            inside_steps = _steps(inside := next(self.outputs), ROOM)
            layers.append(self.block_layer(first, x, steps, inside_steps))
            before, steps = steps, _steps(x := next(self.outputs), ROOM)
            layers.append(self.block_layer(second, inside, inside_steps, steps))
            residual_scales[block] = before / steps
        made["residual_scale"] = residual_scales
        shapes = {"weight": (a.channels, a.channels, 4, 4), "bias": (a.channels, 2, 2), "scale": (a.channels,)}
        for part, kind in (("weight", np.int8), ("bias", np.int32), ("scale", np.float32)):
            made[f"block_{part}"] = np.array([layer[part] for layer in layers], kind).reshape(-1, *shapes[part])
        heads = []
        for head, dense in (("policy", "policy"), ("value", "value_hidden")):
            weight, bias = self.weights[f"{head}_planes.weight"][:, :, 0, 0], self.weights[f"{head}_planes.bias"]
            planes = np.maximum(x @ weight.T + bias, 0)
            heads.append(_whole(weight, bias, steps, _steps(planes, own=1.0)))
            made |= self.dense(dense, dense.removeprefix("value_"), _steps(planes, own=1.0))
        for part in ("weight", "bias", "scale"):
            made[f"head_{part}"] = np.concatenate([layer[part] for layer in heads])
        made["value_weight"], made["value_bias"] = self.weights["value.weight"][0], self.weights["value.bias"]
        return {name: np.ascontiguousarray(tensor) for name, tensor in made.items()}

    def stem(self, steps: F32) -> Tensors:
        def whole(values: F32) -> NDArray[np.int16]:
            fractions: F32 = values * STEM_FRACTIONS / steps.reshape(-1, *[1] * (values.ndim - 1))
            made: NDArray[np.int16] = np.rint(fractions.clip(-STEM_HIGHEST, STEM_HIGHEST)).astype(np.int16)
            return made

        return {
            "stem_weight": whole(self.weights["stem.convolution.weight"]),
            "stem_bias": whole(self.weights["stem.convolution.bias"]),
        }

    def block_layer(self, name: str, x: F32, input_steps: F32, output_steps: F32) -> Tensors:
        """Of inputs x [B, rows, columns, I]. What rounding and clipping take from the four outputs of a tile on average is
        given back with their biases."""
        weight = np.einsum("ik,ockl,jl->ocij", WEIGHT_PARTS, self.weights[f"{name}.convolution.weight"], WEIGHT_PARTS)
        made = _whole(weight, self.weights[f"{name}.convolution.bias"], input_steps, output_steps)
        scale = (made["scale"] * output_steps)[:, None, None]
        given = np.einsum("ijc,ocij->oij", _mean_terms(np.rint(x / input_steps).clip(0, HIGHEST), True), made["weight"])
        wanted = np.einsum("ijc,ocij->oij", _mean_terms(x, False), weight)
        missing = OUTPUT_PARTS @ (wanted / scale - given) @ OUTPUT_PARTS.T
        biases = HALVES @ missing @ HALVES
        biases[:, 0, 0] += made["bias"]
        return {**made, "bias": np.rint(biases).astype(np.int32)}

    def dense(self, name: str, kind: str, steps: F32) -> Tensors:
        weight = self.weights[f"{name}.weight"]
        weight = (weight.reshape(len(weight), len(steps), -1) * steps[:, None]).reshape(weight.shape)
        scale = np.maximum(np.abs(weight).max(axis=1), TINY) / HIGHEST
        return {
            f"{kind}_weight": np.rint(weight / scale[:, None]).astype(np.int8),
            f"{kind}_scale": scale,
            f"{kind}_bias": self.weights[f"{name}.bias"],
        }


def _steps(activations: F32, room: float = 1.0, own: float = OWN) -> F32:
    return steps_of(activations, HIGHEST, own) * np.float32(room)


def _mean_terms(x: F32, clipped: bool) -> F32:
    """The mean of each term of x [B, rows, columns, C]: [4, 4, C]."""
    rows, columns = x.shape[1:3]
    padded = np.pad(x, [(0, 0), (1, 1 + rows % 2), (1, 1 + columns % 2), (0, 0)])
    means = np.empty((4, 4, x.shape[-1]), np.float32)
    for i, along_column in enumerate(_parts(padded, 1)):
        for j, term in enumerate(_parts(along_column, 2)):
            bounds = (0, 255) if i == j == 0 else (-128, 127)
            means[i, j] = (term.clip(*bounds) if clipped else term).mean(axis=(0, 1, 2))
    return means


def _parts(padded: F32, axis: int) -> tuple[F32, F32, F32, F32]:
    """Sum, difference, left and right part of four neighbours along an axis, two further on each time."""
    end = padded.shape[axis]
    d0, d1, d2, d3 = (padded.take(range(first, end - 3 + first, 2), axis) for first in range(4))
    return d1 + d2, d2 - d1, d0 - d2, d3 - d1


def _whole(weight: F32, bias: F32, input_steps: F32, output_steps: F32) -> Tensors:
    """Weight [O, I, ...] and bias [O] in whole numbers, and the scale of their sum [O], in steps of the output. A scale is coarser
    than its weights need only where the bias would not fit."""
    scaled = weight * input_steps.reshape(-1, *[1] * (weight.ndim - 2))
    scale = np.abs(scaled).max(axis=tuple(range(1, weight.ndim))) / np.float32(HIGHEST)
    scale = np.maximum(np.maximum(scale, np.abs(bias) / np.float32(2**29)), TINY)
    whole = np.rint(scaled / scale.reshape(-1, *[1] * (weight.ndim - 1))).astype(np.int8)
    return {
        "weight": whole,
        "bias": np.rint(bias / scale).astype(np.int32),
        "scale": (scale / output_steps).astype(np.float32),
    }
