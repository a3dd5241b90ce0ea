"""The native module in the best variant this processor runs; its contract is `_native.pyi`.

The same sources are compiled once per processor variant (x86-64-v2, -v3, -v4; "generic" elsewhere), and every variant gives
the same results. The environment variable RLSCOUT_CPU forces one. One process uses one variant.
"""

import importlib
import importlib.util
import os
from types import ModuleType
from typing import TYPE_CHECKING

from rlscout._cpu import supported_variants

VARIANTS = ("v4", "v3", "v2", "generic")


def choose(wanted: str, built: list[str], supported: list[str]) -> str:
    """The variant to load: `wanted`, or the best of `supported` that is in `built` where `wanted` is empty.

    Raises ValueError for a name that is no variant, ImportError for one that is not built or that this processor lacks."""
    usable = [variant for variant in VARIANTS if variant in built and variant in supported]
    if wanted and wanted not in VARIANTS:
        raise ValueError(f"RLSCOUT_CPU={wanted}: no such processor variant; usable here: {', '.join(usable) or 'none'}")
    if wanted and wanted not in usable:
        reason = "this processor cannot run it" if wanted in built else "it was not built"
        raise ImportError(f"RLSCOUT_CPU={wanted}: {reason}; usable here: {', '.join(usable) or 'none'}")
    if not usable:
        raise ImportError(
            f"no native module for this processor: it runs {', '.join(supported) or 'no variant'}, "
            f"built: {', '.join(built) or 'none'} (`python3 dev.py setup` builds them)"
        )
    return wanted or usable[0]


def _load() -> ModuleType:
    built = [variant for variant in VARIANTS if importlib.util.find_spec(f"rlscout._native_{variant}")]
    variant = choose(os.environ.get("RLSCOUT_CPU", ""), built, supported_variants())
    return importlib.import_module(f"rlscout._native_{variant}")


if TYPE_CHECKING:
    from rlscout._native import (
        VARIANT,
        BatchedSearch,
        Engine,
        Solver,
        Tower,
        engine,
        families,
        instruction_sets,
        masked_softmax,
    )
else:
    globals().update({name: value for name, value in vars(_load()).items() if not name.startswith("_")})

__all__ = [
    "VARIANT",
    "BatchedSearch",
    "Engine",
    "Solver",
    "Tower",
    "choose",
    "engine",
    "families",
    "instruction_sets",
    "masked_softmax",
]
