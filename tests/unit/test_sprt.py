"""The sequential test: its ratio, its error rates, and the table of docs/duels.md."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from rlscout.config import DuelConfig
from rlscout.sprt import PAIR_SCORES, Sprt, Tally, _most_likely, elo_of, expected_score, simulate, table

DOCS = Path(__file__).parents[2] / "docs" / "duels.md"


def settings() -> Sprt:
    default = DuelConfig()
    return Sprt(default.elo0, default.elo1, default.alpha, default.beta)


def test_elo_and_score_are_inverse() -> None:
    assert expected_score(0) == 0.5
    assert elo_of(expected_score(123.0)) == pytest.approx(123.0)
    assert elo_of(1.0) == math.inf


def test_the_most_likely_distribution_has_the_mean_and_is_most_likely() -> None:
    counts, mean = [3.0, 1.0, 7.0, 2.0, 4.0], 0.6
    best = _most_likely(counts, mean)
    assert sum(best) == pytest.approx(1.0)
    assert sum(p * a for p, a in zip(best, PAIR_SCORES, strict=True)) == pytest.approx(mean)

    def likelihood(p: list[float]) -> float:
        return sum(n * math.log(q) for n, q in zip(counts, p, strict=True))

    for direction in ([1, -2, 1, 0, 0], [0, 1, -2, 1, 0], [0, 0, 1, -2, 1], [1, -1, 0, -1, 1]):  # keep sum and mean
        for step in (1e-3, -1e-3):
            assert likelihood([p + step * d for p, d in zip(best, direction, strict=True)]) < likelihood(best)


def test_equal_play_is_refused_and_clear_strength_is_promoted() -> None:
    test = settings()
    assert test.decision([0] * 5) == "open"
    assert test.decision([0, 0, 2, 8, 40]) == "H1"
    assert test.decision([30, 10, 40, 10, 30]) == "H0"
    assert test.llr([5, 2, 9, 2, 5]) < 0 < test.llr([2, 2, 5, 9, 9])


def test_error_rates_stay_near_those_asked_for() -> None:
    test = Sprt(0.0, 100.0, 0.05, 0.05)
    assert simulate(test, 0.0, 0.1, 2000, 200, 1)[1] <= 0.10
    assert simulate(test, 100.0, 0.1, 2000, 200, 2)[1] >= 0.90


def test_a_tally_counts_games_and_pairs() -> None:
    tally = Tally()
    tally.add_pair(1.0, 0.5)
    tally.add_pair(0.0, 0.0)
    assert (tally.wins, tally.draws, tally.losses, tally.games) == (1, 1, 2, 4)
    assert tally.pairs == [1, 0, 0, 1, 0]
    elo, low, high = tally.elo()
    assert low < elo < 0 < high


def test_the_documented_table_is_what_the_simulation_gives() -> None:
    line = table(settings(), [200.0], 0.1, DuelConfig().max_pairs, 200, 1).splitlines()[-1]
    assert line in DOCS.read_text()
