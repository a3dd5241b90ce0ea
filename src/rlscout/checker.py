"""Starts the independent checkers of certificates: separate programs, whose processes load no part of rlscout."""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PROGRAM = "rlscout-verify"
ROOT = Path(__file__).parents[2]
"""Of the checkout, where there is one."""
BAD_INPUT = 2  # exit status of a checker, see docs/certificate.md, section 6


def command(reference: bool = False) -> list[str]:
    """How the checker is started: the fast native one (that of this installation; in a checkout, the one built last), or the readable
    Python one. ValueError where it is not installed."""
    if reference:
        # -P: not from the folder where it is started, which may hold what came with a certificate
        return [sys.executable, "-P", "-m", "rlscout_verify"]
    folders = [sysconfig.get_path("scripts"), str(Path(sys.executable).parent)]
    built = [path for path in ROOT.glob(f"build/**/{PROGRAM}") if path.is_file()]
    folders += [str(path.parent) for path in sorted(built, key=lambda path: path.stat().st_mtime, reverse=True)]
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


def verify(
    path: Path,
    reference: bool = False,
    tick: Callable[[float], None] = lambda seconds: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Check:
    """Runs a checker over a certificate; `tick` is called with the seconds so far. ValueError, which names the checker, where the file
    cannot be read or is no certificate at all. Beyond a limit of the checker or stopped before its end, the answer is not
    valid."""
    begin, program = time.monotonic(), command(reference)
    process = subprocess.Popen(
        [*program, "--quiet", str(path)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    while True:
        try:
            text = process.communicate(timeout=0.2)[0].strip()
            break
        except subprocess.TimeoutExpired:
            tick(time.monotonic() - begin)
            if stopping():
                process.kill()
    text = text or f"the checker ended with status {process.returncode}"
    if process.returncode == BAD_INPUT and not stopping():
        raise ValueError(f"{' '.join(program)}: {text}")
    return Check(process.returncode == 0, text, time.monotonic() - begin)
