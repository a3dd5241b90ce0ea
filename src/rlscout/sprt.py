"""The sequential probability ratio test of a duel, on pairs of games.

Two games of a pair share an opening with colours swapped, so their results are correlated and the pair is the unit
that counts: 0, 1/2, 1, 3/2 or 2 points ("pentanomial"). The likelihood ratio of H1 (strength difference elo1) against
H0 (elo0) compares the most likely distributions whose mean is the expected score of each (a generalised SPRT: M. Van
den Bergh, "A practical introduction to the GSPRT", 2021); the test ends where it leaves Wald's bounds log(beta / (1 -
alpha)), log((1 - beta) / alpha) (A. Wald, "Sequential tests of statistical hypotheses", 1945).
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass, field

PAIR_SCORES = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Mean points of a game, for the five results of a pair."""
PRIOR = 1e-3
"""Added to every count, so that a result not yet seen is unlikely, not impossible."""


def expected_score(elo: float) -> float:
    """Expected points of a game for a player `elo` stronger (logistic)."""
    return 1.0 / (1.0 + math.pow(10.0, -elo / 400.0))


def elo_of(score: float) -> float:
    """The inverse; infinite at 0 and 1."""
    if score <= 0.0:
        return -math.inf
    if score >= 1.0:
        return math.inf
    return -400.0 * math.log10(1.0 / score - 1.0)


@dataclass(frozen=True)
class Sprt:
    """The test and its bounds; the state is only the five counts of `llr` and `decision`."""

    elo0: float
    elo1: float
    alpha: float
    beta: float

    @property
    def bounds(self) -> tuple[float, float]:
        return math.log(self.beta / (1.0 - self.alpha)), math.log((1.0 - self.beta) / self.alpha)

    def llr(self, pairs: Sequence[int]) -> float:
        """Log likelihood ratio of H1 against H0 after `pairs[i]` pairs of mean score PAIR_SCORES[i]."""
        counts = [count + PRIOR for count in pairs]
        under0 = _most_likely(counts, expected_score(self.elo0))
        under1 = _most_likely(counts, expected_score(self.elo1))
        return sum(n * math.log(p1 / p0) for n, p0, p1 in zip(counts, under0, under1, strict=True))

    def decision(self, pairs: Sequence[int]) -> str:
        """ "H0", "H1" or "open"."""
        low, high = self.bounds
        ratio = self.llr(pairs)
        return "H1" if ratio >= high else "H0" if ratio <= low else "open"


def _most_likely(counts: Sequence[float], mean: float) -> list[float]:
    """The distribution over PAIR_SCORES with this mean under which the counts are most likely.

    p_i = f_i / (1 + t (a_i - mean)) with f the observed shares; t is the root of
    sum_i f_i (a_i - mean) / (1 + t (a_i - mean)), which falls in t, between the poles of its first and its last term."""
    total = sum(counts)
    shares = [count / total for count in counts]
    offsets = [score - mean for score in PAIR_SCORES]
    low, high = -1.0 / offsets[-1], -1.0 / offsets[0]
    for _ in range(60):
        middle = (low + high) / 2
        if sum(f * a / (1.0 + middle * a) for f, a in zip(shares, offsets, strict=True)) > 0:
            low = middle
        else:
            high = middle
    t = (low + high) / 2
    return [f / (1.0 + t * a) for f, a in zip(shares, offsets, strict=True)]


@dataclass
class Tally:
    """Counts of a duel, for the challenger: games won, drawn and lost, and results of pairs."""

    wins: int = 0
    draws: int = 0
    losses: int = 0
    pairs: list[int] = field(default_factory=lambda: [0] * len(PAIR_SCORES))

    @property
    def games(self) -> int:
        return self.wins + self.draws + self.losses

    def add_pair(self, first: float, second: float) -> None:
        """The points (0, 1/2, 1) of the challenger in the two games of a pair."""
        for points in (first, second):
            self.wins += points == 1.0
            self.draws += points == 0.5
            self.losses += points == 0.0
        self.pairs[round(2 * (first + second))] += 1

    def elo(self) -> tuple[float, float, float]:
        """(Elo difference, lower, upper): 95 % by the normal approximation over pairs; half a pair is added to each
        end, so that all wins are a large difference, not an infinite one."""
        counts = [float(count) for count in self.pairs]
        counts[0] += 0.5
        counts[-1] += 0.5
        total = sum(counts)
        mean = sum(n * s for n, s in zip(counts, PAIR_SCORES, strict=True)) / total
        variance = sum(n * (s - mean) ** 2 for n, s in zip(counts, PAIR_SCORES, strict=True)) / total
        half = 1.959964 * math.sqrt(variance / total)
        return elo_of(mean), elo_of(max(mean - half, 1e-6)), elo_of(min(mean + half, 1 - 1e-6))


def simulate(test: Sprt, elo: float, draws: float, max_pairs: int, runs: int, seed: int) -> tuple[float, float]:
    """(mean number of games, share of runs that accept H1) where the challenger is `elo` stronger.

    Games are independent; a game is drawn with probability `draws`, less where the expected score leaves no room."""
    generator = random.Random(seed)
    score = expected_score(elo)
    drawn = min(draws, 2 * score, 2 * (1 - score))
    win = score - drawn / 2
    games = accepted = 0
    for _ in range(runs):
        pairs = [0] * len(PAIR_SCORES)
        decision = "open"
        while decision == "open" and sum(pairs) < max_pairs:
            points = [
                1.0 if u < win else 0.5 if u < win + drawn else 0.0 for u in (generator.random(), generator.random())
            ]
            pairs[round(2 * sum(points))] += 1
            decision = test.decision(pairs)
        games += 2 * sum(pairs)
        accepted += decision == "H1"
    return games / runs, accepted / runs


def table(test: Sprt, differences: Sequence[float], draws: float, max_pairs: int, runs: int, seed: int) -> str:
    """A Markdown table: games until a decision, and the chance to be promoted, against the true difference."""
    lines = ["| true Elo difference | mean number of games | promoted |", "|---:|---:|---:|"]
    for elo in differences:
        games, accepted = simulate(test, elo, draws, max_pairs, runs, seed)
        lines.append(f"| {elo:+g} | {games:.0f} | {accepted:.0%} |")
    return "\n".join(lines)
