"""Which processor variant is loaded, and what is said where none can be."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from rlscout import native
from rlscout._cpu import supported_variants
from rlscout.native import choose


def test_the_best_variant_that_is_built_and_supported() -> None:
    assert choose("", ["v2", "v3", "v4"], ["v4", "v3", "v2"]) == "v4"
    assert choose("", ["v2", "v3", "v4"], ["v3", "v2"]) == "v3"
    assert choose("", ["v2"], ["v3", "v2"]) == "v2"
    assert choose("v2", ["v2", "v3"], ["v3", "v2"]) == "v2"


def test_what_cannot_be_loaded_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="RLSCOUT_CPU=avx2: no such processor variant; usable here: v3, v2"):
        choose("avx2", ["v2", "v3", "v4"], ["v3", "v2"])
    with pytest.raises(ImportError, match="RLSCOUT_CPU=v4: this processor cannot run it; usable here: v3, v2"):
        choose("v4", ["v2", "v3", "v4"], ["v3", "v2"])
    with pytest.raises(ImportError, match="RLSCOUT_CPU=v3: it was not built; usable here: v2"):
        choose("v3", ["v2"], ["v3", "v2"])
    with pytest.raises(ImportError, match="it runs v2, built: none"):
        choose("", [], ["v2"])


def loaded(variant: str) -> subprocess.CompletedProcess[str]:
    """A new process that is told which variant to load and prints which one it did."""
    code = "from rlscout import native; print(native.VARIANT)"
    environment = {**os.environ, "RLSCOUT_CPU": variant}
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("variant", native.VARIANTS)
def test_a_forced_variant_is_the_one_that_is_loaded(variant: str) -> None:
    if variant not in supported_variants():
        pytest.skip(f"this processor cannot run {variant}; it runs {', '.join(supported_variants())}")
    assert loaded(variant).stdout.strip() == variant


def test_a_wrong_name_in_the_environment_stops_the_import() -> None:
    answer = loaded("v5")
    assert answer.returncode != 0
    assert "ValueError: RLSCOUT_CPU=v5: no such processor variant" in answer.stderr


def test_native_calls_take_the_names_of_their_contract() -> None:
    contract = ast.parse((Path(native.__file__).parent / "_native.pyi").read_text())
    calls = 0
    for kind in (node for node in contract.body if isinstance(node, ast.ClassDef) and hasattr(native, node.name)):
        for call in (node for node in kind.body if isinstance(node, ast.FunctionDef)):
            signature = getattr(getattr(native, kind.name), call.name).__doc__
            wanted = [parameter.arg for parameter in call.args.args[1:]]
            assert re.findall(r"(\w+): ", signature.splitlines()[0])[: len(wanted)] == wanted, (
                f"{kind.name}.{call.name}"
            )
            calls += 1
    assert calls > 40
    assert native.Engine.__doc__.startswith("The rules of one game")
