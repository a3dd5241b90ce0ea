"""A network as data: its architecture, its weights, and the file that holds both. Loads no torch.

The residual tower of AlphaZero (Silver et al., Science 362, 2018), small. `C` channels, `S` squares:

    planes [B, 3, rows, columns] -> stem 3x3, relu -> blocks x (3x3, relu, 3x3, + input, relu)    [B, C, rows, columns]
        -> policy head: 1x1, relu, dense                                                          logits [B, S]
        -> value head:  1x1, relu, dense, relu, dense, tanh                                       value [B]

Planes are the stones of the side to move, the opponent's stones, and the legal moves: mobility is a rule, so a small
tower need not learn it. `tower.py` is this network in torch, `inference/` runs it; `shapes` names the tensors for both.
"""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import safetensors
import safetensors.numpy
from numpy.typing import NDArray

from rlscout.config import NetworkConfig, check_bounds
from rlscout.games import game as named_game

F32 = NDArray[np.float32]
F16 = NDArray[np.float16]
U64 = NDArray[np.uint64]

FORMAT = "rlscout network 1"
PLANES = 3
NORM_EPSILON = 1e-5
"""Of batch norm; part of what the weights mean."""


@dataclass(frozen=True, slots=True)
class Header:
    """What the file says of its weights."""

    game: str
    rows: int
    columns: int
    architecture: NetworkConfig
    step: int = 0
    """Training steps behind these weights."""
    parent: int = 0
    """The model that was best when these weights were handed over; 0: none."""
    version: str = ""
    """The program that wrote the file."""

    @property
    def squares(self) -> int:
        return self.rows * self.columns


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Weights by name, each float32, with the shapes of `shapes(header)`. Equal to itself alone."""

    header: Header
    weights: Mapping[str, F32]

    def __repr__(self) -> str:
        h = self.header
        return f"<network of {h.game}: {h.architecture.blocks} blocks of {h.architecture.channels} channels, step {h.step}>"

    def check_game(self, name: str, where: str = "") -> None:
        """ValueError where it plays another game than the one of that name; `where` it is from goes before the words."""
        if self.header.game != named_game(name).name:
            raise ValueError(f"{where}this network plays {self.header.game}, not {name}")

    def to_bytes(self) -> bytes:
        """A safetensors file whose metadata holds the header as JSON."""
        header = {"format": FORMAT, **asdict(self.header)}
        tensors = {name: np.ascontiguousarray(self.weights[name], np.float32) for name in shapes(self.header)}
        return safetensors.numpy.save(tensors, metadata={"rlscout": json.dumps(header, sort_keys=True)})


def read_network(data: bytes | str | Path, game: str | None = None) -> Network:
    """The network in a file (bytes, or a path). With `game`, by any of its names, a network of another game is refused.

    ValueError says what is wrong where the bytes are not a whole, finite network of the architecture in its header."""
    where = "these bytes" if isinstance(data, bytes) else str(data)
    content = data if isinstance(data, bytes) else Path(data).read_bytes()
    try:
        weights = safetensors.numpy.load(content)
        header = _read_header(content)
    except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{where}: not a network file ({error})") from None
    network = Network(header, weights)
    if game is not None:
        network.check_game(game, f"{where}: ")
    wanted = shapes(header)
    if set(weights) != set(wanted):
        odd = ", ".join(sorted(set(weights) ^ set(wanted))[:3])
        raise ValueError(f"{where}: tensors do not fit the architecture of the header: missing or unknown are {odd}")
    for name, shape in wanted.items():
        if weights[name].shape != shape or weights[name].dtype != np.float32:
            given = f"{weights[name].dtype}{list(weights[name].shape)}"
            raise ValueError(f"{where}: tensor {name} is {given}, the header asks for float32{list(shape)}")
        if not np.isfinite(weights[name]).all():
            raise ValueError(f"{where}: tensor {name} holds numbers that are not finite")
    return network


def _read_header(content: bytes) -> Header:
    """The header of a whole safetensors file. KeyError, TypeError, ValueError where it is none of ours."""
    length = int.from_bytes(content[:8], "little")
    fields = json.loads(json.loads(content[8 : 8 + length])["__metadata__"]["rlscout"])
    if fields.pop("format") != FORMAT:
        raise ValueError(f"this program reads format '{FORMAT}'")
    header = Header(**{**fields, "architecture": NetworkConfig(**fields["architecture"])})
    for name, kind in (
        ("game", str),
        ("rows", int),
        ("columns", int),
        ("step", int),
        ("parent", int),
        ("version", str),
    ):
        if type(getattr(header, name)) is not kind:
            raise TypeError(f"header field {name} is not {kind.__name__}")
    check_bounds(header.architecture, "architecture")  # before anything is made of that size
    played = named_game(header.game)
    if (header.rows, header.columns) != (played.rows, played.columns):
        raise ValueError(
            f"{header.columns}x{header.rows} squares, but {header.game} has {played.columns}x{played.rows}"
        )
    return replace(header, game=played.name)


def convolutions(architecture: NetworkConfig) -> list[str]:
    """Names of the 3x3 convolutions in order: the stem, then both of each block."""
    return ["stem", *(f"blocks.{block}.{part}" for block in range(architecture.blocks) for part in ("first", "second"))]


def shapes(header: Header) -> dict[str, tuple[int, ...]]:
    """Every tensor of a network: the one list that file, torch and inference agree on."""
    a = header.architecture
    made: dict[str, tuple[int, ...]] = {}

    def convolution(name: str, inputs: int, outputs: int) -> None:
        made[f"{name}.convolution.weight"] = (outputs, inputs, 3, 3)
        if a.batch_norm:
            made.update(
                {f"{name}.norm.{part}": (outputs,) for part in ("weight", "bias", "running_mean", "running_var")}
            )
        else:
            made[f"{name}.convolution.bias"] = (outputs,)

    def dense(name: str, inputs: int, outputs: int, *kernel: int) -> None:
        made[f"{name}.weight"] = (outputs, inputs, *kernel)
        made[f"{name}.bias"] = (outputs,)

    for name in convolutions(a):
        convolution(name, PLANES if name == "stem" else a.channels, a.channels)
    dense("policy_planes", a.channels, a.policy_channels, 1, 1)
    dense("policy", a.policy_channels * header.squares, header.squares)
    dense("value_planes", a.channels, a.value_channels, 1, 1)
    dense("value_hidden", a.value_channels * header.squares, a.value_hidden)
    dense("value", a.value_hidden, 1)
    return made


def folded(network: Network) -> Network:
    """The same function without batch norm: each is folded into the weights and bias of its convolution."""
    if not network.header.architecture.batch_norm:
        return network
    header = replace(network.header, architecture=replace(network.header.architecture, batch_norm=False))
    weights = dict(network.weights)
    for name in [key.removesuffix(".norm.weight") for key in weights if key.endswith(".norm.weight")]:
        gamma, beta, mean, variance = (
            weights.pop(f"{name}.norm.{part}") for part in ("weight", "bias", "running_mean", "running_var")
        )
        scale = gamma / np.sqrt(variance + np.float32(NORM_EPSILON))
        weights[f"{name}.convolution.weight"] = weights[f"{name}.convolution.weight"] * scale[:, None, None, None]
        weights[f"{name}.convolution.bias"] = beta - mean * scale
    return Network(header, weights)


def bits(boards: U64, squares: int) -> NDArray[np.uint8]:
    """0 or 1 for each square: uint64[..., W] -> uint8[..., S]."""
    octets = np.ascontiguousarray(boards, "<u8").view(np.uint8)
    return np.unpackbits(octets, axis=-1, count=squares, bitorder="little")


def planes(positions: U64, legal: U64, rows: int, columns: int) -> F32:
    """What a network sees: positions [B, 2W], legal [B, W] -> [B, 3, rows, columns]."""
    count, words = legal.shape
    boards = np.concatenate([positions.reshape(count, 2, words), legal.reshape(count, 1, words)], axis=1)
    return bits(boards, rows * columns).reshape(count, PLANES, rows, columns).astype(np.float32)


@cache
def program_version() -> str:
    """Version of the package; in a git checkout, the commit as well."""
    try:
        version = importlib.metadata.version("rlscout")
    except importlib.metadata.PackageNotFoundError:
        version = "unpackaged"
    root = Path(__file__).parents[2]
    if not (root / ".git").exists():
        return version
    command = ["git", "-C", str(root), "describe", "--always", "--dirty"]
    try:
        commit = subprocess.run(command, capture_output=True, text=True, check=True, timeout=5.0).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return version
    return f"{version}+{commit}"
