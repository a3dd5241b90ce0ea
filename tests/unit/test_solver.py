"""The native solver: known scores, limits, hints, threads; and that order costs time, never truth."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlscout import patterns
from rlscout.native import engine

WAIT = 300.0


def start_and_wait(solver: Any, position: Any, **limits: Any) -> dict[str, Any]:
    solver.start(position, **limits)
    assert solver.wait(WAIT)
    return dict(solver.result())


def solve(game: str, scoring: str = "empties", position: Any = None, **options: Any) -> dict[str, Any]:
    rules = engine(game, scoring)
    return start_and_wait(rules.solver(options), rules.initial() if position is None else position)


def late(game: str, plies: int, seed: int) -> Any:
    """A position after `plies` random moves."""
    rules, generator = engine(game), np.random.default_rng(seed)
    position = rules.initial()[None]
    for _ in range(plies):
        phase = rules.phase(position)[0]
        if phase == 2:
            break
        bits = [s for s in range(rules.squares) if int(rules.legal(position)[0, s // 64]) >> (s % 64) & 1]
        move = -1 if phase == 1 else int(generator.choice(bits))
        position = rules.play(position, np.array([move], np.int32))
    return position[0]


@pytest.mark.parametrize(
    ("game", "scoring", "score"),
    [
        ("othello4", "empties", -10),
        ("othello4", "discs", -8),
        ("mnk:3,3,3", "empties", 0),
        ("mnk:4,3,3", "empties", 1),
        ("mnk:4,4,3", "empties", 1),
        ("mnk:4,4,4", "empties", 0),
        ("mnk:5,5,5", "empties", 0),
    ],
)
def test_known_scores(game: str, scoring: str, score: int) -> None:
    result = solve(game, scoring)
    assert (result["status"], result["lower"], result["upper"]) == ("proven", score, score)


def test_a_failed_job_has_no_result(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no device that is full here")
    rules = engine("othello4")
    solver = rules.solver({})
    start_and_wait(solver, rules.initial())
    with pytest.raises(ValueError, match="cannot write .*directory"):
        solver.start_certificate(rules.initial(), str(tmp_path), -10, -10, 0)  # told at once
    solver.start_certificate(rules.initial(), "/dev/full", -10, -10, 0)
    for asked in (lambda: solver.wait(WAIT), solver.result):
        with pytest.raises(ValueError, match="cannot write"):
            asked()
    assert start_and_wait(solver, rules.initial())["status"] == "proven"


def test_the_principal_variation_ends_in_the_score() -> None:
    rules = engine("othello6")
    position = late("othello6", 18, 5)
    result = solve("othello6", position=position)
    assert result["principal_variation"][0] == result["best_move"]
    line = position[None]
    for move in result["principal_variation"]:
        line = rules.play(line, np.array([move], np.int32))
    assert rules.phase(line)[0] == 2
    sign = -1 if len(result["principal_variation"]) % 2 else 1
    assert sign * rules.score(line)[0] == result["lower"] == result["upper"]


def test_one_thread_repeats_to_the_node() -> None:
    position = late("othello6", 18, 1)
    first, second = (solve("othello6", position=position, statistics=True) for _ in range(2))
    assert first["nodes"] == second["nodes"] == int(first["nodes_by_ply"].sum())
    assert (first["first_cuts_by_ply"] <= first["cut_nodes_by_ply"]).all()
    assert (first["cut_nodes_by_ply"] <= first["nodes_by_ply"]).all()
    assert len(first["nodes_by_ply"]) == engine("othello6").max_plies + 1


@pytest.mark.parametrize("seed", range(3))
def test_random_order_and_threads_change_nodes_and_not_the_score(seed: int) -> None:
    position = late("othello6", 18, seed)
    plain = solve("othello6", position=position)
    noise = solve("othello6", position=position, ordering="random", seed=seed)
    threads = solve("othello6", position=position, threads=3, table_mb=1)
    assert plain["lower"] == plain["upper"] == noise["lower"] == noise["upper"] == threads["lower"] == threads["upper"]
    assert noise["nodes"] != plain["nodes"]


def test_a_limit_answers_proven_bounds_and_the_search_goes_on() -> None:
    rules = engine("othello6")
    position = late("othello6", 16, 2)
    whole = solve("othello6", position=position)
    solver = rules.solver({})
    pieces = 0
    while True:
        result = start_and_wait(solver, position, nodes=20_000)
        assert result["lower"] <= whole["lower"] <= result["upper"]
        pieces += 1
        if result["status"] == "proven":
            break
        assert result["status"] == "limit"
    assert pieces > 1
    assert result["lower"] == result["upper"] == whole["lower"]


def test_stop_ends_a_long_job() -> None:
    rules = engine("othello8")
    solver = rules.solver({"threads": 2})
    solver.start(rules.initial())
    assert not solver.wait(0.2)
    assert solver.progress()["running"]
    with pytest.raises(RuntimeError, match="running"):
        solver.result()
    solver.stop()
    assert solver.wait(WAIT)
    assert solver.result()["status"] == "stopped"


def test_a_window_is_settled_from_one_side() -> None:
    rules = engine("othello6")
    position = late("othello6", 18, 3)
    score = solve("othello6", position=position)["lower"]
    above = start_and_wait(rules.solver({}), position, lower=score + 2, upper=score + 4)
    assert above["status"] == "proven"
    assert above["upper"] <= score + 2
    below = start_and_wait(rules.solver({}), position, lower=score - 4, upper=score - 2)
    assert below["status"] == "proven"
    assert below["lower"] >= score - 2
    with pytest.raises(ValueError, match="window"):
        rules.solver({}).start(position, lower=2, upper=2)


@pytest.mark.parametrize("kind", ["uniform", "noise", "nan", "inf"])
def test_hints_are_asked_for_in_batches_and_never_change_the_score(kind: str) -> None:
    rules = engine("othello6")
    position = late("othello6", 16, 4)
    score = solve("othello6", position=position)["lower"]
    solver, generator = rules.solver({"hint_ply": 4}), np.random.default_rng(1)
    rounds = asked = 0
    seen: set[bytes] = set()
    while (result := start_and_wait(solver, position))["status"] == "wanted":
        wanted = solver.wanted()
        assert len(wanted) > 0
        rules.validate(wanted)
        assert seen.isdisjoint(row.tobytes() for row in wanted)
        seen.update(row.tobytes() for row in wanted)
        shape = (len(wanted), rules.squares)
        policy, value = generator.random(shape), generator.uniform(-1, 1, len(wanted))
        if kind != "noise":
            policy[:], value[:] = (1.0, 0.0) if kind == "uniform" else (float(kind), float(kind))
        solver.add_hints(wanted, policy.astype(np.float32), value.astype(np.float32))
        rounds, asked = rounds + 1, asked + len(wanted)
    assert (result["status"], result["lower"], result["upper"]) == ("proven", score, score)
    assert 1 <= rounds < asked


def test_large_boards_answer_when_a_line_is_near() -> None:
    rules = engine("mnk:15,15,5")
    text = ["-"] * 225
    for square, stone in zip([0, 1, 2, 3, 20, 40, 60, 80], "XXXXOOOO", strict=True):
        text[square] = stone
    position, _ = rules.from_text("".join(text) + " X")
    result = solve("mnk:15,15,5", position=position)
    assert (result["lower"], result["upper"], result["best_move"]) == (1, 1, 4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threads": 0}, "threads 0"),
        ({"table_mb": 0}, "table_mb 0"),
        ({"ordering": "best"}, "ordering 'best'"),
        ({"depth": 3}, "unknown solver option 'depth'"),
        ({"threads": "two"}, "option threads"),
    ],
)
def test_bad_options_are_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        engine("othello4").solver(options)  # type: ignore[arg-type]


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere address space has no limit to run into")
def test_threads_that_the_system_refuses_are_an_error_and_the_solver_goes_on() -> None:
    program = """
import resource
import numpy
from rlscout.native import engine

rules = engine("mnk:3,3,3")
solver = rules.solver({"threads": 64, "table_mb": 1})
_, most = resource.getrlimit(resource.RLIMIT_AS)

def solve(room_mb):
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + (room_mb << 20) if room_mb else most, most))
    try:
        solver.start(rules.initial())
        solver.wait(30)
        print(solver.result()["status"], solver.result()["lower"], solver.result()["upper"])
    except ValueError as error:
        print(error)
    print(solver.progress()["running"])

for room_mb in (1, 64, 0):
    solve(room_mb)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert re.match("the thread of the job cannot be started: ", lines[0])
    assert re.match("thread [0-9]+ of 64 cannot be started: ", lines[2])
    assert lines[4] == "proven 0 0"
    assert lines[1::2] == ["False"] * 3


def test_hints_beside_patterns_add_doubt_and_no_more() -> None:
    """A network that finds every child alike leaves the order of the pattern table as it is; noise changes it, and no score."""
    table = patterns.load("othello6")
    assert table is not None
    rules, position = engine("othello6"), late("othello6", 12, 3)

    def ordered(value: Callable[[int], Any] | None) -> dict[str, Any]:
        solver = rules.solver({"patterns": table.packed(), "hint_ply": 0 if value is None else 3})
        result = start_and_wait(solver, position)
        while value is not None and result["status"] == "wanted":
            wanted = solver.wanted()
            flat = np.full((len(wanted), rules.squares), 1.0 / rules.squares, np.float32)
            solver.add_hints(wanted, flat, value(len(wanted)))
            result = start_and_wait(solver, position)
        return result

    generator = np.random.default_rng(2)
    alone, alike = ordered(None), ordered(lambda count: np.zeros(count, np.float32))
    noise = ordered(lambda count: generator.uniform(-1, 1, count).astype(np.float32))
    assert alone["status"] == alike["status"] == noise["status"] == "proven"
    assert alone["lower"] == alike["lower"] == noise["lower"]
    assert alike["principal_variation"] == alone["principal_variation"]
    assert noise["nodes"] != alone["nodes"]


def test_a_proof_ordered_by_hints_names_its_move() -> None:
    """Also where a rule at sight proves the start, and positions below still wait for hints."""
    rules = engine("mnk:4,4,4")
    position = rules.from_text("----X----X----O- O")[0]
    solver = rules.solver({"hint_ply": 4})
    result = start_and_wait(solver, position)
    while result["status"] == "wanted":
        wanted = solver.wanted()
        solver.add_hints(
            wanted,
            np.full((len(wanted), rules.squares), 1.0 / rules.squares, np.float32),
            np.zeros(len(wanted), np.float32),
        )
        result = start_and_wait(solver, position)
    assert (result["status"], result["lower"], result["upper"]) == ("proven", 0, 0)
    assert result["best_move"] >= 0
    assert result["principal_variation"][0] == result["best_move"]
