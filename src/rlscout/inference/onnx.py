"""The network on ONNX Runtime, on the CPU. The graph is written here node by node: no torch, no exporter."""

from __future__ import annotations

from typing import Any

from rlscout.inference import Heads, heads_of
from rlscout.network import F32, PLANES, U64, Network, folded, planes

try:
    import onnx
    import onnxruntime  # type: ignore[import-untyped]
    from onnx import helper, numpy_helper
except ImportError as error:
    raise ValueError(
        f"backend 'onnx' needs the packages onnx and onnxruntime ({error}); `pip install onnx onnxruntime`"
    ) from None

OPSET = 17
IR_VERSION = 8
"""Of opset 17: what an older runtime still reads."""


class OnnxEvaluator:
    """Single precision. Batch norm is folded."""

    def __init__(self, network: Network, device: str = "auto", threads: int = 1) -> None:
        if device not in ("auto", "cpu"):
            raise ValueError(f"backend 'onnx' runs on the CPU, not on '{device}'; allowed are auto, cpu")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self._rows, self._columns = network.header.rows, network.header.columns
        self._session = onnxruntime.InferenceSession(graph(network), options, providers=["CPUExecutionProvider"])

    def evaluate(self, positions: U64, legal: U64) -> Heads:
        x = planes(positions, legal, self._rows, self._columns)
        if not len(x):
            return Heads(x.reshape(0, self._rows * self._columns), x.reshape(0))
        logits, value = self._session.run(["policy", "value"], {"planes": x})
        return heads_of(logits, value.reshape(-1), legal)


def graph(network: Network) -> bytes:
    """An ONNX model: planes [batch, 3, rows, columns] -> policy (logits) [batch, S], value [batch, 1]."""
    network = folded(network)
    header, nodes = network.header, []

    def node(kind: str, *inputs: str, output: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(kind, list(inputs), [output], name=output, **attributes))
        return output

    def convolution(x: str, name: str, kernel: int) -> str:
        pads = [kernel // 2] * 4
        return node(
            "Conv", x, f"{name}.weight", f"{name}.bias", output=f"{name}.out", kernel_shape=[kernel] * 2, pads=pads
        )

    def dense(x: str, name: str, output: str) -> str:
        return node("Gemm", x, f"{name}.weight", f"{name}.bias", output=output, transB=1)

    def relu(x: str) -> str:
        return node("Relu", x, output=f"{x}.relu")

    def head(x: str, name: str) -> str:
        return node("Flatten", relu(convolution(x, name, 1)), output=f"{name}.flat")

    x = relu(convolution("planes", "stem.convolution", 3))
    for block in (f"blocks.{i}" for i in range(header.architecture.blocks)):
        inside = relu(convolution(x, f"{block}.first.convolution", 3))
        inside = convolution(inside, f"{block}.second.convolution", 3)
        x = relu(node("Add", x, inside, output=f"{block}.sum"))
    dense(head(x, "policy_planes"), "policy", output="policy")
    hidden = relu(dense(head(x, "value_planes"), "value_hidden", output="hidden"))
    node("Tanh", dense(hidden, "value", output="raw_value"), output="value")

    def tensor(name: str, *shape: str | int) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", *shape])

    model = helper.make_model(
        helper.make_graph(
            nodes,
            "rlscout",
            [tensor("planes", PLANES, header.rows, header.columns)],
            [tensor("policy", header.squares), tensor("value", 1)],
            [_initializer(name, weight) for name, weight in network.weights.items()],
        ),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
    )
    content: bytes = model.SerializeToString()
    return content


def _initializer(name: str, weight: F32) -> onnx.TensorProto:
    return numpy_helper.from_array(weight, name)
