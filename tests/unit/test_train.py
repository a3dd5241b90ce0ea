"""Training: batches are symmetric images of samples, a restart changes nothing, and a tiny run learns and publishes."""

from __future__ import annotations

import ast
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import rank_learning
import safetensors.numpy
import torch

from rlscout import native
from rlscout.config import Config, NetworkConfig
from rlscout.learner import Batch, Learner, state_bytes
from rlscout.network import Header, bits, planes, read_network
from rlscout.ranks import together
from rlscout.storage import GameSamples, Metric, SampleBatch, open_store
from rlscout.train import Feeder, ReplayWindow, train

TINY = NetworkConfig(blocks=1, channels=8, policy_channels=4, value_channels=2, value_hidden=16)


def random_games(engine: native.Engine, count: int, seed: int) -> list[GameSamples]:
    """Random games; all visits of a position are on the moves that end the game at once, where there are any."""
    generator = np.random.default_rng(seed)
    games = []
    for number in range(count):
        position, played, shares, moves, sides = engine.initial()[None], [], [], [], 1
        while (phase := int(engine.phase(position)[0])) != 2:
            legal = np.flatnonzero(bits(engine.legal(position), engine.squares)[0])
            move = -1 if phase == 1 else int(generator.choice(legal))
            if phase == 0:
                children = engine.play(np.repeat(position, len(legal), 0), legal.astype(np.int32))
                ends = engine.phase(children) == 2
                visits = np.zeros(engine.squares, np.uint16)
                visits[legal] = 64 * ends if ends.any() else 8
                played.append((position[0], sides, len(moves), move))
                shares.append(visits)
            position = engine.play(position, np.array([move], np.int32))
            moves.append(move)
            sides = -sides
        score = int(engine.score(position)[0]) * sides
        games.append(
            GameSamples(
                game=f"{seed}:{number}",
                produced_by_model=0,
                positions=np.array([p for p, _, _, _ in played]),
                visits=np.array(shares),
                outcome=np.array([score * side for _, side, _, _ in played], np.int16),
                value=np.zeros(len(played), np.float32),
                ply=np.array([ply for _, _, ply, _ in played], np.int16),
                move=np.array([move for _, _, _, move in played], np.int16),
            )
        )
    return games


def config(**changes: float) -> Config:
    made = Config(game="mnk:3,3,3", network=TINY)
    settings = {
        "batch": 32,
        "min_samples": 100,
        "window": 5000,
        "reuse": 1000.0,
        "publish_steps": 20,
        "average_steps": 20,
    }
    return replace(made, train=replace(made.train, **{**settings, **changes}))


@pytest.mark.parametrize("game", ["mnk:4,3,3", "othello6", "mnk:15,15,5"])
def test_batches_are_symmetric_images_of_samples(game: str) -> None:
    engine = native.engine(game)
    played = random_games(engine, 2, seed=3)
    positions, visits = (np.concatenate([getattr(g, name) for g in played]) for name in ("positions", "visits"))
    visits = np.where(visits > 0, visits + np.arange(engine.squares), 0).astype(np.uint16)
    count = len(positions)
    empty = np.zeros(count, np.int16)
    tags = np.arange(count, dtype=np.float32)
    window = ReplayWindow(engine, count)
    window.add(SampleBatch(0, empty, empty, empty, positions, visits, empty, tags, empty, empty))
    batch = window.draw(300, count, np.random.default_rng(0), 0.2, 1.0)
    table, seen = engine.symmetry_squares(), set()
    for seen_planes, policy, tag in zip(*batch, strict=True):
        sample = int(tag)
        for symmetry in range(engine.symmetries):
            image = engine.transform(positions[sample][None], np.array([symmetry], np.uint8))
            moved = np.zeros(engine.squares)
            moved[table[symmetry]] = visits[sample] / visits[sample].sum()
            wanted = planes(image, engine.legal(image), engine.rows, engine.columns)[0]
            if np.array_equal(wanted, seen_planes) and np.allclose(moved, policy):
                seen.add(symmetry)
                break
        else:
            pytest.fail(f"sample {sample} was drawn as what is none of its images")
    assert seen == set(range(engine.symmetries))


def test_the_window_keeps_the_newest() -> None:
    engine = native.engine("mnk:3,3,3")
    window = ReplayWindow(engine, 10)
    tag = 0
    for size in (4, 0, 5, 23, 6):
        position = np.repeat(engine.initial()[None], size, 0)
        numbers, none = np.arange(tag, tag + size, dtype=np.float32), np.zeros(size, np.int16)
        visits = np.ones((size, 9), np.uint16)
        window.add(SampleBatch(0, none, none, none, position, visits, none, numbers, none, none))
        tag += size
        drawn = {
            newest: set(window.draw(200, newest, np.random.default_rng(1), 0.2, 1.0).value.tolist())
            for newest in (3, 10, 50)
        }
        for newest, values in drawn.items():
            assert values == set(range(max(0, tag - min(newest, 10)), tag))


def batches(count: int) -> list[Batch]:
    engine, generator = native.engine("mnk:3,3,3"), np.random.default_rng(2)
    games = random_games(engine, 20, seed=1)
    positions, visits, outcome = (
        np.concatenate([getattr(g, n) for g in games]) for n in ("positions", "visits", "outcome")
    )
    made = []
    for _ in range(count):
        index = generator.integers(0, len(positions), 16)
        seen = planes(positions[index], engine.legal(positions[index]), 3, 3)
        shares = visits[index] / visits[index].sum(axis=1, keepdims=True)
        made.append(Batch(seen, shares.astype(np.float32), outcome[index].astype(np.float32)))
    return made


@pytest.mark.parametrize("batch_norm", [False, True])
def test_a_restored_learner_goes_on_to_the_bit(batch_norm: bool) -> None:
    header = Header("mnk:3,3,3", 3, 3, replace(TINY, batch_norm=batch_norm))
    whole, settings, cpu = batches(12), config().train, torch.device("cpu")
    through = Learner(header, settings, 7, cpu)
    before = [through.learn(batch).tolist() for batch in whole[:6]]
    saved = state_bytes(through.state(), through.step, {"drawn": 96})
    after = [through.learn(batch).tolist() for batch in whole[6:]]
    restarted = Learner(header, settings, 8, cpu)
    assert restarted.restore(saved) == {"drawn": 96}
    assert [restarted.learn(batch).tolist() for batch in whole[6:]] == after
    assert restarted.network().to_bytes() == through.network().to_bytes()
    again = Learner(header, settings, 7, cpu)
    assert [again.learn(batch).tolist() for batch in whole[:6]] == before, "the seed decides the first weights"


def test_processes_learn_together_as_one_does_alone(tmp_path: Path) -> None:
    """Up to rounding: the sums of the gradients are of another order. With batch norm, whose statistics are those of each
    share, it is only the same on all."""
    plain = Header("mnk:3,3,3", 3, 3, TINY)
    headers = {"plain": plain, "norm": replace(plain, architecture=replace(TINY, batch_norm=True))}
    settings, whole = config().train, batches(8)
    assert together(rank_learning.learn, 2, threading.Event(), headers, settings, whole, tmp_path) == 0
    for name in headers:
        first, second = ((tmp_path / f"{name}.{rank}.state").read_bytes() for rank in range(2))
        assert first == second
    alone = Learner(plain, settings, 7, torch.device("cpu"))
    losses = [alone.learn(batch).tolist() for batch in whole]
    np.testing.assert_allclose(ast.literal_eval((tmp_path / "plain.0.losses").read_text()), losses, atol=1e-4)
    learned = safetensors.numpy.load((tmp_path / "plain.0.state").read_bytes())
    for name, wanted in alone.state().items():
        np.testing.assert_allclose(learned[name], wanted, atol=1e-4, err_msg=name)


def test_a_state_of_another_network_is_refused() -> None:
    small = Header("mnk:3,3,3", 3, 3, TINY)
    cpu, settings = torch.device("cpu"), config().train
    learner = Learner(small, settings, 1, cpu)
    saved = state_bytes(learner.state(), 0, {})
    other = Learner(replace(small, architecture=replace(TINY, channels=12)), settings, 1, cpu)
    with pytest.raises(ValueError, match="of another network than"):
        other.restore(saved)
    with pytest.raises(ValueError, match="can't be read"):
        learner.restore(saved[:-1])


def test_a_tiny_run_learns_publishes_and_resumes(tmp_path: Path) -> None:
    engine = native.engine("mnk:3,3,3")
    with open_store(tmp_path, engine.name) as store:
        store.add_games(random_games(engine, 60, seed=5))
        assert train(config(), store, engine, threading.Event(), steps=25) == 25
        first = store.models()[-1]
        assert (first.parent, first.evaluation) == (0, None)
        assert read_network(store.weights(first.id), engine.name).header.step == first.step
        counted = store.sample_counts().last_id
        state = store.load_training()
        assert state is not None and (state.step, state.last_sample_id) == (25, counted)

        store.set_evaluation(first.id, "+")
        store.add_games(random_games(engine, 60, seed=6))
        assert train(config(), store, engine, threading.Event(), steps=150) == 150
        second = store.models()[-1]
        assert second.parent == first.id
        assert len(store.models()) == 3, "no candidate while one awaits its verdict"
        losses = [metric.value for metric in store.read_metrics("policy_loss")]
        assert all(np.isfinite(losses))

        network = read_network(store.weights(second.id), engine.name)
        position = engine.from_text("XX-OO---- X")[0][None]
        from rlscout.inference import best_moves, make_evaluator

        legal = engine.legal(position)
        policy, _ = make_evaluator("torch", network, "cpu").evaluate(position, legal)
        assert best_moves(policy, legal).tolist() == [2], "the move that ends the game at once"


def test_a_kill_between_a_candidate_and_the_state_it_came_from_doubles_nothing(tmp_path: Path) -> None:
    """Training then makes the same steps again; their candidate is there already."""
    engine = native.engine("mnk:3,3,3")

    class KilledError(Exception):
        pass

    def kill(_: object) -> None:
        if store.pending_models():
            raise KilledError

    with open_store(tmp_path, engine.name) as store:
        store.add_games(random_games(engine, 60, seed=5))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(store, "save_training", kill)
            with pytest.raises(KilledError):
                train(config(), store, engine, threading.Event(), steps=200)
        assert store.load_training() is None
        [candidate] = store.pending_models()
        step, weights = store.models()[-1].step, store.weights(candidate)
        store.set_evaluation(candidate, "-")
        assert train(config(), store, engine, threading.Event(), steps=step + 1) == step + 1
        assert [model.step for model in store.models()] == [0, step]
        assert store.weights(candidate) == weights
        state = store.load_training()
        assert state is not None and state.step == step + 1


def test_training_waits_for_samples(tmp_path: Path) -> None:
    """Each sample is drawn `reuse` times and no more, across restarts."""
    engine = native.engine("mnk:3,3,3")
    with open_store(tmp_path, engine.name) as store:
        store.add_games(random_games(engine, 30, seed=5))
        received = store.sample_counts().last_id
        allowed = int(2.0 * received) // 32
        for _ in range(2):
            stop, reached = threading.Event(), []

            def stop_after_two_more(
                metrics: Sequence[Metric], stop: threading.Event = stop, reached: list[float] = reached
            ) -> None:
                reached += [metric.value for metric in metrics if metric.name == "step" and metric.value >= allowed]
                if len(reached) > 2:
                    stop.set()

            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(store, "add_metrics", stop_after_two_more)
                assert train(config(reuse=2.0, report_seconds=0.05), store, engine, stop) == allowed
        store.add_games(random_games(engine, 10, seed=6))
        more = int(2.0 * store.sample_counts().last_id) // 32
        assert train(config(reuse=2.0), store, engine, threading.Event(), steps=more) == more > allowed


def test_each_rank_draws_its_part_of_every_batch(tmp_path: Path) -> None:
    """And all of them wait for samples at the same step."""
    engine = native.engine("mnk:3,3,3")
    with open_store(tmp_path, engine.name) as store:
        store.add_games(random_games(engine, 30, seed=5))
        allowed = int(2.0 * store.sample_counts().last_id) // 32
        for rank in range(2):
            settings, generator = config(reuse=2.0).train, np.random.default_rng(rank)
            feeder = Feeder(store, engine, settings, 0.2, generator, 2)
            thread = threading.Thread(target=feeder.run)
            thread.start()
            try:
                drawn = [feeder.batches.get(timeout=60) for _ in range(allowed)]
                assert feeder.next() is None
            finally:
                feeder.stop.set()
                thread.join()
            assert {len(batch.value) for batch in drawn} == {16}
            assert feeder.drawn == 32 * allowed


def test_a_flood_of_samples_leaves_time_for_batches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Many full reads on end: batches are made meanwhile, and every sample is received in the end."""
    monkeypatch.setattr("rlscout.train.READ_SAMPLES", 10)
    monkeypatch.setattr("rlscout.train.QUEUED_BATCHES", 1)
    engine = native.engine("mnk:3,3,3")
    with open_store(tmp_path, engine.name) as store:
        store.add_games(random_games(engine, 60, seed=5))
        total = store.sample_counts().last_id
        assert total > 300
        settings = replace(config(reuse=2.0).train, min_samples=50)
        feeder = Feeder(store, engine, settings, 0.2, np.random.default_rng(1))
        thread = threading.Thread(target=feeder.run)
        thread.start()
        try:
            first, received = feeder.batches.get(timeout=60), feeder.received
            calls = 0
            while feeder.next() is not None or feeder.received < total:
                assert (calls := calls + 1) < 600, f"only {feeder.received} of {total} samples were received"
        finally:
            feeder.stop.set()
            thread.join()
        assert len(first.value) == settings.batch
        assert received < total
        assert feeder.received == total
        assert feeder.drawn == int(2.0 * total) // settings.batch * settings.batch
