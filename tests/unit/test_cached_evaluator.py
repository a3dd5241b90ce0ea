"""The cache answers as the evaluator behind it, to the bit, and asks it once."""

from __future__ import annotations

import numpy as np
import pytest

from rlscout.feed import Feed
from rlscout.games import game
from rlscout.inference import Evaluator, Heads
from rlscout.inference.cached import CachedEvaluator
from rlscout.inference.calibration import random_positions
from rlscout.inference.hashed import HashedEvaluator
from rlscout.network import U64


class Counting:
    """The exact fake, and what it was asked."""

    def __init__(self, squares: int) -> None:
        self.hashed, self.asked = HashedEvaluator(squares), list[bytes]()

    def evaluate(self, positions: U64, legal: U64) -> Heads:
        self.asked += [position.tobytes() for position in positions]
        return self.hashed.evaluate(positions, legal)


@pytest.mark.parametrize("name", ["othello6", "mnk:9,9,5"])
@pytest.mark.parametrize("entries", [1, 64, 1 << 14])
def test_answers_are_those_of_the_evaluator(name: str, entries: int) -> None:
    played = game(name)
    positions = random_positions(name, 300)
    random = np.random.default_rng(1)
    behind = Counting(played.squares)
    cached = CachedEvaluator(behind, played.squares, played.words, entries)
    for _ in range(40):
        batch = positions[random.integers(0, len(positions), random.integers(0, 30))]  # some twice in a batch
        legal = played.engine.legal(batch)
        for given, wanted in zip(cached.evaluate(batch, legal), behind.hashed.evaluate(batch, legal), strict=True):
            np.testing.assert_array_equal(given, wanted)
            assert given.dtype == np.float32
    assert cached.evaluated == len(behind.asked) <= cached.asked
    if entries > len(positions):
        assert cached.evaluated < 0.8 * cached.asked
        asked_before = len(behind.asked)
        cached.evaluate(batch, legal)
        assert len(behind.asked) - asked_before < len(batch)


def games_with(name: str, evaluator: Evaluator) -> list[tuple[int, ...]]:
    """What some games were, whatever their order."""
    played = game(name)
    search = played.engine.batched_search(
        {
            "mode": "selfplay",
            "players": ["network"],
            "games": 5,
            "total_games": 12,
            "simulations": 30,
            "temperature": 1.0,
            "temperature_plies": 4,
            "noise_alpha": 1.0,
            "noise_weight": 0.25,
            "opening_plies": 2,
            "symmetries": True,
            "seed": 7,
        }
    )
    feed, made = Feed(played, search, 0, 5), []
    while not search.finished():
        feed.gather(evaluator)
        games, end = search.take_games(), 0
        for number, length in zip(games["game"].tolist(), games["length"].tolist(), strict=True):
            begin, end = end, end + length
            visits = games["visits"][begin:end].astype(int)
            made.append((number, *games["move"][begin:end].tolist(), *visits.ravel().tolist()))
    return sorted(made)


@pytest.mark.parametrize("name", ["othello4", "mnk:5,5,4"])
@pytest.mark.parametrize("entries", [16, 1 << 14])
def test_games_are_the_same_with_the_cache(name: str, entries: int) -> None:
    played = game(name)
    behind = Counting(played.squares)
    without = games_with(name, HashedEvaluator(played.squares))
    assert len(without) == 12
    assert games_with(name, CachedEvaluator(behind, played.squares, played.words, entries)) == without
    if entries > 16:
        assert len(set(behind.asked)) > 0.95 * len(behind.asked)
