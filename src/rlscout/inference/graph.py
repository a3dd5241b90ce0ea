"""The network as an ONNX graph, written node by node: no torch, no exporter. In single precision, or quantised.

    planes [batch, 3, rows, columns] -> policy (logits) [batch, S], value [batch, 1]

Quantised after training (Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference", 2018), as pairs of QuantizeLinear and DequantizeLinear around tensors ("QDQ"), which runtimes fuse into integer
convolutions: every convolution has int8 weights, with a scale for each output channel, and 8-bit inputs, with one scale;
the small dense layers stay in single precision. The scale of an input comes from the greatest magnitude that it takes on
calibration positions; what lies beyond later is clipped. Batch norm is folded.
"""

from __future__ import annotations

import json
import platform
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from rlscout.network import F32, PLANES, Network, folded

try:
    import onnx
    from onnx import helper, numpy_helper
except ImportError as error:
    raise ValueError(f"this backend needs the package onnx ({error}); `pip install onnx`") from None

OPSET = 17
IR_VERSION = 8
"""Of opset 17: what an older runtime still reads."""
EIGHT_BITS, SEVEN_BITS = 127, 63
"""The greatest weights: with 8 bits, x86 processors without VNNI saturate where they add two products."""

Ranges = Mapping[str, float]
"""Greatest magnitude of each tensor that is quantised."""
Run = Callable[[bytes, Sequence[str], F32], Sequence[F32]]
"""A runtime at work: (model, names of outputs, planes) -> these outputs."""


def graph(network: Network, ranges: Ranges | None = None, levels: int = SEVEN_BITS) -> bytes:
    """The ONNX model; quantised where `ranges` (see `calibrated`) are given, to weights of -levels to levels."""
    writer = _Writer(network, ranges, levels)
    writer.network()
    return writer.model({"policy": [writer.header.squares], "value": [1]})


def weight_levels() -> int:
    """What this processor multiplies without saturation."""
    if platform.machine().lower() not in ("x86_64", "amd64", "i686"):
        return EIGHT_BITS
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return SEVEN_BITS
    return EIGHT_BITS if re.search(r"\b(avx512_vnni|avx_vnni)\b", flags) else SEVEN_BITS


def calibrated(network: Network, planes: F32, run: Run) -> Ranges:
    """The ranges of a network's tensors over some planes [B, 3, rows, columns], B > 0."""
    writer = _Writer(network)
    writer.network()
    greatest = {name: writer.node("ReduceMax", writer.node("Abs", name), keepdims=0) for name in writer.bounded}
    model = writer.model(dict.fromkeys(greatest.values()))
    return dict(zip(greatest, map(float, run(model, list(greatest.values()), planes)), strict=True))


class _Writer:
    """A graph in the making. Tensors are named after the node that makes them."""

    def __init__(self, network: Network, ranges: Ranges | None = None, levels: int = SEVEN_BITS) -> None:
        network = folded(network)
        self.levels = levels
        self.header, self.weights, self.ranges = network.header, network.weights, ranges
        self.nodes: list[onnx.NodeProto] = []
        self.constants: dict[str, NDArray[Any]] = {}
        self.scales: dict[str, np.float32] = {}  # of the quantised tensors so far
        self.bounded: list[str] = []  # the tensors whose ranges a quantised graph needs

    def network(self) -> None:
        x = self.relu(self.convolution(self.eight_bits("planes"), "stem.convolution", 3))
        for block in (f"blocks.{i}" for i in range(self.header.architecture.blocks)):
            x = self.eight_bits(x)
            inside = self.eight_bits(self.relu(self.convolution(x, f"{block}.first.convolution", 3)))
            inside = self.eight_bits(self.convolution(inside, f"{block}.second.convolution", 3), signed=True)
            x = self.relu(self.node("Add", x, inside, name=f"{block}.sum"))
        x = self.eight_bits(x)
        self.dense(self.head(x, "policy_planes"), "policy", "policy")
        hidden = self.relu(self.dense(self.head(x, "value_planes"), "value_hidden", "hidden"))
        self.node("Tanh", self.dense(hidden, "value", "raw_value"), name="value")

    def node(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        name = name or f"{inputs[0]}.{kind.lower()}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, name: str, value: NDArray[Any]) -> str:
        self.constants[name] = value
        return name

    def relu(self, x: str) -> str:
        return self.node("Relu", x)

    def head(self, x: str, name: str) -> str:
        return self.node("Flatten", self.eight_bits(self.relu(self.convolution(x, name, 1))))

    def dense(self, x: str, name: str, output: str) -> str:
        return self.node("Gemm", x, *self.floats(name), name=output, transB=1)

    def convolution(self, x: str, name: str, kernel: int) -> str:
        inputs = self.whole_numbers(name, self.scales[x]) if x in self.scales else self.floats(name)
        pads = [kernel // 2] * 4
        return self.node("Conv", x, *inputs, name=f"{name}.out", kernel_shape=[kernel] * 2, pads=pads)

    def floats(self, name: str) -> list[str]:
        """Weight and bias of a layer; no bias where it is zero."""
        tensors = {key: self.weights[key] for key in (f"{name}.weight", f"{name}.bias")}
        return [self.constant(key, tensor) for key, tensor in tensors.items() if key.endswith("weight") or tensor.any()]

    def whole_numbers(self, name: str, input_scale: np.float32) -> list[str]:
        """The same, quantised. A scale is coarser than the weights of its channel need only where the bias, in int32, would
        not fit."""
        weight, bias = self.weights[f"{name}.weight"], self.weights[f"{name}.bias"]
        scale = np.abs(weight).max(axis=(1, 2, 3)) / np.float32(self.levels)
        scale = np.maximum(scale, np.abs(bias) / (input_scale * np.float32(2**30)))
        scale = np.maximum(scale, np.finfo(np.float32).tiny * 2**40)
        whole = np.rint(weight / scale[:, None, None, None]).astype(np.int8)
        made = [self.dequantised(f"{name}.weight", whole, scale)]
        scale = scale * input_scale
        if bias.any():
            made.append(self.dequantised(f"{name}.bias", np.rint(bias / scale).astype(np.int32), scale))
        return made

    def dequantised(self, name: str, whole: NDArray[Any], scale: F32) -> str:
        inputs = (
            self.constant(name, whole),
            self.constant(f"{name}.scale", scale),
            self.constant(f"{name}.zero", np.zeros(len(scale), whole.dtype)),
        )
        return self.node("DequantizeLinear", *inputs, axis=0)

    def eight_bits(self, x: str, signed: bool = False) -> str:
        """`x` as whole multiples of a scale, where the graph is quantised. Planes are 0 and 1: exactly so."""
        if x != "planes":
            self.bounded.append(x)
        if self.ranges is None:
            return x
        kind, levels = (np.int8, 127) if signed else (np.uint8, 255)
        scale = np.float32(1.0 if x == "planes" else max(self.ranges[x], 1e-6) / levels)
        inputs = self.constant(f"{x}.scale", np.array(scale)), self.constant(f"{x}.zero", np.array(0, kind))
        made = self.node("DequantizeLinear", self.node("QuantizeLinear", x, *inputs), *inputs, name=f"{x}.8bit")
        self.scales[made] = scale
        return made

    def model(self, outputs: Mapping[str, list[int] | None]) -> bytes:
        """`outputs`: shape of each behind the batch; None: a single number."""

        def tensor(name: str, shape: list[int] | None) -> onnx.ValueInfoProto:
            return helper.make_tensor_value_info(
                name, onnx.TensorProto.FLOAT, [] if shape is None else ["batch", *shape]
            )

        model = helper.make_model(
            helper.make_graph(
                self.nodes,
                "rlscout",
                [tensor("planes", [PLANES, self.header.rows, self.header.columns])],
                [tensor(name, shape) for name, shape in outputs.items()],
                [numpy_helper.from_array(value, name) for name, value in self.constants.items()],
            ),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
        )
        helper.set_model_props(model, {"rlscout": json.dumps(asdict(self.header), sort_keys=True)})
        content: bytes = model.SerializeToString()
        return content
