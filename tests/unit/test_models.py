"""Which network a name means; whoever asks, the answer and the complaint are the same."""

from __future__ import annotations

from pathlib import Path

import pytest
from networks import flat_network

import rlscout
from rlscout.cli import execute
from rlscout.models import named, named_if_any
from rlscout.storage import open_store

OTHELLO4 = flat_network("othello4")


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with networks 1 and 2, of which 1 was promoted."""
    with open_store(tmp_path / "run", "othello4") as store:
        store.set_evaluation(store.add_model("a", OTHELLO4, 0, 5, {}), "+")
        store.add_model("b", OTHELLO4, 1, 6, {})
    return tmp_path / "run"


def test_best_a_number_and_a_file(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "n.safetensors"
    file.write_bytes(OTHELLO4)
    assert [named(name, run, "othello4").number for name in ("best", "1", "2", str(file))] == [1, 1, 2, -1]
    assert named(str(file), None).network.header.game == "othello4"
    with open_store(run) as store:
        assert named("2", store).number == 2
        found = named_if_any("best", store, "othello4")
        assert found is not None and found.number == 1
        assert named_if_any("none", store, "othello4") is None


def test_from_python(run: Path, tmp_path: Path) -> None:
    file = tmp_path / "n.safetensors"
    file.write_bytes(OTHELLO4)
    for name in (str(file), file, OTHELLO4):
        assert rlscout.load_network(name, "othello4").header.game == "othello4"
    steps = {"best": 5, "1": 5, "2": 6, 2: 6}
    with open_store(run) as store:
        for name, step in steps.items():
            kept = store.models()[2 if step == 6 else 1]
            assert kept.step == step
            for data in (run, str(run)):
                assert rlscout.load_network(name, data=data).to_bytes() == store.weights(kept.id)
    with pytest.raises(ValueError, match="model best: of which run\\? .* \\(from Python, data=DIR\\)"):
        rlscout.load_network("best")
    with pytest.raises(ValueError, match="model 3: no such network in .*; allowed are its networks: 1, 2"):
        rlscout.load_network(3, data=run)
    with pytest.raises(ValueError, match="holds a run of othello4, not of tictactoe"):
        rlscout.load_network("best", "tictactoe", data=run)
    with pytest.raises(ValueError, match="this network plays othello4, not tictactoe"):
        rlscout.load_network(file, "tictactoe")
    with pytest.raises(ValueError, match="no run in nowhere"):
        rlscout.load_network("best", data="nowhere")
    assert len(rlscout.samples(run).ids) == len(rlscout.samples(str(run)).ids) == 0


def test_a_run_is_known_by_all_names_of_its_game(tmp_path: Path) -> None:
    with open_store(tmp_path, "mnk:3,3,3") as store:
        store.set_evaluation(store.add_model("a", flat_network("tictactoe"), 0, 5, {}), "+")
        assert named("best", store, "tictactoe").network.header.game == "mnk:3,3,3"


@pytest.mark.parametrize(
    ("name", "where", "game", "expected"),
    [
        ("none", "run", None, "model none: a network is needed here; allowed are best, the number of a network of a run, a file"),
        ("lost.safetensors", "run", None, "model lost.safetensors: no such file; allowed are best, the number of"),
        ("best", None, None, "model best: of which run\\? name its folder by --data DIR"),
        ("best", "", None, "no run in .*: `rlscout run` makes one"),
        ("best", "run", "othello6", "model best: .* holds a run of othello4, not of othello6"),
        ("0", "run", None, "model 0: no such network in .*; allowed are its networks: 1, 2"),
        ("3", "run", None, "model 3: no such network in .*; allowed are its networks: 1, 2"),
    ],
)  # fmt: skip
def test_what_no_network_has(run: Path, name: str, where: str | None, game: str | None, expected: str) -> None:
    with pytest.raises(ValueError, match=f"^{expected}"):
        named(name, None if where is None else run.parent / where, game)


def test_before_a_network_was_promoted(tmp_path: Path) -> None:
    with open_store(tmp_path, "othello4") as store:
        assert named_if_any("best", store, "othello4") is None
        with pytest.raises(ValueError, match="no network was promoted yet in .*; allowed are its networks: none yet"):
            named("best", store)
        for step in range(12):
            store.add_model(str(step), OTHELLO4, 0, step, {})
        with pytest.raises(ValueError, match=r"its networks: \.\.\., 5, 6, 7, 8, 9, 10, 11, 12$"):
            named("13", store)


@pytest.mark.parametrize(
    "command",
    [
        ["solve", "othello4", "--data", "{}", "--model", "9"],
        ["export", "9", "--data", "{}"],
        ["bench", "ordering", "othello4", "--data", "{}", "--model", "9"],
    ],
)
def test_every_command_says_it_alike(command: list[str], run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute([part.format(run) for part in command]) == 2
    assert "rlscout: model 9: no such network in " in capsys.readouterr().err


def test_a_folder_without_a_run_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for command in (["show"], ["solve", "othello4", "--model", "best"], ["export", "best"]):
        assert execute([*command, "--data", str(tmp_path)]) == 2
        assert f"rlscout: no run in {tmp_path}: `rlscout run` makes one" in capsys.readouterr().err
