"""Which network is meant by a name: best, a number, a file. Every command and setting that takes one asks here."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from rlscout.games import game as named_game
from rlscout.network import Network, read_network
from rlscout.storage import Store, open_run

MOST_LISTED = 8
"""Numbers in a message."""


class Named(NamedTuple):
    number: int  # in the run; -1: of a file
    network: Network
    title: str  # for people: "model 3", or the file


def is_of_run(name: str) -> bool:
    """Whether the name is that of a network of a run: best, or a number."""
    return name == "best" or name.isdecimal()


def load_network(name: str | int | Path | bytes, game: str | None = None, *, data: str | Path | None = None) -> Network:
    """A network: in a file (a path, or its bytes); or of the run in the folder `data` (a server, `tcp://...`): "best", the promoted
    one, or a number. With `game`, by any of its names, one of another game is refused.

    ValueError says what was given and what is allowed, OSError that a file cannot be read."""
    if isinstance(name, (Path, bytes)):
        return read_network(name, game)
    if data is None:
        return named(str(name), None, game).network
    with open_run(data) as store:
        return named(str(name), store, game).network


def named(name: str, run: Store | Path | None, game: str | None = None) -> Named:
    """The network: `best` (the promoted one) or a number, in the run of a store or of a folder; else a file. With `game`, a network
    of another one is refused. ValueError says what was given and what is allowed."""
    allowed = "allowed are best, the number of a network of a run, a file"
    if name == "none":
        raise ValueError(f"model none: a network is needed here; {allowed}")
    if not is_of_run(name):
        if not Path(name).is_file():
            raise ValueError(f"model {name}: no such file; {allowed}, none where it is not needed")
        return Named(-1, read_network(Path(name), game), name)
    if run is None:
        raise ValueError(f"model {name}: of which run? name its folder by --data DIR (from Python, data=DIR)")
    if isinstance(run, Path):
        with open_run(run) as store:
            return named(name, store, game)
    held = run.ping()
    if game is not None and held.game != named_game(game).name:
        raise ValueError(f"model {name}: {held.path} holds a run of {held.game}, not of {game}")
    number = run.best_model() if name == "best" else int(name)
    kept = [str(model.id) for model in run.models() if model.has_weights]
    if str(number) not in kept:
        of_run = ", ".join(["..."] * (len(kept) > MOST_LISTED) + kept[-MOST_LISTED:]) or "none yet"
        what = "no network was promoted yet" if name == "best" else "no such network"
        raise ValueError(f"model {name}: {what} in {held.path}; allowed are its networks: {of_run}")
    return Named(number, read_network(run.weights(number), held.game), f"model {number}")


def named_if_any(name: str, run: Store, game: str) -> Named | None:
    """As `named`; nothing where the name is none, or best and no network was promoted yet."""
    if name == "none" or (name == "best" and run.best_model() == 0):
        return None
    return named(name, run, game)
