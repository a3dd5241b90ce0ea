"""Draws a sample in the terminal: board, visits of the search, policy and value of the network, side by side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from rlscout import draw
from rlscout.games import Game, Position, game
from rlscout.inference import Evaluator, make_evaluator
from rlscout.models import named_if_any
from rlscout.storage import SampleBatch, Store, open_run


def show(data: Path, sample: int | None, model: str) -> str:
    """The picture of one sample of the run in `data`. ValueError where there is none."""
    with open_run(data) as store:
        played = game(store.ping().game)
        counts = store.sample_counts()
        if counts.last_id == 0:
            raise ValueError(f"{data} holds no samples yet")
        wanted = counts.last_id if sample is None else sample
        batch = store.read_samples(wanted - 1, 1)
        if len(batch.ids) == 0 or int(batch.ids[0]) != wanted:
            raise ValueError(f"no sample {wanted} in {data}: allowed are up to {counts.last_id} (old ones are deleted)")
        name, evaluator = _network(store, played, model)
        return _picture(played, batch, name, evaluator)


def _network(store: Store, played: Game, model: str) -> tuple[str, Evaluator | None]:
    found = named_if_any(model, store, played.name)
    if found is None:
        return "no network", None
    return found.title, make_evaluator("auto", found.network)


def _picture(played: Game, batch: SampleBatch, name: str, evaluator: Evaluator | None) -> str:
    ply, move, producer = int(batch.ply[0]), int(batch.move[0]), int(batch.produced_by_model[0])
    position = Position(played, batch.positions[0], ply % 2 == 0)
    visits = batch.visits[0].astype(float)
    blocks = [
        f"sample {int(batch.ids[0])}, ply {ply}\n{position.show()}\nplayed {played.square_name(move)}",
        f"visits %  (produced by {f'model {producer}' if producer else 'rollouts'})\n"
        f"{_percent(played, position, visits / max(visits.sum(), 1.0))}\n"
        f"value {float(batch.value[0]):+.3f}, final score {int(batch.outcome[0]):+d}",
    ]
    if evaluator is not None:
        packed = batch.positions[:1]
        heads = evaluator.evaluate(packed, played.engine.legal(packed))
        policy = _percent(played, position, heads.policy[0].astype(float))
        blocks.append(f"policy % of {name}\n{policy}\nvalue {float(heads.value[0]):+.3f}")
    return draw.beside(*blocks)


def _percent(played: Game, position: Position, shares: NDArray[np.float64]) -> str:
    stones = position.text.split(" ")[0]
    legal = set(position.legal_squares)
    numbers = [f"{100 * shares[s]:.0f}" if s in legal else stones[s].replace("-", ".") for s in range(played.squares)]
    return draw.grid_text(numbers, played.columns)
