"""The network in torch: the same tensors, by the same names, as `network.shapes`."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from rlscout.network import F32, NORM_EPSILON, PLANES, Header, Network, folded, shapes


class Convolution(nn.Module):
    """3x3 with padding; batch norm where the architecture has it, else a bias."""

    def __init__(self, inputs: int, outputs: int, batch_norm: bool) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=not batch_norm)
        self.norm = nn.BatchNorm2d(outputs, eps=NORM_EPSILON) if batch_norm else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.convolution(x)
        return x if self.norm is None else self.norm(x)


class Block(nn.Module):
    """relu(x + second(relu(first(x))))."""

    def __init__(self, channels: int, batch_norm: bool) -> None:
        super().__init__()
        self.first = Convolution(channels, channels, batch_norm)
        self.second = Convolution(channels, channels, batch_norm)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(torch.relu(self.first(x))))


class Tower(nn.Module):
    """planes [B, 3, rows, columns] -> policy logits [B, S] over all squares, value [B]."""

    def __init__(self, header: Header) -> None:
        super().__init__()
        a, squares = header.architecture, header.squares
        self.stem = Convolution(PLANES, a.channels, a.batch_norm)
        self.blocks = nn.ModuleList(Block(a.channels, a.batch_norm) for _ in range(a.blocks))
        self.policy_planes = nn.Conv2d(a.channels, a.policy_channels, 1)
        self.policy = nn.Linear(a.policy_channels * squares, squares)
        self.value_planes = nn.Conv2d(a.channels, a.value_channels, 1)
        self.value_hidden = nn.Linear(a.value_channels * squares, a.value_hidden)
        self.value = nn.Linear(a.value_hidden, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = torch.relu(self.stem(x))
        for block in self.blocks:
            x = block(x)
        policy = self.policy(torch.relu(self.policy_planes(x)).flatten(1))
        hidden = torch.relu(self.value_hidden(torch.relu(self.value_planes(x)).flatten(1)))
        return policy, torch.tanh(self.value(hidden)).squeeze(1)


def new_tower(header: Header, seed: int) -> Tower:
    """Random weights as He et al. (2015), but each block begins as the identity, so that a deep tower trains without
    batch norm (Zhang et al., "Fixup", 2019), and each head at zero: a fresh network has a flat policy and value 0."""
    tower = Tower(header)
    generator = torch.Generator().manual_seed(seed)
    last = {"policy.weight", "value.weight"} | {
        f"blocks.{i}.second.{part}"
        for i in range(header.architecture.blocks)
        for part in ("convolution.weight", "norm.weight")
    }
    if header.architecture.batch_norm:
        last -= {name for name in last if name.endswith("convolution.weight")}
    for name, parameter in tower.named_parameters():
        if name in last or name.endswith("bias"):
            nn.init.zeros_(parameter)
        elif name.endswith("norm.weight"):
            nn.init.ones_(parameter)
        else:
            nn.init.kaiming_normal_(parameter, nonlinearity="relu", generator=generator)
    return tower


def tower_of(network: Network) -> Tower:
    """The tower with a network's weights."""
    tower = Tower(network.header)
    set_weights(tower, network.weights)
    return tower


def traced(network: Network) -> torch.jit.ScriptModule:
    """Planes -> logits, value [B, 1], as exported files have it. Batch norm is folded."""

    class Exported(nn.Module):
        def __init__(self, tower: Tower) -> None:
            super().__init__()
            self.tower = tower

        def forward(self, planes: Tensor) -> tuple[Tensor, Tensor]:
            policy, value = self.tower(planes)
            return policy, value[:, None]

    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", DeprecationWarning
        )  # torch would have torch.export, which is no file for libtorch
        example = torch.zeros(2, PLANES, network.header.rows, network.header.columns)
        tower = Exported(tower_of(folded(network)).eval())
        module: torch.jit.ScriptModule = torch.jit.trace(tower, example)  # type: ignore[no-untyped-call]
        return module


def set_weights(tower: Tower, weights: Mapping[str, F32]) -> None:
    state = {name: torch.from_numpy(np.array(weight)) for name, weight in weights.items()}
    state |= {name: value for name, value in tower.state_dict().items() if name.endswith("num_batches_tracked")}
    tower.load_state_dict(state)


def weights_of(tower: Tower, header: Header) -> dict[str, F32]:
    """A copy of the tower's weights on the CPU."""
    state = tower.state_dict()
    return {name: state[name].detach().to("cpu", torch.float32, copy=True).numpy() for name in shapes(header)}
