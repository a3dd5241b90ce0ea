"""Several processes of one host that work as one: started together, ended together, however one of them ends.

    status = together(job, 4, stopping, ...)      each of the four runs job(place, ...)
    status = together(..., apart=True)            the same job four times: one that crashes is started again, the others go on

How an end is noticed: here, of a process, at once by its handle; there, of this one, by a thread that waits for it. So it takes
no word from the one that ends, and no socket that times out.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from typing import Any

log = logging.getLogger(__name__)

LOOPBACK = "127.0.0.1"
POLL_SECONDS = 0.1
GRACE_SECONDS = 1.0
"""After one has failed, the others have so long to say by their own status what is wrong."""
BAD_INPUT = 2
CRASHES, CRASH_SECONDS = 5, 60.0
"""More crashes than that, of those that work apart, end them all."""


@dataclass(frozen=True)
class Place:
    """Which of how many a process is, and where they meet: nobody outside this host can knock there."""

    rank: int
    size: int
    port: int
    door: socket.socket | None
    """Listens at the port; rank 0 has it."""


def together(
    job: Callable[..., int], size: int, stopping: threading.Event, *arguments: Any, apart: bool = False
) -> int:
    """Runs `job(place, *arguments)` in `size` processes until all have ended, and returns the status that they end with: 2 where
    one refuses its input, 1 where one crashes or is killed, else 0. Those that are left then are killed.

    With `apart` they need not meet (a place has no port): one that crashes or is killed is started again, while the others go on, until
    that happens too often.

    Once `stopping` is set, each is asked to stop by SIGTERM. `job` is the function of a module."""
    context = multiprocessing.get_context("spawn")
    with socket.create_server((LOOPBACK, 0)) if not apart else nullcontext() as door:
        port = door.getsockname()[1] if door else 0
        places = [Place(rank, size, port, None if rank else door) for rank in range(size)]

        def process(place: Place) -> SpawnProcess:
            return context.Process(target=_work, args=(place, job, arguments), daemon=True)

        processes = [process(place) for place in places]
        try:
            for rank in range(size):
                _start(processes, rank)
        except BaseException:
            _end(processes)
            raise

    def again(rank: int) -> None:
        processes[rank] = process(places[rank])
        _start(processes, rank)

    try:
        return _watch(processes, stopping, again if apart else None)
    finally:
        _end(processes)


def _start(processes: list[SpawnProcess], rank: int) -> None:
    processes[rank].start()
    log.info("rank %d is process %d", rank, processes[rank].pid)


def _watch(processes: list[SpawnProcess], stopping: threading.Event, again: Callable[[int], None] | None) -> int:
    asked, expected = False, {0, None}
    crashes: list[float] = []
    while left := [process for process in processes if process.exitcode is None]:
        wait([process.sentinel for process in left], POLL_SECONDS)
        failed = [rank for rank, process in enumerate(processes) if process.exitcode not in expected]
        crashes = [t for t in crashes if time.monotonic() - t < CRASH_SECONDS] + [time.monotonic()] * len(failed)
        refused = any(processes[rank].exitcode == BAD_INPUT for rank in failed)
        if failed and again and not stopping.is_set() and not refused and len(crashes) <= CRASHES:
            for rank in failed:
                log.warning("rank %d of %d %s: it is started again", rank, len(processes), _end_of(processes[rank]))
                again(rank)
            continue
        if failed:
            break
        if stopping.is_set() and not asked:
            # One that has no handler of signals yet ends by this one; then the others have nobody to meet.
            asked, expected = True, {0, None, -signal.SIGTERM}
            for process in left:
                process.terminate()
        if again is None and any(process.exitcode == -signal.SIGTERM for process in processes):
            return 0
    deadline = time.monotonic() + GRACE_SECONDS
    for process in processes:
        process.join(max(0.0, deadline - time.monotonic()))
    failed = [rank for rank, process in enumerate(processes) if process.exitcode not in expected]
    for rank in failed:
        log.error("rank %d of %d %s: the others end with it", rank, len(processes), _end_of(processes[rank]))
    return 0 if not failed else BAD_INPUT if BAD_INPUT in [processes[rank].exitcode for rank in failed] else 1


def _end_of(process: SpawnProcess) -> str:
    status = process.exitcode
    return f"was killed by {signal.Signals(-status).name}" if status and status < 0 else f"ended with status {status}"


def _end(processes: list[SpawnProcess]) -> None:
    for process in processes:
        if process.pid is not None:
            process.kill()
            process.join()


def _work(place: Place, job: Callable[..., int], arguments: tuple[Any, ...]) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # Ctrl-C is for the first process, which hands it on
    threading.Thread(target=_end_with_parent, daemon=True, name="parent").start()
    status = job(place, *arguments)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)  # a thread that is still inside a runtime (it compiles a new network) would abort an orderly end


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
