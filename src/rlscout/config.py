"""Every number a user may want to change: frozen dataclasses, filled from flags over environment over a TOML file.

`load(path, overrides)` is the only way in. The doc of a setting lives beside its default, here;
`configs/othello6.toml` is `document(Config())` word for word (a test), so that file and code cannot drift apart. Other
files state what differs.

    flag         --set selfplay.games=32
    environment  RLSCOUT_SELFPLAY_GAMES=32
    file         [selfplay] games = 32
"""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_type_hints

Ordering = Literal["auto", "static", "patterns", "network", "network+patterns", "random"]
"""`network` orders near the root, where the static order takes over; `network+patterns` where the game's pattern table does, if
one comes with the package. `auto` is the best that is there (see `rlscout.solving.best_ordering`)."""
ORDERINGS: tuple[Ordering, ...] = get_args(Ordering)
MOST_LEAF_EMPTIES = 16
"""The checkers search no further."""

T = TypeVar("T", int, float, str, bool)


def setting(
    default: T, doc: str, low: float | None = None, high: float | None = None, choices: tuple[str, ...] = ()
) -> T:
    """A field with its doc and its bounds, all inclusive."""
    made: T = field(default=default, metadata={"doc": doc, "low": low, "high": high, "choices": choices})
    return made


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """The residual tower; stored in the header of every weights file."""

    blocks: int = setting(3, "residual blocks", 0, 64)
    channels: int = setting(32, "channels of the tower", 4, 1024)
    policy_channels: int = setting(8, "channels of the policy head before its last layer", 1, 256)
    value_channels: int = setting(4, "channels of the value head before its dense layers", 1, 256)
    value_hidden: int = setting(64, "width of the value head's hidden layer", 4, 4096)
    batch_norm: bool = setting(False, "batch norm after each 3x3 convolution; folded into the weights for inference")


@dataclass(frozen=True, slots=True)
class SearchConfig:
    """What self-play, duels and analysis have in common."""

    c_puct: float = setting(1.5, "exploration constant of PUCT", 0.0, 100.0)
    fpu: float = setting(0.2, "an unvisited child is valued this much below its parent", 0.0, 2.0)
    margin: float = setting(
        0.2, "share of the score in a value: value = (1 - margin) * sign(score) + margin * score / max_score", 0.0, 1.0
    )
    symmetries: bool = setting(True, "evaluate each position under a symmetry drawn by hash(seed, position)")
    backend: str = setting(
        "auto",
        "where a network runs: auto (see docs/adding-a-backend.md), torch, onnx, onnx-int8, openvino, coreml, native-int8 ...",
    )
    device: str = setting(
        "auto",
        "auto, cpu, cuda, cuda:1 ...; of a list, as cuda:0,cuda:1, each process of self-play and player of a duel takes its own",
    )
    network_threads: int = setting(1, "CPU threads of one evaluator", 1, 256)


@dataclass(frozen=True, slots=True)
class SelfplayConfig:
    """Games against itself, for ever."""

    processes: int = setting(1, "self-play processes; every setting below applies to each", 1, 1024)
    games: int = setting(
        64, "games in flight, one search tree each; the trees of a thread take 32 GiB at most", 1, 1_000_000
    )
    searches: int = setting(1, "searches that take turns, so that CPU and accelerator never wait for each other", 1, 4)
    batch: int = setting(256, "leaves evaluated at once, at most", 1, 1_000_000)
    threads: int = setting(1, "native threads of each search", 1, 1024)
    simulations: int = setting(96, "simulations a move with a network", 1, 65_535)
    rollout_simulations: int = setting(
        800, "simulations a move with random rollouts, before the first network", 1, 65_535
    )
    noise_alpha: float = setting(
        1.0, "Dirichlet noise over the n legal root moves has parameter alpha * 10 / n; 0: none", 0.0, 100.0
    )
    noise_weight: float = setting(0.25, "share of the noise in the root's prior", 0.0, 1.0)
    temperature: float = setting(1.0, "moves are drawn by visits^(1 / temperature)", 0.01, 100.0)
    temperature_plies: int = setting(16, "for the first plies; the most visited move after", 0, 10_000)
    opening_plies: int = setting(
        4, "random legal moves before the search begins: a number up to this, drawn for each game", 0, 10_000
    )
    reuse_tree: bool = setting(True, "keep the subtree of the move played")
    cache: int = setting(
        131_072, "answers of the network kept across games (4 bytes a square and 24 each); 0: none", 0, 1_000_000_000
    )
    fold: bool = setting(
        True,
        "evaluate all images of a position as one, which the cache then finds again; without cache, off saves time; without search.symmetries, no effect",
    )
    poll_seconds: float = setting(1.0, "how often to ask for a newly promoted network", 0.01, 3600.0)
    report_seconds: float = setting(2.0, "how often to report moves/s and evaluations/s", 0.01, 3600.0)
    lead: float = setting(
        2.0,
        "self-play pauses once it has produced this many times the samples that training could use; 0: never",
        0.0,
        1e6,
    )
    queue_games: int = setting(
        4096, "finished games that may wait for the store; self-play pauses beyond", 1, 10_000_000
    )


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Training of the network, for ever."""

    batch: int = setting(256, "samples a step", 1, 1_000_000)
    learning_rate: float = setting(0.005, "of AdamW, after the warm-up", 1e-7, 10.0)
    warmup_steps: int = setting(50, "steps over which the learning rate rises from zero", 0, 1_000_000)
    weight_decay: float = setting(0.01, "of AdamW", 0.0, 1.0)
    average_steps: float = setting(
        200.0, "steps that the published running average of the weights looks back", 1.0, 1e6
    )
    value_weight: float = setting(1.0, "weight of the value loss beside the policy loss", 0.0, 100.0)
    root_value: float = setting(
        0.25, "share of the search's root value in the value to learn; the rest is the outcome", 0.0, 1.0
    )
    clip_norm: float = setting(5.0, "gradients are scaled down to this norm", 0.01, 1e6)
    min_samples: int = setting(8_000, "samples to wait for before the first step", 1, 1_000_000_000)
    window: int = setting(200_000, "replay window: the newest samples that training draws from", 1, 1_000_000_000)
    window_share: float = setting(
        0.5, "until then it holds this share of all samples ever: the first ones are the worst", 0.01, 1.0
    )
    reuse: float = setting(
        12.0, "times each new sample is drawn, on average; training waits for self-play beyond", 0.01, 1e6
    )
    publish_steps: int = setting(
        100,
        "steps between the networks handed to the duel, at least; none while one awaits its verdict",
        1,
        1_000_000_000,
    )
    snapshot_seconds: float = setting(15.0, "how often weights and optimizer are saved for a restart", 0.1, 86_400.0)
    report_seconds: float = setting(2.0, "how often losses are reported", 0.01, 3600.0)
    processes: int = setting(1, "that learn together, each on its share of the batch; on CUDA, on a GPU each", 1, 1024)
    threads: int = setting(1, "CPU threads of torch, in each process", 1, 256)
    device: str = setting(
        "auto", "auto, cpu, cuda, cuda:1 ...; of a list, as cuda:2,cuda:3, each process takes its own"
    )


@dataclass(frozen=True, slots=True)
class DuelConfig:
    """The sequential test that a new network must pass; docs/duels.md has the expected number of games."""

    elo0: float = setting(0.0, "H0: the challenger is at most this much stronger", -1000.0, 1000.0)
    elo1: float = setting(60.0, "H1: the challenger is at least this much stronger", -1000.0, 1000.0)
    alpha: float = setting(0.05, "chance to promote where H0 holds", 1e-6, 0.5)
    beta: float = setting(0.05, "chance to refuse where H1 holds", 1e-6, 0.5)
    max_pairs: int = setting(400, "pairs of games after which the challenger is refused as undecided", 1, 10_000_000)
    games: int = setting(32, "games in flight; even, as openings are played with both colours", 2, 1_000_000)
    batch: int = setting(256, "leaves evaluated at once, at most", 1, 1_000_000)
    simulations: int = setting(64, "simulations a move, the same for both players", 1, 65_535)
    opening_plies: int = setting(4, "random legal moves that make the openings distinct", 0, 10_000)
    temperature: float = setting(0.5, "moves are drawn by visits^(1 / temperature)", 0.01, 100.0)
    temperature_plies: int = setting(4, "for the first plies; the most visited move after", 0, 10_000)
    threads: int = setting(1, "native threads of the search", 1, 1024)
    poll_seconds: float = setting(1.0, "how often to look for a new challenger", 0.01, 3600.0)


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """The one process that owns the database."""

    address: str = setting("auto", "tcp://HOST:PORT; auto: a free port of this host. Beyond loopback it needs keys")
    keys: str = setting("", "folder of CURVE keys made by `rlscout keys`; empty: no encryption, loopback only")
    timeout_seconds: float = setting(
        60.0,
        "how long a client tries to get an answer, across restarts of the server, before it gives up",
        0.1,
        86_400.0,
    )


@dataclass(frozen=True, slots=True)
class StorageConfig:
    """What is cleaned up, and when."""

    keep_samples: int = setting(1_000_000, "newest samples that stay; older ones are deleted", 1, 1_000_000_000_000)
    keep_models: int = setting(50, "newest models whose weights stay; promoted ones stay for ever", 1, 1_000_000_000)
    keep_metrics: int = setting(500_000, "newest metrics that stay", 1, 1_000_000_000)
    cleanup_seconds: float = setting(60.0, "how often to clean up", 0.1, 86_400.0)


@dataclass(frozen=True, slots=True)
class SolveConfig:
    """The proof after the learning budget."""

    position: str = setting("", "text of the position to solve; empty: the start of the game")
    moves: str = setting("", "moves from the start to the position to solve, as e4c5...; not with `position`")
    model: str = setting(
        "best", "network that orders moves: best (the promoted one), the number of one, a file, or none"
    )
    ordering: str = setting(
        "auto",
        "order of moves; auto: the network near the root, patterns (where a table comes with the game) or static order below",
        choices=ORDERINGS,
    )
    hint_ply: int = setting(2, "the network orders positions down to this ply below the root", 0, 10_000)
    hint_batch: int = setting(4096, "positions evaluated at once for the ordering", 1, 1_000_000)
    compare: bool = setting(
        True,
        "solve once more with the static ordering, and some late positions with every one, to state what each saves",
    )
    nodes: int = setting(0, "limit on positions entered by the search; 0: none", 0, 2**62)
    seconds: float = setting(1800.0, "limit on the time of the proof; 0: none", 0.0, 1e9)
    state_seconds: float = setting(
        60.0, "how often what is proven is saved, to go on from after a kill; 0: only when a proof ends", 0.0, 86_400.0
    )
    table_mb: int = setting(256, "memory of the transposition table", 1, 1_000_000)
    threads: int = setting(2, "native threads; with 1, node counts repeat to the unit", 1, 256)
    certificate: bool = setting(True, "write the certificate of the score, and have it verified")
    leaf_empties: int = setting(
        12, "positions with at most so many empty squares are left to the checker; 0: none are", 0, MOST_LEAF_EMPTIES
    )


@dataclass(frozen=True, slots=True)
class ViewConfig:
    """The live view and the log."""

    seconds: float = setting(0.5, "between two pictures of the live view on a terminal", 0.05, 60.0)
    line_seconds: float = setting(5.0, "between two lines where the output is no terminal", 0.1, 3600.0)
    log_level: str = setting(
        "info", "of the log file beside the database", choices=("debug", "info", "warning", "error")
    )


@dataclass(frozen=True, slots=True)
class Config:
    """A whole run. Hand a job the section it needs, not the whole."""

    game: str = setting("othello6", "the game, as `rlscout games` lists them")
    scoring: str = setting(
        "empties", "Othello: the winner takes the empty squares, or discs only", choices=("empties", "discs")
    )
    data: str = setting(
        "", "folder of the database, log, certificate and report; empty: data/<name of this file, else of the game>"
    )
    minutes: float = setting(
        5.0, "learning budget; learning goes on where it was until this much time was spent", 0.0, 1e7
    )
    seed: int = setting(1, "of every random generator", 0, 2**63 - 1)
    nice: int = setting(5, "how far processes that learn give way to others on this host", 0, 19)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    search: SearchConfig = field(default_factory=SearchConfig)
    selfplay: SelfplayConfig = field(default_factory=SelfplayConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    duel: DuelConfig = field(default_factory=DuelConfig)
    server: ServerConfig = field(default_factory=ServerConfig)
    storage: StorageConfig = field(default_factory=StorageConfig)
    solve: SolveConfig = field(default_factory=SolveConfig)
    view: ViewConfig = field(default_factory=ViewConfig)


_DEVICE = re.compile(r"auto|cpu|mps|(cuda|tensorrt)(:\d+)?")
"""What some backend calls a device; whether it is there, and whether a backend runs on it, that backend tells."""


def device_of(devices: str, index: int) -> str:
    """The device that the user of that number takes: of a list, they are dealt out in turn."""
    names = [name.strip() for name in devices.split(",")]
    return names[index % len(names)]


def path_name(game: str) -> str:
    """A game's name as part of a path: mnk:6,5,4 -> mnk-6-5-4."""
    return game.replace(":", "-").replace(",", "-")


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint for an unknown name: the nearest known one where there is a near one, the known ones where they are
    few."""
    names = list(known)
    close = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    if close:
        return f"did you mean '{close[0]}'?"
    return f"known: {', '.join(names)}"


def _convert(
    value: object, wanted: type, name: str, spec: Mapping[str, Any], from_text: bool
) -> int | float | str | bool:
    """`value` as `wanted`, inside its bounds; ValueError names the setting, what was given and what is allowed."""
    made: object = value
    if from_text and isinstance(value, str) and wanted is not str:
        try:
            made = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            made = value
    if wanted is float and isinstance(made, int) and not isinstance(made, bool):
        made = float(made)
    if not isinstance(made, wanted) or (isinstance(made, bool) and wanted is not bool):
        raise ValueError(f"{name} = {value!r}: this setting is {'text' if wanted is str else wanted.__name__}")
    if spec["choices"] and made not in spec["choices"]:
        raise ValueError(f"{name} = {value!r}: allowed are {', '.join(spec['choices'])}")
    low, high = spec["low"], spec["high"]
    if isinstance(made, (int, float)) and (
        (low is not None and not made >= low) or (high is not None and not made <= high)
    ):
        raise ValueError(f"{name} = {value!r}: allowed is {low:g} to {high:g}")
    assert isinstance(made, (int, float, str, bool))
    return made


def check_bounds(section: Any, name: str) -> None:
    """ValueError where a section that no file or command made has a setting out of its bounds."""
    hints = get_type_hints(type(section))
    for f in fields(section):
        _convert(getattr(section, f.name), hints[f.name], f"{name}.{f.name}", f.metadata, False)


def _apply(config: Any, table: Mapping[str, object], prefix: str, source: str, from_text: bool = False) -> Any:
    """A copy of a (section of a) config with the settings of `table`; ValueError names an unknown key and the nearest
    known."""
    known = {f.name: f for f in fields(config)}
    hints = get_type_hints(type(config))
    changes: dict[str, object] = {}
    for key, value in table.items():
        if key not in known:
            where = f"section [{prefix.rstrip('.')}]" if prefix else "the top level"
            raise ValueError(f"{source}: unknown key '{prefix}{key}' in {where}; {nearest(key, known)}")
        current = getattr(config, key)
        if is_dataclass(current):
            if not isinstance(value, Mapping):
                raise ValueError(f"{source}: '{prefix}{key}' is a section: [{prefix}{key}]")
            changes[key] = _apply(current, value, f"{prefix}{key}.", source, from_text)
        else:
            try:
                changes[key] = _convert(value, hints[key], prefix + key, known[key].metadata, from_text)
            except ValueError as error:
                raise ValueError(f"{source}: {error}") from None
    return replace(config, **changes)


def _nested(dotted: Mapping[str, str]) -> dict[str, object]:
    """{"train.batch": "8"} -> {"train": {"batch": "8"}}"""
    tree: dict[str, object] = {}
    for name, value in dotted.items():
        section, _, key = name.rpartition(".")
        if section:
            part = tree.setdefault(section, {})
            if not isinstance(part, dict):
                raise ValueError(f"{name}: '{section}' is a setting, not a section")
            part[key] = value
        else:
            tree[key] = value
    return tree


def _from_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """RLSCOUT_TRAIN_BATCH -> train.batch, RLSCOUT_GAME -> game. Names that belong to no section are not ours to
    judge."""
    found: dict[str, str] = {}
    top = {f.name: is_dataclass(getattr(Config(), f.name)) for f in fields(Config)}
    for name, value in environment.items():
        if not name.startswith("RLSCOUT_"):
            continue
        head, _, rest = name.removeprefix("RLSCOUT_").lower().partition("_")
        if top.get(head) and rest:
            found[f"{head}.{rest}"] = value
        elif head in top and not rest:
            found[head] = value
    return found


def find_file(name: str) -> Path:
    """The TOML file of that path, or of that short name (`othello6`) among the configs that come along."""
    shipped = [Path(__file__).parent / "configs", Path(__file__).parents[2] / "configs"]
    for candidate in [
        Path(name),
        *(folder / f"{name}.toml" for folder in shipped),
        *(folder / Path(name).name for folder in shipped),
    ]:
        if candidate.is_file():
            return candidate
    names = sorted({path.stem for folder in shipped for path in folder.glob("*.toml")})
    raise ValueError(f"no config file '{name}'; {nearest(Path(name).stem, names)} (or the path of a TOML file)")


def _check(config: Config) -> None:
    """What no single setting can tell."""
    if config.solve.position and config.solve.moves:
        raise ValueError("[solve] position and moves exclude each other: give one of them")
    if config.duel.elo1 <= config.duel.elo0:
        raise ValueError(f"[duel] elo1 = {config.duel.elo1:g} must be above elo0 = {config.duel.elo0:g}")
    train = config.train
    if train.batch % train.processes:
        raise ValueError(
            f"[train] batch = {train.batch} must be a multiple of processes = {train.processes}: equal shares"
        )
    for name, devices in (("search", config.search.device), ("train", train.device)):
        for device in devices.split(","):
            if not _DEVICE.fullmatch(device.strip()):
                raise ValueError(
                    f"[{name}] device = {devices!r}: '{device.strip()}' is none; allowed are auto, cpu, mps, cuda, cuda:N, "
                    "tensorrt, tensorrt:N, or several of them with commas between"
                )
    if config.duel.games % 2:
        raise ValueError(f"[duel] games = {config.duel.games} must be even: openings are played with both colours")


def load(
    name: str | Path | None = None,
    overrides: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Config:
    """The config of a file (default: the settings of othello6, for whatever game), then the environment, then `overrides` ("section.key"
    -> text).

    ValueError names the source, the setting, what was given and what is allowed."""
    config: Config = Config()
    stem = ""
    if name is not None:
        path = find_file(str(name))
        stem = path.stem
        try:
            table = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{path}: not valid TOML: {error}") from None
        config = _apply(config, table, "", str(path))
    config = _apply(
        config, _nested(_from_environment(os.environ if environment is None else environment)), "", "environment", True
    )
    config = _apply(config, _nested(overrides or {}), "", "command line", True)
    _check(config)
    return config if config.data else replace(config, data=f"data/{stem or path_name(config.game)}")


def _toml(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, int) and value >= 10_000:
        return f"{value:_}"
    return repr(value)


def document(config: Config) -> str:
    """The config as a TOML file with the doc of every setting, ready to be edited."""
    lines = ["# rlscout: every setting, with its doc. Other files need to state only what differs.", ""]
    sections: list[tuple[str, Any]] = [("", config)]
    sections += [(f.name, getattr(config, f.name)) for f in fields(config) if is_dataclass(getattr(config, f.name))]
    for name, section in sections:
        if name:
            lines += ["", f"[{name}]", f"# {(type(section).__doc__ or '').splitlines()[0]}"]
        for f in fields(section):
            value = getattr(section, f.name)
            if is_dataclass(value):
                continue
            choices = f.metadata["choices"]
            doc = f.metadata["doc"] + (f" ({', '.join(choices)})" if choices else "")
            lines.append(f"{f'{f.name} = {_toml(value)}':<32} # {doc}")
    return "\n".join(lines) + "\n"
