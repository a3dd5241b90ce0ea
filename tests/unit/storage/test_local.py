"""The database file: made whole, checked when opened, never overwritten, and usable again after a full disk."""

import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from stores import make_game

from rlscout.storage import Certificate, Claim, Store, StoreError, TrainingState, open_store
from rlscout.storage.database import SCHEMA_VERSION
from rlscout.storage.local import LocalStore


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A closed database with a promoted model and samples of two models."""
    with open_store(tmp_path / "data", "othello6") as store:
        model = store.add_model("a", b"weights", 0, 1, {})
        store.set_evaluation(model, "+")
        store.add_model("b", b"weights", model, 2, {})
        store.add_games([make_game(number, model=number % 2) for number in range(30)])
    return tmp_path / "data" / "rlscout.db"


def test_the_two_statements_of_a_curious_user(database: Path) -> None:
    connection = sqlite3.connect(database)
    counts = connection.execute("select produced_by_model, sum(1) from samples group by produced_by_model;").fetchall()
    assert counts == [(0, 75), (1, 75)]
    assert connection.execute("select id, evaluation from models;").fetchall() == [(0, "+"), (1, "+"), (2, None)]
    connection.close()


def test_a_folder_and_its_database_file_are_the_same(database: Path) -> None:
    with open_store(database) as by_file, open_store(database.parent, "othello6") as by_folder:
        assert by_file.ping() == by_folder.ping()
        assert by_file.ping().path == str(database)


def test_another_game_is_refused_by_name(database: Path) -> None:
    with pytest.raises(ValueError, match=r"othello6, not othello8"):
        open_store(database, "othello8")


def test_a_missing_database_is_made_only_for_a_game(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no database at"):
        open_store(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_place_that_cannot_be_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        open_store(tmp_path / "file" / "data", "othello6")


def test_two_that_make_the_database_at_once_share_it(tmp_path: Path) -> None:
    stores: list[Store] = []
    threads = [
        threading.Thread(target=lambda: stores.append(open_store(tmp_path / "data", "othello6"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(store.add_games([make_game(1)]) for store in stores) == 1
    for store in stores:
        store.close()
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["rlscout.db"]


def test_another_schema_version_is_refused(database: Path) -> None:
    connection = sqlite3.connect(database)
    connection.execute(f"pragma user_version = {SCHEMA_VERSION + 1}")
    connection.close()
    with pytest.raises(StoreError, match=f"schema version {SCHEMA_VERSION + 1}.*version {SCHEMA_VERSION} only"):
        open_store(database)


@pytest.mark.parametrize("content", [b"", b"not a database " * 1000])
def test_what_is_no_database_is_left_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rlscout.db"
    path.write_bytes(content)
    with pytest.raises(StoreError, match=str(path)):
        open_store(tmp_path, "othello6")
    assert path.read_bytes() == content


def test_a_database_of_another_program_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "rlscout.db"
    connection = sqlite3.connect(path)
    connection.execute("create table t (x)")
    connection.close()
    content = path.read_bytes()
    with pytest.raises(StoreError, match="not a database of rlscout"):
        open_store(tmp_path, "othello6")
    assert path.read_bytes() == content


@pytest.mark.parametrize("part", [0.999, 0.9, 0.5, 0.1, 0.01, 0.001])
def test_a_truncated_database_is_named_and_left_as_it_is(database: Path, part: float) -> None:
    content = database.read_bytes()
    cut = content[: int(len(content) * part)]
    database.write_bytes(cut)
    with pytest.raises(StoreError, match=f"{database}.*(damaged or truncated|not a database)"):
        open_store(database.parent, "othello6")
    assert database.read_bytes() == cut
    database.write_bytes(content)
    with open_store(database) as store:
        assert store.sample_counts().kept == 150


def test_a_damaged_page_is_an_error_never_a_wrong_answer(database: Path) -> None:
    content = bytearray(database.read_bytes())
    for start in range(4096, len(content), 4096):
        damaged = bytes(content[:start]) + b"\xff" * 64 + bytes(content[start + 64 :])
        database.write_bytes(damaged)
        with pytest.raises(StoreError, match=str(database)):
            open_store(database)
        assert database.read_bytes() == damaged


def test_a_full_database_refuses_keeps_and_goes_on(tmp_path: Path) -> None:
    with LocalStore(tmp_path, "othello6") as store:
        store.add_games([make_game(0)])
        with store._database.read() as connection:
            pages = connection.execute("pragma page_count").fetchone()[0]
            connection.execute(f"pragma max_page_count = {pages + 4}")
        with pytest.raises(StoreError, match=r"rlscout\.db: no room.*intact"):
            store.add_games([make_game(number, length=100) for number in range(1, 50)])
        with pytest.raises(StoreError, match="no room"):
            store.add_model("a", bytes(1_000_000), 0, 1, {})
        assert store.sample_counts().games == 1
        assert store.pending_models() == []
        with store._database.read() as connection:
            connection.execute("pragma max_page_count = 1000000")
        assert store.add_games([make_game(number, length=100) for number in range(1, 50)]) == 49
        assert store.add_model("a", bytes(1_000_000), 0, 1, {}) == 1


def test_a_write_waits_for_another_process(database: Path) -> None:
    hold = (
        "import sqlite3, sys; c = sqlite3.connect(sys.argv[1], isolation_level=None); c.execute('begin immediate'); "
        "print('locked', flush=True); sys.stdin.read(); c.execute('commit')"
    )
    command = [sys.executable, "-c", hold, str(database)]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other,
        open_store(database) as store,
    ):
        assert other.stdout
        assert other.stdout.readline() == b"locked\n"
        threading.Timer(0.2, lambda: other.stdin and other.stdin.close()).start()
        assert store.add_games([make_game(100)]) == 1


def test_a_copy_of_a_database_can_be_opened(database: Path, tmp_path: Path) -> None:
    copy = shutil.copy(database, tmp_path / "copy.db")
    with open_store(copy) as store:
        assert store.best_model() == 1
        assert store.sample_counts().by_model == {0: 75, 1: 75}


def test_no_torch_and_no_sockets_for_a_local_store(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from rlscout.storage import open_store; "
        "open_store(Path(sys.argv[1]), 'othello6').close(); "
        "print([name for name in ('torch', 'zmq', 'rlscout._native') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_must_outlive_a_power_loss_is_flushed(database: Path) -> None:
    """By the statements that SQLite is given: FULL when the transaction commits, NORMAL for all that may lose its last seconds."""
    claim = Claim(scoring="empties", position="-- X", lower=0, upper=0, nodes=1, evaluations=0, seconds=0.0, options={})
    with LocalStore(database, "othello6") as store:
        duel = store.open_duel(2, 1, {}).id
        store.add_claim(claim)
        statements: list[str] = []
        store._database._connection.set_trace_callback(lambda text: statements.append(text.lower()))

        def flushed(write: Callable[[], object]) -> bool:
            statements.clear()
            write()
            before = statements[: statements.index("commit")]
            levels = [text for text in before if text.startswith("pragma synchronous")]
            return bool(levels) and levels[-1].endswith("full")

        assert flushed(lambda: store.add_model("c", b"weights", 1, 3, {}))
        assert flushed(lambda: store.finish_duel(duel, "H1", "+"))
        assert flushed(lambda: store.set_evaluation(3, "-"))
        assert flushed(lambda: store.add_claim(claim))
        assert flushed(lambda: store.add_certificate(Certificate("a.cert", 1, "checked")))
        assert flushed(lambda: store.count("selfplay.w.starts"))
        assert not flushed(lambda: store.add_games([make_game(99)]))
        assert not flushed(lambda: store.save_training(TrainingState(1, 1, b"")))


def test_a_database_that_was_removed_takes_nothing_more(tmp_path: Path) -> None:
    with LocalStore(tmp_path, "othello6") as store:
        store.add_games([make_game(1)])
        (tmp_path / "rlscout.db").rename(tmp_path / "away.db")
        with pytest.raises(StoreError, match="the database is gone while it is open"):
            store.add_games([make_game(2)])
        with LocalStore(tmp_path, "othello6"), pytest.raises(StoreError, match="another file has taken the place"):
            store.add_games([make_game(2)])
