"""The native tests (native/tests) under the sanitizers."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def build_and_run(sanitizer: str, options: dict[str, str]) -> str:
    """Builds into build/, where a second run finds what has not changed; the output of the test program."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    folder = ROOT / "build" / f"native-tests-{sanitizer}"
    cmake = shutil.which("cmake", path=path)
    assert cmake, "cmake is neither on PATH nor beside the interpreter"
    configure = [
        cmake,
        "-S",
        ROOT,
        "-B",
        folder,
        "-G",
        "Ninja",
        "-DRLSCOUT_TESTS=ON",
        f"-DRLSCOUT_SANITIZE={sanitizer}",
    ]
    for command in (configure, [cmake, "--build", folder], [folder / "native_tests", "--no-skip"]):
        environment = {**os.environ, **options, "PATH": path}
        answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stdout[-8000:] + answer.stderr[-8000:]
    return answer.stdout


@pytest.mark.parametrize("sanitizer", ["address", "thread"])
def test_native_tests_pass_under_the_sanitizer(sanitizer: str) -> None:
    output = build_and_run(sanitizer, {"UBSAN_OPTIONS": "print_stacktrace=1", "TSAN_OPTIONS": "halt_on_error=1"})
    assert "Status: SUCCESS!" in output
