"""dev.py says in one sentence what is missing, and exits with status 2."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in which nothing has been made yet."""
    for name in ("dev.py", "pyproject.toml", "constraints.txt", "CMakeLists.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "src/rlscout").mkdir(parents=True)
    shutil.copy(ROOT / "src/rlscout/__init__.py", tmp_path / "src/rlscout")
    return tmp_path


def refusal(python: list[str], checkout: Path, arguments: list[str], path: str = os.environ["PATH"]) -> str:
    """What dev.py says, after checking that it is one line and that the status is 2."""
    environment = {name: value for name, value in os.environ.items() if name not in ("CXX", "PYTHONPATH")} | {
        "PATH": path
    }
    command = [*python, *arguments]
    answer = subprocess.run(command, cwd=checkout, env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 2, answer.stderr
    assert len(answer.stderr.splitlines()) == 1, answer.stderr
    return answer.stderr


def test_no_compiler(checkout: Path) -> None:
    said = refusal([sys.executable], checkout, ["dev.py", "run"], path="")
    assert "a C++20 compiler is needed, and none of c++, g++, clang++ is on PATH" in said
    assert not (checkout / ".venv").exists()


def test_an_old_compiler(checkout: Path) -> None:
    compiler = checkout / "bin/c++"
    compiler.parent.mkdir()
    compiler.write_text("#!/bin/sh\nexit 1\n")
    compiler.chmod(0o755)
    said = refusal([sys.executable], checkout, ["dev.py", "run"], path=str(compiler.parent))
    assert f"{compiler} does not compile C++20" in said


def disguised(change: str) -> list[str]:
    """The command that starts `dev.py run` in a Python with one thing changed."""
    start = "sys.argv = ['dev.py', 'run']; runpy.run_path('dev.py', run_name='__main__')"
    return [sys.executable, "-c", f"import importlib.util, runpy, sys; {change}; {start}"]


def test_a_set_up_that_is_stopped_says_so(checkout: Path) -> None:
    press = "import shutil; shutil.which = lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt)"
    answer = subprocess.run(disguised(press), cwd=checkout, capture_output=True, text=True, check=False)
    assert (answer.returncode, answer.stderr) == (130, "dev.py: stopped; the same command makes what is missing.\n")


@pytest.mark.parametrize("module", ["venv", "ensurepip"])
def test_no_venv_module(checkout: Path, module: str) -> None:
    hide = (
        "found = importlib.util.find_spec; "
        f"importlib.util.find_spec = lambda name, *rest: None if name == {module!r} else found(name, *rest)"
    )
    assert "Python's venv module is needed" in refusal(disguised(hide), checkout, [])


def test_an_old_python(checkout: Path) -> None:
    said = refusal(disguised("sys.version_info = (3, 9, 18, 'final', 0)"), checkout, [])
    assert "rlscout needs Python 3.11 or newer, and this is Python 3.9" in said


def test_a_python_too_new_for_the_pinned_torch(checkout: Path) -> None:
    said = refusal(disguised("sys.version_info = (3, 15, 0, 'final', 0)"), checkout, [])
    assert "builds for Python 3.11 to 3.14, and this is Python 3.15" in said


def test_no_venv_names_what_the_interpreter_lacks(checkout: Path) -> None:
    said = refusal([sys.executable, "-S"], checkout, ["dev.py", "--no-venv", "run"])
    assert "lacks" in said
    assert "torch>=2.11" in said


def test_an_unknown_command_is_refused_with_the_known_ones(checkout: Path) -> None:
    said = refusal([sys.executable], checkout, ["dev.py", "tset"])
    assert "tset is no command; there are run, bench, setup, test, soak, lint, clean" in said


def collected(*options: str) -> set[str]:
    """Tests of a module that has both kinds."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", *options]
    answer = subprocess.run(
        [*command, "tests/system/storage/test_kill.py"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {line for line in answer.stdout.splitlines() if "::" in line}


def test_soak_tests_run_where_they_are_asked_for() -> None:
    plain, soak, everything = collected(), collected("-m", "soak"), collected("-m", "soak or not soak")
    assert plain and soak and not plain & soak
    assert plain | soak == everything
