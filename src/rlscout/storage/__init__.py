"""What a run remembers: samples, models, duels, claims and metrics, behind a few small protocols.

`open_store` gives a `Store`: a folder on this machine (SQLite) or a server (`tcp://...`); callers see no difference.

* A write returns only when it is durable: what was acknowledged is there after a `kill -9` at any moment. After a power
  loss the last seconds of samples, metrics and progress may be missing (SQLite's NORMAL), while models, promotions,
  claims and certificates are flushed to the disk before the call returns (FULL). Either way the database holds a prefix
  of the writes, in order: nothing kept ever refers to something lost.
* Every write is idempotent: sending it again changes nothing.
* Wrong arguments raise ValueError naming what was given and what is allowed. Everything else that may go wrong (no room
  on the disk, a damaged file, no answer from the server) raises StoreError, and leaves what was stored before intact.
* A store may be shared between threads; their calls take turns.

Arrays: `T` positions, `W` words per bitboard, `S` squares. Numbers are seen by the side to move unless said otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event
from types import TracebackType
from typing import Any, Literal, Protocol, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

from rlscout.games import canonical_name

Evaluation = Literal["+", "-"]
"""Of a model: "+" it was promoted, "-" it was not."""

Grade = Literal["checked", "re-runnable"]
"""Of a certificate: every leaf is checked by the checker itself, or leaves carry bounds and options to run again."""

READ_SAMPLES = 50_000
"""In one call, where all are read."""


class StoreError(Exception):
    """The store could not do what was asked, through no fault of the arguments; the text says what may help."""


class GameSamples(msgspec.Struct, frozen=True, eq=False):
    """One finished game of self-play: its searched positions, in order."""

    game: str  # unique in the database for ever, such as "SEED:NUMBER"; a game already there is not stored again
    produced_by_model: int  # 0: no network
    positions: NDArray[np.uint64]  # [T, 2W] packed
    visits: NDArray[np.uint16]  # [T, S]
    outcome: NDArray[np.int16]  # [T] exact final score
    value: NDArray[np.float32]  # [T] root value of the search, finite
    ply: NDArray[np.int16]  # [T]
    move: NDArray[np.int16]  # [T] the square played


class SampleBatch(msgspec.Struct, frozen=True, eq=False):
    """Samples in the order in which they were stored. No samples: every array has length 0."""

    last_id: int  # pass it as `after_id` to go on from here
    ids: NDArray[np.int64]  # [T] ascending
    games: NDArray[np.int64]  # [T] number of the game in this database, equal for samples of one game
    produced_by_model: NDArray[np.int32]  # [T]
    positions: NDArray[np.uint64]  # [T, 2W]
    visits: NDArray[np.uint16]  # [T, S]
    outcome: NDArray[np.int16]  # [T]
    value: NDArray[np.float32]  # [T]
    ply: NDArray[np.int16]  # [T]
    move: NDArray[np.int16]  # [T]


class SampleCounts(msgspec.Struct, frozen=True):
    games: int  # ever stored
    last_id: int  # of the newest sample; also the number of samples ever stored
    kept: int  # samples that the clean-up has left
    by_model: dict[int, int]  # of those kept


class Model(msgspec.Struct, frozen=True):
    id: int  # 0: no network
    key: str
    parent: int
    step: int  # training step
    created: float  # seconds since the epoch
    evaluation: Evaluation | None  # None: pending
    info: dict[str, Any]
    has_weights: bool  # False for model 0, and once cleaned up


class TrainingState(msgspec.Struct, frozen=True):
    """All that training needs to go on after a kill."""

    step: int
    last_sample_id: int  # samples up to this one were received; the clean-up spares all later ones
    data: bytes  # weights and optimizer (safetensors)


class DuelGame(msgspec.Struct, frozen=True):
    number: int  # games 2i and 2i + 1 are a pair: one opening, colours swapped
    candidate_first: bool
    score: int  # for the candidate
    moves: list[int]  # squares from the initial position, opening included; -1 is a pass


class Duel(msgspec.Struct, frozen=True):
    id: int
    candidate: int
    baseline: int
    options: dict[str, Any]  # all that the games depend on: simulations, seed, openings, bounds of the test ...
    wins: int  # of the candidate, counted from the games stored
    draws: int
    losses: int
    llr: float | None  # log-likelihood ratio of the sequential test
    elo: float | None  # candidate over baseline, with the ends of its error bar; may be infinite
    elo_low: float | None
    elo_high: float | None
    verdict: str | None  # None while the duel is running
    created: float  # seconds since the epoch


class Claim(msgspec.Struct, frozen=True):
    """`lower <= score(position) <= upper`, proven."""

    scoring: str
    position: str  # text form, symmetric positions are not merged
    lower: int
    upper: int
    nodes: int
    evaluations: int
    seconds: float
    options: dict[str, Any]
    id: int = 0  # given by the store
    created: float = 0.0  # seconds since the epoch, given by the store


class Certificate(msgspec.Struct, frozen=True):
    path: str
    claim: int  # id of the claim it proves
    grade: Grade


class Metric(msgspec.Struct, frozen=True):
    time: float  # seconds since the epoch
    source: str  # who measured: "selfplay.WORKER", "train", ...
    name: str
    value: float


class StoreInfo(msgspec.Struct, frozen=True):
    game: str
    schema: int  # version of the database; that of the wire is checked with every message
    path: str  # of the database, where it is


class CleanedUp(msgspec.Struct, frozen=True):
    samples: int  # removed
    models: int  # whose weights were removed
    metrics: int  # removed
    more: bool  # True: call again, there is more to remove


class SampleStore(Protocol):
    def add_games(self, games: Sequence[GameSamples]) -> int:
        """Stores whole games, all or none, and returns how many were new. ValueError where an array has the wrong type
        or shape, or a model does not exist."""

    def read_samples(self, after_id: int, limit: int = 50_000) -> SampleBatch:
        """The samples with `id > after_id`, oldest first, at most `limit`. Ids follow the order of the commits, so that
        a reader that passes on `last_id` gets every sample once."""

    def sample_counts(self) -> SampleCounts:
        """How many samples and games there are, and were."""


class ModelStore(Protocol):
    def add_model(self, key: str, weights: bytes, parent: int, step: int, info: dict[str, Any]) -> int:
        """Stores a candidate and returns its id: of the model stored under `key` before, where there is one."""

    def models(self) -> list[Model]:
        """All, oldest first; the first is model 0."""

    def weights(self, model: int) -> bytes:
        """ValueError where the model does not exist or its weights are gone."""

    def best_model(self) -> int:
        """The newest promoted model; 0 where there is none."""

    def pending_models(self) -> list[int]:
        """Candidates without an evaluation, oldest first."""

    def set_evaluation(self, model: int, evaluation: Evaluation) -> None:
        """Final: ValueError where the model has the other evaluation."""

    def save_training(self, state: TrainingState) -> None:
        """Replaces the state saved before, at once or not at all."""

    def load_training(self) -> TrainingState | None:
        """The state saved last; None where there is none."""


class DuelStore(Protocol):
    def open_duel(self, candidate: int, baseline: int, options: dict[str, Any]) -> Duel:
        """The duel of these two under these options: the one begun before, where there is one."""

    def add_duel_games(
        self, duel: int, games: Sequence[DuelGame], llr: float, elo: float, elo_low: float, elo_high: float
    ) -> Duel:
        """Keeps finished games (by number) and where the test stands with them; a killed duel goes on from there."""

    def finish_duel(self, duel: int, verdict: str, evaluation: Evaluation | None) -> Duel:
        """Writes the verdict and, unless None, the evaluation of the candidate, in one flushed transaction. Final:
        ValueError where another verdict or evaluation was given before."""

    def duels(self) -> list[Duel]:
        """All, oldest first."""

    def duel_games(self, duel: int) -> list[DuelGame]:
        """In order of number."""


class ClaimStore(Protocol):
    def add_claim(self, claim: Claim) -> Claim:
        """Stores what a solver has proven and returns it with its id. ValueError where it contradicts a claim about the
        same position: one of the two proofs is wrong."""

    def claims(self, position: str | None = None) -> list[Claim]:
        """Of one position or of all, oldest first."""

    def bounds(self, scoring: str, position: str) -> tuple[int, int] | None:
        """All claims about a position taken together: (lower, upper), None where there is none."""

    def add_certificate(self, certificate: Certificate) -> None:
        """Replaces what was known about a certificate at the same path."""

    def certificates(self) -> list[Certificate]:
        """All, in order of their paths."""


class MetricStore(Protocol):
    def add_metrics(self, metrics: Sequence[Metric]) -> None:
        """One value per time, source and name: the first one stays."""

    def read_metrics(self, name: str, since: float = 0.0) -> list[Metric]:
        """The values of `name` with `time >= since`, in order of time."""


class RunStore(Protocol):
    """What the run is: small texts by key. "game" is fixed when the database is made, "scoring" by the first that sets it."""

    def set_run_value(self, key: str, value: str) -> None:
        """Replaces what the key had. ValueError where a fixed value is another."""

    def count(self, key: str) -> int:
        """How often this was called with `key` before, by whomever."""

    def run_values(self) -> dict[str, str]:
        """All, by key."""


class Store(SampleStore, ModelStore, DuelStore, ClaimStore, MetricStore, RunStore, Protocol):
    """All of it, in one database that holds one game."""

    def ping(self) -> StoreInfo:
        """Which game and database it is; of a server, that it answers."""

    def clean_up(self, keep_samples: int, keep_models: int, keep_metrics: int) -> CleanedUp:
        """Removes a bounded share of what is old, in well under a second; `more` says whether to call again.

        Whole games go, oldest first, as long as `keep_samples` samples stay and training has received the game: samples
        that no training has read are never removed, however many they are. The weights of models that were not promoted
        go, except the newest `keep_models`; those of promoted and pending models stay, and so do all rows of models.
        Metrics go, except the newest `keep_metrics`."""

    def close(self) -> None:
        """Nothing else may be called after."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def read_all(
    store: SampleStore, after_id: int = 0, limit: int | None = None, on_read: Callable[[int], None] = lambda count: None
) -> SampleBatch:
    """All samples with `id > after_id`, or the first `limit` of them, in as many calls as that takes; `on_read` hears of the
    number read so far."""
    parts: list[SampleBatch] = []
    count = 0
    while True:
        asked = READ_SAMPLES if limit is None else min(READ_SAMPLES, limit - count)
        parts.append(store.read_samples(after_id, asked))
        after_id, read = parts[-1].last_id, len(parts[-1].ids)
        if read:
            on_read(count := count + read)
        if read < asked or count == limit:
            break
    filled = [part for part in parts if len(part.ids)] or parts[:1]
    names = [name for name in SampleBatch.__struct_fields__ if name != "last_id"]
    return SampleBatch(after_id, *(np.concatenate([getattr(part, name) for part in filled]) for name in names))


def holds_run(folder: Path) -> bool:
    """Whether a folder of this machine holds a run's database."""
    from rlscout.storage.local import DATABASE

    return (folder / DATABASE).is_file()


def open_run(where: str | Path, game: str | None = None) -> Store:
    """Opens the database of the run in a folder of this machine, or connects to a server (`tcp://...`). ValueError where there is no
    run, or one of another game."""
    if "://" not in str(where) and not holds_run(Path(where)):
        raise ValueError(f"no run in {where}: `rlscout run` makes one, --data names its folder")
    return open_store(where, game)


def open_store(
    where: str | Path,
    game: str | None = None,
    *,
    keys: Path | None = None,
    timeout: float = 30.0,
    stopping: Event | None = None,
) -> Store:
    """Opens a folder or database file of this machine, or connects to a server (`tcp://host:port`).

    With `game`, by any of its names, a local database that is not there yet is made; ValueError where the database holds another game.
    For servers: `keys` is a folder of CURVE keys (see `keys.make_keys`). A call that is not answered is sent again, across
    restarts of the server, and raises StoreError after `timeout` seconds, or after two once `stopping` is set."""
    game = None if game is None else canonical_name(game)
    if "://" in str(where):
        from rlscout.storage.remote import connect

        return connect(str(where), game, keys, timeout, stopping)
    from rlscout.storage.local import LocalStore

    return LocalStore(Path(where), game)
