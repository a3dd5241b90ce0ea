"""Batched search: against a plain reference to the last visit, and what holds for every game played."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import count
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from puct_reference import ReferenceTree

from rlscout import native
from rlscout.games import game as named
from rlscout.inference.hashed import HashedEvaluator
from rlscout.network import bits

GAMES = ["othello4", "othello6", "mnk:3,3,3", "mnk:5,4,4", "mnk:9,9,5"]


class Symmetric:
    """A hashed evaluator that answers all images of a position alike; its weights are whole, so that sums are exact."""

    def __init__(self, engine: native.Engine) -> None:
        self._engine = engine
        self._hashed = HashedEvaluator(engine.squares)
        self._squares = engine.symmetry_squares()

    def evaluate(self, positions: NDArray[np.uint64], legal: NDArray[np.uint64]) -> Any:
        least, _ = self._engine.canonical(positions)
        heads = self._hashed.evaluate(least, self._engine.legal(least))
        # Several symmetries may lead to the least image: a weight that they share is the sum over all of them.
        policy = np.zeros((len(positions), self._engine.squares), np.float32)
        for i, position in enumerate(positions):
            for g in range(self._engine.symmetries):
                if np.array_equal(self._engine.transform(position[None], np.array([g], np.uint8))[0], least[i]):
                    policy[i] += np.round(heads.policy[i] * 4096)[self._squares[g]]
        return type(heads)(policy, heads.value)


class Rounded:
    """A hashed evaluator whose weights are numbers of 16 bits, given in any type."""

    def __init__(self, squares: int, dtype: Any) -> None:
        self._hashed, self._dtype = HashedEvaluator(squares), dtype

    def evaluate(self, positions: NDArray[np.uint64], legal: NDArray[np.uint64]) -> Any:
        heads = self._hashed.evaluate(positions, legal)
        return type(heads)(heads.policy.astype(np.float16).astype(self._dtype), heads.value)


def buffers(engine: native.Engine, size: int) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    return np.zeros((size, 2 * engine.words), np.uint64), np.zeros((size, engine.words), np.uint64)


def drive(
    engine: native.Engine, search: native.BatchedSearch, evaluators: list[Any], batch: int
) -> list[dict[str, Any]]:
    """Runs a search to its end; the finished games by number, each with its own rows."""
    positions, legal = buffers(engine, batch)
    games: dict[int, dict[str, Any]] = {}
    for _ in count():
        for player, evaluator in enumerate(evaluators):
            if n := search.gather(player, positions, legal):
                heads = evaluator.evaluate(positions[:n], legal[:n])
                search.scatter(player, heads.policy, heads.value)
        finished = search.finished()
        taken = search.take_games()
        ends = np.cumsum(taken["length"])
        for i, number in enumerate(taken["game"]):
            rows = slice(ends[i] - taken["length"][i], ends[i])
            games[int(number)] = {
                name: taken[name][rows] for name in ("positions", "visits", "value", "outcome", "move", "ply", "player")
            } | {
                "score": int(taken["score"][i]),
                "opening": taken["opening"][i][taken["opening"][i] >= 0],
                "player_first": int(taken["player_first"][i]),
            }
        if finished:
            return [games[number] for number in sorted(games)]
    raise AssertionError


def play(game: str, batch: int | None = None, evaluator: Any = None, **options: Any) -> list[dict[str, Any]]:
    engine = native.engine(game)
    defaults: dict[str, Any] = {
        "mode": "selfplay", "games": 8, "total_games": 8, "simulations": 24, "temperature_plies": 6, "seed": 7,
        "noise_alpha": 1.0, "margin": 0.2,
    }  # fmt: skip
    options = defaults | options
    players = options.get("players", ["network"])
    hashed = evaluator or HashedEvaluator(engine.squares)
    return drive(engine, engine.batched_search(options), [hashed] * len(players), batch or options["games"])


def analyse(game: str, positions: NDArray[np.uint64], evaluator: Any = None, **options: Any) -> native.RootStatistics:
    engine = native.engine(game)
    options = {"mode": "analysis", "games": len(positions), "symmetries": False} | options
    search = engine.batched_search(options)
    search.set_positions(positions)
    drive(engine, search, [evaluator or HashedEvaluator(engine.squares)], len(positions))
    return search.root_statistics()


def random_positions(engine: native.Engine, n: int, seed: int, least_plies: int = 0) -> NDArray[np.uint64]:
    """Positions of random games, all with a move due."""
    random = np.random.default_rng(seed)
    found: list[NDArray[np.uint64]] = []
    while len(found) < n:
        position, game = engine.initial()[None], []
        while (phase := engine.phase(position)[0]) != 2:
            moves = np.flatnonzero(bits(engine.legal(position), engine.squares)[0]) if phase == 0 else np.array([-1])
            if phase == 0:
                game.append(position[0])
            position = engine.play(position, random.choice(moves, 1).astype(np.int32))
        if len(game) > least_plies:
            found.append(game[random.integers(least_plies, len(game))])
    return np.array(found)


def same(a: list[dict[str, Any]], b: list[dict[str, Any]]) -> bool:
    return len(a) == len(b) and all(np.array_equal(x[name], y[name]) for x, y in zip(a, b, strict=True) for name in x)


@pytest.mark.parametrize("game", GAMES)
def test_equals_the_reference_to_the_last_visit(game: str) -> None:
    engine = native.engine(game)
    positions = random_positions(engine, 6, seed=1)
    options = {"simulations": 150, "c_puct": 1.7, "fpu": 0.15, "margin": 0.3}
    statistics = analyse(game, positions, **options)
    for i, position in enumerate(positions):
        reference = ReferenceTree(engine, position, HashedEvaluator(engine.squares), c_puct=1.7, fpu=0.15, margin=0.3)
        for _ in range(options["simulations"] + 1):
            reference.simulate()
        assert np.array_equal(statistics["visits"][i], reference.visits())
        assert np.array_equal(statistics["value"][i], reference.values(), equal_nan=True)
        assert np.array_equal(statistics["prior"][i], reference.priors())
        assert statistics["root_value"][i] == reference.root.value


@pytest.mark.parametrize("game", GAMES)
def test_games_do_not_depend_on_slots_batch_or_threads(game: str) -> None:
    one = play(game, games=1)
    assert same(one, play(game, games=5))
    assert same(one, play(game, games=64))
    assert same(one, play(game, games=5, batch=2, threads=2))
    assert same(one, play(game, games=64, threads=2))
    assert same(one[3:], play(game, first_game=3, total_games=5))
    assert not same(one, play(game, seed=8))


@pytest.mark.parametrize("cache", [0, 300])
@pytest.mark.parametrize("game", ["othello6", "mnk:9,9,5"])
def test_games_do_not_depend_on_the_type_of_the_weights(game: str, cache: int) -> None:
    squares = native.engine(game).squares
    single, half, double = (
        play(game, cache=cache, evaluator=Rounded(squares, dtype)) for dtype in (np.float32, np.float16, np.float64)
    )
    assert same(single, half)
    assert same(single, double)
    assert not same(single, play(game))


@pytest.mark.parametrize("game", ["othello6", "mnk:5,4,4"])
def test_rollout_games_repeat(game: str) -> None:
    one = play(game, players=["rollouts"], games=1)
    assert same(one, play(game, players=["rollouts"], games=7, threads=2))


@pytest.mark.parametrize("game", GAMES)
@pytest.mark.parametrize("reuse", [False, True])
def test_records_are_whole_games(game: str, reuse: bool) -> None:
    engine = native.engine(game)
    for record in play(game, opening_plies=2, reuse_tree=reuse):
        assert (record["visits"].sum(axis=1) == 24).all()
        assert not (record["visits"] * ~bits(engine.legal(record["positions"]), engine.squares).astype(bool)).any()
        assert (np.abs(record["value"]) <= 1).all()
        assert len(record["opening"]) <= 2
        position, ply, sign = engine.initial()[None], 0, 1
        for move in record["opening"]:
            position, ply, sign = engine.play(position, np.array([move], np.int32)), ply + 1, -sign
        for i, move in enumerate(record["move"]):
            assert np.array_equal(record["positions"][i], position[0])
            assert record["visits"][i][move] > 0
            assert record["ply"][i] == ply
            assert record["outcome"][i] == sign * record["score"]
            position, ply, sign = engine.play(position, np.array([move], np.int32)), ply + 1, -sign
            if engine.phase(position)[0] == 1:
                position, ply, sign = engine.play(position, np.array([-1], np.int32)), ply + 1, -sign
        assert engine.phase(position)[0] == 2
        assert record["score"] == sign * engine.score(position)[0]


def test_greedy_after_the_temperature() -> None:
    for record in play("othello6", temperature_plies=4):
        late = record["ply"] >= 4
        chosen = np.take_along_axis(record["visits"], record["move"][:, None], axis=1)[:, 0]
        assert (chosen[late] == record["visits"].max(axis=1)[late]).all()


def test_noise_falls_on_legal_moves_only() -> None:
    engine = native.engine("othello8")
    positions = random_positions(engine, 16, seed=2)
    legal = bits(engine.legal(positions), engine.squares).astype(bool)
    still = analyse("othello8", positions, simulations=5)["prior"]
    noisy = analyse("othello8", positions, simulations=5, noise_alpha=1.0, noise_weight=0.25)["prior"]
    assert (noisy[~legal] == 0).all()
    assert np.allclose(noisy.sum(axis=1), 1, atol=1e-3)
    assert (noisy[legal] >= 0.75 * still[legal] * 0.999).all()
    choice = legal.sum(axis=1) > 1
    assert (np.abs(noisy - still).max(axis=1)[choice] > 1e-4).all()


@pytest.mark.parametrize("fold", [False, True])
@pytest.mark.parametrize("game", ["othello6", "mnk:3,3,3", "mnk:5,4,4"])
def test_a_symmetric_evaluator_sees_no_symmetries(game: str, fold: bool) -> None:
    engine = native.engine(game)
    positions = random_positions(engine, 4, seed=3)
    plain = analyse(game, positions, Symmetric(engine), simulations=60)
    turned = analyse(game, positions, Symmetric(engine), simulations=60, symmetries=True, fold=fold)
    hashed = analyse(game, positions, simulations=60, symmetries=True, fold=fold)
    assert np.array_equal(plain["visits"], turned["visits"])
    assert np.array_equal(plain["value"], turned["value"], equal_nan=True)
    assert not np.array_equal(plain["visits"], hashed["visits"])


@pytest.mark.parametrize("game", ["othello6", "mnk:5,4,4", "mnk:9,9,5"])
def test_folded_images_are_given_out_as_one(game: str) -> None:
    """Which one it is, is a draw: another seed has others."""
    engine = native.engine(game)
    start = random_positions(engine, 8, seed=5)[-1]
    images = np.concatenate([engine.transform(start[None], np.array([g], np.uint8)) for g in range(engine.symmetries)])
    assert len(np.unique(images, axis=0)) > 2

    def given_out(seed: int, fold: bool) -> set[bytes]:
        options = {"mode": "analysis", "games": len(images), "simulations": 4, "seed": seed, "fold": fold}
        search = engine.batched_search(options)  # type: ignore[arg-type]
        search.set_positions(images)
        positions, legal = buffers(engine, len(images))
        assert search.gather(0, positions, legal) == len(images)
        np.testing.assert_array_equal(legal, engine.legal(positions))
        return {position.tobytes() for position in positions}

    assert all(len(given_out(seed, fold=True)) == 1 for seed in range(10))
    assert len({given_out(seed, fold=True).pop() for seed in range(10)}) > 1
    assert len(given_out(0, fold=False)) > 1


def test_finds_a_win_in_one_and_stops_a_loss_in_one() -> None:
    engine = native.engine("mnk:8,8,5")
    rest = "-----------%s%s------%s%s-----------------------------------"
    for first_row, four, others in (("XXXX----", "X", "OOOO"), ("OOOO----", "O", "XXXX")):
        position = engine.from_text(first_row + rest % tuple(others) + " X")[0]
        visits = analyse("mnk:8,8,5", position[None], simulations=1000, players=["rollouts"])["visits"][0]
        assert visits.argmax() == 4, four


def tictactoe_values(engine: native.Engine) -> dict[bytes, int]:
    """The score of every reachable position, side to move."""
    known: dict[bytes, int] = {}

    def value(position: NDArray[np.uint64]) -> int:
        if (key := position.tobytes()) not in known:
            if engine.phase(position[None])[0] == 2:
                return int(engine.score(position[None])[0])
            known[key] = max(-value(next_) for next_ in successors(engine, position))
        return known[key]

    value(engine.initial())
    return known


def successors(engine: native.Engine, position: NDArray[np.uint64]) -> NDArray[np.uint64]:
    moves = np.flatnonzero(bits(engine.legal(position[None]), engine.squares)[0]).astype(np.int32)
    return engine.play(np.repeat(position[None], len(moves), axis=0), moves)


def test_rollouts_play_tictactoe_without_a_mistake() -> None:
    engine = native.engine("mnk:3,3,3")
    known = tictactoe_values(engine)
    positions = np.array([np.frombuffer(key, np.uint64) for key in known])
    assert len(positions) == 4520
    visits = analyse("mnk:3,3,3", positions, players=["rollouts"], simulations=3000, c_puct=2.5)["visits"]
    after = engine.play(positions, visits.argmax(axis=1).astype(np.int32))
    for key, next_ in zip(known, after, strict=True):
        over = engine.phase(next_[None])[0] == 2
        assert known[key] == -(engine.score(next_[None])[0] if over else known[next_.tobytes()])


def test_duels_pair_their_openings() -> None:
    engine = native.engine("othello6")
    options: dict[str, Any] = {
        "mode": "duel", "players": ["network", "rollouts"], "opening_plies": 3, "noise_alpha": 0.0, "total_games": 16,
        "temperature_plies": 0,
    }  # fmt: skip
    games = play("othello6", **options)
    assert same(games, play("othello6", games=3, threads=2, **options))
    assert [game["player_first"] for game in games] == [0, 1] * 8
    for first, second in zip(games[::2], games[1::2], strict=True):
        assert np.array_equal(first["positions"][0], second["positions"][0])
    openings = np.array([game["positions"][0] for game in games[::2]])
    assert len(np.unique(engine.canonical(openings)[0], axis=0)) == 8
    for game in games:
        own_score = game["outcome"] * np.where(game["player"] == game["player_first"], 1, -1)
        assert (own_score == game["score"]).all()


def test_the_stronger_side_of_a_duel_wins() -> None:
    games = play("othello6", mode="duel", players=["network", "rollouts"], opening_plies=4, total_games=40, games=20,
                 noise_alpha=0.0, simulations=60)  # fmt: skip
    rollouts = [-game["score"] if game["player_first"] == 0 else game["score"] for game in games]
    assert sum(score > 0 for score in rollouts) >= 30  # the network is noise


def test_openings_grow_where_a_game_has_too_few() -> None:
    """Tic-tac-toe has 3 openings of one ply up to symmetry: further pairs begin later."""
    engine = native.engine("mnk:3,3,3")
    games = play("mnk:3,3,3", mode="duel", players=["rollouts", "rollouts"], opening_plies=1, total_games=40)
    openings = np.array([game["positions"][0] for game in games[::2]])
    assert len(np.unique(engine.canonical(openings)[0], axis=0)) == 20
    assert sum(game["ply"][0] == 1 for game in games) == 6


def test_gather_gives_legal_moves_of_the_image_it_gives() -> None:
    engine = native.engine("othello6")
    search = engine.batched_search({"mode": "selfplay", "games": 32, "simulations": 50})
    positions, legal = buffers(engine, 32)
    hashed = HashedEvaluator(engine.squares)
    for _ in range(200):
        assert search.gather(0, positions, legal) == 32
        assert np.array_equal(engine.legal(positions), legal)
        heads = hashed.evaluate(positions, legal)
        search.scatter(0, heads.policy, heads.value)
    counters = search.counters()
    assert counters["evaluations"] == 32 * 200
    assert counters["nodes"] <= 32 * 52
    assert 0 < counters["tree_bytes"] < 33 * 50 * 400 + 33 * 4096


def test_zero_weights_are_the_uniform_prior() -> None:
    engine = native.engine("othello6")
    search = engine.batched_search({"mode": "analysis", "games": 1, "simulations": 1})
    search.set_positions(engine.initial()[None])
    positions, legal = buffers(engine, 1)
    search.gather(0, positions, legal)
    search.scatter(0, np.zeros((1, 36), np.float32), np.zeros(1, np.float32))
    prior = search.root_statistics()["prior"][0]
    assert (prior[prior > 0] == 0.25).all()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mode": "match"}, "mode 'match': allowed are 'selfplay', 'duel' and 'analysis'"),
        ({"players": ["human"]}, "player 'human': allowed are 'network' and 'rollouts'"),
        ({"players": ["network"] * 2}, "2 players: this mode takes 1"),
        ({"mode": "duel"}, "1 players: this mode takes 2"),
        ({"games": 0}, "games 0: allowed is 1 to 1000000"),
        ({"simulations": 70_000}, "simulations 70000: allowed is 1 to 65535"),
        ({"noise_weight": 1.5}, "noise_weight 1.5: allowed is 0 to 1"),
        ({"temperature": float("nan")}, "temperature nan: allowed is 0.01 to 100"),
        ({"simulation": 3}, "unknown search option 'simulation'"),
        ({"games": "many"}, "option games: 'many'; a whole number from -2147483648 to 2147483647 is allowed"),
        ({"mode": "duel", "players": ["network"] * 2, "total_games": 3}, "must be even"),
    ],
)
def test_bad_options(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        native.engine("othello6").batched_search(options)


def test_bad_arguments() -> None:
    engine = native.engine("mnk:3,3,3")
    search = engine.batched_search({"mode": "selfplay", "games": 2})
    positions, legal = buffers(engine, 2)
    with pytest.raises(ValueError, match="player 1: this search has player 0 only"):
        search.gather(1, positions, legal)
    with pytest.raises(ValueError, match="set_positions: only mode 'analysis'"):
        search.set_positions(positions)
    with pytest.raises(ValueError, match=r"takes \[n, 2\] and \[n, 1\]"):
        search.gather(0, legal, legal)
    assert search.gather(0, positions, legal) == 2
    with pytest.raises(ValueError, match="2 leaves still wait"):
        search.gather(0, positions, legal)
    good, values = np.ones((2, 9), np.float32), np.zeros(2, np.float32)
    with pytest.raises(ValueError, match="the last gather gave 2 positions of 9 squares"):
        search.scatter(0, good[:1], values)
    with pytest.raises(ValueError, match="row 1 has value nan"):
        search.scatter(0, good, np.array([0, np.nan], np.float32))
    with pytest.raises(ValueError, match="row 0 has a policy with a negative"):
        search.scatter(0, -good, values)
    for weight in (np.nan, np.inf, -1):
        half = good.astype(np.float16)
        half[1, 8] = weight
        with pytest.raises(ValueError, match="row 1 has a policy with a negative or infinite"):
            search.scatter(0, half, values)
    search.scatter(0, good.astype(np.float16), values)
    assert search.gather(0, positions, legal) == 2

    analysis = engine.batched_search({"mode": "analysis", "games": 2})
    with pytest.raises(ValueError, match="3 positions: this search holds up to 2"):
        analysis.set_positions(np.zeros((3, 2), np.uint64))
    over = engine.from_text("XXXOO---- O")[0]
    with pytest.raises(ValueError, match="the position: the game is over"):
        analysis.set_positions(over[None])


def test_more_trees_than_memory_could_hold_begin_all_the_same() -> None:
    """They may well stay small. Memory that is set aside is not taken: 60 GB here, were they all as large as they may become."""
    engine = native.engine("othello8")
    search = engine.batched_search({"games": 20_000, "simulations": 65_535})
    positions, legal = buffers(engine, 20_000)
    assert search.gather(0, positions, legal, 10.0) == 20_000


def test_openings_of_self_play_have_all_lengths() -> None:
    """Samples begin at every ply up to `opening_plies`: the start is learned, and so are replies to odd moves."""
    begins = [int(record["ply"][0]) for record in play("mnk:5,4,4", opening_plies=3, total_games=60, simulations=4)]
    assert set(begins) == {0, 1, 2, 3}


def test_nodes_of_one_position_are_counted() -> None:
    """Nine first moves are three but for symmetry; the transpositions of tic-tac-toe leave 627 positions where a move is due."""
    for simulations, wanted in ((9, (10, 6)), (60_000, None)):
        engine = named("tictactoe").engine
        search = engine.batched_search(
            {"mode": "analysis", "players": ["rollouts"], "games": 1, "simulations": simulations, "c_puct": 1000.0}
        )
        assert search.repeated_nodes() == (0, 0)
        search.set_positions(engine.initial()[None])
        empty = np.zeros((0, 2), np.uint64)
        while not search.finished():
            search.gather(0, empty, empty[:, :1])
        nodes, repeated = search.repeated_nodes()
        assert nodes == search.counters()["nodes"]
        if wanted is not None:
            assert (nodes, repeated) == wanted
        else:
            assert 400 < nodes - repeated <= 627


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere address space has no limit to run into")
def test_threads_that_the_system_refuses_are_an_error_and_nothing_worse() -> None:
    program = """
import resource
from rlscout.games import game
engine = game("othello6").engine
pages = int(open("/proc/self/statm").read().split()[0])
resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + (256 << 20),) * 2)
try:
    engine.batched_search({"games": 1024, "threads": 1024})
except ValueError as error:
    print(error)
print(engine.batched_search({"games": 2, "threads": 2}).finished())
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    refused, finished = done.stdout.splitlines()
    assert re.match(r"thread \d+ of 1024 cannot be started", refused)
    assert finished == "False"
