"""The guide for adding a game shows a game that the native tests play."""

from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_game_of_the_guide_is_the_one_under_test() -> None:
    guide = (ROOT / "docs/adding-a-game.md").read_text("utf-8")
    assert f"```cpp\n{(ROOT / 'native/tests/col.h').read_text('utf-8').strip()}\n```" in guide
    assert '#include "tests/col.h"' in (ROOT / "native/tests/game_test.cpp").read_text("utf-8")
