"""The rules of OpenSpiel, an independent implementation, on random games. Needs the test extra."""

from __future__ import annotations

import numpy as np
import pytest
from playouts import PASS, choices, step

from rlscout import native

pyspiel = pytest.importorskip("pyspiel", reason="open_spiel is not installed: no oracle for the rules")

# OpenSpiel knows Othello on 8x8 only, and plays m,n,k freestyle (K or more win), as here.
SHAPES = [
    (3, 3, 3),
    (4, 4, 4),
    (5, 5, 5),
    (6, 6, 5),
    (7, 7, 5),
    (8, 8, 5),
    (9, 9, 5),
    (15, 15, 5),
    (7, 8, 5),
    (11, 12, 5),
]
GAMES = [("othello8", "othello")] + [(f"mnk:{m},{n},{k}", f"mnk(m={m},n={n},k={k})") for m, n, k in SHAPES]


@pytest.mark.parametrize(("name", "theirs"), GAMES, ids=[name for name, _ in GAMES])
def test_random_games_are_the_same(name: str, theirs: str) -> None:
    engine, random = native.engine(name), np.random.default_rng(6)
    their_pass = engine.squares
    for _ in range(12 if engine.squares <= 81 else 4):
        state, position, plies = pyspiel.load_game(theirs).new_initial_state(), engine.initial(), 0
        while not state.is_terminal():
            legal = choices(engine, position)
            assert [their_pass if move == PASS else move for move in legal] == sorted(state.legal_actions())
            move = int(random.choice(legal))
            position, plies = step(engine, position, move), plies + 1
            state.apply_action(their_pass if move == PASS else move)
        assert choices(engine, position) == []
        score = int(engine.score(position[None])[0])
        assert np.sign(score if plies % 2 == 0 else -score) == state.returns()[0]
