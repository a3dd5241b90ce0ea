"""A network in whole numbers of 8 bits, as the native module runs it.

Activations are whole numbers from 0 to 127 in steps of their channel, found on calibration positions; what lies beyond is
clipped. Weights are whole numbers from -127 to 127, with a scale for each output. A layer's sum times `scale` is its output in
steps. The 3x3 convolutions of the blocks are quantised in the domain of Winograd's F(2,3) along the rows of the board
(native/inference/kernels.h has the formula), which takes 4 products for 6 and, with activations of 7 bits, no more than 8 bits
anywhere. The stem is a table of sums, in 32nds of a step; the dense layers have weights of 15 bits, and are as good as exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlscout.inference.calibration import TINY, activations, calibration_planes, steps_of
from rlscout.network import F32, U64, Network, folded

HIGHEST = 127
"""Of an activation, and of a weight."""
DENSE_HIGHEST = 127 * 128 + 63
"""Of a weight in two parts: 128 times one of 8 bits, and one from -64 to 63."""
STEM_FRACTIONS = 32
STEM_HIGHEST = 2**15 - 1
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
        steps = _steps(x := next(self.outputs))
        made = self.stem(steps)
        layers: list[Tensors] = []
        residual_scales = np.zeros((a.blocks, a.channels), np.float32)
        for block in range(a.blocks):
            first, second = f"blocks.{block}.first", f"blocks.{block}.second"
            inside_steps = _steps(next(self.outputs))
            layers.append(self.block_layer(first, steps, inside_steps))
            before, steps = steps, _steps(x := next(self.outputs))
            layers.append(self.block_layer(second, inside_steps, steps))
            residual_scales[block] = before / steps
        made["residual_scale"] = residual_scales
        shapes = {"weight": (a.channels, a.channels, 3, 4), "bias": (a.channels,), "scale": (a.channels,)}
        for part, kind in (("weight", np.int8), ("bias", np.int32), ("scale", np.float32)):
            made[f"block_{part}"] = np.array([layer[part] for layer in layers], kind).reshape(-1, *shapes[part])
        heads = []
        for head, dense in (("policy", "policy"), ("value", "value_hidden")):
            weight, bias = self.weights[f"{head}_planes.weight"][:, :, 0, 0], self.weights[f"{head}_planes.bias"]
            planes = np.maximum(x @ weight.T + bias, 0)
            heads.append(_whole(weight, bias, steps, _steps(planes, 1.0)))
            made |= self.dense(dense, dense.removeprefix("value_"), _steps(planes, 1.0))
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

    def block_layer(self, name: str, input_steps: F32, output_steps: F32) -> Tensors:
        weight = self.weights[f"{name}.convolution.weight"]
        left, middle, right = weight[..., 0], weight[..., 1], weight[..., 2]
        terms = np.stack([(left + middle + right) / 2, (left - middle + right) / 2, left, right], axis=-1)
        return _whole(terms, self.weights[f"{name}.convolution.bias"], input_steps, output_steps)

    def dense(self, name: str, kind: str, steps: F32) -> Tensors:
        weight = self.weights[f"{name}.weight"]
        weight = (weight.reshape(len(weight), len(steps), -1) * steps[:, None]).reshape(weight.shape)
        scale = np.maximum(np.abs(weight).max(axis=1), TINY) / DENSE_HIGHEST
        return {
            f"{kind}_weight": np.rint(weight / scale[:, None]).astype(np.int16),
            f"{kind}_scale": scale,
            f"{kind}_bias": self.weights[f"{name}.bias"],
        }


def _steps(activations: F32, own: float = OWN) -> F32:
    return steps_of(activations, HIGHEST, own)


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
