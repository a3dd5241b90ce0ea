"""Tree search in self-play beside OpenSpiel's MCTS (C++, from its wheel), in one run, one thread.

    python benchmarks/mcts.py [--seconds 5] [--repeats 3]

Random rollouts: 1000 simulations a move, both sides; ours keeps the subtree of the move played, whose walks are counted once.
Fake network: answers at once, 800 simulations a move, 64 games; without symmetries too, as a search alone would run.
Simulations per CPU second: least, median and greatest of the repeats. Needs open-spiel for the peer's rows."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import Literal

from rlscout.bench_mcts import measure

PEERS = {"othello8": "othello", "gomoku8": "gomoku(size=8,connect=5)"}


def openspiel(game: str, seconds: float) -> float:
    """Simulations per CPU second of OpenSpiel's MCTSBot with one rollout a leaf, playing games against itself."""
    import pyspiel

    played = pyspiel.load_game(PEERS[game])
    bot = pyspiel.MCTSBot(
        played, pyspiel.RandomRolloutEvaluator(n_rollouts=1, seed=1), 2.0, 1000, 1000, False, 1, False
    )
    state, moves, start = played.new_initial_state(), 0, time.process_time()
    while time.process_time() - start < seconds:
        if state.is_terminal():
            state = played.new_initial_state()
        state.apply_action(bot.step(state))
        moves += 1
    return 1000 * moves / (time.process_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()

    def ours(game: str, network: Literal["rollout", "fake"], sims: int, games: int, symmetries: bool = True) -> float:
        return measure(game, network, sims, games, seconds=options.seconds, symmetries=symmetries).sims_per_s

    def line(name: str, run: Callable[[], float]) -> None:
        try:
            rates = sorted(run() for _ in range(options.repeats))
        except ImportError:
            print(f"{name:<44} open-spiel is not installed")
            return
        print(f"{name:<44} {rates[0]:>12,.0f} {statistics.median(rates):>12,.0f} {rates[-1]:>12,.0f}")

    print(f"{'simulations per CPU second':<44} {'least':>12} {'median':>12} {'greatest':>12}")
    for game in PEERS:
        line(f"{game} rollouts, OpenSpiel", partial(openspiel, game, options.seconds))
        line(f"{game} rollouts", partial(ours, game, "rollout", 1000, 1))
        for symmetries in (False, True):
            line(
                f"{game} fake network{', symmetries' if symmetries else ''}",
                partial(ours, game, "fake", 800, 64, symmetries),
            )


if __name__ == "__main__":
    main()
