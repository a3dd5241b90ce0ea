"""What is written whole is there whole, or what was there before is."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from rlscout.book import Book
from rlscout.cli import execute
from rlscout.config import load
from rlscout.files import check_place, write_whole
from rlscout.games import game
from rlscout.ordering import Grid
from rlscout.patterns import load as load_patterns
from rlscout.run import RunState
from rlscout.run import run as run_job


def test_what_is_written_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    for content in ("first", b"second", "third"):
        write_whole(tmp_path / "file", content)
    assert (tmp_path / "file").read_text() == "third"
    (tmp_path / "link").symlink_to("file")
    write_whole(tmp_path / "link", "behind")
    assert (tmp_path / "file").read_text() == "behind" and (tmp_path / "link").is_symlink()
    write_whole(Path("/dev/null"), "nowhere")
    reading, writing = os.pipe()
    write_whole(Path(f"/dev/fd/{writing}"), "through")  # a link to what has no path
    assert os.read(reading, 99) == b"through"
    assert not Path("/dev/null").is_file()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "link"]


def _save_patterns(folder: Path) -> None:
    table = load_patterns("othello6")
    assert table is not None
    table.save(folder / "othello6.npz")


def _run(folder: Path) -> None:
    run_job(load("tictactoe-tiny", {"data": str(folder)}, {}))


@pytest.mark.parametrize(
    ("name", "save"),
    [
        ("run.json", lambda folder: RunState(1.0).save(folder)),
        ("config.toml", _run),
        ("ordering.json", lambda folder: Grid("othello4", "", [], 1).save(folder)),
        ("x.book", lambda folder: Book("othello4", "empties", "", {}, ()).save(folder / "x.book")),
        ("othello6.npz", _save_patterns),
    ],
)
def test_whoever_ends_while_it_writes_leaves_what_was_there(
    name: str, save: Callable[[Path], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = '{"learning_seconds": 0.0}'
    (tmp_path / name).write_text(before)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(tmp_path)
    assert (tmp_path / name).read_text() == before
    assert not (tmp_path / f"{name}.part").exists()


def test_writers_of_one_file_wait_for_each_other(tmp_path: Path) -> None:
    path, contents = tmp_path / "file", [bytes([letter]) * 300_000 for letter in b"abc"]
    write_whole(path, contents[0])
    failures: list[BaseException] = []

    def write(content: bytes) -> None:
        try:
            for _ in range(20):
                write_whole(path, content)
        except BaseException as error:
            failures.append(error)

    writers = [threading.Thread(target=write, args=(content,)) for content in contents]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        assert path.read_bytes() in contents
    assert not failures
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_another_process_writes_for_hours_is_left_to_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, part = tmp_path / "othello4.cert", tmp_path / "othello4.cert.part"
    with part.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        file.write(b"theirs")
        file.flush()
        assert execute(["solve", "othello4", "--certificate", str(path)]) == 2
        assert capsys.readouterr().err == f"rlscout: --certificate {path} is being written by another process\n"
        with pytest.raises(ValueError, match="being written by another process"):
            start = game("othello4").start
            game("othello4").engine.solver({}).start_certificate(start.packed, str(path), -10, -10, 4)
        assert part.read_bytes() == b"theirs"
    assert execute(["solve", "othello4", "--certificate", str(path)]) == 0  # as after a kill
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_told_before_the_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    check_place(tmp_path / "new", "--out")
    check_place(Path("/dev/stdout"), "--out")
    assert list(tmp_path.iterdir()) == []
    lost = str(tmp_path / "nowhere" / "x")
    for option, command in {
        "--make": ["book", "othello8", "--make", lost],
        "--out": ["patterns", "train", "othello6", "--out", lost],
        "--csv": ["bench", "eval", "--csv", lost],
        "--plot": ["bench", "ordering", "othello8", "--model", "none", "--plot", lost],
        "--certificate": ["solve", "othello8", "--certificate", lost],
    }.items():
        assert execute(command) == 2
        assert capsys.readouterr() == ("", f"rlscout: {option} {lost} cannot be written: No such file or directory\n")
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        for command in ("run", "serve"):
            assert execute([command, "tictactoe", "--data", str(folder)]) == 2
            assert capsys.readouterr() == ("", f"rlscout: {folder}: a file is there; the name of a folder is wanted\n")
    assert execute(["book", "othello8", "--make", str(tmp_path)]) == 2
    assert "a folder; the name of a file is wanted" in capsys.readouterr().err
