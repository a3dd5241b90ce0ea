"""The main job on one host: learn a game by self-play, then solve it, write the certificate and have it checked.

    learn    serve + selfplay + train + duel as processes of their own (supervisor.py), until the budget is spent
    prove    the game, or the position of the config, ordered by the best network; certificate, verification, comparison (proving.py)
    tell     the result (telling.py), and a report

Everything that matters is in the data folder: the database (samples, models, duels, claims), `run.json` (learning time
spent, result), the log, the certificate and the report. Stopped or killed at any moment, a run started again goes on
from there.
"""

from __future__ import annotations

import json
import logging
import sys
import threading
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any

import msgspec

from rlscout.config import Config, document
from rlscout.files import make_folder, write_whole
from rlscout.games import Game, Position, game
from rlscout.inference import check_backend
from rlscout.process import Every, log_to, only_one, stop_on_signals
from rlscout.run.overview import Overview
from rlscout.run.proving import Proving
from rlscout.run.supervisor import Child, RunError, free_port, last_lines, stop
from rlscout.run.telling import how_to_go_on, tell
from rlscout.solving import checked_ordering
from rlscout.storage import Store, StoreError, holds_run, open_run, open_store
from rlscout.view import Status, Usage, View, clock

log = logging.getLogger(__name__)

JOBS = ("selfplay", "train", "duel")
OUTPUT_FILE = "processes.log"


@dataclass
class RunState:
    """`run.json`: what must survive the supervisor."""

    learning_seconds: float = 0.0
    result: dict[str, Any] | None = None

    @classmethod
    def load(cls, folder: Path) -> RunState:
        path = folder / "run.json"
        if not path.exists():
            return cls()
        try:
            return msgspec.convert(json.loads(path.read_text(encoding="utf-8")), cls)
        except ValueError as error:
            raise ValueError(
                f"{path}: not what a run has written ({error}); remove it to count learning time anew"
            ) from None

    def save(self, folder: Path) -> None:
        """At once or not at all."""
        write_whole(folder / "run.json", json.dumps(asdict(self), indent=1))


def run(config: Config) -> int:
    """The whole job; the exit status. ValueError for bad input."""
    folder = Path(config.data)
    played = game(config.game, config.scoring)
    asked = position_to_solve(config, played)
    checked_ordering(played, config.solve.ordering)
    check_backend(config.search.backend)
    make_folder(folder)
    with only_one("run", folder):
        state = RunState.load(folder)
        if state.result and _answers(state.result, config, asked) and state.learning_seconds >= 60.0 * config.minutes:
            print(f"{_title(config)}: solved before\n")
            return _tell_all(state.result, config, state, played)
        if holds_run(folder):
            with open_run(folder, played.name) as store:  # what does not fit is told before the settings are replaced
                store.set_run_value("scoring", played.scoring)
        return _sit(config, played, asked, state)


def _sit(config: Config, played: Game, asked: Position, state: RunState) -> int:
    """Learns and solves as far as this sitting comes; the exit status."""
    folder = Path(config.data)
    budget = f"{config.minutes:g} minute{'s' * (config.minutes != 1)}"
    again = f", going on after {clock(state.learning_seconds)} of learning" if state.learning_seconds else ""
    print(
        f"{_title(config)}: {budget} of learning, then the proof{again} (Ctrl-C stops, run again to go on)",
        flush=True,
    )
    log_to(folder, "run", config.view.log_level)
    log.info("run begins: %s", asdict(config))
    stopping = stop_on_signals()
    view = View(config.view.seconds, config.view.line_seconds)
    with (folder / OUTPUT_FILE).open("a", encoding="utf-8") as output, view:
        session = Session(config, folder, played, state, view, stopping, output)
        try:
            session.learn(60.0 * config.minutes)
            if not stopping.is_set():
                session.solve(asked)
        except RunError as error:
            words = last_lines(folder / OUTPUT_FILE)
            view.say(f"rlscout: {error}; the last words in {folder / OUTPUT_FILE}:\n{words}")
            return 2
        except OSError as error:
            view.say(
                f"rlscout: cannot go on in {folder}: {error.strerror or error}. What was acknowledged is kept; once that is mended, "
                "the same command goes on from there"
            )
            return 2
        finally:
            session.close()
    if state.result is None or stopping.is_set():
        print(f"stopped after {clock(state.learning_seconds)} of learning; the same command goes on from here")
        status = 130
    else:
        status = _tell_all(state.result, config, state, played)
    _report(config, folder)
    return status


def _title(config: Config) -> str:
    return f"rlscout: {config.game} in {config.data}"


def _tell_all(result: dict[str, Any], config: Config, state: RunState, played: Game) -> int:
    """Prints the result; the exit status that goes with it: 3 not proven, 1 the certificate is refused, else 0."""
    print(tell(result, Path(config.data), played))
    print(how_to_go_on(config, state.learning_seconds))
    if not result["proven"]:
        return 3
    return 0 if result.get("certificate", {"valid": True})["valid"] else 1


def _answers(result: dict[str, Any], config: Config, asked: Position) -> bool:
    """Whether a stored result is that of this config: what is proven stays so, a limit that was met may be another now."""
    question = (asked.game.name, asked.game.scoring, asked.text)
    same = (result["game"], result["scoring"], result["position"]) == question
    return same and (result["proven"] or result.get("asked") == asdict(config.solve))


def position_to_solve(config: Config, played: Game) -> Position:
    if config.solve.position:
        return played.position(config.solve.position)
    return played.play(config.solve.moves)


class Session:
    """One sitting of a run: its processes, its connection to the store, its view."""

    def __init__(
        self,
        config: Config,
        folder: Path,
        played: Game,
        state: RunState,
        view: View,
        stopping: threading.Event,
        output: IO[str],
    ) -> None:
        self.config, self.folder, self.game, self.state, self.view = config, folder, played, state, view
        self.stopping, self.output = stopping, output
        self.status = Status(f"rlscout {config.game}")
        self.usage = Usage()
        settings = folder / "config.toml"
        write_whole(settings, document(config))
        self.settings = str(settings)
        self.address = config.server.address if config.server.address != "auto" else f"tcp://127.0.0.1:{free_port()}"
        keys = ["--keys", config.server.keys] if config.server.keys else []
        self.server = Child("serve", ["serve", self.settings, "--address", self.address, *keys], output, 0)
        self.jobs = [
            Child(job, [job, self.settings, "--server", self.address, *keys], output, config.nice) for job in JOBS
        ]
        self.overview = Overview(config, self.address)

    def close(self) -> None:
        stop(self.jobs)
        self.overview.close()
        stop([self.server])
        with suppress(OSError):  # a full disk must not hide what happened before
            self.state.save(self.folder)
        log.info("run ends")

    def store(self) -> Store:
        """RunError at once where the server refuses to start, StoreError where none answers in time.

        A short call first, between which the server is tended; the store that is handed out waits as long as the settings say."""
        keys, patience = self.config.server.keys or None, self.config.server.timeout_seconds
        connect = partial(open_store, self.address, self.game.name, keys=Path(keys) if keys else None)
        deadline = time.monotonic() + patience
        while True:
            self.server.tend()
            try:
                connect(timeout=min(1.0, patience)).close()
                return connect(timeout=patience)
            except StoreError:
                if self.stopping.is_set() or time.monotonic() > deadline:
                    raise

    def learn(self, budget: float) -> None:
        """Keeps all processes running until the budget is spent; counts only time in which they do."""
        self.status.phase = "learning"
        save = Every(2.0)
        before = time.monotonic()
        while not self.stopping.is_set() and self.state.learning_seconds < budget:
            for child in [self.server, *self.jobs]:
                child.tend()
            now = time.monotonic()
            if all(child.pid for child in [self.server, *self.jobs]):
                self.state.learning_seconds += now - before
            before = now
            if save():
                self.state.save(self.folder)
            left = max(0.0, budget - self.state.learning_seconds)
            self.status.phase = f"learning: {self.overview.phase}"
            self.status.eta = f"{clock(left)} left, then the proof"
            self.status.done = self.state.learning_seconds / budget
            self.overview.refresh()
            self._show()
            self.stopping.wait(0.1)
        if self.stopping.is_set():
            self.view.say("stopping: the last games go to the database")
        stop(self.jobs)
        self.state.save(self.folder)

    def _show(self) -> None:
        self.status.facts = [*self.overview.facts(), ("use", self.usage.text())]
        self.view.show(self.status)

    def solve(self, asked: Position) -> None:
        """Proof, certificate, verification and comparisons; the result goes to the store and the state."""
        with self.store() as store:
            proving = Proving(
                self.config,
                self.folder,
                self.game,
                store,
                self.view,
                self.status,
                self.usage,
                self.stopping,
                self.server.tend,
            )
            result = proving.prove(asked)
            if result is not None:
                self.state.result = result
                self.state.save(self.folder)
                if result["proven"]:
                    proving.forget(asked)


def _report(config: Config, folder: Path) -> None:
    from rlscout.report import write_report

    try:
        if holds_run(folder):
            write_report(config, folder / "report.html")
    except ValueError as error:
        print(f"rlscout: no report: {error}", file=sys.stderr)
