"""The solving job: a position in, proven bounds out; whoever orders the moves, the answer is the same.

    solve(position, options=SolveOptions(...), limits=Limits(...), network=network)  ->  Solution

The native solver proves. With a network it stops wherever it lacks the order of moves near the root, the
evaluator answers all that are missing in one batch, and the search goes on from its table. Running out of nodes or
time is an answer: bounds that are proven so far.
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from rlscout import patterns
from rlscout.config import ORDERINGS
from rlscout.games import PASS, Game, Position, check_position
from rlscout.process import Every

if TYPE_CHECKING:
    from rlscout._native import SolveProgress, Solver, SolveResult, SolverOptions
    from rlscout.inference import Evaluator
    from rlscout.network import Network

log = logging.getLogger(__name__)

POLL_SECONDS = 0.1


@dataclass(frozen=True)
class Limits:
    """What may end a proof early, over all the calls it takes: nodes, or seconds; None: no limit. ValueError for one below 0."""

    nodes: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name, limit in (("nodes", self.nodes), ("seconds", self.seconds)):
            if limit is not None and not limit >= 0:
                raise ValueError(f"{name} {limit}: 0 and more are allowed, or None for no limit")


@dataclass(frozen=True)
class SolveOptions:
    """How a proof is made; none of it changes the answer.

    ordering     one of `ORDERINGS`; those of a network need one, "patterns" a table that comes with the package or is given
    hint_ply     the network orders positions down to this ply below the root
    hint_batch   positions that it evaluates at once
    table_mb     memory of the transposition table, MiB
    threads      native ones; with 1, node counts repeat to the unit
    seed         of the random ordering
    statistics   count nodes and first-move cuts by ply, in `Solution`
    patterns     file of a pattern table to take instead of the one that comes with the package"""

    ordering: str = "auto"
    hint_ply: int = 2
    hint_batch: int = 4096
    table_mb: int = 64
    threads: int = 1
    seed: int = 1
    statistics: bool = False
    patterns: Path | None = None


@dataclass(frozen=True, eq=False)
class Solution:
    """What is proven of a position: lower <= score <= upper for the side to move, whatever the status. Moves are squares (-1: a
    pass), which `Position.play` takes and `Game.square_name` names.

    status                "proven", "limit" or "stopped"
    best_moves            proven to reach `lower`; all of them only where `scores` is filled
    principal_variation   proven best play of both sides
    nodes                 positions entered; `new_nodes` those of this call, the others were spent before on what the proof knew
    evaluations           static ones; `network_evaluations` apart
    options               as they were used: what "auto" stood for is said in `ordering`
    scores                with `all_moves`: square -> proven (lower, upper), for the side to move
    nodes_by_ply          [plies], with `statistics` and without `all_moves`, else empty; so are `cut_nodes_by_ply`, nodes with a
                          cut, and `first_cuts_by_ply`, those where the first move cut"""

    position: Position
    status: str
    lower: int
    upper: int
    best_moves: list[int]
    principal_variation: list[int]
    nodes: int
    evaluations: int
    network_evaluations: int
    seconds: float
    options: SolveOptions
    new_nodes: int = 0
    scores: dict[int, tuple[int, int]] = field(default_factory=dict)
    nodes_by_ply: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    cut_nodes_by_ply: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    first_cuts_by_ply: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def proven(self) -> bool:
        return self.lower == self.upper

    @property
    def score(self) -> int | None:
        """None where it is not proven."""
        return self.lower if self.proven else None

    def __str__(self) -> str:
        names = [self.position.game.square_name(move) for move in self.best_moves]
        best = f", best {' '.join(names)}" if names else ""
        status = "" if self.proven else f" ({self.status})"
        return (
            f"score {bounds_text(self.lower, self.upper)} for {self.position.to_move}{best}{status}; {self.nodes:,} nodes, "
            f"{self.seconds:.2f} s"
        )

    def as_json(self) -> dict[str, Any]:
        """For a file or a pipe: moves by their names, and without the counts by ply."""
        game = self.position.game
        answer: dict[str, Any] = {
            "game": game.name,
            "scoring": game.scoring,
            "position": self.position.text,
            "score": self.score,
            "lower": self.lower,
            "upper": self.upper,
            "proven": self.proven,
            "best_moves": [game.square_name(move) for move in self.best_moves],
            "principal_variation": [game.square_name(move) for move in self.principal_variation],
            "nodes": self.nodes,
            "evaluations": self.evaluations,
            "network_evaluations": self.network_evaluations,
            "seconds": round(self.seconds, 3),
            "threads": self.options.threads,
            "ordering": self.options.ordering,
        }
        if self.scores:
            answer["moves"] = {
                game.square_name(move): {"lower": low, "upper": high} for move, (low, high) in self.scores.items()
            }
        return answer


class ProgressCallback(Protocol):
    def __call__(self, progress: SolveProgress, /) -> None: ...


def _ignore(progress: SolveProgress) -> None:
    pass


@lru_cache(maxsize=4)
def _table(name: str, file: Path | None = None) -> NDArray[np.int32] | None:
    """The weights of the pattern table in a file, or of the one that comes with a game."""
    table = patterns.load(name) if file is None else patterns.PatternTable.read(file, name)
    return None if table is None else table.packed()


def best_ordering(game: Game, network: bool = False, file: Path | None = None) -> str:
    """What `auto` stands for: a pattern table where one is given or comes with the game, below the plies of a network where there
    is one."""
    if _table(game.name, file) is None:
        return "network" if network else "static"
    return "network+patterns" if network else "patterns"


def checked_ordering(game: Game, wanted: str, file: Path | None = None) -> str:
    """`wanted`, where it is an ordering that this game has; ValueError where not."""
    if wanted not in ORDERINGS:
        raise ValueError(f"ordering '{wanted}': allowed are {', '.join(ORDERINGS)}")
    if wanted == "patterns" and _table(game.name, file) is None:
        raise ValueError(f"ordering 'patterns': no pattern table comes with {game.name}; see `rlscout patterns train`")
    return wanted


class Proof:
    """One solver with its table, its hints and its counters, for a position and what lies below it."""

    def __init__(
        self,
        game: Game,
        options: SolveOptions,
        evaluator: Evaluator | None = None,
        on_progress: ProgressCallback = _ignore,
        stopping: Callable[[], bool] = lambda: False,
        state: Path | None = None,
        state_seconds: float = 60.0,
    ) -> None:
        """`state`: a file that the proof goes on from where it exists, and that is written every `state_seconds` and when a proof ends:
        what was proven is not proven again, whatever ends this process. It is trusted: never take one from others."""
        if checked_ordering(game, options.ordering, options.patterns) == "auto":
            options = replace(options, ordering=best_ordering(game, evaluator is not None, options.patterns))
        hints = options.ordering.startswith("network")
        if hints and evaluator is None:
            raise ValueError(f"ordering '{options.ordering}' needs a network: give a model, or the ordering 'static'")
        self.game, self.options, self.evaluator = game, options, evaluator
        self.on_progress, self.stopping = on_progress, stopping
        self.network_evaluations = 0
        native: SolverOptions = {
            "table_mb": options.table_mb,
            "threads": options.threads,
            "ordering": "random" if options.ordering == "random" else "static",
            "seed": options.seed,
            "hint_ply": options.hint_ply if hints else 0,
            "statistics": options.statistics,
        }
        table = _table(game.name, options.patterns) if options.ordering.endswith("patterns") else None
        if table is not None:
            native["patterns"] = table
        self.solver: Solver = game.engine.solver(native)
        self.state, self._save_due = state, Every(state_seconds)
        self.nodes = 0
        """Spent so far, by all proofs together and by those that the state holds."""
        self.question = ""
        """Text of the position that was asked for last, here or by those who left the state."""
        if state is not None and state.exists():
            self.question = self.solver.load(str(state))
            self.nodes = self.solver.progress()["nodes"]
        elif state is not None:
            self.solver.save(str(state))  # a place that cannot be written is told now, not after hours
        self.nodes_before = self.nodes
        """Those of `nodes` that the state brought."""

    def reset(self) -> None:
        """Forgets the table, the hints and the counters."""
        self.solver.reset()
        self.nodes = self.nodes_before = 0

    def prove(self, position: Position, limits: Limits) -> SolveResult:
        """Starts the solver until it ends for another reason than missing hints."""
        begin, nodes_before = time.monotonic(), self.nodes
        while True:
            seconds = None if limits.seconds is None else max(0.0, limits.seconds - (time.monotonic() - begin))
            nodes = None if limits.nodes is None else max(1, limits.nodes - (self.nodes - nodes_before))
            self.solver.start(position.packed, nodes=nodes, seconds=seconds)
            result = self._wait()
            self.nodes = result["nodes"]
            if result["status"] != "wanted":
                self._save()
                return result
            self._answer(self.solver.wanted())

    def certify(
        self,
        position: Position,
        path: Path,
        lower: int,
        upper: int,
        leaf_empties: int = 0,
        seconds: float | None = None,
    ) -> str:
        """Writes the certificate of `lower <= score <= upper`; the status says whether the file is complete ("proven"). Positions with
        at most `leaf_empties` empty squares are left to the checker; 0: none are."""
        self.solver.start_certificate(
            position.packed, str(path), lower, upper, leaf_empties, seconds, position.first_to_move
        )
        return self._wait()["status"]

    def _wait(self) -> SolveResult:
        try:
            while not self.solver.wait(POLL_SECONDS):
                self.on_progress(self.solver.progress())
                if self.stopping():
                    self.solver.stop()
                elif self._save_due():
                    self._save()
        except KeyboardInterrupt:
            self.solver.stop()
            self.solver.wait(60.0)
            self._save()
            raise
        return self.solver.result()

    def _save(self) -> None:
        if self.state is None:
            return
        try:
            self.solver.save(str(self.state), self.question)
        except ValueError as error:  # a full disk: the proof itself is not in danger
            log.warning("%s; going on without", error)

    def _answer(self, positions: NDArray[np.uint64]) -> None:
        assert self.evaluator is not None
        for begin in range(0, len(positions), self.options.hint_batch):
            part = positions[begin : begin + self.options.hint_batch]
            heads = self.evaluator.evaluate(part, self.game.engine.legal(part))
            self.solver.add_hints(part, heads.policy.astype(np.float32, copy=False), heads.value)
            self.network_evaluations += len(part)


def solve(
    position: Position,
    *,
    options: SolveOptions | None = None,
    limits: Limits | None = None,
    network: Network | None = None,
    all_moves: bool = False,
    on_progress: ProgressCallback = _ignore,
    stopping: Callable[[], bool] = lambda: False,
) -> Solution:
    """The proven bounds of `position`; with `all_moves` those of every legal move too. A `network` orders moves near the root. Ctrl-C
    raises, as ever. ValueError where the network plays another game, or the options do not fit."""
    check_position(position)
    evaluator = None
    if network is not None:
        from rlscout.inference import make_evaluator

        network.check_game(position.game.name)
        evaluator = make_evaluator("auto", network)
    proof = Proof(position.game, options or SolveOptions(), evaluator, on_progress, stopping)
    return solve_with(proof, position, limits or Limits(), all_moves)


def solve_with(proof: Proof, position: Position, limits: Limits, all_moves: bool = False) -> Solution:
    """As `solve`, with a proof whose table is kept: for a certificate of the result, or for a file of related
    positions."""
    begin, nodes_before = time.monotonic(), proof.nodes
    proof.question = position.text
    if all_moves and position.phase == 0:
        return _solve_every_move(proof, position, limits)
    result = proof.prove(position, limits)
    return Solution(
        position=position,
        status=result["status"],
        lower=result["lower"],
        upper=result["upper"],
        best_moves=[]
        if position.over or (result["best_move"] == PASS and position.phase == 0)
        else [result["best_move"]],
        principal_variation=list(result["principal_variation"]),
        nodes=result["nodes"],
        new_nodes=result["nodes"] - nodes_before,
        evaluations=result["evaluations"],
        network_evaluations=proof.network_evaluations,
        seconds=time.monotonic() - begin,
        options=proof.options,
        nodes_by_ply=result["nodes_by_ply"],
        cut_nodes_by_ply=result["cut_nodes_by_ply"],
        first_cuts_by_ply=result["first_cuts_by_ply"],
    )


def _solve_every_move(proof: Proof, position: Position, limits: Limits) -> Solution:
    """One proof a move over one table; the bounds of the position are the maxima of those of its moves."""
    begin, nodes_before = time.monotonic(), proof.nodes
    scores: dict[int, tuple[int, int]] = {}
    variations: dict[int, list[int]] = {}
    status, nodes, evaluations = "proven", proof.nodes, 0
    engine = position.game.engine
    for move in position.legal_squares:
        left = Limits(
            None if limits.nodes is None else max(1, limits.nodes - (proof.nodes - nodes_before)),
            None if limits.seconds is None else max(0.0, limits.seconds - (time.monotonic() - begin)),
        )
        result = proof.prove(position.play([move]), left)
        nodes, evaluations = result["nodes"], result["evaluations"]
        scores[move] = (-result["upper"], -result["lower"])
        variations[move] = [move, *result["principal_variation"]]
        if result["status"] != "proven":
            status = result["status"]
    lower = max((low for low, _ in scores.values()), default=engine.min_score)
    upper = max((high for _, high in scores.values()), default=engine.max_score)
    best = [move for move, (low, _) in scores.items() if low == lower]
    return Solution(
        position=position,
        status=status,
        lower=lower,
        upper=upper,
        best_moves=best,
        principal_variation=variations[best[0]],
        nodes=nodes,
        new_nodes=nodes - nodes_before,
        evaluations=evaluations,
        network_evaluations=proof.network_evaluations,
        seconds=time.monotonic() - begin,
        options=proof.options,
        scores=scores,
    )


@dataclass(frozen=True)
class Problem:
    """A line of a file of positions, with the answers it holds."""

    line: int
    position: Position
    answers: dict[int, int]  # square -> score for the side to move

    @property
    def score(self) -> int | None:
        return max(self.answers.values(), default=None)

    def verdict(self, solution: Solution) -> str:
        """ "right", "wrong" or "unsolved" against the answers; "solved" where the line holds none."""
        known = {move: bounds for move, bounds in solution.scores.items() if move in self.answers}
        if self.contradicted(solution):
            return "wrong"
        if not solution.proven or any(low != high for low, high in known.values()):
            return "unsolved"
        return "solved" if self.score is None else "right"

    def contradicted(self, solution: Solution) -> list[str]:
        """The answers that are not what is proven, in words, each beside it; the best of
        them beside the score where each by itself is right, or was not asked for."""
        name = self.position.game.square_name
        proven = {move: bounds for move, bounds in solution.scores.items() if move in self.answers}
        wrong = [
            f"{name(move)} {self.answers[move]:+d} in the file, {bounds_text(low, high)} proven"
            for move, (low, high) in proven.items()
            if not low <= self.answers[move] <= high
        ]
        if wrong or self.score is None or solution.lower <= self.score <= solution.upper:
            return wrong
        best = max(self.answers, key=lambda move: self.answers[move])
        return [f"{name(best)} {self.score:+d} in the file, score {bounds_text(solution.lower, solution.upper)} proven"]


def bounds_text(low: int, high: int) -> str:
    return f"{low:+d}" if low == high else f"{low:+d} to {high:+d}"


def read_problems(game: Game, path: Path) -> Iterator[Problem]:
    """The positions of an OBF file: `SQUARES SIDE; MOVE:SCORE; ...`, one a line; `%` starts a comment, `--:-127` pads.

    ValueError names the line at fault."""
    for number, raw in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1):
        text = raw.split("%")[0].strip()
        if not text:
            continue
        board, *fields = (part.strip() for part in text.split(";"))
        try:
            position = game.position(board)
            answers = dict(_answer_of(game, part) for part in fields if part and not part.endswith(":-127"))
            for move in answers:
                position.play([move])
        except ValueError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
        yield Problem(number, position, answers)


def _answer_of(game: Game, text: str) -> tuple[int, int]:
    move, _, score = text.partition(":")
    squares = game.parse_moves(move)
    if len(squares) != 1 or not re.fullmatch(r"\s*[+-]?[0-9]+", score):
        raise ValueError(f"'{text}' is not MOVE:SCORE")
    return squares[0], int(score)
