"""What a run makes of what an earlier one left: run.json, its lock."""

from __future__ import annotations

import socket
import threading
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rlscout.config import Config, load
from rlscout.games import game
from rlscout.process import only_one
from rlscout.run import RunState, run
from rlscout.run.proving import Proving
from rlscout.run.telling import _cost
from rlscout.solving import solve
from rlscout.storage import open_store
from rlscout.view import Status

ENDGAME = "XO-XO-O-- X"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return load("tictactoe-tiny", {"data": str(tmp_path), "solve.position": ENDGAME}, {})


def made() -> dict[str, Any]:
    return {"file": "x.cert", "bytes": 1, "seconds": 0.0, "check_seconds": 0.0}


def left(config: Config, **changes: Any) -> None:
    """Leaves a result in the data folder, as a run does."""
    played = game(config.game)
    solved = solve(played.position(ENDGAME)).as_json()
    certificate = {**made(), "valid": True, "text": "VALID"}
    result = {**solved, "model": 0, "plies": [], "asked": {}, "certificate": certificate, **changes}
    RunState(1e9, result).save(Path(config.data))


def test_a_result_is_told_again(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    left(config)
    assert run(config) == 0
    assert "solved before" in capsys.readouterr().out


def test_a_refused_certificate_shows_in_the_exit_status(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    text = "REFUSED at position 3"
    left(config, certificate={**made(), "valid": False, "text": text})
    assert run(config) == 1
    assert text in capsys.readouterr().out


@pytest.mark.parametrize(
    "change", [{"game": "mnk:3,4,3"}, {"scoring": "discs"}, {"position": "--------- X"}, {"proven": False}]
)
def test_a_result_of_another_question_answers_nothing(
    config: Config, change: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    left(config, **change)
    sat: list[RunState] = []
    monkeypatch.setattr("rlscout.run._sit", lambda config, played, asked, state: sat.append(state) or 0)
    assert run(config) == 0
    assert len(sat) == 1


def test_the_speed_of_a_proof_leaves_out_what_earlier_sittings_did() -> None:
    nothing = SimpleNamespace(tend=lambda: None, text=lambda: "", show=lambda status: None)
    proving = SimpleNamespace(tend=nothing.tend, usage=nothing, view=nothing, status=Status(""))
    progress = {"seconds": 0.0, "nodes": 10**15, "lower": 0, "upper": 1, "done": 0.5}
    Proving._progress(proving, "solving", before=10**15)(progress)  # type: ignore[arg-type]
    assert dict(proving.status.facts)["nodes"] == "1,000,000,000,000,000 (0 a second)"


def test_a_proof_without_a_network_says_why() -> None:
    result = {"ordering": "static", "model": 0, "nodes": 1, "evaluations": 0, "network_evaluations": 0}
    result |= {"seconds": 0.0, "threads": 1, "plies": []}
    told = "No network has won its duel yet: learn on for one that orders moves."
    assert told in _cost({**result, "asked": {"model": "best", "ordering": "auto"}})
    assert told not in _cost({**result, "asked": {"model": "best", "ordering": "static"}})
    assert told not in _cost({**result, "model": 3, "asked": {"model": "best", "ordering": "auto"}})


def test_a_folder_has_one_run_at_a_time(config: Config) -> None:
    folder = Path(config.data)
    with only_one("run", folder), pytest.raises(ValueError, match=f"another `rlscout run` works in {folder}"):
        run(config)
    left(config)
    assert run(config) == 0


def test_a_run_json_of_something_else_is_refused_by_name(config: Config) -> None:
    for content in ("[1, 2", "[1, 2]", '{"learning_seconds": "long"}', '{"result": [3]}'):
        (Path(config.data) / "run.json").write_text(content)
        with pytest.raises(ValueError, match=r"run\.json: not what a run has written"):
            run(config)


def test_the_settings_of_a_run_of_another_game_stay(config: Config) -> None:
    folder = Path(config.data)
    with open_store(folder, "othello4"):
        (folder / "config.toml").write_text('game = "othello4"\n')
    with pytest.raises(ValueError, match="holds the game othello4, not mnk:3,3,3"):
        run(config)
    assert (folder / "config.toml").read_text() == 'game = "othello4"\n'


def test_a_backend_that_is_not_there_is_refused_before_anything_is_learned(config: Config) -> None:
    with pytest.raises(ValueError, match="unknown backend 'foo'; allowed are auto, torch"):
        run(load("tictactoe-tiny", {"data": config.data, "search.backend": "foo"}, {}))
    assert list(Path(config.data).iterdir()) == []


def test_a_server_that_refuses_to_start_ends_the_run_in_words(
    config: Config, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where all was learned before, and nothing but the proof would ask the server."""
    monkeypatch.setattr("rlscout.run.stop_on_signals", threading.Event)
    RunState(1e9, None).save(Path(config.data))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        assert run(replace(config, server=replace(config.server, address=address, timeout_seconds=1e4))) == 2
    assert f"address {address} is in use" in capsys.readouterr().out


def proving(config: Config, store: Any) -> Proving:
    view = SimpleNamespace(say=print, show=lambda status: None)
    usage = SimpleNamespace(text=lambda: "")
    played = game(config.game, config.scoring)
    return Proving(
        config,
        Path(config.data),
        played,
        store,
        view,
        Status(""),
        usage,
        threading.Event(),
        lambda: None,  # type: ignore[arg-type]
    )


def test_a_proof_that_met_a_limit_goes_on_under_another(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    base = {"game": "othello6", "data": str(tmp_path), "solve.ordering": "static", "solve.compare": "false"}
    base |= {"solve.position": "XXXXX-OXXXXXOXOXXXOXXOXXOOOOOO------ O", "solve.certificate": "false"}
    asked = game("othello6").position(base["solve.position"])
    with open_store(tmp_path, "othello6") as store:
        first = proving(load(None, {**base, "solve.nodes": "3"}, {}), store)
        result = first.prove(asked)
        assert result is not None
        assert not result["proven"]
        second = proving(load(None, {**base, "solve.threads": "1"}, {}), store)
        again = second.prove(asked)
        assert again is not None
        assert again["proven"]
        assert again["nodes"] > result["nodes"] > 0
        assert "goes on after" in caplog.text
        (tmp_path / "proof-another.table").touch()
        second.forget(asked)
    assert [path.name for path in tmp_path.glob("proof-*")] == ["proof-another.table"]


def test_a_score_is_told_where_its_certificate_cannot_be_checked(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: object, **named: object) -> None:
        raise ValueError("no checker here")

    monkeypatch.setattr("rlscout.run.proving.checker.verify", broken)
    with open_store(config.data, config.game) as store:
        result = proving(config, store).prove(game(config.game).position(ENDGAME))
    assert result is not None
    assert result["proven"]
    assert (result["certificate"]["valid"], result["certificate"]["text"]) == (False, "not verified: no checker here")
