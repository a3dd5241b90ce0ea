"""What the long-running commands share: a request to stop, the structured log, and patience with a store that is
away."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import NoReturn, TypeVar

from rlscout.files import make_folder
from rlscout.storage import StoreError

T = TypeVar("T")

LOG_FILE = "log.jsonl"


def stop_on_signals() -> threading.Event:
    """An event that SIGINT and SIGTERM set; a second signal ends the process at once. Call it from the main thread."""
    stopping = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        if stopping.is_set():
            os._exit(128 + number)
        stopping.set()

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    return stopping


def stop_with_parent() -> None:
    """Ends this process as by SIGTERM once its standard input closes, as it does when its supervisor dies in any
    way."""

    def watch() -> None:
        while os.read(0, 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="parent").start()


def leave(status: int) -> NoReturn:
    """Ends this process at once, its output and log written. A thread that is still inside a runtime (it compiles a new network)
    would abort an orderly end, and the libraries of networks take seconds to take themselves apart."""
    with suppress(OSError):
        logging.shutdown()
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(status)


@contextmanager
def only_one(command: str, folder: Path) -> Iterator[None]:
    """Holds a folder for one process of this command, however that ends; ValueError where another one works there."""
    with (folder / f"{command}.lock").open("w", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(
                f"another `rlscout {command}` works in {folder}: stop it, or name another folder by --data"
            ) from None
        yield


class JsonLines(logging.Formatter):
    """One JSON object a line: time (seconds since the epoch), level, process, logger, message, and the traceback if
    any."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self.process = process

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "process": self.process,
            "pid": record.process,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def log_to(folder: Path | None, process: str, level: str, also_stderr: bool = False) -> None:
    """Sends the log of this process to `folder`/log.jsonl (appended, a line a write, so processes may share it)."""
    root = logging.getLogger()
    logging.raiseExceptions = False  # a full disk: the log is lost, the job is not
    root.setLevel(level.upper())
    for handler in list(root.handlers):
        root.removeHandler(handler)
    if folder is not None:
        make_folder(folder)
        file = logging.FileHandler(folder / LOG_FILE, encoding="utf-8")
        file.setFormatter(JsonLines(process))
        root.addHandler(file)
    if also_stderr or folder is None:
        terminal = logging.StreamHandler(sys.stderr)
        terminal.setFormatter(logging.Formatter(f"%(asctime)s {process} %(levelname)s %(message)s", "%H:%M:%S"))
        root.addHandler(terminal)


def patiently(call: Callable[[], T], stopping: threading.Event, log: logging.Logger, pause: float = 1.0) -> T | None:
    """The result of a call to a store, tried again while the store cannot answer; None once `stopping` is set."""
    while True:
        try:
            return call()
        except StoreError as error:
            log.warning("%s; trying again", error)
            if stopping.wait(pause):
                return None


class Every:
    """Says yes at most once in so many seconds."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.due = time.monotonic() + seconds

    def __call__(self) -> bool:
        now = time.monotonic()
        if now < self.due:
            return False
        self.due = now + self.seconds
        return True
