"""Answers of the network that are kept across games change no game, and spare evaluations."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from test_batched_search import buffers, drive, random_positions, same

from rlscout import native
from rlscout.inference import Heads
from rlscout.inference.hashed import HashedEvaluator
from rlscout.native import BatchedSearch

U64 = NDArray[np.uint64]


class Counting:
    """The exact fake, and all that it was asked."""

    def __init__(self, squares: int) -> None:
        self.hashed, self.asked = HashedEvaluator(squares), list[bytes]()

    def evaluate(self, positions: U64, legal: U64) -> Heads:
        self.asked += [position.tobytes() for position in positions]
        return self.hashed.evaluate(positions, legal)


def play(game: str, **options: Any) -> tuple[list[dict[str, Any]], list[bytes], native.SearchCounters]:
    """The games, what the evaluator was asked, the counters."""
    engine = native.engine(game)
    evaluator = Counting(engine.squares)
    search = engine.batched_search(
        {
            "mode": "selfplay", "games": 7, "total_games": 14, "simulations": 30, "temperature_plies": 4, "seed": 7,
            "noise_alpha": 1.0, "opening_plies": 2, "margin": 0.2, "fold": True,
        } | options
    )  # fmt: skip
    return drive(engine, search, [evaluator], 7), evaluator.asked, search.counters()


@pytest.mark.parametrize("game", ["othello4", "othello6", "mnk:5,4,4", "mnk:9,9,5"])
@pytest.mark.parametrize("fold", [False, True])
def test_games_are_the_same_with_the_cache(game: str, fold: bool) -> None:
    without, asked, counters = play(game, fold=fold)
    assert counters["known"] == 0
    for entries, threads in [(1 << 14, 1), (8, 1), (1 << 14, 3)]:
        games, fewer, counters = play(game, fold=fold, cache=entries, threads=threads)
        assert same(games, without)
        assert counters["known"] > 0 or (game, entries) == ("mnk:9,9,5", 8)
        assert counters["evaluations"] == len(fewer)
        assert counters["evaluations"] + counters["known"] == len(asked)
        if (entries, threads) == (1 << 14, 1):  # what is asked twice was out at the time, or gave way
            assert len(fewer) < 1.3 * len(set(asked))


@pytest.mark.parametrize("game", ["othello4", "mnk:4,4,4"])
def test_folding_spares_evaluations(game: str) -> None:
    def hit_rate(fold: bool) -> float:
        _, asked, counters = play(game, fold=fold, cache=1 << 14, total_games=60)
        return counters["known"] / (counters["known"] + len(asked))

    assert hit_rate(fold=True) > 1.2 * hit_rate(fold=False)


def analysis(game: str) -> tuple[BatchedSearch, U64, U64, U64]:
    """A search on one position, with a cache; the position, and what gather writes to."""
    engine = native.engine(game)
    root = random_positions(engine, 1, seed=3)
    options: native.SearchOptions = {"mode": "analysis", "games": 1, "simulations": 8, "symmetries": False, "cache": 64}
    return engine.batched_search(options), root, *buffers(engine, 1)


def first_asked(search: BatchedSearch, root: U64, positions: U64, legal: U64) -> bytes:
    """What a new search on the root asks first."""
    search.set_positions(root)
    assert search.gather(0, positions, legal) == 1
    return positions[0].tobytes()


def test_forgotten_answers_are_asked_again() -> None:
    search, root, positions, legal = analysis("othello6")
    hashed = HashedEvaluator(36)
    assert first_asked(search, root, positions, legal) == root[0].tobytes()
    search.scatter(0, *hashed.evaluate(positions, legal))
    assert first_asked(search, root, positions, legal) != root[0].tobytes(), "the root is known by now"
    search.scatter(0, *hashed.evaluate(positions, legal))
    search.forget_answers()
    assert first_asked(search, root, positions, legal) == root[0].tobytes()


def test_answers_that_were_out_are_not_kept() -> None:
    """They are the old network's."""
    search, root, positions, legal = analysis("othello6")
    hashed = HashedEvaluator(36)
    assert first_asked(search, root, positions, legal) == root[0].tobytes()
    search.forget_answers()
    search.scatter(0, *hashed.evaluate(positions, legal))
    assert first_asked(search, root, positions, legal) == root[0].tobytes()
    search.scatter(0, *hashed.evaluate(positions, legal))
    assert first_asked(search, root, positions, legal) != root[0].tobytes()


def test_refused() -> None:
    engine = native.engine("othello4")
    with pytest.raises(ValueError, match="cache 64: answers are kept of one player alone"):
        engine.batched_search({"mode": "duel", "players": ["network", "network"], "cache": 64})
    with pytest.raises(ValueError, match="cache -1: allowed is 0 to"):
        engine.batched_search({"cache": -1})
