"""Samples per second into and out of a store: on this machine, and through a server on loopback.

    python benchmarks/storage.py [--samples 200000] [--batch 64] [--columns 6] [--folder DIR]

Writes games of 32 positions in batches of `--batch` games, then reads all samples back; prints one line per store."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from rlscout.storage import GameSamples, Store, open_store
from rlscout.storage.keys import make_keys

LENGTH = 32  # positions of a game


def make_games(count: int, squares: int) -> list[GameSamples]:
    """Random arrays of the right shape."""
    random = np.random.default_rng(1)
    width = 2 * -(-squares // 64)
    return [
        GameSamples(
            game=f"benchmark:{number}",
            produced_by_model=0,
            positions=np.concatenate([own := random.integers(0, 2**63, (LENGTH, width // 2), "<u8"), ~own], axis=1),
            visits=random.integers(0, 200, (LENGTH, squares), "<u2"),
            outcome=random.integers(-64, 65, LENGTH, "<i2"),
            value=random.random(LENGTH, "<f4"),
            ply=np.arange(LENGTH, dtype="<i2"),
            move=random.integers(0, squares, LENGTH, "<i2"),
        )
        for number in range(count)
    ]


def measure(name: str, store: Store, games: list[GameSamples], batch: int) -> None:
    start = time.perf_counter()
    for first in range(0, len(games), batch):
        store.add_games(games[first : first + batch])
    written = time.perf_counter()
    last = received = 0
    while len((samples := store.read_samples(last)).ids):
        last, received = samples.last_id, received + len(samples.ids)
    read = time.perf_counter()
    assert received == len(games) * LENGTH
    into, out = received / (written - start), received / (read - written)
    print(f"{name:14} write {into:9,.0f} samples/s   read {out:9,.0f} samples/s")


def start_server(data: Path, keys: Path | None) -> tuple[subprocess.Popen[str], str]:
    """A server in a process of its own, and its address."""
    code = (
        "import sys; from pathlib import Path; from rlscout.storage.server import serve; "
        "serve(Path(sys.argv[1]), 'tcp://127.0.0.1:*', 'benchmark', Path(sys.argv[2]) if sys.argv[2] else None, "
        "ready=lambda address: print(address, flush=True))"
    )
    command = [sys.executable, "-c", code, str(data), str(keys or "")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout
    return process, process.stdout.readline().strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=200_000)
    parser.add_argument("--batch", type=int, default=64, help="games in one call")
    parser.add_argument("--columns", type=int, default=6, help="of a square board")
    parser.add_argument("--folder", type=Path, help="where to put the databases; default: the temporary folder")
    options = parser.parse_args()
    games = make_games(max(1, options.samples // LENGTH), options.columns**2)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        with open_store(folder / "local", "benchmark") as store:
            measure("local", store, games, options.batch)
        make_keys(folder / "keys")
        for label, keys in (("server", None), ("server, CURVE", folder / "keys")):
            process, address = start_server(folder / label, keys)
            try:
                with open_store(address, "benchmark", keys=keys) as store:
                    measure(label, store, games, options.batch)
            finally:
                process.terminate()
                process.wait()


if __name__ == "__main__":
    main()
