"""What the transposition table forgets: nodes of the same proofs with tables from too small to ample, one thread.

    python benchmarks/replacement.py [GAME] [--file FILE] [--sizes 1,4,16,64,256] [--ordering patterns]

GAME from its start (default othello6), or the positions of FILE as `rlscout solve --file` takes them. Summed over the positions:
nodes, evaluations, nodes over those of the largest table, CPU seconds. One thread: node counts repeat to the unit, and a change
of what the table replaces (native/search/transposition_table.h) is to be judged by them; replacement.md has those tried."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from rlscout.games import game
from rlscout.solving import SolveOptions, read_problems, solve


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("game", nargs="?", default="othello6")
    parser.add_argument("--file", type=Path)
    parser.add_argument("--sizes", default="1,4,16,64,256", help="in MiB")
    parser.add_argument("--ordering", default="patterns")
    options = parser.parse_args()
    rules = game(options.game)
    positions = [p.position for p in read_problems(rules, options.file)] if options.file else [rules.start]
    rows: list[tuple[int, int, int, float]] = []
    for size in sorted(map(int, options.sizes.split(",")), reverse=True):
        settings, begin = SolveOptions(options.ordering, table_mb=size), time.process_time()
        found = [solve(position, options=settings) for position in positions]
        cpu = time.process_time() - begin
        rows.append((size, sum(one.nodes for one in found), sum(one.evaluations for one in found), cpu))
    print(f"{'MiB':>5} {'M nodes':>9} {'M evaluations':>13} {'of ample':>9} {'CPU s':>8}")
    for size, nodes, evaluations, cpu in rows:
        share = nodes / rows[0][1]
        print(f"{size:>5} {nodes / 1e6:>9.2f} {evaluations / 1e6:>13.2f} {share:>9.3f} {cpu:>8.2f}")


if __name__ == "__main__":
    main()
