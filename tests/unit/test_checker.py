"""How the checkers are started: what each ending of theirs means to a job, and that nothing lying about is run instead."""

import os
from pathlib import Path

import pytest
from certificate_oracle import OracleGame, Writer

from rlscout import checker
from rlscout.cli import execute


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    game, path = OracleGame("mnk:3,3,3", "line"), tmp_path / "tictactoe.cert"
    path.write_bytes(Writer(game, game.start(), 0, 0).certificate())
    return path


@pytest.mark.parametrize("reference", [False, True])
def test_endings(reference: bool, certificate: Path) -> None:
    assert checker.verify(certificate, reference).valid
    whole = certificate.read_bytes()
    certificate.write_bytes(whole[:-1])
    refused = checker.verify(certificate, reference)
    assert not refused.valid
    assert "REFUSED" in refused.text
    certificate.write_bytes(whole.replace(b"leaf_empties 0", b"leaf_empties 17"))
    beyond = checker.verify(certificate, reference)  # a proof that took hours is not thrown away for that
    assert not beyond.valid
    assert "OVER LIMIT: leaf_empties 17" in beyond.text
    for path, reason in [(certificate.with_name("missing"), "No such file"), (certificate.parent, "Is a directory")]:
        with pytest.raises(ValueError, match=f"^.*rlscout.verify: BAD INPUT: .*{reason}"):
            checker.verify(path, reference)


def test_in_a_checkout_the_checker_built_last_is_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checker, "ROOT", tmp_path)
    monkeypatch.setattr(checker.sysconfig, "get_path", lambda name: str(tmp_path / "none"))
    monkeypatch.setattr(checker.sys, "executable", str(tmp_path / "none" / "python"))
    folders = [tmp_path / "build" / name for name in ("cp311-linux", "dev/bin", "wheel")]
    for age, folder in zip((200, 100, 300), folders, strict=True):
        folder.mkdir(parents=True)
        program = folder / checker.PROGRAM
        program.touch(0o755)
        os.utime(program, (1e9 - age, 1e9 - age))
    assert checker.command() == [str(folders[1] / checker.PROGRAM)]


def test_modules_beside_a_certificate_are_not_run(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who unpacks a proof and checks it where it lies runs nothing that came with it."""
    certificate.write_bytes(certificate.read_bytes()[:-1])
    for name in ("zlib.py", "json.py", "rlscout_verify.py"):
        certificate.with_name(name).write_text("import sys; print('VALID'); sys.exit(0)")
    monkeypatch.chdir(certificate.parent)
    assert "REFUSED" in checker.verify(certificate, reference=True).text


def test_what_is_no_certificate_is_told_with_the_program(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text").write_text("hello")
    assert execute(["verify", str(tmp_path / "text")]) == checker.BAD_INPUT
    assert capfd.readouterr().err == f"checked by {checker.command()[0]}\n"
