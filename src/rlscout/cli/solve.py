"""Solving: proofs, certificates and their checkers."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from rlscout.cli.common import (
    LIMIT,
    OK,
    REFUSED,
    GameName,
    Json,
    MovesText,
    NotNegative,
    PositionText,
    Positive,
    Seconds,
    evaluator_of,
    tell_progress,
)
from rlscout.config import MOST_LEAF_EMPTIES, Ordering

if TYPE_CHECKING:
    from rlscout.games import Position
    from rlscout.solving import Limits, Problem, Proof, Solution


def solve(
    game: GameName,
    /,
    *,
    moves: MovesText = None,
    position: PositionText = None,
    file: Annotated[Path | None, Parameter(help="OBF file: a position a line, with its answers.")] = None,
    all_moves: Annotated[bool, Parameter(help="Prove the score of every legal move.", negative=())] = False,
    model: Annotated[
        str, Parameter(help="Network that orders moves: best or a number (of --data), a FILE, none.")
    ] = "none",
    data: Annotated[Path | None, Parameter(help="Folder of the run of --model; default data/GAME.")] = None,
    ordering: Annotated[
        Ordering,
        Parameter(
            help="auto: the network of --model near the root; below, patterns where a table comes along, else static."
        ),
    ] = "auto",
    patterns: Annotated[
        Path | None,
        Parameter(help="Pattern table to take, a file of `patterns train`; default: the one that comes along."),
    ] = None,
    scoring: Annotated[Literal["empties", "discs"], Parameter(help="Who gets the empty squares.")] = "empties",
    certificate: Annotated[Path | None, Parameter(help="Write a certificate of the score.")] = None,
    leaf_empties: Annotated[
        int | None, Parameter(help="Leave positions with so few empty squares to the checker.")
    ] = None,
    nodes: Annotated[NotNegative | None, Parameter(help="Limit on nodes, to within a few thousand a thread.")] = None,
    seconds: Annotated[Seconds | None, Parameter(help="Limit on time.")] = None,
    table_mb: Annotated[Positive, Parameter(help="Memory of the transposition table.")] = 256,
    threads: Annotated[Positive, Parameter(help="With 1, node counts repeat to the unit.")] = 1,
    hint_ply: Annotated[
        NotNegative | None, Parameter(help="The network orders down to this ply below the root; default: 2.")
    ] = None,
    seed: Annotated[NotNegative | None, Parameter(help="Of --ordering random; default: 1.")] = None,
    state: Annotated[
        Path | None, Parameter(help="Keep what is proven in this file, to go on from after a limit, Ctrl-C or a crash.")
    ] = None,
    json: Json = False,
) -> int:
    """Prove the score of a position. A network may order the moves; it never decides the answer.

    Exit status: 0 proven, 1 an answer in the file is contradicted, 2 bad input, 3 a limit was met (bounds are printed).

    Try:
      rlscout solve othello4 --certificate o4.cert
      rlscout solve othello6 --moves e4c5 --seconds 60
      rlscout solve tictactoe --position "XO--X---- O" --all-moves
      rlscout solve othello8 --file ffo.obf --json
      rlscout solve othello6 --model best --data data/othello6
      rlscout solve othello8 --moves f5d6c3 --seconds 3600 --state f5d6c3.table    again and again, until it is proven
    """
    from rlscout import solving as job
    from rlscout.files import check_place
    from rlscout.games import game as game_of
    from rlscout.models import is_of_run

    if sum(given is not None for given in (moves, position, file)) > 1:
        raise ValueError("--moves, --position and --file exclude each other: give one of them")
    if state is not None and file is not None:
        raise ValueError("--state is of one proof: not with --file")
    if certificate is not None and (file is not None or all_moves):
        raise ValueError("--certificate is of one position and its score: not with --file or --all-moves")
    if leaf_empties is not None and certificate is None:
        raise ValueError("--leaf-empties is of a certificate: give --certificate FILE too")
    if leaf_empties is not None and not 0 <= leaf_empties <= MOST_LEAF_EMPTIES:
        raise ValueError(
            f"--leaf-empties {leaf_empties}: 0 to {MOST_LEAF_EMPTIES} is allowed, as the checkers take no more"
        )
    if data is not None and not is_of_run(model):
        raise ValueError("--data is where --model best, or its number, is looked for: give that too")
    if certificate is not None:
        check_place(certificate, "--certificate")
    played = game_of(game, scoring)
    by_network = ordering.startswith("network") or (ordering == "auto" and model != "none")
    if model != "none" and not by_network:
        raise ValueError(
            f"--model {model} orders nothing with --ordering {ordering}: allowed are auto, network, network+patterns"
        )
    if patterns is not None and ordering not in ("auto", "patterns", "network+patterns"):
        raise ValueError(
            f"--patterns {patterns} orders nothing with --ordering {ordering}: allowed are auto, patterns, network+patterns"
        )
    if by_network and model == "none":
        raise ValueError(f"--ordering {ordering} needs a network: --model FILE, or --model best with --data DIR")
    if hint_ply is not None and not by_network:
        raise ValueError(f"--hint-ply {hint_ply} is of a network: give --model too")
    if seed is not None and ordering != "random":
        raise ValueError(f"--seed {seed} is of --ordering random, and the order is {ordering}")
    evaluator, title = evaluator_of(played, model, data) if by_network else (None, "")
    options = job.SolveOptions(
        ordering,
        job.SolveOptions.hint_ply if hint_ply is None else hint_ply,
        table_mb=table_mb,
        threads=threads,
        seed=job.SolveOptions.seed if seed is None else seed,
        patterns=patterns,
    )
    proof = job.Proof(played, options, evaluator, tell_progress("solving"), state=state)
    limits = job.Limits(nodes, seconds)
    if file is not None:
        return _solve_file(proof, list(job.read_problems(played, file)), limits, all_moves, title, json)
    asked = played.position(position) if position is not None else played.play(moves or "")
    if proof.nodes:
        print(f"going on from {state}: {proof.nodes:,} nodes spent before{_of_another(proof, asked)}", file=sys.stderr)
    solution = job.solve_with(proof, asked, limits, all_moves)
    _print_solution(solution, title, json)
    if not solution.proven:
        if certificate is not None:
            print(f"no certificate {certificate}: the score is not proven yet", file=sys.stderr)
        return LIMIT
    return _certify(proof, solution, certificate, leaf_empties, limits, json) if certificate else OK


def _of_another(proof: Proof, asked: Position) -> str:
    """Tells where the state was left by the proof of another position; what it holds is true of any."""
    if not proof.question or proof.game.position(proof.question).key == asked.key:
        return ""
    return f" on another position, {proof.question}; what is known from there helps as far as it is met again"


def _print_solution(solution: Solution, model: str, as_json: bool) -> None:
    answer = _answer(solution, model)
    if as_json:
        print(json.dumps(answer), flush=True)
        return
    print(solution.position.show())
    if solution.proven:
        print(f"score {solution.lower:+d} for {solution.position.to_move}, proven")
    else:
        bounds = f"between {solution.lower:+d} and {solution.upper:+d}"
        print(f"score {bounds} for {solution.position.to_move}: a limit was met")
    if answer["best_moves"]:
        print("best   " + " ".join(answer["best_moves"]))
    for move, bounds in _scores(solution):
        print(f"  {move}  {bounds}")
    if answer["principal_variation"]:
        print("line   " + " ".join(answer["principal_variation"]))
    rate = solution.new_nodes / max(solution.seconds, 1e-9)
    print(
        f"nodes  {solution.nodes:,} + {solution.evaluations:,} static and {solution.network_evaluations:,} network "
        f"evaluations, {solution.seconds:.2f} s ({rate:,.0f} nodes/s), ordered by {solution.options.ordering}"
        + (f", {model} to ply {solution.options.hint_ply}" if model else "")
    )


def _answer(solution: Solution, model: str) -> dict[str, Any]:
    """With the network that ordered, and how far, where one did."""
    network = {"model": model, "hint_ply": solution.options.hint_ply} if model else {}
    return {**solution.as_json(), **network}


def _scores(solution: Solution) -> list[tuple[str, str]]:
    """Of every move where that was asked for, the best first."""
    from rlscout.solving import bounds_text

    name = solution.position.game.square_name
    best_first = sorted(solution.scores.items(), key=lambda item: -item[1][0])
    return [(name(move), bounds_text(low, high)) for move, (low, high) in best_first]


def _certify(
    proof: Proof, solution: Solution, path: Path, leaf_empties: int | None, limits: Limits, as_json: bool
) -> int:
    leaves = default_leaf_empties(solution.position) if leaf_empties is None else leaf_empties
    proof.on_progress = tell_progress("writing the certificate", with_score=False)
    status = proof.certify(solution.position, path, solution.lower, solution.upper, leaves, limits.seconds)
    if status != "proven":
        print(f"the certificate is not complete ({status}); nothing was written", file=sys.stderr)
        return LIMIT
    if not as_json:
        print(f"certificate {path}, {path.stat().st_size:,} bytes; check it by: rlscout verify {path}")
    return OK


def default_leaf_empties(position: Position) -> int:
    """Down to finished games where that is small; else leaves that a plain search re-solves quickly."""
    return 0 if position.empties <= 14 else 12 if position.game.name.startswith("othello") else 6


def _solve_file(
    proof: Proof, problems: list[Problem], limits: Limits, all_moves: bool, model: str, as_json: bool
) -> int:
    from rlscout import solving as job

    counts = dict.fromkeys(("right", "wrong", "unsolved", "solved"), 0)
    nodes = 0
    seconds = 0.0
    for problem in problems:
        proof.reset()
        solution = job.solve_with(proof, problem.position, limits, all_moves)
        verdict = problem.verdict(solution)
        counts[verdict] += 1
        nodes, seconds = nodes + solution.nodes, seconds + solution.seconds
        contradicted = problem.contradicted(solution)
        if as_json:
            known: dict[str, object] = {} if problem.score is None else {"answer": problem.score}
            if contradicted:
                known["contradicted"] = contradicted
            print(
                json.dumps({**_answer(solution, model), "line": problem.line, **known, "verdict": verdict}), flush=True
            )
        else:
            bounds = f"{solution.lower:+d}" if solution.proven else f"{solution.lower:+d}..{solution.upper:+d}"
            best = " ".join(solution.as_json()["best_moves"])
            line = f"{problem.line:>4}  {bounds:>8}  {best:<8} {solution.nodes:>14,} nodes {solution.seconds:>8.2f} s"
            print(f"{line}  {verdict}" + (f": {'; '.join(contradicted)}" if contradicted else ""), flush=True)
            if solution.scores:
                print("      " + ", ".join(f"{move} {score}" for move, score in _scores(solution)), flush=True)
    summary = {**counts, "positions": len(problems), "nodes": nodes, "seconds": round(seconds, 3)}
    if as_json:
        print(json.dumps({"summary": summary}))
    else:
        print(", ".join(f"{counts[name]} {name}" for name in counts) + f"; {nodes:,} nodes, {seconds:.2f} s")
    return REFUSED if counts["wrong"] else LIMIT if counts["unsolved"] else OK


def verify(
    file: Annotated[Path, Parameter(help="A certificate, as `solve --certificate FILE` writes them.")],
    /,
    *,
    reference: Annotated[
        bool, Parameter(help="By the checker written to be read, in Python; slower.", negative=())
    ] = False,
    json: Annotated[bool, Parameter(help="The verdict as one JSON object.", negative=())] = False,
) -> int:
    """Check a certificate by a separate program with rules of its own. Exit status 0 valid, 1 refused, 2 not readable,
    3 beyond a limit of the checker (its own options raise them: `rlscout-verify --help`).

    Try:
      rlscout verify o4.cert
      rlscout verify o4.cert --reference
    """
    import subprocess

    from rlscout.checker import BAD_INPUT, command

    if not file.exists():
        raise ValueError(f"{file}: no such file")
    program = command(reference)
    status = subprocess.run([*program, *["--json"] * json, str(file)], check=False).returncode
    if status == BAD_INPUT:
        print(f"checked by {' '.join(program)}", file=sys.stderr)
    return status
