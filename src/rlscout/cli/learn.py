"""Learning: the whole run, its processes one by one, and the keys that they need to meet across hosts."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from rlscout.cli.common import (
    OK,
    ConfigName,
    Keys,
    NotNegative,
    RunFolder,
    Server,
    Settings,
    Supervised,
    config_of,
    status_of,
)

if TYPE_CHECKING:
    from rlscout.ranks import Place


def run(
    name: ConfigName = None,
    /,
    *,
    minutes: Annotated[
        float | None, Parameter(help="Learning budget in minutes, in all; more than before: learn on.")
    ] = None,
    data: RunFolder = None,
    set_: Settings = (),
) -> int:
    """Learn a game by self-play, then solve it, write the certificate and have it checked. Ctrl-C stops; run again to
    go on.

    Try:
      rlscout run                          Othello 6x6
      rlscout run tictactoe --data /tmp/t
      rlscout run othello6 --minutes 30    go on learning, up to half an hour in all; then solve again
      rlscout run mnk:6,5,4                a game that no file comes along for, with the settings of othello6
    """
    from rlscout.run import run as job

    more = {} if minutes is None else {"minutes": str(minutes)}
    return job(config_of(name, set_, **more, **({} if data is None else {"data": str(data)})))


def serve(
    name: ConfigName = None,
    /,
    *,
    data: RunFolder = None,
    address: Annotated[str | None, Parameter(help="tcp://HOST:PORT; beyond loopback it needs --keys.")] = None,
    keys: Keys = None,
    set_: Settings = (),
    supervised: Supervised = False,
) -> int:
    """Serve the database of a run to self-play, training and duels, on this host or on others. Loads no torch.

    Try:
      rlscout serve othello6 --address tcp://127.0.0.1:5555
      rlscout keys keys && rlscout serve othello6 --address tcp://0.0.0.0:5555 --keys keys
    """
    from rlscout.config import document
    from rlscout.files import write_whole
    from rlscout.games import game
    from rlscout.process import log_to, only_one, stop_with_parent
    from rlscout.storage.server import CleanUp, serve

    config = config_of(name, set_, **({} if data is None else {"data": str(data)}))
    folder = Path(config.data)
    log_to(folder, "serve", config.view.log_level, not supervised)
    if supervised:
        stop_with_parent()
    chosen = address or (config.server.address if config.server.address != "auto" else "tcp://127.0.0.1:*")
    key_folder = keys or (Path(config.server.keys) if config.server.keys else None)
    kept = config.storage
    policy = CleanUp(kept.keep_samples, kept.keep_models, kept.keep_metrics, kept.cleanup_seconds)

    def ready(bound: str) -> None:
        write_whole(folder / "config.toml", document(config))
        print(f"serving {folder} at {bound}", flush=True)

    with only_one("serve", folder):
        serve(folder, chosen, game(config.game, config.scoring).name, key_folder, policy, ready)
    return OK


def selfplay(
    name: ConfigName = None,
    /,
    *,
    server: Server = None,
    keys: Keys = None,
    worker: Annotated[str, Parameter(help="Name of this self-play in the log, the metrics and its games.")] = "0",
    games: Annotated[NotNegative, Parameter(help="Stop once so many games, or a few more, are played; 0: never.")] = 0,
    set_: Settings = (),
    supervised: Supervised = False,
) -> int:
    """Play games against itself for ever, with the best network so far, and hand them to the server.

    Try:
      rlscout selfplay othello6 --server tcp://127.0.0.1:5555 --worker attic
    """
    return _job("selfplay", name, server, keys, set_, supervised, worker, games)


def train(
    name: ConfigName = None,
    /,
    *,
    server: Server = None,
    keys: Keys = None,
    set_: Settings = (),
    supervised: Supervised = False,
) -> int:
    """Train the network on the games of self-play for ever; hand over a candidate every so many steps.

    Try:
      rlscout train othello6 --server tcp://127.0.0.1:5555
    """
    return _job("train", name, server, keys, set_, supervised)


def duel(
    name: ConfigName = None,
    /,
    *,
    server: Server = None,
    keys: Keys = None,
    set_: Settings = (),
    supervised: Supervised = False,
) -> int:
    """Judge candidates against the best network by a sequential test, for ever; promote those that pass.

    Try:
      rlscout duel othello6 --server tcp://127.0.0.1:5555
    """
    return _job("duel", name, server, keys, set_, supervised)


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

    if server is not None and "://" not in server:
        raise ValueError(f"--server {server}: tcp://HOST:PORT is allowed")
    config = config_of(name, settings)
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
        return together(_rank, processes, stopping, *job, apart=kind == "selfplay")
    key_folder = keys or (Path(config.server.keys) if config.server.keys else None)
    where = server or config.data
    with open_store(
        where, played.name, keys=key_folder, timeout=config.server.timeout_seconds, stopping=stopping
    ) as store:
        store.set_run_value("scoring", played.scoring)
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
    return status_of(lambda: _job(kind, name, server, keys, settings, supervised, worker, games, place))


def keys(
    folder: Annotated[Path, Parameter(help="Where they go; it is made.")],
    /,
    *,
    client: Annotated[
        str, Parameter(help="Name of the client's pair; on its own host NAME.key is called client.key.")
    ] = "client",
) -> int:
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
