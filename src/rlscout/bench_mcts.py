"""How fast the native search is: random rollouts, or a fake network that answers at once.

Seconds are CPU seconds of this process (all threads), so that another process on the machine spoils the figure less;
wall seconds stand beside them. The fake's answers are drawn once, before the clock starts: policies whose weights are fourth
powers of uniform draws (a few moves have most of the weight, as a network's), values within 0.3 of zero.
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict, dataclass

import numpy as np
import psutil

from rlscout.games import game as named
from rlscout.inference.calibration import mean_moves
from rlscout.network import F32

ANSWERS = 16
"""Different batches of answers of the fake network, used in turn."""


@dataclass(frozen=True)
class Speed:
    game: str
    network: str  # "rollout" or "fake"
    simulations: int  # a move
    games: int  # in flight
    threads: int
    cache: int  # answers kept across games
    sims_per_s: float
    evaluations_per_s: float  # leaves given to the fake network; 0 for rollouts
    moves_per_s: float
    hit_rate: float  # of the cache
    bytes_per_tree: float  # growth of resident memory, that of the cache too, over the number of games in flight
    nodes_per_tree: float  # when the time was over
    seconds_per_1000_games: float  # wall, of games as long as random ones
    seconds: float  # CPU
    wall_seconds: float

    def json(self) -> str:
        return json.dumps(asdict(self))

    def text(self) -> str:
        return (
            f"{self.game}, {self.network}, {self.simulations} simulations a move, {self.games} games, "
            f"{self.threads} threads: {self.sims_per_s:,.0f} simulations/s, {self.evaluations_per_s:,.0f} evaluations/s, "
            f"{self.moves_per_s:,.0f} moves/s, {self.bytes_per_tree / 1000:,.0f} kB a tree"
            f"{' with its share of the cache' if self.cache else ''} "
            f"({self.seconds:.1f} CPU s, {self.wall_seconds:.1f} s); 1000 games in {self.seconds_per_1000_games:,.0f} s"
            + (f"; hit rate {self.hit_rate:.1%}" if self.cache else "")
        )


def seconds_per_1000_games(game: str, wall: float, moves: int, searched: float) -> float:
    """Of games as long as random ones, where `wall` seconds brought so many moves; `searched` are those that its simulations are
    enough for, also where none was made yet."""
    return 1000 * mean_moves(game) * wall / max(moves, searched)


def fake_answers(squares: int, batch: int) -> tuple[F32, F32]:
    """Policies [ANSWERS, batch, squares] and values [ANSWERS, batch] of the fake network (see above)."""
    random = np.random.default_rng(1)
    policies = (random.random((ANSWERS, batch, squares), np.float32) ** 4).astype(np.float32)
    return policies, (0.6 * random.random((ANSWERS, batch), np.float32) - 0.3).astype(np.float32)


def measure(
    game: str = "othello8",
    network: str = "fake",
    simulations: int = 800,
    games: int = 64,
    threads: int = 1,
    seconds: float = 5.0,
    symmetries: bool = True,
    cache: int = 0,
) -> Speed:
    """Plays games against itself for `seconds` of wall time; with `cache`, so many answers are kept across games, images of a
    position folded.

    Raises ValueError for an unknown game or network and for counts out of range."""
    if network not in ("rollout", "fake"):
        raise ValueError(f"network '{network}': 'rollout' and 'fake' are allowed")
    played = named(game)
    policies, values = fake_answers(played.squares, games)
    positions = np.ones((games, 2 * played.words), np.uint64)
    legal = np.ones((games, played.words), np.uint64)
    resident = psutil.Process().memory_info().rss
    search = played.engine.batched_search(
        {
            "mode": "selfplay",
            "players": ["network" if network == "fake" else "rollouts"],
            "games": games,
            "simulations": simulations,
            "temperature_plies": 16,
            "noise_alpha": 1.0,
            "noise_weight": 0.25,
            "symmetries": symmetries,
            "cache": cache,
            "fold": cache > 0,
            "seed": 1,
            "threads": threads,
        }
    )
    wall, cpu = time.perf_counter(), time.process_time()
    turn = 0
    while (left := seconds - (time.perf_counter() - wall)) > 0:
        for _ in range(64):  # rounds between looks at the clock
            if count := search.gather(0, positions, legal, left):
                search.scatter(0, policies[turn % ANSWERS, :count], values[turn % ANSWERS, :count])
                turn += 1
            else:
                break
        search.take_games()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    counters = search.counters()
    return Speed(
        played.name,
        network,
        simulations,
        games,
        threads,
        cache,
        sims_per_s=counters["simulations"] / cpu,
        evaluations_per_s=counters["evaluations"] / cpu,
        moves_per_s=counters["moves"] / cpu,
        hit_rate=counters["known"] / max(1, counters["known"] + counters["evaluations"]),
        bytes_per_tree=(psutil.Process().memory_info().rss - resident) / games,
        nodes_per_tree=counters["nodes"] / games,
        seconds_per_1000_games=seconds_per_1000_games(
            played.name, wall, counters["moves"], counters["simulations"] / simulations
        ),
        seconds=cpu,
        wall_seconds=wall,
    )
