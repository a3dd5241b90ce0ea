"""Samples between arrays and rows of SQLite: one row per sample, positions and visits as little-endian bytes."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from rlscout.storage import GameSamples, SampleBatch, SampleCounts

MAX_READ = 1_000_000  # samples in one answer

_COLUMNS = {  # type and dimensions, of a game and of a batch alike
    "positions": ("<u8", 2),
    "visits": ("<u2", 2),
    "outcome": ("<i2", 1),
    "value": ("<f4", 1),
    "ply": ("<i2", 1),
    "move": ("<i2", 1),
}


def check_game(game: GameSamples) -> None:
    """ValueError names the array that has not the type or shape it should have."""
    for name, (dtype, dimensions) in _COLUMNS.items():
        array = getattr(game, name)
        if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != dimensions:
            given = f"{array.dtype} {list(array.shape)}" if isinstance(array, np.ndarray) else type(array).__name__
            raise ValueError(
                f"game {game.game}: {name} is {given}, wanted is {np.dtype(dtype)} in {dimensions} dimension(s)"
            )
        if len(array) != len(game.positions):
            raise ValueError(f"game {game.game}: {name} has {len(array)} entries, positions {len(game.positions)}")
    if game.positions.shape[1] == 0 or game.positions.shape[1] % 2 or game.visits.shape[1] == 0:
        raise ValueError(
            f"game {game.game}: positions {list(game.positions.shape)} must be [T, 2W], "
            f"visits {list(game.visits.shape)} must be [T, S]"
        )
    own, opponent = np.split(game.positions, 2, axis=1)
    if (both := (own & opponent).any(axis=1)).any():
        raise ValueError(f"game {game.game}: position {int(both.argmax())} has stones of both sides on one square")
    if not np.isfinite(game.value).all():
        raise ValueError(f"game {game.game}: value holds infinities or what is not a number")


def insert_games(connection: sqlite3.Connection, games: Sequence[GameSamples]) -> int:
    """Inserts the checked games that are not there yet, inside the caller's transaction; returns how many."""
    new: dict[str, GameSamples] = {}
    for game in games:
        known = connection.execute("select 1 from games where key = ?", (game.game,)).fetchone()
        if known is None:
            new.setdefault(game.game, game)
    if not new:
        return 0
    _check_fit(connection, new.values())
    last_game, last_sample = _last(connection)
    first_game, first_sample, now = last_game + 1, last_sample + 1, time.time()
    added = list(new.values())
    rows = []
    for number, game in enumerate(added, first_game):
        rows.append((number, game.game, game.produced_by_model, first_sample, len(game.positions), now))
        first_sample += len(game.positions)
    connection.executemany("insert into games values (?, ?, ?, ?, ?, ?)", rows)
    connection.executemany(
        "insert into samples (id, game, produced_by_model, ply, move, outcome, value, position, visits) "
        "values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        zip(
            range(last_sample + 1, first_sample),
            (number for number, _, _, _, samples, _ in rows for _ in range(samples)),
            (model for _, _, model, _, samples, _ in rows for _ in range(samples)),
            np.concatenate([game.ply for game in added]).tolist(),
            np.concatenate([game.move for game in added]).tolist(),
            np.concatenate([game.outcome for game in added]).tolist(),
            np.concatenate([game.value for game in added]).tolist(),
            _row_bytes(np.concatenate([game.positions for game in added])),
            _row_bytes(np.concatenate([game.visits for game in added])),
            strict=True,
        ),
    )
    return len(added)


def read_samples(connection: sqlite3.Connection, after_id: int, limit: int) -> SampleBatch:
    if not 1 <= limit <= MAX_READ:
        raise ValueError(f"limit {limit}: allowed is 1 to {MAX_READ}")
    rows = connection.execute(
        "select id, game, produced_by_model, ply, move, outcome, value, position, visits "
        "from samples where id > ? order by id limit ?",
        (after_id, limit),
    ).fetchall()
    ids, games, models, ply, move, outcome, value, positions, visits = zip(*rows, strict=True) if rows else ((),) * 9
    return SampleBatch(
        last_id=ids[-1] if rows else after_id,
        ids=np.array(ids, "<i8"),
        games=np.array(games, "<i8"),
        produced_by_model=np.array(models, "<i4"),
        positions=_from_rows(positions, "<u8"),
        visits=_from_rows(visits, "<u2"),
        outcome=np.array(outcome, "<i2"),
        value=np.array(value, "<f4"),
        ply=np.array(ply, "<i2"),
        move=np.array(move, "<i2"),
    )


def count_samples(connection: sqlite3.Connection) -> SampleCounts:
    games, last_id = _last(connection)
    oldest = _oldest(connection)
    by_model = connection.execute(
        "select produced_by_model, sum(samples) from games where first_sample >= ? and samples > 0 group by 1",
        (oldest,),
    ).fetchall()
    return SampleCounts(games, last_id, last_id + 1 - oldest, dict(by_model))


def remove_samples(connection: sqlite3.Connection, keep: int, received: int, most: int) -> tuple[int, bool]:
    """Removes the oldest whole games, about `most` samples of them, but neither the newest `keep` samples nor any after
    `received`; returns the number of samples removed, and whether more can be."""
    _, last_id = _last(connection)
    oldest = _oldest(connection)
    last_to_go = min(last_id - keep, received)
    bound = min(last_to_go, oldest + most - 1)
    cut = connection.execute(  # the first sample of the game that holds sample bound + 1
        "select first_sample from games where first_sample <= ? and samples > 0 order by first_sample desc limit 1",
        (bound + 1,),
    ).fetchone()
    if cut is None or cut[0] <= oldest:
        return 0, False
    connection.execute("delete from samples where id < ?", cut)
    return cut[0] - oldest, bound < last_to_go


def _check_fit(connection: sqlite3.Connection, games: Any) -> None:
    """ValueError where a game has other widths than the samples before it, or was produced by an unknown model."""
    models = {row[0] for row in connection.execute("select id from models")}
    widths = connection.execute("select length(position) / 8, length(visits) / 2 from samples limit 1").fetchone()
    for game in games:
        found = (game.positions.shape[1], game.visits.shape[1])
        widths = widths or found
        if found != widths:
            raise ValueError(
                f"game {game.game}: positions [T, {found[0]}] and visits [T, {found[1]}], but the samples of this "
                f"database have positions [T, {widths[0]}] and visits [T, {widths[1]}]"
            )
        if game.produced_by_model not in models:
            raise ValueError(
                f"game {game.game}: produced_by_model {game.produced_by_model} is no model of this database"
            )


def _last(connection: sqlite3.Connection) -> tuple[int, int]:
    """The last game and the last sample that were ever stored."""
    row = connection.execute("select id, first_sample + samples - 1 from games order by id desc limit 1").fetchone()
    return row or (0, 0)


def _oldest(connection: sqlite3.Connection) -> int:
    """The oldest sample that is kept; one after the last where there is none."""
    row = connection.execute("select min(id) from samples").fetchone()
    return int(row[0]) if row[0] is not None else _last(connection)[1] + 1


def _row_bytes(array: Any) -> list[bytes]:
    data, width = array.tobytes(), array.itemsize * array.shape[1]
    return [data[start : start + width] for start in range(0, len(data), width)]


def _from_rows(rows: Sequence[bytes], dtype: str) -> Any:
    flat = np.frombuffer(bytearray().join(rows), dtype)
    return flat.reshape(len(rows), -1) if rows else flat.reshape(0, 0)
