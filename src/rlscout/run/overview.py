"""What the store says of the run, for the live view."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from rlscout.config import Config
from rlscout.process import Every
from rlscout.storage import Store, StoreError, open_store

log = logging.getLogger(__name__)


@dataclass
class Overview:
    """What the store says of the run, asked for in the background so that the view never waits."""

    config: Config
    address: str
    found: dict[str, str] = field(default_factory=dict)
    phase: str = "starting"
    due: Every = field(default_factory=lambda: Every(0.4))
    thread: threading.Thread | None = None
    store: Store | None = None
    latest: dict[str, float] = field(default_factory=dict)

    NAMES = (
        "moves_per_second",
        "evaluations_per_second",
        "rollouts_per_second",
        "ms_per_move",
        "us_per_simulation",
        "samples_per_second",
        "policy_loss",
        "value_loss",
        "step",
    )

    def refresh(self) -> None:
        if (self.thread is None or not self.thread.is_alive()) and self.due():
            self.thread = threading.Thread(target=self._ask, daemon=True, name="overview")
            self.thread.start()

    def close(self) -> None:
        if self.thread is not None:
            self.thread.join(timeout=3.0)
        if self.store is not None:
            self.store.close()

    def facts(self) -> list[tuple[str, str]]:
        return list(self.found.items())

    def _ask(self) -> None:
        try:
            if self.store is None:
                keys = Path(self.config.server.keys) if self.config.server.keys else None
                self.store = open_store(self.address, keys=keys, timeout=2.0)
            self._tell(self.store)
        except StoreError as error:
            log.debug("no overview: %s", error)

    def _tell(self, store: Store) -> None:
        from rlscout.duel import describe

        counts, models, duels = store.sample_counts(), store.models(), store.duels()
        since = time.time() - 30.0
        for name in self.NAMES:
            if newest := {metric.source: metric.value for metric in store.read_metrics(name, since)}:
                self.latest[name] = _together(name, list(newest.values()))
        promoted = [m.id for m in models if m.evaluation == "+" and m.id]
        best = promoted[-1] if promoted else 0
        waiting = counts.last_id < self.config.train.min_samples
        self.phase = "rollouts" if best == 0 else f"network {best}"
        value = self.latest
        samples = f"{counts.last_id:,} of {counts.games:,} games"
        if waiting:
            samples += f" (training begins at {self.config.train.min_samples:,})"
        training = models_text = ""
        if not waiting and "policy_loss" in value:
            training = (
                f"step {value.get('step', 0):.0f}, policy loss {value['policy_loss']:.3f}, "
                f"value loss {value['value_loss']:.3f}, {value.get('samples_per_second', 0):.0f} samples/s"
            )
        if len(models) > 1:
            best_text = f"model {best}" if best else "rollouts"
            models_text = f"{len(models) - 1} made, {len(promoted)} promoted, best: {best_text}"
        self.found = {
            "self-play": _speed(value),
            "samples": samples,
            "training": training,
            "models": models_text,
            "duel": describe(duels[-1], self.config.duel) if duels else "",
        }


def _together(name: str, values: list[float]) -> float:
    """A metric of several processes: rates add up, and so do the inverses of times a piece."""
    if name.startswith(("ms_per", "us_per")) and all(values):
        return 1.0 / sum(1.0 / value for value in values)
    return sum(values)


def _speed(value: dict[str, float]) -> str:
    if "moves_per_second" not in value:
        return ""
    if value["moves_per_second"] < 0.5:
        return "rests until training catches up"
    name = "evaluations" if value.get("evaluations_per_second") else "rollouts"
    text = f"{value['moves_per_second']:.0f} moves/s, {value.get(f'{name}_per_second', 0.0):,.0f} {name}/s"
    if "ms_per_move" in value and "us_per_simulation" in value:
        text += f" ({value['ms_per_move']:.1f} ms a move, {value['us_per_simulation']:.1f} us a simulation)"
    return text
