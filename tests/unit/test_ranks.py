"""Processes that work as one: however one of them ends, all end, with a status that says how."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest
import rank_jobs

from rlscout.ranks import together

PATIENCE = 120.0


def pids(folder: Path) -> list[int]:
    return [int(path.read_text().split()[0]) for path in folder.glob("*.pid")]


def all_ended(folder: Path) -> bool:
    return not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids(folder))


@pytest.mark.parametrize(
    ("how", "status"),
    [({0: 0, 1: 0}, 0), ({1: 2}, 2), ({0: 3}, 1), ({1: -signal.SIGKILL}, 1), ({0: 0, 1: 2}, 2)],
)
def test_all_end_as_the_first_one_that_fails(tmp_path: Path, how: dict[int, int], status: int) -> None:
    assert together(rank_jobs.end, 2, threading.Event(), how, tmp_path) == status
    assert len(pids(tmp_path)) == 2
    assert all_ended(tmp_path)


def test_one_that_is_killed_is_started_again_where_they_work_apart(tmp_path: Path) -> None:
    assert together(rank_jobs.fall, 2, threading.Event(), 2, tmp_path, apart=True) == 0
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"0.lives": "x", "1.lives": "xxx"}


def test_one_that_is_killed_again_and_again_ends_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rlscout.ranks.CRASHES", 1)
    assert together(rank_jobs.fall, 2, threading.Event(), 9, tmp_path, apart=True) == 1
    assert (tmp_path / "1.lives").read_text() == "xx"


@pytest.mark.parametrize(("how", "status"), [({1: 2}, 2), ({0: 0, 1: 0}, 0)])
def test_those_that_work_apart_end_as_one_where_one_refuses_its_input(
    tmp_path: Path, how: dict[int, int], status: int
) -> None:
    assert together(rank_jobs.end, 2, threading.Event(), how, tmp_path, apart=True) == status
    assert all_ended(tmp_path)


def test_all_are_asked_to_stop(tmp_path: Path) -> None:
    stopping = threading.Event()
    threading.Timer(0.5, stopping.set).start()
    assert together(rank_jobs.end, 2, stopping, {}, tmp_path) == 0
    assert all_ended(tmp_path)


def test_none_outlives_the_one_that_started_them(tmp_path: Path) -> None:
    paths = os.pathsep.join([str(Path(rank_jobs.__file__).parent), *sys.path])
    command = [sys.executable, rank_jobs.__file__, str(tmp_path)]
    process = subprocess.Popen(command, env={**os.environ, "PYTHONPATH": paths})
    deadline = time.monotonic() + PATIENCE
    while len(pids(tmp_path)) < 2:
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.1)
    process.kill()
    process.wait()
    while not all_ended(tmp_path):
        assert time.monotonic() < deadline, "they outlive it"
        time.sleep(0.05)
