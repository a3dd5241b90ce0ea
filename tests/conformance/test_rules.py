"""What every game owes to everything built on it, checked on random games of all of them: a new game adds a line to `boards`."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from boards import ENGINES, IDS
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from playouts import PASS, board_of, choices, legal_squares, playout, sample_positions, squares_of, step

from rlscout import native
from rlscout.network import planes

MOVE_DUE, PASS_DUE, OVER = 0, 1, 2

pytestmark = pytest.mark.parametrize("engine", ENGINES, ids=IDS)


@cache
def all_positions(engine: native.Engine) -> NDArray[np.uint64]:
    return sample_positions(engine, games=6, seed=20)


def some_positions(engine: native.Engine, number: int, seed: int = 1) -> NDArray[np.uint64]:
    positions = all_positions(engine)
    return positions[np.random.default_rng(seed).choice(len(positions), min(number, len(positions)), replace=False)]


def masks(engine: native.Engine, squares: list[int]) -> NDArray[np.uint64]:
    words = [sum(1 << s % 64 for s in squares if s // 64 == word) for word in range(engine.words)]
    return np.array(words, np.uint64)


def image_under(engine: native.Engine, position: NDArray[np.uint64], symmetry: int) -> NDArray[np.uint64]:
    image: NDArray[np.uint64] = engine.transform(position[None], np.array([symmetry], np.uint8))[0]
    return image


def test_numbers_fit_together(engine: native.Engine) -> None:
    assert engine.squares == engine.columns * engine.rows
    assert engine.words == -(-engine.squares // 64)
    assert engine.min_score == -engine.max_score < 0
    assert 1 <= engine.symmetries <= 8
    assert engine.initial().shape == (2 * engine.words,)


def test_phase_says_what_legal_moves_there_are(engine: native.Engine) -> None:
    positions = all_positions(engine)
    phases, legal = engine.phase(positions), engine.legal(positions)
    assert ((phases == MOVE_DUE) == legal.any(1)).all()
    own, opponent = positions[:, : engine.words], positions[:, engine.words :]
    assert not (legal & (own | opponent)).any()
    for position in positions[phases == PASS_DUE]:
        after = step(engine, position, PASS)
        assert (after == np.roll(position, engine.words)).all()
        assert engine.phase(after[None])[0] == MOVE_DUE


def test_scores_lie_within_bounds(engine: native.Engine) -> None:
    over = all_positions(engine)[engine.phase(all_positions(engine)) == OVER]
    assert len(over) == 6
    assert (abs(engine.score(over)) <= engine.max_score).all()


def test_a_game_that_is_not_over_has_no_score(engine: native.Engine) -> None:
    with pytest.raises(ValueError, match="position 1 is not over"):
        engine.score(np.array([playout(engine, np.random.default_rng(3)).positions[-1], engine.initial()]))


def test_moves_put_one_stone(engine: native.Engine) -> None:
    game = playout(engine, np.random.default_rng(4))
    for before, move, after in zip(game.positions, game.moves, game.positions[1:], strict=False):
        stones = sum(int(word).bit_count() for word in before)
        assert sum(int(word).bit_count() for word in after) == stones + (move != PASS)
        if move != PASS:
            assert move in squares_of(after[engine.words :], engine.squares)


def test_batches_answer_like_single_positions(engine: native.Engine) -> None:
    positions = some_positions(engine, 40)
    moves = np.array([(choices(engine, p) or [0])[0] for p in positions], np.int32)
    playable = engine.phase(positions) != OVER
    symmetries = np.arange(len(positions), dtype=np.uint8) % engine.symmetries
    legal, phase, images = engine.legal(positions), engine.phase(positions), engine.transform(positions, symmetries)
    canonical, leading = engine.canonical(positions)
    after = engine.play(positions[playable], moves[playable])
    for i, position in enumerate(positions):
        one = position[None]
        assert (engine.legal(one)[0] == legal[i]).all()
        assert engine.phase(one)[0] == phase[i]
        assert (engine.transform(one, symmetries[i : i + 1])[0] == images[i]).all()
        assert (engine.canonical(one)[0][0] == canonical[i]).all()
        assert engine.canonical(one)[1][0] == leading[i]
    for position, move, next_position in zip(positions[playable], moves[playable], after, strict=True):
        assert (step(engine, position, int(move)) == next_position).all()


def test_empty_batches_are_answered_with_empty_arrays(engine: native.Engine) -> None:
    none = np.empty((0, 2 * engine.words), np.uint64)
    assert engine.legal(none).shape == (0, engine.words)
    assert engine.phase(none).shape == (0,)
    assert engine.play(none, np.empty(0, np.int32)).shape == none.shape


def test_symmetries_form_a_group(engine: native.Engine) -> None:
    table = engine.symmetry_squares()
    assert table.shape == (engine.symmetries, engine.squares)
    assert (table[0] == np.arange(engine.squares)).all()
    assert (np.sort(table, axis=1) == np.arange(engine.squares)).all()
    rows = [tuple(row) for row in table]
    if min(engine.columns, engine.rows) > 1:
        assert len(set(rows)) == engine.symmetries
    for position in some_positions(engine, 3):
        for g in range(engine.symmetries):
            for h in range(engine.symmetries):
                both = rows.index(tuple(table[h][table[g]]))  # first g, then h; ValueError where it is no symmetry
                twice = image_under(engine, image_under(engine, position, g), h)
                assert (twice == image_under(engine, position, both)).all()


def test_rules_are_the_same_in_every_symmetric_image(engine: native.Engine) -> None:
    table = engine.symmetry_squares()
    for position in some_positions(engine, 12):
        legal, phase = legal_squares(engine, position), engine.phase(position[None])[0]
        for g in range(engine.symmetries):
            image = image_under(engine, position, g)
            for side in (slice(None, engine.words), slice(engine.words, None)):
                moved = [int(table[g, s]) for s in squares_of(position[side], engine.squares)]
                assert (image[side] == masks(engine, moved)).all()
            assert legal_squares(engine, image) == sorted(int(table[g, s]) for s in legal)
            assert engine.phase(image[None])[0] == phase
            if phase == OVER:
                assert engine.score(image[None]) == engine.score(position[None])
            assert engine.perft(image, 2) == engine.perft(position, 2)
            for move in legal[:3]:
                played = image_under(engine, step(engine, position, move), g)
                assert (step(engine, image, int(table[g, move])) == played).all()


def test_canonical_positions_are_one_for_all_images(engine: native.Engine) -> None:
    for position in some_positions(engine, 12):
        canonical, symmetry = engine.canonical(position[None])
        assert (image_under(engine, position, int(symmetry[0])) == canonical[0]).all()
        symmetries = np.arange(engine.symmetries, dtype=np.uint8)
        images = engine.transform(np.repeat(position[None], engine.symmetries, 0), symmetries)
        assert (engine.canonical(images)[0] == canonical[0]).all()


def test_text_is_read_back(engine: native.Engine) -> None:
    for position in some_positions(engine, 20):
        for first_to_move in (True, False):
            text = engine.to_text(position, first_to_move)
            own, opponent = ("X", "O") if first_to_move else ("O", "X")
            stones = {1: own, -1: opponent, 0: "-"}
            assert text == "".join(stones[s] for row in board_of(engine, position) for s in row) + f" {own}"
            again, colour = engine.from_text(text)
            assert (again == position).all()
            assert colour == first_to_move


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_any_text_is_read_or_refused_in_words(engine: native.Engine, data: st.DataObject) -> None:
    text = list(engine.to_text(engine.initial(), True))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(text) - 1))
        text[at : at + data.draw(st.integers(0, 2))] = data.draw(st.text("XO- .xé\n", max_size=2))
        text = text or ["X"]
    try:
        position, first_to_move = engine.from_text("".join(text))
    except ValueError as error:
        assert str(error).removeprefix("the ").startswith("position")
    else:
        assert engine.to_text(position, first_to_move) == "".join(text)


def test_planes_are_the_boards_of_both_sides_and_the_legal_moves(engine: native.Engine) -> None:
    positions = some_positions(engine, 10)
    legal = engine.legal(positions)
    for made, moves, position in zip(
        planes(positions, legal, engine.rows, engine.columns), legal, positions, strict=True
    ):
        board = np.array(board_of(engine, position))
        free = np.zeros(engine.squares, bool)
        free[squares_of(moves, engine.squares)] = True
        assert (made == np.stack([board == 1, board == -1, free.reshape(board.shape)])).all()


def test_values_of_scores(engine: native.Engine) -> None:
    scores = np.array([engine.min_score, -1, 0, 1, engine.max_score], np.int32)
    for margin in (0.0, 0.25, 1.0):
        expected = (1 - margin) * np.sign(scores) + margin * scores / engine.max_score
        assert np.allclose(engine.values(scores, margin), expected, atol=1e-6)
    with pytest.raises(ValueError, match="margin"):
        engine.values(scores, 1.5)


def test_illegal_moves_are_refused(engine: native.Engine) -> None:
    for position in some_positions(engine, 15):
        allowed = choices(engine, position)
        for move in range(-2, engine.squares + 1):
            if move not in allowed:
                with pytest.raises(ValueError, match="illegal move .* in the position: allowed is"):
                    step(engine, position, move)


def test_wrong_arguments_are_refused(engine: native.Engine) -> None:
    start = engine.initial()
    overlapping, off_board = start.copy(), start.copy()
    overlapping[0] |= np.uint64(1)
    overlapping[engine.words] |= np.uint64(1)
    if engine.squares % 64:
        off_board[engine.words - 1] |= np.uint64(1 << 63)
    symmetry, move = np.zeros(1, np.uint8), np.zeros(1, np.int32)
    for wrong in [overlapping] + [off_board] * (engine.squares % 64 > 0) + [start[:-1]]:
        one = wrong[None]
        for call in (
            lambda one=one: engine.validate(one),
            lambda one=one: engine.legal(one),
            lambda one=one: engine.phase(one),
            lambda one=one: engine.score(one),
            lambda one=one: engine.play(one, move),
            lambda one=one: engine.transform(one, symmetry),
            lambda one=one: engine.canonical(one),
            lambda wrong=wrong: engine.to_text(wrong, True),
            lambda wrong=wrong: engine.perft(wrong, 1),
        ):
            with pytest.raises(ValueError, match="position"):
                call()
    with pytest.raises(ValueError, match="symmetry"):
        engine.transform(start[None], np.array([engine.symmetries], np.uint8))
    with pytest.raises(ValueError, match="depth -1"):
        engine.perft(start, -1)
    with pytest.raises(ValueError, match="moves of shape"):
        engine.play(start[None], np.zeros(2, np.int32))
