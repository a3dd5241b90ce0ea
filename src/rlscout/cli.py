"""The command line. Every command loads what it needs and no more: only those that train or run a network load its
library.

Exit status: 0 proven (or valid, or done); 1 a certificate is refused, or a proven score contradicts the answer in a
file; 2 bad input, said in one line; 3 a limit was met (bounds are printed).
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

if TYPE_CHECKING:
    from rlscout._native import SolveProgress
    from rlscout.book import Book
    from rlscout.config import Config
    from rlscout.games import Game, Position
    from rlscout.inference import Evaluator
    from rlscout.ranks import Place
    from rlscout.solving import Limits, Problem, Proof, Solution

OK, REFUSED, BAD_INPUT, LIMIT = 0, 1, 2, 3
PROGRESS_SECONDS = 3.0
MOST_LEAF_EMPTIES = 16
PERFT_DEPTH = 8
"""Plies counted in one native call: a second at most."""

app = App(
    name="rlscout",
    version_flags=["--version"],
    help_format="plaintext",
    help="""Learn a board game by self-play, then solve it, with a proof that others can check.

Start here:
  rlscout run                            Othello 6x6: learn, then solve
  rlscout run tictactoe                  the same in about a minute
  rlscout solve othello6 --moves e4c5    solve a position
  rlscout games                          the games and their names
""",
)

Settings = Annotated[
    tuple[str, ...],
    Parameter(name=["--set"], help="A setting over file and environment, as in --set selfplay.games=32.", negative=()),
]
ConfigName = Annotated[str | None, Parameter(help="TOML file, or the short name of one that comes along (othello4).")]
Server = Annotated[str | None, Parameter(help="Address of the server, as tcp://127.0.0.1:5555.")]
Supervised = Annotated[bool, Parameter(show=False, negative=())]


def _config(name: str | None, settings: Sequence[str], **more: str) -> Config:
    from rlscout import config

    overrides = {}
    for entry in settings:
        key, equals, value = entry.partition("=")
        if not equals:
            raise ValueError(f"--set {entry}: write KEY=VALUE, as in --set selfplay.games=32")
        overrides[key.strip()] = value.strip()
    if name is None and "data" in more and (Path(more["data"]) / "config.toml").is_file():
        name = str(Path(more["data"]) / "config.toml")  # a run goes by the settings that it was begun with
    return config.load(name, {**overrides, **more})


@app.command
def run(
    name: ConfigName = None,
    /,
    *,
    minutes: Annotated[
        float | None, Parameter(help="Learning budget in minutes, in all; more than before: learn on.")
    ] = None,
    data: Annotated[Path | None, Parameter(help="Folder of the database, log, certificate and report.")] = None,
    set_: Settings = (),
) -> int:
    """Learn a game by self-play, then solve it, write the certificate and have it checked. Ctrl-C stops; run again to
    go on.

    Try:
      rlscout run                          Othello 6x6
      rlscout run tictactoe --data /tmp/t
      rlscout run othello6 --minutes 30    go on learning, up to half an hour in all; then solve again
    """
    from rlscout.run import run as job

    more = {} if minutes is None else {"minutes": str(minutes)}
    return job(_config(name, set_, **more, **({} if data is None else {"data": str(data)})))


@app.command
def serve(
    name: ConfigName = None,
    /,
    *,
    data: Path | None = None,
    address: Annotated[str | None, Parameter(help="tcp://HOST:PORT; beyond loopback it needs --keys.")] = None,
    keys: Annotated[Path | None, Parameter(help="Folder of CURVE keys (see `rlscout keys`).")] = None,
    set_: Settings = (),
    supervised: Supervised = False,
) -> int:
    """Serve the database of a run to self-play, training and duels, on this host or on others. Loads no torch.

    Try:
      rlscout serve othello6 --address tcp://127.0.0.1:5555
      rlscout keys keys && rlscout serve othello6 --address tcp://0.0.0.0:5555 --keys keys
    """
    from rlscout.games import game
    from rlscout.process import log_to, only_one, stop_with_parent
    from rlscout.storage.server import CleanUp, serve

    config = _config(name, set_, **({} if data is None else {"data": str(data)}))
    folder = Path(config.data)
    log_to(folder, "serve", config.view.log_level, not supervised)
    if supervised:
        stop_with_parent()
    chosen = address or (config.server.address if config.server.address != "auto" else "tcp://127.0.0.1:*")
    key_folder = keys or (Path(config.server.keys) if config.server.keys else None)
    kept = config.storage
    policy = CleanUp(kept.keep_samples, kept.keep_models, kept.keep_metrics, kept.cleanup_seconds)

    def ready(bound: str) -> None:
        print(f"serving {folder} at {bound}", flush=True)

    with only_one("serve", folder):
        serve(folder, chosen, game(config.game, config.scoring).name, key_folder, policy, ready)
    return OK


def _job(
    kind: str,
    name: str | None,
    server: str | None,
    keys: Path | None,
    settings: Sequence[str],
    supervised: bool,
    worker: str = "0",
    games: int = 0,
    place: Place | None = None,
) -> int:
    """Connects to the server (or opens the database where none is named) and does one kind of work until told to
    stop; with a place, as one of several processes that do it together."""
    from rlscout.games import game
    from rlscout.process import log_to, stop_on_signals, stop_with_parent
    from rlscout.storage import open_store

    config = _config(name, settings)
    played = game(config.game, config.scoring)
    stopping = stop_on_signals()
    if supervised and place is None:
        stop_with_parent()
    title = f"{kind} {place.rank}" if place else kind
    log_to(Path(config.data) if server is None or supervised else None, title, config.view.log_level, not supervised)
    processes = {"selfplay": config.selfplay.processes, "train": config.train.processes}.get(kind, 1)
    if processes > 1 and place is None:
        from rlscout.ranks import together

        job = (kind, name, server, keys, settings, supervised, worker, -(-games // processes))
        return together(_rank, processes, stopping, *job)
    key_folder = keys or (Path(config.server.keys) if config.server.keys else None)
    where = server or config.data
    with open_store(
        where, played.name, keys=key_folder, timeout=config.server.timeout_seconds, stopping=stopping
    ) as store:
        logging.getLogger(__name__).info("%s of %s with %s", kind, played.name, where)
        if kind == "selfplay":
            from rlscout.selfplay import selfplay

            rank = place.rank if place else 0
            selfplay(config, store, f"{worker}-{rank}" if rank else worker, stopping, games, rank)
        elif kind == "train":
            from rlscout.train import train

            train(config, store, played.engine, stopping, place=place)
        else:
            from rlscout.duel import duel_forever

            duel_forever(config, store, stopping)
    return OK


def _rank(
    place: Place,
    kind: str,
    name: str | None,
    server: str | None,
    keys: Path | None,
    settings: Sequence[str],
    supervised: bool,
    worker: str,
    games: int,
) -> int:
    """One of the processes of a job: its status."""
    return _status(lambda: _job(kind, name, server, keys, settings, supervised, worker, games, place))


@app.command
def selfplay(
    name: ConfigName = None,
    /,
    *,
    server: Server = None,
    keys: Path | None = None,
    worker: Annotated[str, Parameter(help="A name no other self-play of this run has at the same time.")] = "0",
    games: Annotated[int, Parameter(help="Stop once so many games, or a few more, are played; 0: never.")] = 0,
    set_: Settings = (),
    supervised: Supervised = False,
) -> int:
    """Play games against itself for ever, with the best network so far, and hand them to the server.

    Try:
      rlscout selfplay othello6 --server tcp://127.0.0.1:5555 --worker attic
    """
    return _job("selfplay", name, server, keys, set_, supervised, worker, games)


@app.command
def train(
    name: ConfigName = None,
    /,
    *,
    server: Server = None,
    keys: Path | None = None,
    set_: Settings = (),
    supervised: Supervised = False,
) -> int:
    """Train the network on the games of self-play for ever; hand over a candidate every so many steps.

    Try:
      rlscout train othello6 --server tcp://127.0.0.1:5555
    """
    return _job("train", name, server, keys, set_, supervised)


@app.command
def duel(
    name: ConfigName = None,
    /,
    *,
    server: Server = None,
    keys: Path | None = None,
    set_: Settings = (),
    supervised: Supervised = False,
) -> int:
    """Judge candidates against the best network by a sequential test, for ever; promote those that pass.

    Try:
      rlscout duel othello6 --server tcp://127.0.0.1:5555
    """
    return _job("duel", name, server, keys, set_, supervised)


@app.command
def solve(
    game: str,
    /,
    *,
    moves: Annotated[str | None, Parameter(help="Moves from the start, as e4c5...; passes may be left out.")] = None,
    position: Annotated[str | None, Parameter(help="Squares row by row (X, O, -), then the side to move.")] = None,
    file: Annotated[Path | None, Parameter(help="OBF file: a position a line, with its answers.")] = None,
    all_moves: Annotated[bool, Parameter(help="Prove the score of every legal move.", negative=())] = False,
    model: Annotated[str, Parameter(help="Network that orders moves: a FILE, best (of --data) or none.")] = "none",
    data: Annotated[Path | None, Parameter(help="Folder of a run, for --model best; default data/GAME.")] = None,
    ordering: Annotated[
        Literal["auto", "static", "patterns", "network", "network+patterns", "random"],
        Parameter(
            help="auto: the network of --model near the root; below, patterns where a table comes along, else static."
        ),
    ] = "auto",
    scoring: Annotated[Literal["empties", "discs"], Parameter(help="Who gets the empty squares.")] = "empties",
    certificate: Annotated[Path | None, Parameter(help="Write a certificate of the score.")] = None,
    leaf_empties: Annotated[
        int | None, Parameter(help="Leave positions with so few empty squares to the checker.")
    ] = None,
    nodes: Annotated[int | None, Parameter(help="Limit on nodes.")] = None,
    seconds: Annotated[float | None, Parameter(help="Limit on time.")] = None,
    table_mb: Annotated[int, Parameter(help="Memory of the transposition table.")] = 256,
    threads: Annotated[int, Parameter(help="With 1, node counts repeat to the unit.")] = 1,
    hint_ply: Annotated[int, Parameter(help="The network orders down to this ply below the root.")] = 8,
    seed: Annotated[int, Parameter(help="Of --ordering random.")] = 1,
    state: Annotated[
        Path | None, Parameter(help="Keep what is proven in this file, to go on from after a limit, Ctrl-C or a crash.")
    ] = None,
    json: Annotated[bool, Parameter(help="One JSON object a line.", negative=())] = False,
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
    from rlscout.games import game as game_of

    for number, what in ((nodes, "--nodes"), (seconds, "--seconds")):
        if number is not None and not number >= 0:
            raise ValueError(f"{what} {number:g}: zero or more is allowed")
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
    if data is not None and model != "best":
        raise ValueError("--data is where --model best is looked for: give that too")
    if certificate is not None:
        _check_place(certificate)
    played = game_of(game, scoring)
    by_network = ordering.startswith("network") or (ordering == "auto" and model != "none")
    if model != "none" and not by_network:
        raise ValueError(
            f"--model {model} orders nothing with --ordering {ordering}: allowed are auto, network, network+patterns"
        )
    evaluator = _evaluator(played, model, data) if by_network else None
    options = job.SolveOptions(ordering, hint_ply, table_mb=table_mb, threads=threads, seed=seed)
    proof, limits = job.Proof(played, options, evaluator, _progress("solving"), state=state), job.Limits(nodes, seconds)
    if file is not None:
        return _solve_file(proof, list(job.read_problems(played, file)), limits, all_moves, json)
    asked = played.position(position) if position is not None else played.play(moves or "")
    if proof.nodes:
        print(f"going on from {state}: {proof.nodes:,} nodes spent before{_of_another(proof, asked)}", file=sys.stderr)
    solution = job.solve_with(proof, asked, limits, all_moves)
    _print_solution(solution, json)
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


def _check_place(path: Path) -> None:
    """A place that cannot be written is told before hours of work, not after."""
    if path.is_dir():
        raise ValueError(f"--certificate {path}: a folder; the name of a file is wanted")
    probe = path.with_name(path.name + ".part")
    try:
        probe.open("ab").close()
        probe.unlink()
    except OSError as error:
        raise ValueError(f"--certificate {path} cannot be written: {error.strerror}") from None


def _progress(phase: str, with_score: bool = True) -> Callable[[SolveProgress], None]:
    """Tells on standard error how a long proof goes: a line every few seconds."""
    from rlscout.process import Every

    due = Every(PROGRESS_SECONDS)

    def show(progress: SolveProgress) -> None:
        if not due():
            return
        seconds, nodes = progress["seconds"], progress["nodes"]
        bounds = f"score {progress['lower']:+d} to {progress['upper']:+d}, " if with_score else ""
        done = f"{progress['done']:.0%} of this pass"
        print(f"{phase}: {bounds}{nodes:,} nodes, {seconds:.0f} s, {done}", file=sys.stderr, flush=True)

    return show


def _evaluator(played: Game, model: str, data: Path | None) -> Evaluator:
    from rlscout.inference import make_evaluator
    from rlscout.network import load_network
    from rlscout.storage import open_store

    if model == "none":
        raise ValueError("--ordering network needs a network: --model FILE, or --model best with --data DIR")
    if model != "best":
        if not Path(model).is_file():
            raise ValueError(f"--model {model}: no such file; allowed are a file, best and none")
        return make_evaluator("auto", load_network(Path(model), played.name))
    folder = data or Path("data") / _folder_name(played)
    if not folder.exists():
        raise ValueError(f"--model best: no run in {folder}; name its folder by --data DIR")
    with open_store(folder) as store:
        if store.ping().game != played.name:
            raise ValueError(f"--model best: {folder} holds a run of {store.ping().game}, not of {played.name}")
        best = store.best_model()
        if best == 0:
            raise ValueError(f"--model best: no network of {folder} was promoted yet")
        return make_evaluator("auto", load_network(store.weights(best), played.name))


def _folder_name(played: Game) -> str:
    from rlscout.games import SHORT_NAMES

    short = [name for name, full in SHORT_NAMES.items() if full == played.name]
    return short[0] if short else played.name.replace(":", "-")


def _print_solution(solution: Solution, as_json: bool) -> None:
    if as_json:
        print(json.dumps(solution.as_json()), flush=True)
        return
    answer = solution.as_json()
    print(solution.position.show())
    if solution.proven:
        print(f"score {solution.lower:+d} for {solution.position.to_move}, proven")
    else:
        bounds = f"between {solution.lower:+d} and {solution.upper:+d}"
        print(f"score {bounds} for {solution.position.to_move}: a limit was met")
    if answer["best_moves"]:
        print("best   " + " ".join(answer["best_moves"]))
    for move, (low, high) in sorted(solution.scores.items(), key=lambda item: -item[1][0]):
        bounds = f"{low:+d}" if low == high else f"{low:+d} to {high:+d}"
        print(f"  {solution.position.game.square_name(move)}  {bounds}")
    if answer["principal_variation"]:
        print("line   " + " ".join(answer["principal_variation"]))
    rate = solution.new_nodes / max(solution.seconds, 1e-9) / 1e6
    print(
        f"nodes  {solution.nodes:,} + {solution.evaluations:,} static and {solution.network_evaluations:,} network "
        f"evaluations, {solution.seconds:.2f} s ({rate:.1f} million nodes/s), ordered by {solution.options.ordering}"
    )


def _certify(
    proof: Proof, solution: Solution, path: Path, leaf_empties: int | None, limits: Limits, as_json: bool
) -> int:
    leaves = default_leaf_empties(solution.position) if leaf_empties is None else leaf_empties
    proof.on_progress = _progress("writing the certificate", with_score=False)
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


def _solve_file(proof: Proof, problems: list[Problem], limits: Limits, all_moves: bool, as_json: bool) -> int:
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
        if as_json:
            known = {} if problem.score is None else {"answer": problem.score}
            print(json.dumps({**solution.as_json(), "line": problem.line, **known, "verdict": verdict}), flush=True)
        else:
            bounds = f"{solution.lower:+d}" if solution.proven else f"{solution.lower:+d}..{solution.upper:+d}"
            best = " ".join(solution.as_json()["best_moves"])
            line = f"{problem.line:>4}  {bounds:>8}  {best:<8} {solution.nodes:>14,} nodes {solution.seconds:>8.2f} s"
            print(f"{line}  {verdict}", flush=True)
    summary = {**counts, "positions": len(problems), "nodes": nodes, "seconds": round(seconds, 3)}
    if as_json:
        print(json.dumps({"summary": summary}))
    else:
        print(", ".join(f"{counts[name]} {name}" for name in counts) + f"; {nodes:,} nodes, {seconds:.2f} s")
    return REFUSED if counts["wrong"] else LIMIT if counts["unsolved"] else OK


@app.command
def verify(
    file: Path,
    /,
    *,
    reference: Annotated[
        bool, Parameter(help="By the checker written to be read, in Python; slower.", negative=())
    ] = False,
) -> int:
    """Check a certificate by a separate program with rules of its own. Exit status 0 valid, 1 refused, 2 not readable,
    3 beyond a limit of the checker (its own options raise them: `rlscout-verify --help`).

    Try:
      rlscout verify o4.cert
      rlscout verify o4.cert --reference
    """
    import subprocess

    from rlscout.checker import command

    if not file.exists():
        raise ValueError(f"{file}: no such file")
    return subprocess.run([*command(reference), str(file)], check=False).returncode


@app.command
def perft(game: str, depth: int, /, *, moves: str = "", position: str | None = None) -> int:
    """Count the positions at a depth, for comparing rules. A pass is a ply; a finished game is one leaf.

    Try:
      rlscout perft othello8 6
    """
    import time

    from rlscout.games import game as game_of

    played = game_of(game)
    start = played.position(position) if position is not None else played.play(moves)
    if depth < 0:
        raise ValueError(f"depth {depth}: zero or more is allowed")
    for ply in range(depth + 1):
        begin = time.monotonic()
        count = _perft(start, ply)
        if ply < depth:
            print(f"{ply:>3} {count:>20,} {time.monotonic() - begin:>9.3f} s", flush=True)
    print(count)
    return OK


def _perft(start: Position, depth: int) -> int:
    """In native calls of a moderate size, so that progress shows and Ctrl-C is heard between them."""
    from rlscout.process import Every

    apart, due = max(0, depth - PERFT_DEPTH), Every(PROGRESS_SECONDS)
    layer, finished = [start], 0
    for _ in range(apart):
        finished += sum(position.over for position in layer)
        layer = [p.play([move]) for p in layer if not p.over for move in (p.legal_squares or [-1])]
    count = finished
    for number, position in enumerate(layer):
        count += position.game.engine.perft(position.packed, depth - apart)
        if due():
            print(f"ply {depth}: {count:,} so far, {(number + 1) / len(layer):.0%}", file=sys.stderr, flush=True)
    return count


@app.command
def games() -> int:
    """The games that were built in, and the short names."""
    from rlscout import native
    from rlscout.games import SHORT_NAMES, game

    for pattern, description in native.families():
        print(f"{pattern:<40} {description}")
    for short, full in SHORT_NAMES.items():
        print(f"{short:<40} {full}")
    from rlscout.games import OTHELLO_NAMES

    print()
    for name in [*OTHELLO_NAMES, *SHORT_NAMES]:
        engine = game(name).engine
        print(f"{name:<20} {engine.columns}x{engine.rows}, scores {engine.min_score} to {engine.max_score}")
    print(f"\nprocessor variant: {native.VARIANT}")
    return OK


@app.command
def show(
    name: ConfigName = None,
    /,
    *,
    data: Annotated[Path | None, Parameter(help="Folder of the run.")] = None,
    sample: Annotated[int | None, Parameter(help="Number of the sample; default: the newest.")] = None,
    model: Annotated[str, Parameter(help="best, none, or a file: whose policy to put beside the visits.")] = "best",
    set_: Settings = (),
) -> int:
    """Draw a sample: the board, what the search visited, what the network thinks, side by side.

    Try:
      rlscout show othello6
      rlscout show --data data/tictactoe --sample 100
    """
    from rlscout.show import show as draw_sample

    config = _config(name, set_, **({} if data is None else {"data": str(data)}))
    print(draw_sample(Path(config.data), sample, model))
    return OK


@app.command
def export(
    model: Annotated[str, Parameter(help="A network file, or best: the best one of the run in --data.")] = "best",
    /,
    *,
    to: Literal["onnx", "onnx-int8", "torchscript", "coreml"] = "onnx",
    data: Annotated[Path | None, Parameter(help="Folder of a run; its samples calibrate 8 bits.")] = None,
    out: Annotated[Path | None, Parameter(help="Default: the game and the suffix of the format, here.")] = None,
) -> int:
    """Write a network as a file that other programs run: planes [batch, 3, rows, columns] in, policy logits and value out.

    onnx-int8 is quantised after training, calibrated on stored samples of the run, or on random games without one.

    Try:
      rlscout export best --data data/othello6 --to onnx-int8 --out othello6.onnx
    """
    from rlscout.export import SUFFIXES, load
    from rlscout.export import export as write
    from rlscout.games import game

    network, calibration = load(model, data)
    path = out or Path(_folder_name(game(network.header.game)) + SUFFIXES[to])
    write(network, to, path, calibration)
    header = network.header
    shape = f"{header.architecture.blocks} blocks of {header.architecture.channels} channels"
    used = (
        ""
        if to != "onnx-int8"
        else ", calibrated on " + ("random games" if calibration is None else f"{len(calibration)} stored samples")
    )
    print(f"{path}: {header.game}, {shape}, step {header.step}{used}")
    return OK


@app.command
def book(
    game: str,
    /,
    *,
    moves: Annotated[str | None, Parameter(help="Moves from the start, as e4c5...; passes may be left out.")] = None,
    position: Annotated[str | None, Parameter(help="Squares row by row (X, O, -), then the side to move.")] = None,
    json: Annotated[bool, Parameter(help="One JSON object.", negative=())] = False,
    make: Annotated[Path | None, Parameter(help="Prove a book anew and write it to this FILE.")] = None,
    plies: Annotated[int, Parameter(help="Of the book to make.")] = 4,
    threads: Annotated[int, Parameter(help="Of the proofs of the book to make.")] = 1,
    table_mb: Annotated[int, Parameter(help="Memory of their transposition table.")] = 256,
) -> int:
    """The exact score of an opening, at once, from the book that comes with the game; or make such a book.

    Exit status: 0 found (or made), 2 bad input, 3 not in the book.

    Try:
      rlscout book othello6 --moves e4c5
      rlscout solve othello6 --moves e4c5 --certificate e4c5.cert     prove any entry again
      rlscout book othello6 --make othello6.book --plies 4 --threads 2
    """
    from rlscout import book as openings
    from rlscout.games import game as game_of

    played = game_of(game)
    if make is not None:
        return _make_book(played, make, plies, threads, table_mb)
    if moves is not None and position is not None:
        raise ValueError("--moves and --position exclude each other: give one of them")
    asked = played.position(position) if position is not None else played.play(moves or "")
    found = openings.load(played.name)
    if found is None:
        raise ValueError(f"no book comes with {played.name}; --make FILE makes one")
    return _tell_of_opening(found, asked, json)


def _tell_of_opening(found: Book, asked: Position, as_json: bool) -> int:
    score = found.score(asked)
    moves = {asked.game.square_name(move): value for move, value in found.moves(asked).items()}
    if as_json:
        about = {"game": asked.game.name, "scoring": asked.game.scoring, "position": asked.text}
        print(json.dumps({**about, "score": score, "moves": moves}))
    else:
        print(asked.show())
        print(f"score {score:+d} for {asked.to_move}" if score is not None else "not in the book")
        for name, value in sorted(moves.items(), key=lambda item: -item[1]):
            print(f"  {name}  {value:+d}")
    return LIMIT if score is None else OK


def _make_book(played: Game, path: Path, plies: int, threads: int, table_mb: int) -> int:
    from rlscout import book as openings
    from rlscout.solving import SolveOptions

    options = SolveOptions(table_mb=table_mb, threads=threads)
    about = (
        f"{played.name} ({played.scoring}): exact scores for the side to move of every position after up to {plies} plies,\n"
        f"folded by symmetry. Made by: rlscout book {played.name} --make {path.name} --plies {plies}"
    )

    def told(number: int, count: int, solution: Solution) -> None:
        print(
            f"{number} of {count}: {solution.position.text} {solution.lower:+d}, {solution.nodes:,} nodes", flush=True
        )

    made = openings.make(played, plies, options, about, told)
    made.save(path)
    print(f"{len(made.scores)} positions in {path}; score of the start {made.score(played.start):+d}")
    return OK


patterns_app = App(
    name="patterns",
    help="""Pattern tables: linear predictions of score and search cost that order moves (`solve --ordering patterns`).

Try:
  rlscout patterns train othello6 --out othello6.npz
""",
)
app.command(patterns_app)


@patterns_app.command(name="train")
def train_patterns(
    game: str,
    /,
    *,
    out: Annotated[Path, Parameter(help="Where the table goes.")],
    samples: Annotated[int, Parameter(help="Positions for each number of empty squares, in the last round.")] = 48_000,
    seed: Annotated[int, Parameter(help="Of the positions.")] = 1,
    rounds: Annotated[int, Parameter(help="Each learns from the trees of the one before.")] = 3,
    roots: Annotated[int, Parameter(help="Positions whose trees are sampled in a round.")] = 100,
    root_empties: Annotated[int, Parameter(help="Empty squares of the roots.")] = 22,
    root_nodes: Annotated[int, Parameter(help="Nodes of each tree, at most.")] = 10_000_000,
    exact_empties: Annotated[int, Parameter(help="Labels are exact up to so many empty squares.")] = 13,
    threads: Annotated[int, Parameter(help="For the labels; the table does not depend on it.")] = 1,
) -> int:
    """Learn a pattern table from positions that the solver labels, and print its errors by empty squares."""
    from rlscout import patterns

    def show(error: patterns.StageError) -> None:
        print(
            f"{error.empties:2} empties  score {error.score:5.2f} of {error.score_spread:5.2f} discs"
            f"  cost {error.cost:4.2f} of {error.cost_spread:4.2f} bits  ({error.positions} positions held out)",
            flush=True,
        )

    options = patterns.TrainOptions(
        seed=seed,
        samples=samples,
        rounds=rounds,
        roots=roots,
        root_empties=root_empties,
        root_nodes=root_nodes,
        exact_empties=exact_empties,
    )
    patterns.train(game, options, threads, show).save(out)
    return OK


bench_app = App(
    name="bench",
    help="""Deterministic node counts and their signature; how strong a network is; how well it orders.

Fixed positions, fixed node budgets, one thread, fresh tables, no clock: the same counts on every machine.

Try:
  rlscout bench
  rlscout bench strength othello6
  rlscout bench ordering othello6
  rlscout bench mcts --game gomoku8 --network rollout --sims 1000
  rlscout bench eval --batch 1..4096
  rlscout bench selfplay --network 2x64
""",
)
app.command(bench_app)


@bench_app.default
def bench() -> int:
    """Print the node counts and the signature."""
    from rlscout.bench import signature_table

    print(signature_table(), end="")
    return OK


@bench_app.command
def mcts(
    *,
    game: str = "othello8",
    network: Annotated[Literal["rollout", "fake"], Parameter(help="Random rollouts, or answers at once.")] = "fake",
    sims: Annotated[int, Parameter(help="Simulations a move.")] = 800,
    games: Annotated[int, Parameter(help="Games in flight.")] = 64,
    threads: int = 1,
    seconds: float = 5.0,
    symmetries: bool = True,
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """Simulations a CPU second of the native search in self-play, and the memory of a tree."""
    from rlscout.bench_mcts import measure

    speed = measure(game, network, sims, games, threads, seconds, symmetries)
    print(speed.json() if json else speed.text())
    return OK


@bench_app.command(name="selfplay")
def selfplay_speed(
    *,
    game: str = "othello8",
    network: Annotated[str, Parameter(help="rollout, fake, BLOCKSxCHANNELS (random weights) or a FILE.")] = "2x64",
    sims: Annotated[int, Parameter(help="Simulations a move.")] = 800,
    games: Annotated[int, Parameter(help="Games in flight.")] = 64,
    threads: Annotated[int, Parameter(help="Of each search, and of the evaluator.")] = 1,
    searches: Annotated[int, Parameter(help="With 2, one searches while the other is evaluated.")] = 1,
    seconds: float = 5.0,
    backend: str = "auto",
    device: str = "auto",
    cache: Annotated[Literal["on", "off"], Parameter(help="Keep 131072 answers across games.")] = "off",
    json: Annotated[bool, Parameter(negative=())] = False,
) -> int:
    """How fast self-play is, whole, beside the evaluator alone on the same boards; each step and copy of a round.

    Try:
      rlscout bench selfplay --backend openvino-int8 --games 128
    """
    from rlscout.bench_selfplay import Asked, measure

    speed = measure(
        Asked(game, network, sims, games, threads, searches, seconds, backend, device, (cache == "on") << 17)
    )
    print(speed.json() if json else speed.text())
    return OK


@bench_app.command(name="eval")
def evaluation(
    *,
    game: str = "othello8",
    backend: Annotated[str, Parameter(help="Names, as onnx,openvino-int8; all: what runs here.")] = "all",
    device: str = "auto",
    threads: int = 1,
    blocks: str = "2",
    channels: str = "64",
    biases: Annotated[Literal["with", "without", "both"], Parameter(help="Of convolutions and dense layers.")] = "with",
    batch: Annotated[str, Parameter(help="Numbers, as 1,64,256, or doublings, as 1..4096.")] = "1,16,256,4096",
    seconds: Annotated[float, Parameter(help="For each row, at least.")] = 0.5,
    csv: Annotated[Path | None, Parameter(help="Write the table.")] = None,
    plot: Annotated[Path | None, Parameter(help="Write the curves (SVG).")] = None,
    json: Annotated[bool, Parameter(help="One JSON object a row.", negative=())] = False,
) -> int:
    """How fast networks with random weights are evaluated, by backend, size and batch: boards in, policy and value out.

    Try:
      rlscout bench eval --blocks 1,2,6,10 --channels 64,128 --batch 1..4096 --csv eval.csv --plot eval.svg
    """
    from rlscout import bench_eval as job
    from rlscout.inference import available

    names = available() if backend == "all" else backend.split(",")
    both = {"with": [True], "without": [False], "both": [True, False]}[biases]
    sizes = (job.numbers(blocks), job.numbers(channels), both, job.numbers(batch))
    rows = []
    for row in job.measure(job.Asked(game, names, *sizes, device, threads, seconds)):
        rows.append(row)
        print(job.as_json(row) if json else job.as_text(row), flush=True)
    for path, write in ((csv, job.as_csv), (plot, job.as_plot)):
        if path is not None:
            path.write_text(write(rows), encoding="utf-8")
    return OK


def _of_run(
    name: str | None, data: Path | None, model: str, settings: Sequence[str]
) -> tuple[Config, Game, Evaluator | None]:
    """The settings of a run, its game, and the network to be measured; None for "none"."""
    from rlscout.games import game

    config = _config(name, settings, **({} if data is None else {"data": str(data)}))
    played = game(config.game, config.scoring)
    return config, played, None if model == "none" else _evaluator(played, model, Path(config.data))


@bench_app.command
def strength(
    name: ConfigName = None,
    /,
    *,
    data: Path | None = None,
    model: str = "best",
    positions: Annotated[
        int | None, Parameter(help="Default: 200; 0, and the default up to 9 squares: every one that can be reached.")
    ] = None,
    empties: int = 14,
    simulations: int = 200,
    seed: int = 1,
    json: Annotated[bool, Parameter(negative=())] = False,
    set_: Settings = (),
) -> int:
    """Random, rollouts, network policy, network + search: how often each keeps the exact score, and what it loses.

    The positions are drawn by seed from random games, have a losing choice, and the solver scores every move.
    """
    from rlscout.bench import strength as measure

    config, played, evaluator = _of_run(name, data, model, set_)
    count = positions if positions is not None else 200 if played.squares > 9 else 0
    print(measure(config, played, evaluator, count, empties, simulations, seed, json))
    return OK


@bench_app.command
def ordering(
    name: ConfigName = None,
    /,
    *,
    data: Path | None = None,
    model: str = "best",
    positions: int = 10,
    low: Annotated[int, Parameter(help="Fewest empty squares.")] = 16,
    high: Annotated[int, Parameter(help="Most empty squares.")] = 20,
    hint_ply: Annotated[
        tuple[int, ...], Parameter(help="How far down the network orders; each ply given makes a row.", negative=())
    ] = (2, 4),
    seed: int = 1,
    json: Annotated[bool, Parameter(negative=())] = False,
    set_: Settings = (),
) -> int:
    """What the same proofs cost under each ordering: static, random, patterns, network, both; the scores must agree.

    Try:
      rlscout bench ordering othello6 --hint-ply 2 --hint-ply 4 --hint-ply 6
    """
    from rlscout.bench import ordering as measure

    config, played, evaluator = _of_run(name, data, model, set_)
    print(measure(config, played, evaluator, positions, (low, high), hint_ply, seed, json))
    return OK


@app.command
def keys(folder: Path, /, *, client: Annotated[str, Parameter(help="Name of the client's pair.")] = "client") -> int:
    """Make the CURVE keys of a server and of a client; keys that exist are kept.

    Try:
      rlscout keys keys      then copy server.pub and client.key to the other host
    """
    from rlscout.storage.keys import make_keys

    written = make_keys(folder, client)
    for path in written:
        print(path)
    if not written:
        print(f"all keys exist in {folder}")
    return OK


@app.command
def report(
    name: ConfigName = None, /, *, data: Path | None = None, out: Path | None = None, set_: Settings = ()
) -> int:
    """Write the report of a run again: one HTML file that asks nothing from outside.

    Try:
      rlscout report --data data/othello6 --out report.html
    """
    from rlscout.report import write_report

    config = _config(name, set_, **({} if data is None else {"data": str(data)}))
    print(write_report(config, out or Path(config.data) / "report.html"))
    return OK


@app.command
def config(name: ConfigName = None, /, *, set_: Settings = ()) -> int:
    """Print every setting in force with its doc, as a TOML file.

    Try:
      rlscout config tictactoe > mine.toml
    """
    from rlscout.config import document

    print(document(_config(name, set_)), end="")
    return OK


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command and exits with its status; bad input is one line on standard error, and status 2."""
    sys.exit(execute(sys.argv[1:] if arguments is None else arguments))


def execute(arguments: Sequence[str]) -> int:
    return _status(lambda: app(list(arguments), exit_on_error=False, print_error=False, result_action="return_value"))


def _status(command: Callable[[], object]) -> int:
    """What a command returns, or what stands for its error; a defect is logged and raised."""
    try:
        status = command()
    except OSError as error:
        file = f"{error.filename}: " if error.filename else ""
        print(f"rlscout: {file}{error.strerror or error}", file=sys.stderr)
        return BAD_INPUT
    except (CycloptsError, ValueError, ImportError) as error:
        print(f"rlscout: {error}", file=sys.stderr)
        return BAD_INPUT
    except KeyboardInterrupt:
        print("rlscout: stopped", file=sys.stderr)
        return 130
    except Exception as error:
        from rlscout.storage import StoreError

        if not isinstance(error, StoreError):
            logging.getLogger(__name__).critical("ended by a defect", exc_info=True)
            raise
        print(f"rlscout: {error}", file=sys.stderr)
        return BAD_INPUT
    return status if isinstance(status, int) else OK
