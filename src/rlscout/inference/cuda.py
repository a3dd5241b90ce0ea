"""The network on CUDA, in half precision: packed positions travel there, probabilities of the legal moves and values back.

A small tower runs as one kernel (tower.cu, fused.py), where it is asked for with blocks in 8 bits; any other on cuDNN, as a CUDA
graph for each size of batch. Batches are queued: while one is evaluated, the next is copied there and the last one back.

    answer = evaluator.submit(positions, legal)
    ...                                             # whatever else there is to do
    policy, value = answer.result()
"""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable
from ctypes import addressof, c_int, c_void_p
from functools import cache
from itertools import cycle
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from rlscout.inference import Heads, QueuedEvaluator, check_boards
from rlscout.inference.fused import Fused, Weights, fused, source
from rlscout.inference.torch import unpacked
from rlscout.network import PLANES, U64, Network, convolutions, folded

log = logging.getLogger(__name__)

STREAMS = 3
"""Batches under way at a time."""
LEAST_GRAPH = 64
"""Positions of the smallest graph; the next have twice as many each."""
OLDEST = (8, 0)
"""Compute capability that the fused kernel asks for."""
BITS = {"auto": 16, "fused": 16, "fused-int8": 8, "graphs": None}
"""Of the fused kernel, by what is asked for."""

Run = Callable[[Tensor, Tensor], Tensor]
"""Positions [B, 2W] and legal moves [B, W] on the device -> as bytes, values [B] in single precision, then policies [B, S] in half.
Queued on the current stream."""
Events = tuple[torch.cuda.Event, torch.cuda.Event]
"""Begin and end of a batch."""


class Busy:
    """Seconds in which at least one batch was on the device, of those that have come back."""

    def __init__(self) -> None:
        self.seconds, self._until, self._zero = 0.0, 0.0, _event()
        self._zero.record()

    def add(self, begin: torch.cuda.Event, end: torch.cuda.Event) -> None:
        first, last = (1e-3 * self._zero.elapsed_time(event) for event in (begin, end))
        self.seconds += max(0.0, last - max(first, self._until))
        self._until = max(self._until, last)


class CudaAnswer:
    """What will have been said of a batch. It holds the evaluator, whose weights the device may still be reading."""

    def __init__(self, evaluator: CudaEvaluator, heads: Tensor, shape: tuple[int, int], events: Events) -> None:
        self._evaluator, self._heads, self._shape, self._events = evaluator, heads, shape, events

    def result(self) -> Heads:
        """Waits for it, letting other threads work. The arrays are this answer's own."""
        self._events[1].synchronize()
        self._evaluator.came_back(self._events)
        heads, values = self._heads.numpy(), 4 * self._shape[0]
        return Heads(heads[values:].view(np.float16).reshape(self._shape), heads[:values].view(np.float32))


class CudaEvaluator(QueuedEvaluator):
    """Takes batches of any size, from one thread. `kernel`: "fused", "fused-int8", "graphs", or "auto", fused if that fits, else
    graphs. `calibration`: for 8 bits, see `Fused.weights`.

    Raises ValueError where a fused kernel is asked for and does not fit."""

    def __init__(
        self, network: Network, device: torch.device, kernel: str = "auto", calibration: U64 | None = None
    ) -> None:
        self._device = device
        with torch.cuda.device(device):
            torch.empty(0, device=device)
            bits = BITS[kernel]
            run, why_not = _fused_run(network, device, bits, calibration) if bits else (None, "not asked for")
            if run is None and kernel.startswith("fused"):
                raise ValueError(f"the fused kernel can't run this network here: {why_not}")
            self.kernel = "graphs" if run is None else "fused" if kernel == "auto" else kernel
            if run is None:
                log.debug("the network runs on cuDNN; not in one kernel: %s", why_not)
            self._run: Run = run or Graphs(network, device)
            streams = [_stream(device) for _ in range(1 if run is None else STREAMS)]
            self._busy = Busy()
            torch.cuda.synchronize(device)
        self._streams, self._squares = cycle(streams), network.header.squares
        self._events: list[Events] = []

    @property
    def busy_seconds(self) -> float:
        return self._busy.seconds

    def array(self, *shape: int) -> U64:
        """Memory that the device reads by itself."""
        return torch.empty(shape, dtype=torch.int64, pin_memory=True).numpy().view(np.uint64)

    @torch.inference_mode()
    def submit(self, positions: U64, legal: U64) -> CudaAnswer:
        check_boards(positions, legal, self._squares)
        events = self._events.pop() if self._events else (_event(), _event())
        with torch.cuda.stream(next(self._streams)):
            events[0].record()
            made = self._run(self._there(positions), self._there(legal))
            heads = torch.empty(len(made), dtype=torch.uint8, pin_memory=True)
            heads.copy_(made, non_blocking=True)
            events[1].record()
        return CudaAnswer(self, heads, (len(legal), self._squares), events)

    def came_back(self, events: Events) -> None:
        """For the answer of a batch: it is there."""
        self._busy.add(*events)
        self._events.append(events)

    def _there(self, boards: U64) -> Tensor:
        there = torch.empty(boards.shape, dtype=torch.int64, device=self._device)
        return there.copy_(torch.from_numpy(boards.view(np.int64)), non_blocking=True)


def _event() -> torch.cuda.Event:
    return torch.cuda.Event(enable_timing=True, blocking=True)  # type: ignore[no-untyped-call]


def _stream(device: torch.device) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)  # type: ignore[no-untyped-call]


def _fused_run(network: Network, device: torch.device, bits: int, calibration: U64 | None) -> tuple[Run | None, str]:
    """The network in one kernel; or None, and why."""
    if torch.version.cuda is None or torch.cuda.get_device_capability(device) < OLDEST:
        return None, "it needs a GPU of compute capability 8.0 or newer"
    if importlib.util.find_spec("cuda") is None or importlib.util.find_spec("cuda.bindings") is None:
        return None, "it needs the package cuda-bindings"
    shape = fused(network.header, _shared_bytes(device), bits)
    if shape is None:
        return None, "the board, the tower or its heads are too large"
    return _FusedRun(shape, shape.weights(network, calibration), device), ""


def _shared_bytes(device: torch.device) -> int:
    """That a block may have."""
    properties: Any = torch.cuda.get_device_properties(device)
    return int(properties.shared_memory_per_block_optin)


class _FusedRun:
    """The compiled kernel with a network's weights."""

    def __init__(self, shape: Fused, weights: Weights, device: torch.device) -> None:
        self._launch = _compiled(shape, device)
        self._squares = shape.header.squares
        self._weights = [torch.from_numpy(part).to(device) for part in weights]
        self._boards, self._count, self._heads = (c_void_p(), c_void_p()), c_int(), (c_void_p(), c_void_p())
        places = [c_void_p(part.data_ptr()) for part in self._weights]
        self._arguments = [*self._boards, self._count, *places, *self._heads]
        self._places = (c_void_p * len(self._arguments))(*map(addressof, self._arguments))

    def __call__(self, positions: Tensor, legal: Tensor) -> Tensor:
        count = len(legal)
        heads = torch.empty(count * (4 + 2 * self._squares), dtype=torch.uint8, device=legal.device)
        if count:
            (own, allowed), (policy, value) = self._boards, self._heads
            own.value, allowed.value, self._count.value = positions.data_ptr(), legal.data_ptr(), count
            value.value = heads.data_ptr()
            policy.value = heads.data_ptr() + 4 * count
            self._launch(count, addressof(self._places))
        return heads


@cache
def _compiled(shape: Fused, device: torch.device) -> Callable[[int, int], None]:
    """(positions, address of the addresses of the arguments) -> launched on the current stream. Compiled once a process for all
    networks of a shape."""
    from cuda.bindings import driver, nvrtc  # type: ignore[import-not-found]  # comes with torch for CUDA

    def checked(result: tuple[Any, ...]) -> Any:
        status, *made = result
        if status.value:
            raise RuntimeError(f"CUDA: {status.name}")
        return made[0] if made else None

    major, minor = torch.cuda.get_device_capability(device)
    options = [f"--gpu-architecture=sm_{major}{minor}", "--std=c++17"]
    options += [f"-D{name}={value}" for name, value in shape.macros().items()]
    program = checked(nvrtc.nvrtcCreateProgram(source().encode(), b"tower.cu", 0, [], []))
    if nvrtc.nvrtcCompileProgram(program, len(options), [option.encode() for option in options])[0].value:
        told = b" " * checked(nvrtc.nvrtcGetProgramLogSize(program))
        checked(nvrtc.nvrtcGetProgramLog(program, told))
        raise RuntimeError(f"tower.cu does not compile: {told.decode(errors='replace')}")
    binary = b" " * checked(nvrtc.nvrtcGetCUBINSize(program))
    checked(nvrtc.nvrtcGetCUBIN(program, binary))
    checked(nvrtc.nvrtcDestroyProgram(program))
    kernel = checked(driver.cuModuleGetFunction(checked(driver.cuModuleLoadData(binary)), b"tower"))
    most = driver.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
    checked(driver.cuFuncSetAttribute(kernel, most, shape.shared_bytes))

    def launch(count: int, arguments: int) -> None:
        blocks, stream = -(-count // shape.positions), torch.cuda.current_stream(device).cuda_stream
        checked(
            driver.cuLaunchKernel(kernel, blocks, 1, 1, shape.threads, 1, 1, shape.shared_bytes, stream, arguments, 0)
        )

    return launch


class Graphs:
    """The tower on cuDNN: convolution, bias, what is added and relu in one call each; channels last. Both heads' first layers
    are one convolution, and both second layers one product."""

    CHANNELS = 8
    """Numbers of channels are padded to a multiple of this."""

    def __init__(self, network: Network, device: torch.device) -> None:
        self._header, self._device = network.header, device
        self._bit = torch.arange(64, device=device)
        self._graphs: dict[int, tuple[torch.cuda.CUDAGraph, Tensor, tuple[Tensor, Tensor]]] = {}
        self._layers(folded(network))

    def _layers(self, network: Network) -> None:
        h, w = network.header, network.weights
        a, squares = h.architecture, h.squares

        def convolution(weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
            outputs, inputs = (-size % self.CHANNELS for size in weight.shape[:2])
            padded = functional.pad(weight, (0, 0, 0, 0, 0, inputs, 0, outputs)).to(self._device, torch.float16)
            return padded.contiguous(memory_format=torch.channels_last), functional.pad(bias, (0, outputs)).to(
                self._device, torch.float16
            )

        def tensor(name: str) -> Tensor:
            return torch.from_numpy(np.array(w[name]))

        self._tower = [
            convolution(tensor(f"{name}.convolution.weight"), tensor(f"{name}.convolution.bias"))
            for name in convolutions(a)
        ]
        self._heads = convolution(
            torch.cat([tensor("policy_planes.weight"), tensor("value_planes.weight")]),
            torch.cat([tensor("policy_planes.bias"), tensor("value_planes.bias")]),
        )
        dense = torch.zeros(squares + a.value_hidden, len(self._heads[1]), squares)
        dense[:squares, : a.policy_channels] = tensor("policy.weight").reshape(squares, -1, squares)
        values = slice(a.policy_channels, a.policy_channels + a.value_channels)
        dense[squares:, values] = tensor("value_hidden.weight").reshape(a.value_hidden, -1, squares)
        self._dense = dense.transpose(1, 2).reshape(len(dense), -1).to(self._device, torch.float16)
        self._dense_bias = torch.cat([tensor("policy.bias"), tensor("value_hidden.bias")]).to(
            self._device, torch.float16
        )
        self._value = tensor("value.weight").to(self._device), tensor("value.bias").to(self._device)

    def __call__(self, positions: Tensor, legal: Tensor) -> Tensor:
        count, size = len(legal), LEAST_GRAPH
        while size < count:
            size *= 2
        if size not in self._graphs:
            self._graphs[size] = self._captured(size, legal.shape[1])
        graph, given, (policy, value) = self._graphs[size]
        torch.cat([positions, legal], 1, out=given[:count])
        graph.replay()
        return torch.cat([value[:count].view(torch.uint8), policy[:count].flatten().view(torch.uint8)])

    def _captured(self, size: int, words: int) -> tuple[torch.cuda.CUDAGraph, Tensor, tuple[Tensor, Tensor]]:
        given = torch.zeros((size, PLANES * words), dtype=torch.int64, device=self._device)
        with torch.backends.cudnn.flags(enabled=True, benchmark=True):
            for _ in range(2):
                self.forward(given)
            torch.cuda.current_stream(self._device).synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, stream=_stream(self._device), capture_error_mode="thread_local"):
                made = self.forward(given)
        return graph, given, made

    def forward(self, boards: Tensor) -> tuple[Tensor, Tensor]:
        """boards [B, 3W]: own stones, the opponent's, legal moves."""
        h = self._header
        planes = unpacked(boards, self._bit, h.rows, h.columns).half()
        x = functional.pad(planes, (0, 0, 0, 0, 0, -PLANES % self.CHANNELS)).contiguous(
            memory_format=torch.channels_last
        )
        x = _convolved(x, *self._tower[0])
        for first, second in zip(self._tower[1::2], self._tower[2::2], strict=True):
            x = _convolved(_convolved(x, *first), *second, added=x)
        heads = _convolved(x, *self._heads).permute(0, 2, 3, 1).reshape(len(x), -1)
        dense = functional.linear(heads, self._dense, self._dense_bias)
        value = torch.tanh(functional.linear(torch.relu(dense[:, h.squares :]).float(), *self._value)).squeeze(1)
        return probabilities(dense[:, : h.squares], planes[:, 2].flatten(1) > 0), value.clamp(-1.0, 1.0)


def _convolved(x: Tensor, weight: Tensor, bias: Tensor, added: Tensor | None = None) -> Tensor:
    """relu(convolution + bias + added)"""
    pad, one = [weight.shape[2] // 2] * 2, [1, 1]
    if not x.is_cuda:
        made = functional.conv2d(x, weight, bias, padding=pad)
        return torch.relu(made if added is None else made + added)
    if added is None:
        return torch.cudnn_convolution_relu(x, weight, bias, one, pad, one, 1)
    return torch.cudnn_convolution_add_relu(x, weight, added, 1.0, bias, one, pad, one, 1)


def probabilities(logits: Tensor, legal: Tensor) -> Tensor:
    """[B, S], [B, S] -> [B, S] in half precision: softmax over what is legal; 0 elsewhere, also where nothing is."""
    highest = logits.float().masked_fill(~legal, -torch.inf)
    return torch.where(legal, torch.softmax(highest, 1), 0.0).half()
