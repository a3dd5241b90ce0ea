"""Networks for tests, made without training."""

from __future__ import annotations

import numpy as np

from rlscout.config import NetworkConfig
from rlscout.games import game
from rlscout.network import Header, Network, shapes


def network(header: Header) -> Network:
    """Random weights that tell positions apart."""
    generator = np.random.default_rng(5)
    weights = {}
    for name, shape in shapes(header).items():
        spread = np.prod(shape[1:]) ** -0.5 if len(shape) > 1 else 0.1
        spread *= 3.0 if name in ("policy.weight", "value.weight") else 1.0
        weights[name] = generator.normal(0.0, spread, shape).astype(np.float32)
    return Network(header, {n: np.abs(w) + 0.5 if n.endswith("running_var") else w for n, w in weights.items()})


def random_network(name: str) -> Network:
    """The same, small, for a game by its name."""
    played = game(name)
    return network(Header(played.name, played.rows, played.columns, NetworkConfig(blocks=2, channels=8)))


def flat_network(name: str) -> bytes:
    """A network file that finds every move alike and every position a draw."""
    played = game(name)
    header = Header(played.name, played.rows, played.columns, NetworkConfig(blocks=1, channels=4))
    weights = {tensor: np.zeros(shape, np.float32) for tensor, shape in shapes(header).items()}
    for tensor, values in weights.items():
        if tensor.endswith("running_var"):
            values += 1
    return Network(header, weights).to_bytes()
