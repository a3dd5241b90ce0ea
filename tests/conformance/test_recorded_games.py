"""Games that self-play records, of every game: whole ones by the reference rules, whoever judged the positions."""

from __future__ import annotations

import numpy as np
import pytest
from boards import ENGINES, IDS
from playouts import PASS, board_of
from reference_rules import rules

from rlscout import native
from rlscout.inference.hashed import HashedEvaluator


@pytest.mark.parametrize("player", ["network", "rollouts"])
@pytest.mark.parametrize("engine", ENGINES, ids=IDS)
def test_recorded_games_are_whole(engine: native.Engine, player: str) -> None:
    search = engine.batched_search(
        {
            "mode": "selfplay",
            "players": [player],
            "games": 2,
            "total_games": 2,
            "simulations": 4,
            "temperature_plies": 999,
        }
    )
    positions, legal = np.zeros((2, 2 * engine.words), np.uint64), np.zeros((2, engine.words), np.uint64)
    evaluator = HashedEvaluator(engine.squares)
    while not search.finished():
        if n := search.gather(0, positions, legal):
            heads = evaluator.evaluate(positions[:n], legal[:n])
            search.scatter(0, heads.policy, heads.value)
    taken, reference, row = search.take_games(), rules(engine.name, engine.scoring), 0
    assert len(taken["game"]) == 2
    for length, score in zip(taken["length"], taken["score"], strict=True):
        board, sign = reference.start(), 1
        for at in range(row, row + length):
            if reference.legal(board) == [PASS]:
                board, sign = reference.play(board, PASS), -sign
            assert board_of(engine, taken["positions"][at]) == board
            assert taken["visits"][at].sum() >= 4
            assert set(np.flatnonzero(taken["visits"][at])) <= set(reference.legal(board))
            assert taken["outcome"][at] == sign * score
            board, sign = reference.play(board, int(taken["move"][at])), -sign
        assert reference.legal(board) == []
        assert sign * reference.score(board) == score
        row += length
