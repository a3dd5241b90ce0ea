"""What a test of training has several processes do: a function of a module, so that a new process finds it."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import torch

from rlscout.config import TrainConfig
from rlscout.learner import Batch, Group, Learner, state_bytes
from rlscout.network import Header
from rlscout.ranks import Place


def learn(place: Place, headers: dict[str, Header], settings: TrainConfig, batches: list[Batch], out: Path) -> int:
    """Learns its share of each batch, for each header; writes states as NAME.RANK.state and losses as NAME.RANK.losses."""
    torch.set_num_threads(1)
    with closing(Group(place)) as group:
        for name, header in headers.items():
            learner = Learner(header, settings, 7, torch.device("cpu"), group)
            shares = [Batch(*(part[place.rank :: place.size] for part in batch)) for batch in batches]
            losses = [learner.learn(share).tolist() for share in shares]
            (out / f"{name}.{place.rank}.state").write_bytes(state_bytes(learner.state(), learner.step, {}))
            (out / f"{name}.{place.rank}.losses").write_text(repr(losses))
    return 0
