"""Learn a board game by self-play, then solve it, with a proof others can check.

    import rlscout

    start = rlscout.game("othello6").start
    rlscout.solve(start.play("e4c5"))
    rlscout.search(start, simulations=800, network=rlscout.load_network("best", data="data/othello6"))

Nothing heavy is loaded before it is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from rlscout.analysis import Analysis, search, search_all
    from rlscout.games import Game, GameRecord, Position, game
    from rlscout.inference import make_evaluator
    from rlscout.models import load_network
    from rlscout.network import Network
    from rlscout.solving import Limits, Proof, Solution, SolveOptions, solve, solve_with
    from rlscout.storage import SampleBatch, open_store

__version__ = "0.1.0"

_HOMES = {
    "Analysis": "analysis",
    "Game": "games",
    "GameRecord": "games",
    "Limits": "solving",
    "Network": "network",
    "Position": "games",
    "Proof": "solving",
    "SampleBatch": "storage",
    "Solution": "solving",
    "SolveOptions": "solving",
    "game": "games",
    "load_network": "models",
    "make_evaluator": "inference",
    "open_store": "storage",
    "search": "analysis",
    "search_all": "analysis",
    "solve": "solving",
    "solve_with": "solving",
}

__all__ = [  # noqa: RUF022 -- in the order of the tour
    "game",
    "Game",
    "Position",
    "GameRecord",
    "search",
    "Analysis",
    "load_network",
    "Network",
    "make_evaluator",
    "search_all",
    "solve",
    "Solution",
    "SolveOptions",
    "Limits",
    "Proof",
    "solve_with",
    "open_store",
    "samples",
    "SampleBatch",
]


def samples(data: str | Path, after_id: int = 0, limit: int | None = None) -> SampleBatch:
    """All samples of a run as NumPy arrays, oldest first: of a folder (`data/othello6`) or a server (`tcp://...`).

    `after_id`: those after the sample of that number only; `limit`: so many at most. `last_id` of the answer goes on from there.
    ValueError where there is no run."""
    from rlscout.storage import open_run, read_all

    with open_run(data) as store:
        return read_all(store, after_id, limit)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'rlscout' has no attribute '{name}'")
    import importlib

    return getattr(importlib.import_module(f"rlscout.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_HOMES])
