"""The stage after learning: proof, certificate, verification, and what the ordering saved."""

from __future__ import annotations

import hashlib
import json
import logging
import math
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rlscout import checker, ordering
from rlscout.config import Config, device_of
from rlscout.games import Game, Position, random_positions
from rlscout.run.supervisor import RunError
from rlscout.solving import Limits, Proof, Solution, SolveOptions, solve_with
from rlscout.storage import Certificate, Claim, Store
from rlscout.view import Status, Usage, View, clock

if TYPE_CHECKING:
    from rlscout._native import SolveProgress
    from rlscout.inference import Evaluator

log = logging.getLogger(__name__)

COMPARE_LEAST = 1000
"""Smaller proofs are over before an order matters."""
COMPARE_FACTOR = 60
"""The proof with the static ordering, made for comparison, may take this many times the nodes of the network's."""
GRID_POSITIONS, GRID_EMPTIES, GRID_NODES = 6, (16, 18), 2_000_000
"""What every ordering is tried on at the end: some seconds."""


@dataclass
class Proving:
    """`tend` is called now and then: it keeps the server running."""

    config: Config
    folder: Path
    game: Game
    store: Store
    view: View
    status: Status
    usage: Usage
    stopping: threading.Event
    tend: Callable[[], None]

    def prove(self, asked: Position) -> dict[str, Any] | None:
        """The result, for `run.json`; None where the run was stopped before it was complete. What was proven until then is kept."""
        settings, store = self.config.solve, self.store
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
        state = self._state(asked)
        seconds = settings.state_seconds or math.inf
        proof = Proof(self.game, options, evaluator, stopping=self.stopping.is_set, state=state, state_seconds=seconds)
        proof.on_progress = self._progress("solving", proof.nodes)
        if proof.nodes:
            log.info("the proof goes on after %d nodes", proof.nodes)
        solution = solve_with(proof, asked, limits)
        if solution.status == "stopped" or self.stopping.is_set():
            return None
        claim = store.add_claim(_claim(solution))
        result = {**solution.as_json(), "model": model, "plies": _plies(solution), "asked": asdict(settings)}
        if settings.certificate and solution.proven:
            result["certificate"] = self._certify(proof, solution)
            if self.stopping.is_set():
                return None
            if result["certificate"].get("valid"):
                path = str(self.folder / result["certificate"]["file"])
                store.add_certificate(Certificate(path, claim.id, "checked"))
        del proof
        if settings.compare and solution.options.ordering != "static" and solution.nodes >= COMPARE_LEAST:
            result["static"] = self._compare(asked, options, limits, solution)
        if settings.compare and not self.stopping.is_set():
            self._compare_all(evaluator)
        return None if self.stopping.is_set() else result

    def forget(self, asked: Position) -> None:
        """Removes what was kept to go on from."""
        state = self._state(asked)
        state.unlink(missing_ok=True)
        state.with_name(f"{state.name}.part").unlink(missing_ok=True)  # left by a kill

    def _state(self, asked: Position) -> Path:
        """What is proven is true whatever the settings: a proof goes on under other limits, orders and threads."""
        question = json.dumps([asked.game.name, asked.game.scoring, asked.text])
        return self.folder / f"proof-{hashlib.sha256(question.encode()).hexdigest()[:8]}.table"

    def _progress(self, phase: str, before: int = 0) -> Callable[[SolveProgress], None]:
        """Tells the view of a proof; `before`: nodes that were spent on it before this phase."""
        begin = time.monotonic()

        def show(progress: SolveProgress) -> None:
            self.tend()
            seconds = max(time.monotonic() - begin, 1e-9)
            self.status.phase = phase
            self.status.done = progress["done"]
            done = progress["done"]
            passed = progress["seconds"]
            self.status.eta = f"about {clock(passed / done - passed)} left of this pass" if done > 0.02 else ""
            bounds = f"{progress['lower']:+d} to {progress['upper']:+d}"
            self.status.facts = [
                ("score", bounds),
                ("nodes", f"{progress['nodes']:,} ({(progress['nodes'] - before) / seconds:,.0f} a second)"),
                ("time", clock(seconds)),
                ("use", self.usage.text()),
            ]
            self.view.show(self.status)

        return show

    def _certify(self, proof: Proof, solution: Solution) -> dict[str, Any]:
        path = self.folder / f"{self.game.file_name}.cert"
        proof.on_progress = self._progress("writing the certificate", proof.nodes)
        begin = time.monotonic()
        leaves = self.config.solve.leaf_empties
        status = proof.certify(solution.position, path, solution.lower, solution.upper, leaves, None)
        if status != "proven":
            return {"valid": False, "text": f"not complete: {status}"}
        made = {"file": path.name, "bytes": path.stat().st_size, "seconds": round(time.monotonic() - begin, 3)}
        try:
            checked = checker.verify(path, tick=self._verifying, stopping=self.stopping.is_set)
        except ValueError as error:  # no checker, or not one of this version: the score is proven all the same
            log.error("verification: %s", error)
            return {**made, "valid": False, "text": f"not verified: {error}", "check_seconds": 0.0}
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
            self.tend()
            self.status.done = len(grid.rows) / len(rows)
            self.status.facts = [("ordering", grid.rows[-1].name), ("use", self.usage.text())]
            self.view.show(self.status)

        grid = ordering.measure(asked, evaluator, show, self.stopping.is_set)
        if len(grid.rows) == len(rows) > 1:
            grid.save(self.folder)


def _network(config: Config, store: Store, played: Game) -> tuple[int, Evaluator | None]:
    """The network that orders moves and its model; (0, None) where there is none."""
    from rlscout.inference import make_evaluator
    from rlscout.models import named_if_any

    found = named_if_any(config.solve.model, store, played.name)
    if found is None:
        return 0, None
    search = config.search
    network, device = found.network, device_of(search.device, 0)
    return found.number, make_evaluator(search.backend, network, device, search.network_threads)


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
