"""What the live view tells of several processes: their rates add up."""

from __future__ import annotations

import time
from pathlib import Path

from rlscout.config import load
from rlscout.run.overview import Overview
from rlscout.storage import Metric, open_store


def test_rates_of_processes_add_up(tmp_path: Path) -> None:
    overview = Overview(load("tictactoe-tiny", {}, {}), "")
    now = time.time()
    with open_store(tmp_path, "mnk:3,3,3") as store:
        for source, older, moves, piece in (("selfplay.0", 5, 30, 20.0), ("selfplay.0-1", 4, 10, 60.0)):
            store.add_metrics([Metric(now - older, source, "moves_per_second", 1000.0)])
            values = {"moves_per_second": moves, "rollouts_per_second": 2000, "ms_per_move": piece}
            values["us_per_simulation"] = 40.0
            store.add_metrics([Metric(now - older + 2, source, name, value) for name, value in values.items()])
        overview._tell(store)
    assert dict(overview.facts())["self-play"] == "40 moves/s, 4,000 rollouts/s (15.0 ms a move, 20.0 us a simulation)"
