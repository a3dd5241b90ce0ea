"""What each order of moves is worth: the same proofs under every ordering of a grid, ply by ply.

    measure(Asked(...), evaluator)  ->  Grid      rows of static, patterns, network to ply k, network to ply k over patterns ...
    Grid.text(), csv(), plots()                   for people, for tables, for reports
    Grid.save(folder), load(folder)               beside a run, whose report shows it

One thread and fresh tables, so that node counts repeat to the unit.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from rlscout.config import ORDERINGS
from rlscout.files import write_whole
from rlscout.games import Game, Position
from rlscout.plot import Line, plot
from rlscout.solving import Limits, Proof, Solution, SolveOptions, best_ordering, solve_with

if TYPE_CHECKING:
    from rlscout.inference import Evaluator

FILE = "ordering.json"
KINDS = ("static", "patterns", "network", "network+patterns")
"""Measured unless told otherwise; a random order takes many times as long."""
LEAST_SAVED = -1.0
"""Plots of the share saved end here: a ply with few nodes may have many times as many."""


@dataclass(frozen=True)
class Asked:
    positions: Sequence[Position]
    about: str  # what they are, for people
    kinds: Sequence[str] = KINDS  # of ORDERINGS; those that lack a network or a table are left out
    hint_plies: Sequence[int] = (2, 4)  # the network orders down to these
    table_mb: int = 256
    seed: int = 1  # of the random order
    nodes: int | None = None  # limit of each proof


@dataclass(frozen=True)
class Row:
    """Sums over the proofs of all positions. Plies are counted from the root; nodes inside a leaf routine count at the
    ply where it was entered, so that the plies sum to `nodes`."""

    ordering: str
    hint_ply: int  # 0: no network
    proven: int  # positions; the others met the limit on nodes
    nodes: int
    evaluations: int
    network_evaluations: int
    seconds: float
    nodes_by_ply: list[int]
    cut_nodes_by_ply: list[int]
    first_cuts_by_ply: list[int]  # of these, where the first move cut

    @property
    def name(self) -> str:
        if not self.hint_ply:
            return self.ordering
        below = ", patterns below" if self.ordering == "network+patterns" else ""
        return f"network to ply {self.hint_ply}{below}"

    @property
    def first_cuts(self) -> float:
        """Share of the nodes with a cut where the first move cut."""
        return sum(self.first_cuts_by_ply) / max(1, sum(self.cut_nodes_by_ply))


@dataclass(frozen=True)
class Grid:
    game: str
    about: str
    positions: list[str]
    table_mb: int
    rows: list[Row] = field(default_factory=list)  # the first is what the others are compared with

    def saved(self, row: Row) -> float:
        """Share of the first row's nodes that this one does without."""
        return 1.0 - row.nodes / max(1, self.rows[0].nodes)

    def saved_by_ply(self, row: Row) -> list[float | None]:
        """None where the first row has no node at that ply."""
        pairs = zip(self.rows[0].nodes_by_ply, row.nodes_by_ply, strict=True)
        return [1.0 - mine / base if base else None for base, mine in pairs]

    def head(self) -> str:
        columns = f"{'static evals':>14} {'network evals':>13} {'first cuts':>10} {'seconds':>9}"
        return f"{self.game}: {self.about}\n{'ordering':<33} {'nodes':>14} {'saved':>8} {columns}"

    def line(self, row: Row) -> str:
        short = len(self.positions) - row.proven
        return (
            f"{row.name:<33} {row.nodes:>14,} {self.saved(row):>8.1%} {row.evaluations:>14,} {row.network_evaluations:>13,} "
            f"{row.first_cuts:>10.1%} {row.seconds:>9.2f}" + (f"  {short} not proven within the limit" if short else "")
        )

    def text(self) -> str:
        return "\n".join([self.head(), *map(self.line, self.rows)])

    def csv(self) -> str:
        """A line for each row and ply."""
        lines = ["ordering,hint_ply,ply,nodes,cut_nodes,first_cuts,first_cut_share,saved"]
        for row in self.rows:
            columns = (row.nodes_by_ply, row.cut_nodes_by_ply, row.first_cuts_by_ply, self.saved_by_ply(row))
            for ply, (nodes, cuts, first, saved) in enumerate(zip(*columns, strict=True)):
                if nodes:
                    share = f"{first / cuts:.4f}" if cuts else ""
                    part = "" if saved is None else f"{saved:.4f}"
                    lines.append(f"{row.ordering},{row.hint_ply},{ply},{nodes},{cuts},{first},{share},{part}")
        return "\n".join(lines) + "\n"

    def plots(self) -> list[str]:
        """SVG elements: nodes, cuts by the first move, and the share of the tree saved, by ply."""
        axis = "ply from the root"
        nodes = [Line(r.name, [(p, n) for p, n in enumerate(r.nodes_by_ply) if n]) for r in self.rows]
        cuts = [
            Line(
                row.name,
                [
                    (ply, first / cut)
                    for ply, (first, cut) in enumerate(zip(row.first_cuts_by_ply, row.cut_nodes_by_ply, strict=True))
                    if cut
                ],
            )
            for row in self.rows
        ]
        saved = [
            Line(row.name, [(p, max(LEAST_SAVED, s)) for p, s in enumerate(self.saved_by_ply(row)) if s is not None])
            for row in self.rows[1:]
        ]
        base = self.rows[0].name if self.rows else ""
        return [
            plot("Nodes by ply", axis, nodes, powers=True),
            plot("Share of cuts by the first move", axis, cuts),
            plot(f"Share of the nodes of {base} that is saved", axis, saved),
        ]

    def json(self) -> str:
        return json.dumps(asdict(self))

    def save(self, folder: Path) -> Path:
        path = folder / FILE
        write_whole(path, self.json())
        return path


def load(folder: Path) -> Grid | None:
    """What was measured on the run in that folder; None where nothing was. ValueError names a file of something else."""
    path = folder / FILE
    if not path.exists():
        return None
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Grid(**{**found, "rows": [Row(**row) for row in found["rows"]]})
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path}: not what `rlscout bench ordering` has written ({error})") from None


def empties_for(played: Game, low: int | None = None, high: int | None = None) -> tuple[int, int]:
    """Fewest and most empty squares of the positions to measure on: as told, else 16 to 20, or from where a smaller board has moved
    four times."""
    if high is None:
        high = max(min(20, played.start.empties - 4), low or 1)
    return max(1, min(16, high - 4)) if low is None else low, high


def combinations(asked: Asked, network: bool) -> list[tuple[str, int]]:
    """(ordering, ply) of each row: what the game and the network allow. ValueError for an unknown ordering."""
    for kind in asked.kinds:
        if kind not in ORDERINGS or kind == "auto":
            raise ValueError(f"ordering '{kind}': allowed are {', '.join(ORDERINGS[1:])}")
    table = best_ordering(asked.positions[0].game) == "patterns"
    made: list[tuple[str, int]] = []
    for kind in asked.kinds:
        if kind.endswith("patterns") and not table:
            continue
        if not kind.startswith("network"):
            made.append((kind, 0))
        elif network:
            made += [(kind, ply) for ply in asked.hint_plies if ply > 0]
    return made


def measure(
    asked: Asked,
    evaluator: Evaluator | None = None,
    on_row: Callable[[Grid], None] = lambda grid: None,
    stopping: Callable[[], bool] = lambda: False,
) -> Grid:
    """Proves every position under every ordering of the grid; `on_row` hears of the grid after each row. ValueError where two
    orderings contradict each other."""
    played = asked.positions[0].game
    grid = Grid(played.name, asked.about, [position.text for position in asked.positions], asked.table_mb)
    if evaluator is not None:  # what a runtime does on first use is no part of a row
        first = asked.positions[0].packed[None]
        evaluator.evaluate(first, played.engine.legal(first))
    known: dict[str, Solution] = {}
    for ordering, ply in combinations(asked, evaluator is not None):
        options = SolveOptions(ordering, ply, table_mb=asked.table_mb, seed=asked.seed, statistics=True)
        found: list[Solution] = []
        for position in asked.positions:
            proof = Proof(played, options, evaluator, stopping=stopping)
            solution = solve_with(proof, position, Limits(nodes=asked.nodes))
            if stopping():
                return grid
            before = known.setdefault(position.text, solution)
            if solution.lower > before.upper or solution.upper < before.lower:
                raise ValueError(
                    f"the orderings {before.options.ordering} and {ordering} disagree at {position.text}; this is a defect"
                )
            found.append(solution)
        grid.rows.append(_row(ordering, ply, found))
        on_row(grid)
    return grid


def _row(ordering: str, ply: int, found: Sequence[Solution]) -> Row:
    by_ply = (
        [solution.nodes_by_ply for solution in found],
        [solution.cut_nodes_by_ply for solution in found],
        [solution.first_cuts_by_ply for solution in found],
    )
    return Row(
        ordering,
        ply,
        sum(s.proven for s in found),
        sum(s.nodes for s in found),
        sum(s.evaluations for s in found),
        sum(s.network_evaluations for s in found),
        round(sum(s.seconds for s in found), 3),
        *(np.sum(columns, axis=0).tolist() for columns in by_ply),
    )
