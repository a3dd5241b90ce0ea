"""Pattern tables: features, fit, training; and that a table orders moves and decides nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from rlscout import patterns
from rlscout.games import game
from rlscout.patterns import PatternTable, TrainOptions
from rlscout.positions import distinct, not_among, stones
from rlscout.solving import Limits, SolveOptions, solve

SMALL = TrainOptions(samples=400, rounds=2, roots=3, root_empties=15, exact_empties=11)


@pytest.fixture(scope="module")
def small() -> PatternTable:
    return patterns.train("othello6", SMALL, threads=2)


def test_rotations_have_the_same_features() -> None:
    rules = game("othello6")
    positions = patterns.sample_positions(rules, 12, 12, TrainOptions(samples=50))[12]
    features = rules.engine.pattern_features(positions)
    assert features.min() >= 0
    assert features.max() < rules.engine.pattern_shape[2]
    half_turn = rules.engine.transform(positions, np.full(len(positions), 3, np.uint8))
    # All but the longest diagonals, which a half turn reads from the other end, and what comes after them.
    longest = 3**9 + 3**8 + 2 * 3**6 + 3**8
    for before, after in zip(features, rules.engine.pattern_features(half_turn), strict=True):
        assert sorted(before[before < longest]) == sorted(after[after < longest])


@pytest.mark.parametrize("name", ["othello6", "othello8"])
def test_features_are_the_squares_of_the_shapes(name: str) -> None:
    rules = game(name)
    width, (_, _, size, count) = rules.columns, rules.engine.pattern_shape
    positions = patterns.sample_positions(rules, 20, 20, TrainOptions(samples=20))[20]
    corner, wide = (
        [(row, column) for row in range(rows) for column in range(columns)] for rows, columns in [(3, 3), (2, 4)]
    )
    edge = [(0, column) for column in range(width)] + [(1, 1), (1, width - 2)]
    rows = [[(row, column) for column in range(width)] for row in (1, 2)]
    diagonals = [[(row, row + shift) for row in range(width - shift)] for shift in (0, 1)]
    for position, features in zip(positions, rules.engine.pattern_features(positions), strict=True):
        board = np.zeros(rules.squares, np.int64)
        for digit, discs in zip((1, 2), position, strict=True):
            board += digit * np.array([int(discs) >> square & 1 for square in range(rules.squares)])
        expected, offset = [], 0
        for shape in (corner, edge, *rows, wide, *diagonals):
            places = set()
            for turns in range(8):
                squares = np.arange(rules.squares).reshape(width, width)
                turned = np.rot90(squares.T if turns >= 4 else squares, turns % 4)
                place = [int(turned[at]) for at in shape]
                if frozenset(place) not in places:
                    places.add(frozenset(place))
                    expected.append(offset + sum(3**k * int(board[square]) for k, square in enumerate(place)))
            offset += 3 ** len(shape)
        assert len(features) == count
        assert sorted(features)[:-1] == sorted(expected)
        assert offset <= features.max() < size


def test_positions_are_distinct_and_have_a_move() -> None:
    rules = game("othello6")
    for empties, positions in patterns.sample_positions(rules, 10, 12, TrainOptions(samples=200)).items():
        assert (rules.engine.phase(positions) == 0).all()
        assert (rules.squares - stones(positions) == empties).all()
        assert len(np.unique(rules.engine.canonical(positions)[0], axis=0)) == len(positions)


def test_the_fit_finds_the_weights_that_made_the_labels() -> None:
    generator = np.random.default_rng(1)
    features = generator.integers(0, 20, (4, 3000))
    weights = generator.normal(size=20)
    labels = weights[features].sum(axis=0)
    light = np.full(20, 1e-6)
    found = patterns.fit(features, labels, np.ones(3000), np.zeros(20), light)
    assert np.allclose(found[features].sum(axis=0), labels, atol=1e-3)
    labels[2000:] = 100  # of no weight
    found = patterns.fit(features, labels, np.arange(3000) < 2000.0, np.zeros(20), light)
    assert np.allclose(found[features[:, :2000]].sum(axis=0), labels[:2000], atol=1e-3)
    held = np.where(np.arange(20) == 7, 1e12, 1e-6)  # kept where it starts
    assert patterns.fit(features, labels, np.ones(3000), np.full(20, 3.0), held)[7] == pytest.approx(3.0)


@pytest.mark.parametrize(("name", "count"), [("othello6", 21_677), ("othello8", 57_830)])
def test_weights_by_class_say_the_same_of_all_images(name: str, count: int) -> None:
    rules = game(name)
    classes = patterns.feature_classes(rules.engine)
    # A shape of n squares that a symmetry maps to itself, with f squares or pairs that stay: (3^n + 3^f) / 2 classes.
    assert classes.max() + 1 == len(np.unique(classes)) == count
    weights = np.random.default_rng(1).normal(size=count)
    positions = patterns.sample_positions(rules, 14, 14, TrainOptions(samples=20))[14]
    said = weights[classes[rules.engine.pattern_features(positions)]].sum(axis=1)
    for symmetry in range(8):
        images = rules.engine.transform(positions, np.full(len(positions), symmetry, np.uint8))
        assert weights[classes[rules.engine.pattern_features(images)]].sum(axis=1) == pytest.approx(said)


def test_a_move_is_made_wherever_there_is_one_and_leaves_few_replies() -> None:
    rules = game("othello6")
    positions = patterns.sample_positions(rules, 14, 14, TrainOptions(samples=30))[14]
    phase, quiet = rules.engine.phase(positions), np.zeros(len(positions))
    moves = patterns.next_moves(rules.engine, positions, phase, quiet, np.random.default_rng(1))
    for position, move in zip(positions, moves, strict=True):
        legal = patterns.legal_pairs(rules.engine, position[None])[1]
        after = rules.engine.play(np.repeat(position[None], len(legal), axis=0), legal)
        replies = stones(rules.engine.legal(after))
        assert replies[legal.tolist().index(move)] == replies.min()


def test_positions_that_are_known_are_new_no_more() -> None:
    known = np.array([[1, 2], [3, 4]], np.uint64)
    found = np.array([[4, 3], [1, 2], [1, 4], [3, 4]], np.uint64)
    assert not_among(found, known).tolist() == [[4, 3], [1, 4]]
    assert not_among(known, found).tolist() == []
    assert not_among(known, known[:0]).tolist() == known.tolist()
    assert distinct(np.concatenate([found, known])).tolist() == [[1, 2], [1, 4], [3, 4], [4, 3]]


def test_roots_of_stages_without_a_table_are_refused() -> None:
    with pytest.raises(ValueError, match="root_empties 30: allowed are 8 to 25"):
        patterns.train("othello6", TrainOptions(root_empties=30))


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("tictactoe", TrainOptions(), "game 'mnk:3,3,3' has no pattern tables"),
        ("othello4", TrainOptions(), "'othello4' begins with 12 empty squares, too few .*: allowed are boards with 27"),
        ("othello6", TrainOptions(samples=79), "samples 79, roots 100: allowed are 80 and more .*, 1 and more"),
        ("othello6", TrainOptions(roots=0), "samples 48000, roots 0: allowed are 80 and more .*, 1 and more"),
    ],
)
def test_what_leaves_nothing_to_learn_from_is_refused(name: str, options: TrainOptions, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        patterns.train(name, options)


def test_exact_labels_are_those_of_a_solver_in_any_order() -> None:
    rules = game("othello6")
    none = np.zeros(0, np.int32)
    positions = patterns.sample_positions(rules, 10, 10, TrainOptions(samples=20))[10]
    scores, nodes = rules.engine.exact_labels(positions, none)
    for position, score in zip(positions, scores, strict=True):
        solver = rules.engine.solver({})
        solver.start(position)
        assert solver.wait(60)
        assert solver.result()["lower"] == solver.result()["upper"] == score
    again = rules.engine.exact_labels(positions[::-1].copy(), none)
    assert (again[0][::-1] == scores).all()
    assert (again[1][::-1] == nodes).all()
    assert (nodes > 0).all()


def test_labels_ahead_need_a_table_and_a_move() -> None:
    rules = game("othello6")
    _, stages, size, _ = rules.engine.pattern_shape
    positions = patterns.sample_positions(rules, 10, 12, TrainOptions(samples=2))
    constant = np.zeros((stages, size), np.int32)
    constant[:] = 1 << 16  # each of the features adds one unit to the score
    scores, costs = rules.engine.labels_ahead(positions[12], constant)
    assert (scores == rules.engine.pattern_shape[3]).all()
    assert (costs >= 0).all()
    with pytest.raises(ValueError, match="no table is four plies ahead"):
        rules.engine.labels_ahead(positions[10], constant)
    with pytest.raises(ValueError, match="has no move"):
        rules.engine.exact_labels(np.array([[1, 0]], np.uint64), np.zeros(0, np.int32))


def test_a_search_samples_distinct_positions_below_its_root(small: PatternTable) -> None:
    rules = game("othello6")
    roots = patterns.sample_positions(rules, 14, 14, TrainOptions(samples=2))[14]
    options = TrainOptions(samples=30)
    trees = patterns.tree_positions(rules.engine, roots, options, small)
    assert len(trees[10]) == len(trees[9]) == 30
    assert not len(trees[14])
    for empties, positions in trees.items():
        assert (rules.squares - stones(positions) == empties).all()
        assert len(np.unique(positions, axis=0)) == len(positions)
    again = patterns.tree_positions(rules.engine, roots, options, small)
    assert all((again[empties] == trees[empties]).all() for empties in trees)


def test_training_repeats_whatever_the_threads_and_survives_a_file(small: PatternTable, tmp_path: Path) -> None:
    again = patterns.train("othello6", SMALL, threads=1)
    assert (again.score == small.score).all()
    assert (again.cost == small.cost).all()
    small.save(tmp_path / "table.npz")
    read = PatternTable.read(tmp_path / "table.npz")
    assert (read.packed() == small.packed()).all()
    assert (read.game, read.options, read.errors) == (small.game, small.options, small.errors)
    assert [error.empties for error in small.errors] == list(range(8, 26))


@pytest.mark.parametrize(("name", "empties"), [("othello6", 18), ("othello8", 16)])
def test_a_shipped_table_knows_more_than_nothing_and_saves_nodes(name: str, empties: int) -> None:
    table = patterns.load(name)
    assert table is not None
    assert all(error.score < 0.5 * error.score_spread for error in table.errors)
    rules = game(name)
    packed = patterns.sample_positions(rules, empties, empties, TrainOptions(samples=6, seed=2))[empties]
    nodes = {}
    for ordering in ("static", "patterns"):
        solutions = [
            solve(rules.position(rules.engine.to_text(position, True)), options=SolveOptions(ordering=ordering))
            for position in packed
        ]
        nodes[ordering] = (
            sum(s.nodes for s in solutions),
            [s.score for s in solutions],
            sum(s.evaluations for s in solutions),
        )
    assert nodes["static"][1] == nodes["patterns"][1]
    assert nodes["patterns"][0] < nodes["static"][0]
    assert nodes["static"][2] == 0 < nodes["patterns"][2]


def test_positions_far_from_every_stage_are_searched_at_once() -> None:
    rules = game("othello8")
    solution = solve(rules.start, options=SolveOptions(ordering="patterns"), limits=Limits(nodes=50_000))
    assert solution.status == "limit"
    assert 50_000 <= solution.nodes < 100_000


def test_a_table_of_noise_costs_time_and_never_truth() -> None:
    rules = game("othello6")
    _, stages, size, _ = rules.engine.pattern_shape
    noise = np.random.default_rng(1).integers(-(2**25), 2**25, (stages, size), dtype=np.int32)
    positions = patterns.sample_positions(rules, 16, 16, TrainOptions(samples=4))[16]
    for position in positions:
        results = []
        for options in ({}, {"patterns": noise}):
            solver = rules.engine.solver(options)  # type: ignore[arg-type]
            solver.start(position)
            assert solver.wait(300)
            results.append(solver.result())
        plain, noisy = results
        assert plain["lower"] == plain["upper"] == noisy["lower"] == noisy["upper"]
        assert plain["nodes"] != noisy["nodes"]


def test_bad_tables_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_text("no arrays")
    with pytest.raises(ValueError, match="x.npz: not a table that `rlscout patterns train` has written$"):
        PatternTable.read(tmp_path / "x.npz")
    np.save(tmp_path / "y.npy", np.zeros(3))
    with pytest.raises(ValueError, match="y.npy: not a table"):
        PatternTable.read(tmp_path / "y.npy")
    with pytest.raises(ValueError, match="pattern table of 3 weights"):
        game("othello6").engine.solver({"patterns": np.zeros(3, np.int32)})
    with pytest.raises(ValueError, match="no pattern tables"):
        game("tictactoe").engine.solver({"patterns": np.zeros(3, np.int32)})
    with pytest.raises(ValueError, match="no pattern tables"):
        patterns.train("tictactoe")
    with pytest.raises(ValueError, match="exact_empties 10"):
        patterns.train("othello6", TrainOptions(exact_empties=10))
    with pytest.raises(ValueError, match=r"exact_empties 26, rounds \d+: allowed are 11 .* to 25"):
        patterns.train("othello6", TrainOptions(exact_empties=26))
