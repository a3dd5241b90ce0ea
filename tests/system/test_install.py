"""`pip install .` into an empty environment gives a working `rlscout` and `rlscout-verify`, in every processor variant.

The wheel is built without isolation, in the build folder of the checkout's own environment: what was compiled there is not
compiled again. Its dependencies are installed for real, by the names and bounds that the wheel states.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rlscout._cpu import supported_variants

ROOT = Path(__file__).resolve().parents[2]
CLEAN = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "RLSCOUT_CPU", "VIRTUAL_ENV")}


def call(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Standard output of a command that must succeed."""
    answer = subprocess.run(command, cwd=cwd, env={**CLEAN, **environment}, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, (
        f"{command}: status {answer.returncode}\n{answer.stdout[-4000:]}{answer.stderr[-4000:]}"
    )
    return answer.stdout


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the commands in a fresh environment that the wheel was installed into."""
    if shutil.which("cmake", path=f"{Path(sys.executable).parent}{os.pathsep}{CLEAN['PATH']}") is None:
        pytest.skip("no cmake to build the wheel with")
    folder = tmp_path_factory.mktemp("install")
    path = f"{Path(sys.executable).parent}{os.pathsep}{CLEAN['PATH']}"
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
    call(*pip, "wheel", "--no-build-isolation", "--no-deps", "-w", folder, ROOT, cwd=folder, PATH=path)
    call(sys.executable, "-m", "venv", folder / "venv", cwd=folder)
    wheel = next(folder.glob("rlscout-*.whl"))
    python = folder / "venv/bin/python"
    call(python, "-m", "pip", "install", "-c", ROOT / "constraints.txt", wheel, cwd=folder)
    return python.parent


def test_the_package_is_the_installed_one(scripts: Path, tmp_path: Path) -> None:
    where = call(scripts / "python", "-c", "import rlscout; print(rlscout.__file__)", cwd=tmp_path)
    assert Path(where.strip()).is_relative_to(scripts.parent)
    call(scripts / "python", "-m", "pip", "check", cwd=tmp_path)


def test_every_variant_plays_by_the_same_rules_and_searches_the_same_nodes(scripts: Path, tmp_path: Path) -> None:
    signatures = {}
    for variant in supported_variants():
        counted = call(scripts / "rlscout", "perft", "othello6", "8", cwd=tmp_path, RLSCOUT_CPU=variant)
        assert counted.splitlines()[-1] == "308716"
        signatures[variant] = call(scripts / "rlscout", "bench", cwd=tmp_path, RLSCOUT_CPU=variant)
    assert "signature" in signatures[supported_variants()[0]]
    assert len(set(signatures.values())) == 1, signatures


def test_a_proof_is_written_and_checked_by_both_checkers(scripts: Path, tmp_path: Path) -> None:
    solved = call(scripts / "rlscout", "solve", "othello4", "--certificate", "proof.cert", "--json", cwd=tmp_path)
    assert '"score": -10' in solved
    call(scripts / "rlscout-verify", "proof.cert", cwd=tmp_path)
    call(scripts / "rlscout-verify-reference", "proof.cert", cwd=tmp_path)
