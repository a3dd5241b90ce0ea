"""One search on each of some positions, for people and for measurements: its tree's statistics as arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from rlscout import draw
from rlscout.config import SearchConfig, device_of
from rlscout.feed import Feed
from rlscout.games import Position, check_position

if TYPE_CHECKING:
    from rlscout.inference import Evaluator
    from rlscout.network import Network


@dataclass(frozen=True, eq=False)
class Analysis:
    """What a search of one position found; arrays by square, values in [-1, 1] for the side to move.

    visits       [S] of each move
    prior        [S] probabilities: of the network, or alike for every legal move
    value        [S] mean of each move; NaN where it was not visited
    root_value   mean of the position"""

    position: Position
    visits: NDArray[np.int32]
    prior: NDArray[np.float32]
    value: NDArray[np.float32]
    root_value: float

    @property
    def best(self) -> str:
        """The name of the most visited move (its square is `visits.argmax()`); `--` where there is none to choose."""
        return self.position.game.square_name(int(self.visits.argmax()) if self.visits.any() else -1)

    @property
    def policy(self) -> NDArray[np.float64]:
        """[S]: shares of the visits."""
        shares: NDArray[np.float64] = self.visits / max(1, int(self.visits.sum()))
        return shares

    def __str__(self) -> str:
        game = self.position.game
        stones = self.position.text.split(" ")[0].replace("-", ".")
        percent = [f"{100 * p:.0f}" if p else stones[s] for s, p in enumerate(self.policy)]
        grid = f"visits %\n{draw.grid_text(percent, game.columns)}\nvalue {self.root_value:+.3f}, best {self.best}"
        return draw.beside(f"\n{self.position.show()}", grid)

    def _repr_html_(self) -> str:
        heat = {s: float(p) for s, p in enumerate(self.policy) if p}
        labels = {s: f"{100 * p:.0f}" for s, p in heat.items() if p >= 0.005}
        return f"<div>{self.position.svg(heat=heat, labels=labels, title=f'value {self.root_value:+.3f}')}</div>"


def search(
    position: Position,
    *,
    simulations: int = 400,
    network: Network | None = None,
    settings: SearchConfig | None = None,
    seed: int = 1,
) -> Analysis:
    """A tree search of `position`; leaves are valued by `network`, or by random rollouts where there is none. ValueError where no move
    is due, or the network plays another game."""
    from rlscout.inference import make_evaluator

    check_position(position)
    settings = settings or SearchConfig()
    evaluator = None
    if network is not None:
        network.check_game(position.game.name)
        device = device_of(settings.device, 0)
        evaluator = make_evaluator(settings.backend, network, device, settings.network_threads)
    return search_all([position], simulations=simulations, evaluator=evaluator, settings=settings, seed=seed)[0]


def search_all(
    positions: Sequence[Position],
    *,
    simulations: int = 400,
    evaluator: Evaluator | None = None,
    settings: SearchConfig | None = None,
    seed: int = 1,
) -> list[Analysis]:
    """As `search`, for many positions of one game at once; leaves are valued by an evaluator (`rlscout.inference.make_evaluator`), in
    batches."""
    for position in positions:
        check_position(position)
    if len({position.game for position in positions}) != 1:
        raise ValueError(f"{len(positions)} positions: one or more are allowed, all of one game")
    settings = settings or SearchConfig()
    if simulations < 1:
        raise ValueError(f"simulations {simulations}: one or more is allowed")
    if any(position.phase != 0 for position in positions):
        raise ValueError("a search needs a position where a move is due: play the pass, or read the score")
    played = positions[0].game
    found = played.engine.batched_search(
        {
            "mode": "analysis",
            "players": ["rollouts" if evaluator is None else "network"],
            "games": len(positions),
            "simulations": simulations,
            "c_puct": settings.c_puct,
            "fpu": settings.fpu,
            "noise_alpha": 0.0,
            "margin": settings.margin,
            "symmetries": settings.symmetries,
            "seed": seed,
            "threads": 1,
        }
    )
    found.set_positions(np.stack([position.packed for position in positions]))
    feed = Feed(played, found, 0, min(len(positions), 1024))
    while not found.finished():
        feed.gather(evaluator)
    roots = found.root_statistics()
    return [
        Analysis(position, roots["visits"][i], roots["prior"][i], roots["value"][i], float(roots["root_value"][i]))
        for i, position in enumerate(positions)
    ]
