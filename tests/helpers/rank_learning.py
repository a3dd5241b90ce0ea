"""What a test of training has several processes do: a function of a module, so that a new process finds it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import torch

from rlscout.config import TrainConfig
from rlscout.learner import Batch, Group, Learner, state_bytes
from rlscout.network import Header
from rlscout.ranks import Place


def learn(place: Place, header: Header, settings: TrainConfig, batches: list[Batch], out: Path) -> int:
    """Learns its share of each batch; writes its state as RANK.state and the losses as RANK.losses."""
    torch.set_num_threads(1)
    with closing(Group(place)) as group:
        learner = Learner(header, settings, 7, torch.device("cpu"), group)
        losses = []
        for batch in batches:
            losses.append(learner.learn(Batch(*(part[place.rank :: place.size] for part in batch))).tolist())
        (out / f"{place.rank}.state").write_bytes(state_bytes(learner.state(), learner.step, {}))
        (out / f"{place.rank}.losses").write_text(repr(losses))
    return 0
