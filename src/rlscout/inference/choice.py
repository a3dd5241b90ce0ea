"""Which backend is the fastest on this host's CPU, or on all that a Mac has, for the shape of a network and the size of a batch.

Measured once, then remembered in a file of the user's cache folder, by machine, versions of the libraries, shape, batch,
threads and device. Backends of less than single precision have to be faster by `GAIN`, and each network is tried before: where its
answers on positions of random games are off by more than `OFF`, it runs in single precision.
"""

from __future__ import annotations

import importlib.metadata
import json
import logging
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from rlscout.files import write_whole
from rlscout.games import game
from rlscout.inference import BACKENDS, Evaluator, Heads, available
from rlscout.inference.calibration import random_positions
from rlscout.network import U64, Network, folded

log = logging.getLogger(__name__)

REDUCED = ("onnx-int8", "openvino-bf16", "openvino-int8", "coreml", "native-int8")
GAIN = 1.25
OFF = 0.03
"""On average, of a value; and of a policy: the probability that goes to other moves."""
LARGEST_BATCH = 512
"""Rates change little beyond."""
TURNS, TURN_SECONDS = 3, 0.04


class Choice(NamedTuple):
    backend: str
    why: str


def fastest(network: Network, threads: int = 1, batch: int = 64, reduced: bool = False, device: str = "cpu") -> Choice:
    """The backend for a CPU, or for the device that each takes by itself ("auto"); with `reduced`, less than single precision
    will do."""
    installed = available()
    names = [name for name in installed if reduced or name not in REDUCED]
    if device == "cpu" and any(name not in ("torch", *REDUCED) for name in names):
        names = [name for name in names if name != "torch"]  # it never won there, and takes seconds to load
    if len(names) == 1:
        return Choice(names[0], "no other is installed")
    rates, source = _rates(network, names, threads, min(batch, LARGEST_BATCH), device)
    exact = [name for name in rates if name not in REDUCED]
    wanted: Heads | None = None
    for name in sorted(rates, key=lambda name: rates[name] / (GAIN if name in REDUCED else 1.0), reverse=True):
        if name in REDUCED and exact:
            wanted = wanted or _answers(network, max(exact, key=rates.__getitem__), device)
            off = difference(_answers(network, name, device), wanted)
            if max(off) > OFF:
                log.info("backend %s is off by %.3f (policy), %.3f (value) with this network", name, *off)
                continue
        compared = ", ".join(f"{other} {rate:,.0f}" for other, rate in rates.items())
        return Choice(name, f"evaluations/s at batch {min(batch, LARGEST_BATCH)}, {source}: {compared}")
    raise ValueError(f"none of {', '.join(names)} can be used here (the log says why)")


def difference(given: Heads, wanted: Heads) -> tuple[float, float]:
    """On average: of the policy, the probability that goes to other moves; of the value."""
    policy, value = (np.abs(a - b) for a, b in zip(given, wanted, strict=True))
    return float(policy.sum(axis=1).mean() / 2), float(value.mean())


def _answers(network: Network, backend: str, device: str) -> Heads:
    return BACKENDS[backend](network, device, 1, None).evaluate(*_boards(network, 128))


def _boards(network: Network, count: int) -> tuple[U64, U64]:
    pool = random_positions(network.header.game)
    positions = pool[np.arange(count) % len(pool)]
    return positions, game(network.header.game).engine.legal(positions)


def _rates(
    network: Network, names: Sequence[str], threads: int, batch: int, device: str
) -> tuple[dict[str, float], str]:
    """Evaluations a second by backend, and where they come from."""
    file, key = cache_file(), _key(network, names, threads, batch, device)
    known = _read(file)
    if key in known:
        return known[key], f"measured before, {file}"
    rates = _measured(network, names, threads, batch, device)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, json.dumps({**_read(file), key: rates}, indent=1))
    except OSError as error:
        return rates, f"measured now, and not remembered: {error}"
    return rates, "measured now"


def _measured(network: Network, names: Sequence[str], threads: int, batch: int, device: str) -> dict[str, float]:
    """The best of a few turns of each, so that other work on this host misleads less. A backend that fails is left out."""
    positions, legal = _boards(network, batch)
    evaluators: dict[str, Evaluator] = {}
    for name in names:
        try:
            evaluators[name] = BACKENDS[name](network, device, threads, None)
            evaluators[name].evaluate(positions, legal)
        except Exception:  # whatever a foreign library may raise
            log.exception("backend %s cannot be used", name)
            evaluators.pop(name, None)
    best = dict.fromkeys(evaluators, 0.0)
    for _ in range(TURNS):
        for name, evaluator in evaluators.items():
            rounds, begin = 0, time.perf_counter()
            while rounds == 0 or time.perf_counter() - begin < TURN_SECONDS:
                evaluator.evaluate(positions, legal)
                rounds += 1
            best[name] = max(best[name], round(rounds * batch / (time.perf_counter() - begin), 1))
    return best


def cache_file() -> Path:
    """In $XDG_CACHE_HOME, or ~/.cache."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "rlscout" / "backends.json"


def _read(file: Path) -> dict[str, dict[str, float]]:
    """What is remembered; nothing where the file is not there or not ours."""
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {key: rates for key, rates in known.items() if isinstance(rates, dict)} if isinstance(known, dict) else {}


def _key(network: Network, names: Sequence[str], threads: int, batch: int, device: str) -> str:
    header = folded(network).header
    a = header.architecture
    libraries = [
        name for name in ("onnxruntime", "openvino", "coremltools") if any(name[:4] in backend for backend in names)
    ]
    return "; ".join(
        [
            _machine(),
            *(f"{name} {importlib.metadata.version(name)}" for name in libraries),
            f"{a.blocks}x{a.channels}, heads {a.policy_channels}, {a.value_channels}, {a.value_hidden}",
            f"board {header.columns}x{header.rows}, batch {batch}, threads {threads}, device {device}",
            f"of {', '.join(names)}",
        ]
    )


def _machine() -> str:
    """The processor, and how many of it this process may use."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        model = platform.processor() or platform.machine()
    return f"{platform.system()} {platform.machine()} {model} x{os.cpu_count()}"
