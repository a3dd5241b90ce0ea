"""The whole loop on tic-tac-toe: play, store, train, duel, solve, certify, verify; with every process killed on the way."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from rlscout.storage import Store, StoreError, open_store

PATIENCE = 240.0
"""Seconds that any step may take on a machine under load."""


def start(data: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "rlscout", "run", "tictactoe-tiny", "--data", str(data), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def wait_for(what: str, holds: Callable[[], object], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if process.poll() is not None:
            pytest.fail(f"the run ended while the test waited for {what}:\n{process.communicate()[0]}")
        try:
            if holds():
                return
        except StoreError:
            pass
        time.sleep(0.1)
    process.kill()
    pytest.fail(f"no {what} within {PATIENCE:.0f} seconds:\n{process.communicate()[0]}")


def started(data: Path) -> dict[str, list[int]]:
    """Process ids by job, in order of their starts, as the log tells."""
    found: dict[str, list[int]] = {}
    for line in (data / "log.jsonl").read_text().splitlines():
        match = re.fullmatch(r"(\w+) started, process (\d+)", json.loads(line)["message"])
        if match:
            found.setdefault(match.group(1), []).append(int(match.group(2)))
    return found


class Known(NamedTuple):
    """What a store has acknowledged."""

    last_sample: int
    samples: str  # digest of all up to that one
    models: list[tuple[int, str]]  # id, digest of the weights
    verdicts: list[tuple[int, str]]  # of the duels that have ended: candidate, verdict


def known(store: Store, last_sample: int | None = None) -> Known:
    last = store.sample_counts().last_id if last_sample is None else last_sample
    batch = store.read_samples(0, last)
    assert batch.ids.tolist() == list(range(1, last + 1))
    digest = hashlib.sha256()
    for column in (batch.positions, batch.visits, batch.outcome, batch.value, batch.ply, batch.move):
        digest.update(column.tobytes())
    models = [(model.id, hashlib.sha256(store.weights(model.id)).hexdigest()) for model in store.models()[1:]]
    verdicts = [(duel.candidate, duel.verdict) for duel in store.duels() if duel.verdict is not None]
    return Known(last, digest.hexdigest(), models, verdicts)


@pytest.fixture
def sitting(tmp_path: Path) -> Iterator[tuple[Path, subprocess.Popen[str]]]:
    process = start(tmp_path, "--minutes", "1000")
    yield tmp_path, process
    if process.poll() is None:
        process.kill()
    process.wait()


def kill(job: str, data: Path, store: Store, process: subprocess.Popen[str]) -> None:
    """Kills a process of the run and waits until it was started again; nothing acknowledged may be lost."""
    before, starts = known(store), started(data)[job]
    os.kill(starts[-1], signal.SIGKILL)
    wait_for(f"restart of {job}", lambda: len(started(data)[job]) > len(starts), process)
    assert_kept(store, before)


def assert_kept(store: Store, before: Known) -> None:
    now = known(store, before.last_sample)
    assert now.samples == before.samples
    assert now.models[: len(before.models)] == before.models
    assert now.verdicts[: len(before.verdicts)] == before.verdicts


def assert_all_end(pids: list[int]) -> None:
    deadline = time.monotonic() + PATIENCE
    while any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids):
        assert time.monotonic() < deadline, "processes outlive their supervisor"
        time.sleep(0.1)


def test_a_run_outlives_every_kill_and_ends_with_a_checked_proof(sitting: tuple[Path, subprocess.Popen[str]]) -> None:
    data, process = sitting
    wait_for("database", (data / "rlscout.db").exists, process)
    with open_store(data) as store:
        wait_for("promoted model", lambda: store.best_model() > 0, process)
        for job in ("selfplay", "train", "duel", "serve"):
            kill(job, data, store, process)
        second = start(data)
        assert "another `rlscout run` works in" in second.communicate(timeout=PATIENCE)[0]
        assert second.returncode == 2
        before, step = known(store), getattr(store.load_training(), "step", 0)
        wait_for("training that goes on", lambda: getattr(store.load_training(), "step", 0) > step, process)
        process.kill()
        process.wait()
        assert_all_end([pids[-1] for pids in started(data).values()])
        assert_kept(store, before)
        learned = json.loads((data / "run.json").read_text())["learning_seconds"]
        output = finish(data, learned / 60.0)
        assert "going on after" in output
        assert "Score +0 for X, proven" in output
        assert [(claim.lower, claim.upper) for claim in store.claims()] == [(0, 0)]
        assert [certificate.grade for certificate in store.certificates()] == ["checked"]
    result = json.loads((data / "run.json").read_text())["result"]
    assert result["certificate"]["valid"]
    assert (result["ordering"], result["model"] > 0) == ("network", True), "no table comes with this game"
    report = (data / "report.html").read_text()
    assert "Score +0 for X, proven" in report
    assert "<svg" in report
    assert not re.search(r"""(src|href)=|url\(|@import""", report)
    output = finish(data, 0.0)
    assert "solved before" in output.splitlines()[0]
    assert "--minutes" in output.splitlines()[-1]


def test_a_proof_goes_on_after_a_kill(tmp_path: Path) -> None:
    """A position of 24 empties, some seconds of work, no learning."""
    moves = "solve.moves=e4e5d5e3f5f6d2c5"
    settings = [moves, "solve.ordering=static", "solve.compare=false", "solve.threads=1", "solve.state_seconds=0.2"]
    command = [sys.executable, "-m", "rlscout", "run", "othello6", "--data", str(tmp_path), "--minutes", "0"]
    command += [part for setting in settings for part in ("--set", setting)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    wait_for("state", lambda: any(p.stat().st_size > 100_000 for p in tmp_path.glob("proof-*.table")), process)
    process.kill()
    process.wait()
    assert json.loads((tmp_path / "run.json").read_text())["result"] is None
    again = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert again.returncode == 0, again.stdout + again.stderr
    messages = [json.loads(line)["message"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [message for message in messages if re.fullmatch(r"the proof goes on after [1-9]\d+ nodes", message)]
    assert not list(tmp_path.glob("proof-*.table"))
    solution = json.loads((tmp_path / "run.json").read_text())["result"]
    assert solution["proven"] and solution["certificate"]["valid"]


def test_a_run_ends_with_every_ordering_beside_the_others_in_its_report(tmp_path: Path) -> None:
    moves = "solve.moves=e4e5d5e3f5f6d2c5b3a2a3b2d6e2"
    command = [sys.executable, "-m", "rlscout", "run", "othello6", "--data", str(tmp_path), "--minutes", "0"]
    done = subprocess.run([*command, "--set", moves], capture_output=True, text=True, timeout=PATIENCE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "ordered by the patterns ordering" in done.stdout
    assert [row["ordering"] for row in json.loads((tmp_path / "ordering.json").read_text())["rows"]] == [
        "static",
        "patterns",
    ]
    report = (tmp_path / "report.html").read_text()
    assert "What each ordering is worth" in report
    assert "Share of cuts by the first move" in report


def finish(data: Path, minutes: float) -> str:
    """The output of a run that ends by itself."""
    process = start(data, "--minutes", str(minutes))
    output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 0, output
    return output


def test_a_run_stops_cleanly_on_ctrl_c(tmp_path: Path) -> None:
    process = start(tmp_path, "--minutes", "1000")
    wait_for("database", (tmp_path / "rlscout.db").exists, process)
    with open_store(tmp_path) as store:
        wait_for("samples", lambda: store.sample_counts().last_id, process)
    process.send_signal(signal.SIGINT)
    output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 130
    assert "the same command goes on from here" in output
    messages = [json.loads(line)["message"] for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert messages[-1] == "run ends"
    assert not [message for message in messages if "did not reach the store" in message]
    assert (tmp_path / "report.html").exists()


def test_a_process_that_cannot_go_on_ends_the_run_with_its_words(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        process = start(tmp_path, "--set", f"server.address={address}")
        output = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 2
    assert "serve cannot go on" in output
    assert f"address {address} is in use" in output
