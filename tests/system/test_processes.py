"""Jobs of two processes. Training: a kill of either, or of the one that started them, leaves none behind, and it goes on.
Self-play: each has its own name, network and device."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import psutil
import pytest
from networks import flat_network
from stores import make_game

from rlscout.storage import Store, open_store

PATIENCE = 240.0


def start(data: Path) -> subprocess.Popen[str]:
    settings = ["train.processes=2", "train.device=cpu", "train.reuse=1e6", "train.min_samples=50", "train.batch=16"]
    settings += ["train.snapshot_seconds=0.1", "train.report_seconds=0.1", f"data={data}"]
    command = [sys.executable, "-m", "rlscout", "train", "tictactoe-tiny"]
    command += [part for setting in settings for part in ("--set", setting)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def ranks(data: Path) -> list[int]:
    """The processes that learn, as the log tells of the last two."""
    lines = (data / "log.jsonl").read_text().splitlines() if (data / "log.jsonl").exists() else []
    found = [re.fullmatch(r"rank \d is process (\d+)", json.loads(line)["message"]) for line in lines]
    return [int(match.group(1)) for match in found if match][-2:]


def wait_for(what: str, holds: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"no {what}"
        time.sleep(0.05)


def step(store: Store) -> int:
    return getattr(store.load_training(), "step", 0)


def gone(pids: list[int]) -> bool:
    return not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids)


def test_two_processes_outlive_no_kill_and_go_on(tmp_path: Path) -> None:
    with open_store(tmp_path, "mnk:3,3,3") as store:
        games = [make_game(number, squares=9, positions=np.zeros((5, 2), np.uint64)) for number in range(20)]
        store.add_games(games)
        before = 0
        for victim in ("rank 0", "rank 1", "parent", "nobody"):
            process = start(tmp_path)
            try:
                wait_for(f"step beyond {before}", lambda known=before: step(store) > known)
                learning = ranks(tmp_path)
                if victim == "nobody":
                    process.send_signal(signal.SIGINT)
                else:
                    pid = {"rank 0": learning[0], "rank 1": learning[1], "parent": process.pid}[victim]
                    os.kill(pid, signal.SIGKILL)
                output = process.communicate(timeout=PATIENCE)[0]
            finally:
                process.kill()
            status = {"parent": -signal.SIGKILL, "nobody": 0}.get(victim, 1)
            assert process.returncode == status, output
            if status == 1:
                assert f"{victim} of 2 was killed by SIGKILL: the others end with it" in output
            wait_for("end of the ranks", lambda pids=learning: gone(pids))
            assert step(store) > before
            before = step(store)
        assert {metric.source for metric in store.read_metrics("step")} == {"train"}


def test_two_processes_play(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    with open_store(tmp_path, "mnk:3,3,3") as store:
        store.set_evaluation(store.add_model("flat", flat_network("tictactoe"), 0, 1, {}), "+")
        settings = ["selfplay.processes=2", "search.device=cpu,cpu", "search.backend=onnx", f"data={tmp_path}"]
        settings += ["selfplay.report_seconds=0.01", "selfplay.lead=0"]
        command = [sys.executable, "-m", "rlscout", "selfplay", "tictactoe-tiny", "--games", "2000"]
        command += ["--worker", "attic", *(part for setting in settings for part in ("--set", setting))]
        ended = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
        assert ended.returncode == 0, ended.stderr
        metrics = store.read_metrics("evaluations_per_second")
        assert {metric.source for metric in metrics} == {"selfplay.attic", "selfplay.attic-1"}
        counts = store.sample_counts()
        assert counts.games >= 2000 and set(counts.by_model) == {1}
