"""`kill -9` in the middle of writes: what was acknowledged is there, what is there is whole."""

import os
import random
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from stores import make_game

from rlscout.storage import Store, open_store

WRITER = Path(__file__).with_name("writer.py")
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
SERVE = (
    "import sys; from pathlib import Path; from rlscout.storage.server import serve; "
    "serve(Path(sys.argv[1]), sys.argv[2], 'othello6', ready=lambda address: print(address, flush=True))"
)


def write_until_killed(where: str, first: int, seconds: float) -> list[list[str]]:
    """The acknowledged writes; a line cut by the kill does not count. Fails where the writer stops by itself."""
    command = [sys.executable, str(WRITER), where, str(first)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=ENVIRONMENT
    ) as writer:
        assert writer.stdout
        assert writer.stderr
        begun = writer.stdout.readline()
        time.sleep(seconds)
        writer.kill()
        output = begun + writer.stdout.read()
        assert writer.wait() == -9, writer.stderr.read()
    return [line.split() for line in output.splitlines(keepends=True) if line.endswith("\n")]


def check(store: Store, acknowledged: list[list[str]]) -> None:
    """Every acknowledged write is there, and every game is stored once, with all its samples."""
    batch = store.read_samples(0, limit=1_000_000)
    counts = store.sample_counts()
    assert len(batch.ids) == counts.kept == 30 * counts.games
    assert batch.ids.tolist() == list(range(1, counts.last_id + 1))
    models = {model.id: model for model in store.models()}
    metrics = {metric.value for metric in store.read_metrics("number")}
    training = store.load_training()
    games = 0
    for kind, *numbers in acknowledged:
        number = int(numbers[-1])
        if kind == "games":
            games += 2
            assert store.add_games([make_game(int(n), length=30) for n in numbers]) == 0
        elif kind == "training":
            assert training
            assert training.step >= number
            assert training.data == bytes([training.step % 256]) * 100_000
        elif kind == "model":
            model = models[int(numbers[0])]
            assert model.key == f"model {number}"
            assert store.weights(model.id) == bytes([number % 256]) * 50_000
        elif kind == "promoted":
            assert models[number].evaluation == "+"
        else:
            assert number in metrics
    assert games <= counts.games
    promoted = {model.id for model in models.values() if model.evaluation == "+" and model.id}
    assert promoted == {duel.candidate for duel in store.duels() if duel.verdict == "stronger"}


def kill_writers(data: Path, rounds: int) -> None:
    moments = random.Random(1)
    acknowledged: list[list[str]] = []
    for round_ in range(rounds):
        acknowledged += write_until_killed(str(data), 1000 * round_, moments.uniform(0, 0.3))
    with open_store(data) as store:
        check(store, acknowledged)
        sample = store.read_samples(0, limit=30)
        np.testing.assert_array_equal(sample.visits, make_game(0, length=30).visits)
    connection = sqlite3.connect(data / "rlscout.db")
    assert connection.execute("pragma integrity_check").fetchall() == [("ok",)]
    assert connection.execute("pragma foreign_key_check").fetchall() == []
    connection.close()


def kill_servers(data: Path, rounds: int) -> None:
    """The server is killed and started again under a writer that knows nothing of it."""
    moments = random.Random(2)

    def start(address: str) -> tuple["subprocess.Popen[str]", str]:
        server = subprocess.Popen([sys.executable, "-c", SERVE, str(data), address], stdout=subprocess.PIPE, text=True)
        assert server.stdout
        return server, server.stdout.readline().strip()

    server, address = start("tcp://127.0.0.1:*")
    with subprocess.Popen(
        [sys.executable, str(WRITER), address, "0"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    ) as writer:
        assert writer.stdout
        assert writer.stderr
        lines = [writer.stdout.readline()]
        for _ in range(rounds):
            time.sleep(moments.uniform(0.05, 0.3))
            server.kill()
            server.communicate()
            server, _ = start(address)
            lines.append(writer.stdout.readline())
        lines += [writer.stdout.readline() for _ in range(20)]
        writer.kill()
        lines += writer.stdout.read().splitlines(keepends=True)
        assert writer.wait() == -9, writer.stderr.read()
    try:
        with open_store(address, "othello6") as store:
            check(store, [line.split() for line in lines if line.endswith("\n")])
    finally:
        server.terminate()
        server.communicate()
    assert server.returncode == 0


def test_what_a_killed_writer_had_acknowledged_is_there(tmp_path: Path) -> None:
    kill_writers(tmp_path, rounds=6)


def test_what_a_killed_server_had_acknowledged_is_there(tmp_path: Path) -> None:
    kill_servers(tmp_path, rounds=4)


@pytest.mark.soak
def test_many_kills(tmp_path: Path) -> None:
    kill_writers(tmp_path / "writers", rounds=100)
    kill_servers(tmp_path / "servers", rounds=50)


def test_a_kill_while_the_database_is_made_leaves_none_or_all_of_it(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from rlscout.storage.database import _create; "
        "print('ready', flush=True); [_create(Path(sys.argv[1]) / f'{n}.db', 'othello6') for n in range(10**6)]"
    )
    moments = random.Random(3)
    for round_ in range(4):
        folder = tmp_path / str(round_)
        with subprocess.Popen([sys.executable, "-c", code, str(folder)], stdout=subprocess.PIPE) as maker:
            assert maker.stdout
            maker.stdout.readline()
            time.sleep(moments.uniform(0.02, 0.1))
            maker.kill()
        made = [path for path in folder.glob("*.db") if not path.name.startswith(".")]
        for path in made:
            with open_store(path, "othello6") as store:
                assert store.best_model() == 0
