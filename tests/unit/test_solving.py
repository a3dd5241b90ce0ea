"""Solutions as a person meets them: compared, printed, and asked for with wrong arguments."""

from __future__ import annotations

import rlscout


def test_a_solution_is_equal_to_itself() -> None:
    start = rlscout.game("tictactoe").start
    one, other = rlscout.solve(start), rlscout.solve(start)
    assert one == one and one != other
    assert len({one, one, other}) == 2
