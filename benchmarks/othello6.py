"""Othello 6x6 from the start, and held-out openings of random plies: what an ordering saves, score not told, one configuration.

    python benchmarks/othello6.py [--orderings static,patterns] [--openings 10] [--plies 7] [--seed 2026] [--threads 1] [--table FILE]

Nodes, evaluations, seconds and CPU seconds of each position and ordering; below, totals and the geometric mean of the factor between
the first ordering and each other one. Pattern tables are trained on games from the parallel start (src/rlscout/patterns.py): none of
these positions was among theirs near the root."""

from __future__ import annotations

import argparse
import math
import random
import time
from pathlib import Path

from rlscout.games import Position, game
from rlscout.patterns import legal_pairs
from rlscout.solving import SolveOptions, solve


def openings(count: int, plies: int, seed: int) -> list[Position]:
    """Positions with a move to make after so many random ones."""
    rules, generator = game("othello6"), random.Random(seed)
    found: list[Position] = []
    while len(found) < count:
        position = rules.engine.initial()[None]
        for _ in range(plies):
            moves = legal_pairs(rules.engine, position)[1]
            if not len(moves):
                break
            position = rules.engine.play(position, moves[[generator.randrange(len(moves))]])
        else:
            if rules.engine.phase(position)[0] == 0:
                found.append(rules.position(rules.engine.to_text(position[0], plies % 2 == 0)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--orderings", default="static,patterns")
    parser.add_argument("--openings", type=int, default=10)
    parser.add_argument("--plies", type=int, default=7)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--table-mb", type=int, default=64)
    parser.add_argument("--table", type=Path, help="pattern table to measure; default: the one that comes along")
    parser.add_argument("--without-start", action="store_true")
    options = parser.parse_args()
    orderings = options.orderings.split(",")
    start = [] if options.without_start else [game("othello6").start]
    nodes: dict[str, list[int]] = {ordering: [] for ordering in orderings}
    print(f"{'position':<38}  {'ordering':<9} {'score':>5} {'M nodes':>9} {'M evaluations':>13} {'s':>8} {'CPU s':>8}")
    for position in start + openings(options.openings, options.plies, options.seed):
        for ordering in orderings:
            settings = SolveOptions(
                ordering, threads=options.threads, table_mb=options.table_mb, patterns=options.table
            )
            cpu = time.process_time()
            found = solve(position, options=settings)
            cpu = time.process_time() - cpu
            nodes[ordering].append(found.nodes)
            print(
                f"{position.text:<38}  {ordering:<9} {found.score:>5} {found.nodes / 1e6:>9.2f} "
                f"{found.evaluations / 1e6:>13.2f} {found.seconds:>8.2f} {cpu:>8.2f}",
                flush=True,
            )
    held_out = slice(len(start), None)
    for ordering in orderings:
        factors = [a / b for a, b in zip(nodes[orderings[0]][held_out], nodes[ordering][held_out], strict=True)]
        mean = math.exp(sum(map(math.log, factors)) / len(factors)) if factors else math.nan
        print(
            f"{ordering}: {sum(nodes[ordering]) / 1e6:.2f} M nodes in all; held out, {orderings[0]} takes {mean:.1f} times its nodes"
        )


if __name__ == "__main__":
    main()
