"""Books: exact scores of openings, found again under every symmetry."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlscout import book
from rlscout.games import game
from rlscout.solving import Solution, SolveOptions, solve

PLIES = 3


@pytest.fixture(scope="module")
def made() -> book.Book:
    return book.make(game("othello4"), PLIES, SolveOptions(), "made by a test")


def test_every_score_is_that_of_the_solver(made: book.Book) -> None:
    assert len(made.positions) == 1 + 1 + 3 + 11
    for position in made.positions:
        assert made.score(position) == solve(position).score
        for move, score in made.moves(position).items():
            assert score == solve(position.play([move])).score * -1


def test_images_are_one_entry(made: book.Book) -> None:
    after = game("othello4").play("b1")
    assert {made.score(image) for image in after.symmetric()} == {10}
    deep = made.positions[-1].play(made.positions[-1].legal()[0])
    assert made.score(deep) is None
    assert made.score(game("othello4", "discs").start) is None
    assert made.score(game("othello6").start) is None


def test_a_book_is_read_as_it_was_written(made: book.Book, tmp_path: Path) -> None:
    made.save(tmp_path / "o4.book")
    again = book.Book.read(game("othello4"), tmp_path / "o4.book")
    assert (again.scores, again.about, again.positions) == (made.scores, made.about, made.positions)


def test_a_book_that_was_stopped_goes_on_from_its_draft(made: book.Book, tmp_path: Path) -> None:
    draft, proven = tmp_path / "o4.book.draft", []

    def told(number: int, count: int, solution: Solution) -> None:
        assert count == 11
        proven.append(number)
        if len(proven) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        book.make(game("othello4"), PLIES, SolveOptions(), "made by a test", told, draft)
    assert len(book.Book.read(game("othello4"), draft).positions) == 3
    assert book.make(game("othello4"), PLIES, SolveOptions(), "made by a test", told, draft) == made
    assert proven == list(range(1, 12))
    for other in (game("othello6"), game("othello4", "discs")):
        with pytest.raises(ValueError, match=r"o4\.book\.draft: begins with '% othello4, scoring empties'"):
            book.make(other, 1, SolveOptions(), "made by a test", told, draft)


@pytest.mark.parametrize("line", ["-----OX--XO-- X; 3", "-----OX--XO----- X; three", "-----OX--XO----- X"])
def test_a_bad_line_is_named(line: str, tmp_path: Path) -> None:
    (tmp_path / "bad.book").write_text(f"% othello4, scoring empties\n{line}\n")
    with pytest.raises(ValueError, match=r"bad\.book, line 2: "):
        book.Book.read(game("othello4"), tmp_path / "bad.book")


def test_the_book_of_othello6_agrees_with_itself_and_with_what_is_known() -> None:
    made = book.load("othello6")
    assert made is not None
    assert len(made.positions) == 1 + 1 + 3 + 14 + 60
    played = game("othello6")
    # Scores for X after two moves, and for O after three, as published by others.
    known = {"": -4, "e4c5": -4, "e4e3": -2, "e4e5": 20, "e4c5b4": 4, "e4c5b3": 6, "e4c5b2": 14}
    assert {moves: made.score(played.play(moves)) for moves in known} == known
    for position in made.positions:
        if (scores := made.moves(position)) and position.empties > 28:
            assert made.score(position) == max(scores.values())
