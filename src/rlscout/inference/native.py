"""The network in the native module: 8 bits, on the CPU, straight from packed positions. Needs no library.

Its answers are the same to the last bit for every batch, any number of threads, and all instruction sets."""

from __future__ import annotations

from rlscout.inference import Heads, check_boards
from rlscout.inference.quantised import quantised
from rlscout.native import Tower, instruction_sets
from rlscout.network import U64, Network


class NativeEvaluator:
    """Quantised on `calibration` (packed positions [B, 2W]; default: of random games). `instructions`: one of
    `instruction_sets()`; by default the fastest."""

    def __init__(
        self,
        network: Network,
        device: str = "auto",
        threads: int = 1,
        calibration: U64 | None = None,
        instructions: str = "",
    ) -> None:
        if device not in ("auto", "cpu"):
            raise ValueError(f"backend 'native' runs on the CPU, not on '{device}'; allowed are auto, cpu")
        header, tensors = network.header, quantised(network, calibration)
        self._squares = header.squares
        self._tower = Tower(header.rows, header.columns, tensors, threads, instructions or instruction_sets()[0])

    def evaluate(self, positions: U64, legal: U64) -> Heads:
        check_boards(positions, legal, self._squares)
        return Heads(*self._tower.evaluate(positions, legal))
