"""Reads a certificate: thirteen lines of text, then the witness moves as a string of bits (docs/certificate.md)."""

import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rlscout_verify import games

BOUNDS = ["lower", "upper"]
COUNTS = ["leaf_empties", "positions", "witnesses", "leaves", "bytes"]
FIELDS = ["game", "scoring", "position", *BOUNDS, COUNTS[0], "grade", *COUNTS[1:], "crc32"]
LONGEST_LINE = 512


class FormatError(Exception):
    """The file cannot be read as a certificate of this version."""


class LimitError(Exception):
    """The file asks for more work than the limits allow. This says nothing about its truth."""


@dataclass(frozen=True)
class Limits:
    """What a checker is willing to do: more positions cost memory, more empty squares at the leaves cost time."""

    max_positions: int = 10_000_000
    max_leaf_empties: int = 16


@dataclass
class Certificate:
    """The header of a file, and its payload as found (shorter or longer than `payload_bytes` in a damaged file)."""

    game_name: str
    scoring: str
    game: games.Game
    root: games.Position
    x_to_move: bool
    lower: int
    upper: int
    leaf_empties: int
    positions: int
    witnesses: int
    leaves: int
    payload_bytes: int
    crc32: int
    payload: bytes = field(repr=False)
    actual_crc32: int


def read(path: str | Path, limits: Limits) -> Certificate:
    """Reads a file. Raises FormatError, LimitError, and OSError where it cannot be read."""
    with open(path, "rb") as file:
        lines: list[bytes] = []
        for _ in range(1 + len(FIELDS)):
            line = file.readline(LONGEST_LINE)
            if not lines and not line.startswith(b"rlscout certificate "):
                raise FormatError("the file does not begin with 'rlscout certificate'")
            if not re.fullmatch(rb"[ -~]*\n", line):
                raise FormatError(f"line {len(lines) + 1} of the header is cut off, too long or not plain text")
            lines.append(line)
        header = _header([line[:-1].decode() for line in lines])
        _refuse_beyond(limits, header)
        payload = file.read(header["payload_bytes"] + 1)
    actual_crc32 = zlib.crc32(payload[: header["payload_bytes"]], zlib.crc32(b"".join(lines[:-1])))
    return Certificate(**header, payload=payload, actual_crc32=actual_crc32)


def _refuse_beyond(limits: Limits, header: dict[str, Any]) -> None:
    for name, value, limit in [
        ("positions", header["positions"], limits.max_positions),
        ("bytes", header["payload_bytes"], 2 * limits.max_positions),
        ("leaf_empties", header["leaf_empties"], limits.max_leaf_empties),
    ]:
        if value > limit:
            raise LimitError(f"{name} {value}: this checker was told to take at most {limit}")


def _header(lines: list[str]) -> dict[str, Any]:
    """The fields of Certificate from the lines of the header."""
    if lines[0] != "rlscout certificate 1":
        raise FormatError(f"'{lines[0]}': this checker knows version 1 only")
    values = {}
    for name, line in zip(FIELDS, lines[1:], strict=True):
        if not line.startswith(name + " "):
            raise FormatError(f"expected the line '{name} ...', found '{line[:60]}'")
        values[name] = line[len(name) + 1 :]
    try:
        game = games.game(values["game"], values["scoring"])
        root, x_to_move = games.position_from_text(game, values["position"])
    except ValueError as error:
        raise FormatError(str(error)) from None
    if reason := game.impossible(root):
        raise FormatError(f"position {values['position']}: {reason}")
    if values["grade"] != "checked":
        raise FormatError(f"grade '{values['grade']}': this checker knows the grade 'checked' only")
    if not re.fullmatch(r"[0-9a-f]{8}", values["crc32"]):
        raise FormatError(f"crc32 '{values['crc32']}': expected eight digits 0-9a-f")
    numbers = {name: _integer(name, values[name]) for name in BOUNDS + COUNTS}
    numbers["payload_bytes"] = numbers.pop("bytes")
    if numbers["lower"] <= game.min_score and numbers["upper"] >= game.max_score:
        raise FormatError("both bounds are those of every score: the file claims nothing")
    return dict(
        numbers,
        game_name=values["game"],
        scoring=values["scoring"],
        game=game,
        root=root,
        x_to_move=x_to_move,
        crc32=int(values["crc32"], 16),
    )


def _integer(name: str, text: str) -> int:
    """A decimal of at most nine digits, written in the one shortest way; only the bounds may be negative."""
    pattern = r"0|-?[1-9][0-9]{0,8}" if name in BOUNDS else r"0|[1-9][0-9]{0,8}"
    if not re.fullmatch(pattern, text):
        raise FormatError(f"{name} '{text[:60]}': expected a whole number")
    return int(text)
