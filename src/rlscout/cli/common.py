"""What the commands share: exit status, parameters, the settings and the network that they name, progress on the terminal."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import CycloptsError, Parameter

if TYPE_CHECKING:
    from rlscout._native import SolveProgress
    from rlscout.config import Config
    from rlscout.games import Game
    from rlscout.inference import Evaluator

OK, REFUSED, BAD_INPUT, LIMIT, NO_STORE = 0, 1, 2, 3, 4
PROGRESS_SECONDS = 3.0


def at_least(least: float) -> Parameter:
    """For a number that may not be less, nor none at all (nan)."""

    def check(kind: Any, number: float | None) -> None:
        if number is not None and not number >= least:
            raise ValueError(f"{least:g} and more are allowed.")

    return Parameter(validator=check)


NotNegative = Annotated[int, at_least(0)]
Positive = Annotated[int, at_least(1)]
Seconds = Annotated[float, at_least(0)]

Settings = Annotated[
    tuple[str, ...],
    Parameter(name=["--set"], help="A setting over file and environment, as in --set selfplay.games=32.", negative=()),
]
GameName = Annotated[str, Parameter(help="A game, as `rlscout games` lists them.")]
MovesText = Annotated[str | None, Parameter(help="Moves from the start, as e4c5...; passes may be left out.")]
Seed = Annotated[int, at_least(0), Parameter(help="Of what is drawn at random.")]
Json = Annotated[bool, Parameter(help="One JSON object a line.", negative=())]
ConfigName = Annotated[
    str | None,
    Parameter(
        help="TOML file, or the short name of one that comes along (othello4); else a game, with the settings of Othello 6x6."
    ),
]
PositionText = Annotated[
    str | None,
    Parameter(help="Squares row by row (X, O, -), a space, the side to move.", allow_leading_hyphen=True),
]
RunFolder = Annotated[
    Path | None,
    Parameter(
        help="Folder of the run: database, log, certificate, report. Default: data/ and the name of the game or file."
    ),
]
Keys = Annotated[Path | None, Parameter(help="Folder of CURVE keys (see `rlscout keys`).")]
Server = Annotated[str | None, Parameter(help="Address of the server, as tcp://127.0.0.1:5555.")]
Supervised = Annotated[bool, Parameter(show=False, negative=())]


def config_of(name: str | None, settings: Sequence[str], **more: str) -> Config:
    from rlscout import config

    overrides = {}
    for entry in settings:
        key, equals, value = entry.partition("=")
        if not equals:
            raise ValueError(f"--set {entry}: write KEY=VALUE, as in --set selfplay.games=32")
        overrides[key.strip()] = value.strip()
    if name is None and "data" in more and (Path(more["data"]) / "config.toml").is_file():
        name = str(Path(more["data"]) / "config.toml")  # a run goes by the settings that it was begun with
    name, of_game = (None, {}) if name is None else _config_or_game(name)
    return config.load(name, {**of_game, **overrides, **more})


def _config_or_game(name: str) -> tuple[str | None, dict[str, str]]:
    """A config file and no setting; or, where a game alone has the name, the file of its short name, or none and the game."""
    from rlscout import config
    from rlscout.games import SHORT_NAMES, game

    try:
        config.find_file(name)
        return name, {}
    except ValueError as error:
        no_file = error
    if name.endswith(".toml"):
        raise no_file
    try:
        played = game(name)
    except ValueError as no_game:
        raise ValueError(f"{no_file}; nor a game: {no_game}") from None
    try:
        return str(config.find_file(played.file_name)), {}
    except ValueError:
        return None, {"game": played.file_name if played.file_name in SHORT_NAMES else played.name}


def evaluator_of(played: Game, model: str, data: Path | None) -> tuple[Evaluator, str]:
    """Of a network by its name, and its title; the folder of its run is by default that of the game."""
    from rlscout.inference import make_evaluator
    from rlscout.models import named

    found = named(model, data or Path("data") / played.file_name, played.name)
    return make_evaluator("auto", found.network), found.title


def tell_progress(phase: str, with_score: bool = True) -> Callable[[SolveProgress], None]:
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


def status_of(command: Callable[[], object]) -> int:
    """What a command returns, or what stands for its error; a defect is logged and raised."""
    try:
        status = command()
        sys.stdout.flush()
    except BrokenPipeError:  # `rlscout ... | head` has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:
        file = f"{error.filename}: " if error.filename else ""
        print(f"rlscout: {file}{error.strerror or error}", file=sys.stderr)
        return BAD_INPUT
    except (CycloptsError, ValueError, ImportError) as error:
        print(f"rlscout: {error}", file=sys.stderr)
        return BAD_INPUT
    except MemoryError as error:
        what = "" if str(error) in ("", "std::bad_alloc") else f": {error}"
        print(f"rlscout: no more memory{what}", file=sys.stderr)
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
        return NO_STORE
    return status if isinstance(status, int) else OK
