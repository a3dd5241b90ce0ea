"""A class is all that a checker needs of one more game: the reference one reads a certificate of the guide's game."""

from pathlib import Path
from typing import Self

import pytest
from certificate_oracle import assemble
from checkers import LIMITS

from rlscout_verify import games
from rlscout_verify.cli import verify
from rlscout_verify.games import Position


class Col:
    """Stones in turn on a strip, never next to one's own; who cannot move has lost."""

    columns, rows = 9, 1
    min_score, max_score = -1, 1
    rule = "1 moved last, -1 did not"

    def __init__(self) -> None:
        self.symmetries = [list(range(9)), list(range(9))[::-1]]

    @classmethod
    def parse(cls, name: str, scoring: str) -> Self | None:
        if name != "col9":
            return None
        if scoring != "last":
            raise ValueError(f"scoring '{scoring}' of {name}: allowed is last")
        return cls()

    def legal(self, position: Position) -> list[int]:
        own, opponent = position
        taken = own | opponent | own << 1 | own >> 1
        return [square for square in range(9) if not taken >> square & 1]

    def play(self, position: Position, square: int) -> Position:
        return position[1], position[0] | 1 << square

    def bounds_at_sight(self, position: Position) -> tuple[int, int]:
        return (-1, 1) if self.legal(position) else (-1, -1)

    def impossible(self, position: Position) -> str | None:
        if any(stones & stones << 1 for stones in position):
            return "two stones of one side are neighbours"
        return None


HEADER: dict[str, object] = {"game": "col9", "scoring": "last", "position": "--------- X", "lower": -1, "upper": -1}
HEADER |= {"leaf_empties": 0, "grade": "checked", "positions": 86, "witnesses": 50, "leaves": 0, "bytes": 15}
PAYLOAD = bytes.fromhex("e00000000000000000000413608000")
"""As `native/tests/certificate_test.cpp` writes it."""


@pytest.mark.parametrize(
    ("change", "payload", "verdict", "words"),
    [
        ({}, PAYLOAD, "valid", "col9, --------- X: score = -1 for X to move (1 moved last, -1 did not)"),
        ({}, PAYLOAD[:-1] + b"\xff", "refused", ""),
        ({"lower": 1, "upper": 1}, PAYLOAD, "refused", ""),
        ({"position": "XX------- O"}, PAYLOAD, "bad input", "two stones of one side are neighbours"),
        ({"scoring": "line"}, PAYLOAD, "bad input", "scoring 'line' of col9: allowed is last"),
        ({"game": "col8"}, PAYLOAD, "bad input", "unknown game 'col8'"),
    ],
)
def test_one_more_game(
    change: dict[str, object],
    payload: bytes,
    verdict: str,
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(games, "GAMES", (*games.GAMES, Col))
    path = tmp_path / "col.cert"
    path.write_bytes(assemble("rlscout certificate 1", HEADER | change, payload))
    result, _ = verify(str(path), LIMITS, lambda _: None)
    assert result["verdict"] == verdict
    assert words in result.get("statement", "") + result.get("reason", "")
