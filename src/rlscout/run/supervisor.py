"""Processes of the run: started again when they crash, ended with their supervisor."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import IO

log = logging.getLogger(__name__)

STOP_SECONDS = 8.0
"""How long processes may take to stop before they are killed; all that is acknowledged is safe by then."""
CRASHES = 5
"""Crashes of one process within CRASH_SECONDS that end the run."""
CRASH_SECONDS = 60.0


class RunError(Exception):
    """A process that cannot go on; the text says why."""


class Child:
    """A process of the run: started again after a crash, ended with its supervisor in whatever way that ends."""

    def __init__(self, name: str, arguments: list[str], output: IO[str], nice: int) -> None:
        self.name, self.arguments, self.output, self.nice = name, arguments, output, nice
        self.crashes: list[float] = []
        self.start_at = 0.0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {key: value for key, value in os.environ.items() if not _is_setting(key)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rlscout", *self.arguments, "--supervised"],
            stdin=subprocess.PIPE,
            stdout=self.output,
            stderr=self.output,
            env=environment,
            start_new_session=True,
        )
        if self.nice and hasattr(os, "setpriority"):
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self.process.pid, self.nice)
        log.info("%s started, process %d", self.name, self.process.pid)

    def tend(self) -> None:
        """Starts it where it does not run. RunError where it refuses its input or crashes again and again."""
        now = time.monotonic()
        if self.process is not None and self.process.poll() is not None:
            status = self.process.returncode
            log.warning("%s ended with status %d", self.name, status)
            self.process = None
            if status in (2, 4):  # bad input, or a store that is not to be had: not mended by another start
                raise RunError(f"{self.name} cannot go on")
            self.crashes = [t for t in self.crashes if now - t < CRASH_SECONDS] + [now]
            if len(self.crashes) > CRASHES:
                raise RunError(f"{self.name} ended {len(self.crashes)} times within {CRASH_SECONDS:.0f} seconds")
            self.start_at = now + 0.2 * 2 ** len(self.crashes)
        if self.process is None and now >= self.start_at:
            self.start()

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None else None

    def ask_to_stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def wait(self, deadline: float) -> None:
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("%s did not stop in time and is killed", self.name)
            self.process.kill()
            self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()
        self.process = None


def _is_setting(variable: str) -> bool:
    """The config file of the run already holds what the environment said."""
    return variable.startswith("RLSCOUT_") and variable not in ("RLSCOUT_CPU",)


def stop(children: list[Child]) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    for child in children:
        child.ask_to_stop()
    for child in children:
        child.wait(deadline)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def last_lines(path: Path, count: int = 15) -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])
