"""Files that appear whole or not at all, whatever ends this process or the machine."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(path: Path, content: str | bytes) -> None:
    """Puts a file into its place once the disk has it; until then what was there stays. Behind a link, the file that it names."""
    data = content.encode() if isinstance(content, str) else content
    if path.exists() and not path.is_file():  # a pipe or a device; of a folder the system says what is wrong
        path.write_bytes(data)
        return
    place = path.resolve()
    part = _part(place)
    try:
        with part.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        part.replace(place)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    _keep_name(place)


def check_place(path: Path, what: str) -> None:
    """ValueError where a file can't be written: told before hours of work, not after. `what` names the option."""
    if path.is_dir():
        raise ValueError(f"{what} {path}: a folder; the name of a file is wanted")
    if path.exists() and not path.is_file():
        return
    part = _part(path.resolve())
    try:
        part.open("ab").close()
        part.unlink()
    except OSError as error:
        raise ValueError(f"{what} {path} cannot be written: {error.strerror}") from None


def make_folder(folder: Path) -> None:
    """ValueError where a file is in its place."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ValueError(f"{folder}: a file is there; the name of a folder is wanted") from None


def _part(place: Path) -> Path:
    return place.with_name(place.name + ".part")


def _keep_name(place: Path) -> None:
    """A file survives a power loss by its data, and by its name in the folder."""
    folder = os.open(place.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
