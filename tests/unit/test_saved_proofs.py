"""A proof that ends early goes on from its saved state, in another process and over a table of another size."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlscout.games import Position, game
from rlscout.solving import Limits, Proof, Solution, SolveOptions, solve, solve_with

OPENING = "e4e5d5e3f5f6d2c5b3"  # a few million nodes


def question() -> Position:
    return game("othello6").play(OPENING)


def sitting(state: Path | None, nodes: int | None = None, table_mb: int = 64, threads: int = 1) -> Solution:
    proof = Proof(game("othello6"), SolveOptions("static", table_mb=table_mb, threads=threads), state=state)
    return solve_with(proof, question(), Limits(nodes=nodes))


@pytest.fixture(scope="module")
def whole() -> Solution:
    return sitting(None)


def test_a_proof_in_sittings_takes_little_more_than_one_at_once(whole: Solution, tmp_path: Path) -> None:
    state, part = tmp_path / "proof.table", whole.nodes // 5
    sittings = 0
    while True:
        found = sitting(state, part, table_mb=16 if sittings % 2 else 64)
        sittings += 1
        if found.proven:
            break
        assert sittings < 20
    assert sittings > 3
    assert found.score == whole.score
    assert found.nodes < 1.5 * whole.nodes, "nodes of all sittings"
    assert sitting(state).nodes - found.nodes < 0.01 * whole.nodes, "what is proven stays so"


def test_saving_while_threads_search_keeps_every_entry_true(whole: Solution, tmp_path: Path) -> None:
    state = tmp_path / "proof.table"
    proof = Proof(game("othello6"), SolveOptions("static", threads=2), state=state, state_seconds=0.01)
    solve_with(proof, question(), Limits(nodes=whole.nodes // 2))
    assert sitting(state).score == whole.score


def test_a_file_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    state = tmp_path / "proof.table"
    sitting(state, nodes=200_000)
    content = state.read_bytes()
    damaged = {
        "ends early": content[:-100],
        "ends early ": content[: len(content) // 2],
        "its sum is wrong": content[:-1] + bytes([content[-1] ^ 1]),
        "not the state of a proof": b"SQLite format 3" + content,
        "not the state of a proof ": b"",
        "of a proof in othello6 \\(discs\\), not in othello6 \\(empties\\)": content.replace(b"empties", b"discs", 1),
        "of a proof in othello4 .*, not in othello6": content.replace(b"othello6", b"othello4", 1),
        "its sum is wrong ": content.replace(b"XO", b"OX", 1),
        "damaged": content[:200] + bytes([content[200] ^ 64]) + content[201:],
    }
    for why, bad in damaged.items():
        assert bad != content
        state.write_bytes(bad)
        with pytest.raises(ValueError, match=f"proof\\.table': .*{why.strip()}"):
            sitting(state)
        assert state.read_bytes() == bad
    with pytest.raises(ValueError, match=r"cannot write '.*/nowhere/x': No such file"):
        sitting(tmp_path / "nowhere" / "x")


def test_a_damaged_file_leaves_nothing_behind(tmp_path: Path) -> None:
    """The entries before the damage are dropped too: bounds made worse by a flipped bit would be believed."""
    state = tmp_path / "proof.table"
    sitting(state, nodes=200_000)
    solver = game("othello6").engine.solver({"table_mb": 16})
    state.write_bytes(state.read_bytes()[:-1] + b"?")
    with pytest.raises(ValueError, match="its sum is wrong"):
        solver.load(str(state))
    late = game("othello6").play(OPENING + "a2a3")
    solver.start(late.packed)
    assert solver.wait(60.0)
    assert solver.result()["nodes"] == solve(late, options=SolveOptions("static", table_mb=16)).nodes
