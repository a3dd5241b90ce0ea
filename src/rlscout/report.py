"""The report of a run: one HTML file with its own drawings; it asks nothing from outside."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rlscout import draw, ordering
from rlscout.config import Config, document
from rlscout.files import write_whole
from rlscout.games import Game, game
from rlscout.plot import Line, plot
from rlscout.storage import Duel, Metric, Model, Store, open_run

STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1320px; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2rem; border-bottom: 1px solid #8884; }
table { border-collapse: collapse; } td, th { padding: .2rem .8rem .2rem 0; text-align: left; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; }
.row { display: flex; flex-wrap: wrap; gap: 1.2rem; } pre { overflow-x: auto; font-size: 12px; }
.score { font-size: 1.25rem; font-weight: 600; } .refused { color: #c4372b; }
"""


def write_report(config: Config, path: Path) -> Path:
    """Writes the report of the run in the config's data folder to `path`. ValueError where there is no run."""
    folder = Path(config.data)
    played = game(config.game, config.scoring)
    with open_run(folder, played.name) as store:
        page = _page(config, played, store, _result(folder))
    write_whole(path, page)
    return path


def _result(folder: Path) -> dict[str, Any] | None:
    path = folder / "run.json"
    if not path.exists():
        return None
    try:
        result: dict[str, Any] | None = json.loads(path.read_text(encoding="utf-8"))["result"]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"{path}: not what a run has written ({error})") from None
    return result


def _page(config: Config, played: Game, store: Store, result: dict[str, Any] | None) -> str:
    models, duels, counts = store.models(), store.duels(), store.sample_counts()
    title = f"rlscout: {config.game}"
    parts = [f"<h1>{draw.escape(title)}</h1>"]
    if result is None:
        parts.append("<p>Not solved yet.</p>")
    else:
        parts += _solved(played, result)
    parts += _ordering_grid(Path(config.data))
    promoted = sum(model.evaluation == "+" for model in models if model.id)
    parts += [
        "<h2>Learning</h2>",
        f"<p>{counts.games:,} games, {counts.last_id:,} samples; {len(models) - 1} networks trained, {promoted} promoted.</p>",
        f'<div class="row">{_learning(store, models, duels)}</div>',
        "<h2>Samples</h2>",
        _samples_table(counts.by_model),
        "<h2>Duels</h2>",
        _duel_table(duels),
        "<h2>Settings</h2>",
        f"<details><summary>every setting in force</summary><pre>{draw.escape(document(config))}</pre></details>",
    ]
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{draw.escape(title)}</title>'
        f"<style>{STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _solved(played: Game, result: dict[str, Any]) -> list[str]:
    position = played.position(result["position"])
    if result["proven"]:
        verdict = f"Score {result['score']:+d} for {position.to_move}, proven"
    else:
        verdict = f"Score between {result['lower']:+d} and {result['upper']:+d} for {position.to_move}; a limit was met"
    rows = [
        ("nodes", f"{result['nodes']:,}"),
        ("static evaluations", f"{result['evaluations']:,}"),
        ("network evaluations", f"{result['network_evaluations']:,}"),
        ("seconds", f"{result['seconds']:.1f} on {result['threads']} threads"),
        (
            "ordering",
            result["ordering"] + (f", model {result['model']}" if result["ordering"].startswith("network") else ""),
        ),
    ]
    static = result.get("static")
    if static:
        saved = 1.0 - result["nodes"] / max(1, static["nodes"])
        more = "" if static["proven"] else "more than "
        rows.append(("static ordering alone", f"{more}{static['nodes']:,} nodes; saved: {more}{saved:.0%}"))
    made = result.get("certificate") or {}
    if "file" in made:
        word = "valid" if made["valid"] else "not accepted"
        rows.append(
            ("certificate", f"{made['file']}, {made['bytes']:,} bytes, {word} in {made['check_seconds']:.1f} s")
        )
    cells = "".join(f"<tr><td>{draw.escape(n)}</td><td>{draw.escape(text)}</td></tr>" for n, text in rows)
    parts = [
        "<h2>Solved</h2>",
        f'<p class="score">{draw.escape(verdict)}</p>',
        f'<div class="row"><div>{position.svg()}</div><table>{cells}</table></div>',
    ]
    moves = played.parse_moves(" ".join(result["principal_variation"]))
    boards = []
    for number, move in enumerate(moves, 1):
        title = f"{number}. {position.to_move} {played.square_name(move)}"
        position = position.play([move])
        boards.append(f"<div>{position.svg(last=move, cell=18, title=title)}</div>")
    if boards:
        parts += ["<h2>Principal variation</h2>", f'<div class="row">{"".join(boards)}</div>']
    ordering = _ordering_plot(result)
    return [*parts, "<h2>Ordering</h2>", ordering] if ordering else parts


def _ordering_grid(folder: Path) -> list[str]:
    grid = ordering.load(folder)
    if grid is None or not grid.rows:
        return []
    names = ("ordering", "nodes", "saved", "static evaluations", "network evaluations", "first move cut", "seconds")
    head = "".join(f'<th class="n">{name}</th>' if index else f"<th>{name}</th>" for index, name in enumerate(names))
    rows = []
    for row in grid.rows:
        more = "" if row.proven == len(grid.positions) else "more than "
        numbers = [f"{more}{row.nodes:,}", f"{grid.saved(row):.1%}", f"{row.evaluations:,}"]
        numbers += [f"{row.network_evaluations:,}", f"{row.first_cuts:.1%}", f"{row.seconds:.2f}"]
        cells = "".join(f'<td class="n">{text}</td>' for text in numbers)
        rows.append(f"<tr><td>{row.name}</td>{cells}</tr>")
    return [
        "<h2>What each ordering is worth</h2>",
        f"<p>The same proofs under each ordering: {draw.escape(grid.about)}.</p>",
        f"<table><tr>{head}</tr>{''.join(rows)}</table>",
        f'<div class="row">{"".join(grid.plots())}</div>',
    ]


def _ordering_plot(result: dict[str, Any]) -> str:
    def shares(plies: list[dict[str, int]]) -> list[tuple[float, float]]:
        return [(row["ply"], row["first_cuts"] / row["cut_nodes"]) for row in plies if row["cut_nodes"]]

    lines = [Line(result["ordering"], shares(result["plies"]))]
    if result.get("static"):
        lines.append(Line("static", shares(result["static"]["plies"])))
    return plot("Share of cuts by the first move", "ply from the root", lines) if lines[0].points else ""


def _learning(store: Store, models: Sequence[Model], duels: Sequence[Duel]) -> str:
    losses = [(name, store.read_metrics(name)) for name in ("policy_loss", "value_loss")]
    speeds = [(name, store.read_metrics(f"{name}_per_second")) for name in ("evaluations", "rollouts")]
    begin = min((m.time for _, ms in [*losses, *speeds] for m in ms[:1]), default=time.time())

    def curve(name: str, metrics: Sequence[Metric]) -> Line:
        return Line(name.replace("_", " "), [((m.time - begin) / 60.0, m.value) for m in metrics])

    def by_source(name: str, metrics: Sequence[Metric]) -> list[Line]:
        sources = sorted({m.source for m in metrics})
        lines = [curve(source, [m for m in metrics if m.source == source]) for source in sources]
        return lines if len(lines) > 1 else [curve(name, metrics)]

    axis = "minutes"
    plots = [
        plot("Losses", axis, [curve(name, metrics) for name, metrics in losses]),
        plot("Strength of the best network (sum of won duels)", axis, [_elo_line(models, duels, begin)]),
        plot("Samples", axis, [curve("samples", store.read_metrics("samples"))]),
        *(plot(f"Self-play: {name} per second", axis, by_source(name, metrics)) for name, metrics in speeds),
    ]
    return "".join(plots)


def _elo_line(models: Sequence[Model], duels: Sequence[Duel], begin: float) -> Line:
    """Elo of each promoted network over rollouts: the differences its line won by, added up; bars are of the last duel."""
    elo = {0: 0.0}
    points, bars = [(0.0, 0.0)], [(0.0, 0.0)]
    for duel in duels:
        if duel.verdict != "H1" or duel.elo is None or duel.baseline not in elo:
            continue
        base = elo[duel.baseline]
        ends = [end for end in (duel.elo_low, duel.elo_high) if end is not None and math.isfinite(end)]
        # A duel won without a loss has no finite estimate: it counts by the lower end of its error bar.
        gain = duel.elo if math.isfinite(duel.elo) else min(ends, default=0.0)
        elo[duel.candidate] = base + gain
        points.append(((duel.created - begin) / 60.0, base + gain))
        bars.append((base + min([gain, *ends]), base + max([gain, *ends])))
    return Line("Elo over rollouts", points, bars, steps=True)


def _samples_table(by_model: dict[int, int]) -> str:
    rows = "".join(
        f'<tr><td>{model or "rollouts"}</td><td class="n">{count:,}</td></tr>'
        for model, count in sorted(by_model.items())
    )
    return f'<table><tr><th>produced by model</th><th class="n">samples kept</th></tr>{rows}</table>'


def _duel_table(duels: Sequence[Duel]) -> str:
    head = "<tr><th>model</th><th>against</th><th class='n'>won</th><th class='n'>drawn</th><th class='n'>lost</th>"
    head += "<th class='n'>Elo (95 %)</th><th>verdict</th></tr>"
    rows = []
    for duel in duels:
        elo = ""
        if duel.elo is not None and duel.elo_low is not None and duel.elo_high is not None:
            elo = f"{duel.elo:+.0f} [{duel.elo_low:+.0f}, {duel.elo_high:+.0f}]"
        verdict = {"H1": "promoted", None: "under way"}.get(duel.verdict, "refused")
        cells = f"<td>{duel.candidate}</td><td>{duel.baseline or 'rollouts'}</td>"
        cells += "".join(f'<td class="n">{text}</td>' for text in (duel.wins, duel.draws, duel.losses, elo))
        rows.append(f"<tr>{cells}<td>{verdict}</td></tr>")
    return f"<table>{head}{''.join(rows)}</table>" if rows else "<p>None yet.</p>"
