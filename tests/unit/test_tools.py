"""The checkers of tools/: the checkout passes, and each kind of fault is found."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def run(tool: str, folder: Path) -> tuple[int, str]:
    command = [sys.executable, str(ROOT / "tools" / tool), str(folder)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    return answer.returncode, answer.stdout


def write(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"core/a.h": '#include "search/b.h"'}, 'core/a.h: may not include "search/b.h"'),
        ({"search/a.h": '  # include "games/go/go.h"'}, 'search/a.h: may not include "games/go/go.h"'),
        ({"games/go/go.h": '#include "games/chess/chess.h"'}, 'games/go/go.h: may not include "games/chess/chess.h"'),
        ({"verify/main.cpp": '#include "core/bits.h"'}, 'verify/main.cpp: may not include "core/bits.h"'),
        ({"engine/a.h": "#include <nanobind/nanobind.h>"}, "only python/ knows Python"),
        ({"utils/a.h": ""}, "utils/a.h: belongs to no layer"),
        ({"core/a.h": '#include "core/b.h"', "core/b.h": '#include "core/a.h"'}, "core/a.h: includes itself again"),
        ({}, "no native sources there"),
    ],
)
def test_an_include_that_breaks_the_layers_is_named(tmp_path: Path, files: dict[str, str], fault: str) -> None:
    status, output = run("check_includes.py", write(tmp_path, files))
    assert status == 1
    assert fault in output


def test_includes_that_keep_to_the_layers_pass(tmp_path: Path) -> None:
    files = {
        "core/a.h": "#include <bit>",
        "search/b.h": '#include "core/a.h"',
        "games/go/go.cpp": '#include "engine/engine_for.h"\n#include "games/go/go.h"',
        "games/go/go.h": '#include "core/a.h"',
    }
    assert run("check_includes.py", write(tmp_path, files))[0] == 0
    assert run("check_includes.py", ROOT / "native")[0] == 0


def test_a_quoted_path_that_does_not_exist_is_named(tmp_path: Path) -> None:
    text = "See `src/there.py` and `src/*.py`, `native/games/<game>`, `a/b`.\n```\n[&](int i)\n```\nSee `src/gone.py`, [guide](docs/no.md), `src/*.c`."
    status, output = run("check_paths.py", write(tmp_path, {"README.md": text, "src/there.py": ""}))
    assert status == 1
    assert output.splitlines() == [
        f"README.md:5: {path} does not exist" for path in ("src/gone.py", "src/*.c", "docs/no.md")
    ]
