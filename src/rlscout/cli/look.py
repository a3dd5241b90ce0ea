"""Looking: games, samples, reports, settings, networks as files."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from rlscout.cli.common import (
    OK,
    PROGRESS_SECONDS,
    ConfigName,
    GameName,
    MovesText,
    NotNegative,
    PositionText,
    RunFolder,
    Settings,
    config_of,
)

if TYPE_CHECKING:
    from rlscout.games import Position

PERFT_DEPTH = 7
PERFT_LINES = 1e8
"""One native call counts so many plies at most, and no more than so many lines of play if every ply had as many moves
as its first: a fraction of a second."""


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
    return OK


def perft(
    game: GameName,
    depth: Annotated[NotNegative, Parameter(help="Plies.")],
    /,
    *,
    moves: MovesText = None,
    position: PositionText = None,
) -> int:
    """Count the positions at a depth, for comparing rules. A pass is a ply; a finished game is one leaf.

    Try:
      rlscout perft othello8 6
    """
    import time

    from rlscout.games import game as game_of

    played = game_of(game)
    start = played.position(position) if position is not None else played.play(moves or "")
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

    due = Every(PROGRESS_SECONDS)
    count, done = 0, 0.0
    for position, left, share in _pieces(start, depth):
        count += position.game.engine.perft(position.packed, left)
        done += share
        if due():
            print(f"ply {depth}: {count:,} so far, {done:.0%}", file=sys.stderr, flush=True)
    return count


def _pieces(start: Position, depth: int) -> Iterator[tuple[Position, int, float]]:
    """Positions whose leaves make up those of the start, with the plies left to count and the rough share of all."""
    from rlscout.games import PASS

    waiting = [(start, depth, 1.0)]
    while waiting:
        position, left, share = waiting.pop()
        moves = position.legal_squares or [PASS]
        if position.over or (left <= PERFT_DEPTH and len(moves) ** left <= PERFT_LINES):
            yield position, left, share
        else:
            waiting += [(position.play([move]), left - 1, share / len(moves)) for move in moves]


def show(
    name: ConfigName = None,
    /,
    *,
    data: RunFolder = None,
    sample: Annotated[int | None, Parameter(help="Number of the sample; default: the newest.")] = None,
    model: Annotated[
        str, Parameter(help="best, a number, a FILE or none: whose policy to put beside the visits.")
    ] = "best",
    set_: Settings = (),
) -> int:
    """Draw a sample: the board, what the search visited, what the network thinks, side by side.

    Try:
      rlscout show othello6
      rlscout show --data data/tictactoe --sample 100
    """
    from rlscout.show import show as draw_sample

    config = config_of(name, set_, **({} if data is None else {"data": str(data)}))
    print(draw_sample(Path(config.data), sample, model))
    return OK


def report(
    name: ConfigName = None,
    /,
    *,
    data: RunFolder = None,
    out: Annotated[Path | None, Parameter(help="Default: report.html in the folder of the run.")] = None,
    set_: Settings = (),
) -> int:
    """Write the report of a run again: one HTML file that asks nothing from outside.

    Try:
      rlscout report --data data/othello6 --out report.html
    """
    from rlscout.files import check_place
    from rlscout.report import write_report

    config = config_of(name, set_, **({} if data is None else {"data": str(data)}))
    if out is not None:
        check_place(out, "--out")
    print(write_report(config, out or Path(config.data) / "report.html"))
    return OK


def config(name: ConfigName = None, /, *, set_: Settings = ()) -> int:
    """Print every setting in force with its doc, as a TOML file.

    Try:
      rlscout config tictactoe > mine.toml
    """
    from rlscout.config import document

    print(document(config_of(name, set_)), end="")
    return OK


def export(
    model: Annotated[
        str, Parameter(help="A network FILE, or best, or the number of one in the run of --data.")
    ] = "best",
    /,
    *,
    to: Annotated[
        Literal["onnx", "onnx-int8", "torchscript", "coreml", "safetensors"], Parameter(help="Format of the file.")
    ] = "onnx",
    data: Annotated[Path | None, Parameter(help="Folder of a run; its samples calibrate 8 bits.")] = None,
    out: Annotated[Path | None, Parameter(help="Default: the game and the suffix of the format, here.")] = None,
) -> int:
    """Write a network as a file that other programs run: planes [batch, 3, rows, columns] in, policy logits and value out.

    onnx-int8 is quantised after training, calibrated on stored samples of the run, or on random games without one.
    safetensors is what rlscout itself reads: --model FILE, and from Python rlscout.load_network(FILE).

    Try:
      rlscout export best --data data/othello6 --to onnx-int8 --out othello6.onnx
    """
    from rlscout.export import SUFFIXES, load
    from rlscout.export import export as write
    from rlscout.files import check_place
    from rlscout.games import game

    network, calibration = load(model, data)
    path = out or Path(game(network.header.game).file_name + SUFFIXES[to])
    if to != "coreml":  # that one is a folder
        check_place(path, "--out")
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
