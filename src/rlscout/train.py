"""The training job: new samples in, candidate networks out, for ever; after a kill it goes on where it was.

    train(config, store, engine, stop)

Three threads, so that the one with torch in it never waits for a disk or a socket:

    feeder    store -> replay window (in memory) -> batches, each sample under a symmetry drawn anew -> queue of batches
    trainer   queue of batches -> steps of the learner -> copies of its state
    saver     copies of its state -> store: the training state, and candidates for the duel

The feeder paces learning: each new sample is drawn `reuse` times on average, and no more, so that a short run does not
learn a few games by heart. The trainer then waits for self-play.

Several processes may do this together (data parallelism): each draws its share of every batch, their gradients are averaged,
and rank 0 alone reports and saves. Before each step they agree whether all have a batch and whether one wants to stop.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np
import torch
from torch import Tensor

from rlscout.config import Config, TrainConfig, device_of
from rlscout.inference.torch import torch_device
from rlscout.learner import Batch, Group, Learner, state_bytes
from rlscout.native import Engine
from rlscout.network import Header, planes
from rlscout.process import patiently
from rlscout.ranks import Place
from rlscout.storage import Metric, SampleBatch, Store, TrainingState

log = logging.getLogger(__name__)

READ_SAMPLES = 20_000
POLL_SECONDS = 0.2
QUEUED_BATCHES = 8


class ReplayWindow:
    """The newest samples in memory: a ring that overwrites the oldest."""

    def __init__(self, engine: Engine, size: int) -> None:
        self._engine, self._size = engine, size
        self._positions = np.empty((size, 2 * engine.words), np.uint64)
        self._visits = np.empty((size, engine.squares), np.uint16)
        self._outcome = np.empty(size, np.int32)
        self._value = np.empty(size, np.float32)
        self._received = 0
        self._source = np.argsort(engine.symmetry_squares(), axis=1)
        """[G, S]: the square that symmetry `g` brings to square `s`."""

    def __len__(self) -> int:
        return min(self._received, self._size)

    def add(self, samples: SampleBatch) -> None:
        keep = slice(max(0, len(samples.ids) - self._size), None)
        at = (self._received + np.arange(len(samples.ids))[keep]) % self._size
        self._positions[at] = samples.positions[keep]
        self._visits[at] = samples.visits[keep]
        self._outcome[at] = samples.outcome[keep]
        self._value[at] = samples.value[keep]
        self._received += len(samples.ids)

    def draw(self, count: int, newest: int, generator: np.random.Generator, margin: float, root_value: float) -> Batch:
        """`count` of the `newest` samples, each under a random symmetry.

        The value to learn is `(1 - root_value) * value_of(outcome) + root_value * value of the search`."""
        age = generator.integers(1, min(newest, len(self)) + 1, count)
        index = (self._received - age) % self._size
        symmetry = generator.integers(0, self._engine.symmetries, count, dtype=np.uint8)
        positions = self._engine.transform(self._positions[index], symmetry)
        visits = np.take_along_axis(self._visits[index], self._source[symmetry], axis=1).astype(np.float32)
        outcome = self._engine.values(self._outcome[index], margin)
        return Batch(
            planes(positions, self._engine.legal(positions), self._engine.rows, self._engine.columns),
            visits / np.maximum(visits.sum(axis=1, keepdims=True), 1.0),
            ((1.0 - root_value) * outcome + root_value * self._value[index]).astype(np.float32),
        )


@dataclass
class Feeder:
    """Receives new samples and makes batches, each one of `ranks` equal parts of a whole one; `run` is a thread of its own until
    `stop` is set."""

    store: Store
    engine: Engine
    config: TrainConfig
    margin: float
    generator: np.random.Generator
    ranks: int = 1
    stop: threading.Event = field(default_factory=threading.Event)
    drawn: int = 0
    """Samples in all batches ever made, those of other ranks and of earlier runs included."""
    received: int = 0
    """Id of the newest sample received: also the number of samples ever stored."""
    batches: queue.Queue[Batch] = field(default_factory=lambda: queue.Queue(QUEUED_BATCHES))

    def run(self) -> None:
        config = self.config
        window = ReplayWindow(self.engine, config.window)
        self.received = max(0, self.received - config.window)
        next_poll = 0.0
        while not self.stop.is_set():
            enough = self.received >= config.min_samples and len(window) > 0
            if (begin := time.monotonic()) >= next_poll:
                more = self._receive(window)
                now = time.monotonic()
                # Where samples flood in, half of the time is left for batches.
                next_poll = now + (POLL_SECONDS if not more else now - begin if enough else 0.0)
            if not enough or self.drawn + config.batch > config.reuse * self.received:
                self.stop.wait(max(0.0, next_poll - time.monotonic()))
                continue
            newest = max(config.min_samples, round(config.window_share * self.received))
            part = config.batch // self.ranks
            batch = window.draw(part, newest, self.generator, self.margin, config.root_value)
            self.drawn += config.batch
            self._hand_over(batch)

    def next(self) -> Batch | None:
        """The next batch; None where there is none for a while."""
        with suppress(queue.Empty):
            return self.batches.get(timeout=0.1)
        return None

    def _receive(self, window: ReplayWindow) -> bool:
        """Takes new samples; True: there may be more."""
        samples = patiently(lambda: self.store.read_samples(self.received, READ_SAMPLES), self.stop, log)
        if samples is None:
            return False
        if len(samples.ids):
            window.add(samples)
            self.received = samples.last_id
        return len(samples.ids) == READ_SAMPLES

    def _hand_over(self, batch: Batch) -> None:
        while not self.stop.is_set():
            with suppress(queue.Full):
                self.batches.put(batch, timeout=0.1)
                break


class Saver:
    """Writes what the trainer hands over, in order, in a thread of its own, patient with a store that is away until `stop` is
    set; another error there is raised by `idle`."""

    def __init__(self, store: Store, learner: Learner, feeder: Feeder, stop: threading.Event) -> None:
        self._store, self._learner, self._feeder, self._stop = store, learner, feeder, stop
        self._pool = ThreadPoolExecutor(1, "saver")
        self._pending: list[Future[None]] = []

    def idle(self) -> bool:
        """Whether all that was handed over is stored."""
        for done in [future for future in self._pending if future.done()]:
            self._pending.remove(done)
            done.result()
        return not self._pending

    def snapshot(self, publish: bool) -> None:
        """Copies the learner's state now and stores it soon; with `publish` its network becomes a candidate as well,
        unless one still waits for the verdict of its duel: the next one will then be fresher."""
        learner, store = self._learner, self._store
        network = learner.network() if publish else None
        state, step, received = learner.state(), learner.step, self._feeder.received
        notes = {"drawn": self._feeder.drawn}

        def write() -> None:
            if network is not None and not store.pending_models():
                parent = store.best_model()
                header = replace(network.header, parent=parent)
                weights = replace(network, header=header).to_bytes()
                info = {"version": header.version, "samples": received}
                log.info("candidate %d at step %d", store.add_model(f"step:{step}", weights, parent, step, info), step)
            store.save_training(TrainingState(step, received, state_bytes(state, step, notes)))

        self._pending.append(self._pool.submit(patiently, write, self._stop, log))

    def metrics(self, values: dict[str, float]) -> None:
        metrics = [Metric(time.time(), "train", name, value) for name, value in values.items()]
        self._pending.append(self._pool.submit(patiently, lambda: self._store.add_metrics(metrics), self._stop, log))

    def close(self) -> None:
        self._pool.shutdown()
        self.idle()


class Report:
    """Losses and speed since the last report, to the log and to the store."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._losses: list[Tensor] = []
        self._samples = 0
        self._since = time.monotonic()

    def add(self, losses: Tensor, samples: int) -> None:
        self._losses.append(losses)
        self._samples += samples

    def tell(self, learner: Learner, feeder: Feeder, saver: Saver) -> None:
        """Reports where it is time to."""
        elapsed = time.monotonic() - self._since
        if elapsed < self._seconds:
            return
        values = {"step": float(learner.step), "samples_per_second": self._samples / elapsed}
        if self._losses:
            policy, value = torch.stack(self._losses).mean(dim=0).tolist()
            values |= {"policy_loss": policy, "value_loss": value}
            log.info(
                "step %d: policy loss %.3f, value loss %.3f, %.0f samples/s",
                learner.step,
                policy,
                value,
                values["samples_per_second"],
            )
        else:
            log.info("waiting for samples: %d received", feeder.received)
        saver.metrics(values)
        self._losses, self._samples, self._since = [], 0, time.monotonic()


def train(
    config: Config,
    store: Store,
    engine: Engine,
    stop: threading.Event,
    steps: int | None = None,
    place: Place | None = None,
) -> int:
    """Trains until `stop` is set or, with `steps`, until that many were made in all runs together; returns the step. With a
    place, as one of several processes, which all end when one does.

    Saves its state before it returns. StoreError where the store fails, ValueError where the saved state does not fit
    the config, RuntimeError where another process died."""
    settings = config.train

    def done() -> bool:
        return steps is not None and learner.step >= steps

    with closing(Group(place)) as group:
        learner, feeder = _resume(config, store, engine, group)
        saver, report = Saver(store, learner, feeder, stop), Report(settings.report_seconds)
        leads, batch = group.rank == 0, None
        published, next_snapshot = learner.step, time.monotonic() + settings.snapshot_seconds
        with ThreadPoolExecutor(1, "feeder") as pool, closing(saver):
            feeding = pool.submit(feeder.run)
            try:
                while True:
                    if feeding.done():
                        feeding.result()
                    batch = batch or feeder.next()
                    ready, end = group.agree(batch is not None, stop.is_set() or done())
                    if end:
                        break
                    if ready and batch is not None:
                        report.add(learner.learn(batch), settings.batch)
                        batch = None
                    if not leads:
                        continue
                    report.tell(learner, feeder, saver)
                    publish = learner.step - published >= settings.publish_steps
                    if saver.idle() and (publish or time.monotonic() >= next_snapshot):
                        saver.snapshot(publish)
                        published = learner.step if publish else published
                        next_snapshot = time.monotonic() + settings.snapshot_seconds
            finally:
                feeder.stop.set()
            if leads:
                saver.snapshot(publish=False)
        return learner.step


def _resume(config: Config, store: Store, engine: Engine, group: Group) -> tuple[Learner, Feeder]:
    """The learner and its feeder as the last run left them, or new ones."""
    settings = config.train
    device = torch_device(device_of(settings.device, group.rank))
    if group.size > 1 and device.type == "cuda" and device.index is None:
        device = torch_device(f"cuda:{group.rank}")
    if device.type == "cpu":
        torch.set_num_threads(settings.threads)
    learner = Learner(
        Header(engine.name, engine.rows, engine.columns, config.network), settings, config.seed, device, group
    )
    found = msgspec.msgpack.encode(store.load_training() if group.rank == 0 else None)
    saved = msgspec.msgpack.decode(group.share(found), type=TrainingState | None)
    drawn = int(learner.restore(saved.data)["drawn"]) if saved else 0
    received = saved.last_sample_id if saved else 0
    log.info("training from step %d on %s, rank %d of %d", learner.step, device, group.rank, group.size)
    generator = np.random.default_rng([config.seed, learner.step, group.rank])
    feeder = Feeder(
        store, engine, settings, config.search.margin, generator, group.size, drawn=drawn, received=received
    )
    return learner, feeder
