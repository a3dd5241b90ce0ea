"""One SQLite file: made whole or not at all, checked when it is opened, written in transactions.

WAL mode. With `synchronous = NORMAL` a commit is in the hands of the operating system: it survives `kill -9`, and a
power loss takes at most the latest commits, never an earlier one while a later one stays. `durable` transactions use
FULL: they, and thus all commits before them, are on the disk when they return.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from rlscout.storage import StoreError

SCHEMA_VERSION = 1
APPLICATION_ID = 0x726C7363  # "rlsc", tells our files from other SQLite files
BUSY_SECONDS = 30.0  # how long to wait for another process that writes
FULL_CHECK_BYTES = (
    32 << 20
)  # a tenth of a second; larger files get the cheap check only: their length against their header

_HELP = {
    "SQLITE_FULL": "no room: the disk (or the limit set for the database) is full. What was stored before is intact; "
    "free some space and try again",
    "SQLITE_CORRUPT": "the file is damaged or truncated. It was left as it is: restore it from a copy, or move it away "
    "to begin anew",
    "SQLITE_NOTADB": "the file is not a database of rlscout. It was left as it is",
    "SQLITE_BUSY": f"another process kept the database locked for {BUSY_SECONDS:g} seconds",
    "SQLITE_READONLY": "the database may not be written here",
    "SQLITE_CANTOPEN": "the database cannot be opened (missing folder, or no permission?)",
    "SQLITE_IOERR": "the disk failed to read or write, or is full. What was stored before is intact",
}


class Database:
    """A connection that threads share: each `read` or `write` block has it alone."""

    def __init__(self, path: Path, game: str | None) -> None:
        """Opens `path`, or makes it for `game` where it is missing.

        ValueError: it holds another game, or is missing and no game is given. StoreError: not usable, not touched."""
        self.path = path
        self._lock = threading.RLock()
        if not path.exists():
            if game is None:
                raise ValueError(f"no database at {path}: give the game to make one")
            try:
                with self._explained():
                    _create(path, game)
            except OSError as error:
                raise StoreError(f"{path}: the database cannot be made: {error}") from error
        with self._explained():
            self._connection = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        try:
            self.game = self._check(game)
        except BaseException:
            self._connection.close()
            raise
        self._opened = path.stat()

    def close(self) -> None:
        with self._lock, self._explained():
            self._connection.close()

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """For queries; several of them may see different states, as others may commit in between."""
        with self._lock, self._explained():
            yield self._connection

    @contextmanager
    def write(self, durable: bool = False) -> Iterator[sqlite3.Connection]:
        """One transaction: committed at the end of the block, undone where the block raises."""
        with self._lock, self._explained():
            self._check_place()
            if durable:
                self._connection.execute("pragma synchronous = full")
            try:
                self._connection.execute("begin immediate")
                yield self._connection
                self._connection.execute("commit")
            finally:
                if self._connection.in_transaction:
                    self._connection.execute("rollback")
                if durable:
                    self._connection.execute("pragma synchronous = normal")

    def _check_place(self) -> None:
        """What is written to a file that was removed is lost."""
        try:
            there = os.path.samestat(self.path.stat(), self._opened)
        except OSError as error:
            raise StoreError(f"{self.path}: the database is gone while it is open: {error.strerror}") from None
        if not there:
            raise StoreError(f"{self.path}: another file has taken the place of the database while it is open")

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.IntegrityError, OverflowError) as error:
            raise ValueError(f"{self.path} does not take this: {error}") from error
        except sqlite3.Error as error:
            name = getattr(error, "sqlite_errorname", "")
            help_text = next((text for prefix, text in _HELP.items() if name.startswith(prefix)), "the database failed")
            raise StoreError(f"{self.path}: {help_text} ({error})") from error

    def _check(self, game: str | None) -> str:
        """Returns the game of the file that was opened."""
        path, log = self.path, self.path.with_name(self.path.name + "-wal")
        logged = log.exists() and log.stat().st_size > 0
        size = path.stat().st_size
        with self.read() as connection:
            application = connection.execute("pragma application_id").fetchone()[0]
            version = connection.execute("pragma user_version").fetchone()[0]
            page = connection.execute("pragma page_size").fetchone()[0]
            # SQLite itself refuses a file that lacks whole pages; the rest of a cut page it would read as zeros. With a
            # log, pages may be cut without harm: the log holds them.
            if size == 0 or (size % page and not logged):
                raise StoreError(f"{path}: {_HELP['SQLITE_CORRUPT']} ({size} bytes, pages of {page})")
            if application != APPLICATION_ID:
                raise StoreError(f"{path}: {_HELP['SQLITE_NOTADB']} (application id {application:#x})")
            if version != SCHEMA_VERSION:
                raise StoreError(f"{path}: schema version {version}, this rlscout reads version {SCHEMA_VERSION} only")
            if size <= FULL_CHECK_BYTES:
                found = connection.execute("pragma quick_check(1)").fetchone()[0]
                if found != "ok":
                    raise StoreError(f"{path}: {_HELP['SQLITE_CORRUPT']} ({found})")
            connection.execute("pragma synchronous = normal")
            connection.execute("pragma journal_size_limit = 67108864")
            connection.execute("pragma foreign_keys = on")
            held: str = connection.execute("select value from run where key = 'game'").fetchone()[0]
        if game is not None and game != held:
            raise ValueError(f"{path} holds the game {held}, not {game}: give another folder for {game}")
        return held


def _create(path: Path, game: str) -> None:
    """Makes the file under another name first, so that a kill leaves no half-made database, two makers no mixture."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    made.unlink(missing_ok=True)
    try:
        connection = sqlite3.connect(made, isolation_level=None)
        try:
            connection.execute("pragma journal_mode = wal")
            connection.executescript(f"begin; {Path(__file__).with_name('schema.sql').read_text()} commit;")
            connection.execute("insert into run values ('game', ?)", (game,))
            connection.execute(f"pragma application_id = {APPLICATION_ID}")
            connection.execute(f"pragma user_version = {SCHEMA_VERSION}")
        finally:
            connection.close()
        with suppress(FileExistsError):  # another process was faster; its file is opened and checked like any other
            os.link(made, path)
    finally:
        for suffix in ("", "-wal", "-shm"):
            made.with_name(made.name + suffix).unlink(missing_ok=True)
