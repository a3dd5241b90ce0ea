"""Both checkers on good and on corrupted certificates: they agree, and neither believes a false claim."""

import os
import random
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from certificate_oracle import OracleGame, Writer, assemble, bounds_at_sight, reaches, score_of
from checkers import LIMITS, native_checker, run_both, run_native

import rlscout_verify
from rlscout_verify import games
from rlscout_verify.certificate import Limits
from rlscout_verify.cli import STATUS, main, verify

ROOT = Path(__file__).parents[2]
SCORES = [
    ("othello4", "empties", -10),
    ("othello4", "discs", -8),
    ("mnk:3,3,3", "line", 0),
    ("mnk:4,3,3", "line", 1),
    ("mnk:2,5,2", "line", 1),
    ("mnk:3,2,3", "line", 0),
]


def certificate(name: str, scoring: str, lower: int, upper: int, leaf_empties: int = 0, worst: bool = False) -> bytes:
    game = OracleGame(name, scoring)
    return Writer(game, game.start(), lower, upper, leaf_empties, worst).certificate()


@pytest.mark.parametrize("worst", [False, True])
@pytest.mark.parametrize("leaf_empties", [0, 3, 6])
@pytest.mark.parametrize(("name", "scoring", "score"), SCORES)
def test_valid(name: str, scoring: str, score: int, leaf_empties: int, worst: bool, tmp_path: Path) -> None:
    path = tmp_path / "valid.cert"
    path.write_bytes(certificate(name, scoring, score, score, leaf_empties, worst))
    result = run_both(native_checker(), path)
    assert result["verdict"] == "valid"
    assert f": score = {score} for X to move" in result["statement"]
    assert result["positions"] >= result["witnesses"] + result["leaves"]
    assert (result["nodes"] > 0) == (result["leaves"] > 0)


@pytest.mark.parametrize(("name", "empties"), [("mnk:3,3,3", 7), ("mnk:4,3,3", 8), ("mnk:4,4,4", 8), ("mnk:5,3,4", 9)])
def test_bounds_at_sight(name: str, empties: int) -> None:
    """What m,n,k positions show at sight holds for their scores, and is as tight as the oracle's reading of the rule."""
    oracle, rules, generator = OracleGame(name, "line"), games.game(name, "line"), random.Random(name)
    seen = Counter[tuple[int, int]]()
    while seen.total() < 40:
        root = random_position(oracle, generator, generator.randrange(1, empties))
        if root is None:
            continue
        bounds = rules.bounds_at_sight(games.position_from_text(rules, root)[0])
        assert bounds == bounds_at_sight(oracle, root)
        assert bounds[0] <= score_of(oracle, root) <= bounds[1]
        seen[bounds] += 1
    assert len(seen) > 1


def test_one_bound(tmp_path: Path) -> None:
    path = tmp_path / "bound.cert"
    for lower, upper, words in [(-16, -6, "score <= -6"), (-12, 16, "score >= -12"), (-12, -8, "-12 <= score <= -8")]:
        path.write_bytes(certificate("othello4", "empties", lower, upper))
        result = run_both(native_checker(), path)
        assert result["verdict"] == "valid"
        assert words in result["statement"]


def random_position(game: OracleGame, generator: random.Random, empties: int) -> str | None:
    """A position with a move due and at most that many empty squares; None where this try gave none.

    Othello plays a random game; m,n,k fills the board with a pattern of short runs and changes a few squares of it."""
    columns, rows, in_a_row = game.shape
    if in_a_row:
        stones = ["XXOO"[(square % columns + 2 * (square // columns)) % 4] for square in range(columns * rows)]
        for square in generator.sample(range(columns * rows), columns * rows // 8):
            stones[square] = generator.choice("XO")
        for square in generator.sample(range(columns * rows), empties):
            stones[square] = "-"
        text = f"{''.join(stones)} {generator.choice('XO')}"
        return None if game.has_line(text, text[-1]) or game.final_score(text) is not None else text
    text = game.start()
    while game.final_score(text) is None:
        moves = game.moves(text)
        if moves and text.count("-") <= empties:
            return text
        text = game.play(text, generator.choice(moves)) if moves else game.passed(text)
    return None


POSITIONS = [
    ("othello4", "empties", 8),
    ("othello6", "discs", 5),
    ("othello6", "empties", 6),
    ("othello8", "empties", 5),
    ("mnk:4,4,4", "line", 8),
    ("mnk:5,3,3", "line", 9),
    ("mnk:9,9,5", "line", 5),
    ("mnk:13,12,5", "line", 4),
]


@pytest.mark.parametrize(("name", "scoring", "empties"), POSITIONS)
def test_random_positions(name: str, scoring: str, empties: int, tmp_path: Path) -> None:
    """Proofs from positions all over the game, on every board width of the native checker; true bounds pass, others fail.

    The false certificates are those that a careful forger would write: a leaf at the root, which only a search refutes."""
    game, generator, path = OracleGame(name, scoring), random.Random(f"{name} {scoring}"), tmp_path / "random.cert"
    program, tried = native_checker(), 0
    while tried < 4:
        root = random_position(game, generator, empties)
        if root is None:
            continue
        tried += 1
        score = score_of(game, root)
        leaf_empties = generator.choice([0, 2, 4])
        path.write_bytes(Writer(game, root, score, score, leaf_empties, generator.random() < 0.5).certificate())
        assert run_both(program, path)["verdict"] == "valid"
        for lower, upper in [(score - 1, score - 1), (score + 1, score + 1)]:
            header = header_of(path.read_bytes())[1] | {"lower": lower, "upper": upper, "leaf_empties": 20}
            header |= {"positions": 2, "witnesses": 0, "leaves": 2, "bytes": 0}
            path.write_bytes(assemble("rlscout certificate 1", header, b""))
            result = run_both(program, path, Limits(100, 20))
            assert result["verdict"] in ("refused", "bad input")  # bad input: both bounds are those of every score
            assert result["verdict"] == "bad input" or result["position_at_fault"]


def header_of(file: bytes) -> tuple[str, dict[str, object], bytes]:
    """First line, fields without the checksum, and payload: what `assemble` takes."""
    *lines, payload = file.split(b"\n", 13)
    magic, *fields = [line.decode() for line in lines[:-1]]
    return magic, dict(field.split(" ", 1) for field in fields), payload


def mutations(file: bytes, generator: random.Random) -> Iterator[tuple[str, bytes]]:
    """For ever, (what was changed, the changed file); the checksum is made to fit again, but for raw changes."""
    numbers = ["lower", "upper", "leaf_empties", "positions", "witnesses", "leaves", "bytes"]
    changes = ["bit", "bit", "bit", "byte", "swap", "cut", "append", "square", "square", "side", "game"]
    changes += ["scoring", "grade", "magic", "drop", "reorder", "crc32", "raw"]
    names = ["othello4", "othello6", "othello8", "mnk:4,4,4", "mnk:3,3,3", "mnk:9,1,3", "mnk:2,8,2", "mnk:20,1,1", "go"]
    while True:
        magic, header, payload = header_of(file)
        kind = generator.choice([*changes, *numbers, *numbers])
        changed = bytearray(payload)
        if kind == "bit" and changed:
            changed[generator.randrange(len(changed))] ^= 1 << generator.randrange(8)
        elif kind == "byte" and changed:
            changed[generator.randrange(len(changed))] = generator.randrange(256)
        elif kind == "swap" and changed:
            i, j = generator.randrange(len(changed)), generator.randrange(len(changed))
            changed[i], changed[j] = changed[j], changed[i]
        elif kind == "cut":
            del changed[generator.randrange(len(changed) + 1) :]
            header["bytes"] = generator.choice([header["bytes"], len(changed)])
        elif kind == "append":
            changed += generator.randbytes(generator.randrange(1, 4))
            header["bytes"] = generator.choice([header["bytes"], len(changed)])
        elif kind in numbers:
            near = int(str(header[kind])) + generator.choice([-2, -1, 1, 2])
            header[kind] = generator.choice([near, -near, generator.randrange(20), "-0", "01", "+1", "", 10**9, 10**8])
        elif kind == "square":
            text = str(header["position"])
            at = generator.randrange(len(text) - 2)
            header["position"] = text[:at] + generator.choice("XO-x ") + text[at + 1 :]
        elif kind == "side":
            header["position"] = str(header["position"])[:-1] + generator.choice("XO-")
        elif kind == "game":
            header["game"] = generator.choice(names)
        elif kind == "scoring":
            header["scoring"] = generator.choice(["empties", "discs", "line", "Discs"])
        elif kind == "grade":
            header["grade"] = generator.choice(["re-runnable", "", "checked "])
        elif kind == "magic":
            magic = generator.choice(["rlscout certificate 2", "rlscout certificate 1 ", "certificate", ""])
        elif kind == "drop":
            del header[generator.choice(list(header))]
        elif kind == "reorder":
            header = dict(generator.sample(list(header.items()), len(header)))
        whole = bytearray(assemble(magic, header, bytes(changed)))
        if kind == "crc32":
            digits = whole.index(b"crc32 ") + 6
            whole[digits + generator.randrange(8)] = ord(generator.choice("0123456789abcdefG"))
        elif kind == "raw":
            whole = bytearray(file)
            whole[generator.randrange(len(whole))] ^= 1 << generator.randrange(8)
        if bytes(whole) != file:
            yield kind, bytes(whole)


def claim_is_true(result: dict[str, Any]) -> bool:
    game, position = OracleGame(result["game"], result["scoring"]), result["position"]
    at_least, at_most = reaches(game, position, result["lower"]), not reaches(game, position, result["upper"] + 1)
    return at_least and at_most


def fuzz(program: str, folder: Path, seed: int, rounds: int) -> Counter[tuple[str, str]]:
    """How often each kind of change ended in each verdict. Asserts that the checkers agree and believe no false claim."""
    generator, path, seen = random.Random(seed), folder / "fuzzed.cert", Counter[tuple[str, str]]()
    streams = []
    for name, scoring, score in SCORES[:4]:
        for leaf_empties in (0, 5):
            for bounds in [(score, score), (score - 2, score + 2)]:
                file = certificate(name, scoring, *bounds, leaf_empties, generator.random() < 0.5)
                if header_of(file)[1]["positions"] != "0":
                    streams.append(mutations(file, generator))
    for _ in range(rounds):
        kind, changed = next(generator.choice(streams))
        path.write_bytes(changed)
        result = run_both(program, path)
        seen[kind, result["verdict"]] += 1
        if result["verdict"] == "valid":
            assert claim_is_true(result), changed
    return seen


def test_corrupted(tmp_path: Path) -> None:
    seen = fuzz(native_checker(), tmp_path, seed=1, rounds=500)
    verdicts = Counter[str]()
    for (_, verdict), count in seen.items():
        verdicts[verdict] += count
    assert verdicts["refused"] > 150
    assert verdicts["bad input"] > 80
    assert verdicts["over limit"] > 0
    for kind in ("raw", "crc32", "cut", "append", "positions", "witnesses", "leaves", "bytes", "magic", "drop"):
        assert not seen[kind, "valid"], kind


@pytest.mark.soak
def test_corrupted_for_long(tmp_path: Path) -> None:
    for seed in range(100, 140):
        fuzz(native_checker(), tmp_path, seed, rounds=2000)


def test_sanitized(tmp_path: Path) -> None:
    """The native checker under the address and undefined-behaviour sanitizers, on corrupted files."""
    compiler = os.environ.get("CXX") or shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    assert compiler
    program = tmp_path / "rlscout-verify"
    sources = sorted(str(source) for source in (ROOT / "native/verify").glob("*.cpp"))
    sanitizers = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
    subprocess.run(
        [compiler, "-std=c++20", "-O1", f"-I{ROOT / 'native'}", *sanitizers, *sources, "-o", str(program)], check=True
    )
    fuzz(str(program), tmp_path, seed=2, rounds=200)


def forge(program: str, folder: Path, seed: int, rounds: int) -> None:
    """False claims, each in a file whose form, counts and checksum are right: refused, at a position where the proof breaks."""
    generator, path, made = random.Random(seed), folder / "forged.cert", 0
    while made < rounds:
        name, scoring, empties = generator.choice(POSITIONS)
        game = OracleGame(name, scoring)
        root = random_position(game, generator, generator.randrange(1, min(empties, 7) + 1))
        if root is None:
            continue
        if not game.shape[2]:  # colours at random: mostly a board that no game reaches
            share, stone = generator.random(), generator.choice("XO")
            root = "".join(stone if c in "XO" and generator.random() < share else c for c in root[:-2]) + root[-2:]
        score, step = score_of(game, root), generator.choice([1, 1, 2, 5]) if not game.shape[2] else 1
        lower, upper = generator.choice(
            [
                (score + step, score + step),
                (score - step, score - step),
                (score + step, game.range + 9),
                (-game.range - 9, score - step),
            ]
        )
        forger = Writer(game, root, lower, upper, generator.choice([0, 0, 1, 2, 3]), forger=generator)
        if lower <= -game.range and upper >= game.range:
            continue
        path.write_bytes(forger.certificate())
        made += 1
        result = run_both(program, path)
        assert result["verdict"] == "refused", path.read_bytes()
        named, claim = result["position_at_fault"], result["claim_at_fault"]
        assert named, f"only a count or the checksum was found wrong: {path.read_bytes()!r}"
        at_least, bound = claim.startswith("score >="), int(claim.split()[-1])
        true = reaches(game, named, bound) if at_least else not reaches(game, named, bound + 1)
        assert not true, f"{claim} is true of {named}: {path.read_bytes()!r}"


def test_forged(tmp_path: Path) -> None:
    forge(native_checker(), tmp_path, seed=1, rounds=120)


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(2, 6))
def test_forged_for_long(seed: int, tmp_path: Path) -> None:
    forge(native_checker(), tmp_path, seed, rounds=5000)


def test_every_bit_of_a_small_certificate(tmp_path: Path) -> None:
    """No single flipped bit of a file passes: the checksum covers all of it but itself."""
    file = certificate("mnk:3,3,3", "line", 0, 0)
    path = tmp_path / "flipped.cert"
    for bit in range(8 * len(file)):
        changed = bytearray(file)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        assert verify(str(path), LIMITS, lambda _: None)[0]["verdict"] != "valid"


def test_a_wrong_witness_names_the_position(tmp_path: Path) -> None:
    """The example of the documentation with another first move (3 for 6): X then wins, which is named."""
    header = {"game": "mnk:3,3,3", "scoring": "line", "position": "----X-X-O O", "lower": 0, "upper": 1}
    counts = {"leaf_empties": 0, "grade": "checked", "positions": 3, "witnesses": 2, "leaves": 0, "bytes": 1}
    path = tmp_path / "witness.cert"
    path.write_bytes(assemble("rlscout certificate 1", header | counts, b"\x30"))
    result = run_both(native_checker(), path)
    assert result["verdict"] == "refused"
    assert (result["position_at_fault"], result["claim_at_fault"]) == ("O-XOX---- X", "score <= 0")


def test_the_example_of_the_documentation(tmp_path: Path) -> None:
    text = (ROOT / "docs/certificate.md").read_text()
    header = re.search(r"^rlscout certificate 1\n.*?^crc32 .{8}\n", text, re.DOTALL | re.MULTILINE)
    payload = re.search(r"payload, .* is the one byte `(..)`", text)
    assert header
    assert payload
    path = tmp_path / "example.cert"
    path.write_bytes(header[0].encode() + bytes.fromhex(payload[1]))
    assert f"{path.stat().st_size} bytes" in text
    assert run_both(native_checker(), path)["statement"].startswith("mnk:3,3,3, ----X-X-O O: score = 0 for O to move")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "does not begin"),
        (b"\x00" * 100_000, "does not begin"),
        (b"rlscout certificate 2\n", "line 2 of the header is cut off"),
        (b"rlscout certificate 1\n" + b"a" * 600, "line 2 of the header is cut off"),
        (b"rlscout certificate 1\ngame \x1b[31m\n", "not plain text"),
        (b"rlscout certificate 9\n" + b"x\n" * 12, "knows version 1 only"),
        (b"rlscout certificate 1\r\ngame othello4\r\n", "line 1 of the header is cut off"),
    ],
)
def test_not_a_certificate(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "not.cert"
    path.write_bytes(content)
    result = run_both(native_checker(), path)
    assert result["verdict"] == "bad input"
    assert reason in result["reason"]


def test_unreadable(tmp_path: Path) -> None:
    for path, reason in [(tmp_path / "missing.cert", "No such file"), (tmp_path, "Is a directory")]:
        for result in (run_native(native_checker(), path), verify(str(path), LIMITS, lambda _: None)[0]):
            assert result["verdict"] == "bad input"
            assert reason in result["reason"]


def test_limits(tmp_path: Path) -> None:
    path = tmp_path / "large.cert"
    path.write_bytes(certificate("othello4", "empties", -10, -10, leaf_empties=6))
    assert "leaf_empties 6" in run_both(native_checker(), path, Limits(1000, 5))["reason"]
    assert "positions" in run_both(native_checker(), path, Limits(10, 6))["reason"]
    assert run_both(native_checker(), path, Limits(1000, 6))["verdict"] == "valid"


def test_root_of_a_finished_game(tmp_path: Path) -> None:
    """Nothing is left to prove, and nothing else than the score of the board passes."""
    for name, scoring, root, score in [
        ("othello4", "empties", "XXXX" * 3 + "---- O", -16),
        ("othello4", "discs", "XXXX" * 3 + "---- O", -12),
        ("othello4", "empties", "XX------------OO X", 0),
        ("othello4", "empties", "XX------------O- X", 14),
        ("othello4", "empties", "XX------------O- O", -14),
        ("othello4", "discs", "XX------------O- O", -1),
        ("mnk:3,3,3", "line", "XXXOO---- O", -1),
        ("mnk:3,3,3", "line", "XOXXOXOXO O", 0),
    ]:
        for claimed in (score - 1, score, score + 1):
            header: dict[str, object] = {"game": name, "scoring": scoring, "position": root}
            header |= {"lower": claimed, "upper": claimed, "leaf_empties": 0, "grade": "checked"}
            header |= {"positions": 0, "witnesses": 0, "leaves": 0, "bytes": 0}
            path = tmp_path / "over.cert"
            path.write_bytes(assemble("rlscout certificate 1", header, b""))
            assert run_both(native_checker(), path)["verdict"] == ("valid" if claimed == score else "refused")


def test_root_with_a_line_of_the_side_to_move(tmp_path: Path) -> None:
    """No game goes on from there, and the theorem says nothing of it."""
    for root, verdict in [("XXX-OO-O- X", "bad input"), ("X-OXO-XO- X", "bad input"), ("XX--OO-O- X", "refused")]:
        header: dict[str, object] = {"game": "mnk:3,3,3", "scoring": "line", "position": root, "lower": 0, "upper": 0}
        header |= {"leaf_empties": 0, "grade": "checked", "positions": 0, "witnesses": 0, "leaves": 0, "bytes": 0}
        path = tmp_path / "line.cert"
        path.write_bytes(assemble("rlscout certificate 1", header, b""))
        assert run_both(native_checker(), path)["verdict"] == verdict


def test_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a person reads is the same from both checkers, but for nodes and seconds."""
    path = tmp_path / "words.cert"
    good = certificate("othello4", "empties", -10, -10)
    magic, header, payload = header_of(good)
    for file, words in [
        (good, "VALID\nproven: othello4, -----OX--XO----- X: score = -10 for X to move (discs, empties to the winner)"),
        (assemble(magic, header | {"lower": "-9"}, payload), "REFUSED: the lower bound is above"),
        (assemble(magic, header, payload[:-2]), "   a b c d\n 1 "),
        (b"GIF89a", "BAD INPUT: the file does not begin"),
    ]:
        path.write_bytes(file)
        status = main([str(path)])
        expected = capsys.readouterr().out
        done = subprocess.run([native_checker(), str(path)], capture_output=True, text=True, check=False)
        assert words in expected
        assert done.returncode == status
        measured = r"\d+(\.\d+)? (nodes|s)\n"
        assert re.sub(measured, "", done.stdout) == re.sub(measured, "", expected)


def test_wrong_command_line() -> None:
    for arguments in [[], ["a", "b"], ["--max-positions", "-1", "a"], ["--max-leaf-empties"], ["--unknown", "a"]]:
        done = subprocess.run([native_checker(), *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == STATUS["bad input"]
        assert done.stderr.startswith("usage:")


def test_the_reference_stands_alone() -> None:
    """Nothing of rlscout, and nothing outside the standard library, is loaded."""
    package = Path(rlscout_verify.__file__).parent
    code = f"import sys; sys.path.insert(0, {str(package.parent)!r}); import rlscout_verify.cli; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    loaded = {module.partition(".")[0] for module in done.stdout.split()} - {"rlscout_verify"}
    assert not loaded - set(sys.stdlib_module_names) - {"__main__"}
