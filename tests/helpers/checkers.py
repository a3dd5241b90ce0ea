"""Both checkers of certificates, run on one file and held to the same verdict."""

import json
import os
import shutil
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

from rlscout_verify.certificate import Limits
from rlscout_verify.cli import STATUS, verify

LIMITS = Limits(max_positions=100_000, max_leaf_empties=8)


def native_checker() -> str:
    program = shutil.which("rlscout-verify", path=f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}")
    assert program, "rlscout-verify is neither beside this Python nor on PATH"
    return program


def run_native(program: str, path: Path, *options: str) -> dict[str, Any]:
    """The JSON verdict, whose exit status must fit; anything on standard error (a sanitizer's report) is a failure."""
    command = [program, "--json", "--quiet", *options, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert not done.stderr, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == STATUS[result["verdict"]]
    return result


def run_both(program: str, path: Path, limits: Limits = LIMITS) -> dict[str, Any]:
    """The verdict of the reference, with which the native checker must agree to the letter."""
    expected, _ = verify(str(path), limits, lambda _: None)
    options = [f"--max-positions {limits.max_positions}", f"--max-leaf-empties {limits.max_leaf_empties}"]
    found = run_native(program, path, *" ".join(options).split())
    if expected["verdict"] != "bad input" or path.exists():
        ignored = {"checker", "nodes", "seconds"}
        assert {k: v for k, v in found.items() if k not in ignored} == {
            k: v for k, v in expected.items() if k not in ignored
        }
    return expected
