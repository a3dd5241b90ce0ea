"""docs/tour.md does what it says."""

from __future__ import annotations

import doctest
import re
import threading
from pathlib import Path

from networks import random_network

from rlscout.config import load
from rlscout.selfplay import selfplay
from rlscout.storage import open_store

TOUR = Path(__file__).parents[2] / "docs" / "tour.md"


def test_the_tour(tmp_path: Path) -> None:
    def tiny_run() -> str:
        config = load("tictactoe-tiny", environment={})
        with open_store(tmp_path, "mnk:3,3,3") as store:
            selfplay(config, store, "0", threading.Event(), total_games=8)
            store.set_evaluation(store.add_model("a", random_network("tictactoe").to_bytes(), 0, 0, {}), "+")
        return str(tmp_path)

    blocks = re.findall(r"```python\n(.*?)```", TOUR.read_text(), re.DOTALL)
    assert len(blocks) >= 6
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    examples = doctest.DocTestParser().get_doctest(
        "\n".join(blocks), {"tiny_run": tiny_run, "folder": tmp_path}, "tour", str(TOUR), 0
    )
    output: list[str] = []
    runner.run(examples, out=output.append)
    assert runner.summarize(verbose=False).failed == 0, "".join(output)
