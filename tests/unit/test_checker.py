"""How the checkers are started: what each ending of theirs means to a job, and that nothing lying about is run instead."""

from pathlib import Path

import pytest
from certificate_oracle import OracleGame, Writer

from rlscout import checker


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
        with pytest.raises(ValueError, match=reason):
            checker.verify(path, reference)


def test_modules_beside_a_certificate_are_not_run(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who unpacks a proof and checks it where it lies runs nothing that came with it."""
    certificate.write_bytes(certificate.read_bytes()[:-1])
    for name in ("zlib.py", "json.py", "rlscout_verify.py"):
        certificate.with_name(name).write_text("import sys; print('VALID'); sys.exit(0)")
    monkeypatch.chdir(certificate.parent)
    assert "REFUSED" in checker.verify(certificate, reference=True).text
