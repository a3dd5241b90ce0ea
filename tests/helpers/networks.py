"""Networks for tests, made without training."""

from __future__ import annotations

import numpy as np

from rlscout.config import NetworkConfig
from rlscout.games import game
from rlscout.network import Header, Network, shapes


def flat_network(name: str) -> bytes:
    """A network file that finds every move alike and every position a draw."""
    played = game(name)
    header = Header(played.name, played.rows, played.columns, NetworkConfig(blocks=1, channels=4))
    weights = {tensor: np.zeros(shape, np.float32) for tensor, shape in shapes(header).items()}
    for tensor, values in weights.items():
        if tensor.endswith("running_var"):
            values += 1
    return Network(header, weights).to_bytes()
