"""Measurements that repeat: node counts and their signature; how strong a network plays.

The signature is the fingerprint of what the native search does: fixed positions, fixed node budgets, one thread, fresh
tables, no clock. A change that keeps it has changed no search; one that changes it says so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from rlscout.analysis import search_all
from rlscout.config import Config
from rlscout.games import Game, Position, game, random_positions
from rlscout.inference import Evaluator, best_moves
from rlscout.solving import Limits, Proof, SolveOptions, solve, solve_with

POSITIONS, EMPTIES = 200, 14
"""Of a measurement of strength; small boards take half the empty squares of the start."""
ALL_EMPTIES = 12
"""Games of so few empty squares at the start are measured on every position that can be reached: seconds."""

SEARCHES: tuple[tuple[str, str, str, int], ...] = (
    # game, moves from the start, ordering, limit on nodes
    ("othello4", "", "static", 10_000_000),
    ("othello4", "", "random", 10_000_000),
    ("othello6", "", "static", 1_000_000),
    ("othello6", "e4e5d5e3f5f6d2c5b3a2a3b2d6e2", "static", 3_000_000),
    ("othello8", "d3c3b3e3f3c5f6g2b5c6", "static", 1_000_000),
    ("tictactoe", "", "static", 10_000_000),
    ("mnk:4,4,4", "", "static", 1_000_000),
    ("mnk:5,5,4", "e1e4c1a3", "static", 1_000_000),
    ("gomoku9", "d4d5e2i6c8c3", "static", 200_000),
)
GAMES: tuple[tuple[str, int, int], ...] = (
    # game, games of self-play by rollouts, simulations a move
    ("tictactoe", 16, 50),
    ("othello6", 4, 50),
    ("gomoku9", 2, 50),
)


def signature_table() -> str:
    """A line for each item, and the signature: the sum of all counts."""
    lines = []
    total = 0
    for name, moves, ordering, nodes in SEARCHES:
        position = game(name).play(moves)
        found = solve(position, options=SolveOptions(ordering, table_mb=16), limits=Limits(nodes=nodes))
        total += found.nodes + found.evaluations
        line = f"{name} {moves or 'start'} {ordering}"
        lines.append(
            f"solve {line:<52} {found.nodes:>10} nodes {found.evaluations:>10} evaluations"
            f"  [{found.lower:+d}, {found.upper:+d}]"
        )
    for name, games, simulations in GAMES:
        counted, plies = _self_play(game(name), games, simulations)
        total += counted + plies
        lines.append(f"play  {name:<52} {counted:>10} simulations {plies:>5} plies")
    lines.append(f"signature {total}")
    return "\n".join(lines) + "\n"


def _self_play(played: Game, games: int, simulations: int) -> tuple[int, int]:
    """Simulations and plies of `games` games of rollouts against themselves."""
    found = played.engine.batched_search(
        {
            "mode": "selfplay",
            "players": ["rollouts"],
            "games": games,
            "total_games": games,
            "simulations": simulations,
            "temperature_plies": 4,
            "noise_alpha": 1.0,
            "noise_weight": 0.25,
            "seed": 1,
            "threads": 1,
        }
    )
    nothing = np.zeros((1, 2 * played.words), np.uint64), np.zeros((1, played.words), np.uint64)
    plies = 0
    while True:
        found.gather(0, *nothing)
        plies += int(found.take_games()["length"].sum())
        if found.finished():
            return int(found.counters()["simulations"]), plies


@dataclass(frozen=True)
class Choice:
    """A position with the exact score of every move."""

    position: Position
    scores: dict[int, int]

    @property
    def best(self) -> int:
        return max(self.scores.values())

    def loss(self, move: int) -> int:
        return self.best - self.scores[move]


def choices(played: Game, count: int, empties: int, seed: int) -> list[Choice]:
    """Random positions with at least one move that loses score, and the exact score of every move; ValueError where there are too
    few of them.

    `count` 0: every position that can be reached from the start (of small games), symmetric ones once."""
    proof = Proof(played, SolveOptions(table_mb=16))
    made: list[Choice] = []

    def judge(position: Position) -> None:
        found = solve_with(proof, position, Limits(), all_moves=True)
        choice = Choice(position, {move: low for move, (low, _) in found.scores.items()})
        if len(set(choice.scores.values())) > 1:
            made.append(choice)

    if count == 0:
        for position in reachable_positions(played):
            judge(position)
        if not made:
            raise ValueError(f"{played.name}: no position has a losing choice")
        return made
    for batch in range(50):
        for position in random_positions(played, count, empties, empties, seed + 7919 * batch):
            if len(made) < count:
                judge(position)
        if len(made) == count:
            return made
    raise ValueError(f"{played.name}: fewer than {count} positions of {empties} empties have a losing choice")


def reachable_positions(played: Game, most: int = 100_000) -> list[Position]:
    """Every position where a move is due, symmetric ones once; ValueError where there are more than `most`."""
    seen: set[bytes] = set()
    made: list[Position] = []
    layer = [played.start]
    while layer:
        following = []
        for position in layer:
            if position.key in seen or position.over:
                continue
            seen.add(position.key)
            if position.phase == 0:
                made.append(position)
            following += [position.play([move]) for move in (position.legal_squares or [-1])]
        if len(seen) > most:
            raise ValueError(f"{played.name} has more than {most:,} positions: give a number of random ones")
        layer = following
    return made


def strength(
    config: Config,
    played: Game,
    evaluator: Evaluator | None,
    wanted: int | None,
    empties: int | None,
    simulations: int,
    seed: int,
    as_json: bool,
) -> str:
    """A table of players: share of score-preserving moves and mean loss of score, with standard errors. Of how many positions, and how
    late: as told, else what suits the game."""
    if wanted is None:
        wanted = 0 if empties is None and played.start.empties <= ALL_EMPTIES else POSITIONS
    empties = min(EMPTIES, played.start.empties // 2) if empties is None else min(empties, played.start.empties)
    asked = choices(played, wanted, empties, seed)
    positions = [choice.position for choice in asked]
    rows: dict[str, list[tuple[float, float]]] = {"random": [_at_random(choice) for choice in asked]}

    def judge(name: str, moves: Sequence[int]) -> None:
        losses = [choice.loss(move) for choice, move in zip(asked, moves, strict=True)]
        rows[name] = [(float(loss == 0), float(loss)) for loss in losses]

    found = search_all(positions, simulations=simulations, settings=config.search, seed=seed)
    judge(f"rollouts, {simulations} simulations", [int(a.visits.argmax()) for a in found])
    if evaluator is not None:
        packed = np.stack([position.packed for position in positions])
        legal = played.engine.legal(packed)
        judge("network policy alone", best_moves(evaluator.evaluate(packed, legal).policy, legal).tolist())
        found = search_all(positions, simulations=simulations, evaluator=evaluator, settings=config.search, seed=seed)
        judge(f"network, {simulations} simulations", [int(a.visits.argmax()) for a in found])
    count = len(asked)
    table = {name: (*_mean(values, 0), *_mean(values, 1)) for name, values in rows.items()}
    if as_json:
        return json.dumps({"game": played.name, "positions": count, "empties": empties, "seed": seed, "players": table})
    which = f"random positions of {empties} empty squares (seed {seed})" if wanted else "positions that can be reached,"
    lines = [
        f"{played.name}: {count} {which} with a losing choice",
        f"{'player':<28} {'keeps the score':>18} {'mean loss':>16}",
    ]
    for name, (share, share_error, loss, loss_error) in table.items():
        lines.append(f"{name:<28} {share:>9.1%} ±{share_error:>6.1%} {loss:>9.2f} ±{loss_error:.2f}")
    return "\n".join(lines)


def _at_random(choice: Choice) -> tuple[float, float]:
    losses = [choice.loss(move) for move in choice.scores]
    return sum(loss == 0 for loss in losses) / len(losses), sum(losses) / len(losses)


def _mean(values: Sequence[tuple[float, float]], column: int) -> tuple[float, float]:
    """(mean, standard error)"""
    numbers = np.array([value[column] for value in values])
    return float(numbers.mean()), float(numbers.std() / np.sqrt(len(numbers)))
