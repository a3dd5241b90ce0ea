"""Files that appear whole or not at all, whatever ends this process or the machine."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def write_whole(path: Path, content: str | bytes) -> None:
    """Puts a file into its place once the disk has it; until then what was there stays. Behind a link, the file that it names.

    Another process or thread that writes the same file waits.
    """
    data = content.encode() if isinstance(content, str) else content
    if path.exists() and not path.is_file():  # a pipe or a device; of a folder the system says what is wrong
        path.write_bytes(data)
        return
    place = path.resolve()
    with _part(place) as (part, file):
        try:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            part.replace(place)
        except BaseException as error:
            part.unlink(missing_ok=True)
            if isinstance(error, OSError) and error.filename is None:
                error.filename = str(place)
            raise
    _keep_name(place)


def check_place(path: Path, what: str) -> None:
    """ValueError where a file can't be written: told before hours of work, not after. `what` names the option."""
    if path.is_dir():
        raise ValueError(f"{what} {path}: a folder; the name of a file is wanted")
    if path.exists() and not path.is_file():
        return
    try:
        with _part(path.resolve(), wait=False) as (part, _):
            part.unlink()
    except BlockingIOError:
        raise ValueError(f"{what} {path} is being written by another process") from None
    except OSError as error:
        raise ValueError(f"{what} {path} cannot be written: {error.strerror}") from None


def make_folder(folder: Path) -> None:
    """ValueError where a file is in its place."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ValueError(f"{folder}: a file is there; the name of a folder is wanted") from None


@contextmanager
def _part(place: Path, *, wait: bool = True) -> Iterator[tuple[Path, BinaryIO]]:
    """The empty file beside `place` that is to replace it, locked; native/engine/atomic_file.h takes the same lock."""
    part = place.with_name(place.name + ".part")
    while True:
        with part.open("ab") as file:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            if not _is_at(part, file):  # who held it before has put it into its place
                continue
            file.truncate(0)
            yield part, file
            return


def _is_at(path: Path, file: BinaryIO) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False


def _keep_name(place: Path) -> None:
    """A file survives a power loss by its data, and by its name in the folder."""
    folder = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
