"""A duel of one network against itself: in 8 bits (or bfloat16) and in single precision. Does it play worse, how much faster?

    python benchmarks/precision.py best --data data/othello6 [--backend openvino-int8] [--against openvino] [--elo0 -30]
    python benchmarks/precision.py NETWORK ...

With `--data`, 8-bit ranges are found on stored samples of the run, else on random games.

The games are those of `rlscout duel`: pairs with the same opening, colours swapped. H1: no weaker; H0: `elo0` weaker or more."""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

from rlscout.config import Config
from rlscout.duel import Pairs
from rlscout.export import load
from rlscout.games import game
from rlscout.inference import Evaluator, Heads, make_evaluator
from rlscout.network import U64
from rlscout.sprt import Sprt, Tally


class Timed:
    """An evaluator, its positions counted and its CPU seconds."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator, self.positions, self.seconds = evaluator, 0, 0.0

    def evaluate(self, positions: U64, legal: U64) -> Heads:
        begin = time.process_time()
        heads = self.evaluator.evaluate(positions, legal)
        self.positions, self.seconds = self.positions + len(positions), self.seconds + time.process_time() - begin
        return heads


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("network")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--backend", default="openvino-int8")
    parser.add_argument("--against", default="openvino")
    parser.add_argument("--simulations", type=int, default=64)
    parser.add_argument("--elo0", type=float, default=-30.0)
    parser.add_argument("--max-pairs", type=int, default=5000)
    parser.add_argument("--games", type=int, default=64)
    options = parser.parse_args()
    network, calibration = load(options.network, options.data)
    played = game(network.header.game)
    timed = [
        Timed(make_evaluator(name, network, "cpu", calibration=calibration))
        for name in (options.backend, options.against)
    ]
    settings = replace(Config().duel, simulations=options.simulations, games=options.games, max_pairs=options.max_pairs)
    pairs = Pairs(replace(Config(), duel=settings), played, 1, 2, list(timed))
    test, tally = Sprt(options.elo0, 0.0, 0.05, 0.05), Tally()
    points = {True: 1.0, False: 0.0}
    while test.decision(tally.pairs) == "open" and sum(tally.pairs) < options.max_pairs:
        for pair in pairs.play():
            tally.add_pair(*(0.5 if g.score == 0 else points[g.score > 0] for g in pair))
    elo, low, high = tally.elo()
    print(f"{options.backend} against {options.against}, {network.header.game}, step {network.header.step}")
    print(
        f"{tally.games} games, {elo:+.1f} Elo [{low:+.1f}, {high:+.1f}], log likelihood ratio {test.llr(tally.pairs):+.2f}: "
        f"{test.decision(tally.pairs)} (H1: 0 Elo, H0: {options.elo0:+g})"
    )
    for name, one in zip((options.backend, options.against), timed, strict=True):
        print(f"{name:<14} {one.positions:>10,} evaluations, {one.positions / one.seconds:>9,.0f} a CPU second")


if __name__ == "__main__":
    main()
