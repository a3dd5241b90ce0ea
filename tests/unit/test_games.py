"""Games for Python: names, squares, moves as text, pictures, records."""

from __future__ import annotations

import copy
import pickle
import random
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from rlscout.games import OTHELLO_NAMES, SHORT_NAMES, GameRecord, Moves, Position, game


@pytest.mark.parametrize("name", [*OTHELLO_NAMES, *SHORT_NAMES, "mnk:7,5,4"])
def test_a_random_game_reads_back_from_its_text(name: str) -> None:
    played = game(name)
    generator = random.Random(name)
    position, moves = played.start, ""
    while not position.over:
        assert played.position(position.text) == position
        assert played.position(f" {position.text};\n") == position, "as it stands in a file of positions"
        moves += generator.choice(position.legal())
        position = played.start.play(moves)
    assert position.legal() == []
    record = GameRecord.of(played.start, moves.replace("--", ""))
    assert record.last == position
    assert record.text == moves
    assert [p.text for p in record.positions()][-1] == position.text
    first = position.score() if position.first_to_move else -position.score()
    assert record.score() == first


def test_short_names_are_the_same_game() -> None:
    assert game("tictactoe").name == "mnk:3,3,3"
    assert game("gomoku8").start.text == "-" * 64 + " X"


def test_moves_may_be_written_in_several_ways() -> None:
    played = game("othello6")
    wanted = played.play("e4c5")
    for moves in (" E4, c5 ", [22, 26], ["e4", "c5"], ["e4", 26], ("e4c5",), np.array([22, 26], np.int16)):
        assert played.play(moves) == wanted == played.start.play(moves)
        assert GameRecord.of(played.start, moves).moves == (22, 26)
    assert played.play(22) == played.play(np.int64(22)) == played.play("e4")
    assert played.play(wanted.legal()[:0]) == played.start, "of no moves"
    assert played.square("e4") == 22
    assert played.square_name(22) == "e4"
    assert played.parse_moves("a1--f6pass") == [0, -1, 35, -1]


@pytest.mark.parametrize(
    ("moves", "message"),
    [
        ("a1", "illegal move a1 in .* legal: c2 b3 e4 d5"),
        ("e4e4", "illegal move e4"),
        ("g1", "square 'g1' is off the board of othello6; allowed are a1 to f6"),
        ("e7", "off the board"),
        ("e4?", r"cannot read a move at '\?'"),
        ("--", "illegal move --"),
        (["e4", "e4"], "illegal move e4"),
        (0, "illegal move a1 in .* legal: c2 b3 e4 d5"),
        (36, "square 36 is off the board of othello6; allowed are 0 to 35, -1: pass"),
        ([22, -7], "square -7 is off the board of othello6"),
        (2.0, "moves 2.0: allowed are text as in e4c5, squares \\(-1: pass\\), or several of either"),
        (["e4", None], "moves None: allowed are"),
    ],
)
def test_bad_moves_are_named(moves: Moves, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        game("othello6").play(moves)


@pytest.mark.parametrize("square", [-2, 36, 99])
def test_a_square_off_the_board_has_no_name(square: int) -> None:
    with pytest.raises(
        ValueError, match=f"square {square} is off the board of othello6; allowed are 0 to 35, -1: pass"
    ):
        game("othello6").square_name(square)
    assert game("othello6").square_name(-1) == "--"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("othelo6", "unknown game 'othelo6'; did you mean 'othello6'"),
        ("tic-tac-toe", "did you mean 'tictactoe'"),
        ("mnk:0,3,3", "game 'mnk:0,3,3': mnk:M,N,K takes M columns"),
        ("chess", "unknown game 'chess'"),
    ],
)
def test_bad_names_get_the_nearest(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        game(name)


def test_scoring_is_part_of_the_game() -> None:
    assert game("othello4", "discs").scoring == "discs"
    with pytest.raises(ValueError, match="scoring 'stones'"):
        game("othello4", "stones")


def test_equal_games_have_one_name_and_one_scoring() -> None:
    empties, discs = game("othello4"), game("othello4", "discs")
    assert empties != discs and empties.start != discs.start
    assert len({empties, discs, game("othello4", "empties")}) == 2
    assert len({empties.start, discs.start, game("othello4").start}) == 2
    assert game("tictactoe") is game(" mnk:3,3,3")
    assert game("mnk:3,3,3", "line") is game("tictactoe"), "its own scoring is the default"
    assert [repr(empties), repr(discs)] == ["rlscout.game('othello4')", "rlscout.game('othello4', 'discs')"]
    assert repr(empties.start) == "<othello4 -----OX--XO----- X>"
    assert repr(discs.start) == "<othello4 discs -----OX--XO----- X>"


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda it: pickle.loads(pickle.dumps(it))])
def test_games_positions_and_records_are_copied_and_pickled(again) -> None:
    played = game("othello4", "discs")
    position = played.play("b1")
    assert position.legal() and position.over is False, "what it keeps goes along"
    assert again(played) is played
    assert again(position) == position
    assert again(position).play("c1") == position.play("c1")
    assert again(GameRecord.of(played.start, "b1a1")).last == played.play("b1a1")


def test_a_finished_game_says_who_won() -> None:
    won = game("tictactoe").play("a1b1a2b2a3")
    assert won.over
    assert won.score() == -1
    assert "over: X wins" in won.show()
    with pytest.raises(ValueError, match="over"):
        won.play("c3")


def test_pictures_show_every_stone() -> None:
    position = game("othello4").start
    svg = ElementTree.fromstring(position.svg(last=0, heat={1: 0.5}, labels={2: "<x>"}, title="a & b"))
    circles = [element for element in svg.iter() if element.tag.endswith("circle")]
    assert len(circles) == 5  # four stones and the dot of the last move
    assert position._repr_html_().startswith("<div><svg")
    assert position.show().splitlines()[0].split() == ["a", "b", "c", "d"]
    assert position.show().count("*") == 4


def test_symmetries_are_distinct_images() -> None:
    position = game("tictactoe").play("a1b1")
    images: list[Position] = position.symmetric()
    assert images[0] == position
    assert len(set(images)) == 8
