"""The main job on one host: learn a game by self-play, then solve it, write the certificate and have it checked.

    learn   serve + selfplay + train + duel as processes of their own, started again when they crash, until the budget
    is spent solve   the game (or the position of the config), ordered by the best network; then certificate,
    verification, comparison tell    the result, and a report

Everything that matters is in the data folder: the database (samples, models, duels, claims), `run.json` (learning time
spent, result), the log, the certificate and the report. Stopped or killed at any moment, a run started again goes on
from there.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from rlscout import checker, draw, ordering, patterns
from rlscout.config import Config, SolveConfig, device_of, document
from rlscout.games import Game, Position, game, random_positions
from rlscout.process import LOG_FILE, Every, log_to, only_one, stop_on_signals
from rlscout.solving import Limits, Proof, Solution, SolveOptions, checked_ordering, solve_with
from rlscout.storage import Certificate, Claim, Store, StoreError, open_store
from rlscout.view import Status, Usage, View, clock

if TYPE_CHECKING:
    from rlscout._native import SolveProgress
    from rlscout.inference import Evaluator

log = logging.getLogger(__name__)

JOBS = ("selfplay", "train", "duel")
OUTPUT_FILE = "processes.log"
STOP_SECONDS = 8.0
"""How long processes may take to stop before they are killed; all that is acknowledged is safe by then."""
CRASHES = 5
"""Crashes of one process within CRASH_SECONDS that end the run."""
CRASH_SECONDS = 60.0
COMPARE_LEAST = 1000
"""Smaller proofs are over before an order matters."""
COMPARE_FACTOR = 60
"""The proof with the static ordering, made for comparison, may take this many times the nodes of the network's."""
GRID_POSITIONS, GRID_EMPTIES, GRID_NODES = 6, (16, 18), 2_000_000
"""What every ordering is tried on at the end: some seconds."""


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
            return cls(**json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{path}: not what a run has written ({error}); remove it to count learning time anew"
            ) from None

    def save(self, folder: Path) -> None:
        """At once or not at all."""
        part = folder / "run.json.part"
        with part.open("w", encoding="utf-8") as file:
            json.dump(asdict(self), file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        part.replace(folder / "run.json")


class RunError(Exception):
    """A process that cannot go on; the text says why."""


class Child:
    """A process of the run: started again after a crash, ended with its supervisor in whatever way that ends."""

    def __init__(self, name: str, arguments: list[str], output: IO[str], nice: int) -> None:
        self.name, self.arguments, self.output, self.nice = name, arguments, output, nice
        self.crashes: list[float] = []
        self.start_at = 0.0
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        environment = {key: value for key, value in os.environ.items() if not _is_setting(key)}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "rlscout", *self.arguments, "--supervised"],
            stdin=subprocess.PIPE,
            stdout=self.output,
            stderr=self.output,
            env=environment,
            start_new_session=True,
        )
        if self.nice and hasattr(os, "setpriority"):
            with suppress(OSError):
                os.setpriority(os.PRIO_PROCESS, self.process.pid, self.nice)
        log.info("%s started, process %d", self.name, self.process.pid)

    def tend(self) -> None:
        """Starts it where it does not run. RunError where it refuses its input or crashes again and again."""
        now = time.monotonic()
        if self.process is not None and self.process.poll() is not None:
            status = self.process.returncode
            log.warning("%s ended with status %d", self.name, status)
            self.process = None
            if status == 2:
                raise RunError(f"{self.name} cannot go on")
            self.crashes = [t for t in self.crashes if now - t < CRASH_SECONDS] + [now]
            if len(self.crashes) > CRASHES:
                raise RunError(f"{self.name} ended {len(self.crashes)} times within {CRASH_SECONDS:.0f} seconds")
            self.start_at = now + 0.2 * 2 ** len(self.crashes)
        if self.process is None and now >= self.start_at:
            self.start()

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process is not None else None

    def ask_to_stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()

    def wait(self, deadline: float) -> None:
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("%s did not stop in time and is killed", self.name)
            self.process.kill()
            self.process.wait()
        if self.process.stdin:
            self.process.stdin.close()
        self.process = None


def _is_setting(variable: str) -> bool:
    """The config file of the run already holds what the environment said."""
    return variable.startswith("RLSCOUT_") and variable not in ("RLSCOUT_CPU",)


def stop(children: list[Child]) -> None:
    deadline = time.monotonic() + STOP_SECONDS
    for child in children:
        child.ask_to_stop()
    for child in children:
        child.wait(deadline)


def run(config: Config) -> int:
    """The whole job; the exit status. ValueError for bad input."""
    folder = Path(config.data)
    played = game(config.game, config.scoring)
    asked = position_to_solve(config, played)
    checked_ordering(played, config.solve.ordering)
    folder.mkdir(parents=True, exist_ok=True)
    with only_one("run", folder):
        state = RunState.load(folder)
        if state.result and _answers(state.result, config, asked) and state.learning_seconds >= 60.0 * config.minutes:
            print(f"{_title(config)}: solved before\n")
            return _tell_all(state.result, config, state, played)
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
            words = _last_lines(folder / OUTPUT_FILE)
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
    _report(config, folder)
    if state.result is None or stopping.is_set():
        print(f"stopped after {clock(state.learning_seconds)} of learning; the same command goes on from here")
        return 130
    return _tell_all(state.result, config, state, played)


def _title(config: Config) -> str:
    return f"rlscout: {config.game} in {config.data}"


def _tell_all(result: dict[str, Any], config: Config, state: RunState, played: Game) -> int:
    """Prints the result; the exit status that goes with it: 3 not proven, 1 the certificate is refused, else 0."""
    print(tell(result, Path(config.data), played))
    print(how_to_go_on(config, state))
    if not result["proven"]:
        return 3
    return 0 if result.get("certificate", {"valid": True})["valid"] else 1


def _answers(result: dict[str, Any], config: Config, asked: Position) -> bool:
    """Whether a stored result is that of this config: what is proven stays so, a limit that was met may be another now."""
    question = (asked.game.name, asked.game.scoring, asked.text)
    same = (result["game"], result["scoring"], result["position"]) == question
    return same and (result["proven"] or result.get("asked") == asdict(config.solve))


def _digest(asked: Position, settings: SolveConfig) -> str:
    """A name for the question, so that its proof goes on from its own state only."""
    question = json.dumps([asked.game.name, asked.game.scoring, asked.text, asdict(settings)])
    return hashlib.sha256(question.encode()).hexdigest()[:8]


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
        settings.write_text(document(config), encoding="utf-8")
        self.settings = str(settings)
        self.address = config.server.address if config.server.address != "auto" else f"tcp://127.0.0.1:{_free_port()}"
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
        keys = Path(self.config.server.keys) if self.config.server.keys else None
        return open_store(self.address, self.game.name, keys=keys, timeout=self.config.server.timeout_seconds)

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
        """Proof, certificate, verification, and what the network's ordering saved; the result goes to the store and
        the state."""
        self.server.tend()
        settings = self.config.solve
        with self.store() as store:
            wanted = settings.ordering
            by_network = wanted == "auto" or wanted.startswith("network")
            model, evaluator = _network(self.config, store, self.game) if by_network else (0, None)
            options = SolveOptions(
                ordering="auto" if by_network and evaluator is None else wanted,
                hint_ply=settings.hint_ply,
                hint_batch=settings.hint_batch,
                table_mb=settings.table_mb,
                threads=settings.threads,
                seed=self.config.seed,
                statistics=True,
            )
            limits = Limits(settings.nodes or None, settings.seconds or None)
            state = self.folder / f"proof-{_digest(asked, settings)}.table"
            seconds = settings.state_seconds or math.inf
            proof = Proof(
                self.game, options, evaluator, stopping=self.stopping.is_set, state=state, state_seconds=seconds
            )
            proof.on_progress = self._progress("solving", proof.nodes)
            if proof.nodes:
                log.info("the proof goes on after %d nodes", proof.nodes)
            solution = solve_with(proof, asked, limits)
            if solution.status == "stopped" or self.stopping.is_set():
                return
            claim = store.add_claim(_claim(solution))
            result = {**solution.as_json(), "model": model, "plies": _plies(solution), "asked": asdict(settings)}
            if settings.certificate and solution.proven:
                result["certificate"] = self._certify(proof, solution)
                if self.stopping.is_set():
                    return
                if result["certificate"].get("valid"):
                    path = str(self.folder / result["certificate"]["file"])
                    store.add_certificate(Certificate(path, claim.id, "checked"))
            del proof
            if settings.compare and solution.options.ordering != "static" and solution.nodes >= COMPARE_LEAST:
                result["static"] = self._compare(asked, options, limits, solution)
            if settings.compare and not self.stopping.is_set():
                self._compare_all(evaluator)
            if not self.stopping.is_set():
                self.state.result = result
                self.state.save(self.folder)
                for done in self.folder.glob("proof-*.table"):
                    done.unlink()

    def _progress(self, phase: str, before: int = 0) -> Callable[[SolveProgress], None]:
        """Tells the view of a proof; `before`: nodes that were spent on it before this phase."""
        begin = time.monotonic()

        def show(progress: SolveProgress) -> None:
            self.server.tend()
            seconds = max(time.monotonic() - begin, 1e-9)
            self.status.phase = phase
            self.status.done = progress["done"]
            done = progress["done"]
            passed = progress["seconds"]
            self.status.eta = f"about {clock(passed / done - passed)} left of this pass" if done > 0.02 else ""
            bounds = f"{progress['lower']:+d} to {progress['upper']:+d}"
            self.status.facts = [
                ("score", bounds),
                ("nodes", f"{progress['nodes']:,} ({(progress['nodes'] - before) / seconds / 1e6:.1f} million/s)"),
                ("time", clock(seconds)),
                ("use", self.usage.text()),
            ]
            self.view.show(self.status)

        return show

    def _certify(self, proof: Proof, solution: Solution) -> dict[str, Any]:
        path = self.folder / f"{self.game.name.replace(':', '-').replace(',', '-')}.cert"
        proof.on_progress = self._progress("writing the certificate", proof.nodes)
        begin = time.monotonic()
        leaves = self.config.solve.leaf_empties
        status = proof.certify(solution.position, path, solution.lower, solution.upper, leaves, None)
        if status != "proven":
            return {"valid": False, "text": f"not complete: {status}"}
        made = {"file": path.name, "bytes": path.stat().st_size, "seconds": round(time.monotonic() - begin, 3)}
        checked = checker.verify(path, tick=self._verifying, stopping=self.stopping.is_set)
        log.info("verification: %s", checked.text)
        return {**made, "valid": checked.valid, "text": checked.text, "check_seconds": round(checked.seconds, 3)}

    def _verifying(self, seconds: float) -> None:
        self.status.phase, self.status.done, self.status.eta = "verifying", 0.0, ""
        self.status.facts = [("time", clock(seconds)), ("by", "a separate program, with rules of its own")]
        self.view.show(self.status)

    def _compare(self, asked: Position, options: SolveOptions, limits: Limits, solution: Solution) -> dict[str, Any]:
        """The same proof by the static ordering, within a multiple of the nodes."""
        most = COMPARE_FACTOR * max(solution.nodes, 100_000)
        proof = Proof(
            self.game,
            replace(options, ordering="static"),
            None,
            self._progress("comparing with the static ordering"),
            self.stopping.is_set,
        )
        other = solve_with(proof, asked, replace(limits, nodes=min(most, limits.nodes or most)))
        if other.proven and solution.proven and other.score != solution.score:
            raise RunError(f"the orderings disagree: {solution.score} and {other.score}; this is a defect")
        return {
            "proven": other.proven,
            "nodes": other.nodes,
            "evaluations": other.evaluations,
            "seconds": round(other.seconds, 3),
            "plies": _plies(other),
        }

    def _compare_all(self, evaluator: Evaluator | None) -> None:
        """Every ordering on a few late positions, for the report."""
        low, high = GRID_EMPTIES
        if self.game.start.empties < high + 2:
            return
        positions = random_positions(self.game, GRID_POSITIONS, low, high, self.config.seed)
        asked = ordering.Asked(
            positions,
            f"{GRID_POSITIONS} random positions of {low} to {high} empty squares, {GRID_NODES / 1e6:g} million nodes each at most",
            table_mb=self.config.solve.table_mb,
            nodes=GRID_NODES,
        )
        rows = ordering.combinations(asked, evaluator is not None)
        self.status.phase, self.status.done, self.status.eta = "comparing the orderings", 0.0, ""

        def show(grid: ordering.Grid) -> None:
            self.server.tend()
            self.status.done = len(grid.rows) / len(rows)
            self.status.facts = [("ordering", grid.rows[-1].name), ("use", self.usage.text())]
            self.view.show(self.status)

        grid = ordering.measure(asked, evaluator, show, self.stopping.is_set)
        if len(grid.rows) == len(rows) > 1:
            grid.save(self.folder)


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
            "self-play": _speed(value, best > 0),
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


def _speed(value: dict[str, float], network: bool) -> str:
    if "moves_per_second" not in value:
        return ""
    if value["moves_per_second"] < 0.5:
        return "rests until training catches up"
    name = "evaluations" if network else "rollouts"
    text = f"{value['moves_per_second']:.0f} moves/s, {value.get(f'{name}_per_second', 0.0):,.0f} {name}/s"
    if "ms_per_move" in value and "us_per_simulation" in value:
        text += f" ({value['ms_per_move']:.1f} ms a move, {value['us_per_simulation']:.1f} us a simulation)"
    return text


def _network(config: Config, store: Store, played: Game) -> tuple[int, Evaluator | None]:
    """The network that orders moves and its model; (0, None) where there is none."""
    from rlscout.inference import make_evaluator
    from rlscout.network import load_network

    if config.solve.model == "none":
        return 0, None
    if config.solve.model == "best":
        model = store.best_model()
        if model == 0:
            return 0, None
        network = load_network(store.weights(model), played.name)
    else:
        model, network = -1, load_network(Path(config.solve.model), played.name)
    search = config.search
    return model, make_evaluator(search.backend, network, device_of(search.device, 0), search.network_threads)


def _claim(solution: Solution) -> Claim:
    return Claim(
        scoring=solution.position.game.scoring,
        position=solution.position.text,
        lower=solution.lower,
        upper=solution.upper,
        nodes=solution.nodes,
        evaluations=solution.evaluations,
        seconds=solution.seconds,
        options=asdict(solution.options),
    )


def _plies(solution: Solution) -> list[dict[str, int]]:
    """Nodes, nodes with a cut, and those of them where the first move cut, by ply."""
    columns = (solution.nodes_by_ply, solution.cut_nodes_by_ply, solution.first_cuts_by_ply)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [
        {"ply": ply, "nodes": nodes, "cut_nodes": cuts, "first_cuts": first}
        for ply, (nodes, cuts, first) in enumerate(rows)
        if nodes
    ]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _last_lines(path: Path, count: int = 15) -> str:
    return "\n".join(path.read_text(encoding="utf-8", errors="replace").splitlines()[-count:])


def _report(config: Config, folder: Path) -> None:
    from rlscout.report import write_report

    if (folder / "rlscout.db").exists():
        write_report(config, folder / "report.html")


def how_to_go_on(config: Config, state: RunState) -> str:
    more = max(2 * config.minutes, math.ceil(state.learning_seconds / 60.0) + 1)
    return f"\nTo go on learning and solve again: add --minutes {more:g} (minutes of learning in all)."


def tell(result: dict[str, Any], folder: Path, played: Game) -> str:
    """The result for people: score, line with boards, cost, ordering, certificate."""
    position = played.position(result["position"])
    who = position.to_move
    lines = [position.show(), ""]
    if result["proven"]:
        lines.append(f"Score {result['score']:+d} for {who}, proven ({played.name}, {_scoring(played)}).")
    else:
        lines.append(f"Score between {result['lower']:+d} and {result['upper']:+d} for {who}: a limit was met.")
    moves = played.parse_moves(" ".join(result["principal_variation"]))
    if moves:
        lines += ["", "Principal variation: " + " ".join(result["principal_variation"]), "", boards(position, moves)]
    lines += [
        "",
        *_cost(result),
        "",
        *_certificate(result, folder),
        f"Report: {folder / 'report.html'}; log: {folder / LOG_FILE}",
    ]
    return "\n".join(lines)


def _scoring(played: Game) -> str:
    if not played.name.startswith("othello"):
        return "1 is a win, 0 a draw"
    return "the winner takes the empty squares" if played.scoring == "empties" else "discs only"


def boards(start: Position, moves: list[int], across: int = 6) -> str:
    """The positions of a line, side by side."""
    position = start
    pictures: list[str] = []
    for move in moves:
        name = f"{len(pictures) + 1}. {position.to_move} {position.game.square_name(move)}"
        position = position.play([move])
        cells = position.text.split(" ")[0]
        pictures.append(f"{name}\n{draw.board_text(cells, position.game.columns)}")
    rows = [draw.beside(*pictures[i : i + across], gap=3) for i in range(0, len(pictures), across)]
    return "\n\n".join(rows)


def _cost(result: dict[str, Any]) -> list[str]:
    network = (
        f"the network of model {result['model']}"
        + (
            " and the pattern table"
            if result["ordering"] == "network+patterns" and patterns.load(result["game"])
            else ""
        )
        if result["ordering"].startswith("network")
        else f"the {result['ordering']} ordering"
    )
    lines = [
        f"Proof: {result['nodes']:,} nodes, {result['evaluations']:,} static and {result['network_evaluations']:,} network "
        f"evaluations, {result['seconds']:.1f} s on {result['threads']} threads, ordered by {network}."
    ]
    cuts = [(row["ply"], row["first_cuts"] / row["cut_nodes"]) for row in result["plies"] if row["cut_nodes"]]
    if cuts:
        shares = ", ".join(f"{ply}: {share:.0%}" for ply, share in cuts)
        lines.append(f"First move cut, of all nodes with a cut, by ply from the root: {shares}.")
    static = result.get("static")
    if static:
        saved = 1.0 - result["nodes"] / max(1, static["nodes"])
        more = "" if static["proven"] else "more than "
        verb = f"{saved:.0%} of the tree saved" if saved >= 0 else f"{-saved:.0%} more nodes"
        lines.append(
            f"Against the static ordering ({more}{static['nodes']:,} nodes, {static['seconds']:.1f} s): {more}{verb}."
        )
    return lines


def _certificate(result: dict[str, Any], folder: Path) -> list[str]:
    made = result.get("certificate")
    if made is None:
        return []
    if "file" not in made:
        return [f"Certificate: {made['text']}."]
    verdict = "valid" if made["valid"] else "NOT ACCEPTED"
    return [
        f"Certificate: {folder / made['file']}, {made['bytes']:,} bytes, written in {made['seconds']:.1f} s; {verdict} "
        f"by the independent checker in {made['check_seconds']:.1f} s.",
        *(f"  {line}" for line in made["text"].splitlines()),
    ]
