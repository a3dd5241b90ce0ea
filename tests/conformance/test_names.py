"""Names of games, squares and moves, and records of games, for every game; the rules behind them are native."""

from __future__ import annotations

import numpy as np
import pytest
from boards import ENGINES, IDS
from playouts import PASS, playout

from rlscout import games, native


@pytest.fixture(params=ENGINES, ids=IDS)
def game(request: pytest.FixtureRequest) -> games.Game:
    engine: native.Engine = request.param
    return games.game(engine.name, engine.scoring)


def test_squares_have_names(game: games.Game) -> None:
    names = [game.square_name(square) for square in range(game.squares)]
    assert names[0] == "a1"
    assert names[-1] == f"{chr(ord('a') + game.columns - 1)}{game.rows}"
    assert len(set(names)) == game.squares
    assert [game.square(name) for name in names] == list(range(game.squares))
    assert game.parse_moves(game.moves_text([*range(game.squares), PASS])) == [*range(game.squares), PASS]
    for wrong in (f"{chr(ord('a') + game.columns)}1", f"a{game.rows + 1}", "a0", "--", "a1a1", ""):
        with pytest.raises(ValueError):
            game.square(wrong)


def test_games_are_read_back_from_text_without_passes(game: games.Game) -> None:
    played = playout(game.engine, np.random.default_rng(12))
    text = game.moves_text([move for move in played.moves if move != PASS])
    record = games.GameRecord.of(game.start, text)
    assert record.moves == tuple(played.moves)
    assert (record.last.packed == played.positions[-1]).all()
    assert record.last == game.play(text)
    assert record.last.over
    assert record.score() == record.last.score() * (1 if len(played.moves) % 2 == 0 else -1)
    for position, packed in zip(record.positions(), played.positions, strict=True):
        assert (position.packed == packed).all()
        assert game.position(position.text) == position


def test_positions_name_their_legal_moves(game: games.Game) -> None:
    for position in games.GameRecord.of(game.start, playout(game.engine, np.random.default_rng(2)).moves).positions():
        for name in position.legal()[:2]:
            assert position.play(name).to_move != position.to_move
        occupied = next((s for s, stone in enumerate(position.text[: game.squares]) if stone != "-"), None)
        if occupied is not None:
            with pytest.raises(ValueError, match="illegal move"):
                position.play([occupied])


def test_engines_name_themselves_as_they_are_called(game: games.Game) -> None:
    assert games.game(game.name).name == game.name


@pytest.mark.parametrize(("short", "name"), sorted(games.SHORT_NAMES.items()))
def test_short_names(short: str, name: str) -> None:
    assert games.game(short).name == name


WRONG_NAMES = [
    "",
    "othello",
    "othello5",
    "othello6:diagonal",
    "mnk",
    "mnk:",
    "mnk:3,3",
    "mnk:3,3,3,3",
    "mnk:3,3,4",
    "mnk:3,3,1",
    "mnk:16,3,3",
    "mnk:3,0,3",
    "mnk:-3,3,3",
    "mnk:3, 3,3",
    "mnk:3,3,99999999999",
    "chess",
]


@pytest.mark.parametrize("name", WRONG_NAMES)
def test_unknown_games_are_refused_in_words(name: str) -> None:
    with pytest.raises(ValueError, match="game"):
        native.engine(name)
    with pytest.raises(ValueError, match="game"):
        games.game(name)


def test_a_game_is_found_again_by_name_and_scoring(game: games.Game) -> None:
    again = games.game(game.name, game.scoring)
    assert (again.name, again.scoring) == (game.name, game.scoring)
    assert games.game(game.name).name == game.name


@pytest.mark.parametrize(
    ("name", "scoring", "allowed"),
    [
        ("othello6", "stones", "are 'empties', 'discs'"),
        ("othello4:parallel", "line", "are 'empties', 'discs'"),
        ("mnk:3,3,3", "discs", "is 'line'"),
        ("mnk:3,3,3", "", "is 'line'"),
    ],
)
def test_the_scoring_of_another_game_is_refused(name: str, scoring: str, allowed: str) -> None:
    for make in (native.engine, games.game):
        with pytest.raises(ValueError, match=f"scoring '{scoring}' of .*: allowed {allowed}"):
            make(name, scoring)


def test_families_are_described() -> None:
    patterns = " ".join(pattern for pattern, _ in native.families())
    assert "othello6" in patterns
    assert "mnk:M,N,K" in patterns
