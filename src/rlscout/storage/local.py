"""The store in a SQLite file of this machine."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path
from sqlite3 import Connection
from types import TracebackType
from typing import Any, Self

import msgspec

from rlscout.storage import (
    Certificate,
    Claim,
    CleanedUp,
    Duel,
    DuelGame,
    Evaluation,
    GameSamples,
    Metric,
    Model,
    SampleBatch,
    SampleCounts,
    Store,
    StoreInfo,
    TrainingState,
)
from rlscout.storage.database import SCHEMA_VERSION, Database
from rlscout.storage.samples import check_game, count_samples, insert_games, read_samples, remove_samples

DATABASE = "rlscout.db"
CLEAN_SAMPLES, CLEAN_MODELS, CLEAN_METRICS = 20_000, 20, 20_000
"""Removed by one call, so that others wait a few tenths of a second at most."""

# Columns in the order of the fields of the record.
_DUEL = ", ".join(Duel.__struct_fields__)
_CLAIM = ", ".join(Claim.__struct_fields__)


class LocalStore(Store):
    """`Store` over one SQLite file; several processes may have it open at once."""

    def __init__(self, where: Path, game: str | None = None) -> None:
        """`where`: a folder, whose database is `rlscout.db`, or a database file (`*.db`)."""
        self._database = Database(where if where.suffix == ".db" else where / DATABASE, game)

    def ping(self) -> StoreInfo:
        return StoreInfo(self._database.game, SCHEMA_VERSION, str(self._database.path.absolute()))

    def close(self) -> None:
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Samples

    def add_games(self, games: Sequence[GameSamples]) -> int:
        for game in games:
            check_game(game)
        with self._database.write() as connection:
            return insert_games(connection, games)

    def read_samples(self, after_id: int, limit: int = 50_000) -> SampleBatch:
        with self._database.read() as connection:
            return read_samples(connection, after_id, limit)

    def sample_counts(self) -> SampleCounts:
        with self._database.read() as connection:
            return count_samples(connection)

    # Models

    def add_model(self, key: str, weights: bytes, parent: int, step: int, info: dict[str, Any]) -> int:
        with self._database.write(durable=True) as connection:
            row = connection.execute("select id from models where key = ?", (key,)).fetchone()
            if row is not None:
                return int(row[0])
            _check_model(connection, parent)
            model = connection.execute(
                "insert into models (parent, step, created, key, info) values (?, ?, ?, ?, ?)",
                (parent, step, time.time(), key, _json(info)),
            ).lastrowid
            assert model is not None
            connection.execute("insert into weights values (?, ?)", (model, weights))
            return model

    def models(self) -> list[Model]:
        with self._database.read() as connection:
            rows = connection.execute(
                "select id, key, parent, step, created, evaluation, info, weights.model is not null "
                "from models left join weights on weights.model = models.id order by id"
            ).fetchall()
        return [Model(*[*row, msgspec.json.decode(info), bool(has_weights)]) for *row, info, has_weights in rows]

    def weights(self, model: int) -> bytes:
        with self._database.read() as connection:
            _check_model(connection, model)
            row = connection.execute("select data from weights where model = ?", (model,)).fetchone()
        if row is None:
            raise ValueError(f"model {model} has no weights" + (" (they were cleaned up)" if model else ""))
        return bytes(row[0])

    def best_model(self) -> int:
        with self._database.read() as connection:
            return int(connection.execute("select max(id) from models where evaluation = '+'").fetchone()[0])

    def pending_models(self) -> list[int]:
        with self._database.read() as connection:
            return [row[0] for row in connection.execute("select id from models where evaluation is null order by id")]

    def set_evaluation(self, model: int, evaluation: Evaluation) -> None:
        with self._database.write(durable=True) as connection:
            _evaluate(connection, model, evaluation)

    def save_training(self, state: TrainingState) -> None:
        with self._database.write() as connection:
            connection.execute(
                "insert or replace into training values (0, ?, ?, ?, ?)",
                (state.step, state.last_sample_id, time.time(), state.data),
            )

    def load_training(self) -> TrainingState | None:
        with self._database.read() as connection:
            row = connection.execute("select step, last_sample_id, data from training").fetchone()
        return None if row is None else TrainingState(*row)

    # Duels

    def open_duel(self, candidate: int, baseline: int, options: dict[str, Any]) -> Duel:
        key = (candidate, baseline, _json(options))
        with self._database.write() as connection:
            _check_model(connection, candidate)
            _check_model(connection, baseline)
            connection.execute(
                "insert into duels (candidate, baseline, options, created) values (?, ?, ?, ?) on conflict do nothing",
                (*key, time.time()),
            )
            found = "select id from duels where candidate = ? and baseline = ? and options = ?"
            return _duel(connection, connection.execute(found, key).fetchone()[0])

    def add_duel_games(
        self, duel: int, games: Sequence[DuelGame], llr: float, elo: float, elo_low: float, elo_high: float
    ) -> Duel:
        with self._database.write() as connection:
            before = _duel(connection, duel)
            connection.executemany(
                "insert into duel_games values (?, ?, ?, ?, ?) on conflict do nothing",
                [(duel, game.number, game.candidate_first, game.score, _json(game.moves)) for game in games],
            )
            wins, draws, losses = connection.execute(
                "select total(score > 0), total(score = 0), total(score < 0) from duel_games where duel = ?", (duel,)
            ).fetchone()
            if before.verdict is not None:
                if wins + draws + losses > before.wins + before.draws + before.losses:
                    raise ValueError(f"duel {duel} ended with the verdict {before.verdict}: it takes no more games")
                return before
            connection.execute(
                "update duels set wins = ?, draws = ?, losses = ?, llr = ?, elo = ?, elo_low = ?, elo_high = ? "
                "where id = ?",
                (int(wins), int(draws), int(losses), llr, elo, elo_low, elo_high, duel),
            )
            return _duel(connection, duel)

    def finish_duel(self, duel: int, verdict: str, evaluation: Evaluation | None) -> Duel:
        with self._database.write(durable=True) as connection:
            before = _duel(connection, duel)
            if before.verdict not in (None, verdict):
                raise ValueError(f"duel {duel} ended with the verdict {before.verdict}, it cannot become {verdict}")
            connection.execute("update duels set verdict = ? where id = ?", (verdict, duel))
            if evaluation is not None:
                _evaluate(connection, before.candidate, evaluation)
            return _duel(connection, duel)

    def duels(self) -> list[Duel]:
        with self._database.read() as connection:
            return [_as_duel(row) for row in connection.execute(f"select {_DUEL} from duels order by id")]

    def duel_games(self, duel: int) -> list[DuelGame]:
        with self._database.read() as connection:
            _duel(connection, duel)
            rows = connection.execute(
                "select number, candidate_first, score, moves from duel_games where duel = ? order by number", (duel,)
            ).fetchall()
        return [
            DuelGame(number, bool(first), score, msgspec.json.decode(moves)) for number, first, score, moves in rows
        ]

    # Claims

    def add_claim(self, claim: Claim) -> Claim:
        if claim.lower > claim.upper:
            raise ValueError(f"claim about {claim.position}: lower {claim.lower} is above upper {claim.upper}")
        key = (claim.scoring, claim.position, claim.lower, claim.upper, claim.nodes, claim.evaluations, claim.seconds,
               _json(claim.options))  # fmt: skip
        with self._database.write(durable=True) as connection:
            known = _bounds(connection, claim.scoring, claim.position)
            if known is not None and (claim.lower > known[1] or claim.upper < known[0]):
                raise ValueError(
                    f"the claim {claim.lower} <= score <= {claim.upper} ({claim.scoring}) about {claim.position} "
                    f"contradicts what was proven before: {known[0]} <= score <= {known[1]}"
                )
            connection.execute(
                "insert into claims (scoring, position, lower, upper, nodes, evaluations, seconds, options, created) "
                "values (?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing",
                (*key, time.time()),
            )
            return _as_claim(
                connection.execute(
                    f"select {_CLAIM} from claims where scoring = ? and position = ? and lower = ? and upper = ? "
                    "and nodes = ? and evaluations = ? and seconds = ? and options = ?",
                    key,
                ).fetchone()
            )

    def claims(self, position: str | None = None) -> list[Claim]:
        query = f"select {_CLAIM} from claims where ?1 is null or position = ?1 order by id"
        with self._database.read() as connection:
            return [_as_claim(row) for row in connection.execute(query, (position,))]

    def bounds(self, scoring: str, position: str) -> tuple[int, int] | None:
        with self._database.read() as connection:
            return _bounds(connection, scoring, position)

    def add_certificate(self, certificate: Certificate) -> None:
        with self._database.write(durable=True) as connection:
            if not connection.execute("select 1 from claims where id = ?", (certificate.claim,)).fetchone():
                raise ValueError(f"certificate {certificate.path}: there is no claim {certificate.claim}")
            connection.execute(
                "insert or replace into certificates values (?, ?, ?)",
                (certificate.path, certificate.claim, certificate.grade),
            )

    def certificates(self) -> list[Certificate]:
        with self._database.read() as connection:
            rows = connection.execute("select path, claim, grade from certificates order by path").fetchall()
        return [Certificate(*row) for row in rows]

    # Metrics, the run, the clean-up

    def add_metrics(self, metrics: Sequence[Metric]) -> None:
        with self._database.write() as connection:
            connection.executemany(
                "insert into metrics values (?, ?, ?, ?) on conflict do nothing",
                [(metric.name, metric.time, metric.source, metric.value) for metric in metrics],
            )

    def read_metrics(self, name: str, since: float = 0.0) -> list[Metric]:
        with self._database.read() as connection:
            rows = connection.execute(
                "select time, source, value from metrics where name = ? and time >= ? order by time", (name, since)
            ).fetchall()
        return [Metric(when, source, name, math.nan if value is None else value) for when, source, value in rows]

    def set_run_value(self, key: str, value: str) -> None:
        if key == "game":
            raise ValueError(f"the game of a database is fixed: {self._database.game}")
        with self._database.write(durable=True) as connection:
            held = connection.execute("select value from run where key = ?", (key,)).fetchone()
            if key == "scoring" and held not in (None, (value,)):
                raise ValueError(
                    f"{self._database.path} holds games scored by {held[0]}, not {value}: give another folder for {value}"
                )
            connection.execute("insert or replace into run values (?, ?)", (key, value))

    def count(self, key: str) -> int:
        # Durable: were a start of self-play forgotten, the names of its next games would be those of others, and the store would
        # take them for known.
        with self._database.write(durable=True) as connection:
            held = connection.execute("select value from run where key = ?", (key,)).fetchone()
            before = int(held[0]) if held else 0
            connection.execute("insert or replace into run values (?, ?)", (key, str(before + 1)))
        return before

    def run_values(self) -> dict[str, str]:
        with self._database.read() as connection:
            return dict(connection.execute("select key, value from run order by key").fetchall())

    def clean_up(self, keep_samples: int, keep_models: int, keep_metrics: int) -> CleanedUp:
        if min(keep_samples, keep_models, keep_metrics) < 0:
            raise ValueError(f"keep {keep_samples} samples, {keep_models} models, {keep_metrics} metrics: not below 0")
        with self._database.write() as connection:
            received = connection.execute("select coalesce(max(last_sample_id), 0) from training").fetchone()[0]
            samples, more = remove_samples(connection, keep_samples, received, CLEAN_SAMPLES)
            models = connection.execute(
                "delete from weights where model in (select model from weights where model <= "
                "(select id from models where evaluation = '-' order by id desc limit 1 offset ?) "
                "and (select evaluation from models where id = model) = '-' order by model limit ?)",
                (keep_models, CLEAN_MODELS),
            ).rowcount
            metrics = connection.execute(
                "delete from metrics where (name, time, source) in (select name, time, source from metrics "
                "where time < (select time from metrics order by time desc limit 1 offset ?) order by time limit ?)",
                (max(0, keep_metrics - 1), CLEAN_METRICS),
            ).rowcount
        return CleanedUp(samples, models, metrics, more or models == CLEAN_MODELS or metrics == CLEAN_METRICS)


def _json(value: object) -> str:
    return msgspec.json.encode(value, order="sorted").decode()


def _check_model(connection: Connection, model: int) -> None:
    if not connection.execute("select 1 from models where id = ?", (model,)).fetchone():
        raise ValueError(f"there is no model {model}")


def _evaluate(connection: Connection, model: int, evaluation: Evaluation) -> None:
    if evaluation not in ("+", "-"):
        raise ValueError(f"evaluation {evaluation!r}: allowed are '+' and '-'")
    _check_model(connection, model)
    before = connection.execute("select evaluation from models where id = ?", (model,)).fetchone()[0]
    if before not in (None, evaluation):
        raise ValueError(f"the evaluation of model {model} is {before!r}, it cannot become {evaluation!r}")
    connection.execute("update models set evaluation = ? where id = ?", (evaluation, model))


def _duel(connection: Connection, duel: int) -> Duel:
    row = connection.execute(f"select {_DUEL} from duels where id = ?", (duel,)).fetchone()
    if row is None:
        raise ValueError(f"there is no duel {duel}")
    return _as_duel(row)


def _as_duel(row: tuple[Any, ...]) -> Duel:
    duel, candidate, baseline, options, *rest = row
    return Duel(duel, candidate, baseline, msgspec.json.decode(options), *rest)


def _as_claim(row: tuple[Any, ...]) -> Claim:
    *rest, options, number, created = row
    return Claim(*[*rest, msgspec.json.decode(options), number, created])


def _bounds(connection: Connection, scoring: str, position: str) -> tuple[int, int] | None:
    lower, upper = connection.execute(
        "select max(lower), min(upper) from claims where scoring = ? and position = ?", (scoring, position)
    ).fetchone()
    return None if lower is None else (lower, upper)
