"""The command line. Every command loads what it needs and no more: only those that train or run a network load its
library.

    learn     run, serve, selfplay, train, duel, keys
    solve     solve, verify
    tables    book, patterns
    look      games, perft, show, report, config, export
    bench     bench ...

Exit status: 0 proven (or valid, or done); 1 a certificate is refused, or a proven score contradicts the answer in a
file; 2 bad input, said in one line; 3 a limit was met (bounds are printed); 4 the store of a run
cannot be had: no answer, or the database failed.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence

from cyclopts import App

from rlscout import __version__
from rlscout.cli import bench, learn, look, solve, tables
from rlscout.cli.common import status_of


def _version() -> str:
    from rlscout import native

    return f"{__version__}, processor variant {native.VARIANT}"


app = App(
    name="rlscout",
    version=_version,
    version_flags=["--version"],
    help_format="plaintext",
    suppress_keyboard_interrupt=False,  # status_of tells it
    help="""Learn a board game by self-play, then solve it, with a proof that others can check.

Start here:
  rlscout run                            Othello 6x6: learn, then solve
  rlscout run tictactoe                  the same in about a minute
  rlscout solve othello6 --moves e4c5    solve a position
  rlscout games                          the games and their names
""",
)
for command in (
    *(learn.run, learn.serve, learn.selfplay, learn.train, learn.duel, learn.keys),
    *(solve.solve, solve.verify, tables.book, tables.patterns),
    *(look.games, look.perft, look.show, look.report, look.config, look.export),
    bench.bench,
):
    app.command(command)


def main(arguments: Sequence[str] | None = None) -> None:
    """Runs a command and exits with its status; bad input is one line on standard error, and status 2."""
    status = execute(sys.argv[1:] if arguments is None else arguments)
    if threading.active_count() > 1:
        from rlscout.process import leave

        leave(status)
    sys.exit(status)


def execute(arguments: Sequence[str]) -> int:
    return status_of(lambda: app(list(arguments), exit_on_error=False, print_error=False, result_action="return_value"))
