"""The part of training that knows torch: a tower, its optimizer, and the running average of its weights.

The learning rate stays high after the warm-up: a run has no end to anneal towards. What is published instead is an
exponential average of the weights (Polyak and Juditsky, 1992), which plays as annealed ones would, at any moment.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np
import safetensors
import safetensors.numpy
import torch
import torch.distributed as distributed
import torch.nn.functional as functional
from torch import Tensor

from rlscout.config import TrainConfig
from rlscout.network import F32, Header, Network, program_version, shapes
from rlscout.ranks import LOOPBACK, Place
from rlscout.tower import new_tower, set_weights, weights_of

FORMAT = "rlscout training 1"
GROUP_SECONDS = 300.0
"""How long a process waits for the others of its group before it gives up: they live, but something holds them."""


class Batch(NamedTuple):
    """What one step learns from, for the side to move."""

    planes: F32
    """[B, 3, rows, columns]; the last plane is the legal moves."""
    policy: F32
    """[B, S]: share of the visits, 0 on illegal squares."""
    value: F32
    """[B]"""


class Group:
    """The processes that learn as one, as one of them sees them; without a place, this process alone.

    Each call is made by all of them, in the same order. RuntimeError where another one has died."""

    def __init__(self, place: Place | None = None) -> None:
        self.rank, self.size = (place.rank, place.size) if place else (0, 1)
        if place is None:
            return
        for library in ("GLOO", "NCCL"):
            os.environ.setdefault(f"{library}_SOCKET_IFNAME", "lo0" if sys.platform == "darwin" else "lo")
        timeout = timedelta(seconds=GROUP_SECONDS)
        door = place.door.detach() if place.door else None
        meeting = distributed.TCPStore(  # type: ignore[attr-defined]  # torch exports it by a star
            LOOPBACK, place.port, place.size, place.rank == 0, timeout, master_listen_fd=door
        )
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        distributed.init_process_group(backend, store=meeting, rank=place.rank, world_size=place.size, timeout=timeout)

    def agree(self, ready: bool, end: bool) -> tuple[bool, bool]:
        """(whether all are ready, whether any wants to end)"""
        if self.size == 1:
            return ready, end
        votes = torch.tensor([not ready, end], dtype=torch.int32)
        distributed.all_reduce(votes, distributed.ReduceOp.MAX)
        waits, ends = votes.tolist()
        return not waits, bool(ends)

    def share(self, data: bytes) -> bytes:
        """What rank 0 has, for all; as plain bytes, so that nobody unpickles what a socket brought."""
        if self.size == 1:
            return data
        length = torch.tensor([len(data)])
        distributed.broadcast(length, 0)
        shared = torch.from_numpy(np.frombuffer(data.ljust(int(length)), np.uint8)[: int(length)].copy())
        distributed.broadcast(shared, 0)
        return shared.numpy().tobytes()

    def average_(self, tensors: Sequence[Tensor]) -> None:
        """Replaces float tensors of one device by their means over all, the same to the bit everywhere."""
        if self.size == 1:
            return
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        distributed.all_reduce(flat)
        flat /= self.size
        for tensor, mean in zip(tensors, torch.split(flat, [tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(mean.view(tensor.shape))

    def close(self) -> None:
        if self.size > 1:
            distributed.destroy_process_group()


class Learner:
    """Weights that learn, on one device; in a group, those of all are the same after every step, which then is that of one
    learner on the batches of all together. (But batch norm has the statistics of each batch; its running ones are averaged.)
    Not safe to call from two threads at once."""

    def __init__(
        self, header: Header, config: TrainConfig, seed: int, device: torch.device, group: Group | None = None
    ) -> None:
        self._config, self._device, self._group = config, device, group or Group()
        self.header = replace(header, step=0, version=program_version())
        self.tower = new_tower(header, seed).to(device).train()
        self.tower.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it
        self.optimizer = torch.optim.AdamW(
            self.tower.parameters(), lr=config.learning_rate, betas=(0.9, 0.98), weight_decay=config.weight_decay
        )
        state = self.tower.state_dict()
        self._weights = [state[name] for name in shapes(header)]
        self._running = [state[name] for name in shapes(header) if "running" in name]
        self._average = [weight.detach().clone() for weight in self._weights]

    @property
    def step(self) -> int:
        return self.header.step

    def learn(self, batch: Batch) -> Tensor:
        """One step; returns the policy and value losses [2] of the whole group, still on the device."""
        config = self._config
        planes, policy, value = (torch.from_numpy(array).to(self._device) for array in batch)
        planes = planes.contiguous(memory_format=torch.channels_last)
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * min(1.0, (self.step + 1) / max(1, config.warmup_steps))
        logits, expected = self.tower(planes)
        legal = planes[:, 2].flatten(1) > 0
        log_policy = functional.log_softmax(logits.masked_fill(~legal, -1e9), dim=1)
        policy_loss = -(policy * log_policy).sum(dim=1).mean()
        value_loss = functional.mse_loss(expected, value)
        self.optimizer.zero_grad()
        (policy_loss + config.value_weight * value_loss).backward()  # type: ignore[no-untyped-call]
        losses = torch.stack([policy_loss.detach(), value_loss.detach()])
        gradients = [parameter.grad for parameter in self.tower.parameters() if parameter.grad is not None]
        self._group.average_([*gradients, *self._running, losses])
        torch.nn.utils.clip_grad_norm_(self.tower.parameters(), config.clip_norm)
        self.optimizer.step()
        self.header = replace(self.header, step=self.step + 1)
        with torch.no_grad():
            # Young averages forget faster, or the random weights of the start would linger.
            keep = min(1.0 - 1.0 / config.average_steps, self.step / (self.step + 10))
            torch._foreach_lerp_(self._average, self._weights, 1.0 - keep)
        return losses

    def network(self) -> Network:
        """A copy of the averaged weights, to be published."""
        weights = {name: _copy(weight) for name, weight in zip(shapes(self.header), self._average, strict=True)}
        return Network(self.header, weights)

    def state(self) -> dict[str, F32]:
        """A copy of everything a restart needs; `state_bytes` makes a file of it."""
        tensors = {f"weights/{name}": weight for name, weight in weights_of(self.tower, self.header).items()}
        tensors |= {f"average/{name}": weight for name, weight in self.network().weights.items()}
        for index, state in self.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{index}/{name}": _copy(tensor) for name, tensor in state.items()}
        return tensors

    def restore(self, data: bytes) -> dict[str, Any]:
        """Goes on from a file of `state_bytes` and returns its notes. ValueError where it is of another network."""
        try:
            tensors = safetensors.numpy.load(data)
            length = int.from_bytes(data[:8], "little")
            notes: dict[str, Any] = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["rlscout"])
            if notes.pop("format") != FORMAT:
                raise ValueError(f"this program reads format '{FORMAT}'")
            step = int(notes.pop("step"))
        except (safetensors.SafetensorError, KeyError, TypeError, ValueError) as error:
            raise ValueError(f"the saved training state can't be read ({error})") from None
        wanted, saved = shapes(self.header), {n: t.shape for n, t in tensors.items() if n.startswith("average/")}
        if saved != {f"average/{name}": shape for name, shape in wanted.items()}:
            raise ValueError(
                f"the saved training state is of another network than [network] asks for ({self.header.game}, "
                f"{self.header.architecture}): restore the old settings, or learn anew in another data folder"
            )
        set_weights(self.tower, {name: tensors[f"weights/{name}"] for name in wanted})
        for name, average in zip(wanted, self._average, strict=True):
            average.copy_(torch.from_numpy(tensors[f"average/{name}"]))
        self._restore_optimizer(tensors)
        self.header = replace(self.header, step=step)
        return notes

    def _restore_optimizer(self, tensors: dict[str, F32]) -> None:
        states: dict[int, dict[str, Tensor]] = {}
        for key in tensors:
            kind, _, rest = key.partition("/")
            if kind == "optimizer":
                index, _, name = rest.partition("/")
                states.setdefault(int(index), {})[name] = torch.from_numpy(tensors[key].copy())
        self.optimizer.load_state_dict({**self.optimizer.state_dict(), "state": states})


def _copy(tensor: Tensor) -> F32:
    made: F32 = tensor.detach().to("cpu", torch.float32, copy=True).contiguous().numpy()
    return made


def state_bytes(tensors: dict[str, F32], step: int, notes: dict[str, Any]) -> bytes:
    """A safetensors file of a learner's state, with notes (JSON) of the job beside it."""
    header = json.dumps({"format": FORMAT, "step": step, **notes})
    whole = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    return safetensors.numpy.save(whole, metadata={"rlscout": header})
