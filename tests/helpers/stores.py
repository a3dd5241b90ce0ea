"""Games of random content for tests of the stores, and servers in a thread."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from rlscout.storage import GameSamples
from rlscout.storage.local import LocalStore
from rlscout.storage.server import Server


def make_game(
    number: int, length: int = 5, model: int = 0, prefix: str = "test", squares: int = 36, **changes: Any
) -> GameSamples:
    """The same arrays for the same number."""
    random = np.random.default_rng(number)
    words = -(-squares // 64)
    own, opponent = random.integers(0, 2**64, (2, length, words), "<u8")
    fields: dict[str, Any] = {
        "game": f"{prefix}:{number}",
        "produced_by_model": model,
        "positions": np.concatenate([own, opponent & ~own], axis=1),
        "visits": random.integers(0, 2**16, (length, squares), "<u2"),
        "outcome": random.integers(-(2**15), 2**15, length, "<i2"),
        "value": random.uniform(-1, 1, length).astype("<f4"),
        "ply": np.arange(length, dtype="<i2"),
        "move": random.integers(0, squares, length, "<i2"),
    }
    return GameSamples(**(fields | changes))


@contextmanager
def serving(data: Path, address: str = "tcp://127.0.0.1:*", **options: Any) -> Iterator[Server]:
    """A server of the database in `data` in a thread of its own."""
    with LocalStore(data, "othello6") as store:
        server = Server(store, address, **options)
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            yield server
        finally:
            server.stop()
            thread.join()
            server.close()
