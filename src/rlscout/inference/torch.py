"""The network on torch: CPU, MPS; cuda.py has CUDA."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from rlscout.inference import Heads, check_boards, heads_of
from rlscout.network import PLANES, U64, Network, folded
from rlscout.tower import tower_of


def torch_device(name: str) -> torch.device:
    """The device of a name; "auto" is the accelerator of this host, else the CPU. ValueError where it is not there."""
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"device '{name}' can't be used here ({reason}); allowed are auto, cpu, cuda, cuda:N, mps"
        ) from None
    return device


class TorchEvaluator:
    """Channels last throughout, single precision. Batch norm is folded."""

    def __init__(self, network: Network, device: torch.device, threads: int = 1) -> None:
        self._device = device
        if device.type == "cpu":
            torch.set_num_threads(threads)
        self._board = network.header.rows, network.header.columns
        self._bit = torch.arange(64, device=self._device)
        tower = tower_of(folded(network)).eval()
        for layer in tower.modules():
            if (
                isinstance(layer, (torch.nn.Conv2d, torch.nn.Linear))
                and layer.bias is not None
                and not layer.bias.any()
            ):
                layer.bias = None  # adding zeros takes time
        self._tower = tower.to(self._device)
        self._tower.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's stub lacks it

    @torch.inference_mode()
    def evaluate(self, positions: U64, legal: U64) -> Heads:
        check_boards(positions, legal, self._board[0] * self._board[1])
        logits, value = self._tower(self._planes(positions, legal))
        heads = torch.cat([logits, value[:, None]], dim=1).cpu().numpy()
        return heads_of(heads[:, :-1], heads[:, -1], legal)

    def _planes(self, positions: U64, legal: U64) -> Tensor:
        """As `network.planes`, but unpacked on the device: 24 bytes a position travel there, not 3 floats a square."""
        boards = torch.from_numpy(np.concatenate([positions, legal], axis=1).view(np.int64)).to(self._device)
        return unpacked(boards, self._bit, *self._board).float().contiguous(memory_format=torch.channels_last)


def unpacked(boards: Tensor, bit: Tensor, rows: int, columns: int) -> Tensor:
    """boards [B, 3W] (own stones, the opponent's, legal moves), `bit` 0 .. 63 -> whole numbers 0 and 1 [B, 3, rows, columns]."""
    squares = (boards[:, :, None] >> bit & 1).reshape(len(boards), PLANES, 64 * boards.shape[1] // PLANES)
    return squares[:, :, : rows * columns].reshape(-1, PLANES, rows, columns)
