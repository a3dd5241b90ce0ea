"""Certificates of the real solver: both independent checkers accept them, whatever the table lost and whoever ordered."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from checkers import native_checker, run_both, run_native

from rlscout.games import game
from rlscout.native import engine
from rlscout_verify.certificate import Limits

WAIT = 300.0
LIMITS = Limits(max_positions=1_000_000, max_leaf_empties=16)


def write(
    rules: Any,
    path: Path,
    bounds: tuple[int, int] | None = None,
    leaf_empties: int = 0,
    position: Any = None,
    first_to_move: bool = True,
    **options: Any,
) -> dict[str, Any]:
    """Solves (unless the bounds are given) and writes the certificate; its result, the score of the solve in "score"."""
    solver = rules.solver(options)
    root = rules.initial() if position is None else position
    if bounds is None:
        solver.start(root)
        assert solver.wait(WAIT)
        solved = solver.result()
        bounds = solved["lower"], solved["upper"]
    solver.start_certificate(root, str(path), *bounds, leaf_empties, first_to_move=first_to_move)
    assert solver.wait(WAIT)
    return dict(solver.result())


@pytest.mark.parametrize(
    ("game", "scoring", "score", "leaf_empties"),
    [
        ("othello4", "empties", -10, 0),
        ("othello4", "discs", -8, 0),
        ("othello4", "empties", -10, 5),
        ("othello4:parallel", "empties", -4, 0),
        ("mnk:3,3,3", "empties", 0, 0),
        ("mnk:4,3,3", "empties", 1, 3),
        ("mnk:3,2,3", "empties", 0, 0),
    ],
)
@pytest.mark.parametrize("ordering", ["static", "random"])
def test_solved_games(game: str, scoring: str, score: int, leaf_empties: int, ordering: str, tmp_path: Path) -> None:
    path = tmp_path / "solved.cert"
    rules = engine(game, scoring)
    result = write(rules, path, leaf_empties=leaf_empties, ordering=ordering)
    assert result["status"] == "proven"
    assert (result["lower"], result["upper"]) == (score, score)
    checked = run_both(native_checker(), path)
    assert checked["verdict"] == "valid"
    assert (checked["lower"], checked["upper"], checked["position"]) == (
        score,
        score,
        rules.to_text(rules.initial(), True),
    )


def random_position(rules: Any, empties: int, seed: int) -> Any:
    """A position of a random game with at most that many empty squares; the game may be over or a pass be due."""
    generator, position = np.random.default_rng(seed), rules.initial()[None]
    while rules.phase(position)[0] != 2 and rules.to_text(position[0], True).count("-") > empties:
        legal = [s for s in range(rules.squares) if int(rules.legal(position)[0, s // 64]) >> (s % 64) & 1]
        move = generator.choice(legal) if legal else -1
        position = rules.play(position, np.array([move], np.int32))
    return position[0]


@pytest.mark.parametrize(
    ("game", "empties", "leaf_empties"),
    [("othello6", 10, 4), ("othello8", 9, 4), ("mnk:5,4,4", 12, 5), ("mnk:3,7,3", 14, 0)],
)
def test_random_positions(game: str, empties: int, leaf_empties: int, tmp_path: Path) -> None:
    """With a table of one megabyte, and for either colour."""
    path = tmp_path / "random.cert"
    rules = engine(game)
    for seed in range(6):
        position = random_position(rules, empties, seed)
        result = write(rules, path, None, leaf_empties, position, first_to_move=seed % 2 == 0, table_mb=1)
        assert result["status"] == "proven"
        checked = run_both(native_checker(), path, LIMITS)
        assert checked["verdict"] == "valid"
        assert checked["position"] == rules.to_text(position, seed % 2 == 0)


def test_many_words(tmp_path: Path) -> None:
    """A board of two words: X makes two open threes at once, and what the proof needs is folded as the checkers do."""
    rules = engine("mnk:9,9,5")
    rows = [
        "O-------O",
        "---------",
        "---------",
        "---------",
        "---XX----",
        "-----X---",
        "-----X---",
        "---------",
        "O-------O",
    ]
    position, first = rules.from_text("".join(rows) + " X")
    path = tmp_path / "wide.cert"
    assert write(rules, path, None, 0, position, first)["status"] == "proven"
    checked = run_both(native_checker(), path)
    assert (checked["verdict"], checked["lower"]) == ("valid", 1)
    assert checked["witnesses"] > 50


def test_one_bound(tmp_path: Path) -> None:
    path = tmp_path / "bound.cert"
    rules = engine("othello4")
    for bounds in [(-16, -10), (-11, 16), (-12, -4)]:
        assert write(rules, path, bounds)["status"] == "proven"
        checked = run_both(native_checker(), path)
        assert checked["verdict"] == "valid"
        assert (checked["lower"], checked["upper"]) == bounds


def test_false_bounds_write_nothing(tmp_path: Path) -> None:
    path = tmp_path / "false.cert"
    for bounds in [(-9, 16), (-16, -11), (-8, -8)]:
        assert write(engine("othello4"), path, bounds)["status"] == "disproved"
    assert list(tmp_path.iterdir()) == []


def test_limits_write_nothing(tmp_path: Path) -> None:
    solver = engine("othello6").solver({})
    solver.start_certificate(engine("othello6").initial(), str(tmp_path / "late.cert"), -4, -4, 12, 0.01)
    assert solver.wait(WAIT)
    assert solver.result()["status"] == "limit"
    solver.start_certificate(engine("othello6").initial(), str(tmp_path / "late.cert"), -4, -4, 12)
    solver.stop()
    assert solver.wait(WAIT)
    assert solver.result()["status"] == "stopped"
    assert list(tmp_path.iterdir()) == []


def test_wrong_arguments(tmp_path: Path) -> None:
    rules = engine("othello4")
    with pytest.raises(ValueError, match="cannot write"):
        write(rules, tmp_path / "missing" / "file.cert", (-10, -10))
    for bounds in [(2, 1), (-16, 16), (17, 18), (-20, -17)]:
        with pytest.raises(ValueError, match=r"bounds .* lower <= upper"):
            write(rules, tmp_path / "bounds.cert", bounds)
    with pytest.raises(ValueError, match="leaf_empties -1"):
        write(rules, tmp_path / "leaf.cert", (-10, -10), leaf_empties=-1)


def test_behind_a_link_is_a_file_or_a_pipe(tmp_path: Path) -> None:
    (tmp_path / "file.cert").touch()
    (tmp_path / "link.cert").symlink_to("file.cert")
    write(engine("othello4"), tmp_path / "link.cert")
    written = (tmp_path / "file.cert").read_bytes()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "out").symlink_to("pipe")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "pipe").read_bytes()), daemon=True)
    reader.start()
    write(engine("othello4"), tmp_path / "out")
    reader.join(WAIT)
    assert read == [written]
    assert (tmp_path / "link.cert").is_symlink() and (tmp_path / "out").is_symlink() and (tmp_path / "pipe").is_fifo()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file.cert", "link.cert", "out", "pipe"]


def test_the_same_file_again(tmp_path: Path) -> None:
    """One thread and a fresh table: the bytes repeat. A certificate written over another replaces it."""
    files = []
    for _ in range(2):
        write(engine("othello4"), tmp_path / "again.cert")
        files.append((tmp_path / "again.cert").read_bytes())
    assert files[0] == files[1]


def test_threads(tmp_path: Path) -> None:
    """What two threads leave in the table makes a proof as good."""
    rules, path = engine("othello6"), tmp_path / "threads.cert"
    position = random_position(rules, 16, seed=3)
    assert write(rules, path, None, 8, position, threads=2)["status"] == "proven"
    assert run_native(native_checker(), path)["verdict"] == "valid"


def test_the_proof_is_in_the_table_and_is_not_made_again(tmp_path: Path) -> None:
    """A position of 20 empties: what the table holds under another image counts as known."""
    position = game("othello6").play("b3b4e5b2a4f6e4d5b1a1d6e3").packed
    rules = engine("othello6")
    solver = rules.solver({})
    solver.start(position)
    assert solver.wait(WAIT)
    solved = solver.result()
    result = write(rules, tmp_path / "late.cert", leaf_empties=12, position=position)
    assert result["status"] == "proven"
    assert result["nodes"] < 1.1 * solved["nodes"]
