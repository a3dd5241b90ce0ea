"""Config: flags over environment over file; what is unknown or out of bounds is refused by name."""

from __future__ import annotations

from pathlib import Path

import pytest

from rlscout import config
from rlscout.cli.common import config_of

CONFIGS = Path(__file__).parents[2] / "configs"


def test_the_documented_file_is_the_default() -> None:
    assert (CONFIGS / "othello6.toml").read_text() == config.document(config.Config())


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.toml")), ids=lambda path: path.stem)
def test_every_shipped_file_loads(path: Path) -> None:
    loaded = config.load(path, environment={})
    assert loaded.data == f"data/{path.stem}"


def test_flags_over_environment_over_file(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text('game = "tictactoe"\n[train]\nbatch = 8\nwindow = 100\n[duel]\nelo1 = 7\n')
    environment = {"RLSCOUT_TRAIN_BATCH": "16", "RLSCOUT_DUEL_ELO1": "8", "RLSCOUT_VARIANT": "v3", "HOME": "/"}
    loaded = config.load(file, {"train.batch": "32"}, environment)
    assert (loaded.game, loaded.train.batch, loaded.train.window, loaded.duel.elo1) == ("tictactoe", 32, 100, 8.0)
    assert loaded.data == "data/mine"


@pytest.mark.parametrize(
    ("name", "game", "folder"),
    [
        ("tictactoe", "tictactoe", "tictactoe"),
        ("mnk:3,3,3", "tictactoe", "tictactoe"),
        ("gomoku9", "gomoku9", "gomoku9"),
        ("mnk:9,9,5", "gomoku9", "gomoku9"),
        ("mnk:4,4,4", "mnk:4,4,4", "mnk-4-4-4"),
        ("othello6:parallel", "othello6:parallel", "othello6-parallel"),
        (None, "othello6", "othello6"),
    ],
)
def test_commands_take_a_config_or_a_game(name: str | None, game: str, folder: str) -> None:
    found = config_of(name, ["selfplay.games=7"])
    assert (found.game, found.data, found.selfplay.games) == (game, f"data/{folder}", 7)
    assert found.network == config.load("tictactoe" if game == "tictactoe" else None, {}, {}).network


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("chess", "no config file 'chess'; known: gomoku8, .*; nor a game: unknown game 'chess'; known: othello4, .*mnk:M,N,K"),
        ("mnk:0,3,3", "no config file 'mnk:0,3,3'; .*; nor a game: game 'mnk:0,3,3': mnk:M,N,K takes"),
        ("mine.toml", "^no config file 'mine.toml'; known: [^;]*$"),
    ],
)  # fmt: skip
def test_a_name_that_neither_has(name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        config_of(name, [])


def test_a_game_without_a_file_has_a_folder_of_its_own() -> None:
    assert config.load(None, {}, {}).data == "data/othello6"
    assert config.load(None, {"game": "mnk:6,5,4"}, {}).data == "data/mnk-6-5-4"
    with pytest.raises(ValueError, match=r"no config file 'mnk:6,5,4'; known: .*"):
        config.load("mnk:6,5,4", {}, {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[trian]\nbatch = 8\n", "unknown key 'trian'.*did you mean 'train'"),
        ("[train]\nbatches = 8\n", r"unknown key 'train.batches' in section \[train\]; did you mean 'batch'"),
        ("[train]\nbatch = 0\n", "train.batch = 0: allowed is 1 to"),
        ("[train]\nbatch = true\n", "train.batch = True: this setting is int"),
        ('[train]\nbatch = "many"\n', "train.batch = 'many': this setting is int"),
        ("train = 3\n", "'train' is a section"),
        ('scoring = "stones"\n', "scoring = 'stones': allowed are empties, discs"),
        ("[duel]\nelo0 = 5\nelo1 = 5\n", "elo1 = 5 must be above elo0 = 5"),
        ("[duel]\ngames = 3\n", "games = 3 must be even"),
        (
            '[search]\ndevice = "cuda:0, gpu0"\n',
            r"\[search\] device = 'cuda:0, gpu0': 'gpu0' is none; allowed are auto, cpu",
        ),
        ('[train]\ndevice = ""\n', r"\[train\] device = '': '' is none"),
        ("[train]\nprocesses = 3\nbatch = 256\n", "batch = 256 must be a multiple of processes = 3"),
        # what no checker takes, unless it is told to by its own options
        ("[solve]\nleaf_empties = 17\n", "solve.leaf_empties = 17: allowed is 0 to 16"),
        ("[duel]\nalpha = nan\n", "duel.alpha = nan: allowed is"),
        ("game = \n", "not valid TOML"),
    ],
)
def test_bad_files_are_refused_by_name(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_text(text)
    with pytest.raises(ValueError, match=message):
        config.load(file, environment={})


def test_bad_flags_and_environment_are_refused_by_name() -> None:
    with pytest.raises(ValueError, match="command line: unknown key 'selfplay.gmaes'.*did you mean 'games'"):
        config.load(None, {"selfplay.gmaes": "3"}, {})
    with pytest.raises(ValueError, match="environment: unknown key 'train.bach'.*did you mean 'batch'"):
        config.load(None, {}, {"RLSCOUT_TRAIN_BACH": "3"})
    with pytest.raises(ValueError, match="no config file 'othelo6'; did you mean 'othello6'"):
        config.load("othelo6", {}, {})


def test_devices_of_a_list_are_dealt_out_in_turn() -> None:
    assert [config.device_of("cuda:0, cuda:1", index) for index in range(3)] == ["cuda:0", "cuda:1", "cuda:0"]
    assert config.device_of("auto", 5) == "auto"


def test_a_documented_config_reads_back(tmp_path: Path) -> None:
    changed = config.load(None, {"train.batch": "77", "solve.position": 'a"b\\c', "data": "here"}, {})
    file = tmp_path / "again.toml"
    file.write_text(config.document(changed))
    assert config.load(file, environment={}) == changed
