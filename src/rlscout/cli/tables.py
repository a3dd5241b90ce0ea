"""Tables that come along, and how they are made: opening books, pattern tables."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from rlscout.cli.common import LIMIT, OK, GameName, MovesText, NotNegative, PositionText, Positive, at_least

if TYPE_CHECKING:
    from rlscout.book import Book
    from rlscout.experience import Experience, SourceError
    from rlscout.games import Game, Position
    from rlscout.solving import Solution


def book(
    game: GameName,
    /,
    *,
    moves: MovesText = None,
    position: PositionText = None,
    json: Annotated[bool, Parameter(help="One JSON object.", negative=())] = False,
    make: Annotated[Path | None, Parameter(help="Prove a book anew and write it to this FILE.")] = None,
    plies: Annotated[NotNegative, Parameter(help="Of the book to make.")] = 4,
    threads: Annotated[Positive, Parameter(help="Of the proofs of the book to make.")] = 1,
    table_mb: Annotated[Positive, Parameter(help="Memory of their transposition table.")] = 256,
) -> int:
    """The exact score of an opening, at once, from the book that comes with the game; or make such a book.

    Exit status: 0 found (or made), 2 bad input, 3 not in the book. Stopped or killed, a book that is made again goes on from
    FILE.draft.

    Try:
      rlscout book othello6 --moves e4c5
      rlscout solve othello6 --moves e4c5 --certificate e4c5.cert     prove any entry again
      rlscout book othello6 --make othello6.book --plies 4 --threads 2
    """
    from rlscout import book as openings
    from rlscout.games import game as game_of

    played = game_of(game)
    if make is not None:
        if moves is not None or position is not None or json:
            raise ValueError("--make proves every opening: not with --moves, --position or --json")
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
    from rlscout.files import check_place
    from rlscout.solving import SolveOptions

    check_place(path, "--make")
    options = SolveOptions(table_mb=table_mb, threads=threads)
    about = (
        f"Exact scores for the side to move of every position after up to {plies} plies,\n"
        f"folded by symmetry. Made by: rlscout book {played.name} --make {path.name} --plies {plies}"
    )

    def told(number: int, count: int, solution: Solution) -> None:
        print(
            f"{number} of {count}: {solution.position.text} {solution.lower:+d}, {solution.new_nodes:,} nodes",
            flush=True,
        )

    draft = path.with_name(path.name + ".draft")
    if draft.exists():
        print(f"going on from {draft}", flush=True)
    made = openings.make(played, plies, options, about, told, draft)
    made.save(path)
    draft.unlink(missing_ok=True)
    print(f"{len(made.scores)} positions in {path}; score of the start {made.score(played.start):+d}")
    return OK


patterns = App(
    name="patterns",
    help="""Pattern tables: linear predictions of score and search cost that order moves (`solve --ordering patterns`).

Try:
  rlscout patterns train othello6 --out othello6.npz
  rlscout patterns train othello6 --out othello6.npz --data data/othello6
""",
)


@patterns.command(name="train")
def train_patterns(
    game: GameName,
    /,
    *,
    out: Annotated[Path, Parameter(help="Where the table goes.")],
    samples: Annotated[int, Parameter(help="Positions for each number of empty squares, in the last round.")] = 48_000,
    seed: Annotated[NotNegative, Parameter(help="Of the positions.")] = 1,
    rounds: Annotated[Positive, Parameter(help="Each learns from the trees of the one before.")] = 3,
    roots: Annotated[Positive, Parameter(help="Positions whose trees are sampled in a round.")] = 100,
    root_empties: Annotated[int, Parameter(help="Empty squares of the roots.")] = 22,
    root_nodes: Annotated[Positive, Parameter(help="Nodes of each tree, at most.")] = 10_000_000,
    exact_empties: Annotated[int, Parameter(help="Labels are exact up to so many empty squares.")] = 13,
    clamp: Annotated[
        float, at_least(1), Parameter(help="Scores beyond so many discs are learned as this many.")
    ] = 20.0,
    threads: Annotated[Positive, Parameter(help="For the labels; the table does not depend on it.")] = 1,
    data: Annotated[Path | None, Parameter(help="Folder of a run, whose stored positions join in.")] = None,
    model: Annotated[
        str | None, Parameter(help="Network that scores come from too: best or a number (of --data), or a FILE.")
    ] = None,
    sources: Annotated[
        str | None,
        Parameter(
            help="Of scores that are not exact, beside the table: outcome,search,network, or none; all with --model."
        ),
    ] = None,
    stored: Annotated[
        NotNegative | None,
        Parameter(help="Stored positions for each number of empty squares, at most; default: half of --samples."),
    ] = None,
) -> int:
    """Learn a pattern table from positions that the solver labels, and print its errors by empty squares.

    With --data the positions of stored self-play games join in. Above the exact labels the table itself says what a position is
    worth, some plies ahead; there, with --model or --sources, the outcomes of the games, the values of their search and those of a
    network correct it, by as much as they are found to help on positions that are solved for it. What each is worth is printed:
    the labels get better, the tables did not where it was measured (benchmarks/othello6.md). Stopped, it begins anew: it takes minutes."""
    from rlscout import patterns as tables
    from rlscout.files import check_place
    from rlscout.games import game as game_of

    played = game_of(game)
    tables.shape_of(played)
    check_place(out, "--out")
    experience, about = None, ""
    if data is not None:
        asked = sources or ("none" if model is None else "outcome,search,network")
        names = () if asked == "none" else tuple(asked.split(","))
        if ("network" in names) != (model is not None):
            raise ValueError("--model names the network of --sources network: give both, or none of them")
        most = samples // 2 if stored is None else stored
        experience, about = _experience_of(played, data, model, names, most, seed)
    elif model is not None:
        raise ValueError(f"--model {model} corrects by what it makes of the positions of a run: give --data DIR too")
    elif sources is not None or stored is not None:
        raise ValueError("--sources and --stored are of the positions of a run: give --data DIR too")

    def show(error: tables.StageError) -> None:
        print(
            f"{error.empties:2} empties  score {error.score:5.2f} of {error.score_spread:5.2f} discs"
            f"  cost {error.cost:4.2f} of {error.cost_spread:4.2f} bits  ({error.positions} positions held out)",
            flush=True,
        )

    options = tables.TrainOptions(
        seed=seed,
        samples=samples,
        rounds=rounds,
        roots=roots,
        root_empties=root_empties,
        root_nodes=root_nodes,
        exact_empties=exact_empties,
        clamp=clamp,
        experience=about,
    )
    tables.train(game, options, threads, show, experience, _tell).save(out)
    return OK


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _experience_of(
    played: Game, data: Path, model: str | None, sources: tuple[str, ...], most: int, seed: int
) -> tuple[Experience, str]:
    """What the run in a folder knows, and the same in words."""
    from rlscout.experience import Experience, seen
    from rlscout.inference import make_evaluator
    from rlscout.models import named
    from rlscout.patterns import board_of
    from rlscout.storage import open_run

    with open_run(data) as store:
        of_run = store.ping().game
        if board_of(of_run) != board_of(played.name):
            raise ValueError(f"--data {data}: a run of {of_run}, not of {played.name}")
        counts = store.sample_counts()
        if counts.kept == 0:
            raise ValueError(f"--data {data}: the run has no samples")
        network = None if model is None else named(model, store).network
        found = seen(store, played.engine, lambda read: _tell(f"{read:,} samples read"))
    evaluator = None if network is None else make_evaluator("auto", network, batch=4096)
    experience = Experience(played.engine, found, evaluator, sources, most=most, seed=seed, on_error=_tell_source)
    step = f", network of step {network.header.step}" if network is not None else ""
    return experience, f"{of_run}: {counts.kept} samples{step}; scores from: {', '.join(sources) or 'none of it'}"


def _tell_source(error: SourceError) -> None:
    kind = "games" if error.stored else "trees"
    print(
        f"{error.empties:2} empties  {kind}  {error.source:<11}  {error.error:5.2f} discs off  weight {error.weight:4.2f}"
        f"  ({error.positions} positions solved)",
        flush=True,
    )
