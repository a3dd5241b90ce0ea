"""The guide for adding a game shows files that the native tests compile and play."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("file", "printed_as"),
    [("col.h", "col.h"), ("col_search_traits.h", "search_traits.h"), ("col.cpp", "col.cpp")],
)
def test_the_files_of_the_guide_are_those_under_test(file: str, printed_as: str) -> None:
    """They are printed as they will stand, in the folder of the game."""
    text = (ROOT / "native/tests" / file).read_text("utf-8").strip()
    for other, name in [("col_search_traits.h", "search_traits.h"), ("col.h", "col.h")]:
        text = text.replace(f'"tests/{other}"', f'"games/col/{name}"')
    guide = (ROOT / "docs/adding-a-game.md").read_text("utf-8")
    assert f"```cpp\n{text}\n```" in guide
    assert f"games/<game>/{printed_as.replace('col.', '<game>.')}`" in guide
