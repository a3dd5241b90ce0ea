"""Measuring: node counts, strength, ordering, and how fast each part is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import App, Parameter

from rlscout.cli.common import (
    OK,
    ConfigName,
    GameName,
    Json,
    NotNegative,
    Positive,
    RunFolder,
    Seconds,
    Seed,
    Settings,
    config_of,
    evaluator_of,
)

if TYPE_CHECKING:
    from rlscout.config import Config
    from rlscout.games import Game
    from rlscout.inference import Evaluator

bench = App(
    name="bench",
    help="""Deterministic node counts and their signature; how strong a network is; how well it orders.

Fixed positions, fixed node budgets, one thread, fresh tables, no clock: the same counts on every machine.

Try:
  rlscout bench
  rlscout bench strength othello6
  rlscout bench ordering othello6 --plot ordering.svg
  rlscout bench mcts --game gomoku8 --network rollout --sims 1000
  rlscout bench eval --batch 1..4096
  rlscout bench selfplay --network 2x64
""",
)


Cache = Annotated[
    Literal["on", "off"], Parameter(help="Keep 131072 answers across games, images of a position folded.")
]


def _answers(cache: Literal["on", "off"]) -> int:
    """That are kept."""
    return 1 << 17 if cache == "on" else 0


@bench.default
def signature() -> int:
    """Print the node counts and the signature."""
    from rlscout.bench import signature_table

    print(signature_table(), end="")
    return OK


@bench.command
def mcts(
    *,
    game: GameName = "othello8",
    network: Annotated[
        str,
        Parameter(
            help="rollout (random), fake (answers at once); BLOCKSxCHANNELS or a FILE: the same as `rlscout bench selfplay`."
        ),
    ] = "fake",
    sims: Annotated[Positive, Parameter(help="Simulations a move.")] = 800,
    games: Annotated[Positive, Parameter(help="Games in flight.")] = 64,
    threads: Annotated[Positive, Parameter(help="Of the search.")] = 1,
    seconds: Annotated[Seconds, Parameter(help="How long, about.")] = 5.0,
    symmetries: Annotated[bool, Parameter(help="Evaluate each position under one drawn by its hash.")] = True,
    backend: Annotated[str, Parameter(help="Of a network.")] = "auto",
    cache: Cache = "off",
    json: Json = False,
) -> int:
    """Simulations a CPU second of the native search in self-play, and the memory of a tree."""
    if network not in ("rollout", "fake"):
        return selfplay_speed(
            game=game,
            network=network,
            sims=sims,
            games=games,
            threads=threads,
            seconds=seconds,
            symmetries=symmetries,
            backend=backend,
            cache=cache,
            json=json,
        )
    from rlscout.bench_mcts import measure

    speed = measure(game, network, sims, games, threads, seconds, symmetries, _answers(cache))
    print(speed.json() if json else speed.text())
    return OK


@bench.command(name="selfplay")
def selfplay_speed(
    *,
    game: GameName = "othello8",
    network: Annotated[str, Parameter(help="rollout, fake, BLOCKSxCHANNELS (random weights) or a FILE.")] = "2x64",
    sims: Annotated[Positive, Parameter(help="Simulations a move.")] = 800,
    games: Annotated[Positive, Parameter(help="Games in flight.")] = 64,
    threads: Annotated[Positive, Parameter(help="Of each search, and of the evaluator.")] = 1,
    searches: Annotated[Positive, Parameter(help="With 2, one searches while the other is evaluated.")] = 1,
    seconds: Annotated[Seconds, Parameter(help="How long, about.")] = 5.0,
    symmetries: Annotated[bool, Parameter(help="Evaluate each position under one drawn by its hash.")] = True,
    backend: Annotated[str, Parameter(help="auto, or one by name, as native-int8.")] = "auto",
    device: Annotated[str, Parameter(help="auto, cpu, cuda, cuda:1 ...")] = "auto",
    cache: Cache = "off",
    json: Json = False,
) -> int:
    """How fast self-play is, whole, beside the evaluator alone on the same boards; each step and copy of a round.

    Try:
      rlscout bench selfplay --backend openvino-int8 --games 128
    """
    from rlscout.bench_selfplay import Asked, measure

    speed = measure(
        Asked(
            game,
            network,
            sims,
            games,
            threads,
            searches,
            seconds,
            backend,
            device,
            _answers(cache),
            cache == "on",
            symmetries,
        )
    )
    print(speed.json() if json else speed.text())
    return OK


@bench.command(name="eval")
def evaluation(
    *,
    game: GameName = "othello8",
    backend: Annotated[str, Parameter(help="Names, as onnx,openvino-int8; all: what runs here.")] = "all",
    device: Annotated[str, Parameter(help="auto, cpu, cuda, cuda:1 ...")] = "auto",
    threads: Annotated[Positive, Parameter(help="Of the evaluator.")] = 1,
    blocks: Annotated[str, Parameter(help="Of the networks, as 2,6.")] = "2",
    channels: Annotated[str, Parameter(help="Of the networks, as 64,128.")] = "64",
    biases: Annotated[Literal["with", "without", "both"], Parameter(help="Of convolutions and dense layers.")] = "with",
    batch: Annotated[str, Parameter(help="Numbers, as 1,64,256, or doublings, as 1..4096.")] = "1,16,256,4096",
    seconds: Annotated[Seconds, Parameter(help="For each row, at least.")] = 0.5,
    csv: Annotated[Path | None, Parameter(help="Write the table.")] = None,
    plot: Annotated[Path | None, Parameter(help="Write the curves (SVG).")] = None,
    json: Json = False,
) -> int:
    """How fast networks with random weights are evaluated, by backend, size and batch: boards in, policy and value out.

    Try:
      rlscout bench eval --blocks 1,2,6,10 --channels 64,128 --batch 1..4096 --csv eval.csv --plot eval.svg
    """
    from rlscout import bench_eval as job
    from rlscout.files import write_whole
    from rlscout.inference import available

    _check_places(csv, plot)
    names = available() if backend == "all" else backend.split(",")
    both = {"with": [True], "without": [False], "both": [True, False]}[biases]
    sizes = (job.numbers(blocks), job.numbers(channels), both, job.numbers(batch))
    rows = []
    for row in job.measure(job.Asked(game, names, *sizes, device, threads, seconds)):
        rows.append(row)
        print(job.as_json(row) if json else job.as_text(row), flush=True)
    for path, write in ((csv, job.as_csv), (plot, job.as_plot)):
        if path is not None:
            write_whole(path, write(rows))
    return OK


def _check_places(csv: Path | None, plot: Path | None) -> None:
    from rlscout.files import check_place

    for path, option in ((csv, "--csv"), (plot, "--plot")):
        if path is not None:
            check_place(path, option)


def _of_run(
    name: str | None, data: Path | None, model: str, settings: Sequence[str]
) -> tuple[Config, Game, Evaluator | None, str]:
    """The settings of a run, its game, and the network to be measured, with its title; None for "none"."""
    from rlscout.games import game

    config = config_of(name, settings, **({} if data is None else {"data": str(data)}))
    played = game(config.game, config.scoring)
    evaluator, title = (None, "none") if model == "none" else evaluator_of(played, model, Path(config.data))
    return config, played, evaluator, title


@bench.command
def strength(
    name: ConfigName = None,
    /,
    *,
    data: RunFolder = None,
    model: Annotated[str, Parameter(help="best or a number (of --data), a FILE, none.")] = "best",
    positions: Annotated[
        NotNegative | None,
        Parameter(
            help="Default: 200; 0, and without --empties the default of games that begin with at most 12 empty squares: every one that"
            " can be reached (othello4: 4131)."
        ),
    ] = None,
    empties: Annotated[
        NotNegative | None,
        Parameter(help="Empty squares of the random ones; default: 14, on a small board half of those at the start."),
    ] = None,
    simulations: Annotated[Positive, Parameter(help="Of network + search, a move.")] = 200,
    seed: Seed = 1,
    json: Json = False,
    set_: Settings = (),
) -> int:
    """Random, rollouts, network policy, network + search: how often each keeps the exact score, and what it loses.

    The positions are drawn by seed from random games, have a losing choice, and the solver scores every move.
    """
    from rlscout.bench import strength as measure

    config, played, evaluator, _ = _of_run(name, data, model, set_)
    print(measure(config, played, evaluator, positions, empties, simulations, seed, json))
    return OK


@bench.command
def ordering(
    name: ConfigName = None,
    /,
    *,
    data: RunFolder = None,
    model: Annotated[str, Parameter(help="best or a number (of --data), a FILE, none.")] = "best",
    ordering: Annotated[
        str,
        Parameter(help="Kinds, as static,network; random is one more. The first is what the others are compared with."),
    ] = "static,patterns,network,network+patterns",
    hint_ply: Annotated[str, Parameter(help="The network orders down to these plies, a row each.")] = "2,4,6,8",
    positions: Annotated[NotNegative, Parameter(help="Random ones; 0: the position that the run solves.")] = 10,
    low: Annotated[
        NotNegative | None, Parameter(help="Fewest empty squares; default: 16, fewer on a small board.")
    ] = None,
    high: Annotated[
        NotNegative | None, Parameter(help="Most empty squares; default: 20, fewer on a small board.")
    ] = None,
    nodes: Annotated[NotNegative | None, Parameter(help="Limit on the nodes of each proof.")] = None,
    seed: Seed = 1,
    csv: Annotated[Path | None, Parameter(help="Write all of it by ply.")] = None,
    plot: Annotated[Path | None, Parameter(help="Write the curves by ply (SVG).")] = None,
    json: Json = False,
    set_: Settings = (),
) -> int:
    """What the same proofs cost under each ordering: static, patterns, network down to a ply, and patterns below it.

    The scores must agree. What is measured on a run is kept in its folder, and its report shows it.

    Try:
      rlscout bench ordering othello6 --hint-ply 2,4,6 --plot ordering.svg
      rlscout bench ordering othello6 --positions 0 --ordering patterns,network+patterns
    """
    from rlscout import ordering as job
    from rlscout.bench_eval import numbers
    from rlscout.files import write_whole
    from rlscout.games import random_positions
    from rlscout.plot import stacked
    from rlscout.storage import holds_run

    _check_places(csv, plot)
    config, played, evaluator, title = _of_run(name, data, model, set_)
    if positions:
        low, high = job.empties_for(played, low, high)
        asked = random_positions(played, positions, low, high, seed)
        about = f"{positions} random positions of {low} to {high} empty squares, seed {seed}"
    else:
        solve = config.solve
        asked = [played.position(solve.position) if solve.position else played.play(solve.moves)]
        about = f"from {asked[0].text}"
    about += f", network: {title}" if evaluator is not None else ""

    def tell(grid: job.Grid) -> None:
        if len(grid.rows) == 1:
            print(grid.head())
        print(grid.line(grid.rows[-1]), flush=True)

    plies = numbers(hint_ply)
    wanted = job.Asked(asked, about, ordering.split(","), plies, config.solve.table_mb, seed, nodes)
    grid = job.measure(wanted, evaluator, (lambda grid: None) if json else tell)
    if json:
        print(grid.json())
    if csv is not None:
        write_whole(csv, grid.csv())
    if plot is not None:
        write_whole(plot, stacked(grid.plots()))
    if evaluator is not None and holds_run(Path(config.data)):
        grid.save(Path(config.data))
    return OK
