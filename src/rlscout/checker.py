"""Starts the independent checkers of certificates: separate programs, whose processes load no part of rlscout."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path

PROGRAM = "rlscout-verify"


def command(reference: bool = False) -> list[str]:
    """How the checker is started: the fast native one, or the readable Python one. ValueError where it is not
    installed."""
    if reference:
        return [sys.executable, "-m", "rlscout_verify"]
    folders = [sysconfig.get_path("scripts"), str(Path(sys.executable).parent)]
    root = Path(__file__).parents[2]
    folders += sorted(str(path.parent) for path in root.glob(f"build/**/{PROGRAM}") if path.is_file())
    for folder in folders:
        found = shutil.which(PROGRAM, path=folder)
        if found:
            return [found]
    found = shutil.which(PROGRAM)
    if found:
        return [found]
    raise ValueError(f"the checker {PROGRAM} is not installed; `rlscout verify --reference` uses the one in Python")


@dataclass(frozen=True)
class Check:
    """What a checker said."""

    valid: bool
    text: str  # its output, for people
    seconds: float


def verify(path: Path, reference: bool = False) -> Check:
    """Runs a checker over a certificate. ValueError where the file cannot be read or is no certificate at all."""
    begin = time.monotonic()
    ended = subprocess.run([*command(reference), str(path)], capture_output=True, text=True, check=False)
    text = (ended.stdout + ended.stderr).strip()
    if ended.returncode not in (0, 1):
        raise ValueError(text or f"the checker ended with status {ended.returncode}")
    return Check(ended.returncode == 0, text, time.monotonic() - begin)
