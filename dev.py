#!/usr/bin/env python3
"""One door to the checkout: makes the environment, builds what changed, then runs a command.

    python3 dev.py run [ARGS]     learn and solve (`rlscout run`); ARGS are its own, as in `run configs/othello4.toml --minutes 2`
    python3 dev.py test [ARGS]    the test suite; ARGS go to pytest
    python3 dev.py lint           every static check
    python3 dev.py bench [ARGS]   node counts and the signature (`rlscout bench`)
    python3 dev.py soak [ARGS]    long fuzzing and kill tests; ARGS go to pytest
    python3 dev.py setup          the environment and the build alone
    python3 dev.py clean          removes the environment and everything built

The environment is .venv beside this file, filled by pip (or `uv pip`, where uv is on PATH) with the versions of constraints.txt
from wherever the user's pip is configured to look. It is made once; later starts compare two stamps and go straight on.

    python3 dev.py --no-venv COMMAND

uses the interpreter that it is called with instead, installs nothing and needs no network: torch and the other dependencies of
pyproject.toml must be there already.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 -- said in words, before the syntax and modules of newer versions are met
    found = ".".join(map(str, sys.version_info[:2]))
    print("dev.py: rlscout needs Python 3.11 or newer, and this is Python " + found + ".", file=sys.stderr)
    sys.exit(2)

import ast
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, NoReturn

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
STAMP = VENV / "rlscout-stamp.json"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))

BACKENDS = ["onnx", "openvino"]
"""Where networks run fast on a CPU; --no-venv does without."""
EXTRAS = {
    "run": BACKENDS,
    "bench": BACKENDS,
    "setup": BACKENDS,
    "test": [*BACKENDS, "test"],
    "soak": [*BACKENDS, "test"],
    "lint": [*BACKENDS, "test", "lint"],
}


def fail(sentence: str) -> NoReturn:
    say(sentence)
    sys.exit(2)


def say(sentence: str) -> None:
    print(f"dev.py: {sentence}", file=sys.stderr, flush=True)


def call(command: list[str | Path]) -> None:
    """Runs a step of the set-up in sight of the user; where it fails, its own output has said why."""
    say("$ " + " ".join(os.path.relpath(part, ROOT) if isinstance(part, Path) else part for part in command))
    status = subprocess.run([str(part) for part in command], cwd=ROOT, check=False).returncode
    if status:
        fail(f"the step above failed (status {status}).")


# What must be there


def check_python() -> None:
    if sys.version_info >= (3, 15):
        found = f"{sys.version_info[0]}.{sys.version_info[1]}"
        fail(f"the torch of constraints.txt has builds for Python 3.11 to 3.14, and this is Python {found}.")
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        fail(
            "Python's C headers are needed, and this Python came without them (Debian, Ubuntu: apt install python3-dev)."
        )


def check_compiler() -> None:
    names = [os.environ["CXX"]] if os.environ.get("CXX") else ["c++", "g++", "clang++"]
    compiler = next(filter(None, (shutil.which(name.split()[0]) for name in names)), None)
    advice = "Debian, Ubuntu: apt install g++; macOS: xcode-select --install"
    if compiler is None:
        fail(f"a C++20 compiler is needed, and none of {', '.join(names)} is on PATH ({advice}).")
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "probe.cpp")
        source.write_text("#include <bit>\n#include <concepts>\nstatic_assert(std::popcount(7u) == 3);\n")
        probe = [compiler, "-std=c++20", "-c", str(source), "-o", os.devnull]
        if subprocess.run(probe, capture_output=True, check=False).returncode:
            fail(f"a C++20 compiler is needed, and {compiler} does not compile C++20 ({advice}).")


def tool_is_there(name: str, at_least: tuple[int, ...]) -> bool:
    path = shutil.which(name)
    if path is None:
        return False
    answer = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout
    found = re.search(r"(\d+)\.(\d+)", answer)
    return found is not None and (int(found[1]), int(found[2])) >= at_least


def missing_tools() -> list[str]:
    tools = {"cmake": (3, 25), "ninja": (1, 10)}
    return [name for name, at_least in tools.items() if not tool_is_there(name, at_least)]


# Stamps: what the environment was made from


def digest(parts: Iterable[bytes]) -> str:
    sha = hashlib.sha256()
    for part in parts:
        sha.update(len(part).to_bytes(8, "little") + part)
    return sha.hexdigest()


def build_digest() -> str:
    """Changes with everything that an installed build depends on; the Python sources are used in place."""
    files = [ROOT / "CMakeLists.txt", ROOT / "pyproject.toml", ROOT / "src/rlscout/__init__.py"]
    files += sorted(path for path in (ROOT / "native").rglob("*") if path.is_file())
    settings = [os.environ.get(name, "").encode() for name in ("CXX", "CXXFLAGS", "CMAKE_ARGS")]
    return digest([part for path in files for part in (str(path).encode(), path.read_bytes())] + settings)


def packages_digest() -> str:
    return digest(
        [
            str(ROOT).encode(),
            sys.version.encode(),
            (ROOT / "constraints.txt").read_bytes(),
            json.dumps([PROJECT["build-system"], PROJECT["project"]]).encode(),
        ]
    )


class Stamp(NamedTuple):
    """What .venv holds: the digests that it was made from, and the extras that were asked for so far."""

    packages: str = ""
    build: str = ""
    extras: tuple[str, ...] = ()

    @classmethod
    def read(cls) -> "Stamp":
        """The stamp of the last set-up that came to its end; an empty one where there is none."""
        try:
            packages, build, *extras = STAMP.read_text("utf-8").splitlines()
        except (OSError, ValueError):
            return cls()
        return cls(packages, build, tuple(extras)) if (VENV / "bin/rlscout").exists() else cls()

    def has(self, packages: str, extras: Iterable[str]) -> bool:
        return self.packages == packages and set(extras) <= set(self.extras)

    def write(self) -> None:
        STAMP.write_text("\n".join([self.packages, self.build, *self.extras]), "utf-8")


# The environment


def make_venv() -> None:
    """The environment belongs to the Python that dev.py is called with; for another one it is made anew."""
    library = VENV / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}"
    if library.exists() and (VENV / "bin/python").exists() and (VENV / "bin/pip").exists():
        return
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        fail(
            "Python's venv module is needed, and this Python came without it (Debian, Ubuntu: apt install python3-venv)."
        )
    call([sys.executable, "-m", "venv", "--clear", VENV])


def pip_settings() -> dict[str, list[str]]:
    """The user's own settings of pip, from its files and its environment variables: name -> values."""
    listing = subprocess.run([VENV / "bin/pip", "config", "list"], capture_output=True, text=True, check=True).stdout
    settings: dict[str, list[str]] = {}
    for key, _, value in (line.partition("=") for line in listing.splitlines()):
        settings.setdefault(key.rpartition(".")[2], []).extend(str(ast.literal_eval(value)).split())
    return settings


def installer() -> list[str | Path]:
    """`pip install`, or `uv pip install` told what the user told pip."""
    uv = shutil.which("uv")
    if uv is None:
        return [VENV / "bin/python", "-m", "pip", "install", "--disable-pip-version-check"]
    command: list[str | Path] = [
        uv,
        "pip",
        "install",
        "--python",
        VENV / "bin/python",
        "--index-strategy",
        "unsafe-best-match",
    ]
    settings = pip_settings()
    for name in ("index-url", "extra-index-url", "find-links", "constraint"):
        for value in dict.fromkeys(settings.get(name, [])):
            command += [f"--{name}", value]
    for certificates in settings.get("cert", []):
        os.environ.setdefault("SSL_CERT_FILE", certificates)
    return command


def mention_cpu_build() -> None:
    """The plain torch for Linux brings CUDA along; says so where nothing here could use it. The choice stays the user's."""
    if sys.platform != "linux" or Path("/proc/driver/nvidia").exists() or shutil.which("nvidia-smi"):
        return
    if not {"index-url", "extra-index-url", "find-links"} & pip_settings().keys():
        say(
            "no NVIDIA driver here: torch from the default index brings CUDA along (about 3 GB). Its CPU build is 0.2 GB; "
            "pytorch.org says how to point pip at it (then start again)."
        )


def install_packages(extras: Iterable[str]) -> None:
    wanted = PROJECT["project"]["dependencies"] + PROJECT["build-system"]["requires"] + missing_tools()
    for extra in extras:
        wanted += PROJECT["project"]["optional-dependencies"][extra]
    mention_cpu_build()
    call([*installer(), "-c", ROOT / "constraints.txt", *wanted])


def prepare_venv(extras: list[str]) -> None:
    """Brings .venv up to date; where the stamp matches that is a few milliseconds."""
    os.environ["PATH"] = f"{VENV / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    os.environ["VIRTUAL_ENV"] = str(VENV)
    packages, build = packages_digest(), build_digest()
    stamp = Stamp.read()
    if stamp.has(packages, extras) and stamp.build == build:
        return
    check_python()
    check_compiler()
    make_venv()
    stamp = Stamp.read()
    known = sorted({*stamp.extras, *extras})
    if not stamp.has(packages, extras):
        install_packages(known)
    if stamp.build != build:
        in_sight = [] if shutil.which("uv") else ["-v"]  # pip hides a build without it; uv's own is a debug log
        call([*installer(), *in_sight, "--no-build-isolation", "--no-deps", "-e", ROOT])
    Stamp(packages, build, tuple(known)).write()


def prepare_interpreter(extras: list[str]) -> None:
    """--no-venv: checks that the interpreter has what is needed, builds with CMake alone, and runs from the source folder."""
    wanted = PROJECT["project"]["dependencies"] + ["nanobind>=3.1"]
    others = [extra for extra in extras if extra not in BACKENDS]
    wanted += [package for extra in others for package in PROJECT["project"]["optional-dependencies"][extra]]
    missing = [requirement for requirement in wanted if not requirement_is_met(requirement)]
    if missing:
        fail(f"--no-venv: {sys.executable} lacks {', '.join(missing)}.")
    if missing_tools():
        fail(f"--no-venv: {' and '.join(missing_tools())} needed (cmake 3.25, ninja 1.10 or newer) on PATH.")
    build = ROOT / "build" / f"no-venv-{sys.implementation.cache_tag}"
    os.environ["PATH"] = f"{build / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"
    os.environ["PYTHONPATH"] = f"{ROOT / 'src'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}".rstrip(os.pathsep)
    stamp = build / "rlscout-stamp"
    digest_now = build_digest()
    if stamp.exists() and stamp.read_text() == digest_now:
        return
    check_compiler()
    options = shlex.split(os.environ.get("CMAKE_ARGS", ""))  # scikit-build-core reads it too
    call(["cmake", "-S", ROOT, "-B", build, "-G", "Ninja", f"-DPython_EXECUTABLE={sys.executable}", *options])
    call(["cmake", "--build", build])
    stamp.write_text(digest_now)


def requirement_is_met(requirement: str) -> bool:
    name, _, bound = re.sub(r"\s", "", requirement).replace("==", ">=").partition(">=")
    try:
        version = importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False

    def release(text: str) -> list[int]:
        return [int(number) for number in re.findall(r"\d+", text.partition("+")[0])[:3]]

    return release(version) >= release(bound)


# Commands


def lint(python: str) -> int:
    """Every static check, the later ones too where one fails."""
    native = sorted(
        str(path.relative_to(ROOT)) for path in (ROOT / "native").rglob("*") if path.suffix in {".h", ".cpp"}
    )
    checks = {
        "ruff": [python, "-m", "ruff", "check", "."],
        "ruff format": [python, "-m", "ruff", "format", "--check", "."],
        "mypy": [python, "-m", "mypy"],
        "import-linter": ["lint-imports", "--no-cache"],
        "clang-format": ["clang-format", "--dry-run", "-Werror", *native],
        "includes": [python, "tools/check_includes.py"],
        "paths": [python, "tools/check_paths.py"],
    }
    failed = []
    for name, command in checks.items():
        say(name)
        if subprocess.run(command, cwd=ROOT, check=False).returncode:
            failed.append(name)
    say(f"{len(checks) - len(failed)} checks passed, {len(failed)} failed" + "".join(f", {name}" for name in failed))
    return 1 if failed else 0


def clean() -> None:
    for name in (
        ".venv",
        "build",
        "dist",
        ".pytest_cache",
        ".mypy_cache",
        ".ruff_cache",
        ".hypothesis",
        ".import_linter_cache",
    ):
        shutil.rmtree(ROOT / name, ignore_errors=True)
    for library in (ROOT / "src").rglob("*.so"):
        library.unlink()
    for cache in [*(ROOT / "src").rglob("__pycache__"), *(ROOT / "tests").rglob("__pycache__")]:
        shutil.rmtree(cache, ignore_errors=True)


def main(arguments: list[str]) -> int:
    no_venv = arguments[:1] == ["--no-venv"]
    command, *rest = arguments[1 if no_venv else 0 :] or ["--help"]
    if command in ("-h", "--help"):
        print(__doc__)
        return 0
    if command == "clean":
        clean()
        return 0
    if command not in EXTRAS:
        fail(f"{command} is no command; there are {', '.join([*EXTRAS, 'clean'])}.")
    if no_venv:
        prepare_interpreter(EXTRAS[command])
        python = sys.executable
    else:
        prepare_venv(EXTRAS[command])
        python = str(VENV / "bin/python")
    if command == "setup":
        return 0
    if command == "lint":
        return lint(python)
    return execute(command, python, rest)


def execute(command: str, python: str, arguments: list[str]) -> NoReturn:
    """Becomes the command; `run` and `bench` keep the caller's folder, where their arguments may name files."""
    start = {
        "run": ["-m", "rlscout", "run"],
        "bench": ["-m", "rlscout", "bench"],
        "test": ["-m", "pytest", "-n", "2", "--dist", "loadfile", "--max-worker-restart", "0"],
        "soak": ["-m", "pytest", "-m", "soak", "-o", "faulthandler_timeout=0"],
    }[command]
    if command in ("test", "soak"):
        os.chdir(ROOT)
    sys.stdout.flush()
    os.execv(python, [python, *start, *arguments])


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:  # what was started has heard it too, and ends by itself
        say("stopped; the same command makes what is missing.")
        sys.exit(130)
