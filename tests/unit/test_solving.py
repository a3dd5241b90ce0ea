"""Solutions as a person meets them: compared, printed, and asked for with wrong arguments."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest
from networks import random_network

import rlscout
from rlscout.analysis import search_all
from rlscout.solving import Limits


def test_a_solution_is_equal_to_itself() -> None:
    start = rlscout.game("tictactoe").start
    one, other = rlscout.solve(start), rlscout.solve(start)
    assert one == one and one != other
    assert len({one, one, other}) == 2


@pytest.mark.parametrize("limits", [{"nodes": -1}, {"seconds": -0.5}, {"seconds": math.nan}])
def test_limits_below_nothing_are_refused(limits: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="^(nodes|seconds) .*: 0 and more are allowed, or None for no limit"):
        Limits(**limits)


@pytest.mark.parametrize("ask", [rlscout.solve, rlscout.search, lambda text: search_all([text])])
def test_a_text_is_no_position(ask: Callable[[object], object]) -> None:
    with pytest.raises(
        ValueError, match=r"'d6' is not a position; `rlscout.game\('othello6'\).play\('e4c5'\)` gives one"
    ):
        ask("d6")


def test_positions_searched_together_are_of_one_game() -> None:
    starts = [rlscout.game(name).start for name in ("othello4", "othello6")]
    for positions in (starts, []):
        with pytest.raises(ValueError, match=f"{len(positions)} positions: one or more are allowed, all of one game"):
            search_all(positions)
    assert [found.position for found in search_all(starts[:1] * 2, simulations=4)] == starts[:1] * 2


def test_a_network_orders_a_proof_and_values_a_search() -> None:
    position, network = rlscout.game("othello4").play("b1"), random_network("othello4")
    solution = rlscout.solve(position, network=network)
    assert solution.options.ordering == "network" and solution.network_evaluations > 0
    assert solution.score == rlscout.solve(position).score
    rlscout.search(position, simulations=4, network=network)
    for ask in (rlscout.solve, rlscout.search):
        with pytest.raises(ValueError, match="this network plays othello4, not mnk:3,3,3"):
            ask(rlscout.game("tictactoe").start, network=network)
        with pytest.raises(TypeError, match="positional argument"):
            ask(position, Limits(nodes=1))


def test_a_solution_reads_in_a_line() -> None:
    start = rlscout.game("othello4").start
    solution = rlscout.solve(start)
    best = start.game.square_name(solution.best_moves[0])
    assert str(solution).startswith(f"score -10 for X, best {best}; {solution.nodes:,} nodes, ")
    some = rlscout.solve(rlscout.game("othello8").start, limits=Limits(nodes=1000))
    assert re.match(r"score -64 to \+64 for X.* \(limit\); [0-9,]+ nodes, [0-9.]+ s$", str(some))
    over = rlscout.solve(rlscout.game("tictactoe").play("a1b1a2b2a3"))
    assert str(over).startswith("score -1 for O; ")


@pytest.mark.parametrize("documented", [rlscout.Solution, rlscout.SolveOptions, rlscout.Analysis])
def test_help_says_what_every_field_is(documented: type) -> None:
    plain = {"position", "lower", "upper", "seconds"}
    missing = [f.name for f in fields(documented) if f.name not in plain and f.name not in (documented.__doc__ or "")]
    assert not missing


def test_every_public_name_is_there_and_in_the_tour() -> None:
    tour = (Path(__file__).parents[2] / "docs" / "tour.md").read_text()
    classes = {name for name in rlscout.__all__ if name[0].isupper()}
    assert sorted(rlscout.__all__) == sorted({*rlscout._HOMES, "samples"})
    for name in rlscout.__all__:
        assert getattr(rlscout, name).__doc__
        assert name in classes or f"rlscout.{name}(" in tour, name
