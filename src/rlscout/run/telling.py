"""The result for people: score, line with boards, cost, ordering, certificate."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from rlscout import draw, patterns
from rlscout.config import Config
from rlscout.games import Game, Position
from rlscout.process import LOG_FILE

SCORINGS = {
    "empties": "the winner takes the empty squares",
    "discs": "discs only",
    "line": "1 is a win, 0 a draw",
}


def how_to_go_on(config: Config, learning_seconds: float) -> str:
    more = max(2 * config.minutes, math.ceil(learning_seconds / 60.0) + 1)
    return f"\nTo go on learning and solve again: add --minutes {more:g} (minutes of learning in all)."


def tell(result: dict[str, Any], folder: Path, played: Game) -> str:
    """The result for people: score, line with boards, cost, ordering, certificate."""
    position = played.position(result["position"])
    who = position.to_move
    lines = [position.show(), ""]
    if result["proven"]:
        lines.append(
            f"Score {result['score']:+d} for {who}, proven ({played.name}, {SCORINGS.get(played.scoring, played.scoring)})."
        )
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
    asked = result.get("asked", {})
    by_network = asked.get("model") == "best" and asked.get("ordering") in ("auto", "network", "network+patterns")
    if by_network and result["model"] == 0:
        lines.append("No network has won its duel yet: learn on for one that orders moves.")
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
