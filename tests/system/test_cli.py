"""The command line as a user meets it: answers, exit status, and one clear line for bad input."""

from __future__ import annotations

import itertools
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cyclopts import App
from networks import flat_network

import rlscout
from rlscout import config, native
from rlscout.cli import app, execute, look
from rlscout.games import game
from rlscout.process import only_one
from rlscout.storage import open_store


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    status = execute(arguments)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_perft_ends_with_the_count_alone(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "perft", "othello6", "5")
    assert (status, out.splitlines()[-1]) == (0, "1364")


@pytest.mark.parametrize(("name", "depth"), [("gomoku8", 6), ("gomoku8", 5), ("othello6", 9), ("tictactoe", 9)])
def test_perft_counts_in_native_calls_of_a_moderate_size(name: str, depth: int) -> None:
    start = game(name).start
    for position, left, _ in itertools.islice(look._pieces(start, depth), 100):
        assert left <= look.PERFT_DEPTH
        assert position.over or len(position.legal_squares) ** left <= look.PERFT_LINES
    if name != "gomoku8":
        pieces = list(look._pieces(start, depth))
        assert len(pieces) > 1
        assert sum(p.game.engine.perft(p.packed, left) for p, left, _ in pieces) == start.game.engine.perft(
            start.packed, depth
        )
        assert sum(share for _, _, share in pieces) == pytest.approx(1.0)


def test_games_lists_families_and_short_names(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "games")
    assert status == 0
    for name in ("othello6:parallel", "tictactoe", "gomoku15", "mnk:M,N,K"):
        assert name in out


def test_the_version_tells_the_processor_variant(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "--version")
    assert status == 0
    assert out.strip() == f"{rlscout.__version__}, processor variant {native.VARIANT}"


def test_a_process_leaves_in_order_whatever_its_threads_do() -> None:
    """A thread that is still inside a runtime would abort an orderly end; here all that such an end calls aborts."""
    code = (
        "import atexit, os, threading; atexit.register(os.abort);"
        "threading.Thread(target=threading.Event().wait, daemon=True).start();"
        "from rlscout.cli import main; main(['perft', 'tictactoe', '1'])"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (0, "9")


def test_every_parameter_has_its_help() -> None:
    without = []

    def look(of: App) -> None:
        for name in [name for name in of if not name.startswith("-")]:
            command = of[name]
            if command.default_command is not None:
                arguments = command.assemble_argument_collection(parse_docstring=False)
                without.extend(f"{name} {a.name}" for a in arguments if a.show and not a.parameter.help)
            look(command)

    look(app)
    assert without == []


def test_a_reader_who_leaves_early_is_no_error() -> None:
    command = [sys.executable, "-m", "rlscout", "games"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()  # type: ignore[union-attr]
        assert process.stderr.read() == b""  # type: ignore[union-attr]
        assert process.wait() == 128 + signal.SIGPIPE


def test_solve_answers_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "solve", "othello4", "--json")
    answer = json.loads(out)
    assert status == 0
    keys = "game scoring position score lower upper proven best_moves principal_variation nodes evaluations seconds threads"
    assert set(keys.split()) <= set(answer)
    assert (answer["game"], answer["scoring"], answer["score"], answer["proven"]) == ("othello4", "empties", -10, True)
    assert answer["principal_variation"][0] in answer["best_moves"]


@pytest.mark.parametrize(
    ("arguments", "score"),
    [
        (["othello4", "--scoring", "discs"], -8),
        (["othello4", "--ordering", "random", "--seed", "7"], -10),
        (["tictactoe"], 0),
        (["tictactoe", "--moves", "a1b1"], 1),
        (["tictactoe", "--position", "XO------- X"], 1),
        (["othello4", "--position", "-----OX--XO----- X"], -10),
        (["mnk:4,4,4"], 0),
    ],
)
def test_solve_proves_known_scores(capsys: pytest.CaptureFixture[str], arguments: list[str], score: int) -> None:
    status, out, _ = run(capsys, "solve", *arguments, "--json")
    assert (status, json.loads(out)["score"]) == (0, score)


@pytest.mark.parametrize(
    ("game", "moves", "ordering"),
    [("othello6", "e4e5d5e3f5f6d2c5b3a2a3b2d6e2", "patterns"), ("othello4", "", "static"), ("tictactoe", "", "static")],
)
def test_moves_are_ordered_by_the_best_that_comes_with_the_game(
    capsys: pytest.CaptureFixture[str], game: str, moves: str, ordering: str
) -> None:
    status, out, _ = run(capsys, "solve", game, "--moves", moves, "--json")
    assert (status, json.loads(out)["ordering"]) == (0, ordering)
    assert f"ordered by {ordering}" in run(capsys, "solve", game, "--moves", moves)[1]


def test_a_state_of_another_position_helps_and_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    def told(moves: str) -> str:
        status, _, err = run(capsys, "solve", "othello4", "--moves", moves, "--state", str(tmp_path / "x.table"))
        assert status == 0
        return err

    assert told("a2") == ""
    assert "going on from" in (again := told("a2")) and "another position" not in again
    assert "another position" not in told("d3"), "an image of it under a symmetry of the board"
    assert "nodes spent before on another position, -----OX--XXX---- O;" in told("a2a1")


def test_every_move_gets_its_score(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "solve", "tictactoe", "--moves", "b2", "--all-moves", "--json")
    answer = json.loads(out)
    assert status == 0
    assert answer["best_moves"] == ["a1", "c1", "a3", "c3"]
    assert answer["moves"]["b1"] == {"lower": -1, "upper": -1}
    status, out, _ = run(capsys, "solve", "tictactoe", "--moves", "b2", "--all-moves")
    assert "  b1  -1" in out


def test_a_limit_prints_bounds(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "solve", "othello8", "--nodes", "2000", "--json")
    answer = json.loads(out)
    assert (status, answer["proven"], answer["score"]) == (3, False, None)
    assert answer["lower"] < answer["upper"]
    assert answer["nodes"] < 100_000
    status, out, _ = run(capsys, "solve", "othello8", "--seconds", "0.01")
    assert (status, "a limit was met" in out) == (3, True)


def test_a_network_orders_and_does_not_decide(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    model = tmp_path / "flat.safetensors"
    model.write_bytes(flat_network("othello4"))
    status, out, _ = run(capsys, "solve", "othello4", "--model", str(model), "--json")
    answer = json.loads(out)
    assert (status, answer["score"], answer["ordering"]) == (0, -10, "network")
    assert answer["network_evaluations"] > 0
    assert (answer["model"], answer["hint_ply"]) == (str(model), 2), "what the figures are of"


def test_a_file_is_judged_by_its_answers(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    file = tmp_path / "some.obf"
    lines = ["% three positions", "----X---- O; a1:+0; b1:-1; --:-127;", "XO------- X", "XO------- X; c3:+0;"]
    file.write_text("\n".join(lines))
    status, out, _ = run(capsys, "solve", "tictactoe", "--file", str(file), "--json")
    answers = [json.loads(line) for line in out.splitlines()]
    assert [answer.get("verdict") for answer in answers] == ["right", "solved", "wrong", None]
    assert answers[-1]["summary"]["wrong"] == 1
    assert status == 1
    assert answers[2]["contradicted"] == ["c3 +0 in the file, score +1 proven"]
    status, out, _ = run(capsys, "solve", "tictactoe", "--file", str(file))
    assert "  wrong: c3 +0 in the file, score +1 proven" in out
    status, out, _ = run(capsys, "solve", "tictactoe", "--file", str(file), "--all-moves")
    assert "      a2 +1, b2 +1, a3 +1, c1 +0, c2 +0, b3 +0, c3 +0" in out, "also those that the file asks nothing of"
    file.write_text("\n".join(lines[:3]))
    status, out, _ = run(capsys, "solve", "tictactoe", "--file", str(file))
    assert status == 0
    assert out.splitlines()[-1].startswith("1 right, 0 wrong, 0 unsolved, 1 solved")
    file.write_text("-" * 64 + " X; c4:+0;")
    status, out, _ = run(capsys, "solve", "gomoku8", "--file", str(file), "--nodes", "100")
    assert status == 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["slove", "othello6"], 'Unknown command "slove". Did you mean "solve"?'),
        (["solve", "othello6", "--node", "3"], "Did you mean --nodes?"),
        (["solve", "othello6", "--nodes", "many"], 'unable to convert "many" into int'),
        (["solve", "othello6", "--nodes", "-1"], 'Invalid value "-1" for --nodes. 0 and more are allowed.'),
        (["solve", "othelo6"], "unknown game 'othelo6'; did you mean 'othello6'?"),
        (["solve", "othello6", "--moves", "a1"], "illegal move a1"),
        (["solve", "othello6", "--position", "XO"], "position 'XO'"),
        (["solve", "othello6", "--moves", "e4", "--position", "X"], "exclude each other"),
        (["solve", "othello6", "--file", "missing.obf"], "missing.obf"),
        (["solve", "othello6", "--file", "DATA/noise.obf"], "noise.obf, line 1: position"),
        (["solve", "tictactoe", "--file", "DATA/score.obf"], "score.obf, line 2: 'a1:one' is not MOVE:SCORE"),
        (["solve", "othello6", "--ordering", "network"], "needs a network"),
        (["solve", "othello6", "--model", "missing.safetensors"], "missing.safetensors: no such file"),
        (["solve", "othello6", "--model", "best", "--data", "nowhere"], "no run in nowhere"),
        (["solve", "othello6", "--ordering", "statc"], 'Did you mean "static"?'),
        (["solve", "othello6", "--threads", "0"], '"0" for --threads. 1 and more are allowed.'),
        (["solve", "othello6", "--threads", "257"], "threads 257: allowed is 1 to 256"),
        (["solve", "othello6", "--table-mb", "2000000"], "table_mb 2000000: allowed is 1 to 1048576"),
        (["solve", "othello4", "--hint-ply", "-1"], '"-1" for --hint-ply'),
        (["solve", "othello4", "--seed", "-1"], '"-1" for --seed'),
        (["solve", "othello4", "--seed", "7"], "--seed 7 is of --ordering random, and the order is auto"),
        (["solve", "othello4", "--hint-ply", "3"], "--hint-ply 3 is of a network: give --model too"),
        (
            ["solve", "othello4", "--ordering", "random", "--seed", str(2**64)],
            "option seed: 18446744073709551616; a whole number from 0 to 18446744073709551615 is allowed",
        ),
        (["solve", "othello6", "--all-moves", "--certificate", "x.cert"], "--certificate is of one position"),
        (
            ["solve", "othello8", "--certificate", "no/where.cert"],
            "--certificate no/where.cert cannot be written: No such",
        ),
        (["solve", "othello8", "--certificate", "DATA"], "a folder; the name of a file is wanted"),
        (["solve", "othello8", "--leaf-empties", "9"], "--leaf-empties is of a certificate"),
        (["solve", "othello4", "--certificate", "x.cert", "--leaf-empties", "17"], "--leaf-empties 17: 0 to 16"),
        (["solve", "othello8", "--seconds", "nan"], '"nan" for --seconds. 0 and more are allowed'),
        (
            ["solve", "othello8", "--model", "x", "--ordering", "static"],
            "--model x orders nothing with --ordering static: allowed are auto, network, network+patterns",
        ),
        (["solve", "mnk:20,20,5"], "mnk:20,20,5"),
        (["perft", "othello6", "-1"], '"-1" for DEPTH. 0 and more are allowed.'),
        (["patterns", "train", "othello4", "--out", "DATA/x.npz"], "allowed are boards with 27 and more, as othello6"),
        (["bench", "ordering", "tictactoe", "--model", "none", "--low", "7", "--high", "3"], "7 to 3 empty squares"),
        (["bench", "strength", "--model", "none", "--set", "game=mnk:2,2,2"], "no position has a losing choice"),
        (["verify", "missing.cert"], "missing.cert: no such file"),
        (["run", "othelo6"], "did you mean 'othello6'?"),
        (["run", "tictactoe", "--set", "train.bach=3"], "did you mean 'batch'?"),
        (["run", "tictactoe", "--set", "train.batch"], "write KEY=VALUE"),
        (["show", "--data", "nowhere"], "no run in nowhere"),
        (["report", "--data", "nowhere"], "no run in nowhere"),
        (["serve", "tictactoe", "--address", "tcp://0.0.0.0:5999", "--data", "DATA"], "CURVE keys"),
        (["selfplay", "tictactoe", "--server", "tcp://192.0.2.1:5999"], "CURVE keys"),
        (["selfplay", "tictactoe", "--server", "attic"], "--server attic: tcp://HOST:PORT is allowed"),
        (["selfplay", "tictactoe", "--games", "-1"], '"-1" for --games'),
        (["book", "othello6", "--make", "DATA/x.book", "--plies", "-1"], '"-1" for --plies'),
        (
            ["book", "othello6", "--make", "DATA/x.book", "--moves", "e4"],
            "--make proves every opening: not with --moves",
        ),
        (["bench", "selfplay", "--games", "0"], '"0" for --games. 1 and more are allowed.'),
        (["bench", "selfplay", "--searches", "0"], '"0" for --searches'),
        (["bench", "eval", "--threads", "0"], '"0" for --threads'),
        (["bench", "mcts", "--seconds", "nan"], '"nan" for --seconds'),
        (["bench", "ordering", "othello4", "--model", "none", "--low", "-1"], '"-1" for --low'),
        (["patterns", "train", "othello6", "--out", "DATA/x.npz", "--clamp", "-1"], '"-1.0" for --clamp. 1 and more'),
    ],
)
def test_bad_input_is_one_clear_line(
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "noise.obf").write_bytes(b"\xac\xff\x00")
    (tmp_path / "score.obf").write_text("% as wanted\n--------- X; a1:one\n")
    status, out, err = run(capsys, *(argument.replace("DATA", str(tmp_path)) for argument in arguments))
    assert (status, out) == (2, "")
    assert message in err
    assert err.startswith("rlscout: ")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (KeyboardInterrupt(), 130, "rlscout: stopped\n"),
        (MemoryError("std::bad_alloc"), 2, "rlscout: no more memory\n"),
        (MemoryError("the trees fill 9 MiB"), 2, "rlscout: no more memory: the trees fill 9 MiB\n"),
    ],
)
def test_what_ends_a_command_is_said_in_a_line(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    status: int,
    message: str,
) -> None:
    def ends(name: str) -> None:
        raise error

    monkeypatch.setattr("rlscout.games.game", ends)
    assert run(capsys, "perft", "othello4", "1") == (status, "", message)


def test_a_folder_is_served_once_at_a_time(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    with only_one("serve", tmp_path):
        status, out, err = run(capsys, "serve", "tictactoe", "--data", str(tmp_path))
    assert (status, out) == (2, "")
    assert f"another `rlscout serve` works in {tmp_path}" in err


def test_a_server_keeps_the_settings_of_its_run(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rlscout.storage.server.serve", lambda *arguments: arguments[-1]("here"))
    assert run(capsys, "serve", "tictactoe", "--data", str(tmp_path))[0] == 0
    assert config.load(tmp_path / "config.toml").game == "tictactoe"


def test_the_settings_of_a_run_are_found_in_its_folder(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('game = "othello4"\n')
    with open_store(tmp_path, "othello4"):
        pass
    status, out, _ = run(capsys, "report", "--data", str(tmp_path))
    assert (status, out.strip()) == (0, str(tmp_path / "report.html"))
    assert "rlscout: othello4" in (tmp_path / "report.html").read_text()


def test_a_limit_leaves_no_certificate_and_says_so(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "x.cert"
    status, _, err = run(capsys, "solve", "othello8", "--nodes", "1000", "--certificate", str(path))
    assert (status, list(tmp_path.iterdir())) == (3, [])
    assert f"no certificate {path}: the score is not proven yet" in err


def test_a_network_of_another_game_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    model = tmp_path / "flat.safetensors"
    model.write_bytes(flat_network("othello4"))
    status, _, err = run(capsys, "solve", "othello6", "--model", str(model))
    assert (status, "this network plays othello4, not othello6" in err) == (2, True)
    model.write_bytes(model.read_bytes()[:100])
    status, _, err = run(capsys, "solve", "othello4", "--model", str(model))
    assert (status, "not a network file" in err) == (2, True)


def test_the_database_of_another_game_is_refused(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from rlscout.storage import open_store

    with open_store(tmp_path, "othello4"):
        pass
    status, _, err = run(capsys, "serve", "tictactoe", "--data", str(tmp_path))
    assert (status, "othello4" in err) == (2, True)


def test_config_prints_what_is_in_force(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run(capsys, "config", "tictactoe", "--set", "train.batch=99")
    assert status == 0
    assert 'game = "tictactoe"' in out
    assert "batch = 99 " in out


def test_commands_that_need_no_network_load_no_library_of_one() -> None:
    code = (
        "import sys; from rlscout.cli import execute;"
        "assert execute(['perft', 'tictactoe', '2']) == 0;"
        "assert execute(['solve', 'tictactoe']) == 0;"
        "assert execute(['games']) == 0; import rlscout; rlscout.game('othello4').start;"
        "print(sorted({'torch', 'onnxruntime', 'onnx'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("game", ["tictactoe", "othello4", "othello6"])
def test_measurements_suit_a_game_unless_told_otherwise(capsys: pytest.CaptureFixture[str], game: str) -> None:
    status, out, err = run(capsys, "bench", "strength", game, "--model", "none", "--simulations", "2", "--json")
    assert status == 0, err
    positions = json.loads(out)["positions"]
    assert positions == {"tictactoe": 431, "othello4": 4131, "othello6": 200}[game]
    status, out, err = run(capsys, "bench", "ordering", game, "--model", "none", "--nodes", "1000", "--json")
    assert status == 0, err
    empties = [text.split(" ")[0].count("-") for text in json.loads(out)["positions"]]
    assert len(empties) == 10
    least, most = {"tictactoe": (1, 5), "othello4": (4, 8), "othello6": (16, 20)}[game]
    assert least <= min(empties) <= max(empties) <= most


def test_help_teaches_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    commands = [
        "run",
        "serve",
        "selfplay",
        "train",
        "duel",
        "solve",
        "verify",
        "perft",
        "games",
        "show",
        "bench",
        "keys",
        "report",
        "config",
    ]
    status, out, _ = run(capsys, "--help")
    assert status == 0
    for command in commands:
        assert command in out
        _, text, _ = run(capsys, command, "--help")
        assert command in ("games",) or "Try:" in text, command
